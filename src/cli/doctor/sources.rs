//! Where load is measured, and whether errors are.

use kube::ResourceExt as _;

use super::finding::{Finding, Severity};
use super::look::{Look, name};
use crate::api::conditions::READY;
use crate::api::{MetricSource, MetricsApi, ScalingPolicy, SharedDemand, SignalSpec};

pub(super) fn findings(look: &Look) -> Vec<Finding> {
    let mut findings = Vec::new();
    if look.sources.is_empty() && !look.policies.is_empty() {
        let says = "there is no MetricSource: every policy is blind, no floor falls and none rises with the load";
        let remedy = "write one (docs/examples/source.yaml); the platform team's role is floorkeeper-source-admin";
        findings.push(Finding::new(Severity::Problem, "NoSource", says, remedy));
    }
    for source in &look.sources {
        let ready = source.status.as_ref().and_then(|status| status.conditions.iter().find(|it| it.type_ == READY));
        if let Some(ready) = ready.filter(|ready| ready.status == "False") {
            let says = format!("MetricSource does not work: {}", ready.message);
            let remedy = "repair it: until then its readers hold their floors, at a price";
            findings.push(Finding::new(Severity::Problem, "SourceDown", says, remedy).at(vec![source.name_any()]));
        }
        if let Some(service) = api_service(source).filter(|service| look.api_services.get(*service) != Some(&true)) {
            let says = format!("MetricSource reads the API {service}, which nobody serves");
            let remedy = "install or repair the adapter: kubectl get apiservices";
            findings.push(Finding::new(Severity::Problem, "NoMetricsApi", says, remedy).at(vec![source.name_any()]));
        }
    }
    let without: Vec<String> =
        look.policies.iter().filter(|policy| !errors_given(policy, &look.sources)).map(name).collect();
    if !without.is_empty() && !look.sources.is_empty() {
        let says = "nothing tells of failed work: an error that drives clients away looks like idleness";
        let remedy = "write errors with the demand of the MetricSource, or distrust.errors in the policy";
        findings.push(Finding::new(Severity::Warning, "NoErrors", says, remedy).at(without));
    }
    findings
}

fn api_service(source: &MetricSource) -> Option<&'static str> {
    match source.spec.metrics_api? {
        MetricsApi::External => Some("v1beta1.external.metrics.k8s.io"),
        MetricsApi::Custom => Some("v1beta2.custom.metrics.k8s.io"),
        MetricsApi::Resource => Some("v1beta1.metrics.k8s.io"),
    }
}

/// By the policy itself, or by a shared demand that it reads.
fn errors_given(policy: &ScalingPolicy, sources: &[MetricSource]) -> bool {
    let spec = &policy.spec;
    let own = spec.distrust.as_ref().and_then(|distrust| distrust.errors.as_ref());
    if own.is_some_and(|errors| errors.failed.is_some()) {
        return true;
    }
    let demand = spec.demand.as_ref();
    let default = [SignalSpec::default()];
    let signals = demand.map(|demand| demand.signals.as_slice()).filter(|signals| !signals.is_empty());
    signals.unwrap_or(&default).iter().any(|signal| {
        let source = signal.source.as_deref().or_else(|| demand.and_then(|demand| demand.source.as_deref()));
        let source = sources.iter().find(|it| it.name_any() == source.unwrap_or("default"));
        source.and_then(|source| shared(source, signal)).is_some_and(|demand| demand.errors.is_some())
    })
}

fn shared<'a>(source: &'a MetricSource, signal: &SignalSpec) -> Option<&'a SharedDemand> {
    match &signal.demand {
        Some(named) => source.spec.demands.iter().find(|demand| demand.name == *named),
        None if signal.query.is_some() || signal.metric.is_some() => None,
        None => source.spec.default_demand(),
    }
}
