//! What an adapter between Prometheus and `external.metrics.k8s.io` does: asks, each period, and serves the last answer.

use std::sync::Arc;

use tokio::sync::RwLock;

use super::lane::{self, EDGE_METRIC, Lane, SERVICE};
use super::schedule::Schedule;
use crate::{MetricsApis, Prometheus};

/// Until it is aborted.
pub(super) async fn run(
    prometheus: Arc<RwLock<Prometheus>>,
    apis: Arc<MetricsApis>,
    schedule: Schedule,
    lanes: Vec<Lane>,
) {
    let query = lane::adapter_query(&schedule);
    let mut period = tokio::time::interval(lane::sync_period(&schedule));
    period.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        period.tick().await;
        let answer = prometheus.read().await.query(&query).await;
        for lane in &lanes {
            // No answer and no series are the same to an HPA: no value.
            let value = answer.as_ref().ok().and_then(|data| {
                let series = data["result"]
                    .as_array()?
                    .iter()
                    .find(|one| one["metric"]["namespace"] == lane.namespace.as_str())?;
                series["value"][1].as_str()?.parse::<f64>().ok()
            });
            match value {
                Some(load) => apis.set_external(&lane.namespace, EDGE_METRIC, &[("deployment", SERVICE)], load),
                None => apis.remove_external(&lane.namespace, EDGE_METRIC),
            }
        }
    }
}
