//! A bounded memory of the recent past: `N` buckets of time, each with its peak and its count. No allocation.

use core::time::Duration;

use crate::time::Timestamp;

/// Peaks and counts of the last `span`, in `N` buckets.
///
/// The oldest bucket is forgotten whole, so a peak is remembered for `span` at least and `span * (1 + 1/N)` at most:
/// the error is on the safe side.
#[derive(Clone, Debug)]
pub(crate) struct Ring<const N: usize> {
    width: u64,
    /// Number of the newest bucket: `at / width`.
    newest: u64,
    peaks: [f32; N],
    counts: [u16; N],
}

impl<const N: usize> Ring<N> {
    pub(crate) fn new(span: Duration) -> Self {
        // One bucket more than the span needs would be cut off when the newest is still empty, hence N - 1.
        let width = u64::try_from(span.as_millis()).unwrap_or(u64::MAX) / (N as u64 - 1).max(1);
        Self { width: width.max(1), newest: 0, peaks: [0.0; N], counts: [0; N] }
    }

    /// Remembers a value. One older than the ring reaches is forgotten at once.
    pub(crate) fn record(&mut self, at: Timestamp, value: f64) {
        if let Some(slot) = self.slot(at) {
            // Rounded up: a peak that is remembered as a little less could let a floor fall by one too many.
            self.peaks[slot] = self.peaks[slot].max(round_up(value));
        }
    }

    /// Counts a tick.
    pub(crate) fn count(&mut self, at: Timestamp) {
        if let Some(slot) = self.slot(at) {
            self.counts[slot] = self.counts[slot].saturating_add(1);
        }
    }

    /// The highest value that is still remembered at `now`; zero if none.
    pub(crate) fn peak(&self, now: Timestamp) -> f64 {
        if self.reaches_all(now) {
            return self.peaks.iter().fold(0.0_f32, |peak, &value| if value > peak { value } else { peak }).into();
        }
        self.remembered(now).fold(0.0_f32, |peak, bucket| peak.max(self.peaks[Self::place(bucket)])).into()
    }

    /// The highest of the values that came after `since`: what is in its own bucket is none of them.
    pub(crate) fn peak_after(&self, since: Timestamp, now: Timestamp) -> f64 {
        let later = self.remembered(now).take_while(|&bucket| bucket > since.0 / self.width);
        later.fold(0.0_f32, |peak, bucket| peak.max(self.peaks[Self::place(bucket)])).into()
    }

    /// Ticks that are still remembered at `now`, and the span that they are remembered over.
    pub(crate) fn counted(&self, now: Timestamp) -> (u32, Duration) {
        let span = self.width.saturating_mul(N as u64 - 1).saturating_add(now.0 % self.width);
        let count = if self.reaches_all(now) {
            self.counts.iter().map(|&count| u32::from(count)).sum()
        } else {
            self.remembered(now).map(|bucket| u32::from(self.counts[Self::place(bucket)])).sum()
        };
        (count, Duration::from_millis(span))
    }

    /// Nothing has passed out of reach since the newest bucket: mostly so, and the quickest to look at.
    fn reaches_all(&self, now: Timestamp) -> bool {
        now.0 / self.width <= self.newest
    }

    /// Numbers of the buckets that `now` still reaches, the newest first.
    fn remembered(&self, now: Timestamp) -> impl Iterator<Item = u64> {
        let newest = self.newest;
        let passed = (now.0 / self.width).saturating_sub(newest).min(N as u64);
        (0..N as u64 - passed).filter_map(move |age| newest.checked_sub(age))
    }

    fn slot(&mut self, at: Timestamp) -> Option<usize> {
        self.advance(at);
        let bucket = at.0 / self.width;
        (self.newest - bucket < N as u64).then_some(Self::place(bucket))
    }

    fn place(bucket: u64) -> usize {
        (bucket % N as u64) as usize
    }

    /// Forgets what has passed out of reach. A clock that goes back forgets nothing.
    fn advance(&mut self, now: Timestamp) {
        let bucket = now.0 / self.width;
        if bucket <= self.newest {
            return;
        }
        let passed = (bucket - self.newest).min(N as u64);
        for step in 1..=passed {
            let slot = Self::place(bucket - passed + step);
            self.peaks[slot] = 0.0;
            self.counts[slot] = 0;
        }
        self.newest = bucket;
    }
}

/// The nearest `f32` that is not below `value`.
pub(crate) fn round_up(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) < value { near.next_up() } else { near }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(n: u64) -> Timestamp {
        Timestamp(n * 60_000)
    }

    #[test]
    fn a_peak_lasts_for_the_span_and_not_much_longer() {
        let mut ring = Ring::<11>::new(Duration::from_secs(600));
        ring.record(minute(100), 7.0);
        ring.record(minute(105), 3.0);
        assert_eq!(ring.peak(minute(110)), 7.0);
        assert_eq!(ring.peak(minute(111)), 3.0);
        assert_eq!(ring.peak(minute(116)), 0.0);
    }

    #[test]
    fn the_past_can_be_filled_in_and_a_clock_may_go_back() {
        let mut ring = Ring::<11>::new(Duration::from_secs(600));
        ring.record(minute(100), 1.0);
        ring.record(minute(95), 5.0);
        ring.record(minute(10), 9.0);
        assert_eq!(ring.peak(minute(50)), 5.0);
        assert_eq!(ring.peak(minute(100)), 5.0);
    }

    #[test]
    fn what_is_a_whole_round_old_is_not_taken_for_new() {
        let mut ring = Ring::<11>::new(Duration::from_secs(600));
        ring.record(minute(100), 1.0);
        ring.record(minute(89), 9.0);
        assert_eq!(ring.peak(minute(100)), 1.0);
        ring.record(minute(90), 9.0);
        assert_eq!(ring.peak(minute(100)), 9.0);
    }

    #[test]
    fn counts_say_the_span_that_they_cover() {
        let mut ring = Ring::<11>::new(Duration::from_secs(600));
        for n in 0..40 {
            ring.count(Timestamp(n * 15_000));
        }
        let (have, span) = ring.counted(Timestamp(40 * 15_000));
        assert_eq!((have, span), (40, Duration::from_secs(600)));
    }

    #[test]
    fn a_remembered_peak_is_never_less_than_the_value() {
        let mut ring = Ring::<4>::new(Duration::from_secs(60));
        let value = 16_777_217.0;
        ring.record(minute(1), value);
        assert!(ring.peak(minute(1)) >= value);
    }

    #[test]
    fn what_came_after_a_moment_is_looked_at_alone() {
        let mut ring = Ring::<11>::new(Duration::from_secs(600));
        for (n, value) in [(3, 9.0), (4, 8.0), (5, 2.0), (6, 3.0), (7, 1.0)] {
            ring.record(minute(n), value);
        }
        let after = |since| ring.peak_after(minute(since), minute(7));
        assert_eq!([2, 3, 4, 5, 6, 7].map(after), [9.0, 8.0, 3.0, 3.0, 1.0, 0.0]);
        assert_eq!((ring.peak_after(minute(2), minute(16)), ring.peak_after(minute(2), minute(17))), (3.0, 1.0));
    }
}
