//! One look of the controller at one autoscaler: metrics, stabilisation, limits, the write.
//!
//! kubernetes v1.37.2, `pkg/controller/podautoscaler/horizontal.go`, `reconcileAutoscaler` and what it calls.

use super::calculator::{Calculator, Metric, NoProposal, Reading, Scene, Tolerances};
use super::conditions::{Condition, Conditions, Reason};
use super::history::{History, Windows};
use super::rules::Behavior;

/// `spec` of a `HorizontalPodAutoscaler`, without its metrics: they come with their readings.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    pub min: i32,
    pub max: i32,
    pub behavior: Option<Behavior>,
}

/// Flags of kube-controller-manager, with their defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flags {
    /// Seconds between two looks.
    pub sync_period: f64,
    pub downscale_stabilization: f64,
    pub tolerance: f64,
    pub cpu_initialization: f64,
    pub initial_readiness_delay: f64,
    /// Feature gate `HPAScaleToZero`, on by default since 1.37.
    pub scale_to_zero: bool,
}

/// The controller, as far as it concerns one autoscaler.
#[derive(Clone, Debug, PartialEq)]
pub struct Controller {
    pub spec: Spec,
    flags: Flags,
    pub(super) history: History,
    pub(super) conditions: Conditions,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            sync_period: 15.0,
            downscale_stabilization: 300.0,
            tolerance: 0.1,
            cpu_initialization: 300.0,
            initial_readiness_delay: 30.0,
            scale_to_zero: true,
        }
    }
}

impl Controller {
    #[must_use]
    pub fn new(spec: Spec, flags: Flags) -> Self {
        Self { spec, flags, history: History::default(), conditions: Conditions::default() }
    }

    #[must_use]
    pub fn flags(&self) -> &Flags {
        &self.flags
    }

