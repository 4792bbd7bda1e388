//! Learning from the past that a source can tell: the same looks as live ones, in steps of five minutes.

use core::time::Duration;

use super::days::HOUR_MS;
use super::{History, Tick, falls_again, peaks};
use crate::policy::Policy;
use crate::time::Timestamp;

/// The past of all signals of a policy, put together as it comes in.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    first: u64,
    /// The largest need of any signal, by steps.
    levels: Vec<f32>,
    /// Which signals said something, a bit each.
    heard: Vec<u32>,
    /// Signals whose past is in.
    told: u32,
}

impl Past {
    pub(crate) fn before(now: Timestamp) -> Self {
        let newest = now.0 / STEP_MS;
        let first = newest.saturating_sub(STEPS - 1);
        let steps = usize::try_from(newest - first + 1).unwrap_or(0);
        Self { first, levels: vec![0.0; steps], heard: vec![0; steps], told: 0 }
    }

    /// The past of the signal of this place; `None`: what it was then is not known.
    pub(crate) fn tell(&mut self, place: usize, levels: impl Iterator<Item = (Timestamp, Option<f64>)>) {
        let bit = 1_u32.checked_shl(place as u32).unwrap_or(0);
        self.told |= bit;
        for (at, level) in levels {
            let step = (at.0 / STEP_MS).checked_sub(self.first).and_then(|step| usize::try_from(step).ok());
            if let (Some(step), Some(level)) = (step.filter(|&step| step < self.levels.len()), level) {
                self.levels[step] = self.levels[step].max(level as f32);
                self.heard[step] |= bit;
            }
        }
    }

    /// Every one of so many signals has told its past.
    pub(crate) fn is_whole(&self, signals: usize) -> bool {
        self.told == all(signals)
    }

    /// Looks at the past step by step, as it would have been looked at live.
    pub(crate) fn teach(&self, history: &mut History, policy: &Policy, min: u32) {
        let signals = all(policy.signals.len());
        let reach = usize::try_from(policy.window.as_millis() as u64 / STEP_MS).unwrap_or(0).min(self.levels.len());
        let share = policy.fall.untaught();
        let mut fall: Option<Fall> = None;
        for step in reach..self.levels.len() {
            let now = Timestamp((self.first + step as u64) * STEP_MS);
            let window = step - reach..=step;
            let known = self.heard[window.clone()].iter().all(|&heard| heard == signals);
            let recent = self.levels[window].iter().fold(0.0, |peak: f32, &level| peak.max(level));
            let tick = Tick {
                now,
                level: f64::from(self.levels[step]),
                recent: f64::from(recent),
                known,
                calm: true,
                min,
                gap: STEP * 2,
                falling: fall.map(|fall| fall.limit),
            };
            history.tick(&tick);
            if !known {
                continue;
            }
            match fall {
                Some(fall_now) => {
                    let through = now.since(fall_now.since) >= policy.fall.keep_for.max(policy.fall.hold_for);
                    if through {
                        history.forget_peaks(now);
                    }
                    if through || history.is_back(now, policy.window) {
                        fall = None;
                    } else if falls_again(
                        self.left_by_fall(step, fall_now),
                        tick.recent,
                        min,
                        history.usual(now),
                        share,
                    ) {
                        fall = Some(Fall { since: now, ..fall_now });
                    }
                }
                None => {
                    let (limit, unusual) = match history.usual(now) {
                        Some(usual) => (usual.limit, usual.unusual),
                        None => {
                            // Live, it is the hour by the clock: nothing from before a gap.
                            let known = !history.peaks.is_stretched(peaks::HOUR, now);
                            let limit = if known { history.peaks.of(peaks::HOUR) * share } else { 0.0 };
                            (limit, tick.level < limit)
                        }
                    };
                    fall = unusual.then_some(Fall { since: now, limit });
                }
            }
        }
    }

