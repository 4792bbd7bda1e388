//! A policy in, core's policy or mistakes out.

use serde_json::{Value, json};

use super::*;

struct Around(Vec<(&'static str, Value)>);

impl Surroundings for Around {
    fn source(&self, name: &str) -> Option<Arc<MetricSource>> {
        let (_, spec) = self.0.iter().find(|(known, _)| *known == name)?;
        let object = json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "MetricSource", "metadata": {"name": name}, "spec": spec});
        Some(Arc::new(serde_json::from_value(object).unwrap()))
    }

    fn resource(&self, api_version: &str, kind: &str) -> Result<Arc<str>, String> {
        match (api_version, kind) {
            ("apps/v1", "Deployment") => Ok("deployments.apps".into()),
            _ => Err(format!("the cluster does not serve {api_version} {kind}")),
        }
    }
}

fn read(spec: Value, around: &Around) -> Result<Policy, Vec<String>> {
    let object = json!({
        "apiVersion": "floorkeeper.dev/v1alpha1", "kind": "ScalingPolicy", "spec": spec,
        "metadata": {"name": "p", "namespace": "events", "creationTimestamp": "2024-03-05T01:36:00Z"},
    });
    let object = serde_json::from_value(object).unwrap();
    policy(&object, around).map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

fn minimal() -> Value {
    json!({"targetRef": {"kind": "Deployment", "name": "api"}, "mode": "Guard", "demand": {"capacity": "120"}})
}

#[test]
fn three_lines_are_enough() {
    let policy = read(minimal(), &Around(Vec::new())).unwrap();
    assert_eq!(policy.target, TargetKey::new("events", "deployments.apps", "api"));
    assert_eq!((policy.min_replicas, policy.max_replicas, policy.errors), (None, None, None));
    assert_eq!((policy.window, policy.half_life, policy.resolution), (WINDOW, HALF_LIFE, INTERVAL));
    assert_eq!(policy.created, Timestamp(1_709_602_560_000));
    assert_eq!(&*policy.source, "default");
    let [signal] = policy.signals.as_slice() else { panic!("{:?}", policy.signals) };
    assert_eq!((signal.capacity, signal.max_age, signal.zero), (Some(120.0), MAX_AGE, ZeroMeans::Evidence));
}

#[test]
fn what_a_policy_leaves_out_its_source_says() {
    let source = json!({
        "prometheus": {"url": "http://a"}, "interval": "30s", "maxAge": "3m",
        "demands": [{
            "name": "edge", "query": "x", "labels": {"namespace": "n", "target": "t"}, "zeroMeans": "Zero", "maxAge": "4m",
            "errors": {"failed": "f", "total": "t", "above": "0.1"},
        }],
    });
    let around = Around(vec![("default", source)]);
    let policy = read(minimal(), &around).unwrap();
    assert_eq!(policy.resolution, Duration::from_secs(30));
    assert_eq!((policy.signals[0].max_age, policy.signals[0].zero), (Duration::from_secs(240), ZeroMeans::Zero));
    assert_eq!(policy.errors, Some(Errors { above: 0.1, min_rate: 1.0 }));

    let mut own = minimal();
    own["demand"]["maxAge"] = json!("1m");
    own["demand"]["zeroMeans"] = json!("Unknown");
    own["distrust"] = json!({"errors": {"above": "0.2", "minRate": "0"}});
    let policy = read(own.clone(), &around).unwrap();
    assert_eq!((policy.signals[0].max_age, policy.signals[0].zero), (Duration::from_secs(60), ZeroMeans::Unknown));
    assert_eq!(policy.errors, Some(Errors { above: 0.2, min_rate: 0.0 }));

    own["distrust"] = json!({"errors": {"above": "1"}});
    assert_eq!(read(own, &around).unwrap().errors, None, "a share never passes 1: the check is off");
}

#[test]
fn every_mistake_is_told_at_once_with_path_and_remedy() {
    let mut spec = minimal();
    spec["targetRef"]["kind"] = json!("CronTab");
    spec["demand"] = json!({"capacity": "12x", "signals": [{"name": "a", "capacity": "0"}, {"name": "a"}]});
    spec["scaleDown"] = json!({"window": "20s"});
    let mistakes = read(spec, &Around(Vec::new())).unwrap_err();
    assert_eq!(
        mistakes,
        [
            "spec.targetRef: the cluster does not serve apps/v1 CronTab",
            "spec.demand.capacity: \"12x\": write a number above 0, such as \"120\"",
            "spec.demand.signals[0].capacity: \"0\": write a number above 0, such as \"120\"",
            "spec.demand.signals[1].name: \"a\" is there twice: give each its own name",
            "spec.scaleDown.window: 20s is shorter than two intervals of the source: write 30s or more",
        ]
    );
}

#[test]
fn a_short_keep_shortens_the_hold() {
    let mut spec = minimal();
    spec["distrust"] = json!({"unusualFall": {"keepFor": "30m"}});
    let fall = read(spec.clone(), &Around(Vec::new())).unwrap().fall;
    assert_eq!((fall.hold_for, fall.keep_for), (Duration::from_secs(1800), Duration::from_secs(1800)));
    spec["distrust"]["unusualFall"] = json!({"holdFor": "12h"});
    let fall = read(spec, &Around(Vec::new())).unwrap().fall;
    assert_eq!((fall.hold_for, fall.keep_for), (Duration::from_secs(12 * 3600), Duration::from_secs(12 * 3600)));
}

#[test]
fn samples_may_not_be_too_old_before_they_come() {
    let mut spec = minimal();
    spec["demand"]["resolution"] = json!("5m");
    spec["scaleDown"] = json!({"window": "30m"});
    let policy = read(spec.clone(), &Around(Vec::new())).unwrap();
    assert_eq!(policy.signals[0].max_age, Duration::from_secs(600), "two resolutions, where nobody says");
    spec["demand"]["maxAge"] = json!("2m");
    let mistakes = read(spec, &Around(Vec::new())).unwrap_err();
    assert_eq!(mistakes, ["spec.demand.maxAge: 2m is shorter than the distance of two samples (5m): write 5m or more"]);
}
