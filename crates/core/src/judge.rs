//! From what a source said to what it means.
//!
//! A number lowers nothing unless it is finite, fresh and complete. What may not lower may still raise: a partial
//! sum is a lower bound.

use core::time::Duration;

use crate::policy::{Errors, Signal, ZeroMeans};
use crate::ring::Ring;
use crate::sample::{Answer, ErrorAnswer, Reading, Sample, Unknown};
use crate::time::Timestamp;

/// Judges one signal. Remembers how many series it had at best within the last hour.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    series: Ring<SERIES_BUCKETS>,
}

impl Judge {
    pub(crate) fn new() -> Self {
        Self { series: Ring::new(SERIES_MEMORY) }
    }

    /// What `answer` means at `now`.
    pub(crate) fn judge(&mut self, answer: &Answer, signal: &Signal, now: Timestamp) -> Reading {
        match answer {
            Answer::Value(sample) => self.judge_sample(sample, signal, now),
            Answer::Empty => unknown(Unknown::Empty),
            Answer::Several(series) => unknown(Unknown::Several(*series)),
            Answer::Failed(failure) => unknown(Unknown::Failed(*failure)),
        }
    }

    fn judge_sample(&mut self, sample: &Sample, signal: &Signal, now: Timestamp) -> Reading {
        let value = sample.value;
        if value.is_nan() {
            return unknown(Unknown::NotANumber);
        }
        if value.is_infinite() {
            return unknown(Unknown::Infinite);
        }
        if value < 0.0 {
            return unknown(Unknown::Negative);
        }
        if signal.capacity.is_some_and(|capacity| value / capacity > ABSURD_REPLICAS) {
            return unknown(Unknown::Absurd);
        }
        let ahead = sample.at.since(now);
        if ahead > FUTURE_TOLERANCE {
            return unknown(Unknown::Future { ahead });
        }
        // A stale number is not even a lower bound: load may have fallen since. It says nothing.
        let age = now.since(sample.at).max(sample.evidence.oldest.unwrap_or_default());
        if now.since(sample.at) > signal.max_age {
            return unknown(Unknown::Stale { age });
        }

        // From here on the load is at least this much: whatever is missing can only add to it.
        let at_least = |why| Reading::Unknown { why, at_least: value };
        if age > signal.max_age {
            return at_least(Unknown::Stale { age });
        }
        if sample.evidence.partial {
            return at_least(Unknown::Partial);
        }
        if let Some(series) = sample.evidence.series {
            self.series.record(now, f64::from(series));
            let highest = self.series.peak(now) as u32;
            if f64::from(series) < f64::from(highest) * COMPLETE_SHARE {
                return at_least(Unknown::Shrunken { series, highest });
            }
        }
        let backed = sample.evidence.vouched
            || (sample.evidence.oldest.is_some() && sample.evidence.series.is_some_and(|series| series > 0));
        let vouched_zero = value == 0.0 && signal.zero == ZeroMeans::Zero;
        if !backed && !vouched_zero {
            return at_least(if value == 0.0 { Unknown::UnconfirmedZero } else { Unknown::NoEvidence });
        }
        if value > 0.0 {
            return Reading::Present(value);
        }
        match signal.zero {
            ZeroMeans::Unknown => unknown(Unknown::UnconfirmedZero),
            ZeroMeans::Evidence | ZeroMeans::Zero => Reading::ConfirmedZero,
        }
    }
}

impl Reading {
    /// The load that this reading certainly speaks of; zero where nothing is known.
    #[must_use]
    pub fn at_least(&self) -> f64 {
        match *self {
            Self::Present(load) => load,
            Self::ConfirmedZero => 0.0,
            Self::Unknown { at_least, .. } => at_least,
        }
    }

    /// Why nothing is known; `None` if something is.
    #[must_use]
    pub fn unknown(&self) -> Option<Unknown> {
        match *self {
            Self::Present(_) | Self::ConfirmedZero => None,
            Self::Unknown { why, .. } => Some(why),
        }
    }
}

/// The share of failed work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ErrorShare {
    /// Too little work, or none, to judge by.
    NotJudged,
    /// In [0, 1].
    Judged(f64),
    /// The source did not say.
    Unknown(Unknown),
}

impl ErrorShare {
    /// `failed` absent while `total` is present is zero errors: a series that counts failures exists only once one happened.
    pub(crate) fn judge(answer: &ErrorAnswer, errors: &Errors) -> Self {
        let total = match finite(&answer.total) {
            Ok(total) => total,
            Err(Unknown::Empty | Unknown::NotANumber) => return Self::NotJudged,
            Err(why) => return Self::Unknown(why),
        };
        if total <= 0.0 || total < errors.min_rate {
            return Self::NotJudged;
        }
        match finite(&answer.failed) {
            Ok(failed) => Self::Judged((failed / total).min(1.0)),
            Err(Unknown::Empty) => Self::Judged(0.0),
            Err(why) => Self::Unknown(why),
        }
    }
}

