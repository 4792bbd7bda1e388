//! Every write, carried out on a real API server: what lands, what is refused, and what stays other people's.
//!
//! One control plane for all of it, a namespace for each story.

#[path = "apply/bounds.rs"]
mod bounds;
#[path = "apply/faults.rs"]
mod faults;
#[path = "apply/floors.rs"]
mod floors;
#[path = "apply/replicas.rs"]
mod replicas;
#[path = "apply/scaled_objects.rs"]
mod scaled_objects;
#[path = "apply/telling.rs"]
mod telling;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use floorkeeper::apply::{Kinds, Writer};
use floorkeeper::metrics::Metrics;
use floorkeeper_rig::{Cluster, Options};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind, ObjectMeta};
use serde_json::Value;

/// A namespace of its own on the shared control plane, and a writer to it.
struct Story {
    client: kube::Client,
    namespace: String,
    kinds: Arc<Kinds>,
    metrics: Arc<Metrics>,
    writer: Writer,
}

impl Story {
    async fn begin(cluster: &Cluster, namespace: &str) -> Result<Self> {
        let client = cluster.client();
        let metadata = ObjectMeta { name: Some(namespace.to_owned()), ..ObjectMeta::default() };
        let api: Api<Namespace> = Api::all(client.clone());
        api.create(&PostParams::default(), &Namespace { metadata, ..Namespace::default() }).await?;
        let (kinds, metrics) = (Arc::new(Kinds::default()), Arc::new(Metrics::new()));
        let writer = Writer::new(client.clone(), Arc::clone(&kinds), Arc::clone(&metrics));
        Ok(Self { client, namespace: namespace.to_owned(), kinds, metrics, writer })
    }

    fn api(&self, api_version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind)
    }

    async fn create(&self, api: &Api<DynamicObject>, object: Value) -> Result<DynamicObject> {
        let object: DynamicObject = serde_json::from_value(object)?;
        api.create(&PostParams::default(), &object).await.context("create")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_on_a_real_api_server() {
    let cluster = Cluster::start(Options::api_only()).await.unwrap();
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    floorkeeper_rig::keda::install_kinds(&cluster).await.unwrap();
    for file in ["floortables.yaml", "scalingpolicies.yaml"] {
        cluster.apply(&std::fs::read_to_string(crds.join(file)).unwrap()).await.unwrap();
    }
    cluster.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).await.unwrap();

    floors::rows_change_alone_and_stale_writers_are_refused(&cluster).await.context("floors").unwrap();
    replicas::raises_and_lowerings(&cluster).await.context("replicas").unwrap();
    replicas::any_scalable_kind(&cluster).await.context("kinds").unwrap();
    bounds::the_minimum_is_ours_and_all_else_the_owner_s(&cluster).await.context("bounds").unwrap();
    bounds::after_a_pin_the_maximum_is_the_owner_s_again(&cluster).await.context("pin").unwrap();
    bounds::what_does_not_fit_is_refused(&cluster).await.context("bounds that do not fit").unwrap();
    bounds::our_own_hpa(&cluster).await.context("own HPA").unwrap();
    scaled_objects::the_minimum_is_ours_and_all_else_the_owner_s(&cluster).await.context("ScaledObjects").unwrap();
    scaled_objects::after_a_pin_the_maximum_is_the_owner_s_again(&cluster).await.context("pin of those").unwrap();
    scaled_objects::one_that_idles_is_kept_awake(&cluster).await.context("idle ones").unwrap();
    telling::a_status_is_written_once(&cluster).await.context("status").unwrap();
    telling::notices_become_events(&cluster).await.context("events").unwrap();
}
