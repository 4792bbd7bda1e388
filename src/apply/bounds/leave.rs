//! An HPA given back by a person's command, floorkeeper being stopped: what its owner had, and no trace of us.

use std::sync::Arc;

use floorkeeper_core::{Bounds, Kept, ScalerBounds, TargetKey};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::core::{ApiResource, DynamicObject, ResourceExt};
use kube::{Api, Client};

use super::hpa;
use super::release::{Release, release};
use crate::apply::call::{Trouble, call};
use crate::apply::kept::{KEPT, kept};

/// The bounds that an HPA has when it is given back, if floorkeeper keeps something there.
#[must_use]
pub fn owner_bounds(hpa: &HorizontalPodAutoscaler) -> Option<Bounds> {
    let annotations = hpa.metadata.annotations.as_ref();
    annotations?.get(KEPT)?;
    let count = |count: i32| u32::try_from(count).unwrap_or(0);
    let stands = Bounds { min: hpa.spec.min_replicas.map_or(1, count), max: count(hpa.spec.max_replicas) };
    // A note that somebody made unreadable: what stands is taken for the owner's. A bound that is not as we wrote it is the
    // owner's new wish.
    Some(kept(annotations).map_or(stands, |Kept { original, applied }| Bounds {
        min: if applied.min == stands.min { original.min } else { stands.min },
        max: if applied.max == stands.max { original.max } else { stands.max },
    }))
}

/// Gives one HPA back, against the version that is at hand: `false` where there was nothing to give back.
///
/// Done in two writes; between the two the note still stands, so that doing it again ends it.
pub async fn give_hpa_back(client: &Client, hpa: &HorizontalPodAutoscaler) -> Result<bool, String> {
    let Some(bounds) = owner_bounds(hpa) else { return Ok(false) };
    let namespace = hpa.namespace().unwrap_or_default();
    let kind = ApiResource::erase::<HorizontalPodAutoscaler>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &kind);
    let write = ScalerBounds {
        target: TargetKey::new(&namespace, "", ""),
        scaler: Arc::from(hpa.name_any()),
        version: Arc::from(hpa.resource_version().unwrap_or_default()),
        bounds,
        kept: None,
        lowers: true,
        undo: false,
    };
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn owner(min: u32, max: u32, note: Option<&str>) -> Option<Bounds> {
        let annotations = note.map(|note| json!({KEPT: note}));
        let hpa = json!({"metadata": {"name": "web", "annotations": annotations},
            "spec": {"minReplicas": min, "maxReplicas": max, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}});
        owner_bounds(&serde_json::from_value(hpa).unwrap())
    }

    #[test]
    fn the_owner_s_bounds_and_the_owner_s_new_wishes() {
        let note = r#"{"original":{"min":2,"max":10},"applied":{"min":7,"max":10}}"#;
        let bounds = |min, max| Some(Bounds { min, max });
        assert_eq!(owner(7, 10, Some(note)), bounds(2, 10));
        assert_eq!(owner(3, 10, Some(note)), bounds(3, 10), "edited while floorkeeper was dead");
        assert_eq!(owner(7, 20, Some(note)), bounds(2, 20));
        assert_eq!(owner(7, 10, Some("nonsense")), bounds(7, 10));
        assert_eq!(owner(7, 10, None), None);
    }
}
