//! KEDA's `ScaledObject`, as far as floorkeeper reads and writes it. The kind is KEDA's own.

use std::collections::BTreeMap;

use floorkeeper_core::Bounds;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicObject};

/// The kind as the API server serves it.
#[must_use]
pub fn scaled_objects() -> ApiResource {
    ApiResource {
        group: GROUP.into(),
        version: "v1alpha1".into(),
        api_version: format!("{GROUP}/v1alpha1"),
        kind: KIND.into(),
        plural: "scaledobjects".into(),
    }
}

/// Whether KEDA made an object for a ScaledObject: such an HPA is written by KEDA again and again, so it is the
/// ScaledObject that has to be written.
#[must_use]
pub fn is_made_by_keda(metadata: &ObjectMeta) -> bool {
    let owners = metadata.owner_references.iter().flatten();
    owners.into_iter().any(|owner| owner.kind == KIND && owner.api_version.split('/').next() == Some(GROUP))
}

/// A ScaledObject's minimum and maximum as they stand there, KEDA's defaults filled in.
#[must_use]
pub fn bounds(object: &DynamicObject) -> Bounds {
    let or = |field: &str, absent: u32| count(object, field).unwrap_or(absent);
    Bounds { min: or("minReplicaCount", MIN_IF_ABSENT), max: or("maxReplicaCount", MAX_IF_ABSENT) }
}

/// The number in a field of a ScaledObject's spec; `None` where there is none.
#[must_use]
pub fn count(object: &DynamicObject, field: &str) -> Option<u32> {
    let value = object.data.get("spec")?.get(field)?.as_u64()?;
    Some(u32::try_from(value).unwrap_or(u32::MAX))
}

/// Whether KEDA is told to scale nothing, and to take its HPA away.
#[must_use]
pub fn is_paused(annotations: Option<&BTreeMap<String, String>>) -> bool {
    annotations.is_some_and(|all| all.contains_key(PAUSED_REPLICAS) || is_on(all.get(PAUSED)))
}

/// Whether an annotation of KEDA's that switches something on does so: anything counts that is not plainly a no.
#[must_use]
pub fn is_on(annotation: Option<&String>) -> bool {
    annotation.is_some_and(|value| !["0", "f", "F", "false", "FALSE", "False"].contains(&value.as_str()))
}

/// The name of the kind's CustomResourceDefinition: without it there is no KEDA in the cluster.
pub const DEFINITION: &str = "scaledobjects.keda.sh";

/// KEDA (2.18 and later) then takes its triggers for active whatever they say: it scales neither to zero nor to
/// `idleReplicaCount`, and the HPA's minimum holds.
pub const FORCE_ACTIVATION: &str = "autoscaling.keda.sh/force-activation";

/// KEDA then scales nothing.
const PAUSED: &str = "autoscaling.keda.sh/paused";

/// The same, after it has set the workload to this many.
const PAUSED_REPLICAS: &str = "autoscaling.keda.sh/paused-replicas";

/// `minReplicaCount` of a ScaledObject that does not set it.
const MIN_IF_ABSENT: u32 = 0;

/// `maxReplicaCount` of a ScaledObject that does not set it.
const MAX_IF_ABSENT: u32 = 100;

const GROUP: &str = "keda.sh";

const KIND: &str = "ScaledObject";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keda_s_hpa_is_known_by_its_owner() {
        let owned = |api_version: &str, kind: &str| {
            let owner = json!({"apiVersion": api_version, "kind": kind, "name": "web", "uid": "u", "controller": true});
            is_made_by_keda(&serde_json::from_value(json!({"ownerReferences": [owner]})).unwrap())
        };
        assert!(owned("keda.sh/v1alpha1", "ScaledObject"));
        assert!(!owned("floorkeeper.dev/v1alpha1", "ScalingPolicy"));
        assert!(!owned("example.com/v1", "ScaledObject"));
        assert!(!is_made_by_keda(&ObjectMeta::default()));
    }

    #[test]
    fn a_switch_is_on_unless_it_says_no() {
        let on = |value: &str| is_on(Some(&value.to_owned()));
        assert!(on("true") && on("1") && on("") && on("yes"));
        assert!(!on("false") && !on("0") && !on("False") && !is_on(None));
    }
}
