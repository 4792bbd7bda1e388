//! KEDA's `ScaledObject`: server-side apply of `spec.minReplicaCount`, under our own field manager. KEDA carries it over to
//! the HPA that it makes, and no longer scales to zero itself where it is one or more.
//!
//! As with an HPA, `maxReplicaCount` is sent only under a Pin. Three things are different:
//! - Nothing is invalid for lack of a maximum: a field that we alone own and stop sending would silently become KEDA's
//!   default. So after a Pin it is written once more, and then let go of.
//! - `idleReplicaCount` goes below the minimum. Where that must not be, KEDA is told to take its triggers for active, by
//!   an annotation of its own: the HPA then scales down to the minimum, and nobody below it.
//! - The API server lets bounds through that cross; KEDA then stops updating its HPA. What we send never crosses by what
//!   was seen, and what its owner writes in that moment is decided on when it is seen.

use floorkeeper_core::{Kept, ScalerBounds};
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::release::{Release, release};
use crate::api::keda;
use crate::apply::call::{Trouble, call};
use crate::apply::kept::{KEPT, note};
use crate::apply::writer::{MANAGER, Writer};

pub(super) async fn write(writer: &Writer, write: &ScalerBounds) -> Result<(), Trouble> {
    let api = writer.of_kind(&write.target.namespace, &keda::scaled_objects());
    let ended = match write.kept {
        Some(kept) => keep(&api, write, kept).await,
        None => give_back(&api, write).await,
    };
    ended.map_err(in_our_terms)
}

async fn keep(api: &Api<DynamicObject>, write: &ScalerBounds, kept: Kept) -> Result<(), Trouble> {
    let pinned = write.bounds.max != kept.original.max;
    let version = write.lowers.then_some(&*write.version);
    let now = send(api, write, body(write, kept, pinned || write.unpins, version)).await?;
    if write.unpins { release(api, now, &Release::Maximum).await } else { Ok(()) }
}

/// The owner's bounds, and his word on idling; nothing stays ours.
pub(super) async fn give_back(api: &Api<DynamicObject>, write: &ScalerBounds) -> Result<(), Trouble> {
    // The note stays until the release: if we die between the two, the next process sees it and ends the job.
    let kept = Kept { original: write.bounds, applied: write.bounds, awake: false };
    let now = send(api, write, body(write, kept, write.unpins, Some(&write.version))).await?;
    release(api, now, &Release::Everything).await
}

async fn send(api: &Api<DynamicObject>, write: &ScalerBounds, body: Value) -> Result<DynamicObject, Trouble> {
    let params = PatchParams::apply(MANAGER).force();
    call(api.patch(&write.scaler, &params, &Patch::Apply(body))).await
}

/// What is applied: nothing but our fields, so that all others stay their owners'.
fn body(write: &ScalerBounds, kept: Kept, max: bool, version: Option<&str>) -> Value {
    let kind = keda::scaled_objects();
    let mut body = json!({
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": &*write.scaler, "annotations": {KEPT: note(&kept)}},
        "spec": {"minReplicaCount": write.bounds.min},
    });
    if max {
        body["spec"]["maxReplicaCount"] = json!(write.bounds.max);
    }
    if kept.awake {
        body["metadata"]["annotations"][keda::FORCE_ACTIVATION] = json!("true");
    }
    if let Some(version) = version {
        body["metadata"]["resourceVersion"] = json!(version);
    }
    body
}

/// The apply would have created a ScaledObject out of our few fields.
fn in_our_terms(trouble: Trouble) -> Trouble {
    if trouble.refuses("spec.scaleTargetRef", "Required") {
        Trouble::NotFound("the ScaledObject is gone".to_owned())
    } else {
        trouble
    }
}

#[cfg(test)]
mod tests {
    use floorkeeper_core::{Bounds, ScalerKind, TargetKey};

    use super::*;

    fn bounds(max: u32, unpins: bool) -> ScalerBounds {
        ScalerBounds {
            target: TargetKey::new("shop", "deployments.apps", "web"),
            kind: ScalerKind::ScaledObject,
            scaler: "web".into(),
            version: "41".into(),
            bounds: Bounds { min: 6, max },
            kept: None,
            lowers: false,
            unpins,
            undo: false,
        }
    }

    #[test]
    fn a_raise_sends_the_minimum_and_the_note_only_and_keeps_it_awake_where_it_idles() {
        let kept = |awake| Kept { original: Bounds { min: 0, max: 30 }, applied: Bounds { min: 6, max: 30 }, awake };
        let mut expected = json!({
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": {"name": "web", "annotations": {KEPT: r#"{"original":{"min":0,"max":30},"applied":{"min":6,"max":30}}"#}},
            "spec": {"minReplicaCount": 6},
        });
        assert_eq!(body(&bounds(30, false), kept(false), false, None), expected);
        let note = r#"{"original":{"min":0,"max":30},"applied":{"min":6,"max":30},"awake":true}"#;
        expected["metadata"]["annotations"] = json!({KEPT: note, "autoscaling.keda.sh/force-activation": "true"});
        assert_eq!(body(&bounds(30, false), kept(true), false, None), expected);
    }

    #[test]
    fn a_lowering_carries_its_version_and_a_pin_the_maximum() {
        let kept = Kept { original: Bounds { min: 0, max: 30 }, applied: Bounds { min: 6, max: 6 }, awake: false };
        let body = body(&bounds(6, false), kept, true, Some("41"));
        assert_eq!(body["metadata"]["resourceVersion"], "41");
        assert_eq!(body["spec"], json!({"minReplicaCount": 6, "maxReplicaCount": 6}));
    }
}
