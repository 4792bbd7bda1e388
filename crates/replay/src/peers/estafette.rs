//! estafette-k8s-hpa-scaler: keeps `minReplicas` of an HPA on CPU at what the request rate needs.
//!
//! estafette/estafette-k8s-hpa-scaler d59dda1 (v1.2.6, the last one), `main.go`. The nearest relative of a floor: demand
//! measured elsewhere, as a lower bound. An error of the query leaves the minimum where it is; a query that answers with NaN or
//! an infinity is a negative number of pods in Go, and the minimum falls to its lower bound.
//! Of several series upstream takes the first one; a [`super::Sight`] cannot say that.

use super::go::int32;
use super::hpa::{count, unsigned};
use super::{Answer, Hpa, Peer, Sight, Signal, Terms};

/// The annotations of one HPA, and the controller's environment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Annotations {
    pub requests_per_replica: f64,
    pub delta: f64,
    pub scale_down_max_ratio: f64,
    /// `MINIMUM_REPLICAS_LOWER_BOUND` of the controller, 3 by default.
    pub lower_bound: i32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Estafette {
    annotations: Annotations,
    signal: Signal,
    hpa: Hpa,
    next: f64,
}

impl Annotations {
    /// `makeHorizontalPodAutoscalerChanges`: the new `minReplicas`.
    fn min(&self, rate: f64, current: i32) -> i32 {
        // `getMinPodCountBasedOnPrometheusQuery` asks only where it can divide.
        let by_rate = if self.requests_per_replica > 0.0 {
            int32((self.delta + rate / self.requests_per_replica).ceil())
        } else {
            0
        };
        // `getMinPodCountBasedOnCurrentPodCount`.
        let step = int32((f64::from(current) * self.scale_down_max_ratio).floor());
        let by_pods = current.saturating_sub(if step == 0 { 1 } else { step });
        by_rate.max(by_pods).max(self.lower_bound)
    }
}

impl Estafette {
    /// The formula with the headroom of `terms`, everything else by default, and the lower bound at their minimum.
    #[must_use]
    pub fn new(terms: &Terms) -> Self {
        let annotations = Annotations {
            requests_per_replica: terms.per_replica(),
            delta: 0.0,
            scale_down_max_ratio: 1.0,
            lower_bound: count(terms.min),
        };
        Self::with(terms, annotations)
    }

    #[must_use]
    pub fn with(terms: &Terms, annotations: Annotations) -> Self {
        Self { annotations, signal: terms.signal, hpa: Hpa::on_cpu(terms), next: f64::NEG_INFINITY }
    }

    /// The HPA that it drives.
    #[must_use]
    pub fn hpa(&self) -> &Hpa {
        &self.hpa
    }

    fn look(&mut self, sight: &Sight<'_>) {
        if sight.now < self.next {
            return;
        }
        self.next = sight.now + PERIOD;
        let answer = match self.signal {
            Signal::Load => sight.load,
            Signal::App => sight.app,
        };
        let Answer::Value(rate) = answer else { return };
        let min = unsigned(self.annotations.min(rate, count(sight.wanted)));
        let (now, max) = self.hpa.bounds();
        if min != now {
            self.hpa.set_bounds(min, if min >= max { min.saturating_add(1) } else { max });
        }
    }
}

impl Peer for Estafette {
    fn name(&self) -> &'static str {
        "estafette"
    }

    fn period(&self) -> f64 {
        self.hpa.period()
    }

    fn sync(&mut self, sight: &Sight<'_>) -> Option<u32> {
        self.look(sight);
        self.hpa.sync(sight)
    }
}

/// Upstream sleeps 90 s give or take a quarter, at random; here always 90.
const PERIOD: f64 = 90.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::oracle::tests::sight;
    use crate::peers::terms::tests::terms;
    use crate::peers::{CpuSample, Pod};

    /// The annotations of the README: 2.5 requests a replica, delta -0.5.
    const README: Annotations =
        Annotations { requests_per_replica: 2.5, delta: -0.5, scale_down_max_ratio: 1.0, lower_bound: 3 };

    /// Upstream has tests of its parser only; these are the cases that its README and its comments describe.
    #[test]
    fn the_documented_cases() {
        let ratio = |scale_down_max_ratio| Annotations { requests_per_replica: 0.0, scale_down_max_ratio, ..README };
        let rows = [
            ("README: ceiling(delta + rate / requestsPerReplica)", README, 225.406_815_567_585_9, 10, 90),
            ("exactly on a replica", README, 251.25, 10, 100),
            ("never below the lower bound", README, 2.0, 1, 3),
            ("README: at most 20 % of the pods in one step", ratio(0.2), 0.0, 100, 80),
            ("the share of a small fleet is at least one pod", ratio(0.2), 0.0, 4, 3),
            (
                "a larger minimum from the rate than from the pods",
                Annotations { scale_down_max_ratio: 0.2, ..README },
                225.0,
                100,
                90,
            ),
            (
                "a larger minimum from the pods than from the rate",
                Annotations { scale_down_max_ratio: 0.05, ..README },
                225.0,
                100,
                95,
            ),
            ("NaN is the smallest int32", README, f64::NAN, 40, 3),
            ("infinity too", README, f64::INFINITY, 40, 3),
            ("and minus infinity", README, f64::NEG_INFINITY, 40, 3),
            ("a rate beyond every int32 too", README, 1e12, 40, 3),
        ];
        for (name, annotations, rate, current, expected) in rows {
            assert_eq!(annotations.min(rate, current), expected, "{name}");
        }
    }

    fn idle_pods(many: usize, now: f64) -> Vec<Pod> {
        let cpu = CpuSample { share: 0.01, at: now, window: 15.0 };
        vec![Pod { created: -3_600.0, ready: true, changed: -3_600.0, cpu: Some(cpu) }; many]
    }

    fn play(peer: &mut Estafette, mut wanted: u32, (from, to): (u32, u32), load: Answer) -> u32 {
        for at in (from..to).step_by(15) {
            let now = f64::from(at);
            let pods = idle_pods(wanted as usize, now);
            wanted = peer.sync(&Sight { wanted, pods: &pods, load, ..sight(&[], 60.0, now) }).unwrap_or(wanted);
        }
        wanted
    }

    #[test]
    fn holds_against_idle_pods_and_lets_go_on_nan() {
        let mut peer = Estafette::new(&terms());
        assert_eq!(play(&mut peer, 10, (0, 3_600), Answer::Value(1_600.0)), 20, "the rate, whatever the CPU");
        assert_eq!(play(&mut peer, 20, (3_600, 7_200), Answer::Error), 20, "no answer changes nothing");
        assert_eq!(play(&mut peer, 20, (7_200, 7_800), Answer::Value(f64::NAN)), 2);
    }

    #[test]
    fn raises_the_maximum_where_the_minimum_reaches_it() {
        let mut peer = Estafette::new(&terms());
        assert_eq!(play(&mut peer, 10, (0, 600), Answer::Value(8_000.0)), 100);
        assert_eq!(peer.hpa().bounds(), (100, 101));
    }
}
