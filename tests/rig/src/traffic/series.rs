//! What an edge proxy and the service itself expose: counters that only grow, and what a fault of the source makes of them.
//!
//! Counters grow by requests of real seconds: `rate()` of them gives the scenario's load, at whatever speed it is played.

use std::collections::BTreeSet;

use floorkeeper_sim::Outputs;
use floorkeeper_sim::scenario::Said;

use crate::Metrics;

/// The counters of one workload.
#[derive(Debug, Clone)]
pub(super) struct Counters {
    namespace: String,
    deployment: String,
    /// Pods that have a series of their own.
    pods: BTreeSet<String>,
}

/// What the source says now about the three metrics.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sayings {
    pub edge: Said,
    pub errors: Said,
    pub app: Said,
}

impl Counters {
    pub(super) fn new(namespace: &str, deployment: &str) -> Self {
        Self { namespace: namespace.to_owned(), deployment: deployment.to_owned(), pods: BTreeSet::new() }
    }

    /// `seconds` of real time pass. `pods`: names of the ready ones.
    pub(super) fn count(
        &mut self,
        metrics: &mut Metrics,
        out: &Outputs,
        said: &Sayings,
        pods: &[String],
        seconds: f64,
    ) {
        let target = [("namespace", self.namespace.as_str()), ("deployment", self.deployment.as_str())];
        for (place, (name, share)) in EDGES.iter().enumerate() {
            let labels = [target[0], target[1], ("edge", name)];
            let mut add = |metric: &str, code: Option<&str>, rate: f64, said: &Said| {
                let coded = [labels[0], labels[1], labels[2], ("code", code.unwrap_or_default())];
                let labels = if code.is_some() { &coded[..] } else { &labels[..] };
                if is_gone(place, EDGES.len(), said.missing) {
                    metrics.remove(metric, labels);
                } else {
                    metrics.add(metric, labels, rate * said.factor * share * seconds);
                }
            };
            add(REQUESTS, None, out.arriving, &said.edge);
            add(RESPONSES, Some("200"), out.served, &said.errors);
            add(RESPONSES, Some("503"), out.failed, &said.errors);
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of pods")]
        let each = (out.served + out.failed) * said.app.factor / pods.len().max(1) as f64;
        let shown: BTreeSet<String> = pods
            .iter()
            .enumerate()
            .filter(|(place, _)| !is_gone(*place, pods.len(), said.app.missing))
            .map(|(_, pod)| pod.clone())
            .collect();
        for pod in self.pods.difference(&shown) {
            metrics.remove(HANDLED, &[target[0], target[1], ("pod", pod)]);
        }
        for pod in &shown {
            metrics.add(HANDLED, &[target[0], target[1], ("pod", pod)], each * seconds);
        }
        self.pods = shown;
    }
}

/// Whether the series at `place` of `count` is among the missing share: the last ones go first.
fn is_gone(place: usize, count: usize, missing: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "counts of series")]
    let (place, kept) = (place as f64, (count as f64 * (1.0 - missing)).round());
    place >= kept
}

/// Requests at the edge: the offered load.
pub(super) const REQUESTS: &str = "edge_requests_total";
/// Responses of the edge, by `code`.
pub(super) const RESPONSES: &str = "edge_responses_total";
/// What the service counts itself, by `pod`.
pub(super) const HANDLED: &str = "app_requests_total";

/// Replicas of the edge proxy: enough that some can be lost and some remain; never quite equally loaded.
const EDGES: [(&str, f64); 4] = [("edge-0", 0.27), ("edge-1", 0.26), ("edge-2", 0.24), ("edge-3", 0.23)];

#[cfg(test)]
mod tests {
    use super::*;

    const TRUE: Said = Said { factor: 1.0, missing: 0.0, odd: None, late: 0.0, ahead: 0.0 };

    fn text(edge: Said, errors: Said) -> String {
        let said = Sayings { edge, errors, app: TRUE };
        let (mut metrics, mut counters) = (Metrics::default(), Counters::new("shop", "web"));
        let out = Outputs { arriving: 100.0, served: 60.0, failed: 40.0, ..Outputs::default() };
        counters.count(&mut metrics, &out, &said, &["a".to_owned(), "b".to_owned()], 2.0);
        counters.count(&mut metrics, &out, &said, &["b".to_owned()], 1.0);
        metrics.text()
    }

    fn sum(text: &str, metric: &str) -> f64 {
        let lines = text.lines().filter(|line| line.starts_with(metric));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    #[test]
    fn counters_add_up_to_what_arrived() {
        let text = text(TRUE, TRUE);
        assert!((sum(&text, REQUESTS) - 300.0).abs() < 1e-9, "{text}");
        assert!((sum(&text, RESPONSES) - 300.0).abs() < 1e-9);
        assert!((sum(&text, HANDLED) - 200.0).abs() < 1e-9, "a pod that is gone takes its counter with it");
        assert_eq!(text.matches("code=\"503\"").count(), 4);
    }

    #[test]
    fn a_zero_is_there_and_a_missing_series_is_not() {
        let zero = text(Said { factor: 0.0, ..TRUE }, TRUE);
        assert_eq!((sum(&zero, REQUESTS), zero.matches("edge_requests_total{").count()), (0.0, 4));
        assert!(sum(&zero, RESPONSES) > 0.0);
        let partial = text(Said { missing: 0.75, ..TRUE }, Said { missing: 1.0, ..TRUE });
        assert_eq!(partial.matches("edge_requests_total{").count(), 1);
        assert_eq!(partial.matches("edge_responses_total{").count(), 0);
    }
}
