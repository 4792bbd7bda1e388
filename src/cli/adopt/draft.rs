//! From a scaler to a policy with its evidence. Pure.

use anyhow::Context as _;
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, MetricSpec};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::comment;
use crate::api::{GROUP, MetricSource, MetricsApi, Quantity, ScalingPolicy, VERSION, keda};
use crate::apply;
use crate::cli::check;
use crate::observe;

/// What scales one workload.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scaled {
    pub(super) api_version: String,
    pub(super) kind: String,
    /// Of the workload.
    pub(super) name: String,
    /// What is known, a line each.
    pub(super) says: Vec<String>,
    /// The signal that the scaler itself counts on, with the capacity that it counts on: where a source can be asked for it.
    pub(super) signal: Option<Value>,
}

/// One document: its comments, and the policy, if there is one to print.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    says: Vec<String>,
    yaml: Option<String>,
}

impl Draft {
    pub(super) fn text(&self) -> String {
        let comments: String = self.says.iter().map(|line| comment(line)).collect();
        comments + self.yaml.as_deref().unwrap_or_default()
    }
}

/// A draft for each workload, in the order given.
pub(super) fn drafts(namespace: &str, scaled: &[Scaled], policies: &[ScalingPolicy]) -> anyhow::Result<Vec<Draft>> {
    scaled.iter().map(|scaled| draft(namespace, scaled, policies)).collect()
}

fn draft(namespace: &str, scaled: &Scaled, policies: &[ScalingPolicy]) -> anyhow::Result<Draft> {
    let Scaled { api_version, kind, name, says, signal } = scaled;
    let mut says = says.clone();
    let on_target = |policy: &&ScalingPolicy| {
        let target = &policy.spec.target_ref;
        target.kind == *kind && target.name == *name
    };
    if let Some(policy) = policies.iter().find(on_target) {
        return adopted(namespace, policy, says);
    }
    let taken = policies.iter().any(|policy| policy.name_any() == *name);
    let own_name = if taken { format!("{name}-{}", kind.to_lowercase()) } else { name.clone() };
    let target = json!({"apiVersion": api_version, "kind": kind, "name": name});
    let mut spec = json!({"targetRef": target, "mode": "Observe"});
    let bare = document(namespace, &own_name, &spec)?;
    if let Some(signal) = signal {
        spec["demand"] = json!({"signals": [signal]});
        let full = document(namespace, &own_name, &spec)?;
        // A query that reads an error as idleness is no signal to begin with.
        if check::is_sound(&full) {
            says.push(
                "The signal and its capacity are the scaler's own: measured outside the workload, is it?".to_owned(),
            );
            return Ok(Draft { says, yaml: Some(full) });
        }
        says.push(
            "Its query is no safe signal (floorkeeper check says why), so the source's default demand is used."
                .to_owned(),
        );
    }
    says.push(format!(
        "No capacity yet: some minutes after this is applied, status.demand.signals of ScalingPolicy {own_name} has what one \
         replica carries, and adopt prints it."
    ));
    Ok(Draft { says, yaml: Some(bare) })
}

/// A policy that is there already: with the capacity that was seen, where it has none.
fn adopted(namespace: &str, policy: &ScalingPolicy, mut says: Vec<String>) -> anyhow::Result<Draft> {
    let name = policy.name_any();
    let demand = policy.spec.demand.as_ref();
    let signals = demand.map(|demand| demand.signals.as_slice()).unwrap_or_default();
    let has = demand.is_some_and(|demand| demand.capacity.is_some())
        || (!signals.is_empty() && signals.iter().all(|signal| signal.capacity.is_some()));
    if has {
        says.push(format!("ScalingPolicy {name} is there already, with its capacity."));
        return Ok(Draft { says, yaml: None });
    }
    let mut spec = serde_json::to_value(&policy.spec).context("the policy can't be written as JSON")?;
    let seen = policy.status.as_ref().and_then(|status| status.demand.as_ref());
    let mut estimated = 0;
    for signal in seen.map(|demand| demand.signals.as_slice()).unwrap_or_default() {
        let Some(estimate) = signal.capacity_estimate.as_ref().filter(|estimate| positive(estimate)) else { continue };
        let place = signals.iter().position(|own| own.name == signal.name);
        match place {
            Some(place) => spec["demand"]["signals"][place]["capacity"] = json!(estimate),
            None if signals.is_empty() => {
                if spec["demand"].is_null() {
                    spec["demand"] = json!({});
                }
                spec["demand"]["capacity"] = json!(estimate);
            }
            None => continue,
        }
        estimated += 1;
        let load = signal.load.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        let at = signal.observed_at.as_ref().map_or_else(|| "an unknown time".to_owned(), |at| at.0.to_string());
        says.push(format!(
            "capacity {estimate}: what one ready replica carried of signal {} at {at} (load {load} a second). It is what it \
             carries, not the most that it could: measure at your busiest good hour, or by a load test.",
            signal.name
        ));
    }
    if estimated == 0 {
        says.push(format!(
            "ScalingPolicy {name} is there already; it has seen no load yet that would tell a capacity."
        ));
        return Ok(Draft { says, yaml: None });
    }
    Ok(Draft { says, yaml: Some(document(namespace, &name, &spec)?) })
}

