//! Knows the future: the fewest replicas with which `ready >= ceil(load / capacity)` always holds.
//!
//! A pod is ready `start_delay` after it was asked for, and a pod that is given up is gone at once. So what has to be asked
//! for now is the largest need from now until the next chance to ask plus the start delay, and less is never enough.
//! It keeps no headroom and is not fooled by any fault: the price of the others is what they pay above it.

use super::{Peer, Sight, Terms};

#[derive(Clone, Debug)]
pub struct Oracle {
    terms: Terms,
}

impl Oracle {
    #[must_use]
    pub fn new(terms: &Terms) -> Self {
        Self { terms: *terms }
    }
}

impl Peer for Oracle {
    fn name(&self) -> &'static str {
        "oracle"
    }

    fn period(&self) -> f64 {
        PERIOD
    }

    fn sync(&mut self, sight: &Sight<'_>) -> Option<u32> {
        let truth = &sight.truth;
        let horizon = self.terms.start_delay + PERIOD.max(truth.tick);
        let ahead = super::go::int64((horizon / truth.tick.max(SHORTEST_TICK)).ceil());
        let ahead = usize::try_from(ahead).unwrap_or(0);
        let from = truth.at.min(truth.offered.len());
        let to = truth.at.saturating_add(ahead).saturating_add(1).min(truth.offered.len());
        let most = truth.offered[from..to].iter().copied().filter(|load| load.is_finite()).fold(0.0, f64::max);
        Some(self.terms.bare_replicas(most))
    }
}

/// As often as a Horizontal Pod Autoscaler looks.
const PERIOD: f64 = 15.0;

/// A tick of no length is a player's mistake.
const SHORTEST_TICK: f64 = 1e-3;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::peers::terms::tests::terms;
    use crate::peers::{Answer, Truth};

    /// A sight of the truth alone.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small positive numbers in tests")]
    pub(in crate::peers) fn sight(offered: &[f64], tick: f64, now: f64) -> Sight<'_> {
        Sight {
            now,
            epoch: 0.0,
            wanted: 10,
            pods: &[],
            load: Answer::Error,
            app: Answer::Error,
            truth: Truth { offered, tick, at: (now / tick) as usize },
        }
    }

    #[test]
    fn asks_one_start_delay_and_one_tick_ahead_and_gives_up_at_once() {
        let mut peer = Oracle::new(&terms());
        let offered = [200.0, 200.0, 200.0, 900.0, 300.0, 300.0, 300.0];
        let asked: Vec<_> =
            (0_u8..7).filter_map(|tick| peer.sync(&sight(&offered, 60.0, f64::from(tick) * 60.0))).collect();
        assert_eq!(asked, [2, 9, 9, 9, 3, 3, 3]);
    }

    #[test]
    fn beyond_the_end_of_the_trace_is_nothing() {
        let mut peer = Oracle::new(&terms());
        assert_eq!(peer.sync(&sight(&[], 60.0, 600.0)), Some(2));
        assert_eq!(peer.sync(&sight(&[1e9], 0.0, 0.0)), Some(50));
    }
}
