use floorkeeper_core::{Action, Mode};
use kube::core::ApiResource;
use serde_json::{Value, json};

use super::*;
use crate::api::OverrideState;
use crate::observe::Paths;

const NOW: Timestamp = Timestamp(1_709_600_460_000);

fn id(name: &str) -> Id {
    Id { namespace: "shop".into(), name: name.into() }
}

fn key(name: &str) -> PolicyKey {
    PolicyKey::new("shop", name)
}

fn object<K: serde::de::DeserializeOwned>(kind: &str, name: &str, generation: i64, spec: &Value) -> Box<K> {
    let metadata = json!({"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "generation": generation,
        "creationTimestamp": "2024-03-05T01:00:00Z", "labels": {"tier": "edge"}});
    let object = json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec});
    Box::new(serde_json::from_value(object).unwrap())
}

fn policy(name: &str, generation: i64, spec: &Value) -> Change {
    Change::Policy(id(name), Some(object("ScalingPolicy", name, generation, spec)))
}

fn guard() -> Value {
    json!({"targetRef": {"kind": "Deployment", "name": "web"}, "mode": "Guard", "demand": {"capacity": "120"}})
}

/// A registry whose lists are complete and empty.
fn listed() -> Registry {
    let mut registry = Registry::default();
    for list in [List::Policies, List::Sources, List::Overrides, List::Tables] {
        registry.take(Change::Listed(list));
    }
    let effects = registry.settle(NOW);
    assert!(matches!(effects.inputs[..], [Input::Filled(Store::Tables), Input::Filled(Store::Policies)]));
    registry
}

#[test]
fn nothing_is_told_before_policies_sources_and_overrides_are_listed() {
    let mut registry = Registry::default();
    registry.take(policy("web", 1, &guard()));
    registry.take(Change::Listed(List::Policies));
    assert!(registry.settle(NOW).inputs.is_empty());
    registry.take(Change::Listed(List::Sources));
    registry.take(Change::Listed(List::Overrides));
    let inputs = registry.settle(NOW).inputs;
    assert!(
        matches!(
            inputs[..],
            [Input::Kind(..), Input::Awaited(Store::Targets(_)), Input::Policy(..), Input::Filled(Store::Policies)]
        ),
        "{inputs:?}"
    );
}

#[test]
fn a_policy_is_told_watched_and_asked_for() {
    let mut registry = listed();
    registry.take(policy("web", 1, &guard()));
    let effects = registry.settle(NOW);
    let Some(Input::Policy(told, parsed)) = effects.inputs.last() else { panic!("{:?}", effects.inputs) };
    assert_eq!((told, parsed.mode), (&key("web"), Mode::Guard));
    assert_eq!(effects.starts.iter().map(|kind| &*kind.resource).collect::<Vec<_>>(), ["deployments.apps"]);
    let asked = effects.subscriptions.unwrap();
    assert_eq!((asked.len(), &asked[0].policy), (1, &key("web")));
    assert_eq!(registry.readers().get("default"), Some(&1));
    // Seen again, unchanged but for a status: nothing follows.
    registry.take(policy("web", 1, &guard()));
    let effects = registry.settle(NOW);
    assert!(effects.inputs.is_empty() && effects.subscriptions.is_none() && effects.starts.is_empty());
    registry.take(Change::Policy(id("web"), None));
    let effects = registry.settle(NOW);
    assert!(matches!(&effects.inputs[..], [Input::PolicyGone(gone), Input::Dropped(_)] if *gone == key("web")));
    assert_eq!(effects.stops, BTreeSet::from(["deployments.apps".into()]));
    assert_eq!(effects.subscriptions.unwrap().len(), 0);
}

#[test]
fn a_bad_edit_leaves_what_was_understood_and_says_what_to_write() {
    let mut registry = listed();
    registry.take(policy("web", 1, &guard()));
    registry.settle(NOW);
    let mut bad = guard();
    bad["scaleDown"] = json!({"window": "soon"});
    registry.take(policy("web", 2, &bad));
    let effects = registry.settle(NOW);
    assert!(effects.inputs.is_empty() && effects.subscriptions.is_none(), "{:?}", effects.inputs);
    let [(told, Some(problem))] = &effects.problems[..] else { panic!("{:?}", effects.problems) };
    assert_eq!(*told, key("web"));
    assert!(problem.contains("spec.scaleDown.window"), "{problem}");
    // Mended, and the same as before the bad edit: the engine has nothing new to hear.
    registry.take(policy("web", 3, &guard()));
    let effects = registry.settle(NOW);
    assert_eq!(effects.problems, [(key("web"), None)]);
    assert!(effects.inputs.is_empty());
}

#[test]
fn a_source_s_defaults_reach_its_policies() {
    let mut registry = listed();
    registry.take(policy("web", 1, &guard()));
    registry.settle(NOW);
    let spec = json!({"prometheus": {"url": "http://prometheus:9090"}, "interval": "5s", "demands": [
        {"name": "edge", "query": "sum by (namespace, deployment) (rate(edge[1m]))",
         "labels": {"namespace": "namespace", "target": "deployment"},
         "errors": {"failed": "sum by (namespace, deployment) (rate(bad[1m]))", "total": "sum by (namespace, deployment) (rate(all[1m]))"}}]});
    registry.take(Change::Source("default".into(), Some(object("MetricSource", "default", 1, &spec))));
    let effects = registry.settle(NOW);
    let [Input::Policy(_, parsed)] = &effects.inputs[..] else { panic!("{:?}", effects.inputs) };
    assert_eq!(parsed.resolution.as_secs(), 5);
    assert!(parsed.errors.is_some());
    let sources = effects.sources.unwrap();
    assert_eq!((sources.len(), sources[0].default_demand.as_deref()), (1, Some("edge")));
    assert!(effects.subscriptions.unwrap()[0].errors.is_some());
    // A source that can't be understood: its last good form stays.
    let bad = json!({"prometheus": {"url": "prometheus"}});
    registry.take(Change::Source("default".into(), Some(object("MetricSource", "default", 2, &bad))));
    let effects = registry.settle(NOW);
    assert_eq!(effects.sources.unwrap()[0].interval.as_secs(), 5);
    let problem = registry.sources().next().and_then(|(_, _, problem)| problem.cloned()).unwrap();
    assert!(problem.contains("spec.prometheus.url"), "{problem}");
}

