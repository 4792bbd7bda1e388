//! How simulated nodes and pods behave: kwok Stage documents, and the label and annotations by which a pod chooses.
//!
//! | label [`BEHAVIOUR`] | the pod |
//! |---|---|
//! | none | is Running and Ready at once |
//! | [`SLOW_START`] | is Running at once, Ready after [`START_DELAY`] (default 10 s) |
//! | [`FAILING_START`] | never gets Ready: its containers are in `CrashLoopBackOff` |
//! | [`FLAPPING`] | is Ready for [`READY_FOR`], then unready for [`UNREADY_FOR`] (default 3 s each), and so on |
//! | [`BROKEN`] | put on a live pod: unready at once; Ready again when the label goes |
//!
//! The label may change on a live pod. Durations are annotations in Go's notation (`1500ms`, `20s`).

use serde_json::{Value, json};

/// The label of a pod that says how it behaves.
pub const BEHAVIOUR: &str = "rig.floorkeeper.dev/behaviour";
pub const SLOW_START: &str = "slow-start";
pub const FAILING_START: &str = "failing-start";
pub const FLAPPING: &str = "flapping";
pub const BROKEN: &str = "broken";

/// Annotation: how long a [`SLOW_START`] pod takes from Running to Ready.
pub const START_DELAY: &str = "rig.floorkeeper.dev/start-delay";
/// Annotation: how long a [`FLAPPING`] pod is Ready at a time.
pub const READY_FOR: &str = "rig.floorkeeper.dev/ready-for";
/// Annotation: how long a [`FLAPPING`] pod is unready at a time.
pub const UNREADY_FOR: &str = "rig.floorkeeper.dev/unready-for";

/// All stages as one file of YAML documents (each of them JSON, which YAML contains).
pub(crate) fn documents() -> String {
    let behaves = |values: &[&str]| json!({"key": label(), "operator": "In", "values": values});
    let behaves_not = |values: &[&str]| json!({"key": label(), "operator": "NotIn", "values": values});
    let pending = json!({"key": ".status.phase", "operator": "In", "values": ["Pending"]});
    let running = json!({"key": ".status.phase", "operator": "In", "values": ["Running"]});
    let ready = |values: &[&str]| json!({"key": READY, "operator": "In", "values": values});
    let alive = json!({"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"});
    let deleted = json!({"key": ".metadata.deletionTimestamp", "operator": "Exists"});
    let unready_kinds = [SLOW_START, FAILING_START, FLAPPING, BROKEN];

    let stages = [
        pod("pod-start", &[&alive, &pending, &behaves_not(&[SLOW_START, FAILING_START, BROKEN])], None, Pod::Ready),
        pod("pod-start-unready", &[&alive, &pending, &behaves(&[SLOW_START, BROKEN])], None, Pod::Unready),
        pod("pod-start-failing", &[&alive, &pending, &behaves(&[FAILING_START])], None, Pod::Crashing),
        pod(
            "pod-warm",
            &[&alive, &running, &ready(&["False"]), &behaves(&[SLOW_START])],
            Some((START_DELAY, 10_000)),
            Pod::Ready,
        ),
        pod(
            "pod-flap-down",
            &[&alive, &running, &ready(&["True"]), &behaves(&[FLAPPING])],
            Some((READY_FOR, 3_000)),
            Pod::Unready,
        ),
        pod(
            "pod-flap-up",
            &[&alive, &running, &ready(&["False"]), &behaves(&[FLAPPING])],
            Some((UNREADY_FOR, 3_000)),
            Pod::Ready,
        ),
        pod("pod-break", &[&alive, &running, &ready(&["True"]), &behaves(&[BROKEN])], None, Pod::Unready),
        pod("pod-crash", &[&alive, &running, &ready(&["True"]), &behaves(&[FAILING_START])], None, Pod::Crashing),
        pod("pod-recover", &[&alive, &running, &ready(&["False"]), &behaves_not(&unready_kinds)], None, Pod::Ready),
        stage("pod-delete", "Pod", &[&deleted], None, json!({"delete": true})),
        stage("node-heartbeat", "Node", &[&ready(&["True"])], Some(("", 20_000)), json!({"statusTemplate": NODE})),
        stage(
            "node-ready",
            "Node",
            &[&json!({"key": READY, "operator": "NotIn", "values": ["True"]})],
            None,
            json!({"statusTemplate": NODE}),
        ),
    ];
    stages.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")
}

