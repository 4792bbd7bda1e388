//! What a trigger says while its query fails.
//!
//! kedacore/keda 8b4f083, `pkg/fallback/fallback.go`.

use super::prometheus::QueryFailed;
use crate::peers::go::{float64, int64};

/// `spec.fallback`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// Failures in a row that are passed on as errors; one more and the fallback holds.
    pub failure_threshold: i32,
    pub replicas: i32,
    pub behavior: FallbackBehavior,
}

/// Which replicas the metric is made up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FallbackBehavior {
    /// Upstream's default, and it can lower.
    Static,
    CurrentReplicas,
    CurrentReplicasIfHigher,
    CurrentReplicasIfLower,
}

/// `threshold` of the trigger in thousandths, and its `metricType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// What one replica carries.
    AverageValue(i64),
    /// What the metric should be, whatever the replicas.
    Value(i64),
}

/// The metric as the HPA gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Given {
    /// Thousandths.
    pub(super) quantity: i64,
    pub(super) fallback: bool,
}

/// `status.health` of one trigger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) failures: i32,
}

impl Fallback {
    /// `HasValidFallback`.
    fn is_valid(&self) -> bool {
        self.failure_threshold >= 0 && self.replicas >= 0
    }

    fn wanted(&self, current: i32) -> i32 {
        match self.behavior {
            FallbackBehavior::Static => self.replicas,
            FallbackBehavior::CurrentReplicas => current,
            FallbackBehavior::CurrentReplicasIfHigher => current.max(self.replicas),
            FallbackBehavior::CurrentReplicasIfLower => current.min(self.replicas),
        }
    }
}

impl Health {
    /// `GetMetricsWithFallback`: counts, and answers for the query once it has failed too often. `current`: replicas of the
    /// target, `ready`: how many of them are ready.
    pub(super) fn given(
        &mut self,
        answer: Result<i64, QueryFailed>,
        fallback: Option<&Fallback>,
        target: Target,
        (current, ready): (i32, i32),
    ) -> Result<Given, QueryFailed> {
        let fallback = fallback.filter(|fallback| fallback.is_valid());
        match (answer, fallback) {
            (Ok(quantity), None) => Ok(Given { quantity, fallback: false }),
            (Ok(quantity), Some(_)) => {
                self.failures = 0;
                Ok(Given { quantity, fallback: false })
            }
            (Err(failed), None) => Err(failed),
            (Err(failed), Some(fallback)) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures <= fallback.failure_threshold {
                    return Err(failed);
                }
                made_up(fallback.wanted(current), target, ready).map(|quantity| Given { quantity, fallback: true })
            }
        }
    }
}

/// `doFallback`: the value at which the HPA's own formula arrives at `replicas`.
fn made_up(replicas: i32, target: Target, ready: i32) -> Result<i64, QueryFailed> {
    let (threshold, replicas) = match target {
        Target::AverageValue(threshold) => (threshold, f64::from(replicas)),
        Target::Value(_) if ready == 0 => return Err(QueryFailed),
        Target::Value(threshold) => (threshold, f64::from(replicas) / f64::from(ready)),
    };
    Ok(int64(float64(threshold) / 1_000.0 * 1_000.0 * replicas))
}
