//! Manifests that write what floorkeeper writes: who else claims `minReplicas`, and who claims `replicas`.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use kube::ResourceExt as _;
use serde_json::Value;

use super::finding::{Finding, Severity};
use super::look::{Look, name};
use crate::api::conditions::CONTESTED;
use crate::apply::MANAGER;
use crate::cli::scalers::Found;

pub(super) fn findings(look: &Look) -> Vec<Finding> {
    let mut findings = Vec::new();
    let minimum: Vec<String> = look
        .scalers()
        .filter(Found::is_kept)
        .filter_map(|scaler| Some(format!("{} ({})", scaler.place(), claims(&scaler.metadata, scaler.minimum())?)))
        .collect();
    if !minimum.is_empty() {
        let says = "manifests set the minimum of HPAs or ScaledObjects that floorkeeper guards: at each apply the floor is \
                    overwritten and put back";
        let remedy =
            "let the manifest leave the minimum out and the policy say it, or let the tool ignore it: docs/gitops.md";
        findings.push(Finding::new(Severity::Warning, "MinimumInManifest", says, remedy).at(minimum));
    }
    let replicas: Vec<String> = look
        .deployments
        .iter()
        .filter_map(|it| Some(format!("{} ({})", place(it), claims(&it.metadata, "replicas")?)))
        .collect();
    if !replicas.is_empty() {
        let says = "manifests set replicas of workloads that an autoscaler scales: each apply resets the count";
        let remedy = "take replicas out of the manifest: docs/gitops.md";
        findings.push(Finding::new(Severity::Warning, "ReplicasInManifest", says, remedy).at(replicas));
    }
    let contested = look.policies.iter().filter(|policy| {
        let conditions = policy.status.iter().flat_map(|status| &status.conditions);
        conditions.into_iter().any(|it| it.type_ == CONTESTED && it.status == "True")
    });
    let contested: Vec<String> = contested.map(name).collect();
    if !contested.is_empty() {
        let says = "somebody keeps writing below these floors: pods are stopped and started again";
        let remedy = "the target's managedFields name the writer: see FloorkeeperContested in the runbook";
        findings.push(Finding::new(Severity::Warning, "Contested", says, remedy).at(contested));
    }
    findings
}

fn place(deployment: &Deployment) -> String {
    format!("{}/{}", deployment.namespace().unwrap_or_default(), deployment.name_any())
}

/// Who applies `spec.FIELD` from a manifest: by what is kept of the last apply, or by field ownership.
fn claims(metadata: &ObjectMeta, field: &str) -> Option<String> {
    let applied = metadata.annotations.as_ref().and_then(|all| all.get(LAST_APPLIED));
    let applied: Option<Value> = applied.and_then(|text| serde_json::from_str(text).ok());
    if applied.is_some_and(|object| object["spec"].get(field).is_some()) {
        return Some(format!("{}, client-side apply", tool(metadata).unwrap_or("kubectl")));
    }
    let owners = metadata.managed_fields.iter().flatten().filter(|entry| owns(entry, field));
    let manifest =
        owners.filter(|entry| entry.operation.as_deref() == Some("Apply")).filter_map(|entry| entry.manager.as_deref());
    manifest.filter(|manager| !manager.starts_with(MANAGER)).map(str::to_owned).next()
}

fn owns(entry: &ManagedFieldsEntry, field: &str) -> bool {
    let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
    entry.subresource.is_none() && fields.is_some_and(|fields| fields["f:spec"].get(format!("f:{field}")).is_some())
}

/// The tool that keeps an object, by its marks.
fn tool(metadata: &ObjectMeta) -> Option<&'static str> {
    let has = |mark: &str| {
        let labels = metadata.labels.iter().flatten().chain(metadata.annotations.iter().flatten());
        labels.into_iter().any(|(key, _)| key.starts_with(mark))
    };
    TOOLS.iter().find(|(mark, _)| has(mark)).map(|(_, tool)| *tool)
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

const TOOLS: [(&str, &str); 4] = [
    ("argocd.argoproj.io/", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/", "Flux"),
    ("helm.toolkit.fluxcd.io/", "Flux"),
    ("meta.helm.sh/", "Helm"),
];
