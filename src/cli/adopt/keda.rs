//! What a KEDA `ScaledObject` says of the workload that it scales. Pure.

use floorkeeper_core::Bounds;
use kube::ResourceExt as _;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::draft::Scaled;
use crate::api::MetricSource;
use crate::apply;
use crate::observe;

/// `None` where it names no workload.
pub(super) fn scaled(object: &DynamicObject, sources: &[MetricSource]) -> Option<Scaled> {
    let (api_version, kind, name) = observe::scaled_object_scales(object)?;
    let scaler = observe::scaled_object(object, apply::kept(object.metadata.annotations.as_ref()));
    let Bounds { min, max } = apply::owner_bounds_of_scaled_object(object).unwrap_or_else(|| scaler.bounds());
    let mut says =
        vec![format!("ScaledObject {} of KEDA scales {kind} {name} from {min} to {max}.", object.name_any())];
    if let Some(idle) = scaler.idle {
        says.push(format!(
            "While its triggers are quiet it idles at {}: under Guard it does so once the floor is there.",
            idle.replicas
        ));
    }
    let mut signal = None;
    for trigger in object.data["spec"]["triggers"].as_array().into_iter().flatten() {
        let (says_one, found) = trigger_says(trigger, sources);
        says.push(says_one);
        signal = signal.or(found);
    }
    Some(Scaled { api_version: api_version.to_owned(), kind: kind.to_owned(), name: name.to_owned(), says, signal })
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
