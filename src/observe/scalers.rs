//! The scaler of a workload as the engine wants it, from a `HorizontalPodAutoscaler`.

use floorkeeper_core::{Kept, Scaler, ScalerKind};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;

/// What an HPA scales: `apiVersion`, kind and name, as it says them.
#[must_use]
pub fn scales(hpa: &HorizontalPodAutoscaler) -> (&str, &str, &str) {
    let target = &hpa.spec.scale_target_ref;
    // Very old objects leave the version out and mean what they meant then.
    (target.api_version.as_deref().unwrap_or("apps/v1"), &target.kind, &target.name)
}

/// Builds a scaler. `kept`: what floorkeeper's annotation on it says; `owned`: floorkeeper created it.
#[must_use]
pub fn scaler(hpa: &HorizontalPodAutoscaler, kept: Option<Kept>, owned: bool) -> Scaler {
    let spec = &hpa.spec;
    let meta = &hpa.metadata;
    Scaler {
        kind: ScalerKind::HorizontalPodAutoscaler,
        name: meta.name.as_deref().unwrap_or_default().into(),
        uid: meta.uid.as_deref().unwrap_or_default().into(),
        version: meta.resource_version.as_deref().unwrap_or_default().into(),
        min: spec.min_replicas.map_or(MIN_IF_ABSENT, positive),
        max: positive(spec.max_replicas),
        idle: None,
        kept,
        owned,
    }
}

/// The API server refuses negative counts.
fn positive(count: i32) -> u32 {
    u32::try_from(count).unwrap_or(0)
}

/// `minReplicas` of an HPA that does not set it.
const MIN_IF_ABSENT: u32 = 1;

#[cfg(test)]
mod tests {
    use floorkeeper_core::Bounds;
    use serde_json::{Value, json};

    use super::*;

    fn hpa(spec: &Value) -> HorizontalPodAutoscaler {
        let metadata = json!({"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7"});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    #[test]
    fn bounds_and_what_is_scaled() {
        let full = json!({"minReplicas": 3, "maxReplicas": 12,
            "scaleTargetRef": {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web"}});
        let bare = json!({"maxReplicas": 12, "scaleTargetRef": {"kind": "Deployment", "name": "api"}});
        let odd = json!({"minReplicas": 0, "maxReplicas": -4, "scaleTargetRef": {"kind": "Deployment", "name": "api"}});
        let cases = [
            (full, ("argoproj.io/v1alpha1", "Rollout", "web"), 3, 12),
            (bare, ("apps/v1", "Deployment", "api"), 1, 12),
            (odd, ("apps/v1", "Deployment", "api"), 0, 0),
        ];
        for (spec, target, min, max) in cases {
            let hpa = hpa(&spec);
            assert_eq!(scales(&hpa), target);
            let scaler = scaler(&hpa, None, false);
            assert_eq!((scaler.min, scaler.max), (min, max), "{spec}");
            assert_eq!((&*scaler.name, &*scaler.uid, &*scaler.version), ("web", "u1", "7"));
        }
    }

    #[test]
    fn what_floorkeeper_left_on_it_is_passed_on() {
        let kept = Kept { original: Bounds { min: 2, max: 9 }, applied: Bounds { min: 6, max: 9 }, awake: false };
        let spec = json!({"minReplicas": 6, "maxReplicas": 9, "scaleTargetRef": {"kind": "Deployment", "name": "api"}});
        let scaler = scaler(&hpa(&spec), Some(kept), true);
        assert_eq!((scaler.kept, scaler.owned), (Some(kept), true));
    }
}
