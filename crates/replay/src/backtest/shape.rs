//! The shape of a load: its peaks over a span, how it rises and falls. Gaps are nobody's fall.

use std::collections::VecDeque;

use super::history::History;

/// The load at each step, and for how many steps a minute's worth counts.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) loads: Vec<Option<f64>>,
    /// Seconds between two.
    pub(super) step: f64,
    pub(super) peak: f64,
}

/// A fall below a share of the hour's peak that came back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dip {
    /// Seconds from the start.
    pub(super) at: f64,
    pub(super) seconds: f64,
    /// Lowest share of the peak before it.
    pub(super) depth: f64,
}

impl Shape {
    pub(super) fn of(history: &History) -> Self {
        let loads = history.points().iter().map(|point| point.load).collect();
        Self { loads, step: history.step(), peak: history.peak() }
    }

    /// Steps in a span, at least one.
    pub(super) fn steps(&self, seconds: f64) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive span over a step")]
        let steps = (seconds / self.step).round().max(1.0) as usize;
        steps
    }

    /// The highest load of the last `steps`, this one included; `None` where none of them is known.
    pub(super) fn peaks(&self, steps: usize) -> Vec<Option<f64>> {
        let mut best: VecDeque<(usize, f64)> = VecDeque::new();
        let mut peaks = Vec::with_capacity(self.loads.len());
        for (at, load) in self.loads.iter().enumerate() {
            while best.front().is_some_and(|(from, _)| from + steps <= at) {
                best.pop_front();
            }
            if let Some(load) = load {
                while best.back().is_some_and(|(_, last)| last <= load) {
                    best.pop_back();
                }
                best.push_back((at, *load));
            }
            peaks.push(best.front().map(|(_, load)| *load));
        }
        peaks
    }

    /// Load enough to learn from: a quiet night's ratio says nothing.
    pub(super) fn matters(&self, load: f64) -> bool {
        load > self.peak * QUIET
    }

    /// How far the load rises above the peak of the last `window` seconds within `ahead` seconds.
    pub(super) fn rises(&self, window: f64, ahead: f64) -> Vec<f64> {
        let peaks = self.peaks(self.steps(window));
        let reach = self.steps(ahead);
        // A step that is longer than the time to react: the part of the rise that falls into it.
        let part = (ahead / self.step).min(1.0);
        let mut rises = Vec::new();
        for (at, peak) in peaks.iter().enumerate() {
            let Some(peak) = peak.filter(|peak| self.matters(*peak)) else { continue };
            let ahead = self.loads.iter().skip(at + 1).take(reach).flatten().copied().reduce(f64::max);
            if let Some(most) = ahead {
                rises.push(1.0 + (most / peak - 1.0).max(0.0) * part);
            }
        }
        rises
    }

    /// Whether it is at least so many seconds long.
    pub(super) fn lasts(&self, seconds: f64) -> bool {
        self.loads.len() as f64 * self.step >= seconds
    }

    /// How deep the load fell under the last hour's peak on each whole day, where that peak matters.
    pub(super) fn deepest_of_each_day(&self) -> Vec<f64> {
        let peaks = self.peaks(self.steps(3_600.0) + 1);
        let shares: Vec<Option<f64>> = self
            .loads
            .iter()
            .zip(&peaks)
            .map(|(load, peak)| Some(((*load)?, (*peak).filter(|peak| self.matters(*peak))?)))
            .map(|both| both.map(|(load, peak)| load / peak))
            .collect();
        let days = shares.chunks_exact(self.steps(86_400.0));
        days.filter_map(|day| day.iter().flatten().copied().reduce(f64::min)).collect()
    }

    /// The peak of the window against that of an hour before: how fast a floor would have to fall.
    pub(super) fn falls_in_an_hour(&self, window: f64) -> Vec<f64> {
        let peaks = self.peaks(self.steps(window));
        let hour = self.steps(3_600.0);
        let pairs = peaks.iter().zip(peaks.iter().skip(hour)).filter_map(|(before, now)| Some(((*before)?, (*now)?)));
        let per_hour = 3_600.0 / (hour as f64 * self.step);
        pairs.filter(|(before, _)| self.matters(*before)).map(|(before, now)| (now / before).powf(per_hour)).collect()
    }

    /// Falls below `share` of the hour's peak from which the load came back to 80 % of it within eight hours.
    pub(super) fn dips(&self, share: f64) -> Vec<Dip> {
        let peaks = self.peaks(self.steps(3_600.0) + 1);
        let mut dips = Vec::new();
        let mut at = 0;
        while at < self.loads.len() {
            let (Some(Some(load)), Some(Some(peak))) = (self.loads.get(at), peaks.get(at)) else {
                at += 1;
                continue;
            };
            if !self.matters(*peak) || *load >= share * peak {
                at += 1;
                continue;
            }
            let within = self.steps(RETURN_WITHIN);
            let after = self.loads.iter().skip(at).take(within).enumerate();
            let back = after.filter_map(|(steps, load)| Some((steps, (*load)?))).find(|(_, load)| *load >= BACK * peak);
            match back {
                Some((steps, _)) => {
                    let lowest = self.loads.iter().skip(at).take(steps).flatten().copied().fold(peak * share, f64::min);
                    let seconds = steps as f64 * self.step;
                    dips.push(Dip { at: at as f64 * self.step, seconds, depth: lowest / peak });
                    at += steps.max(1);
                }
                // It went down for good: an evening. The next fall is one from its level.
                None => at += self.steps(3_600.0),
            }
        }
        dips
    }
}

/// The value below which a share of the others lies; `None` of none.
pub(super) fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
    let place = (values.len().saturating_sub(1) as f64 * share.clamp(0.0, 1.0)).round() as usize;
    values.get(place).copied()
}

/// Loads under this share of the highest one are not learned from.
const QUIET: f64 = 0.1;

/// Seconds within which a load that comes back makes its fall a dip, not an evening.
const RETURN_WITHIN: f64 = 28_800.0;

/// The load is back at this share of what it was.
const BACK: f64 = 0.8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape(loads: &[f64]) -> Shape {
        let peak = loads.iter().copied().fold(0.0, f64::max);
        Shape { loads: loads.iter().map(|load| Some(*load)).collect(), step: 60.0, peak }
    }

    #[test]
    fn a_dip_is_a_fall_that_came_back() {
        let mut loads = vec![100.0; 300];
        loads[120..150].fill(20.0);
        let dips = shape(&loads).dips(0.5);
        assert_eq!(dips, [Dip { at: 7_200.0, seconds: 1_800.0, depth: 0.2 }]);
        loads[120..].fill(20.0);
        assert_eq!(shape(&loads).dips(0.5), []);
    }

    #[test]
    fn an_even_fall_has_its_hour() {
        let loads: Vec<f64> = (0..360).map(|minute| 1000.0 * 0.5_f64.powf(f64::from(minute) / 120.0)).collect();
        let mut falls = shape(&loads).falls_in_an_hour(60.0);
        assert!((quantile(&mut falls, 0.5).unwrap() - 0.5_f64.sqrt()).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn peaks_are_what_looking_at_each_finds(loads in proptest::collection::vec(proptest::option::of(0.0..100.0_f64), 1..80), steps in 1_usize..12) {
            let shape = Shape { loads: loads.clone(), step: 60.0, peak: 100.0 };
            for (at, peak) in shape.peaks(steps).into_iter().enumerate() {
                let from = (at + 1).saturating_sub(steps);
                prop_assert_eq!(peak, loads[from..=at].iter().flatten().copied().reduce(f64::max));
            }
        }
    }
}
