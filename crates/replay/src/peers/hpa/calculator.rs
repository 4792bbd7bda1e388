//! How many replicas one metric asks for.
//!
//! kubernetes v1.37.2, `pkg/controller/podautoscaler/replica_calculator.go` and `metrics/utilization.go`. All values are
//! thousandths in 64-bit integers and every division is the integer one of upstream: a utilization of 59.9 % is 59 %.

use super::pods::{Groups, Phase, PodView, Readiness};
use crate::peers::go::{float64, int32};

/// How far a usage may be from its target without anything being done.
///
/// `HPAConfigurableTolerance`, in 1.33 behind its gate and stable in 1.37: one for each direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerances {
    pub down: f64,
    pub up: f64,
}

/// What an autoscaler is told to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// `Resource` cpu with `averageUtilization`, percent.
    CpuUtilization(i32),
    /// `Resource` cpu with `averageValue`.
    CpuAverage(i64),
    /// `Pods` with `averageValue`.
    Pods(i64),
    /// `Object` with `value`.
    ObjectValue(i64),
    /// `Object` with `averageValue`.
    ObjectAverage(i64),
    /// `External` with `value`.
    ExternalValue(i64),
    /// `External` with `averageValue`.
    ExternalAverage(i64),
}

/// What the metrics API answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading<'a> {
    /// One value a pod: those of [`PodView::metric`].
    Pods(&'a [PodView]),
    /// One or more values, summed where the metric is external.
    Values(&'a [i64]),
    Failed,
}

/// What the calculation knows beside the metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scene<'a> {
    /// Seconds.
    pub now: f64,
    /// `scale.spec.replicas`.
    pub replicas: i32,
    /// `scale.status.replicas`.
    pub status_replicas: i32,
    /// Pods of the selector; only their readiness is used here.
    pub pods: &'a [PodView],
}

/// No replica count can be said; the metric's name is in the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoProposal;

/// One metric's replicas, before any limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Calculator {
    pub(super) tolerances: Tolerances,
    pub(super) cpu_initialization: f64,
    pub(super) initial_readiness_delay: f64,
}

impl Tolerances {
    fn within(&self, ratio: f64) -> bool {
        (1.0 - self.down..=1.0 + self.up).contains(&ratio)
    }
}

impl Calculator {
    pub(super) fn replicas(&self, scene: &Scene<'_>, metric: Metric, reading: Reading<'_>) -> Result<i32, NoProposal> {
        match (metric, reading) {
            (_, Reading::Failed) => Err(NoProposal),
            (Metric::CpuUtilization(target), Reading::Pods(pods)) => {
                let readiness = self.readiness(scene.now);
                let groups = Groups::of(pods, Some(&readiness));
                if !groups.requests_known {
                    return Err(NoProposal);
                }
                let full = i64::from(target.max(100));
                self.by_pods(scene, &groups, Usage::Utilization { target, full })
            }
            (Metric::CpuAverage(target), Reading::Pods(pods)) => {
                self.by_pods(scene, &Groups::of(pods, Some(&self.readiness(scene.now))), Usage::Average { target })
            }
            (Metric::Pods(target), Reading::Pods(pods)) => {
                self.by_pods(scene, &Groups::of(pods, None), Usage::Average { target })
            }
            (Metric::ObjectValue(target), Reading::Values(values)) => {
                self.by_ratio(scene, float64(*values.first().ok_or(NoProposal)?) / float64(target))
            }
            (Metric::ExternalValue(target), Reading::Values(values)) => {
                if values.is_empty() {
                    return Err(NoProposal);
                }
                // `GetExternalMetricReplicas` caps a sum at the largest int64 where it would wrap upward only.
                let sum = values.iter().try_fold(0_i64, |sum, value| match sum.checked_add(*value) {
                    None if *value > 0 => Err(i64::MAX),
                    sum => Ok(sum.unwrap_or(i64::MIN)),
                });
                self.by_ratio(scene, float64(sum.unwrap_or_else(|largest| largest)) / float64(target))
            }
            (Metric::ObjectAverage(target), Reading::Values(values)) => {
                let usage = *values.first().ok_or(NoProposal)?;
                Ok(self.by_average(scene, usage, target).map_or(scene.status_replicas, int32))
            }
            (Metric::ExternalAverage(target), Reading::Values(values)) => {
                if values.is_empty() {
                    return Err(NoProposal);
                }
                // `GetExternalPerPodMetricReplicas` takes every sum below zero for one that wrapped.
                let sum = values
                    .iter()
                    .try_fold(0_i64, |sum, value| sum.checked_add(*value).filter(|sum| *sum >= 0).ok_or(i64::MAX));
                let usage = sum.unwrap_or_else(|largest| largest);
                let most = f64::from(i32::MAX);
                Ok(self.by_average(scene, usage, target).map_or(scene.status_replicas, |bare| int32(bare.min(most))))
            }
            (Metric::CpuUtilization(_) | Metric::CpuAverage(_) | Metric::Pods(_), Reading::Values(_))
            | (
                Metric::ObjectValue(_)
                | Metric::ObjectAverage(_)
                | Metric::ExternalValue(_)
                | Metric::ExternalAverage(_),
                Reading::Pods(_),
            ) => Err(NoProposal),
        }
    }

