//! What is learned: two weeks told by a real Prometheus, stored, shown, and not forgotten by a restart.

mod stage;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Cluster, Exposition, Options, PastSeries, Prometheus, PrometheusOptions, eventually};
use serde_json::{Value, json};

use crate::stage::operator::Operator;
use crate::stage::shop::{Shop, WITHIN};

const MINUTES: usize = 14 * 1440;

#[tokio::test(flavor = "multi_thread")]
async fn two_weeks_are_learned_once() -> Result<()> {
    let (cluster, prometheus, _edge) = scene(&["web"]).await?;
    let mut operator = Operator::start(&cluster, "first")?;
    operator.ready().await?;
    let shop = Shop::open_bare(&cluster, "shop").await?;
    shop.policy(spec()).await?;
    // The first decision waits for nothing of it.
    shop.shows("scalingpolicy/web", "/status/demand/need", 7).await?;
    shop.shows("scalingpolicy/web", "/status/learned/past", "Known").await?;
    let learned = eventually("the history is stored", WITHIN, || shop.get("demandhistory/web")).await?;
    let days = learned["spec"]["days"].as_array().map(Vec::len).unwrap_or_default();
    ensure!((14..=15).contains(&days) && learned["spec"]["known"]["days"].as_i64() >= Some(12), "{}", learned["spec"]);
    ensure!(learned["spec"]["known"]["withinHourPercent"].as_i64().is_some_and(|percent| percent > 40), "{learned}");
    ensure!(learned["metadata"]["ownerReferences"][0]["name"] == "web", "{}", learned["metadata"]);
    println!("one history is {} bytes of JSON", learned.to_string().len());
    let status = eventually("status knows it", WITHIN, || async {
        let status = shop.get("scalingpolicy/web").await?["status"]["learned"].take();
        // What is unusual is known once the window is full.
        ensure!(status["days"].as_i64() >= Some(12) && status["hourNeeds"].as_i64() > Some(0), "{status}");
        Ok(status)
    })
    .await?;
    println!("{status}");
    let asked = prometheus.asked(RANGE).await?;
    ensure!(told(&operator) >= 4000, "two weeks in steps of five minutes: {}", told(&operator));
    let picture = explained(&cluster)?;
    ensure!(picture.contains("WHAT EACH HOUR NEEDED") && picture.contains('█'), "{picture}");

    operator.kill();
    let mut operator = Operator::start(&cluster, "second")?;
    operator.ready().await?;
    eventually("what was stored is known again", WITHIN, || async {
        let (_, metrics) = operator.get("/metrics").await?;
        let days = metrics.lines().find_map(|line| line.strip_prefix(DAYS)).context("no days")?;
        ensure!(days.trim().parse::<f64>()? >= 12.0, "{days}");
        Ok(())
    })
    .await?;
    // The day before the last write, for its peaks; not two weeks.
    ensure!((290..=340).contains(&told(&operator)), "{} points", told(&operator));
    let again = prometheus.asked(RANGE).await? - asked;
    ensure!(again <= 4, "the window, and a day in pieces: {again} requests, {asked} the first time");
    ensure!(
        shop.get("demandhistory/web").await?["metadata"]["resourceVersion"] == learned["metadata"]["resourceVersion"]
    );
    Ok(())
}

