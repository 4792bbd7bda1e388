//! A generator of honest load: people's days, weeks, noise, growth, flash crowds, batches, quiet nights. Seeded.

use serde::{Deserialize, Serialize};

use super::Trace;
use super::random::Random;
use crate::number::{amount, share};

/// What the load is made of. `peak` is the level at the busiest hour of a weekday, before noise, crowds and batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Generator {
    pub seed: u64,
    /// Requests a second if all audiences had their busiest hour at once.
    pub peak: f64,
    /// Who comes, and where they live. None at all: the load is flat.
    #[serde(default)]
    pub audiences: Vec<Audience>,
    /// Load of Saturday and Sunday as a share of a weekday's.
    #[serde(default = "one")]
    pub weekend: f64,
    /// Deviation of the noise as a share of the level; neighbouring minutes resemble each other.
    #[serde(default)]
    pub noise: f64,
    /// Growth a day as a share: 0.01 is one percent.
    #[serde(default)]
    pub trend_per_day: f64,
    /// Under this level (requests a second) requests come one by one: most minutes have none.
    #[serde(default)]
    pub sparse_below: f64,
    #[serde(default)]
    pub flash_crowds: Vec<FlashCrowd>,
    #[serde(default)]
    pub batch: Option<Batch>,
}

/// People who share a clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Audience {
    /// Share of the peak.
    pub weight: f64,
    /// Hours ahead of UTC.
    pub utc_offset: f64,
}

/// Everybody at once: doubles within minutes, then fades.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FlashCrowd {
    /// Minutes from the trace's start.
    pub at: f64,
    /// How many times the usual load at its height.
    pub factor: f64,
    /// Minutes until it has faded by half.
    pub half_life: f64,
}

/// A job that comes again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Batch {
    /// Minutes between two beginnings.
    pub every: f64,
    /// Minutes that each lasts.
    pub lasts: f64,
    /// Requests a second that it adds.
    pub adds: f64,
}

impl Generator {
    /// One point a minute for `minutes`, from `start` (seconds since the Unix epoch, UTC).
    #[must_use]
    pub fn trace(&self, start: f64, minutes: u32) -> Trace {
        self.points(Random::new(self.seed), start, 0.0, 1.0, minutes.min(LONGEST))
    }

    /// What was before `start`: `days` in steps of [`PAST_STEP`] minutes, the same people and jobs on other days.
    #[must_use]
    pub fn past(&self, start: f64, days: u32) -> Trace {
        let steps = days.min(LONGEST_PAST) * (1_440 / PAST_STEP);
        let step = f64::from(PAST_STEP);
        self.points(Random::new(!self.seed), start, -f64::from(steps) * step, step, steps.saturating_sub(1))
    }

    /// From so many minutes after `start`, so many minutes apart.
    fn points(&self, mut random: Random, start: f64, from: f64, step: f64, steps: u32) -> Trace {
        let start = if start.is_finite() { start } else { 0.0 };
        // Noise with a memory: a minute keeps most of the last one's deviation.
        let memory = MEMORY.powf(step);
        let fresh = (1.0 - memory * memory).sqrt();
        let mut drift = 0.0;
        let mut points = Vec::new();
        for place in 0..=steps {
            let elapsed = from + f64::from(place) * step;
            let time = start + elapsed * 60.0;
            drift = memory * drift + fresh * random.normal();
            let noisy = self.level(time, elapsed) * (1.0 + amount(self.noise) * drift).max(0.0);
            points.push((time, self.sparse(noisy, &mut random) + self.batch_at(elapsed)));
        }
        // There is always one point, and times grow by a step each.
        Trace::from_points(points).unwrap_or_else(|| Trace { points: vec![(start, 0.0)] })
    }

    fn level(&self, time: f64, elapsed: f64) -> f64 {
        let daily: f64 = match self.audiences.is_empty() {
            true => 1.0,
            false => self.audiences.iter().map(|people| amount(people.weight) * people.activity(time)).sum(),
        };
        let weekly = self.weekly(time);
        let growth = (1.0 + self.trend_per_day * elapsed / 1_440.0).max(0.0);
        let crowds: f64 = self.flash_crowds.iter().map(|crowd| crowd.extra(elapsed)).sum();
        amount(amount(self.peak) * daily * weekly * amount(growth) * (1.0 + crowds))
    }

    /// A weekend begins and ends within some hours around midnight UTC: people don't come back all at once.
    fn weekly(&self, time: f64) -> f64 {
        let of_day = |time: f64| {
            // 1 January 1970 was a Thursday.
            if ((time / 86_400.0).floor() + 3.0).rem_euclid(7.0) >= 5.0 { amount(self.weekend) } else { 1.0 }
        };
        let into = (time + NIGHT / 2.0).rem_euclid(86_400.0) / NIGHT;
        if into >= 1.0 {
            return of_day(time);
        }
        let (before, after) = (of_day(time - NIGHT / 2.0), of_day(time + NIGHT / 2.0));
        before + (after - before) * into
    }

    /// Under `sparse_below` the same mean, but in few minutes.
    fn sparse(&self, level: f64, random: &mut Random) -> f64 {
        let busy = if self.sparse_below > 0.0 { share(level / self.sparse_below) } else { 1.0 };
        let drawn = random.unit();
        if busy >= 1.0 {
            level
        } else if drawn < busy {
            self.sparse_below
        } else {
            0.0
        }
    }

    fn batch_at(&self, elapsed: f64) -> f64 {
        match &self.batch {
            Some(batch) if batch.every > 0.0 && elapsed.rem_euclid(batch.every) < batch.lasts => amount(batch.adds),
            Some(_) | None => 0.0,
        }
    }
}

