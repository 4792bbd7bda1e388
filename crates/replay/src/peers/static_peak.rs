//! No autoscaler at all: replicas for the highest load of the whole trace, with the headroom, for ever.
//!
//! The safe and dear end of the scale. It is told the peak beforehand, which no one is in life.

use super::{Peer, Sight, Terms};

#[derive(Clone, Debug)]
pub struct StaticPeak {
    terms: Terms,
    replicas: Option<u32>,
}

impl StaticPeak {
    #[must_use]
    pub fn new(terms: &Terms) -> Self {
        Self { terms: *terms, replicas: None }
    }
}

impl Peer for StaticPeak {
    fn name(&self) -> &'static str {
        "static-peak"
    }

    fn period(&self) -> f64 {
        PERIOD
    }

    fn sync(&mut self, sight: &Sight<'_>) -> Option<u32> {
        let peak = || sight.truth.offered.iter().copied().filter(|load| load.is_finite()).fold(0.0, f64::max);
        Some(*self.replicas.get_or_insert_with(|| self.terms.replicas(peak())))
    }
}

/// Seldom enough to cost nothing; only somebody else's write can change what it has set.
const PERIOD: f64 = 60.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::oracle::tests::sight;
    use crate::peers::terms::tests::terms;

    #[test]
    fn the_peak_of_the_whole_trace_from_the_first_minute() {
        let mut peer = StaticPeak::new(&terms());
        let offered = [100.0, 1_600.0, f64::NAN, 50.0];
        assert_eq!(peer.sync(&sight(&offered, 60.0, 0.0)), Some(20));
        assert_eq!(peer.sync(&sight(&offered, 60.0, 200.0)), Some(20));
    }
}
