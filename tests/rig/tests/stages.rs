//! Pods behave as their label says.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::stages::{
    BEHAVIOUR, BROKEN, FAILING_START, FLAPPING, READY_FOR, SLOW_START, START_DELAY, UNREADY_FOR,
};
use floorkeeper_rig::{Cluster, Options, eventually};
use k8s_openapi::api::core::v1::{Pod, PodCondition};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

const BOUND: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn pods_behave_as_their_label_says() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let pods = Api::<Pod>::default_namespaced(cluster.client());
    create(&pods, "plain", None, &[]).await?;
    create(&pods, "slow", Some(SLOW_START), &[(START_DELAY, "4s")]).await?;
    create(&pods, "failing", Some(FAILING_START), &[]).await?;
    create(&pods, "flapping", Some(FLAPPING), &[(READY_FOR, "1500ms"), (UNREADY_FOR, "1500ms")]).await?;

    ready_becomes(&pods, "plain", "True").await?;

    // Running long before it is Ready: whole seconds in the API leave one of doubt.
    ready_becomes(&pods, "slow", "False").await?;
    ready_becomes(&pods, "slow", "True").await?;
    let slow = pods.get("slow").await?;
    let started = slow.status.as_ref().and_then(|status| status.start_time.as_ref()).context("no start time")?.0;
    let ready = ready(&slow).and_then(|condition| condition.last_transition_time).context("no transition time")?.0;
    ensure!((ready - started).get_seconds() >= 3, "started {started}, ready {ready}");

    ready_becomes(&pods, "failing", "False").await?;
    let failing = pods.get("failing").await?.status.and_then(|status| status.container_statuses).unwrap_or_default();
    let waiting = failing.first().and_then(|status| status.state.as_ref()?.waiting.as_ref()?.reason.clone());
    ensure!(waiting.as_deref() == Some("CrashLoopBackOff"), "{failing:?}");

    // Both ways, twice.
    for status in ["False", "True", "False", "True"] {
        ready_becomes(&pods, "flapping", status).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_pod_breaks_and_recovers() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let pods = Api::<Pod>::default_namespaced(cluster.client());
    create(&pods, "plain", None, &[]).await?;
    ready_becomes(&pods, "plain", "True").await?;
    for (behaviour, status) in [(Some(BROKEN), "False"), (None, "True"), (Some(FAILING_START), "False"), (None, "True")]
    {
        let patch = Patch::Merge(json!({"metadata": {"labels": {BEHAVIOUR: behaviour}}}));
        pods.patch("plain", &PatchParams::default(), &patch).await?;
        ready_becomes(&pods, "plain", status).await?;
    }
    Ok(())
}

async fn create(pods: &Api<Pod>, name: &str, behaviour: Option<&str>, annotations: &[(&str, &str)]) -> Result<()> {
    let labels: BTreeMap<&str, &str> = behaviour.map(|behaviour| (BEHAVIOUR, behaviour)).into_iter().collect();
    let annotations: BTreeMap<&str, &str> = annotations.iter().copied().collect();
    let pod = json!({
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    });
    pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    Ok(())
}

/// By polling: a state that lasts a second or more is seen.
async fn ready_becomes(pods: &Api<Pod>, name: &str, status: &str) -> Result<()> {
    eventually(&format!("Ready of {name} is {status}"), BOUND, || async {
        let now = ready(&pods.get(name).await?).map(|condition| condition.status);
        ensure!(now.as_deref() == Some(status), "it is {now:?}");
        Ok(())
    })
    .await
}

fn ready(pod: &Pod) -> Option<PodCondition> {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().find(|condition| condition.type_ == "Ready").cloned()
}
