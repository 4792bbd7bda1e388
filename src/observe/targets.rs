//! A workload as the engine wants it, from any object with a `scale` subresource.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use floorkeeper_core::{Rollout, Target};
use kube::core::DynamicObject;
use serde_json::Value;

/// Where a kind keeps its replicas, as JSON pointers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    pub replicas: String,
}

impl Default for Paths {
    /// Of every built-in kind, and of nearly every other.
    fn default() -> Self {
        Self { replicas: "/spec/replicas".to_owned() }
    }
}

impl Paths {
    /// From the path that a CustomResourceDefinition gives (`.spec.size`); `None` where it is no plain path.
    #[must_use]
    pub fn parse(spec_replicas_path: &str) -> Option<Self> {
        let path = spec_replicas_path.strip_prefix('.')?;
        let plain =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        path.split('.').all(plain).then(|| Self { replicas: format!("/{}", path.replace('.', "/")) })
    }
}

/// Builds a target from an object of the resource (`deployments.apps`).
#[must_use]
pub fn target(resource: &str, object: &DynamicObject, paths: &Paths) -> Target {
    let meta = &object.metadata;
    let status = |field: &str| count(object.data.pointer(&format!("/status/{field}")));
    let replicas = count(object.data.pointer(&paths.replicas)).unwrap_or(REPLICAS_IF_ABSENT);
    let ready = match resource {
        // The API server leaves a zero out.
        DEPLOYMENTS | STATEFUL_SETS => Some(status("readyReplicas").unwrap_or(0)),
        _ => status("readyReplicas").or_else(|| zero_ready(&object.data)),
    };
    Target {
        uid: meta.uid.as_deref().unwrap_or_default().into(),
        version: meta.resource_version.as_deref().unwrap_or_default().into(),
        replicas,
        ready,
        rollout: rollout(resource, replicas, meta.generation, &object.data),
        template: object.data.pointer("/spec/template").map_or(0, hash),
    }
}

/// A kind that counts its pods and says nothing of ready ones has none ready, if it has none at all.
fn zero_ready(object: &Value) -> Option<u32> {
    (count(object.pointer("/status/replicas")) == Some(0)).then_some(0)
}

fn rollout(resource: &str, replicas: u32, generation: Option<i64>, object: &Value) -> Rollout {
    if object.pointer("/spec/paused").and_then(Value::as_bool) == Some(true) {
        return Rollout::Paused;
    }
    let progressing = match resource {
        STATEFUL_SETS => stateful_progress(replicas, object),
        DEPLOYMENTS => progress(replicas, generation, object, Some(0)),
        // Another kind that does not count updated pods says nothing of rollouts.
        _ => progress(replicas, generation, object, None),
    };
    if !progressing {
        return Rollout::Done;
    }
    let deadline = if deadline_exceeded(object) {
        Duration::ZERO
    } else {
        let seconds = object.pointer("/spec/progressDeadlineSeconds").and_then(Value::as_u64);
        Duration::from_secs(seconds.unwrap_or(DEADLINE_IF_ABSENT))
    };
    Rollout::Progressing { deadline }
}

/// Pods of an older template are left, or a change that is more than a change of scale was not picked up yet.
fn progress(replicas: u32, generation: Option<i64>, object: &Value, updated_if_absent: Option<u32>) -> bool {
    let Some(updated) = count(object.pointer("/status/updatedReplicas")).or(updated_if_absent) else { return false };
    let pods = count(object.pointer("/status/replicas")).unwrap_or(0);
    let observed = object.pointer("/status/observedGeneration").and_then(Value::as_i64);
    let unobserved = observed.zip(generation).is_some_and(|(observed, generation)| observed < generation);
    updated < pods || (unobserved && pods == replicas)
}

