//! A real Prometheus scrapes what a test exposes, and tells when it can't.

use std::time::Duration;

use anyhow::{Result, ensure};
use floorkeeper_rig::{Availability, Data, Exposition, Prometheus, PrometheusOptions, eventually};

const BOUND: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn scrapes_and_answers() -> Result<()> {
    let edge = Exposition::start().await?;
    let app = Exposition::start().await?;
    edge.update(|metrics| metrics.add("edge_requests_total", &[("service", "web")], 100.0));
    let mut prometheus = Prometheus::start(PrometheusOptions::scraping("edge", &[&edge, &app])).await?;
    value_becomes(&prometheus, "sum(up)", Some(2.0)).await?;
    value_becomes(&prometheus, "edge_requests_total{job='edge',service='web'}", Some(100.0)).await?;

    for availability in [Availability::Refusing, Availability::Failing(500), Availability::Slow(BOUND)] {
        app.set_availability(availability);
        value_becomes(&prometheus, "sum(up)", Some(1.0)).await?;
        app.set_availability(Availability::Up);
        value_becomes(&prometheus, "sum(up)", Some(2.0)).await?;
    }

    // Only what was kept can be seen over the gap.
    edge.update(|metrics| metrics.remove("edge_requests_total", &[("service", "web")]));
    value_becomes(&prometheus, "edge_requests_total", None).await?;
    prometheus.restart(Data::Kept).await?;
    value_becomes(&prometheus, "max_over_time(edge_requests_total[5m])", Some(100.0)).await?;
    prometheus.restart(Data::Lost).await?;
    ensure!(prometheus.value("max_over_time(edge_requests_total[5m])").await?.is_none(), "an empty TSDB remembers");
    value_becomes(&prometheus, "sum(up)", Some(2.0)).await?;

    prometheus.stop();
    ensure!(prometheus.value("1").await.is_err(), "a stopped Prometheus answers");
    Ok(())
}

async fn value_becomes(prometheus: &Prometheus, query: &str, expected: Option<f64>) -> Result<()> {
    eventually(&format!("{query} is {expected:?}"), BOUND, || async {
        let value = prometheus.value(query).await?;
        ensure!(value == expected, "it is {value:?}");
        Ok(())
    })
    .await
}
