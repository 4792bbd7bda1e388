use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::*;
use crate::cli::check;

fn hpa(name: &str, metrics: &Value) -> HorizontalPodAutoscaler {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"minReplicas": 2, "maxReplicas": 60, "metrics": metrics,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}},
        "status": {"currentReplicas": 12, "desiredReplicas": 12},
    }))
    .unwrap()
}

fn cpu() -> Value {
    json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}])
}

fn source(name: &str, spec: &Value) -> MetricSource {
    serde_json::from_value(json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "MetricSource", "metadata": {"name": name}, "spec": spec}))
        .unwrap()
}

fn printed(
    hpas: &[HorizontalPodAutoscaler],
    objects: &[Value],
    policies: &[Value],
    sources: &[MetricSource],
) -> String {
    let policies: Vec<ScalingPolicy> = policies.iter().map(|it| serde_json::from_value(it.clone()).unwrap()).collect();
    let objects = objects.iter().map(|object| serde_json::from_value(object.clone()).unwrap());
    let mut scaled: Vec<Scaled> = objects.filter_map(|object: DynamicObject| keda::scaled(&object, sources)).collect();
    scaled.extend(hpas.iter().filter_map(|hpa| draft::scaled(hpa, sources)));
    let text = text(&drafts("shop", &scaled, &policies).unwrap(), "shop", "floorkeeper");
    assert!(check::is_sound(&text), "{text}");
    text
}

#[test]
fn an_hpa_on_cpu_is_observed() {
    let expected = "\
# ScalingPolicies for what scales in namespace shop. Mode Observe decides and reports, and writes nothing.
#   apply:  floorkeeper adopt -n shop | kubectl apply -f -
#   look:   floorkeeper status -n shop
#   guard:  once you would want its floors, set mode: Guard (it needs a capacity)
---
# HPA web scales Deployment web from 2 to 60; it has 12 now.
# It scales on cpu at 70 %, which tells no capacity.
# No capacity yet: some minutes after this is applied, status.demand.signals of ScalingPolicy web has what one replica carries, and adopt prints it.
apiVersion: floorkeeper.dev/v1alpha1
kind: ScalingPolicy
metadata:
  name: web
  namespace: shop
spec:
  mode: Observe
  targetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: web
";
    assert_eq!(printed(&[hpa("web", &cpu())], &[], &[], &[]), expected);
}

#[test]
fn names_that_look_like_numbers_stay_names() {
    let text = printed(&[hpa("007", &cpu()), hpa("true", &cpu()), hpa("1e3", &cpu())], &[], &[], &[]);
    for name in ["007", "true", "1e3"] {
        assert!(text.contains(&format!("name: \"{name}\"")) || text.contains(&format!("name: '{name}'")), "{text}");
    }
}

#[test]
fn an_external_metric_is_a_signal_where_a_source_reads_it() {
    let metrics = json!([{"type": "External", "external": {"metric": {"name": "edge_rps", "selector": {"matchLabels": {"app": "web"}}},
        "target": {"type": "AverageValue", "averageValue": "120"}}}]);
    let text = printed(&[hpa("web", &metrics)], &[], &[], &[]);
    assert!(text.contains("# It counts on 120 of edge_rps for each replica: a good capacity"), "{text}");
    assert!(!text.contains("  demand:"), "{text}");
    let adapter = source("adapter", &json!({"metricsApi": "External", "inlineQueries": true}));
    let text = printed(&[hpa("web", &metrics)], &[], &[], &[adapter]);
    assert!(
        text.contains("  demand:") && text.contains("source: adapter") && text.contains("name: edge_rps"),
        "{text}"
    );
    assert!(text.contains("capacity: \"120\"") || text.contains("capacity: '120'"), "{text}");
}