/// As `kubectl rollout status` sees it: pods below the partition stay old, and `OnDelete` waits for people.
fn stateful_progress(replicas: u32, object: &Value) -> bool {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str);
    let (current, update) = (text("/status/currentRevision"), text("/status/updateRevision"));
    if text("/spec/updateStrategy/type") == Some("OnDelete") || update.is_none() || current == update {
        return false;
    }
    let partition = count(object.pointer("/spec/updateStrategy/rollingUpdate/partition")).unwrap_or(0);
    let updated = count(object.pointer("/status/updatedReplicas")).unwrap_or(0);
    updated < replicas.saturating_sub(partition)
}

fn deadline_exceeded(object: &Value) -> bool {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        condition.get("type").and_then(Value::as_str) == Some("Progressing")
            && condition.get("reason").and_then(Value::as_str) == Some("ProgressDeadlineExceeded")
    })
}

fn count(value: Option<&Value>) -> Option<u32> {
    value.and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok())
}

fn hash(template: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    template.hash(&mut hasher);
    hasher.finish()
}

const DEPLOYMENTS: &str = "deployments.apps";

const STATEFUL_SETS: &str = "statefulsets.apps";

/// What Kubernetes itself assumes where `spec.replicas` is absent.
const REPLICAS_IF_ABSENT: u32 = 1;