    #[must_use]
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// What is written to `/scale`; `None`: nothing.
    pub fn reconcile(&mut self, scene: &Scene<'_>, metrics: &[(Metric, Reading<'_>)]) -> Option<i32> {
        self.conditions.able_to_scale = Condition::when(true, Reason::SucceededGetScale);
        let current = scene.replicas;
        self.history.seed(current, scene.now);
        let to_zero_by_itself =
            self.flags.scale_to_zero && self.conditions.scaled_to_zero.is_some_and(|condition| condition.status);
        let can_be_zero = metrics.iter().any(|(metric, _)| metric.of_object_or_external());

        let desired = if current == 0 && !(to_zero_by_itself && (self.spec.min != 0 || can_be_zero)) {
            // Somebody else has set zero: the autoscaler is off, for as long as it stays so.
            self.conditions.scaling_active = Condition::when(false, Reason::ScalingDisabled);
            if !self.flags.scale_to_zero {
                self.conditions.scaled_to_zero = None;
            }
            return None;
        } else if current > self.spec.max {
            // The bounds come before every metric, window and rate.
            self.spec.max
        } else if current != 0 && current < self.spec.min {
            self.spec.min
        } else {
            let proposed = self.propose(scene, metrics).ok()?.max(0);
            let limited = match &self.spec.behavior {
                None => self.limit(scene, proposed),
                Some(_) => self.limit_by_behavior(scene, proposed),
            };
            let from_zero = current == 0 && self.spec.min != 0;
            if from_zero { limited.max(self.spec.min) } else { limited }
        };
        if desired == current {
            return None;
        }
        self.conditions.able_to_scale = Condition::when(true, Reason::SucceededRescale);
        if let Some(behavior) = &self.spec.behavior {
            let rules = if desired > current { &behavior.up } else { &behavior.down };
            self.history.stepped(current, desired, rules.longest_period(), scene.now);
        }
        self.conditions.scaled_to_zero = if !self.flags.scale_to_zero {
            None
        } else if current > 0 && desired == 0 && self.spec.min == 0 && can_be_zero {
            Condition::when(true, Reason::ScaledToZero)
        } else {
            Condition::when(false, Reason::NotScaledToZero)
        };
        Some(desired)
    }

    /// `computeReplicasForMetrics`: the largest counts; with one of them in error only a raise is done.
    fn propose(&mut self, scene: &Scene<'_>, metrics: &[(Metric, Reading<'_>)]) -> Result<i32, NoProposal> {
        let calculator = Calculator {
            tolerances: self.tolerances(),
            cpu_initialization: self.flags.cpu_initialization,
            initial_readiness_delay: self.flags.initial_readiness_delay,
        };
        let (mut replicas, mut failed, mut first) = (0, 0, None);
        for (metric, reading) in metrics {
            match calculator.replicas(scene, *metric, *reading) {
                Ok(proposed) if replicas == 0 || proposed > replicas => replicas = proposed,
                Ok(_) => {}
                Err(NoProposal) => {
                    failed += 1;
                    first = first.or_else(|| Some(metric.failure()));
                }
            }
        }
        match first {
            Some(reason) if failed >= metrics.len() || replicas < scene.replicas => {
                self.conditions.scaling_active = Condition::when(false, reason);
                Err(NoProposal)
            }
            Some(_) | None => {
                self.conditions.scaling_active = Condition::when(true, Reason::ValidMetricFound);
                Ok(replicas)
            }
        }
    }

    /// `normalizeDesiredReplicas`.
    fn limit(&mut self, scene: &Scene<'_>, proposed: i32) -> i32 {
        let stabilized = self.history.highest(proposed, self.flags.downscale_stabilization, scene.now);
        let steady = if stabilized == proposed { Reason::ReadyForNewScale } else { Reason::ScaleDownStabilized };
        self.conditions.able_to_scale = Condition::when(true, steady);
        let (desired, reason) = without_behavior(scene.replicas, stabilized, self.spec.min, self.spec.max);
        self.conditions.scaling_limited = Condition::when(desired != stabilized, reason);
        desired
    }

    /// `normalizeDesiredReplicasWithBehaviors`.
    fn limit_by_behavior(&mut self, scene: &Scene<'_>, proposed: i32) -> i32 {
        let windows = self.windows();
        let stabilized = self.history.between(scene.replicas, proposed, windows, scene.now);
        let steady = if stabilized == proposed {
            Reason::ReadyForNewScale
        } else if proposed >= scene.replicas {
            Reason::ScaleUpStabilized
        } else {
            Reason::ScaleDownStabilized
        };
        self.conditions.able_to_scale = Condition::when(true, steady);
        let (desired, reason) = self.at_its_rate(scene, stabilized);
        self.conditions.scaling_limited = Condition::when(desired != stabilized, reason);
        desired
    }

    /// `convertDesiredReplicasWithBehaviorRate`.
    pub(super) fn at_its_rate(&self, scene: &Scene<'_>, desired: i32) -> (i32, Reason) {
        let current = scene.replicas;
        let Some(behavior) = &self.spec.behavior else { return (desired, Reason::DesiredWithinRange) };
        if desired > current {
            let rate = behavior.up.most(current, &self.history, scene.now).max(current);
            let (most, reason) = if self.spec.max > rate {
                (rate, Reason::ScaleUpLimit)
            } else {
                (self.spec.max, Reason::TooManyReplicas)
            };
            if desired > most {
                return (most, reason);
            }
        } else if desired < current {
            let rate = behavior.down.fewest(current, &self.history, scene.now).min(current);
            let (fewest, reason) = if self.spec.min < rate {
                (rate, Reason::ScaleDownLimit)
            } else {
                (self.spec.min, Reason::TooFewReplicas)
            };
            if desired < fewest {
                return (fewest, reason);
            }
        }
        (desired, Reason::DesiredWithinRange)
    }

    fn tolerances(&self) -> Tolerances {
        let flag = self.flags.tolerance;
        self.spec.behavior.as_ref().map_or(Tolerances { down: flag, up: flag }, |behavior| behavior.tolerances(flag))
    }

    /// `maybeInitScaleDownStabilizationWindow`.
    fn windows(&self) -> Windows {
        let flag = self.flags.downscale_stabilization;
        self.spec.behavior.as_ref().map_or(Windows { up: 0.0, down: flag }, |behavior| Windows {
            up: behavior.up.window.unwrap_or(0.0),
            down: behavior.down.window.unwrap_or(flag),
        })
    }
}

impl Metric {
    fn of_object_or_external(self) -> bool {
        match self {
            Self::ObjectValue(_) | Self::ObjectAverage(_) | Self::ExternalValue(_) | Self::ExternalAverage(_) => true,
            Self::CpuUtilization(_) | Self::CpuAverage(_) | Self::Pods(_) => false,
        }
    }

    fn failure(self) -> Reason {
        match self {
            Self::CpuUtilization(_) | Self::CpuAverage(_) => Reason::FailedGetResourceMetric,
            Self::Pods(_) => Reason::FailedGetPodsMetric,
            Self::ObjectValue(_) | Self::ObjectAverage(_) => Reason::FailedGetObjectMetric,
            Self::ExternalValue(_) | Self::ExternalAverage(_) => Reason::FailedGetExternalMetric,
        }
    }
}

/// `convertDesiredReplicasWithRules`: without `behavior` a raise at most doubles, or reaches four.
pub(super) fn without_behavior(current: i32, desired: i32, min: i32, max: i32) -> (i32, Reason) {
    let rate = current.saturating_mul(2).max(4);
    let (most, reason) = if max > rate { (rate, Reason::ScaleUpLimit) } else { (max, Reason::TooManyReplicas) };
    if desired < min {
        (min, Reason::TooFewReplicas)
    } else if desired > most {
        (most, reason)
    } else {
        (desired, Reason::DesiredWithinRange)
    }
}
