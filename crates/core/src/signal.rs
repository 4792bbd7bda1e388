//! One signal of one policy: its judge, its window, and the need that it speaks of.

use core::time::Duration;

use crate::guards::LiveDemand;
use crate::judge::{FUTURE_TOLERANCE, Judge};
use crate::policy::{FALL_MEMORY, Policy, Signal};
use crate::ring::Ring;
use crate::sample::{Answer, Reading, Sample, SignalAnswer, Unknown};
use crate::time::Timestamp;

/// What is known of one signal. Rebuilt from the source after a restart, never stored.
#[derive(Clone, Debug)]
pub(crate) struct SignalState {
    load_judge: Judge,
    backlog_judge: Judge,
    /// The last tick's reading of the arriving load.
    reading: Reading,
    backlog: Option<Reading>,
    /// When the last tick was, and when its sample was taken.
    heard_at: Option<Timestamp>,
    taken_at: Option<Timestamp>,
    /// Peaks of the need, unrounded, over the policy's window; and its known ticks.
    window: Ring<WINDOW_BUCKETS>,
    /// Peaks of the need over the last hour: what an unusual fall is measured against.
    hour: Ring<HOUR_BUCKETS>,
    /// Known without a gap since then.
    known_since: Option<Timestamp>,
    known_last: Timestamp,
}

/// Whether a window's samples speak for the whole of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fullness {
    pub(crate) full: bool,
    pub(crate) have: u32,
    pub(crate) want: u32,
}

impl SignalState {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            load_judge: Judge::new(),
            backlog_judge: Judge::new(),
            reading: NEVER_SEEN,
            backlog: None,
            heard_at: None,
            taken_at: None,
            window: Ring::new(policy.window),
            hour: Ring::new(FALL_MEMORY),
            known_since: None,
            known_last: Timestamp(0),
        }
    }

    /// One tick of the source. True if it says something that was not said before.
    pub(crate) fn observe(&mut self, answer: &SignalAnswer, signal: &Signal, policy: &Policy, now: Timestamp) -> bool {
        if self.heard_at.is_some_and(|heard_at| heard_at > now.plus(FUTURE_TOLERANCE)) {
            // The clock went back: what was heard in the future speaks no more, as after a restart.
            *self = Self::new(policy);
        }
        let before = self.taken_at;
        if let (Answer::Value(sample), Some(before)) = (&answer.load, before)
            && sample.at < before
            && now.since(sample.at) <= signal.max_age
        {
            // Overtaken by a newer one. (One that is too old says that the source has nothing newer.)
            return false;
        }
        self.reading = self.load_judge.judge(&answer.load, signal, now);
        self.backlog = match (&answer.backlog, signal.drain_within) {
            (Some(backlog), Some(_)) => Some(self.backlog_judge.judge(backlog, signal, now)),
            (None, Some(_)) => Some(NEVER_SEEN),
            (_, None) => None,
        };
        let heard_at = self.heard_at.replace(now).unwrap_or(now);
        if self.reading.unknown().is_some() || now.since(heard_at) > policy.resolution.saturating_mul(2) {
            // The hour that a fall is measured against is one in which something was known: what comes back from an
            // outage as little is compared with what was before it.
            self.hour.record(now, self.hour.peak(heard_at));
        }
        if let Answer::Value(sample) = &answer.load {
            self.taken_at = Some(sample.at.min(now));
        }
        let known = self.reading.unknown().is_none();
        if known {
            self.known(now, policy.resolution);
        }
        (known || self.reading.at_least() > 0.0) && self.taken_at > before
    }

    /// The need of the tick at `now`, as far as it is believed, for the peaks.
    pub(crate) fn remember(&mut self, level: f64, now: Timestamp) {
        self.window.record(now, level);
        self.hour.record(now, level);
    }

    /// The past of this signal, oldest first.
    ///
    /// Only what ends where the live ticks begin makes the window fuller; every believable value raises the peaks.
    ///
    /// A rise of more than x2 above what `stands` must have been seen twice in the past too. Gives what was seen last, unless a
    /// live tick has come since.
    pub(crate) fn back_fill(
        &mut self,
        samples: &[Sample],
        signal: &Signal,
        policy: &Policy,
        stands: u32,
        now: Timestamp,
    ) -> Option<LiveDemand> {
        let gap = policy.resolution.saturating_mul(2);
        // What is told of this very moment counts too, until a live tick does.
        let first_live = self.known_since.unwrap_or_else(|| now.plus(Duration::from_millis(1)));
        let mut run: Option<(Timestamp, Timestamp)> = None;
        let mut judge = Judge::new();
        let (mut live, mut stands) = (LiveDemand::primed(), stands);
        for sample in samples.iter().filter(|sample| sample.at < first_live && sample.at <= now) {
            let reading = judge.judge(&Answer::Value(*sample), signal, sample.at);
            let level = live.believe(level_of(&reading, None, signal, policy), stands);
            stands = stands.max(whole(level));
            self.window.record(sample.at, level);
            self.hour.record(sample.at, level);
            if reading.unknown().is_some() {
                continue;
            }
            if run.is_none_or(|(_, last)| sample.at.since(last) >= policy.resolution / 2) {
                self.window.count(sample.at);
            }
            run = match run {
                Some((first, last)) if sample.at.since(last) <= gap => Some((first, sample.at.max(last))),
                Some(_) | None => Some((sample.at, sample.at)),
            };
        }
        let unheard = self.heard_at.is_none();
        if unheard {
            self.load_judge = judge;
        }
        if let Some((first, last)) = run
            && first_live.since(last) <= gap
        {
            self.known_since = Some(first);
            self.known_last = self.known_last.max(last);
        }
        unheard.then_some(live)
    }

    /// The reading now: one that nothing renewed within `maxAge` is no information any more.
    pub(crate) fn reading(&self, signal: &Signal, now: Timestamp) -> Reading {
        let Some(heard_at) = self.heard_at.filter(|&heard_at| heard_at <= now.plus(FUTURE_TOLERANCE)) else {
            return NEVER_SEEN;
        };
        let age = now.since(self.taken_at.unwrap_or(heard_at).min(heard_at));
        if self.reading.unknown().is_none() && age > signal.max_age {
            return Reading::Unknown { why: Unknown::Stale { age }, at_least: 0.0 };
        }
        self.reading
    }

    /// Why the waiting work is not known; `None` where it is, or where none is asked for.
    pub(crate) fn backlog_unknown(&self) -> Option<Unknown> {
        self.backlog.and_then(|reading| reading.unknown())
    }

    /// Replicas that the arriving load needs, unrounded; a lower bound where the reading is `Unknown`.
    pub(crate) fn level(&self, signal: &Signal, policy: &Policy, now: Timestamp) -> f64 {
        level_of(&self.reading(signal, now), None, signal, policy)
    }

    /// Replicas that the arriving load and the waiting work need, unrounded.
    pub(crate) fn backlog_level(&self, signal: &Signal, policy: &Policy, now: Timestamp) -> Option<f64> {
        let backlog = self.backlog?;
        Some(level_of(&self.reading(signal, now), Some(backlog), signal, policy))
    }

    pub(crate) fn window_peak(&self, now: Timestamp) -> f64 {
        self.window.peak(now)
    }

    pub(crate) fn hour_peak(&self, now: Timestamp) -> f64 {
        self.hour.peak(now)
    }

    /// The highest need of the last hour that came after `since`.
    pub(crate) fn hour_peak_after(&self, since: Timestamp, now: Timestamp) -> f64 {
        self.hour.peak_after(since, now)
    }

    /// What was needed before now is not compared with any more.
    pub(crate) fn forget_hour(&mut self) {
        self.hour = Ring::new(FALL_MEMORY);
    }

    pub(crate) fn taken_at(&self) -> Option<Timestamp> {
        self.taken_at
    }

    /// 90 % of the expected samples, and no gap over two resolutions, over the whole window.
    pub(crate) fn fullness(&self, policy: &Policy, now: Timestamp) -> Fullness {
        let (have, span) = self.window.counted(now);
        let resolution = policy.resolution.as_secs_f64().max(0.001);
        let want = (span.as_secs_f64() / resolution * EXPECTED_SHARE).floor() as u32;
        let gap = policy.resolution.saturating_mul(2);
        let whole =
            self.known_since.is_some_and(|since| now.since(since).saturating_add(policy.resolution) >= policy.window);
        let current = now.since(self.known_last) <= gap;
        Fullness { full: whole && current && have >= want.max(1), have, want: want.max(1) }
    }

    fn known(&mut self, now: Timestamp, resolution: Duration) {
        let distance = now.since(self.known_last);
        // The same tick told twice is one tick.
        if self.known_since.is_some() && distance < resolution / 2 {
            return;
        }
        if self.known_since.is_none() || distance > resolution.saturating_mul(2) {
            self.known_since = Some(now);
        }
        self.known_last = now;
        self.window.count(now);
    }
}

