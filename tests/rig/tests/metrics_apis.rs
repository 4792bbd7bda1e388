//! The metrics APIs answer through the API server, well or badly as told.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Behaviour, Cluster, Described, MetricsApi, MetricsApis, Options, Usage, eventually};
use serde_json::Value;

const DISCOVERY: &str = "/apis/external.metrics.k8s.io/v1beta1";
const DEPTH: &str = "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/queue_depth";
const POD_USAGES: &str = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods";
const POD_QUEUES: &str =
    "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/pods/*/queue_length?labelSelector=run%3Dweb";
const BOUND: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn answers_as_told() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let apis = MetricsApis::start(&cluster).await?;
    apis.set_external("default", "queue_depth", &[("queue", "a")], 1.5);
    apis.set_external("default", "queue_depth", &[("queue", "b")], 2.0);
    apis.set_timestamp(Some("2024-03-05T01:36:00Z".parse()?));

    let answer = get(&cluster, &format!("{DEPTH}?labelSelector=queue%3Da")).await?;
    ensure!(answer["items"][0]["value"] == "1500m" && answer["items"][1].is_null(), "{answer}");
    ensure!(answer["items"][0]["timestamp"] == "2024-03-05T01:36:00Z", "{answer}");
    ensure!(get(&cluster, DEPTH).await?["items"].as_array().map(Vec::len) == Some(2));

    apis.set_behaviour(MetricsApi::External, Behaviour::Empty);
    ensure!(get(&cluster, DEPTH).await?["items"] == serde_json::json!([]));
    for (behaviour, words) in [(Behaviour::NotFound, "NotFound"), (Behaviour::Failing(503), "the test said so")] {
        apis.set_behaviour(MetricsApi::External, behaviour);
        let refusal = get(&cluster, DEPTH).await.err().context("it answers")?.to_string();
        ensure!(refusal.contains(words), "{behaviour:?}: {refusal}");
    }
    apis.set_behaviour(MetricsApi::External, Behaviour::Slow(Duration::from_secs(2)));
    let started = std::time::Instant::now();
    get(&cluster, DEPTH).await?;
    ensure!(started.elapsed() >= Duration::from_secs(2));

    // Of pods: only of those that run, by their labels.
    for name in ["web", "other"] {
        cluster.kubectl(["run", name, "--image=web"]).await?;
        let custom = Described { api_version: "v1", kind: "Pod", resource: "pods", name };
        apis.set_custom("default", custom, "queue_length", 7.0);
    }
    apis.set_usage("default", &[("run", "web")], Usage { cpu: 0.25, memory: 64e6 });
    eventually("the running pod has usage", BOUND, || async {
        let answer = get(&cluster, POD_USAGES).await?;
        let usage = &answer["items"][0]["containers"][0]["usage"];
        ensure!(usage["cpu"] == "250m" && usage["memory"] == "64000000" && answer["items"][1].is_null(), "{answer}");
        Ok(())
    })
    .await?;
    let answer = get(&cluster, POD_QUEUES).await?;
    ensure!(answer["items"][0]["describedObject"]["name"] == "web" && answer["items"][1].is_null(), "{answer}");

    get(&cluster, DISCOVERY).await?;
    apis.set_behaviour(MetricsApi::External, Behaviour::Down);
    let refusal = get(&cluster, DISCOVERY).await.err().context("its discovery answers")?.to_string();
    ensure!(refusal.contains("down"), "{refusal}");
    Ok(())
}

async fn get(cluster: &Cluster, path: &str) -> Result<Value> {
    Ok(serde_json::from_str(&cluster.kubectl(["get", "--raw", path]).await?)?)
}
