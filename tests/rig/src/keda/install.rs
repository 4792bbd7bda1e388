//! What `kubectl apply` of KEDA's own manifests brings, its Deployments aside: here they are programs.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::Api;
use serde_json::json;

use crate::cluster::Cluster;
use crate::wait::eventually;

/// All kinds that the operator watches; without one of them it does not start.
pub(super) async fn kinds(cluster: &Cluster, source: &Path) -> Result<()> {
    let bases = source.join("config/crd/bases");
    let mut text = String::new();
    for name in KINDS {
        text += &read(&bases.join(format!("{name}.yaml")))?;
        text += "\n";
    }
    cluster.apply(&text).await?;
    // One that has no status yet is an error to `kubectl wait`.
    let established = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"];
    eventually("KEDA's kinds are served", BOUND, || cluster.kubectl(established)).await.map(drop)
}

/// KEDA's account and what it may do.
pub(super) async fn account(cluster: &Cluster, source: &Path) -> Result<()> {
    for file in MANIFESTS {
        cluster.apply(&read(&source.join("config").join(file))?).await.with_context(|| file.to_owned())?;
    }
    // The API server shows the adapter no client certificate here, so it comes to it as nobody.
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "rig-keda-metrics"},
        "rules": [{"apiGroups": ["external.metrics.k8s.io"], "resources": ["*"], "verbs": ["get", "list"]},
            {"nonResourceURLs": ["*"], "verbs": ["get"]}]});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "rig-keda-metrics"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "rig-keda-metrics"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:anonymous"}]});
    cluster.apply(&format!("{role}\n---\n{binding}")).await.map(drop)
}

/// Tells the API server where the adapter is, and waits until it has answered.
pub(super) async fn metrics_api(cluster: &Cluster, port: u16) -> Result<()> {
    // A name outside the cluster: the API server then dials it without asking for endpoints.
    let service = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "keda-metrics-apiserver", "namespace": NAMESPACE},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}});
    let registration = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": API},
        "spec": {"group": "external.metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "insecureSkipTLSVerify": true, "service": {"name": "keda-metrics-apiserver", "namespace": NAMESPACE, "port": port}}});
    cluster.apply(&format!("{service}\n---\n{registration}")).await?;
    let registrations = Api::<APIService>::all(cluster.client());
    eventually("KEDA's metrics API is available", BOUND, || async {
        let conditions = registrations.get(API).await?.status.and_then(|status| status.conditions).unwrap_or_default();
        let found = conditions.iter().find(|condition| condition.type_ == "Available");
        let why = found.and_then(|condition| condition.message.as_deref()).unwrap_or("no condition yet");
        ensure!(found.is_some_and(|condition| condition.status == "True"), "{why}");
        Ok(())
    })
    .await
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))
}

/// Where KEDA's manifests put it.
pub(super) const NAMESPACE: &str = "keda";

/// Its ServiceAccount.
pub(super) const ACCOUNT: &str = "keda-operator";

const API: &str = "v1beta1.external.metrics.k8s.io";

const KINDS: [&str; 6] = [
    "keda.sh_scaledobjects",
    "keda.sh_scaledjobs",
    "keda.sh_triggerauthentications",
    "keda.sh_clustertriggerauthentications",
    "eventing.keda.sh_cloudeventsources",
    "eventing.keda.sh_clustercloudeventsources",
];

const MANIFESTS: [&str; 6] = [
    "general/namespace.yaml",
    "service_account/service_account.yaml",
    "rbac/role.yaml",
    "rbac/role_binding.yaml",
    "metrics-server/role.yaml",
    "metrics-server/role_binding.yaml",
];

/// The API server probes a new APIService at once; a retry comes within seconds.
const BOUND: std::time::Duration = std::time::Duration::from_secs(60);
