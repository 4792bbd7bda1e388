//! What the load of this moment needs. One bad sample can't double the fleet: a rise of more than x2 is believed
//! when it was seen twice, and up to x2 at once.

use crate::facts::Facts;
use crate::signal::whole;

pub(super) fn bid(facts: &Facts<'_>) -> Option<u32> {
    (facts.level > 0.0).then(|| whole(facts.level))
}

/// Remembers the last tick's need, to see a rise twice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LiveDemand {
    last: f64,
}

impl LiveDemand {
    /// Believes what it sees first.
    pub(crate) fn primed() -> Self {
        Self { last: f64::INFINITY }
    }

    /// What was seen by another before: seen again it was seen twice.
    pub(crate) fn told(&mut self, before: Self) {
        if before.last.is_finite() {
            self.last = self.last.max(before.last);
        }
    }

    /// The need of this tick, as far as it is believed; `held` is what stands now (floor or replicas, the larger).
    pub(crate) fn believe(&mut self, raw: f64, held: u32) -> f64 {
        let at_once = f64::from(held.max(1)) * 2.0;
        let twice = raw.min(self.last);
        self.last = raw;
        raw.min(at_once.max(twice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sample_doubles_at_most_and_the_second_is_believed() {
        let mut live = LiveDemand::default();
        assert_eq!(live.believe(10.0, 8), 10.0, "a rise inside x2 is believed at once");
        assert_eq!(live.believe(100.0, 10), 20.0);
        assert_eq!(live.believe(90.0, 20), 90.0);
        assert_eq!(live.believe(5.0, 90), 5.0);
        assert_eq!(live.believe(500.0, 90), 180.0);
        assert_eq!(live.believe(5.0, 180), 5.0);
        assert_eq!(LiveDemand::default().believe(7.0, 0), 2.0, "from nothing it starts at one");
        assert_eq!(LiveDemand::primed().believe(7.0, 0), 7.0, "nothing was before it that it could be seen beside");
    }

    #[test]
    fn what_another_has_seen_was_seen_once() {
        let seen = |before: LiveDemand| {
            let mut live = LiveDemand::default();
            live.told(before);
            live.believe(100.0, 10)
        };
        assert_eq!((seen(LiveDemand { last: 90.0 }), seen(LiveDemand::primed())), (90.0, 20.0));
    }
}
