//! What a KEDA `ScaledObject` says of the workload that it scales. Pure.

use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::draft::Scaled;
use crate::api::MetricSource;

/// `None` where it names no workload.
pub(super) fn scaled(object: &Value, sources: &[MetricSource]) -> Option<Scaled> {
    let (metadata, spec) = (&object["metadata"], &object["spec"]);
    let target = &spec["scaleTargetRef"];
    let text = |value: &Value, default: &str| value.as_str().unwrap_or(default).to_owned();
    let name = target["name"].as_str()?.to_owned();
    let kind = text(&target["kind"], "Deployment");
    // KEDA's own defaults.
    let (min, max) = (spec["minReplicaCount"].as_i64().unwrap_or(0), spec["maxReplicaCount"].as_i64().unwrap_or(100));
    let own = text(&metadata["name"], "?");
    let mut says = vec![format!("ScaledObject {own} of KEDA scales {kind} {name} from {min} to {max}.")];
    let mut signal = None;
    for trigger in spec["triggers"].as_array().into_iter().flatten() {
        let (says_one, found) = trigger_says(trigger, sources);
        says.push(says_one);
        signal = signal.or(found);
    }
    Some(Scaled { api_version: text(&target["apiVersion"], "apps/v1"), kind, name, says, signal })
}

fn trigger_says(trigger: &Value, sources: &[MetricSource]) -> (String, Option<Value>) {
    let kind = trigger["type"].as_str().unwrap_or("?");
    let metadata = &trigger["metadata"];
    let each = metadata["threshold"].as_str();
    // KEDA divides by the number of replicas only for an average.
    let average = trigger["metricType"].as_str().unwrap_or("AverageValue") == "AverageValue";
    match (kind, each, metadata["query"].as_str()) {
        ("prometheus", Some(each), Some(query)) if average => {
            let source = sources.iter().find(|source| source.spec.prometheus.is_some() && source.spec.inline_queries);
            let signal = source
                .map(|source| json!({"name": "keda", "source": source.name_any(), "query": query, "capacity": each}));
            (format!("Its trigger counts on {each} for each replica of: {query}"), signal)
        }
        (kind, Some(each), _) if average => (
            format!(
                "Its trigger {kind} counts on {each} for each replica: a good capacity, where the demand is counted in the same unit."
            ),
            None,
        ),
        (kind, _, _) => (format!("Its trigger {kind} tells no capacity."), None),
    }
}
