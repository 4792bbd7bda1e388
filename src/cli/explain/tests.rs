use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::*;

const SINCE: &str = "2024-03-05T01:36:00Z";

fn policy(status: &Value) -> ScalingPolicy {
    let entry = json!({"manager": "floorkeeper", "operation": "Apply", "subresource": "status", "time": "2024-03-05T03:30:00Z"});
    serde_json::from_value(json!({
        "apiVersion": "floorkeeper.dev/v1alpha1", "kind": "ScalingPolicy",
        "metadata": {"name": "events-api", "namespace": "events", "managedFields": [entry]},
        "spec": {"targetRef": {"kind": "Deployment", "name": "events-api"}, "mode": "Guard", "demand": {"capacity": "120"}},
        "status": status,
    }))
    .unwrap()
}

fn night() -> Value {
    let condition = |kind: &str, status: &str, reason: &str, message: &str| json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": SINCE});
    json!({
        "why": "ErrorsHigh", "floor": {"replicas": 40, "reason": "Held", "since": SINCE},
        "replicas": {"current": 42, "ready": 41},
        "demand": {"need": 4, "load": "380", "trust": "Doubtful",
            "signals": [{"name": "edge", "reading": "Present", "load": "380", "need": 4, "observedAt": "2024-03-05T03:49:50Z"}]},
        "bids": [{"guard": "Held", "replicas": 40}, {"guard": "LiveDemand", "replicas": 4}, {"guard": "StaticMinimum", "replicas": 2}],
        "doubts": [{"reason": "ErrorsHigh", "says": "31.4 % of the work fails, more than 5.00 %; lowered again once it has been less for 10m"}],
        "price": {"replicas": 36, "since": SINCE}, "zeroIn": "9h30m",
        "lastActions": [{"at": SINCE, "action": "Raised", "from": 38, "to": 40, "reason": "LiveDemand"},
            {"at": "2024-03-05T01:30:00Z", "action": "Undone", "from": 2, "to": 38, "reason": "FloorOverwritten"}],
        "conditions": [
            condition("Ready", "True", "SucceededGetScale", "m"),
            condition("Trusted", "False", "ErrorsHigh", "m"),
            condition("FloorHolding", "True", "ErrorsHigh", "held at 40"),
            condition("ScalingLimited", "False", "DesiredWithinRange", "m"),
            condition("Enforced", "True", "ByAdmission", "m"),
            condition("Contested", "True", "OtherWriter", "3 writes below the floor were put back within ten minutes"),
        ],
    })
}