/// `progressDeadlineSeconds` of a Deployment that does not set it.
const DEADLINE_IF_ABSENT: u64 = 600;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(data: &Value) -> DynamicObject {
        let mut object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": "Any",
            "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7", "generation": 2}
        }))
        .unwrap();
        object.data = data.clone();
        object
    }

    const PROGRESSING: Rollout = Rollout::Progressing { deadline: Duration::from_secs(600) };

    #[test]
    fn rollouts() {
        let done = json!({"replicas": 4, "updatedReplicas": 4, "readyReplicas": 4, "observedGeneration": 2});
        let cases = [
            ("steady", DEPLOYMENTS, json!({"spec": {"replicas": 4}, "status": done}), Rollout::Done),
            (
                "new template not seen by the controller yet",
                DEPLOYMENTS,
                json!({"spec": {"replicas": 4}, "status": {"replicas": 4, "updatedReplicas": 4, "observedGeneration": 1}}),
                PROGRESSING,
            ),
            (
                "a change of scale not seen by the controller yet is no rollout",
                DEPLOYMENTS,
                json!({"spec": {"replicas": 6}, "status": {"replicas": 4, "updatedReplicas": 4, "observedGeneration": 1}}),
                Rollout::Done,
            ),
            (
                "scaling up, new pods pending",
                DEPLOYMENTS,
                json!({"spec": {"replicas": 6}, "status": {"replicas": 5, "updatedReplicas": 5, "readyReplicas": 4, "observedGeneration": 2}}),
                Rollout::Done,
            ),
            (
                "old pods are left",
                DEPLOYMENTS,
                json!({"spec": {"replicas": 4, "progressDeadlineSeconds": 90}, "status": {"replicas": 5, "updatedReplicas": 2, "observedGeneration": 2}}),
                Rollout::Progressing { deadline: Duration::from_secs(90) },
            ),
            (
                "none updated: the zero is left out",
                DEPLOYMENTS,
                json!({"spec": {"replicas": 4}, "status": {"replicas": 4, "observedGeneration": 2}}),
                PROGRESSING,
            ),
            (
                "the deadline is over",
                DEPLOYMENTS,
                json!({"spec": {"replicas": 4}, "status": {"replicas": 5, "updatedReplicas": 2, "observedGeneration": 2,
                    "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}}),
                Rollout::Progressing { deadline: Duration::ZERO },
            ),
            (
                "paused",
                DEPLOYMENTS,
                json!({"spec": {"replicas": 4, "paused": true}, "status": {"replicas": 5, "updatedReplicas": 2}}),
                Rollout::Paused,
            ),
            ("just created", DEPLOYMENTS, json!({"spec": {"replicas": 4}}), Rollout::Done),
            (
                "stateful, under way",
                STATEFUL_SETS,
                json!({"spec": {"replicas": 4}, "status": {"replicas": 4, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"}}),
                PROGRESSING,
            ),
            (
                "stateful, done",
                STATEFUL_SETS,
                json!({"spec": {"replicas": 4}, "status": {"replicas": 4, "updatedReplicas": 4, "currentRevision": "b", "updateRevision": "b"}}),
                Rollout::Done,
            ),
            (
                "stateful, done as far as the partition lets it",
                STATEFUL_SETS,
                json!({"spec": {"replicas": 4, "updateStrategy": {"rollingUpdate": {"partition": 3}}},
                    "status": {"replicas": 4, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"}}),
                Rollout::Done,
            ),
            (
                "stateful, waits for people",
                STATEFUL_SETS,
                json!({"spec": {"replicas": 4, "updateStrategy": {"type": "OnDelete"}},
                    "status": {"replicas": 4, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"}}),
                Rollout::Done,
            ),
            (
                "another kind that counts updated pods",
                "rollouts.argoproj.io",
                json!({"spec": {"replicas": 4}, "status": {"replicas": 5, "updatedReplicas": 2, "observedGeneration": "2"}}),
                PROGRESSING,
            ),
            (
                "another kind that does not",
                "widgets.example.dev",
                json!({"spec": {"replicas": 4}, "status": {"replicas": 2}}),
                Rollout::Done,
            ),
        ];
        for (name, resource, data, expected) in cases {
            assert_eq!(target(resource, &object(&data), &Paths::default()).rollout, expected, "{name}");
        }
    }

    #[test]
    fn replicas_and_ready_pods() {
        let cases = [
            ("all there", DEPLOYMENTS, json!({"spec": {"replicas": 4}, "status": {"readyReplicas": 3}}), 4, Some(3)),
            ("a zero is left out", DEPLOYMENTS, json!({"spec": {"replicas": 0}, "status": {}}), 0, Some(0)),
            ("absent is one", STATEFUL_SETS, json!({"spec": {}}), 1, Some(0)),
            (
                "silent on ready pods",
                "widgets.example.dev",
                json!({"spec": {"replicas": 4}, "status": {"replicas": 4}}),
                4,
                None,
            ),
            (
                "no pods, none ready",
                "widgets.example.dev",
                json!({"spec": {"replicas": 4}, "status": {"replicas": 0}}),
                4,
                Some(0),
            ),
            ("garbage", "widgets.example.dev", json!({"spec": {"replicas": "many"}, "status": 7}), 1, None),
            ("negative", "widgets.example.dev", json!({"spec": {"replicas": -3}}), 1, None),
        ];
        for (name, resource, data, replicas, ready) in cases {
            let target = target(resource, &object(&data), &Paths::default());
            assert_eq!((target.replicas, target.ready), (replicas, ready), "{name}");
            assert_eq!((&*target.uid, &*target.version), ("u1", "7"), "{name}");
        }
    }

    #[test]
    fn a_kind_with_its_own_path() {
        let paths = Paths::parse(".spec.cluster.size").unwrap();
        let data = json!({"spec": {"cluster": {"size": 9}, "replicas": 1}});
        assert_eq!(target("widgets.example.dev", &object(&data), &paths).replicas, 9);
        for bad in ["", "spec.replicas", ".", ".spec..size", ".spec.items[0]", ".spec.a/b", ".spec.a~1"] {
            assert_eq!(Paths::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_template_alone_changes_its_hash() {
        let hash = |data: &Value| target(DEPLOYMENTS, &object(data), &Paths::default()).template;
        let one = json!({"spec": {"replicas": 4, "template": {"spec": {"containers": [{"image": "a"}]}}}});
        let scaled = json!({"spec": {"replicas": 5, "template": {"spec": {"containers": [{"image": "a"}]}}}});
        let other = json!({"spec": {"replicas": 4, "template": {"spec": {"containers": [{"image": "b"}]}}}});
        assert_eq!(hash(&one), hash(&scaled));
        assert_ne!(hash(&one), hash(&other));
    }
}