fn positive(quantity: &Quantity) -> bool {
    quantity.parse().is_ok_and(|value| value > 0.0)
}

fn document(namespace: &str, name: &str, spec: &Value) -> anyhow::Result<String> {
    let object = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "ScalingPolicy",
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    });
    let mut text = serde_saphyr::to_string(&object).context("the policy can't be written as YAML")?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// What an HPA says of the workload that it scales; `None` for those that floorkeeper or KEDA made.
pub(super) fn scaled(hpa: &HorizontalPodAutoscaler, sources: &[MetricSource]) -> Option<Scaled> {
    if keda::is_made_by_keda(&hpa.metadata) || apply::is_own_hpa(hpa) {
        return None;
    }
    let (api_version, kind, name) = observe::scales(hpa);
    let (min, max) = (hpa.spec.min_replicas.unwrap_or(1).to_string(), hpa.spec.max_replicas.to_string());
    let (min, max) = apply::owner_bounds(hpa).map_or((min, max), |own| (own.min.to_string(), own.max.to_string()));
    let now = hpa.status.as_ref().and_then(|status| status.current_replicas);
    let now = now.map_or_else(String::new, |now| format!("; it has {now} now"));
    let mut says = vec![format!("HPA {} scales {kind} {name} from {min} to {max}{now}.", hpa.name_any())];
    let mut signal = None;
    for metric in hpa.spec.metrics.iter().flatten() {
        says.push(evidence(metric));
        signal = signal.or_else(|| external(metric, sources));
    }
    Some(Scaled { api_version: api_version.to_owned(), kind: kind.to_owned(), name: name.to_owned(), says, signal })
}

/// What a metric of an HPA tells of capacity.
fn evidence(metric: &MetricSpec) -> String {
    let unit = "a good capacity, where the demand is counted in the same unit";
    if let Some(resource) = metric.resource.as_ref() {
        let target = resource.target.average_utilization.map_or_else(String::new, |share| format!(" at {share} %"));
        return format!("It scales on {}{target}, which tells no capacity.", resource.name);
    }
    let (name, target) = match (&metric.external, &metric.pods, &metric.object) {
        (Some(external), _, _) => (&external.metric.name, &external.target),
        (None, Some(pods), _) => (&pods.metric.name, &pods.target),
        (None, None, Some(object)) => (&object.metric.name, &object.target),
        (None, None, None) => {
            return format!("It scales on a metric of type {}, which tells no capacity.", metric.type_);
        }
    };
    match &target.average_value {
        Some(value) => format!("It counts on {} of {name} for each replica: {unit}.", value.0),
        None => format!("It scales on {name}, with no value for each replica: that tells no capacity."),
    }
}

/// The HPA's own external metric as a signal, where a source reads that API and lets policies name metrics.
fn external(metric: &MetricSpec, sources: &[MetricSource]) -> Option<Value> {
    let external = metric.external.as_ref()?;
    let each = Quantity(external.target.average_value.as_ref()?.0.clone());
    let labels = external.metric.selector.as_ref();
    if !positive(&each) || labels.is_some_and(|selector| selector.match_expressions.is_some()) {
        return None;
    }
    let source = sources
        .iter()
        .find(|source| source.spec.metrics_api == Some(MetricsApi::External) && source.spec.inline_queries)?;
    let labels = labels.and_then(|selector| selector.match_labels.clone()).unwrap_or_default();
    Some(
        json!({"name": "hpa", "source": source.name_any(), "metric": {"name": external.metric.name, "matchLabels": labels}, "capacity": each}),
    )
}
