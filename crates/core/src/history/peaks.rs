//! The peaks of the last half hour, hour, ... day, in buckets of time. No allocation.
//!
//! Their clock stands still while nothing usual is known: what comes back from an outage as little is compared with what
//! was before it, however long it took.

use core::time::Duration;

use super::days::DAY_MS;
use crate::ring::round_up;
use crate::time::Timestamp;

/// Peaks over each of [`SPANS`].
#[derive(Clone, Debug)]
pub(super) struct Peaks {
    /// Milliseconds for which the clock stood still.
    still: u64,
    /// For how long it stands still now.
    standing: u64,
    /// When it last went on after it had stood still for too long for each span, of this clock.
    went_on: [Option<u64>; SPANS.len()],
    /// Number of the newest bucket, of this clock.
    newest: u64,
    /// When the first value came, of this clock.
    first: Option<u64>,
    buckets: [f32; BUCKETS],
    /// The highest of the buckets that each span reaches.
    of: [f32; SPANS.len()],
    /// The day's peak when it was last forgotten, and when that was, of this clock: how high days were.
    forgotten: Option<(f32, u64)>,
}

impl Peaks {
    pub(super) fn new() -> Self {
        Self {
            still: 0,
            standing: 0,
            went_on: [None; SPANS.len()],
            newest: 0,
            first: None,
            buckets: [0.0; BUCKETS],
            of: [0.0; SPANS.len()],
            forgotten: None,
        }
    }

    /// So much time passes, but not for the peaks.
    pub(super) fn stand_still(&mut self, span: Duration) {
        let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.still = self.still.saturating_add(span);
        self.standing = self.standing.saturating_add(span);
    }

    /// The clock goes on.
    pub(super) fn go_on(&mut self, now: Timestamp) {
        let at = self.at(now);
        for (span, went_on) in SPANS.iter().zip(&mut self.went_on) {
            if self.standing >= stretches(*span) {
                *went_on = Some(at);
            }
        }
        self.standing = 0;
    }

    /// The span reaches over a time in which the clock stood still: its peak is older than it seems, and what is left of
    /// it says nothing of a usual day.
    pub(super) fn is_stretched(&self, span: usize, now: Timestamp) -> bool {
        let Some((span, went_on)) = SPANS.get(span).zip(self.went_on.get(span)) else { return false };
        let reached = span.as_millis() as u64 + BUCKET_MS;
        self.standing >= stretches(*span)
            || went_on.is_some_and(|went_on| self.at(now).saturating_sub(went_on) < reached)
    }

    pub(super) fn record(&mut self, now: Timestamp, value: f64) {
        let at = self.at(now);
        self.first.get_or_insert(at);
        self.advance(at / BUCKET_MS);
        let value = round_up(value);
        let bucket = &mut self.buckets[(self.newest % BUCKETS as u64) as usize];
        *bucket = bucket.max(value);
        for of in &mut self.of {
            *of = of.max(value);
        }
    }

    /// The peak over the span of this place in [`SPANS`].
    pub(super) fn of(&self, span: usize) -> f64 {
        f64::from(self.of[span])
    }

    /// How high the last day was, forgotten or not: what is little is little beside it.
    pub(super) fn height(&self, now: Timestamp) -> f64 {
        let day = self.of[SPANS.len() - 1];
        let before = self.forgotten.filter(|(_, at)| self.at(now).saturating_sub(*at) < DAY_MS);
        f64::from(before.map_or(day, |(height, _)| day.max(height)))
    }

    /// The longest span is known from its beginning.
    pub(super) fn covers_all(&self) -> bool {
        self.first.is_some_and(|first| (self.newest + 1).saturating_mul(BUCKET_MS).saturating_sub(first) >= DAY_MS)
    }

