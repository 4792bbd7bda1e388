//! The times of an election, all from one: the lease's duration.

use core::time::Duration;

/// A moment on a clock that only runs forward: milliseconds since something of this process's own. It says nothing to
/// another process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uptime(pub u64);

/// How long everything takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    duration_ms: u64,
}

impl Uptime {
    /// This moment, `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Timing {
    /// `duration`: how long a standby sees the lease unchanged before it takes it. Between three seconds and five minutes.
    #[must_use]
    pub fn new(duration: Duration) -> Self {
        let duration = duration.clamp(SHORTEST, LONGEST);
        Self { duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX) }
    }

    /// How long a standby waits.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.duration_ms)
    }

    /// How long after a renewal was sent writes may begin.
    #[must_use]
    pub fn fence(&self) -> Duration {
        Duration::from_millis(self.duration_ms * FENCE_PERCENT / 100)
    }

    /// How long after that a write may be under way.
    #[must_use]
    pub fn landing(&self) -> Duration {
        Duration::from_millis(self.duration_ms * LANDING_PERCENT / 100)
    }

    /// How often it is renewed, and read by a standby. Three renewals fit before the fence: two may fail.
    #[must_use]
    pub fn renewal(&self) -> Duration {
        Duration::from_millis(self.duration_ms / 6)
    }

    /// How long one read or write of the lease may take.
    #[must_use]
    pub fn attempt(&self) -> Duration {
        Duration::from_millis(self.duration_ms / 6)
    }

    /// The pause after one that failed.
    #[must_use]
    pub fn retry(&self) -> Duration {
        Duration::from_millis(self.duration_ms / 30)
    }
}

impl Default for Timing {
    /// Fifteen seconds, as Kubernetes' own components.
    fn default() -> Self {
        Self::new(Duration::from_secs(15))
    }
}

/// How much faster or slower than the real time a clock may run, in percent, without two leaders at once. Quartz keeps to
/// a hundredth of a percent; virtual machines under pressure were seen to be off by one.
pub const CLOCK_RATE_ERROR_PERCENT: u64 = 5;

/// (FENCE + LANDING) / (1 - error) must not be more than 100 / (1 + error): 93.7 and 95.2.
const FENCE_PERCENT: u64 = 56;
const LANDING_PERCENT: u64 = 33;

/// The API counts whole seconds, and a renewal each half second is all that an API server should be asked for.
pub(super) const SHORTEST: Duration = Duration::from_secs(3);

/// Nobody raises floors for so long after a leader dies.
pub(super) const LONGEST: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_holder_is_done_before_the_fastest_standby_begins() {
        let error = CLOCK_RATE_ERROR_PERCENT;
        assert!((FENCE_PERCENT + LANDING_PERCENT) * (100 + error) <= 100 * (100 - error));
    }

    #[test]
    fn two_renewals_may_fail() {
        for seconds in [3, 15, 60] {
            let timing = Timing::new(Duration::from_secs(seconds));
            assert!(timing.renewal() * 3 < timing.fence(), "{seconds}");
            assert!(timing.attempt() + timing.retry() < timing.fence() / 2);
        }
    }

    #[test]
    fn all_times_follow_from_fifteen_seconds() {
        let timing = Timing::default();
        let times = [timing.fence(), timing.landing(), timing.renewal(), timing.attempt(), timing.retry()];
        assert_eq!(times.map(|time| time.as_millis()), [8_400, 4_950, 2_500, 2_500, 500]);
    }

    #[test]
    fn durations_stay_within_bounds() {
        assert_eq!(Timing::new(Duration::ZERO).duration(), SHORTEST);
        assert_eq!(Timing::new(Duration::MAX).duration(), LONGEST);
        assert_eq!(Uptime(u64::MAX).plus(Duration::MAX), Uptime(u64::MAX));
        assert_eq!(Uptime(5).since(Uptime(2)), Duration::from_millis(3));
        assert_eq!(Uptime(1).since(Uptime(2)), Duration::ZERO);
    }
}
