//! What floorkeeper costs and how fast it is, on a real control plane: numbers, not verdicts.

mod admission;
mod failover;
mod minimum;
mod reaction;
mod scale;
mod usage;

pub use admission::{Cost, Costs, Place, admission_cost};
pub use failover::{Failovers, failover};
pub use minimum::minimum;
pub use reaction::{Reaction, Reactions, reaction};
pub use scale::{Scale, Scaled, scale};

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::Cluster;

/// floorkeeper's kinds, its namespace, and a ServiceAccount that may do anything, so that its requests are known from ours.
async fn install(program: &Path, cluster: &Cluster) -> Result<std::path::PathBuf> {
    let crds = tokio::process::Command::new(program).arg("crds").kill_on_drop(true).output().await;
    let crds = crds.with_context(|| format!("{} does not start", program.display()))?;
    if !crds.status.success() {
        bail!("`floorkeeper crds` failed: {}", String::from_utf8_lossy(&crds.stderr).trim());
    }
    cluster.apply(&String::from_utf8_lossy(&crds.stdout)).await.context("the CRDs are refused")?;
    cluster.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).await?;
    let account = json!({"kind": "ServiceAccount", "name": "floorkeeper", "namespace": NAMESPACE});
    let objects = [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "floorkeeper", "namespace": NAMESPACE}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "floorkeeper"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}, "subjects": [account]}),
    ];
    cluster.apply(&documents(&objects)).await?;
    let token = cluster.service_account_token(NAMESPACE, "floorkeeper").await?;
    cluster.kubeconfig_with_token("floorkeeper", &token)
}

fn documents(objects: &[Value]) -> String {
    objects.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")
}

/// A Deployment, an HPA of 2 to 40 replicas that has no metrics to read, and a policy that guards it.
fn guarded(namespace: &str, name: &str, replicas: u32) -> [Value; 3] {
    let metadata = json!({"name": name, "namespace": namespace});
    let container = json!({"name": "web", "image": "web", "resources": {"requests": {"cpu": "100m"}}});
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": name});
    let cpu = json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}});
    [
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}}}),
        json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata,
            "spec": {"minReplicas": 2, "maxReplicas": 40, "scaleTargetRef": target,
                "metrics": [{"type": "Resource", "resource": cpu}]}}),
        json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "ScalingPolicy", "metadata": metadata,
            "spec": {"targetRef": target, "mode": "Guard", "demand": {"capacity": "120"}}}),
    ]
}

const NAMESPACE: &str = "floorkeeper-system";