/// `load * (1 + headroom) / capacity`, the waiting work spread over the time to drain it.
fn level_of(reading: &Reading, backlog: Option<Reading>, signal: &Signal, policy: &Policy) -> f64 {
    let Some(capacity) = signal.capacity else { return 0.0 };
    let waiting = match (backlog, signal.drain_within) {
        (Some(backlog), Some(drain)) => backlog.at_least() / drain.as_secs_f64().max(1.0),
        (_, _) => 0.0,
    };
    let room = 1.0 + f64::from(policy.headroom_percent) / 100.0;
    (reading.at_least() + waiting) * room / capacity
}

/// The needs that a signal's past speaks of; `None` where it says nothing.
pub(crate) fn levels(
    samples: &[Sample],
    signal: &Signal,
    policy: &Policy,
    now: Timestamp,
) -> impl Iterator<Item = (Timestamp, Option<f64>)> {
    let mut judge = Judge::new();
    let mut live = LiveDemand::primed();
    let mut stands = u32::MAX;
    samples.iter().filter(move |sample| sample.at <= now).map(move |sample| {
        let reading = judge.judge(&Answer::Value(*sample), signal, sample.at);
        if reading.unknown().is_some() || signal.capacity.is_none() {
            return (sample.at, None);
        }
        // A rise of more than x2 counts when it was seen twice, as in a live tick.
        let level = live.believe(level_of(&reading, None, signal, policy), stands);
        stands = whole(level);
        (sample.at, Some(level))
    })
}

/// Whole replicas for an unrounded need.
pub(crate) fn whole(level: f64) -> u32 {
    // A float that is off by rounding in the last place must not cost a replica.
    (level - 1e-9).ceil().clamp(0.0, f64::from(u32::MAX)) as u32
}

const NEVER_SEEN: Reading = Reading::Unknown { why: Unknown::NeverSeen, at_least: 0.0 };

/// Twenty buckets and the one that is being filled: a peak is kept at most 5 % longer than the window.
const WINDOW_BUCKETS: usize = 21;

const HOUR_BUCKETS: usize = 21;

/// Of the samples that a window should hold, so many must be there.
const EXPECTED_SHARE: f64 = 0.9;

#[cfg(test)]
mod tests;
