//! What a source said, before judgement, and what it means, after.

use core::time::Duration;

use crate::time::Timestamp;

/// Everything one tick of a source said about one policy.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Observation {
    /// One answer for each of the policy's signals, in their order.
    pub signals: Vec<SignalAnswer>,
    /// Present where the policy names `distrust.errors`.
    pub errors: Option<ErrorAnswer>,
}

/// The answers for one signal: the arriving load and, where configured, the work already waiting.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalAnswer {
    pub load: Answer,
    pub backlog: Option<Answer>,
}

/// Failed and total work a second.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorAnswer {
    pub failed: Answer,
    pub total: Answer,
}

/// The answer to one query.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// One number. It may still be NaN, infinite, negative, old or partial: that is judged later.
    Value(Sample),
    /// A valid answer with no series in it. Never zero.
    Empty,
    /// More than one series where one is expected.
    Several(u32),
    /// No answer.
    Failed(Failure),
}

/// One number, with what is known about how it came to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub value: f64,
    /// The moment the number speaks of: a query's evaluation time, or the metric's own timestamp.
    pub at: Timestamp,
    pub evidence: Evidence,
}

/// What backs a number.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Evidence {
    /// Age of the oldest series that went into it; `None` where the source can't say.
    pub oldest: Option<Duration>,
    /// How many series went into it; `None` where the source can't say.
    pub series: Option<u32>,
    /// The source itself called the answer incomplete (a partial flag, or warnings): it may raise, it can't lower.
    pub partial: bool,
    /// A person vouches that this signal is complete whenever it is present (`coverage` in the policy, or a metrics API).
    pub vouched: bool,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Connection refused, reset, name not found, TLS refused.
    Unreachable,
    Timeout,
    /// An HTTP status other than 2xx.
    Status(u16),
    /// The body passed the limit.
    TooLarge,
    /// Not the format it should be.
    Garbage,
    /// The source refused the query (bad query, unknown metric).
    Refused,
    /// The source or demand that the policy names does not exist or is not allowed here.
    NotAllowed,
}

/// A judged sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// Load in the signal's unit a second; above zero, finite, fresh and complete.
    Present(f64),
    /// Zero, with evidence.
    ConfirmedZero,
    /// No information to lower by. `at_least` is what the load certainly reaches (a partial sum), zero if nothing is known.
    Unknown { why: Unknown, at_least: f64 },
}

/// Why a reading says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unknown {
    /// Nothing was heard yet.
    NeverSeen,
    /// The source gave no answer.
    Failed(Failure),
    /// No series.
    Empty,
    Several(u32),
    NotANumber,
    Infinite,
    Negative,
    /// Too large for any count of replicas to mean something.
    Absurd,
    Partial,
    /// Older than `maxAge`.
    Stale {
        age: Duration,
    },
    /// Stamped ahead of our clock.
    Future {
        ahead: Duration,
    },
    /// Fewer series than 98 % of the last hour's highest count.
    Shrunken {
        series: u32,
        highest: u32,
    },
    /// Nothing says how many series back the number, or how old they are.
    NoEvidence,
    /// A zero that nothing confirms.
    UnconfirmedZero,
}
