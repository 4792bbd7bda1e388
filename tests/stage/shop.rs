//! A namespace with a workload, its HPA and its policy.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use floorkeeper_rig::{Cluster, eventually};
use serde_json::{Value, json};

/// One namespace: Deployment, HPA and policy are all named `web`.
pub(crate) struct Shop<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) namespace: &'a str,
}

impl<'a> Shop<'a> {
    /// A Deployment of ten replicas under an HPA with a minimum of 2 and a maximum of 20.
    pub(crate) async fn open(cluster: &'a Cluster, namespace: &'a str) -> Result<Self> {
        let shop = Self::open_bare(cluster, namespace).await?;
        shop.hpa().await?;
        Ok(shop)
    }

    /// An HPA on CPU with a minimum of 2 and a maximum of 20.
    pub(crate) async fn hpa(&self) -> Result<()> {
        self.apply("autoscaling/v2", "HorizontalPodAutoscaler", "web", json!({"minReplicas": 2, "maxReplicas": 20,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}]}))
            .await
    }

    /// A Deployment of ten replicas that nothing scales.
    pub(crate) async fn open_bare(cluster: &'a Cluster, namespace: &'a str) -> Result<Self> {
        let shop = Self { cluster, namespace };
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        cluster.apply(&namespace.to_string()).await?;
        let container = json!({"name": "web", "image": "web", "resources": {"requests": {"cpu": "100m"}}});
        shop.apply(
            "apps/v1",
            "Deployment",
            "web",
            json!({"replicas": 10, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}}),
        )
        .await?;
        Ok(shop)
    }

    pub(crate) async fn policy(&self, spec: Value) -> Result<()> {
        self.apply("floorkeeper.dev/v1alpha1", "ScalingPolicy", "web", spec).await
    }

    pub(crate) async fn apply(&self, api_version: &str, kind: &str, name: &str, spec: Value) -> Result<()> {
        let metadata = json!({"name": name, "namespace": self.namespace});
        let object = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec});
        self.cluster.apply(&object.to_string()).await.map(drop)
    }

    pub(crate) async fn get(&self, what: &str) -> Result<Value> {
        let (kind, name) = what.split_once('/').ok_or_else(|| anyhow!("{what}: kind/name"))?;
        let text = self.cluster.kubectl(["get", kind, name, "-n", self.namespace, "-o", "json"]).await?;
        Ok(serde_json::from_str(&text)?)
    }

    pub(crate) async fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.cluster.kubectl(["-n", self.namespace].iter().chain(args)).await
    }

    /// Waits until `pointer` of `what` is `wanted`.
    pub(crate) async fn shows(&self, what: &str, pointer: &str, wanted: impl Into<Value>) -> Result<()> {
        let wanted = wanted.into();
        eventually(&format!("{what} shows {wanted} at {pointer}"), WITHIN, || async {
            let object = self.get(what).await?;
            let found = object.pointer(pointer).cloned().unwrap_or_default();
            ensure!(found == wanted, "it shows {found}; status {}", object["status"]);
            Ok(())
        })
        .await
    }

    pub(crate) async fn replicas(&self, wanted: u32) -> Result<()> {
        self.shows("deployment/web", "/spec/replicas", wanted).await
    }

    /// Waits until a condition of the policy has this status and reason; gives its message.
    pub(crate) async fn says(&self, condition: &str, status: &str, reason: &str) -> Result<String> {
        eventually(&format!("{condition}={status} {reason}"), WITHIN, || async {
            let policy = self.get("scalingpolicy/web").await?;
            let conditions = policy["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let found = conditions.iter().find(|found| found["type"] == condition);
            let found = found.ok_or_else(|| anyhow!("no such condition; status {}", policy["status"]))?;
            ensure!(found["status"] == status && found["reason"] == reason, "{found}");
            ensure!(found["observedGeneration"] == policy["metadata"]["generation"], "of an older spec: {found}");
            Ok(found["message"].as_str().unwrap_or_default().to_owned())
        })
        .await
    }
}

/// Everything here takes milliseconds; a loaded machine may take its time.
pub(crate) const WITHIN: Duration = Duration::from_secs(30);

/// Guard without a source: nothing is known, the floor stands where it was found.
pub(crate) fn guard() -> Value {
    json!({"targetRef": {"kind": "Deployment", "name": "web"}, "mode": "Guard", "demand": {"capacity": "120"}})
}
