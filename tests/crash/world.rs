//! A control plane whose controllers are played: what they do is done at once, and the same in every life.

use std::time::Duration;

use anyhow::Result;
use floorkeeper_rig::{Cluster, Exposition, Options, Prometheus, PrometheusOptions};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::stage::record::Record;

/// What every life is lived in, one after the other, each in a namespace of its own.
pub(crate) struct World {
    pub(crate) record: Record,
    pub(crate) cluster: Cluster,
    pub(crate) edge: Exposition,
    /// Whether the HPAs' metric says that nothing is needed.
    pub(crate) idle: watch::Sender<bool>,
    _prometheus: Prometheus,
    _controllers: JoinSet<()>,
}

impl World {
    pub(crate) async fn open() -> Result<Self> {
        let cluster = Cluster::start(Options::api_only()).await?;
        let crds = floorkeeper::cli::crds::files()?.into_iter().map(|(_, yaml)| format!("---\n{yaml}"));
        cluster.apply(&crds.collect::<String>()).await?;
        cluster.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).await?;
        let edge = Exposition::start().await?;
        let mut options = PrometheusOptions::scraping("edge", &[&edge]);
        options.interval = Duration::from_millis(500);
        let prometheus = Prometheus::start(options).await?;
        let demand = json!({"name": "edge", "query": "sum by (namespace, deployment) (edge_load)",
            "labels": {"namespace": "namespace", "target": "deployment"}});
        let spec = json!({"prometheus": {"url": prometheus.url()}, "interval": "500ms", "timeout": "2s",
            "maxAge": "5s", "demands": [demand]});
        let source = json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "MetricSource",
            "metadata": {"name": "default"}, "spec": spec});
        cluster.apply(&source.to_string()).await?;
        let record = Record::start(&cluster.client());
        let idle = watch::Sender::new(false);
        let mut controllers = JoinSet::new();
        controllers.spawn(pods_follow_replicas(cluster.client()));
        controllers.spawn(hpas_scale_to_the_minimum(cluster.client(), idle.subscribe()));
        Ok(Self { record, cluster, edge, idle, _prometheus: prometheus, _controllers: controllers })
    }

    pub(crate) fn load(&self, namespace: &str, load: u32) {
        let labels = [("namespace", namespace), ("deployment", "web")];
        self.edge.update(|metrics| metrics.set("edge_load", &labels, f64::from(load)));
    }
}

/// Every pod that is asked for is there and ready.
async fn pods_follow_replicas(client: Client) {
    let all = Api::<Deployment>::all(client.clone());
    loop {
        tokio::time::sleep(TICK).await;
        // What fails now is done at the next tick.
        for deployment in all.list(&ListParams::default()).await.into_iter().flatten() {
            let wanted = deployment.spec.replicas.unwrap_or(1);
            let generation = deployment.metadata.generation;
            let status = deployment.status.as_ref();
            if status.and_then(|it| it.observed_generation) == generation
                && status.and_then(|it| it.ready_replicas) == Some(wanted)
            {
                continue;
            }
            let status = json!({"observedGeneration": generation, "replicas": wanted, "updatedReplicas": wanted,
                "readyReplicas": wanted, "availableReplicas": wanted});
            let api = Api::<Deployment>::namespaced(client.clone(), &deployment.namespace().unwrap_or_default());
            let patch = Patch::Merge(json!({"status": status}));
            let _ = api.patch_status(&deployment.name_any(), &PatchParams::default(), &patch).await;
        }
    }
}

/// What an HPA does whose metric says that nothing is needed: replicas go to its minimum, whatever that is. Nobody but
/// floorkeeper raises here.
async fn hpas_scale_to_the_minimum(client: Client, idle: watch::Receiver<bool>) {
    let hpas = Api::<HorizontalPodAutoscaler>::all(client.clone());
    loop {
        tokio::time::sleep(TICK).await;
        if !*idle.borrow() {
            continue;
        }
        for hpa in hpas.list(&ListParams::default()).await.into_iter().flatten() {
            let deployments = Api::<Deployment>::namespaced(client.clone(), &hpa.namespace().unwrap_or_default());
            let step = async {
                let mut scale = deployments.get_scale(&hpa.spec.scale_target_ref.name).await?;
                let minimum = hpa.spec.min_replicas.unwrap_or(1);
                let replicas = scale.spec.get_or_insert_default().replicas.replace(minimum);
                if replicas > Some(minimum) {
                    deployments.replace_scale("web", &PostParams::default(), &scale).await?;
                }
                Ok::<_, kube::Error>(())
            };
            let _ = step.await;
        }
    }
}

/// Faster than anything that is waited for.
const TICK: Duration = Duration::from_millis(50);
