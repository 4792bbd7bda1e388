//! What a source says of a load: clean answers, and the fault operators on them.

use std::time::Duration;

use floorkeeper_core::{Answer, ErrorAnswer, Evidence, Failure, Observation, Policy, Sample, SignalAnswer, Timestamp};

/// How many series back a clean answer.
pub(crate) const SERIES: u32 = 50;

/// The truth that a source measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Truth {
    /// Offered work a second.
    pub load: f64,
    /// Share of it that fails.
    pub errors: f64,
    /// Work that waits.
    pub backlog: f64,
}

/// A fault between the truth and floorkeeper, on one tick of the source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Nothing arrives at all.
    Drop,
    /// A zero that nothing backs.
    Zero,
    NotANumber,
    Infinite,
    Negative,
    /// Larger than any load can be.
    Absurd,
    /// The sample is from long ago.
    Delay,
    /// The tick arrives twice.
    Duplicate,
    /// The tick arrives after the next one.
    Reorder,
    /// Stamped ahead of our clock.
    Future,
    /// The source calls itself incomplete, and half is missing.
    Partial,
    /// Half of the series are gone, and half of the load with them.
    Shrunken,
    Several,
    Empty,
    Timeout,
    /// No evidence comes along.
    Bare,
    /// The errors are not answered.
    NoErrors,
}

impl Fault {
    pub(crate) const ALL: [Self; 17] = [
        Self::Drop,
        Self::Zero,
        Self::NotANumber,
        Self::Infinite,
        Self::Negative,
        Self::Absurd,
        Self::Delay,
        Self::Duplicate,
        Self::Reorder,
        Self::Future,
        Self::Partial,
        Self::Shrunken,
        Self::Several,
        Self::Empty,
        Self::Timeout,
        Self::Bare,
        Self::NoErrors,
    ];

    /// Whether it makes a reading of this very tick unknown. A tick that does not arrive at all does not: the last
    /// reading stands until it is too old.
    pub(crate) fn blinds(self, policy: &Policy) -> bool {
        match self {
            Self::Drop | Self::Duplicate | Self::Reorder => false,
            Self::NoErrors => policy.errors.is_some(),
            Self::Zero
            | Self::NotANumber
            | Self::Infinite
            | Self::Negative
            | Self::Absurd
            | Self::Delay
            | Self::Future
            | Self::Partial
            | Self::Shrunken
            | Self::Several
            | Self::Empty
            | Self::Timeout
            | Self::Bare => true,
        }
    }
}

/// What arrives when the source is asked at `now`; `None`: nothing.
pub(crate) fn observation(policy: &Policy, truth: Truth, fault: Option<Fault>, now: Timestamp) -> Option<Observation> {
    if fault == Some(Fault::Drop) {
        return None;
    }
    let signals = policy.signals.iter().map(|signal| SignalAnswer {
        load: faulty(truth.load, fault, signal.max_age, now),
        backlog: signal.drain_within.map(|_| faulty(truth.backlog, fault, signal.max_age, now)),
    });
    let errors = policy.errors.map(|_| match fault {
        Some(Fault::NoErrors | Fault::Timeout) => {
            ErrorAnswer { failed: Answer::Failed(Failure::Timeout), total: Answer::Failed(Failure::Timeout) }
        }
        _ => ErrorAnswer { failed: value(truth.load * truth.errors, now), total: value(truth.load, now) },
    });
    Some(Observation { signals: signals.collect(), errors })
}

/// A clean sample.
pub(crate) fn sample(value: f64, at: Timestamp) -> Sample {
    let evidence =
        Evidence { oldest: Some(Duration::from_secs(5)), series: Some(SERIES), partial: false, vouched: false };
    Sample { value, at, evidence }
}

fn value(load: f64, now: Timestamp) -> Answer {
    Answer::Value(sample(load, now))
}

fn faulty(load: f64, fault: Option<Fault>, max_age: Duration, now: Timestamp) -> Answer {
    let clean = sample(load, now);
    let number = |value| Answer::Value(Sample { value, ..clean });
    let Some(fault) = fault else { return Answer::Value(clean) };
    match fault {
        Fault::Duplicate | Fault::Reorder | Fault::NoErrors => Answer::Value(clean),
        Fault::Zero => Answer::Value(Sample { value: 0.0, evidence: Evidence::default(), ..clean }),
        Fault::NotANumber => number(f64::NAN),
        Fault::Infinite => number(f64::INFINITY),
        Fault::Negative => number(-load - 1.0),
        Fault::Absurd => number(1e308),
        Fault::Delay => {
            Answer::Value(Sample { value: load / 2.0, at: now.minus(max_age + Duration::from_secs(1)), ..clean })
        }
        Fault::Future => Answer::Value(Sample { value: load / 2.0, at: now.plus(Duration::from_secs(3600)), ..clean }),
        Fault::Partial => {
            let evidence = Evidence { partial: true, ..clean.evidence };
            Answer::Value(Sample { value: load / 2.0, evidence, ..clean })
        }
        Fault::Shrunken => {
            let evidence = Evidence { series: Some(SERIES / 2), ..clean.evidence };
            Answer::Value(Sample { value: load / 2.0, evidence, ..clean })
        }
        Fault::Bare => Answer::Value(Sample { evidence: Evidence::default(), ..clean }),
        Fault::Several => Answer::Several(2),
        Fault::Drop | Fault::Empty => Answer::Empty,
        Fault::Timeout => Answer::Failed(Failure::Timeout),
    }
}
