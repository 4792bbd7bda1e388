//! Clusters start, take work, stand side by side and come back after a restart.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Cluster, Options, Signal, eventually};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};

const BOUND: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn ten_pods_get_ready_on_three_nodes() -> Result<()> {
    let mut cluster = Cluster::start(Options { nodes: 3, ..Options::default() }).await?;
    cluster.kubectl(["create", "deployment", "web", "--image=web", "--replicas=10"]).await?;
    let deployments = Api::<Deployment>::default_namespaced(cluster.client());
    eventually("10 pods are ready", BOUND, || async {
        let ready = deployments.get("web").await?.status.and_then(|status| status.ready_replicas);
        ensure!(ready == Some(10), "{ready:?} are");
        Ok(())
    })
    .await?;
    let hosts = cluster.kubectl(["get", "pods", "--output=jsonpath={.items[*].spec.nodeName}"]).await?;
    let hosts: std::collections::BTreeSet<&str> = hosts.split_whitespace().collect();
    ensure!(hosts.len() == 3, "the pods run on {hosts:?}");

    // Deleted pods really go, and a scale-down is carried out.
    cluster.kubectl(["scale", "deployment", "web", "--replicas=2"]).await?;
    eventually("2 pods are left", BOUND, || async {
        let names = cluster.kubectl(["get", "pods", "--output=name"]).await?;
        ensure!(names.lines().count() == 2, "{names}");
        Ok(())
    })
    .await?;

    // Controllers, scheduler and nodes find their way back after an outage.
    cluster.restart_api_server().await?;
    cluster.kubectl(["scale", "deployment", "web", "--replicas=4"]).await?;
    eventually("4 pods are ready", BOUND, || async {
        let ready = deployments.get("web").await?.status.and_then(|status| status.ready_replicas);
        ensure!(ready == Some(4), "{ready:?} are");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_api_server_answers_after_the_thaw() -> Result<()> {
    let mut cluster = Cluster::start(Options::api_only()).await?;
    let namespaces = Api::<Namespace>::all(cluster.client());
    cluster.signal_api_server(Signal::Freeze)?;
    // Signals arrive when they arrive: requests until one hangs.
    let hangs = || tokio::time::timeout(Duration::from_millis(500), namespaces.get("default"));
    eventually("a request hangs", BOUND, || async { hangs().await.map_or(Ok(()), |_| Err("it is answered")) }).await?;
    cluster.signal_api_server(Signal::Thaw)?;
    eventually("a request is answered", BOUND, || namespaces.get("default")).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_stand_side_by_side() -> Result<()> {
    let (one, two) = tokio::try_join!(Cluster::start(Options::api_only()), Cluster::start(Options::api_only()))?;
    ensure!(one.server() != two.server());
    let namespaces = |cluster: &Cluster| Api::<Namespace>::all(cluster.client());
    let namespace = serde_json::from_value(json!({"metadata": {"name": "only-here"}}))?;
    namespaces(&one).create(&PostParams::default(), &namespace).await?;
    ensure!(namespaces(&one).get_opt("only-here").await?.is_some());
    ensure!(namespaces(&two).get_opt("only-here").await?.is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn comes_back_with_its_data() -> Result<()> {
    let mut cluster = Cluster::start(Options::api_only()).await?;
    let maps = Api::<ConfigMap>::default_namespaced(cluster.client());
    let map = serde_json::from_value(json!({"metadata": {"name": "kept"}}))?;
    maps.create(&PostParams::default(), &map).await?;

    cluster.restart_api_server().await?;
    ensure!(maps.get_opt("kept").await?.is_some(), "lost over a restart of the API server");
    cluster.restart_etcd().await?;
    ensure!(maps.get_opt("kept").await?.is_some(), "lost over a restart of etcd");
    cluster.kill_api_server();
    ensure!(maps.get_opt("kept").await.is_err(), "a killed API server answers");
    cluster.start_api_server().await?;
    ensure!(maps.get_opt("kept").await?.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_control_plane_knows_no_mutating_policies() -> Result<()> {
    let policies = ["get", "mutatingadmissionpolicies"];
    let older = Options { mutating_admission_policy: false, ..Options::api_only() };
    let (newer, older) = tokio::try_join!(Cluster::start(Options::api_only()), Cluster::start(older))?;
    newer.kubectl(policies).await?;
    let refusal = older.kubectl(policies).await.err().context("it serves them")?.to_string();
    ensure!(refusal.contains("doesn't have a resource type"), "{refusal}");
    older.kubectl(["get", "validatingadmissionpolicies"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_may_do_what_it_is_given_and_is_audited() -> Result<()> {
    let cluster = Cluster::start(Options { audit_log: true, ..Options::api_only() }).await?;
    cluster.kubectl(["create", "serviceaccount", "reader"]).await?;
    cluster.kubectl(["create", "role", "reader", "--verb=list", "--resource=configmaps"]).await?;
    let grant = ["create", "rolebinding", "reader", "--role=reader", "--serviceaccount=default:reader"];
    cluster.kubectl(grant).await?;
    let token = cluster.service_account_token("default", "reader").await?;
    let client = cluster.client_for(&cluster.kubeconfig_with_token("reader", &token)?).await?;
    let maps = Api::<ConfigMap>::default_namespaced(client);
    // The authorizer learns of the binding by watch.
    eventually("the reader may read", BOUND, || async { maps.list(&ListParams::default()).await }).await?;
    let map = serde_json::from_value(json!({"metadata": {"name": "refused"}}))?;
    let refusal = maps.create(&PostParams::default(), &map).await.err().context("a reader may write")?;
    ensure!(matches!(&refusal, kube::Error::Api(status) if status.is_forbidden()), "{refusal}");

    eventually("the refusal is in the audit log", BOUND, || async {
        let log = tokio::fs::read_to_string(cluster.audit_log()).await?;
        let refused = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).any(|event| {
            event["user"]["username"] == "system:serviceaccount:default:reader"
                && event["verb"] == "create"
                && event["responseStatus"]["code"] == 403
        });
        ensure!(refused, "no such line");
        Ok(())
    })
    .await
}
