//! The answers of the metrics APIs, from values and pods: no I/O.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::selector::Selector;
use super::{Labels, MetricsApi, Usage, Values};

/// The resources that the API server's discovery shows.
pub(super) fn resources(api: MetricsApi, values: &Values) -> Value {
    let resource = |name: &str, kind: &str, verbs: &[&str]| json!({"name": name, "singularName": "", "namespaced": true, "kind": kind, "verbs": verbs});
    let resources: Vec<Value> = match api {
        MetricsApi::Resource => vec![resource("pods", "PodMetrics", &["get", "list"])],
        MetricsApi::Custom => {
            let names: BTreeSet<String> =
                values.custom.keys().map(|key| format!("{}/{}", key.resource, key.metric)).collect();
            names.iter().map(|name| resource(name, "MetricValueList", &["get"])).collect()
        }
        MetricsApi::External => {
            let names: BTreeSet<&String> = values.external.keys().map(|(_, name, _)| name).collect();
            names.iter().map(|name| resource(name, "ExternalMetricValueList", &["get"])).collect()
        }
    };
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api.group_version(), "resources": resources})
}

/// A list of the API's kind.
pub(super) fn list(api: MetricsApi, items: Vec<Value>) -> Value {
    let kind = match api {
        MetricsApi::Resource => "PodMetricsList",
        MetricsApi::Custom => "MetricValueList",
        MetricsApi::External => "ExternalMetricValueList",
    };
    json!({"kind": kind, "apiVersion": api.group_version(), "metadata": {}, "items": items})
}

/// The usage of those of the pods that run and have any.
pub(super) fn pod_usages(values: &Values, pods: &[Pod], now: Timestamp) -> Vec<Value> {
    pods.iter().filter_map(|pod| Some(pod_usage(pod, usage_of(values, pod)?, stamp(values, now)))).collect()
}

pub(super) fn external(
    values: &Values,
    namespace: &str,
    metric: &str,
    selector: &Selector,
    now: Timestamp,
) -> Vec<Value> {
    let series = values
        .external
        .iter()
        .filter(|((of, name, labels), _)| of == namespace && name == metric && selector.selects(labels));
    series
        .map(|((_, name, labels), value)| {
            json!({"metricName": name, "metricLabels": labels, "timestamp": stamp(values, now), "value": quantity(*value)})
        })
        .collect()
}

/// Custom metrics of the objects with one of these names; of all if `names` is `None`.
pub(super) fn custom(
    values: &Values,
    namespace: &str,
    resource: &str,
    names: Option<&[String]>,
    metric: &str,
    now: Timestamp,
) -> Vec<Value> {
    let found = values.custom.iter().filter(|(key, _)| {
        key.namespace == namespace
            && key.resource == resource
            && key.metric == metric
            && names.is_none_or(|names| names.contains(&key.name))
    });
    found
        .map(|(key, custom)| {
            json!({
                "describedObject": {"apiVersion": custom.api_version, "kind": custom.kind, "namespace": key.namespace, "name": key.name},
                "metric": {"name": key.metric},
                "timestamp": stamp(values, now),
                "value": quantity(custom.value),
            })
        })
        .collect()
}

/// A Kubernetes `Status` for a failure.
pub(super) fn failure(code: u16, message: &str) -> Value {
    let reason = if code == 404 { "NotFound" } else { "InternalError" };
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason, "code": code, "message": message})
}

fn usage_of(values: &Values, pod: &Pod) -> Option<Usage> {
    let running = pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
    let empty = Labels::new();
    let labels = pod.metadata.labels.as_ref().unwrap_or(&empty);
    let matching = values.usage.iter().filter(|((namespace, wanted), _)| {
        pod.metadata.namespace.as_ref() == Some(namespace)
            && wanted.iter().all(|(name, value)| labels.get(name) == Some(value))
    });
    // The most exact rule wins.
    matching.max_by_key(|((_, wanted), _)| wanted.len()).map(|(_, usage)| *usage).filter(|_| running)
}

/// All of the usage on the first container: who reads it adds containers up.
fn pod_usage(pod: &Pod, usage: Usage, timestamp: String) -> Value {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers).enumerate().map(|(index, container)| {
        let usage = if index == 0 { usage } else { Usage { cpu: 0.0, memory: 0.0 } };
        json!({"name": container.name, "usage": {"cpu": quantity(usage.cpu), "memory": quantity(usage.memory.round())}})
    });
    json!({
        "kind": "PodMetrics",
        "apiVersion": MetricsApi::Resource.group_version(),
        "metadata": {"name": pod.metadata.name, "namespace": pod.metadata.namespace, "labels": pod.metadata.labels},
        "timestamp": timestamp,
        "window": "15s",
        "containers": containers.collect::<Vec<_>>(),
    })
}

/// Whole seconds, as the API has them.
fn stamp(values: &Values, now: Timestamp) -> String {
    values.timestamp.unwrap_or(now).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Thousandths, the finest that an adapter gives.
fn quantity(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{:.0}m", value * 1000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        assert_eq!([quantity(0.25), quantity(1200.0), quantity(0.0)], ["250m", "1200", "0"]);
    }

    #[test]
    fn a_pod_uses_what_the_most_exact_rule_says() {
        let mut values = Values::default();
        let labels = |labels: &[(&str, &str)]| super::super::owned(labels);
        values.usage.insert(("shop".to_owned(), labels(&[])), Usage { cpu: 1.0, memory: 0.0 });
        values.usage.insert(("shop".to_owned(), labels(&[("app", "web")])), Usage { cpu: 0.5, memory: 0.0 });
        let pod = |phase: &str, app: &str| -> Pod {
            let pod = json!({"metadata": {"name": "p", "namespace": "shop", "labels": {"app": app}}, "spec": {"containers": [{"name": "c"}]}, "status": {"phase": phase}});
            serde_json::from_value(pod).unwrap()
        };
        let pods = [pod("Running", "web"), pod("Running", "api"), pod("Pending", "web")];
        let usages = pod_usages(&values, &pods, Timestamp::UNIX_EPOCH);
        let cpu: Vec<&Value> = usages.iter().map(|usage| &usage["containers"][0]["usage"]["cpu"]).collect();
        assert_eq!(cpu, ["500m", "1"]);
        assert_eq!(usages[0]["timestamp"], "1970-01-01T00:00:00Z");
    }
}