#[test]
fn a_source_that_measures_pods_needs_their_selector() {
    let mut registry = listed();
    let spec = json!({"metricsApi": "Resource", "demands": [{"name": "cpu", "metric": {"name": "cpu"}}]});
    registry.take(Change::Source("default".into(), Some(object("MetricSource", "default", 1, &spec))));
    registry.take(policy("web", 1, &guard()));
    let effects = registry.settle(NOW);
    let web = TargetKey::new("shop", "deployments.apps", "web");
    assert_eq!(effects.pods, std::slice::from_ref(&web));
    assert_eq!(effects.subscriptions.unwrap()[0].pods, None);
    registry.take(Change::Pods(web.clone(), None));
    assert!(registry.settle(NOW).subscriptions.is_none());
    assert_eq!(registry.podless(), std::slice::from_ref(&web));
    registry.take(Change::Pods(web, Some("app=web".into())));
    let effects = registry.settle(NOW);
    assert_eq!(effects.subscriptions.unwrap()[0].pods.as_deref(), Some("app=web"));
    assert!(registry.podless().is_empty());
}

#[test]
fn a_kind_is_looked_up_and_its_policy_waits() {
    let mut registry = listed();
    let rollout = KindRef::new("argoproj.io/v1alpha1", "Rollout");
    let mut spec = guard();
    spec["targetRef"] = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web"});
    registry.take(policy("web", 1, &spec));
    let effects = registry.settle(NOW);
    assert_eq!(effects.lookups, std::slice::from_ref(&rollout));
    assert!(effects.inputs.is_empty() && effects.problems.is_empty());

    registry.take(Change::Resolved(rollout.clone(), Err(Unresolved::NotServed(rollout.clone()))));
    let effects = registry.settle(NOW);
    assert!(effects.problems[0].1.as_ref().unwrap().contains("install its CustomResourceDefinition"));
    assert_eq!(registry.unresolved(), std::slice::from_ref(&rollout));

    let api = ApiResource {
        group: "argoproj.io".into(),
        version: "v1alpha1".into(),
        api_version: "argoproj.io/v1alpha1".into(),
        kind: "Rollout".into(),
        plural: "rollouts".into(),
    };
    let resolved = Resolved { resource: "rollouts.argoproj.io".into(), api, paths: Paths::default(), scalable: true };
    registry.take(Change::Resolved(rollout.clone(), Ok(Resolved { scalable: false, ..resolved.clone() })));
    assert!(registry.settle(NOW).problems[0].1.as_ref().unwrap().contains("no scale subresource"));
    registry.take(Change::Resolved(rollout, Ok(resolved)));
    let effects = registry.settle(NOW);
    assert_eq!(effects.problems, [(key("web"), None)]);
    assert!(matches!(effects.inputs.last(), Some(Input::Policy(..))));
}

#[test]
fn an_override_reaches_the_policies_it_selects_and_tells_its_end() {
    let mut registry = listed();
    registry.take(policy("web", 1, &guard()));
    registry.settle(NOW);
    let spec = json!({"selector": {"matchLabels": {"tier": "edge"}}, "action": "Freeze", "for": "30m", "reason": "r"});
    registry.take(Change::Override(id("night"), Some(object("FloorOverride", "night", 1, &spec))));
    let effects = registry.settle(NOW);
    let [Input::Overrides(to, orders)] = &effects.inputs[..] else { panic!("{:?}", effects.inputs) };
    assert_eq!((to, orders[0].action), (&key("web"), Action::Freeze));
    let [(order, status)] = &effects.orders[..] else { panic!("{:?}", effects.orders) };
    assert_eq!((order, status.state), (&id("night"), Some(OverrideState::InForce)));
    assert_eq!(status.applied_to, ["web"]);
    // Nothing new: nothing is written, until its end.
    assert!(registry.settle(NOW).orders.is_empty());
    let over = orders[0].until;
    let effects = registry.settle(over);
    assert_eq!(effects.orders[0].1.state, Some(OverrideState::Expired));
    assert!(matches!(&effects.inputs[..], [Input::Overrides(_, none)] if none.is_empty()));
    assert!(registry.settle(over).orders.is_empty());
}

#[test]
fn a_row_keeps_its_kind_watched_after_its_policy() {
    let mut registry = listed();
    let row = TargetKey::new("shop", "statefulsets.apps", "db");
    let standing = crate::apply::standings(&object(
        "FloorTable",
        "floors",
        1,
        &json!({"floors": {row.row(): {
        "replicas": 3, "policy": "db", "uid": "u", "reason": "Held", "epoch": 1, "seq": 1,
        "observedAt": "2024-03-05T01:00:00Z"}}}),
    ));
    registry.take(Change::Table("shop".into(), standing));
    let effects = registry.settle(NOW);
    assert_eq!(effects.starts[0].resource, row.resource);
    registry.take(Change::Table("shop".into(), Vec::new()));
    assert_eq!(registry.settle(NOW).stops, BTreeSet::from([row.resource]));
}