#[test]
fn a_scaled_object_brings_its_query_unless_it_lies() {
    let object = |query: &str| {
        json!({"metadata": {"name": "orders", "namespace": "shop"}, "spec": {"scaleTargetRef": {"name": "orders"}, "maxReplicaCount": 30,
            "triggers": [{"type": "prometheus", "metadata": {"query": query, "threshold": "40", "serverAddress": "http://p"}}]}})
    };
    let prometheus = [source("default", &json!({"prometheus": {"url": "http://p:9090"}, "inlineQueries": true}))];
    let honest = r#"sum(rate(queue_published_total{queue="orders"}[2m]))"#;
    let text = printed(&[], &[object(honest)], &[], &prometheus);
    assert!(text.contains("# ScaledObject orders of KEDA scales Deployment orders from 0 to 30."), "{text}");
    assert!(text.contains("  demand:") && text.contains("queue_published_total"), "{text}");
    let text = printed(&[], &[object("sum(rate(")], &[], &prometheus);
    assert!(text.contains("no safe signal") && !text.contains("  demand:"), "{text}");
    // Guarded, its owner's bounds are told; and that it idles.
    let mut guarded = object(honest);
    guarded["metadata"]["annotations"] =
        json!({"floorkeeper.dev/kept": r#"{"original":{"min":1,"max":30},"applied":{"min":9,"max":30}}"#});
    guarded["spec"]["minReplicaCount"] = json!(9);
    guarded["spec"]["idleReplicaCount"] = json!(0);
    let text = printed(&[], &[guarded], &[], &prometheus);
    assert!(
        text.contains("scales Deployment orders from 1 to 30.\n# While its triggers are quiet it idles at 0"),
        "{text}"
    );
    // KEDA's own HPA of it is not told twice.
    let mut own = hpa("orders", &cpu());
    own.metadata.owner_references = Some(vec![
        serde_json::from_value(
            json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "orders", "uid": "u"}),
        )
        .unwrap(),
    ]);
    assert_eq!(
        printed(&[own], &[], &[], &[]),
        "# nothing scales in namespace shop: it has no HPA and no ScaledObject\n"
    );
}

#[test]
fn what_was_seen_becomes_the_capacity() {
    let policy = |spec: Value, signals: Value| {
        json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "ScalingPolicy", "metadata": {"name": "web", "namespace": "shop"},
            "spec": spec, "status": {"demand": {"trust": "Trusted", "signals": signals}}})
    };
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let seen = json!([{"name": "edge", "reading": "Present", "load": "1180", "capacityEstimate": "118", "observedAt": "2024-03-05T01:36:00Z"}]);
    let bare = json!({"targetRef": target});
    let text = printed(&[hpa("web", &cpu())], &[], &[policy(bare.clone(), seen.clone())], &[]);
    assert!(text.contains("# capacity 118: what one ready replica carried of signal edge at 2024-03-05T01:36:00Z (load 1180 a second)."), "{text}");
    assert!(text.contains("capacity: \"118\"") || text.contains("capacity: '118'"), "{text}");
    assert!(text.contains("mode: Observe"), "{text}");
    let text = printed(&[hpa("web", &cpu())], &[], &[policy(bare, json!([]))], &[]);
    assert!(
        text.contains("# ScalingPolicy web is there already; it has seen no load yet") && !text.contains("kind:"),
        "{text}"
    );
    let full = json!({"targetRef": target, "mode": "Guard", "demand": {"capacity": "120"}});
    let text = printed(&[hpa("web", &cpu())], &[], &[policy(full, seen.clone())], &[]);
    assert!(
        text.contains("# ScalingPolicy web is there already, with its capacity.") && !text.contains("kind:"),
        "{text}"
    );
    let own = json!({"targetRef": target, "demand": {"signals": [{"name": "edge"}]}});
    let text = printed(&[hpa("web", &cpu())], &[], &[policy(own, seen)], &[]);
    assert!(text.contains("signals:") && text.contains("118"), "{text}");
}

#[test]
fn a_comment_is_one_line() {
    assert_eq!(comment("a\nkind: Secret"), "# a kind: Secret\n");
}