fn told(policy: &ScalingPolicy, heart: &Heart) -> String {
    let hpa = json!({"metadata": {"name": "events-api", "namespace": "events", "annotations": {
        "floorkeeper.dev/kept": r#"{"original":{"min":2,"max":60},"applied":{"min":40,"max":60}}"#}},
        "spec": {"minReplicas": 40, "maxReplicas": 60, "scaleTargetRef": {"kind": "Deployment", "name": "events-api"}}});
    let row = json!({"replicas": 40, "policy": "events-api", "uid": "u", "reason": "Held", "epoch": 1, "seq": 9,
        "observedAt": SINCE, "doubt": {"since": SINCE, "replicas": 40}});
    let (hpa, row) = (serde_json::from_value(hpa).unwrap(), serde_json::from_value(row).unwrap());
    let scaler = Found::hpa(&hpa);
    let now: Timestamp = "2024-03-05T03:50:00Z".parse().unwrap();
    let terminal = Terminal { size: Some((100, 24)), colours: false };
    Story { policy, row: Some(&row), scaler: scaler.as_ref(), heart, now, terminal, program: "floorkeeper" }.text()
}

fn alive() -> Heart {
    Heart::Pods { ready: 1, of: 1 }
}

#[test]
fn the_whole_story() {
    let expected = "\
events/events-api  Deployment events-api, mode Guard
floor 40 for 2h14m, the load needs 4, 42 replicas, 41 ready; HPA events-api: 40 to 60 (its owner's
minimum: 2)
Doubtful for 2h14m; why: ErrorsHigh; the API server keeps the floor too (ByAdmission)

WHAT IS OUT OF THE ORDINARY
  OtherWriter for 2h14m: 3 writes below the floor were put back within ten minutes

WHY THIS FLOOR: the largest bid counts
 >  40  Held           held from the moment that doubt began
     4  LiveDemand     what the present load needs
     2  StaticMinimum  the minimum that the policy or the scaler sets

LOAD
  edge: 380 a second, needs 4 (one replica carries 120), sampled at 03:49:50Z

WHAT WOULD LET IT FALL
  ErrorsHigh: 31.4 % of the work fails, more than 5.00 %; lowered again once it has been less for
  10m
  in doubt for 2h14m, since 01:36:00Z; 40 replicas held from then on
  if the load is truly zero from now on, it is at its minimum within 9h30m

PRICE
  36 replicas above what the load alone would ask for, for 2h14m

WHAT FLOORKEEPER DID LAST
  2h14m ago  raised    38 to 40  LiveDemand
  2h20m ago  put back  2 to 38   FloorOverwritten

IF YOU KNOW BETTER: an order for 30 minutes, or --for
  floorkeeper override events-api -n events --reason WHY --release   down to the minimum
  floorkeeper override events-api -n events --reason WHY --freeze    nothing is lowered
  floorkeeper override events-api -n events --reason WHY --pin N     exactly N
";
    let text = told(&policy(&night()), &alive());
    assert_eq!(text, expected, "{text}");
}

#[test]
fn a_floor_that_nothing_holds_says_what_moves_it() {
    let mut status = night();
    status["doubts"] = json!([]);
    status["floor"]["reason"] = json!("RecentPeak");
    status["conditions"][2]["status"] = json!("False");
    let text = told(&policy(&status), &alive());
    assert!(text.contains("nothing holds it; RecentPeak falls when the highest load of the window is over"), "{text}");
    assert!(text.contains(" >  40  RecentPeak"), "what stands comes first, whoever asks now: {text}");
}

#[test]
fn a_dead_floorkeeper_is_told_with_the_age_of_the_news() {
    let renewed = Some(Time("2024-03-05T03:30:00Z".parse().unwrap()));
    let text = told(&policy(&night()), &Heart::Still { by: "fk-1".to_owned(), renewed });
    assert!(
        text.contains("floorkeeper is DEAD: its lease was not renewed for 20m (the last to hold it: fk-1)"),
        "{text}"
    );
    assert!(text.contains("written 20m ago"), "{text}");
    assert!(text.contains("nobody obeys these until floorkeeper is back"), "{text}");
}

#[test]
fn what_is_blind_or_undecided_says_so() {
    let mut status = night();
    status["demand"] = json!({"trust": "Blind", "signals": [
        {"name": "edge", "reading": "Unknown", "why": "SignalEmpty: it came back with no series (which is not zero)"}]});
    let text = told(&policy(&status), &alive());
    assert!(text.contains("the need is not known") && text.contains("Blind for 2h14m"), "{text}");
    assert!(text.contains("edge: unknown: SignalEmpty: it came back with no series"), "{text}");
    let message = "nothing scales deployments.apps web: create a HorizontalPodAutoscaler for it";
    let condition = json!({"type": "Ready", "status": "False", "reason": "ScalerNotFound", "message": message, "lastTransitionTime": SINCE});
    let text = told(&policy(&json!({"conditions": [condition]})), &alive());
    assert!(text.contains("has not decided anything") && text.contains(message), "{text}");
}

#[test]
fn the_row_is_that_of_the_target() {
    let row = |released: bool| json!({"replicas": 4, "policy": "p", "uid": "u", "reason": "Held", "epoch": 1, "seq": 1, "observedAt": SINCE, "released": released});
    let table = |key: &str, released| -> FloorTable {
        serde_json::from_value(json!({"metadata": {"name": "floors"}, "spec": {"floors": {key: row(released)}}}))
            .unwrap()
    };
    let policy = policy(&night());
    assert!(super::row(table("deployments.apps/events-api", false), &policy).is_some());
    for (key, released) in [
        ("deployments.apps/events-api", true),
        ("deployments.apps/web", false),
        ("statefulsets.apps/events-api", false),
    ] {
        assert_eq!(super::row(table(key, released), &policy), None, "{key}");
    }
}