/// What a stage makes of a pod.
#[derive(Clone, Copy)]
enum Pod {
    Ready,
    Unready,
    Crashing,
}

fn pod(name: &str, when: &[&Value], delay: Option<(&str, u32)>, becomes: Pod) -> Value {
    let (ready, state) = match becomes {
        Pod::Ready => ("true", r#"running: {startedAt: {{ $now | Quote }}}"#),
        Pod::Unready => ("false", r#"running: {startedAt: {{ $now | Quote }}}"#),
        Pod::Crashing => {
            ("false", r#"waiting: {reason: CrashLoopBackOff, message: "back-off restarting failed container"}"#)
        }
    };
    let restarts = if matches!(becomes, Pod::Crashing) { "1" } else { "0" };
    let condition = if ready == "true" { "\"True\"" } else { "\"False\"" };
    let template = POD
        .replace("@READY", ready)
        .replace("@STATE", state)
        .replace("@RESTARTS", restarts)
        .replace("@CONDITION", condition);
    stage(name, "Pod", when, delay, json!({"statusTemplate": template}))
}

/// `delay` is the annotation that says how long (none if empty) and the milliseconds without it.
fn stage(name: &str, kind: &str, when: &[&Value], delay: Option<(&str, u32)>, next: Value) -> Value {
    let mut spec = json!({
        "resourceRef": {"apiGroup": "v1", "kind": kind},
        "selector": {"matchExpressions": when},
        "next": next,
    });
    if let Some((annotation, milliseconds)) = delay {
        spec["delay"] = json!({"durationMilliseconds": milliseconds});
        if !annotation.is_empty() {
            spec["delay"]["durationFrom"] =
                json!({"expressionFrom": format!(".metadata.annotations[\"{annotation}\"]")});
        }
    }
    json!({"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name}, "spec": spec})
}

fn label() -> String {
    format!(".metadata.labels[\"{BEHAVIOUR}\"]")
}

const READY: &str = r#".status.conditions.[] | select( .type == "Ready" ) | .status"#;

/// The status of a pod. Its address and start time stay what they were: the HPA's start-up rules read the latter.
const POD: &str = r#"
{{ $now := Now }}
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ or .status.startTime $now | Quote }}}
- {type: Ready, status: @CONDITION, lastTransitionTime: {{ $now | Quote }}}
- {type: ContainersReady, status: @CONDITION, lastTransitionTime: {{ $now | Quote }}}
{{ range .spec.readinessGates }}
- {type: {{ .conditionType | Quote }}, status: @CONDITION, lastTransitionTime: {{ $now | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- image: {{ .image | Quote }}
  name: {{ .name | Quote }}
  ready: @READY
  started: @READY
  restartCount: @RESTARTS
  state:
    @STATE
{{ end }}
{{ with NodeIPsWith .spec.nodeName }}
hostIP: {{ index . 0 | Quote }}
hostIPs:
{{ range . }}
- ip: {{ . | Quote }}
{{ end }}
{{ end }}
{{ if not .status.podIP }}
{{ with PodIPsWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) }}
podIP: {{ index . 0 | Quote }}
podIPs:
{{ range . }}
- ip: {{ . | Quote }}
{{ end }}
{{ end }}
{{ end }}
phase: Running
startTime: {{ or .status.startTime $now | Quote }}
"#;

const NODE: &str = r#"
{{ $now := Now }}
{{ $since := or .metadata.creationTimestamp $now }}
conditions:
{{ range NodeConditions }}
- type: {{ .type | Quote }}
  status: {{ .status | Quote }}
  reason: {{ .reason | Quote }}
  message: {{ .message | Quote }}
  lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $since | Quote }}
{{ end }}
addresses:
- {type: InternalIP, address: {{ NodeIP | Quote }}}
- {type: Hostname, address: {{ NodeName | Quote }}}
phase: Running
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_is_a_stage() {
        let text = documents();
        let stages: Vec<Value> =
            text.split("\n---\n").map(|document| serde_json::from_str(document).unwrap()).collect();
        assert_eq!(stages.len(), 12);
        for stage in &stages {
            assert_eq!(stage["kind"], "Stage");
            assert!(!stage["spec"]["next"].to_string().contains('@'), "a placeholder is left in {stage}");
        }
    }
}