    /// No value counts any more, but the time has passed.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.forgotten = Some((round_up(self.height(now)), self.at(now)));
        self.buckets = [0.0; BUCKETS];
        self.of = [0.0; SPANS.len()];
    }

    /// A higher value that was seen meanwhile.
    pub(super) fn raise(&mut self, value: f64) {
        let value = round_up(value);
        let bucket = &mut self.buckets[(self.newest % BUCKETS as u64) as usize];
        *bucket = bucket.max(value);
        for of in &mut self.of {
            *of = of.max(value);
        }
    }

    pub(super) fn rescale(&mut self, factor: f64) {
        let forgotten = self.forgotten.iter_mut().map(|(height, _)| height);
        for value in self.buckets.iter_mut().chain(&mut self.of).chain(forgotten) {
            *value = round_up(f64::from(*value) * factor);
        }
    }

    /// It stands still for whole buckets: a day after an outage is looked at in the same ones as any other day.
    fn at(&self, now: Timestamp) -> u64 {
        now.0.saturating_sub(self.still - self.still % BUCKET_MS)
    }

    fn advance(&mut self, bucket: u64) {
        if bucket <= self.newest {
            return;
        }
        let passed = (bucket - self.newest).min(BUCKETS as u64);
        for step in 1..=passed {
            self.buckets[((bucket - passed + step) % BUCKETS as u64) as usize] = 0.0;
        }
        self.newest = bucket;
        for (span, of) in SPANS.iter().zip(&mut self.of) {
            // The bucket that is being filled, and so many before it that the span is reached at least.
            let reach = (span.as_millis() as u64 / BUCKET_MS).min(bucket);
            *of = (0..=reach)
                .fold(0.0, |peak: f32, age| peak.max(self.buckets[((bucket - age) % BUCKETS as u64) as usize]));
        }
    }
}

/// A fall is measured from the peak of each. The longest is a day: what the week brings is in the hours.
pub(super) const SPANS: [Duration; 6] =
    [minutes(30), minutes(60), minutes(180), minutes(360), minutes(720), minutes(1440)];

/// The place of the hour among them.
pub(super) const HOUR: usize = 1;

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// A peak is remembered for its span and at most so much longer.
const BUCKET_MS: u64 = 600_000;

/// A tick or two that were missed stretch nothing; nor does a twelfth of a span.
fn stretches(span: Duration) -> u64 {
    (span.as_millis() as u64 / 12).max(BUCKET_MS)
}

/// A day's, and the one that is being filled.
const BUCKETS: usize = 145;

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(n: u64) -> Timestamp {
        Timestamp(1_709_600_400_000 + n * 60_000)
    }

    #[test]
    fn each_span_forgets_in_its_own_time() {
        let mut peaks = Peaks::new();
        peaks.record(minute(0), 9.0);
        for n in 1..2000 {
            peaks.record(minute(n), 1.0);
            for (place, span) in SPANS.iter().enumerate() {
                let span = span.as_secs() / 60;
                if n <= span {
                    assert_eq!(peaks.of(place), 9.0, "{n} of {span}");
                }
                if n >= span + 10 {
                    assert_eq!(peaks.of(place), 1.0, "{n} of {span}");
                }
            }
            assert_eq!(peaks.covers_all(), n >= 1440 - 10, "{n}");
        }
    }

    #[test]
    fn its_clock_can_stand_still() {
        let mut peaks = Peaks::new();
        peaks.record(minute(0), 9.0);
        peaks.stand_still(minute(600).since(minute(0)));
        peaks.record(minute(600), 1.0);
        assert_eq!(peaks.of(0), 9.0);
        peaks.record(minute(640), 1.0);
        assert_eq!(peaks.of(0), 1.0);
        assert_eq!(peaks.of(1), 9.0);
    }

    #[test]
    fn what_was_needed_is_rescaled() {
        let mut peaks = Peaks::new();
        peaks.record(minute(0), 9.0);
        peaks.forget(minute(0));
        peaks.record(minute(10), 3.0);
        peaks.rescale(2.0);
        assert_eq!((peaks.of(0), peaks.height(minute(10))), (6.0, 18.0));
        peaks.record(minute(20), 1.0);
        assert_eq!(peaks.of(0), 6.0, "what is remembered too");
    }

    #[test]
    fn what_is_forgotten_was_there() {
        let mut peaks = Peaks::new();
        peaks.record(minute(0), 9.0);
        peaks.record(minute(1500), 3.0);
        peaks.forget(minute(1500));
        assert!(peaks.covers_all());
        assert_eq!(peaks.of(5), 0.0);
        peaks.raise(2.0);
        assert_eq!(peaks.of(0), 2.0);
        assert_eq!([1500, 2939, 2940].map(|n| peaks.height(minute(n))), [3.0, 3.0, 2.0]);
    }
}
