//! A scaler given back by a person's command, floorkeeper being stopped: what its owner had, and no trace of us.

use std::collections::BTreeMap;
use std::sync::Arc;

use floorkeeper_core::{Bounds, Kept, ScalerBounds, ScalerKind, TargetKey};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::core::{ApiResource, DynamicObject, ObjectMeta};
use kube::{Api, Client};

use super::release::{Release, release};
use super::{hpa, scaled_object};
use crate::api::keda;
use crate::apply::call::{Trouble, call};
use crate::apply::kept::{KEPT, kept};

/// The bounds that an HPA has when it is given back, if floorkeeper keeps something there. KEDA copies the note of a
/// ScaledObject to the HPA that it makes of it: there it means nothing.
#[must_use]
pub fn owner_bounds(hpa: &HorizontalPodAutoscaler) -> Option<Bounds> {
    if keda::is_made_by_keda(&hpa.metadata) {
        return None;
    }
    let count = |count: i32| u32::try_from(count).unwrap_or(0);
    let stands = Bounds { min: hpa.spec.min_replicas.map_or(1, count), max: count(hpa.spec.max_replicas) };
    owner_s(hpa.metadata.annotations.as_ref(), stands)
}

/// The bounds that a ScaledObject has when it is given back, if floorkeeper keeps something there.
#[must_use]
pub fn owner_bounds_of_scaled_object(object: &DynamicObject) -> Option<Bounds> {
    owner_s(object.metadata.annotations.as_ref(), keda::bounds(object))
}

/// Gives one HPA back, against the version that is at hand: `false` where there was nothing to give back.
///
/// Done in two writes; between the two the note still stands, so that doing it again ends it.
pub async fn give_hpa_back(client: &Client, hpa: &HorizontalPodAutoscaler) -> Result<bool, String> {
    let Some(bounds) = owner_bounds(hpa) else { return Ok(false) };
    let write = write(&hpa.metadata, ScalerKind::HorizontalPodAutoscaler, bounds);
    let kind = ApiResource::erase::<HorizontalPodAutoscaler>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &write.target.namespace, &kind);
    let ended = match hpa::give_back(&api, &write).await {
        // Bounds that cross can't be written; what stands does stand, so it stays, and we let go of it.
        Err(Trouble::Invalid(_)) => {
            let object = call(api.get(&write.scaler)).await.map_err(|trouble| trouble.to_string())?;
            release(&api, object, &Release::Everything).await
        }
        ended => ended,
    };
    ended.map(|()| true).map_err(|trouble| trouble.to_string())
}

/// Gives one ScaledObject back, as [`give_hpa_back`] does.
pub async fn give_scaled_object_back(client: &Client, object: &DynamicObject) -> Result<bool, String> {
    let Some(bounds) = owner_bounds_of_scaled_object(object) else { return Ok(false) };
    let mut write = write(&object.metadata, ScalerKind::ScaledObject, bounds);
    write.unpins = bounds.max != keda::bounds(object).max;
    let api = Api::namespaced_with(client.clone(), &write.target.namespace, &keda::scaled_objects());
    let ended = scaled_object::give_back(&api, &write).await;
    ended.map(|()| true).map_err(|trouble| trouble.to_string())
}

fn owner_s(annotations: Option<&BTreeMap<String, String>>, stands: Bounds) -> Option<Bounds> {
    annotations?.get(KEPT)?;
    // A note that somebody made unreadable: what stands is taken for the owner's. A bound that is not as we wrote it is the
    // owner's new wish.
    Some(kept(annotations).map_or(stands, |Kept { original, applied, .. }| Bounds {
        min: if applied.min == stands.min { original.min } else { stands.min },
        max: if applied.max == stands.max { original.max } else { stands.max },
    }))
}

fn write(metadata: &ObjectMeta, kind: ScalerKind, bounds: Bounds) -> ScalerBounds {
    ScalerBounds {
        target: TargetKey::new(metadata.namespace.as_deref().unwrap_or_default(), "", ""),
        kind,
        scaler: Arc::from(metadata.name.as_deref().unwrap_or_default()),
        version: Arc::from(metadata.resource_version.as_deref().unwrap_or_default()),
        bounds,
        kept: None,
        lowers: true,
        unpins: false,
        undo: false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn hpa(min: u32, max: u32, note: Option<&str>, owners: &Value) -> HorizontalPodAutoscaler {
        let annotations = note.map(|note| json!({KEPT: note}));
        let hpa = json!({"metadata": {"name": "web", "annotations": annotations, "ownerReferences": owners},
            "spec": {"minReplicas": min, "maxReplicas": max, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}});
        serde_json::from_value(hpa).unwrap()
    }

    const NOTE: &str = r#"{"original":{"min":2,"max":10},"applied":{"min":7,"max":10}}"#;

    #[test]
    fn the_owner_s_bounds_and_the_owner_s_new_wishes() {
        let owner = |min, max, note| owner_bounds(&hpa(min, max, note, &json!([])));
        let bounds = |min, max| Some(Bounds { min, max });
        assert_eq!(owner(7, 10, Some(NOTE)), bounds(2, 10));
        assert_eq!(owner(3, 10, Some(NOTE)), bounds(3, 10), "edited while floorkeeper was dead");
        assert_eq!(owner(7, 20, Some(NOTE)), bounds(2, 20));
        assert_eq!(owner(7, 10, Some("nonsense")), bounds(7, 10));
        assert_eq!(owner(7, 10, None), None);
    }

    #[test]
    fn the_note_counts_on_the_scaled_object_and_not_on_keda_s_hpa() {
        let keda = json!([{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "web", "uid": "u"}]);
        assert_eq!(owner_bounds(&hpa(7, 10, Some(NOTE), &keda)), None);
        let object = |spec: Value| -> DynamicObject {
            serde_json::from_value(json!({"metadata": {"name": "web", "annotations": {KEPT: NOTE}}, "spec": spec}))
                .unwrap()
        };
        let owner = |spec| owner_bounds_of_scaled_object(&object(spec));
        assert_eq!(owner(json!({"minReplicaCount": 7, "maxReplicaCount": 10})), Some(Bounds { min: 2, max: 10 }));
        assert_eq!(owner(json!({"minReplicaCount": 7})), Some(Bounds { min: 2, max: 100 }), "the owner took it out");
    }
}
