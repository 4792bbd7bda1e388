//! Two shops under load on a real control plane with a real Prometheus, and an eye on them.

use std::time::Duration;

use anyhow::{Result, ensure};
use floorkeeper_rig::{Cluster, HpaTiming, Options, Prometheus, PrometheusOptions, eventually};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::load::{ALONE, GUARDED, Load, WINDOW};
use crate::record::Record;
use crate::stage::shop::Shop;

pub(crate) struct Scene {
    pub(crate) load: Load,
    pub(crate) record: Record,
    pub(crate) prometheus: Prometheus,
    pub(crate) cluster: Cluster,
    _scaler: JoinSet<()>,
}

impl Scene {
    /// Everything but the operator.
    pub(crate) async fn open() -> Result<Self> {
        let cluster = Cluster::start(Options { hpa: HpaTiming::scaled(15.0), ..Options::default() }).await?;
        let crds = floorkeeper::cli::crds::files()?.into_iter().map(|(_, yaml)| format!("---\n{yaml}"));
        cluster.apply(&crds.collect::<String>()).await?;
        cluster.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).await?;
        let load = Load::start().await?;
        let mut options = PrometheusOptions::scraping("edge", &[load.edge()]);
        options.interval = Duration::from_millis(500);
        let prometheus = Prometheus::start(options).await?;
        let record = Record::start(&cluster.client());
        let mut scaler = JoinSet::new();
        scaler.spawn(scales_to_the_minimum(cluster.client()));
        let scene = Self { load, record, prometheus, cluster, _scaler: scaler };
        scene.reads(&scene.prometheus.url()).await?;
        let shop = Shop::open(&scene.cluster, GUARDED).await?;
        shop.policy(policy("Guard")).await?;
        let shop = Shop::open(&scene.cluster, ALONE).await?;
        shop.kubectl(&["delete", "hpa/web"]).await?;
        shop.policy(policy("Autoscale")).await?;
        Ok(scene)
    }

    /// Where the policies' load is measured.
    pub(crate) async fn reads(&self, url: &str) -> Result<()> {
        let demand = json!({"name": "edge", "query": "sum by (namespace, deployment) (edge_load)",
            "labels": {"namespace": "namespace", "target": "deployment"}});
        let spec = json!({"prometheus": {"url": url}, "interval": "500ms", "timeout": "2s", "maxAge": "5s",
            "demands": [demand]});
        let source = json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "MetricSource",
            "metadata": {"name": "default"}, "spec": spec});
        self.cluster.apply(&source.to_string()).await.map(drop)
    }

    pub(crate) fn shop(&self, namespace: &'static str) -> Shop<'_> {
        Shop { cluster: &self.cluster, namespace }
    }

    /// The steady state, reached without anybody's help: trusted, ready, and the floor in all its places.
    pub(crate) async fn settles(&self, floor: u32) -> Result<()> {
        for namespace in [GUARDED, ALONE] {
            let shop = self.shop(namespace);
            eventually(&format!("{namespace} settles at {floor}"), SETTLES_WITHIN, || async {
                let status = shop.get("scalingpolicy/web").await?["status"].clone();
                let stands = |kind: &str| {
                    let conditions = status["conditions"].as_array().into_iter().flatten();
                    conditions.clone().any(|it| it["type"] == kind && it["status"] == "True")
                };
                ensure!(stands("Ready") && stands("Trusted"), "{status}");
                let stored = shop.get("floortable/floors").await?;
                let stored = stored["spec"]["floors"]["deployments.apps/web"]["replicas"].clone();
                ensure!(stored == floor && status["floor"]["replicas"] == floor, "stored {stored}; {status}");
                let replicas = shop.get("deployment/web").await?["spec"]["replicas"].as_u64();
                ensure!(replicas >= Some(floor.into()), "{replicas:?} replicas");
                if namespace == GUARDED {
                    let min = shop.get("hpa/web").await?["spec"]["minReplicas"].clone();
                    ensure!(min == floor, "the HPA's minimum is {min}");
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Somebody scales below the floor, and it is put back.
    pub(crate) async fn undoes(&self, floor: u32) -> Result<()> {
        for namespace in [GUARDED, ALONE] {
            let shop = self.shop(namespace);
            shop.kubectl(&["scale", "deployment/web", "--replicas", "1"]).await?;
            eventually("the floor is put back", SETTLES_WITHIN, || async {
                let replicas = shop.get("deployment/web").await?["spec"]["replicas"].as_u64();
                ensure!(replicas >= Some(floor.into()), "{replicas:?} replicas");
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

/// What an HPA does whose metric says that nothing is needed: replicas go to its minimum, whatever that is.
async fn scales_to_the_minimum(client: kube::Client) {
    let hpas = Api::<HorizontalPodAutoscaler>::namespaced(client.clone(), GUARDED);
    let deployments = Api::<Deployment>::namespaced(client, GUARDED);
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        // It can fail for as long as the API server is away; it just tries again, as the HPA does.
        let step = async {
            let mut scale = deployments.get_scale("web").await?;
            let minimum = hpas.get("web").await?.spec.min_replicas.unwrap_or(1);
            let replicas = scale.spec.get_or_insert_default().replicas.insert(minimum);
            if *replicas < scale.status.as_ref().map_or(0, |status| status.replicas) {
                deployments.replace_scale("web", &PostParams::default(), &scale).await?;
            }
            Ok::<_, kube::Error>(())
        };
        drop(tokio::time::timeout(Duration::from_secs(5), step).await);
    }
}

fn policy(mode: &str) -> Value {
    json!({"targetRef": {"kind": "Deployment", "name": "web"}, "mode": mode, "minReplicas": 2, "maxReplicas": 20,
        "demand": {"capacity": "120", "resolution": "1s"},
        "scaleDown": {"window": format!("{}s", WINDOW.as_secs()), "halfLife": "2s", "verifyFor": "1s"}})
}

/// A window, a few steps, and the two minutes' pause after a step that a peak made look harmful, on a loaded machine.
const SETTLES_WITHIN: Duration = Duration::from_secs(240);
