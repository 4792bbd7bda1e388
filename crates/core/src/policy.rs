//! A policy whose values cannot be wrong: parsed once, at the border, from a `ScalingPolicy`.

use core::time::Duration;
use std::sync::Arc;

use crate::key::TargetKey;
use crate::time::Timestamp;

/// What one `ScalingPolicy` asks for, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub target: TargetKey,
    pub mode: Mode,
    /// `None`: the scaler's own minimum (Guard), else 1.
    pub min_replicas: Option<u32>,
    /// `None`: the scaler's own maximum (Guard). Without a scaler the border requires a value.
    pub max_replicas: Option<u32>,
    /// At least one, except in Observe.
    pub signals: Vec<Signal>,
    /// Room above the measured load: 25 means that capacity for 1.25 times the load is kept.
    pub headroom_percent: u32,
    pub errors: Option<Errors>,
    /// Share of pods that were ready and are not which makes the load doubtful, 1..=100.
    pub unready_percent: u32,
    pub depends_on: Vec<TargetKey>,
    pub fall: UnusualFall,
    /// The longest that doubt holds a floor before the known demand is followed down again.
    pub hold_at_most: Duration,
    /// How long a peak is remembered, and how long evidence must be complete before a floor falls.
    pub window: Duration,
    /// Without a learned limit a floor takes this long to fall by half.
    pub half_life: Duration,
    /// How long each step down is watched before the next.
    pub verify_for: Duration,
    /// How often the source is asked; the expected distance of two samples.
    pub resolution: Duration,
    /// The source that the demand signals come from: falls that many of its readers share trip the brake.
    pub source: Arc<str>,
    /// Creation of the policy: of two policies on one target the older owns it.
    pub created: Timestamp,
}

impl Policy {
    /// How far back the past matters: ask a source for so much of it.
    #[must_use]
    pub fn memory(&self) -> Duration {
        self.window.max(FALL_MEMORY)
    }

    /// What needs are reckoned by: load that one replica carries with headroom, of each signal.
    pub(crate) fn reckoned_by(&self) -> Vec<f64> {
        let room = 1.0 + f64::from(self.headroom_percent) / 100.0;
        self.signals.iter().map(|signal| signal.capacity.unwrap_or(0.0) / room).collect()
    }

    /// How many times as much is needed now as when needs were reckoned so; `None` where no factor says it.
    pub(crate) fn rescaled(&self, before: &[f64]) -> Option<f64> {
        let now = self.reckoned_by();
        let (first_before, first) = (before.first()?, now.first()?);
        let factor = first_before / first;
        let alike = |(before, now): (&f64, &f64)| (before / now / factor - 1.0).abs() < 1e-6;
        let same = before.len() == now.len() && before.iter().zip(&now).all(alike);
        (same && factor.is_finite() && factor > 0.0).then_some(factor)
    }

    /// The same of another policy; `None` too where its signals are others.
    pub(crate) fn reckons_like(&self, before: &Self) -> Option<f64> {
        let names = |policy: &Self| policy.signals.iter().map(|signal| Arc::clone(&signal.name)).collect::<Vec<_>>();
        if names(self) == names(before) { self.rescaled(&before.reckoned_by()) } else { None }
    }
}

/// A fall is unusual against the peak of so long a time.
pub(crate) const FALL_MEMORY: Duration = Duration::from_secs(3600);

/// How far floorkeeper may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Decide and report; write nothing but status.
    Observe,
    /// Keep the bounds of the scaler that scales the target.
    Guard,
    /// Own an HPA made from `utilization` and keep its bounds.
    AutoscaleUtilization,
    /// No scaler exists: write replicas, both ways.
    Autoscale,
}

/// A named series of readings of offered load.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    pub name: Arc<str>,
    /// Load, in the signal's unit a second, that one replica carries safely. Finite and above zero.
    /// `None` (Observe only): the need is not known, an estimate is reported.
    pub capacity: Option<f64>,
    /// A sample older than this is no information.
    pub max_age: Duration,
    pub zero: ZeroMeans,
    /// Work already waiting, to be drained within this time on top of the arriving load.
    pub drain_within: Option<Duration>,
}