fn finite(answer: &Answer) -> Result<f64, Unknown> {
    match *answer {
        Answer::Value(Sample { value, .. }) if value.is_nan() => Err(Unknown::NotANumber),
        Answer::Value(Sample { value, .. }) if value.is_infinite() => Err(Unknown::Infinite),
        Answer::Value(Sample { value, .. }) if value < 0.0 => Err(Unknown::Negative),
        Answer::Value(Sample { value, .. }) => Ok(value),
        Answer::Empty => Err(Unknown::Empty),
        Answer::Several(series) => Err(Unknown::Several(series)),
        Answer::Failed(failure) => Err(Unknown::Failed(failure)),
    }
}

fn unknown(why: Unknown) -> Reading {
    Reading::Unknown { why, at_least: 0.0 }
}

/// Lowering needs this share of the highest series count of the last hour: room for one pod in fifty coming or
/// going, none for a lost edge replica.
const COMPLETE_SHARE: f64 = 0.98;

/// How long the highest series count is remembered.
const SERIES_MEMORY: Duration = Duration::from_secs(3600);
const SERIES_BUCKETS: usize = 13;

/// Clocks of a cluster differ by less than this, or time itself is broken.
pub(crate) const FUTURE_TOLERANCE: Duration = Duration::from_secs(10);

