//! The alert rules in a real Prometheus: each one sees its own fault, and none sees one where all is well.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use floorkeeper_rig::{Data, Exposition, Metrics, Prometheus, PrometheusOptions, eventually};
use serde_json::Value;

const RULES: &str = include_str!("../../deploy/alerts/floorkeeper.rules.yaml");

/// All is well with one policy and one source.
fn healthy(metrics: &mut Metrics) {
    metrics.set("floorkeeper_build_info", &[("version", "0")], 1.0);
    metrics.set("floorkeeper_policies", &[], 1.0);
    metrics.set("floorkeeper_leader", &[], 1.0);
    metrics.add("floorkeeper_decisions_total", &[("verdict", "Steady")], 1.0);
    metrics.set("floorkeeper_source_up", &[("source", "good")], 1.0);
    metrics.add("floorkeeper_writes_total", &[("kind", "Floors"), ("outcome", "Done")], 1.0);
    let policy = &[("namespace", "a"), ("policy", "good")];
    for (name, value) in [("trust", 2.0), ("floor_replicas", 10.0), ("price_replicas", 1.0), ("contested_undos", 0.0)] {
        metrics.set(&format!("floorkeeper_{name}"), policy, value);
    }
    metrics.set("floorkeeper_limited_replicas", policy, 0.0);
}

/// Beside the healthy one, a policy or source for each fault.
fn faulty(metrics: &mut Metrics, round: f64) {
    healthy(metrics);
    metrics.set("floorkeeper_leader", &[], 0.0);
    metrics.set("floorkeeper_source_up", &[("source", "down")], 0.0);
    let mut policy = |metric: &str, policy: &str, value: f64| {
        metrics.set(&format!("floorkeeper_{metric}"), &[("namespace", "a"), ("policy", policy)], value);
    };
    policy("trust", "blind", 0.0);
    policy("trust", "doubtful", 1.0);
    policy("floor_replicas", "dear", 10.0);
    policy("price_replicas", "dear", 4.0);
    policy("contested_undos", "contested", 3.0);
    policy("limited_replicas", "limited", 90.0);
    let doubt = [("namespace", "a"), ("policy", "failing"), ("reason", "ErrorsHigh")];
    metrics.set("floorkeeper_doubt", &doubt, 1.0);
    metrics.set("floorkeeper_problems", &[("reason", "ScalerNotFound")], 1.0);
    metrics.set("floorkeeper_notices_total", &[("reason", "CorrelatedFall")], 1.0);
    metrics.set("floorkeeper_writes_total", &[("kind", "Bounds"), ("outcome", "Forbidden")], round);
    // No decisions any more.
    metrics.set("floorkeeper_decisions_total", &[("verdict", "Steady")], 7.0);
}

/// Alert and what it is about, for those that are pending or firing.
async fn raised(prometheus: &Prometheus) -> Result<BTreeSet<String>> {
    let answer = prometheus.query("ALERTS").await?;
    let alerts = answer["result"].as_array().context("no result")?;
    let text = |labels: &Value, name: &str| labels[name].as_str().unwrap_or_default().to_owned();
    Ok(alerts
        .iter()
        .map(|alert| &alert["metric"])
        .map(|labels| {
            let about = ["policy", "source", "outcome", "reason"].iter().map(|name| text(labels, name));
            format!("{} {}", text(labels, "alertname"), about.collect::<Vec<_>>().join("")).trim().to_owned()
        })
        .collect())
}

#[tokio::test]
async fn each_alert_sees_its_own_fault() -> Result<()> {
    let keeper = Exposition::start().await?;
    let rules: Value = serde_saphyr::from_str(RULES)?;
    let mut options = PrometheusOptions::scraping("floorkeeper", &[&keeper]);
    options.rule_groups = Some(rules["groups"].clone());
    let mut prometheus = Prometheus::start(options).await?;

    let mut round = 0.0;
    let expected: BTreeSet<String> = EXPECTED.iter().map(|alert| (*alert).to_owned()).collect();
    eventually("each fault is seen", BOUND, || {
        round += 1.0;
        keeper.update(|metrics| faulty(metrics, round));
        let raised = raised(&prometheus);
        let expected = &expected;
        async move {
            let raised = raised.await?;
            ensure!(raised == *expected, "{:#?}", raised.symmetric_difference(expected).collect::<Vec<_>>());
            Ok(())
        }
    })
    .await?;

    keeper.update(Metrics::clear);
    prometheus.restart(Data::Lost).await?;
    // Counters that move, for as long as it takes until a rate can be computed and the rules have seen it.
    eventually("all is well and the rules have looked at it", BOUND, || {
        keeper.update(healthy);
        let rate = prometheus.value("sum(rate(floorkeeper_decisions_total[5m])) > 0");
        async move { rate.await?.context("no rate yet") }
    })
    .await?;
    eventually("nothing is alarmed", BOUND, || async {
        let raised = raised(&prometheus).await?;
        ensure!(raised.is_empty(), "{raised:?}");
        Ok(())
    })
    .await?;

    keeper.update(Metrics::clear);
    eventually("its absence is seen", BOUND, || async {
        let raised = raised(&prometheus).await?;
        ensure!(raised.contains("FloorkeeperDown"), "{raised:?}");
        Ok(())
    })
    .await
}

const EXPECTED: [&str; 12] = [
    "FloorkeeperBrakeTripped CorrelatedFall",
    "FloorkeeperContested contested",
    "FloorkeeperHoldingAtAPrice dear",
    "FloorkeeperNoLeader",
    "FloorkeeperNotDeciding",
    "FloorkeeperPolicyBlind blind",
    "FloorkeeperPolicyBroken ScalerNotFound",
    "FloorkeeperPolicyInDoubt doubtful",
    "FloorkeeperScalingLimited limited",
    "FloorkeeperServiceFailing failingErrorsHigh",
    "FloorkeeperSourceBlind down",
    "FloorkeeperWritesFailing Forbidden",
];

/// Some scrapes and evaluations, each a second apart.
const BOUND: std::time::Duration = std::time::Duration::from_secs(60);