    /// `GetResourceReplicas` and `calcPlainMetricReplicas`.
    fn by_pods(&self, scene: &Scene<'_>, groups: &Groups, usage: Usage) -> Result<i32, NoProposal> {
        let Groups { counted, unready, missing, ignored: _, requests_known: _ } = groups;
        if counted.pods == 0 {
            return Err(NoProposal);
        }
        let ratio = usage.ratio(counted.value, counted.request, counted.pods)?;
        let raises_with_unready = unready.pods > 0 && ratio > 1.0;
        if !raises_with_unready && missing.pods == 0 {
            if self.tolerances.within(ratio) {
                return Ok(scene.replicas);
            }
            return Ok(int32((ratio * float64(counted.pods)).ceil()));
        }

        // The pods without numbers count against the change: idle on the way up, fully used on the way down.
        let (mut value, mut request, mut pods) = (counted.value, counted.request, counted.pods);
        if missing.pods > 0 && ratio != 1.0 {
            value = value.saturating_add(if ratio < 1.0 { usage.assumed(missing.request, missing.pods) } else { 0 });
            request = request.saturating_add(missing.request);
            pods += missing.pods;
        }
        if raises_with_unready {
            request = request.saturating_add(unready.request);
            pods += unready.pods;
        }
        let rebalanced = usage.ratio(value, request, pods)?;
        let turned = (ratio < 1.0 && rebalanced > 1.0) || (ratio > 1.0 && rebalanced < 1.0);
        if self.tolerances.within(rebalanced) || turned {
            return Ok(scene.replicas);
        }
        let replicas = int32((rebalanced * float64(pods)).ceil());
        let contrary =
            (rebalanced < 1.0 && replicas > scene.replicas) || (rebalanced > 1.0 && replicas < scene.replicas);
        Ok(if contrary { scene.replicas } else { replicas })
    }

    /// `getUsageRatioReplicaCount`: the ratio is of the READY pods, not of the replicas.
    fn by_ratio(&self, scene: &Scene<'_>, ratio: f64) -> Result<i32, NoProposal> {
        if scene.replicas == 0 {
            return Ok(int32(ratio.ceil()));
        }
        if self.tolerances.within(ratio) {
            return Ok(scene.replicas);
        }
        if scene.pods.is_empty() {
            return Err(NoProposal);
        }
        let is_ready =
            |pod: &&PodView| pod.phase == Phase::Running && pod.ready.is_some_and(|condition| condition.status);
        let ready = i64::try_from(scene.pods.iter().filter(is_ready).count()).unwrap_or(i64::MAX);
        let replicas = ratio * float64(ready);
        Ok(if replicas > f64::from(i32::MAX) { i32::MAX } else { int32(replicas.ceil()) })
    }

    /// `usage / target` where it is far enough from what runs; `None`: leave it.
    fn by_average(&self, scene: &Scene<'_>, usage: i64, target: i64) -> Option<f64> {
        let ratio = float64(usage) / (float64(target) * f64::from(scene.status_replicas));
        (!self.tolerances.within(ratio)).then(|| (float64(usage) / float64(target)).ceil())
    }

    fn readiness(&self, now: f64) -> Readiness {
        let Self { tolerances: _, cpu_initialization, initial_readiness_delay } = *self;
        Readiness { now, cpu_initialization, initial_readiness_delay }
    }
}

/// The two ways in which pods' values become one ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Usage {
    /// Percent of what was asked for; `full`: what a pod without numbers is taken to use, percent.
    Utilization {
        target: i32,
        full: i64,
    },
    Average {
        target: i64,
    },
}

impl Usage {
    fn ratio(self, value: i64, request: i64, pods: i64) -> Result<f64, NoProposal> {
        match self {
            Self::Utilization { target, full: _ } => {
                let percent = value.saturating_mul(100).checked_div(request).ok_or(NoProposal)?;
                // `int32(...)` of an int64 wraps; a percentage that large does not occur.
                Ok(float64(percent) / f64::from(target))
            }
            Self::Average { target } => Ok(float64(value.checked_div(pods).ok_or(NoProposal)?) / float64(target)),
        }
    }

    fn assumed(self, request: i64, pods: i64) -> i64 {
        match self {
            Self::Utilization { target: _, full } => request.saturating_mul(full) / 100,
            Self::Average { target } => target.saturating_mul(pods),
        }
    }
}
