//! Clusters start, take work, stand side by side and come back after a restart.

use std::time::Duration;

use anyhow::{Result, ensure};
use floorkeeper_rig::{Cluster, Options, eventually};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;

const BOUND: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn ten_pods_get_ready() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    cluster.kubectl(["create", "deployment", "web", "--image=web", "--replicas=10"]).await?;
    let ready = wait_for_ready(&cluster, "web", 10).await?;
    ensure!(ready == 10);
    Ok(())
}

async fn wait_for_ready(cluster: &Cluster, name: &str, count: i32) -> Result<i32> {
    let deployments = Api::<Deployment>::default_namespaced(cluster.client());
    eventually(&format!("{count} pods of {name} are ready"), BOUND, || async {
        let ready = deployments.get(name).await?.status.and_then(|status| status.ready_replicas).unwrap_or(0);
        ensure!(ready == count, "{ready} are");
        Ok(ready)
    })
    .await
}