    /// The highest need of the last hour since the fall began.
    fn left_by_fall(&self, step: usize, fall: Fall) -> f64 {
        let began = (fall.since.0 / STEP_MS).saturating_sub(self.first);
        let after = usize::try_from(began + 1).unwrap_or(step).max(step.saturating_sub(HOUR_STEPS)).min(step);
        self.levels[after..=step].iter().fold(0.0, |peak: f32, &level| peak.max(level)).into()
    }
}

#[derive(Clone, Copy, Debug)]
struct Fall {
    since: Timestamp,
    limit: f64,
}

impl History {
    /// What is learned, without what this process has seen: the past is looked at with it.
    pub(crate) fn taught_so_far(&self) -> Self {
        Self { days: self.days.clone(), ..Self::new() }
    }

    /// Takes over what the past has taught beyond [`Self::taught_so_far`]. What this process has seen itself counts where it is
    /// more.
    pub(crate) fn take_past(&mut self, mut taught: Self) {
        taught.days.count_once(&self.days);
        self.days.merge(&taught.days);
        if !self.peaks.covers_all() {
            let seen = self.peaks.of(peaks::SPANS.len() - 1);
            self.peaks = taught.peaks;
            self.peaks.raise(seen);
            self.other_hours &= taught.other_hours;
            if self.last.is_none() {
                self.last = taught.last;
            }
        }
    }
}

fn all(signals: usize) -> u32 {
    1_u32.checked_shl(signals as u32).map_or(u32::MAX, |bit| bit - 1)
}

/// Falls of days and hours are seen well enough in steps of five minutes, and two weeks of them are one answer of
/// Prometheus.
const STEP: Duration = Duration::from_secs(300);
const STEP_MS: u64 = 300_000;

/// Fifteen days.
const STEPS: u64 = 15 * 288;

/// Steps of an hour.
const HOUR_STEPS: usize = (HOUR_MS / STEP_MS) as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reaches_back_for_fifteen_days_and_no_further() {
        let now = Timestamp(1_709_600_400_000);
        let mut past = Past::before(now);
        let oldest = now.minus(STEP * 4320);
        past.tell(0, [(oldest, Some(9.0)), (oldest.plus(STEP), Some(2.0)), (now, Some(3.0))].into_iter());
        assert_eq!((past.levels.len(), past.levels[0], past.levels[4319]), (4320, 2.0, 3.0));
        assert_eq!(past.heard.iter().sum::<u32>(), 2);
    }

    #[test]
    fn minutes_that_are_told_twice_are_known_once() {
        // Of yesterday six hours are known, from a store and from the source.
        let midnight = Timestamp(1_709_596_800_000);
        let told = |history: &mut History| {
            let mut past = Past::before(midnight);
            let steps = (216..576).map(|step| (midnight.minus(STEP * step), Some(40.0)));
            past.tell(0, steps);
            let mut taught = history.taught_so_far();
            past.teach(&mut taught, &crate::policy::tests::policy(), 2);
            history.take_past(taught);
            history.learned(Vec::new())
        };
        let yesterday = |learned: &crate::Learned| {
            let number = u32::try_from(midnight.0 / 86_400_000 - 1).unwrap();
            learned.days.iter().find(|day| day.day == number).unwrap().minutes
        };
        let first = told(&mut History::new());
        let mut restarted = History::new();
        restarted.restore(&first, 1.0);
        let second = told(&mut restarted);
        assert_eq!(
            (yesterday(&first), yesterday(&second)),
            (365, 365),
            "and the five minutes to the first that is not known"
        );
    }

    #[test]
    fn what_a_fall_has_left_is_what_the_last_hour_since_then_needed() {
        let now = Timestamp(1_709_600_400_000);
        let mut past = Past::before(now);
        let ago = |steps: u32| now.minus(STEP * steps);
        let told = [(30, 9.0), (20, 7.0), (12, 5.0), (3, 4.0), (0, 2.0)];
        past.tell(0, told.into_iter().map(|(steps, level)| (ago(steps), Some(level))));
        let left = |since: u32| past.left_by_fall(4319, Fall { since: ago(since), limit: 0.0 });
        assert_eq!([40, 12, 11, 3, 0].map(left), [5.0, 4.0, 4.0, 2.0, 2.0]);
    }
}