/// What a zero from this signal means where neither age nor series count can confirm it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZeroMeans {
    /// Zero only with evidence: fresh series, all of them.
    Evidence,
    /// The author vouches that a zero is a zero.
    Zero,
    /// Never believe a zero.
    Unknown,
}

/// When failures make the load doubtful.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errors {
    /// Share of failed work above which the load is in doubt, in (0, 1).
    pub above: f64,
    /// Total work a second under which the share is not judged.
    pub min_rate: f64,
}

/// How a fall that this workload does not usually show is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnusualFall {
    pub hold_for: Duration,
    pub keep_percent: u32,
    /// Counted from the onset of the fall; at least `hold_for`.
    pub keep_for: Duration,
    /// Until this workload's own falls are learned: load under this share of the last hour's peak is unusual.
    pub until_learned_percent: u32,
    /// What so many days of the last two weeks showed is usual: the quantile of what is learned. [`Self::USUAL_DAYS`],
    /// which nobody sets; replay shows what others would do.
    pub usual_days: u32,
}

impl UnusualFall {
    /// A bad day alone sets nothing, nor do two.
    pub const USUAL_DAYS: u32 = 3;

    /// What is usually left of the last hour's peak, until this workload's own falls are learned.
    pub(crate) fn untaught(&self) -> f64 {
        f64::from(self.until_learned_percent) / 100.0
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    pub(crate) fn signal(name: &str, capacity: f64) -> Signal {
        let max_age = seconds(120);
        Signal { name: name.into(), capacity: Some(capacity), max_age, zero: ZeroMeans::Evidence, drain_within: None }
    }

    /// One signal, ten a replica, asked every 15 seconds, a window of ten minutes.
    pub(crate) fn policy() -> Policy {
        Policy {
            target: TargetKey::new("shop", "deployments.apps", "web"),
            mode: Mode::Guard,
            min_replicas: None,
            max_replicas: None,
            signals: vec![signal("edge", 10.0)],
            headroom_percent: 0,
            errors: None,
            unready_percent: 25,
            depends_on: Vec::new(),
            fall: UnusualFall {
                hold_for: seconds(3600),
                keep_percent: 80,
                keep_for: seconds(8 * 3600),
                until_learned_percent: 50,
                usual_days: UnusualFall::USUAL_DAYS,
            },
            hold_at_most: seconds(24 * 3600),
            window: seconds(600),
            half_life: seconds(3600),
            verify_for: seconds(120),
            resolution: seconds(15),
            source: "default".into(),
            created: Timestamp(0),
        }
    }

    #[test]
    fn the_past_that_matters_is_an_hour_or_a_longer_window() {
        assert_eq!(policy().memory(), FALL_MEMORY);
        assert_eq!(Policy { window: seconds(7200), ..policy() }.memory(), seconds(7200));
    }

    #[test]
    fn needs_are_rescaled_where_one_factor_says_it() {
        let reads = |signals: &[(&str, f64)], headroom_percent| {
            let signals = signals.iter().map(|(name, capacity)| signal(name, *capacity)).collect();
            Policy { signals, headroom_percent, ..policy() }
        };
        let before = reads(&[("edge", 10.0), ("queue", 4.0)], 0);
        let rows = [
            (reads(&[("edge", 10.0), ("queue", 4.0)], 0), Some(1.0)),
            (reads(&[("edge", 5.0), ("queue", 2.0)], 0), Some(2.0)),
            (reads(&[("edge", 10.0), ("queue", 4.0)], 100), Some(2.0)),
            // Each signal by a factor of its own.
            (reads(&[("edge", 5.0), ("queue", 4.0)], 0), None),
            (reads(&[("edge", 10.0)], 0), None),
            (reads(&[], 0), None),
            // The same numbers mean something else.
            (reads(&[("edge", 10.0), ("requests", 4.0)], 0), None),
        ];
        for (now, factor) in rows {
            assert_eq!(now.reckons_like(&before), factor, "{:?} at {}", now.signals, now.headroom_percent);
        }
        assert_eq!(policy().rescaled(&[f64::INFINITY]), None, "a stored number that can't be");
        assert_eq!(policy().rescaled(&[-1.0]), None);
        assert_eq!(policy().rescaled(&[0.0]), None);
    }
}