/// What a fleet costs its source, on request only: it takes minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_at_once() -> Result<()> {
    if std::env::var_os("FLOORKEEPER_SOAK").is_none_or(|value| value == "0") {
        println!("skipped: set FLOORKEEPER_SOAK=1 to see a hundred policies learn");
        return Ok(());
    }
    let names: Vec<String> = (0..100).map(|n| format!("web-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (cluster, prometheus, _edge) = scene(&names).await?;
    let shop = Shop::open_bare(&cluster, "shop").await?;
    for name in &names {
        let mut spec = spec();
        spec["targetRef"]["name"] = json!(name);
        shop.apply("floorkeeper.dev/v1alpha1", "ScalingPolicy", name, spec).await?;
    }
    let started = Instant::now();
    let operator = Operator::start(&cluster, "fleet")?;
    let bound = Duration::from_secs(300);
    eventually("all pasts are told", bound, || async {
        let told = points(&operator).len();
        ensure!(told >= names.len(), "{told}");
        Ok(())
    })
    .await?;
    println!("told after {:?}, {} range requests", started.elapsed(), prometheus.asked(RANGE).await?);
    eventually("all histories are stored", bound, || async {
        let stored = shop.kubectl(&["get", "dh", "-o", "name"]).await?.lines().count();
        ensure!(stored == names.len(), "{stored}");
        Ok(())
    })
    .await?;
    println!("stored after {:?}; peak memory {} MB", started.elapsed(), operator.peak_memory()? >> 20);
    Ok(())
}

/// A cluster with a source that remembers two weeks of these workloads of namespace `shop`: a day's wave, and the load of
/// now where it is left off.
async fn scene(names: &[&str]) -> Result<(Cluster, Prometheus, Exposition)> {
    let cluster = Cluster::start(Options::api_only()).await?;
    let crds = floorkeeper::cli::crds::files()?.into_iter().map(|(_, yaml)| format!("---\n{yaml}"));
    cluster.apply(&crds.collect::<String>()).await?;
    let edge = Exposition::start().await?;
    let options = PrometheusOptions::scraping("edge", &[&edge]);
    let prometheus =
        Prometheus::start(PrometheusOptions { past: Some(Duration::from_secs(15 * 86_400)), ..options }).await?;
    let wave = |minute: usize| {
        600.0 - 300.0 * (1.0 - f64::cos((MINUTES - minute) as f64 / 1440.0 * std::f64::consts::TAU)) / 2.0
    };
    for name in names {
        let past = PastSeries {
            name: "edge_load".to_owned(),
            labels: vec![("namespace".to_owned(), "shop".to_owned()), ("deployment".to_owned(), (*name).to_owned())],
            step: Duration::from_secs(60),
            // A series counts for five minutes after its last sample: the two must not be added.
            ends: Duration::from_secs(360),
            values: (0..MINUTES).map(wave).collect(),
        };
        prometheus.remember(&past).await?;
        edge.update(|metrics| metrics.set("edge_load", &[("namespace", "shop"), ("deployment", name)], 600.0));
    }
    let source =
        json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "MetricSource", "metadata": {"name": "default"},
        "spec": {"prometheus": {"url": prometheus.url()}, "interval": "500ms", "timeout": "10s", "demands": [
            {"name": "edge", "query": "sum by (namespace, deployment) (edge_load)",
             "labels": {"namespace": "namespace", "target": "deployment"}}]}})
        .to_string();
    eventually("the source is taken", WITHIN, || cluster.apply(&source)).await?;
    Ok((cluster, prometheus, edge))
}

fn spec() -> Value {
    json!({"targetRef": {"kind": "Deployment", "name": "web"}, "mode": "Autoscale", "maxReplicas": 20,
        "demand": {"capacity": "120"}})
}

/// How many points the source told of a policy's past, the last time.
fn told(operator: &Operator) -> u64 {
    points(operator).last().copied().unwrap_or_default()
}

fn points(operator: &Operator) -> Vec<u64> {
    let lines = operator.whole_log();
    let told = lines.lines().filter(|line| line.contains("the source has told the past"));
    let points = told.filter_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        line["points"].as_u64().or_else(|| line["fields"]["points"].as_u64())
    });
    points.collect()
}

fn explained(cluster: &Cluster) -> Result<String> {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_floorkeeper"))
        .args(["explain", "web", "-n", "shop", "--history", "--kubeconfig"])
        .arg(cluster.kubeconfig())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

const RANGE: &str = "/api/v1/query_range";

const DAYS: &str = r#"floorkeeper_learned_days{namespace="shop",policy="web"}"#;
