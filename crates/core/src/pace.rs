//! How fast a floor may fall: by half in `halfLife`, counted only while the right to lower stands.

use core::time::Duration;

use crate::signal::whole;
use crate::time::Timestamp;

/// A level that eases down from the floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    at: Timestamp,
    level: f64,
}

impl Pace {
    pub(crate) fn at(floor: u32, now: Timestamp) -> Self {
        Self { at: now, level: f64::from(floor) }
    }

    /// The floor is asked for as it is, or was raised: the way down starts anew.
    pub(crate) fn rest(&mut self, floor: u32, now: Timestamp) {
        *self = Self::at(floor, now);
    }

    /// No right to lower at this moment: what was gained is kept, nothing is added.
    pub(crate) fn pause(&mut self, now: Timestamp) {
        self.at = now;
    }

    /// The right to lower stands since the last call.
    pub(crate) fn ease(&mut self, now: Timestamp, half_life: Duration) {
        let halvings = now.since(self.at).as_secs_f64() / half_life.as_secs_f64().max(1.0);
        self.level *= (-halvings).exp2();
        self.at = now;
    }

    /// The lowest floor that the pace allows. Under half a replica it is none.
    pub(crate) fn allows(self) -> u32 {
        if self.level < 0.5 { 0 } else { whole(self.level) }
    }

    /// When a floor under `floor` will be allowed, if nothing interrupts.
    pub(crate) fn next(self, floor: u32, half_life: Duration) -> Timestamp {
        let goal = if floor <= 1 { 0.5 } else { f64::from(floor - 1) };
        let halvings = (self.level / goal).log2().max(0.0);
        self.at.plus(Duration::try_from_secs_f64(halvings * half_life.as_secs_f64()).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn minute(n: u64) -> Timestamp {
        Timestamp(n * 60_000)
    }

    #[test]
    fn half_an_hour_s_right_is_half_a_halving() {
        let mut pace = Pace::at(100, minute(0));
        pace.ease(minute(30), HOUR);
        assert_eq!(pace.allows(), 71);
        pace.pause(minute(300));
        assert_eq!(pace.allows(), 71, "time without the right to lower does not count");
        pace.ease(minute(330), HOUR);
        assert_eq!(pace.allows(), 50);
        pace.rest(80, minute(331));
        assert_eq!(pace.allows(), 80);
    }

    #[test]
    fn the_next_step_is_foretold() {
        let pace = Pace::at(2, minute(0));
        assert_eq!(pace.next(2, HOUR), minute(60));
        let mut last = Pace::at(1, minute(0));
        assert_eq!(last.next(1, HOUR), minute(60));
        last.ease(minute(61), HOUR);
        assert_eq!(last.allows(), 0);
    }

    #[test]
    fn a_clock_that_goes_back_gains_nothing() {
        let mut pace = Pace::at(100, minute(60));
        pace.ease(minute(0), HOUR);
        assert_eq!(pace.allows(), 100);
    }
}