impl Audience {
    /// How active they are at this moment, 1 at their busiest hour.
    fn activity(&self, time: f64) -> f64 {
        let offset = if self.utc_offset.is_finite() { self.utc_offset } else { 0.0 };
        let hour = (time / 3_600.0 + offset).rem_euclid(24.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside 0 to 24")]
        let index = hour as usize % DAY.len();
        let (from, to) = (DAY[index], DAY[(index + 1) % DAY.len()]);
        // A half cosine between two hours: no corners.
        from + (to - from) * (1.0 - (core::f64::consts::PI * hour.fract()).cos()) / 2.0
    }
}

impl FlashCrowd {
    fn extra(&self, elapsed: f64) -> f64 {
        let after = elapsed - self.at;
        if after.is_nan() || after < 0.0 {
            return 0.0;
        }
        let height = amount(self.factor - 1.0);
        let rise = (after / CROWD_RISE).min(1.0);
        height * rise * (-(after - CROWD_RISE).max(0.0) / amount(self.half_life).max(1.0)).exp2()
    }
}

fn one() -> f64 {
    1.0
}

/// Activity by local hour on a consumer web site, as a share of its busiest hour: lowest at four in the morning, a
/// steep rise until nine, a plateau through the day, the peak at nine in the evening.
const DAY: [f64; 24] = [
    0.62, 0.42, 0.30, 0.24, 0.22, 0.25, 0.36, 0.52, 0.66, 0.74, 0.78, 0.81, 0.84, 0.83, 0.81, 0.81, 0.82, 0.84, 0.88,
    0.94, 0.99, 1.0, 0.93, 0.79,
];

/// How much of a minute's deviation the next keeps: bursts of some ten minutes.
const MEMORY: f64 = 0.9;

/// Seconds in which a weekend begins or ends.
const NIGHT: f64 = 6.0 * 3_600.0;

/// Minutes from the first to the height of a flash crowd.
const CROWD_RISE: f64 = 3.0;

/// Minutes between two points of the past: what a source is asked for two weeks in.
pub(crate) const PAST_STEP: u32 = 5;

/// Days: more than anybody learns from.
const LONGEST_PAST: u32 = 60;

/// A year of minutes: longer traces come from a mistake.
const LONGEST: u32 = 527_040;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn people() -> Generator {
        Generator {
            seed: 5,
            peak: 1_000.0,
            audiences: vec![Audience { weight: 1.0, utc_offset: 0.0 }],
            weekend: 0.5,
            noise: 0.0,
            trend_per_day: 0.0,
            sparse_below: 0.0,
            flash_crowds: Vec::new(),
            batch: None,
        }
    }

    #[test]
    fn a_day_has_its_trough_at_four_and_its_peak_at_nine_in_the_evening() {
        // 2024-03-05 was a Tuesday, 2024-03-09 a Saturday.
        let tuesday = people().trace(1_709_596_800.0, 1_440);
        assert_eq!(tuesday.at(1_709_596_800.0 + 4.0 * 3_600.0), 220.0);
        assert_eq!(tuesday.peak(), 1_000.0);
        assert_eq!(people().trace(1_709_942_400.0, 1_440).peak(), 500.0);
    }

    #[test]
    fn crowds_batches_and_quiet_nights_show() {
        let flat = Generator { audiences: Vec::new(), ..people() };
        let crowd =
            Generator { flash_crowds: vec![FlashCrowd { at: 60.0, factor: 4.0, half_life: 10.0 }], ..flat.clone() };
        assert_eq!([50.0, 63.0, 73.0].map(|m| crowd.trace(0.0, 120).at(m * 60.0)), [1_000.0, 4_000.0, 2_500.0]);
        let batch = Generator { batch: Some(Batch { every: 60.0, lasts: 5.0, adds: 200.0 }), ..flat.clone() };
        assert_eq!([2.0, 10.0, 62.0].map(|m| batch.trace(0.0, 120).at(m * 60.0)), [1_200.0, 1_000.0, 1_200.0]);
        let sparse = Generator { peak: 0.2, weekend: 1.0, sparse_below: 1.0, ..flat }.trace(0.0, 10_000);
        let busy = sparse.points().iter().filter(|(_, load)| *load > 0.0).count();
        assert!((1_800..2_200).contains(&busy), "{busy} of 10,000 minutes at a fifth of the sparse level");
    }

    proptest! {
        #[test]
        fn the_same_seed_gives_the_same_trace(seed: u64) {
            let noisy = Generator { seed, noise: 0.1, ..people() };
            prop_assert_eq!(noisy.trace(0.0, 200), noisy.trace(0.0, 200));
            prop_assert_ne!(noisy.trace(0.0, 200), Generator { seed: seed ^ 1, ..noisy }.trace(0.0, 200));
        }

        #[test]
        fn any_parameters_give_finite_loads(numbers: [f64; 12], seed: u64, start: f64, minutes in 0_u32..300) {
            let [peak, weight, utc_offset, weekend, noise, trend_per_day, sparse_below, at, factor, half_life, every, adds] = numbers;
            let any = Generator {
                seed, peak, weekend, noise, trend_per_day, sparse_below,
                audiences: vec![Audience { weight, utc_offset }],
                flash_crowds: vec![FlashCrowd { at, factor, half_life }],
                batch: Some(Batch { every, lasts: at, adds }),
            };
            prop_assert!(any.trace(start, minutes).points().iter().all(|(_, load)| *load >= 0.0 && load.is_finite()));
        }
    }
}
