use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::cli::terminal::Terminal;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

const SINCE: &str = "2024-03-05T01:36:00Z";

fn now() -> Timestamp {
    "2024-03-05T03:50:00Z".parse().unwrap()
}

fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": "m", "lastTransitionTime": SINCE})
}

/// Trusted, enforced, and nothing else to tell.
fn calm() -> Vec<Value> {
    vec![
        condition("Ready", "True", "SucceededGetScale"),
        condition("Trusted", "True", "EvidenceComplete"),
        condition("FloorHolding", "False", "ReadyForNewScale"),
        condition("ScalingLimited", "False", "DesiredWithinRange"),
        condition("Enforced", "True", "ByAdmission"),
        condition("Contested", "False", "NoOtherWriter"),
    ]
}

struct Said {
    name: &'static str,
    mode: &'static str,
    trust: &'static str,
    why: &'static str,
    price: i32,
    conditions: Vec<Value>,
}

impl Said {
    fn policy(self) -> ScalingPolicy {
        let Self { name, mode, trust, why, price, conditions } = self;
        let status = json!({
            "why": why, "floor": {"replicas": 10, "reason": "Held", "since": SINCE}, "replicas": {"current": 12, "ready": 11},
            "demand": {"need": 4, "load": "481", "trust": trust}, "price": {"replicas": price}, "zeroIn": "9h",
            "conditions": conditions,
        });
        object(name, mode, &status)
    }
}

fn object(name: &str, mode: &str, status: &Value) -> ScalingPolicy {
    let entry = json!({"manager": "floorkeeper", "operation": "Apply", "subresource": "status", "time": SINCE});
    serde_json::from_value(json!({
        "apiVersion": "floorkeeper.dev/v1alpha1", "kind": "ScalingPolicy",
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": SINCE, "managedFields": [entry]},
        "spec": {"targetRef": {"kind": "Deployment", "name": name}, "mode": mode}, "status": status,
    }))
    .unwrap()
}

/// One of each state, in no order.
fn fleet() -> Vec<ScalingPolicy> {
    let with = |changed: Value| {
        let mut conditions = calm();
        let kind = changed["type"].clone();
        conditions.retain(|condition| condition["type"] != kind);
        conditions.push(changed);
        conditions
    };
    let said = |name, why, price, conditions| Said { name, mode: "Guard", trust: "Trusted", why, price, conditions };
    vec![
        said("calm", "LiveDemand", 0, calm()).policy(),
        Said { mode: "Observe", ..said("observed", "Held", 0, calm()) }.policy(),
        said("by-watch", "RecentPeak", 1, with(condition("Enforced", "Unknown", "ByWatch"))).policy(),
        said("contested", "LiveDemand", 0, with(condition("Contested", "True", "OtherWriter"))).policy(),
        said("cheap", "UnusualFall", 2, with(condition("FloorHolding", "True", "UnusualFall"))).policy(),
        said("dear", "UnusualFall", 9, with(condition("FloorHolding", "True", "UnusualFall"))).policy(),
        Said {
            trust: "Doubtful",
            ..said("events-api", "ErrorsHigh", 6, with(condition("Trusted", "False", "ErrorsHigh")))
        }
        .policy(),
        Said {
            trust: "Blind",
            ..said("blind", "SourceUnreachable", 6, with(condition("Trusted", "False", "FailedGetMetrics")))
        }
        .policy(),
        object("unseen", "Guard", &Value::Null),
        said("broken", "Held", 0, with(condition("Ready", "False", "ScalerNotFound"))).policy(),
        said("limited", "LiveDemand", 0, with(condition("ScalingLimited", "True", "TooManyReplicas"))).policy(),
    ]
}

fn page<'a>(heart: &'a Heart, ranked: &'a [rank::Ranked<'a>], size: Option<(usize, usize)>) -> Page<'a> {
    let terminal = Terminal { size, colours: false };
    Page { heart, ranked, namespace: Some("shop"), wide: false, now: now(), terminal, program: "floorkeeper" }
}

fn alive() -> Heart {
    Heart::Beats { by: "fk-1".to_owned(), renewed: Time("2024-03-05T03:49:58Z".parse().unwrap()) }
}

#[test]
fn one_screen_worst_first() {
    let policies = fleet();
    let ranked = ranked(&policies);
    let expected = "\
floorkeeper is alive (fk-1 renewed its lease 2s ago); 11 policies: 1 Limited, 1 Broken, 1 Unseen, 1 Blind, 1 Doubtful, \
2 Holding, 1 Contested, 1 Unenforced, 1 Observing, 1 Fine; price 24 replicas

NAME        STATE       READY  FLOOR  NEED  PRICE  WHY                SINCE
limited     Limited     11/12     10     4      0  TooManyReplicas    2h14m
broken      Broken      11/12     10     4      0  ScalerNotFound     2h14m
unseen      Unseen      -          -     -      -  -                  2h14m
blind       Blind       11/12     10     4      6  FailedGetMetrics   2h14m
events-api  Doubtful    11/12     10     4      6  ErrorsHigh         2h14m
dear        Holding     11/12     10     4      9  UnusualFall        2h14m
cheap       Holding     11/12     10     4      2  UnusualFall        2h14m
contested   Contested   11/12     10     4      0  LiveDemand         2h14m
by-watch    Unenforced  11/12     10     4      1  RecentPeak         2h14m
observed    Observing   11/12     10     4      0  Held               2h14m
calm        Fine        11/12     10     4      0  LiveDemand         2h14m
why: floorkeeper explain limited -n shop
";
    let heart = alive();
    let text = page(&heart, &ranked, None).text();
    assert_eq!(text.replace(' ', ""), expected.replace(' ', ""), "{text}");
    assert_eq!(text.lines().nth(3), Some("limited     Limited     11/12     10     4      0  TooManyReplicas   2h14m"));
}

#[test]
fn what_is_well_gives_way_on_a_small_screen() {
    let policies = fleet();
    let ranked = ranked(&policies);
    let heart = alive();
    let text = page(&heart, &ranked, Some((80, 14))).text();
    assert!(text.contains("contested") && !text.contains("calm "), "{text}");
    assert!(text.contains("… and 3 more, none of them worse"), "{text}");
    assert!(text.lines().filter(|line| !line.contains("policies:")).all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn a_dead_floorkeeper_comes_first() {
    let policies = fleet();
    let ranked = ranked(&policies);
    let heart = Heart::Pods { ready: 0, of: 1 };
    let text = page(&heart, &ranked, None).text();
    assert!(text.starts_with("floorkeeper is DEAD: none of the 1 pods"), "{text}");
    assert!(text.contains("Nobody raises a floor"), "{text}");
}

#[test]
fn nothing_at_all() {
    let heart = alive();
    let text = page(&heart, &[], None).text();
    assert!(
        text.ends_with("no ScalingPolicies in namespace shop; `floorkeeper status -A` looks everywhere\n"),
        "{text}"
    );
}

#[test]
fn json_has_all_of_it() {
    let policies = fleet();
    let ranked = ranked(&policies);
    let heart = alive();
    let json = page(&heart, &ranked, None).json();
    assert_eq!(json["floorkeeper"]["alive"], true);
    let worst = &json["policies"][0];
    assert_eq!(
        (&worst["state"], &worst["name"], &worst["since"]),
        (&json!("Limited"), &json!("limited"), &json!(SINCE))
    );
    assert_eq!(worst["statusWritten"], SINCE);
    assert_eq!(worst["status"]["floor"]["replicas"], 10);
}
