//! Tortoise: moves the bounds of an HPA on CPU along its own replicas of past weeks, and goes to the maximum without metrics.
//!
//! mercari/tortoise 6aafa97 (2026-02-10). The nearest relative of a learned floor: `minReplicas` is half of what ran at
//! this hour of this weekday. What the port leaves out: vertical scaling and the target utilization that follows from it, time
//! zones (upstream: Asia/Tokyo by default; here UTC).

#[cfg(test)]
mod rows;
mod slots;

use super::go::int32;
use super::hpa::{Behavior, Condition, Flags, Policy, Reason, Rules, count, unsigned};
use super::{Hpa, Peer, Pod, Sight, Terms};
use slots::Week;

/// `pkg/config/config.go`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    pub min_multiplier: f64,
    pub max_multiplier: f64,
    /// `ReplicaReductionFactor`.
    pub reduction: f64,
    pub minimum_min_replicas: i32,
    pub maximum_min_replicas: i32,
    pub maximum_max_replicas: i32,
    /// Seconds, `EmergencyModeGracePeriod`.
    pub grace: f64,
    /// Seconds of history before anything is done: a week.
    pub gathering: f64,
}

/// `status.tortoisePhase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    GatheringData,
    Working,
    Emergency,
    BackToNormal,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tortoise {
    config: Config,
    /// `spec.maxReplicas`.
    max: i32,
    hpa: Hpa,
    week: Week,
    phase: Phase,
    /// Unix seconds of the first thing it saw.
    first: Option<f64>,
    /// When the HPA's metrics began to fail.
    failing: Option<f64>,
}

/// What the HPA's status says of its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Fine,
    Unhealthy,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            min_multiplier: 0.5,
            max_multiplier: 2.0,
            reduction: 0.95,
            minimum_min_replicas: 3,
            maximum_min_replicas: 10,
            maximum_max_replicas: 100,
            grace: 300.0,
            gathering: 7.0 * 86_400.0,
        }
    }
}

impl Tortoise {
    /// Upstream's defaults, with the cluster-wide limits as wide as `terms`: their administrator would not want a service of
    /// this size to be kept at ten.
    #[must_use]
    pub fn new(terms: &Terms) -> Self {
        let (min, max) = (count(terms.min), count(terms.max));
        let config = Config {
            minimum_min_replicas: min,
            maximum_min_replicas: max,
            maximum_max_replicas: max,
            ..Config::default()
        };
        Self::with(terms, config)
    }

    #[must_use]
    pub fn with(terms: &Terms, config: Config) -> Self {
        // `pkg/hpa/service.go`, `defaultHPABehaviorValue`.
        let behavior = Behavior {
            up: Rules { policies: vec![Policy::percent(100, 60.0)], ..Rules::default_up() },
            down: Rules { policies: vec![Policy::percent(2, 90.0)], ..Rules::default_down() },
        };
        Self {
            config,
            max: count(terms.max),
            hpa: Hpa::on_cpu(terms).configured(Flags::default(), Some(behavior)),
            week: Week::new(),
            phase: Phase::GatheringData,
            first: None,
            failing: None,
        }
    }

    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    #[must_use]
    pub fn hpa(&self) -> &Hpa {
        &self.hpa
    }

    /// One reconciliation: phase, health, recommendations, the HPA's bounds.
    fn reconcile(&mut self, replicas: i32, unix: f64, health: Health) {
        let first = *self.first.get_or_insert(unix);
        match self.phase {
            Phase::GatheringData if unix - first >= self.config.gathering => self.phase = Phase::Working,
            // `UpdateTortoisePhase`: nobody has asked for the emergency, so it is over with the next look.
            Phase::Emergency => self.phase = Phase::BackToNormal,
            Phase::GatheringData | Phase::Working | Phase::BackToNormal => {}
        }
        if self.phase == Phase::Working && health == Health::Unhealthy {
            self.phase = Phase::Emergency;
        }
        match self.phase {
            Phase::GatheringData | Phase::Working => self.week.learn(replicas, unix, &self.config),
            // What an emergency runs must not teach.
            Phase::Emergency | Phase::BackToNormal => {}
        }
        if self.phase != Phase::GatheringData {
            let slot = self.week.at(unix);
            self.apply(slot.min.replicas, slot.max.replicas);
        }
    }

    /// `ChangeHPAFromTortoiseRecommendation`.
    fn apply(&mut self, min: i32, max: i32) {
        let max = max.min(self.max).min(self.config.maximum_max_replicas);
        let min = min.min(self.config.maximum_min_replicas);
        let min = match self.phase {
            Phase::Emergency => max,
            Phase::BackToNormal => {
                let now = count(self.hpa.bounds().0);
                let reduced = int32((f64::from(now) * self.config.reduction).trunc());
                if min > reduced {
                    self.phase = Phase::Working;
                    min
                } else {
                    reduced
                }
            }
            Phase::GatheringData | Phase::Working => min,
        };
        self.hpa.set_bounds(unsigned(min), unsigned(max));
    }

    /// `IsHpaMetricAvailable`. Upstream asks for a non-zero `current.value`, which the HPA controller leaves empty for a
    /// utilization; taken as its documentation has it: metrics that are all zero are none.
    fn health(&mut self, pods: &[Pod], now: f64) -> Health {
        let active = self.hpa.conditions().scaling_active;
        if active.is_some_and(|Condition { status, reason }| !status && reason == Reason::FailedGetResourceMetric) {
            let since = *self.failing.get_or_insert(now);
            return if now - since < self.config.grace { Health::Fine } else { Health::Unhealthy };
        }
        self.failing = None;
        let is_used = |pod: &Pod| pod.cpu.is_some_and(|cpu| cpu.share > 0.0);
        if active.is_none() || pods.iter().any(is_used) { Health::Fine } else { Health::Unhealthy }
    }
}

impl Peer for Tortoise {
    fn name(&self) -> &'static str {
        "tortoise"
    }

    /// `TortoiseUpdateInterval`, the same 15 seconds as the HPA's.
    fn period(&self) -> f64 {
        self.hpa.period()
    }

    fn remember(&mut self, unix: f64, replicas: u32) {
        self.reconcile(count(replicas), unix, Health::Fine);
    }

    fn sync(&mut self, sight: &Sight<'_>) -> Option<u32> {
        let health = self.health(sight.pods, sight.now);
        self.reconcile(count(sight.wanted), sight.epoch + sight.now, health);
        self.hpa.sync(sight)
    }
}
