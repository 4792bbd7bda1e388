//! The scaler of a workload as the engine wants it, from a KEDA `ScaledObject`.

use floorkeeper_core::{Bounds, Idle, Kept, Scaler, ScalerKind};
use kube::ResourceExt;
use kube::core::DynamicObject;
use serde_json::Value;

use crate::api::keda;

/// What a ScaledObject scales: `apiVersion`, kind and name, KEDA's defaults filled in; `None` where it names nothing.
#[must_use]
pub fn scaled_object_scales(object: &DynamicObject) -> Option<(&str, &str, &str)> {
    let target = object.data.pointer("/spec/scaleTargetRef")?;
    let text = |field: &str| target.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    Some((text("apiVersion").unwrap_or("apps/v1"), text("kind").unwrap_or("Deployment"), text("name")?))
}

/// Builds a scaler. `kept`: what floorkeeper's annotation on it says.
#[must_use]
pub fn scaled_object(object: &DynamicObject, kept: Option<Kept>) -> Scaler {
    let Bounds { min, max } = keda::bounds(object);
    let meta = &object.metadata;
    let awake = keda::is_on(object.annotations().get(keda::FORCE_ACTIVATION));
    // Kept awake, and not by us: its owner does not want it to idle.
    let never_idles = awake && !kept.is_some_and(|kept| kept.awake);
    Scaler {
        kind: ScalerKind::ScaledObject,
        name: meta.name.as_deref().unwrap_or_default().into(),
        uid: meta.uid.as_deref().unwrap_or_default().into(),
        version: meta.resource_version.as_deref().unwrap_or_default().into(),
        min,
        max,
        idle: keda::count(object, "idleReplicaCount").filter(|_| !never_idles).map(|replicas| Idle { replicas, awake }),
        kept,
        owned: false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(annotations: &Value, spec: &Value) -> DynamicObject {
        serde_json::from_value(json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": spec,
            "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7", "annotations": annotations}}))
        .unwrap()
    }

    #[test]
    fn keda_s_defaults_are_filled_in() {
        let bare = object(&json!({}), &json!({"scaleTargetRef": {"name": "web"}}));
        assert_eq!(scaled_object_scales(&bare), Some(("apps/v1", "Deployment", "web")));
        let scaler = scaled_object(&bare, None);
        assert_eq!((scaler.kind, scaler.bounds()), (ScalerKind::ScaledObject, Bounds { min: 0, max: 100 }));
        assert_eq!((&*scaler.name, &*scaler.uid, &*scaler.version, scaler.idle), ("web", "u1", "7", None));
        let target = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "api"});
        let full = object(
            &json!({}),
            &json!({"scaleTargetRef": target, "minReplicaCount": 3, "maxReplicaCount": 12, "idleReplicaCount": 0}),
        );
        assert_eq!(scaled_object_scales(&full), Some(("argoproj.io/v1alpha1", "Rollout", "api")));
        let scaler = scaled_object(&full, None);
        assert_eq!((scaler.min, scaler.max, scaler.idle), (3, 12, Some(Idle { replicas: 0, awake: false })));
        assert_eq!(scaled_object_scales(&object(&json!({}), &json!({}))), None);
    }

    #[test]
    fn who_keeps_it_awake_decides_whether_it_idles() {
        let spec = json!({"scaleTargetRef": {"name": "web"}, "minReplicaCount": 3, "idleReplicaCount": 0});
        let bounds = Bounds { min: 3, max: 100 };
        let ours = Some(Kept { original: bounds, applied: bounds, awake: true });
        let theirs = Some(Kept { original: bounds, applied: Bounds { min: 9, max: 100 }, awake: false });
        let forced = object(&json!({"autoscaling.keda.sh/force-activation": "true"}), &spec);
        let idle = |object: &DynamicObject, kept| scaled_object(object, kept).idle;
        assert_eq!(idle(&forced, ours), Some(Idle { replicas: 0, awake: true }));
        assert_eq!(idle(&forced, theirs), None, "its owner forbids it");
        assert_eq!(idle(&forced, None), None);
        assert_eq!(idle(&object(&json!({}), &spec), ours), Some(Idle { replicas: 0, awake: false }), "taken away");
    }
}