/// No workload has so many replicas; a number that asks for more is not load.
const ABSURD_REPLICAS: f64 = 1e7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Evidence, Failure};

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn signal(zero: ZeroMeans) -> Signal {
        Signal {
            name: "edge".into(),
            capacity: Some(10.0),
            max_age: Duration::from_secs(120),
            zero,
            drain_within: None,
        }
    }

    fn sample(value: f64, series: u32) -> Sample {
        let evidence =
            Evidence { oldest: Some(Duration::from_secs(5)), series: Some(series), partial: false, vouched: false };
        Sample { value, at: NOW, evidence }
    }

    fn judged(sample: Sample) -> Reading {
        Judge::new().judge(&Answer::Value(sample), &signal(ZeroMeans::Evidence), NOW)
    }

    #[test]
    fn the_share_of_failed_work() {
        let value = |value| Answer::Value(sample(value, 1));
        let of =
            |failed, total| ErrorShare::judge(&ErrorAnswer { failed, total }, &Errors { above: 0.05, min_rate: 1.0 });
        let rows = [
            (value(1.0), value(4.0), ErrorShare::Judged(0.25)),
            (value(9.0), value(4.0), ErrorShare::Judged(1.0)),
            (Answer::Empty, value(4.0), ErrorShare::Judged(0.0)),
            (value(0.5), value(1.0), ErrorShare::Judged(0.5)),
            // Too little, none, or a quotient of nothing by nothing.
            (value(0.5), value(0.9), ErrorShare::NotJudged),
            (value(1.0), Answer::Empty, ErrorShare::NotJudged),
            (value(1.0), value(f64::NAN), ErrorShare::NotJudged),
            (value(f64::NAN), value(4.0), ErrorShare::Unknown(Unknown::NotANumber)),
            (value(f64::INFINITY), value(4.0), ErrorShare::Unknown(Unknown::Infinite)),
            (value(-1.0), value(4.0), ErrorShare::Unknown(Unknown::Negative)),
            (value(1.0), Answer::Several(2), ErrorShare::Unknown(Unknown::Several(2))),
            (Answer::Failed(Failure::Timeout), value(4.0), ErrorShare::Unknown(Unknown::Failed(Failure::Timeout))),
        ];
        for (failed, total, share) in rows {
            assert_eq!(of(failed.clone(), total.clone()), share, "{failed:?} of {total:?}");
        }
        let any = |total| {
            let answer = ErrorAnswer { failed: value(0.0), total: value(total) };
            ErrorShare::judge(&answer, &Errors { above: 0.05, min_rate: 0.0 })
        };
        assert_eq!((any(0.0), any(0.1)), (ErrorShare::NotJudged, ErrorShare::Judged(0.0)));
    }

    #[test]
    fn broken_numbers_say_nothing() {
        for (value, why) in [
            (f64::NAN, Unknown::NotANumber),
            (f64::INFINITY, Unknown::Infinite),
            (f64::NEG_INFINITY, Unknown::Infinite),
            (-0.5, Unknown::Negative),
            (1e308, Unknown::Absurd),
        ] {
            assert_eq!(judged(sample(value, 3)), unknown(why), "{value}");
        }
        assert_eq!(judged(sample(1e8, 3)), Reading::Present(1e8), "ten million replicas are still judged");
    }

    #[test]
    fn old_and_future_samples_say_nothing() {
        let old = Sample { at: NOW.minus(Duration::from_secs(121)), ..sample(5.0, 3) };
        assert_eq!(judged(old), unknown(Unknown::Stale { age: Duration::from_secs(121) }));
        let just = Sample { at: NOW.minus(Duration::from_secs(120)), ..sample(5.0, 3) };
        assert_eq!(judged(just), Reading::Present(5.0));
        let future = Sample { at: NOW.plus(Duration::from_secs(11)), ..sample(5.0, 3) };
        assert_eq!(judged(future), unknown(Unknown::Future { ahead: Duration::from_secs(11) }));
        let near = Sample { at: NOW.plus(Duration::from_secs(10)), ..sample(5.0, 3) };
        assert_eq!(judged(near), Reading::Present(5.0));
    }

    #[test]
    fn what_is_missing_can_only_add() {
        let mut partial = sample(5.0, 3);
        partial.evidence.partial = true;
        assert_eq!(judged(partial), Reading::Unknown { why: Unknown::Partial, at_least: 5.0 });
        let mut aged = sample(5.0, 3);
        aged.evidence.oldest = Some(Duration::from_secs(200));
        assert_eq!(
            judged(aged),
            Reading::Unknown { why: Unknown::Stale { age: Duration::from_secs(200) }, at_least: 5.0 }
        );
    }

    #[test]
    fn series_that_vanish_are_missed_for_an_hour() {
        let mut judge = Judge::new();
        let signal = signal(ZeroMeans::Evidence);
        assert_eq!(judge.judge(&Answer::Value(sample(5.0, 100)), &signal, NOW), Reading::Present(5.0));
        assert_eq!(judge.judge(&Answer::Value(sample(5.0, 98)), &signal, NOW), Reading::Present(5.0));
        let shrunken = Reading::Unknown { why: Unknown::Shrunken { series: 97, highest: 100 }, at_least: 4.0 };
        assert_eq!(judge.judge(&Answer::Value(sample(4.0, 97)), &signal, NOW), shrunken);
        let later = NOW.plus(Duration::from_secs(3600 + 301));
        let fresh = Sample { at: later, ..sample(4.0, 97) };
        assert_eq!(judge.judge(&Answer::Value(fresh), &signal, later), Reading::Present(4.0));
    }

    #[test]
    fn a_zero_needs_evidence_or_somebody_who_vouches() {
        let bare = Sample { value: 0.0, at: NOW, evidence: Evidence::default() };
        let judge = |zero, sample| Judge::new().judge(&Answer::Value(sample), &signal(zero), NOW);
        assert_eq!(judge(ZeroMeans::Evidence, sample(0.0, 3)), Reading::ConfirmedZero);
        assert_eq!(judge(ZeroMeans::Evidence, bare), unknown(Unknown::UnconfirmedZero));
        assert_eq!(judge(ZeroMeans::Zero, bare), Reading::ConfirmedZero);
        assert_eq!(judge(ZeroMeans::Unknown, sample(0.0, 3)), unknown(Unknown::UnconfirmedZero));
        let none = Sample { evidence: Evidence { series: Some(0), ..sample(0.0, 3).evidence }, ..sample(0.0, 3) };
        assert_eq!(judge(ZeroMeans::Evidence, none), unknown(Unknown::UnconfirmedZero));
        let unbacked = Sample { value: 7.0, ..bare };
        assert_eq!(
            judge(ZeroMeans::Zero, unbacked),
            Reading::Unknown { why: Unknown::NoEvidence, at_least: 7.0 },
            "vouching for zeros vouches for nothing else"
        );
        let vouched = Sample { evidence: Evidence { vouched: true, ..Evidence::default() }, ..unbacked };
        assert_eq!(judge(ZeroMeans::Evidence, vouched), Reading::Present(7.0));
    }

    #[test]
    fn errors_are_a_share_of_enough_work() {
        let errors = Errors { above: 0.05, min_rate: 1.0 };
        let value = |value| Answer::Value(sample(value, 1));
        let judge = |failed, total| ErrorShare::judge(&ErrorAnswer { failed, total }, &errors);
        assert_eq!(judge(value(1.0), value(10.0)), ErrorShare::Judged(0.1));
        assert_eq!(judge(value(20.0), value(10.0)), ErrorShare::Judged(1.0));
        assert_eq!(judge(Answer::Empty, value(10.0)), ErrorShare::Judged(0.0));
        assert_eq!(judge(value(1.0), value(0.0)), ErrorShare::NotJudged);
        assert_eq!(judge(value(0.5), value(0.9)), ErrorShare::NotJudged);
        assert_eq!(judge(value(1.0), value(1.0)), ErrorShare::Judged(1.0));
        assert_eq!(judge(value(1.0), Answer::Empty), ErrorShare::NotJudged);
        let down = Answer::Failed(Failure::Timeout);
        assert_eq!(judge(down.clone(), value(10.0)), ErrorShare::Unknown(Unknown::Failed(Failure::Timeout)));
        assert_eq!(judge(value(1.0), down), ErrorShare::Unknown(Unknown::Failed(Failure::Timeout)));
        assert_eq!(judge(value(f64::INFINITY), value(10.0)), ErrorShare::Unknown(Unknown::Infinite));
        assert_eq!(judge(value(1.0), value(-1.0)), ErrorShare::Unknown(Unknown::Negative));
    }
}
