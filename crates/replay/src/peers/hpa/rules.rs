//! `spec.behavior`: how fast replicas may change.
//!
//! kubernetes v1.37.2, `pkg/apis/autoscaling/v2/defaults.go` for what is left out, `horizontal.go` for the limits.

use super::calculator::Tolerances;
use super::history::History;
use crate::peers::go::int32;

/// Both directions, everything left out filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Behavior {
    pub up: Rules,
    pub down: Rules,
}

/// One direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Seconds over which recommendations are stabilised; `None`: as the controller's flag says (down only).
    pub window: Option<f64>,
    pub select: Select,
    pub policies: Vec<Policy>,
    /// `None`: as the controller's flag says.
    pub tolerance: Option<f64>,
}

/// Which of several policies counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    Max,
    Min,
    Disabled,
}

/// So much in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    pub change: Change,
    /// Seconds.
    pub period: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Pods(i32),
    Percent(i32),
}

impl Rules {
    /// What `scaleUp` is without anything written: twice, or four pods, in 15 seconds; no window.
    #[must_use]
    pub fn default_up() -> Self {
        Self {
            window: Some(0.0),
            select: Select::Max,
            policies: vec![Policy::pods(4, 15.0), Policy::percent(100, 15.0)],
            tolerance: None,
        }
    }

    /// What `scaleDown` is without anything written: everything in 15 seconds, behind the flag's window.
    #[must_use]
    pub fn default_down() -> Self {
        Self { window: None, select: Select::Max, policies: vec![Policy::percent(100, 15.0)], tolerance: None }
    }

    pub(super) fn longest_period(&self) -> f64 {
        self.policies.iter().map(|policy| policy.period).fold(0.0, f64::max)
    }

    /// `calculateScaleUpLimitWithScalingRules`.
    pub(super) fn most(&self, current: i32, history: &History, now: f64) -> i32 {
        let proposals = self.policies.iter().map(|policy| {
            let from = history.replicas_before(current, policy.period, now);
            match policy.change {
                Change::Pods(pods) => from.saturating_add(pods),
                Change::Percent(percent) => int32((f64::from(from) * (1.0 + f64::from(percent) / 100.0)).ceil()),
            }
        });
        match self.select {
            Select::Disabled => current,
            Select::Min => proposals.min().unwrap_or(i32::MAX),
            Select::Max => proposals.max().unwrap_or(i32::MIN),
        }
    }

    /// `calculateScaleDownLimitWithBehaviors`.
    pub(super) fn fewest(&self, current: i32, history: &History, now: f64) -> i32 {
        let proposals = self.policies.iter().map(|policy| {
            let from = history.replicas_before(current, policy.period, now);
            match policy.change {
                Change::Pods(pods) => from.saturating_sub(pods),
                Change::Percent(percent) => int32(f64::from(from) * (1.0 - f64::from(percent) / 100.0)),
            }
        });
        match self.select {
            Select::Disabled => current,
            Select::Min => proposals.max().unwrap_or(i32::MIN),
            Select::Max => proposals.min().unwrap_or(i32::MAX),
        }
    }
}

impl Behavior {
    /// `tolerancesForHpa`.
    pub(super) fn tolerances(&self, flag: f64) -> Tolerances {
        Tolerances { down: self.down.tolerance.unwrap_or(flag), up: self.up.tolerance.unwrap_or(flag) }
    }
}

impl Policy {
    #[must_use]
    pub fn pods(pods: i32, period: f64) -> Self {
        Self { change: Change::Pods(pods), period }
    }

    #[must_use]
    pub fn percent(percent: i32, period: f64) -> Self {
        Self { change: Change::Percent(percent), period }
    }
}
