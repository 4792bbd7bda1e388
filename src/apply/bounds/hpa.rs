//! `HorizontalPodAutoscaler`: server-side apply of `spec.minReplicas` alone, under our own field manager.
//!
//! `maxReplicas` is sent only where it differs from the owner's (a Pin), so that its owner can go on editing it. Three
//! traps are dealt with here:
//! - A field that we alone own and stop sending is *removed*: `minReplicas` would become 1 and `maxReplicas` invalid.
//!   Hence giving back is two writes: the original value first, then our ownership ([`release`]).
//! - An apply to an HPA that is gone would create one: it lacks a target and is refused, which is what we want.
//! - A minimum above the owner's new maximum is refused by the API server: a conflict, for the engine to decide anew.

use floorkeeper_core::{Kept, ScalerBounds};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject};
use serde_json::{Value, json};

use super::release::{Release, release};
use crate::apply::call::{Trouble, call};
use crate::apply::kept::{KEPT, note};
use crate::apply::own_hpa::is_own;
use crate::apply::writer::{MANAGER, Writer};

pub(super) async fn write(writer: &Writer, write: &ScalerBounds) -> Result<(), Trouble> {
    let kind = ApiResource::erase::<HorizontalPodAutoscaler>(&());
    let api = writer.of_kind(&write.target.namespace, &kind);
    match write.kept {
        Some(kept) => keep(&api, write, kept).await,
        None => give_back(&api, write).await,
    }
    .map_err(in_our_terms)
}

async fn keep(api: &Api<DynamicObject>, write: &ScalerBounds, kept: Kept) -> Result<(), Trouble> {
    let pinned = write.bounds.max != kept.original.max;
    match apply(api, write, kept, pinned).await {
        // After a Pin the maximum is ours alone: put the owner's back and let go of it.
        Err(trouble) if !pinned && is_missing_max(&trouble) => {
            let now = apply(api, write, kept, true).await?;
            release(api, now, &Release::Maximum).await
        }
        ended => ended.map(drop),
    }
}

/// The owner's bounds, or those of an HPA of our own: nothing is kept there, so nothing stays ours.
pub(super) async fn give_back(api: &Api<DynamicObject>, write: &ScalerBounds) -> Result<(), Trouble> {
    // The note stays until the release: if we die between the two, the next process sees it and ends the job.
    let kept = Kept { original: write.bounds, applied: write.bounds, awake: false };
    let seen = Some(&*write.version);
    let now = match send(api, write, body(write, kept, true, seen)).await {
        // Only our own HPA may be raised whatever its version: nobody else edits it.
        Err(trouble @ Trouble::Conflict(_)) if !write.lowers => {
            if !is_own(&call(api.get(&write.scaler)).await?.metadata) {
                return Err(trouble);
            }
            send(api, write, body(write, kept, true, None)).await
        }
        ended => ended,
    }?;
    release(api, now, &Release::Everything).await
}

async fn apply(
    api: &Api<DynamicObject>,
    write: &ScalerBounds,
    kept: Kept,
    max: bool,
) -> Result<DynamicObject, Trouble> {
    let version = write.lowers.then_some(&*write.version);
    send(api, write, body(write, kept, max, version)).await
}

async fn send(api: &Api<DynamicObject>, write: &ScalerBounds, body: Value) -> Result<DynamicObject, Trouble> {
    let params = PatchParams::apply(MANAGER).force();
    call(api.patch(&write.scaler, &params, &Patch::Apply(body))).await
}

/// What is applied: nothing but our fields, so that all others stay their owners'.
fn body(write: &ScalerBounds, kept: Kept, max: bool, version: Option<&str>) -> Value {
    let mut body = json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": &*write.scaler, "annotations": {KEPT: note(&kept)}},
        "spec": {"minReplicas": write.bounds.min},
    });
    if max {
        body["spec"]["maxReplicas"] = json!(write.bounds.max);
    }
    if let Some(version) = version {
        body["metadata"]["resourceVersion"] = json!(version);
    }
    body
}

/// The apply dropped a maximum that only we owned.
fn is_missing_max(trouble: &Trouble) -> bool {
    !is_gone(trouble)
        && (trouble.refuses("spec.maxReplicas", "Required") || trouble.refuses("spec.maxReplicas", "greater than 0"))
}

/// The apply would have created an HPA out of our few fields.
fn is_gone(trouble: &Trouble) -> bool {
    trouble.refuses("spec.scaleTargetRef.kind", "Required")
}

fn in_our_terms(trouble: Trouble) -> Trouble {
    if is_gone(&trouble) {
        Trouble::NotFound("the HorizontalPodAutoscaler is gone".to_owned())
    } else if trouble.refuses("spec.maxReplicas", "minReplicas") {
        Trouble::Conflict(trouble.to_string())
    } else {
        trouble
    }
}

#[cfg(test)]
mod tests {
    use floorkeeper_core::{Bounds, ScalerKind, TargetKey};

    use super::*;

    fn bounds(lowers: bool) -> ScalerBounds {
        ScalerBounds {
            target: TargetKey::new("shop", "deployments.apps", "web"),
            kind: ScalerKind::HorizontalPodAutoscaler,
            scaler: "web".into(),
            version: "41".into(),
            bounds: Bounds { min: 6, max: 10 },
            kept: None,
            lowers,
            unpins: false,
            undo: false,
        }
    }

    const KEPT_NOW: Kept =
        Kept { original: Bounds { min: 2, max: 10 }, applied: Bounds { min: 6, max: 10 }, awake: false };

    #[test]
    fn a_raise_sends_the_minimum_and_the_note_only() {
        let expected = json!({
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web", "annotations": {KEPT: r#"{"original":{"min":2,"max":10},"applied":{"min":6,"max":10}}"#}},
            "spec": {"minReplicas": 6},
        });
        assert_eq!(body(&bounds(false), KEPT_NOW, false, None), expected);
    }

    #[test]
    fn a_lowering_carries_its_version_and_a_pin_the_maximum() {
        let body = body(&bounds(true), KEPT_NOW, true, Some("41"));
        assert_eq!(body["metadata"]["resourceVersion"], "41");
        assert_eq!(body["spec"]["maxReplicas"], 10);
    }
}
