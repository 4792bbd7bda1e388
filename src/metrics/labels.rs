//! The closed sets of words that labels are made of.

use std::fmt;
use std::sync::Arc;

use floorkeeper_core::Verdict;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// A kind of write to the Kubernetes API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum What {
    Floors,
    Replicas,
    Bounds,
    OwnHpa,
    Status,
    History,
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum WriteOutcome {
    Done,
    Unneeded,
    Conflict,
    Failed,
    TimedOut,
    NotFound,
    Forbidden,
    Throttled,
    Invalid,
}

/// How a query ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum QueryOutcome {
    /// The source answered, whatever it said.
    Answered,
    Unreachable,
    Timeout,
    Status,
    TooLarge,
    Garbage,
    Refused,
}

impl QueryOutcome {
    pub(super) const ALL: [Self; 7] =
        [Self::Answered, Self::Unreachable, Self::Timeout, Self::Status, Self::TooLarge, Self::Garbage, Self::Refused];
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByVerdict {
    verdict: VerdictWord,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum VerdictWord {
    Steady,
    Raised,
    Lowered,
    Held,
}

impl From<Verdict> for ByVerdict {
    fn from(verdict: Verdict) -> Self {
        let verdict = match verdict {
            Verdict::Steady => VerdictWord::Steady,
            Verdict::Raised { .. } => VerdictWord::Raised,
            Verdict::Lowered { .. } => VerdictWord::Lowered,
            Verdict::Held => VerdictWord::Held,
        };
        Self { verdict }
    }
}

/// One label whose values are words of this program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ByWhat {
    name: &'static str,
    word: &'static str,
}

impl ByWhat {
    pub(super) fn reason(word: &'static str) -> Self {
        Self { name: "reason", word }
    }

    pub(super) fn end(word: &'static str) -> Self {
        Self { name: "outcome", word }
    }

    pub(super) fn what(what: What) -> Self {
        let word = match what {
            What::Floors => "Floors",
            What::Replicas => "Replicas",
            What::Bounds => "Bounds",
            What::OwnHpa => "OwnHpa",
            What::Status => "Status",
            What::History => "History",
        };
        Self { name: "what", word }
    }
}

impl EncodeLabelSet for ByWhat {
    fn encode(&self, encoder: &mut prometheus_client::encoding::LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        use prometheus_client::encoding::EncodeLabel;
        (self.name, self.word).encode(encoder.encode_label())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WriteEnd {
    kind: What,
    outcome: WriteOutcome,
}

impl WriteEnd {
    pub(super) fn new(kind: What, outcome: WriteOutcome) -> Self {
        Self { kind, outcome }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WriteKind {
    kind: What,
}

impl WriteKind {
    pub(super) fn new(kind: What) -> Self {
        Self { kind }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BySource {
    source: Name,
}

impl BySource {
    pub(super) fn new(source: &Arc<str>) -> Self {
        Self { source: Name(Arc::clone(source)) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct QueryEnd {
    source: Name,
    outcome: QueryOutcome,
}

impl QueryEnd {
    pub(super) fn new(source: &Arc<str>, outcome: QueryOutcome) -> Self {
        Self { source: Name(Arc::clone(source)), outcome }
    }
}

/// A name that is shared, not copied.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Name(Arc<str>);

impl EncodeLabelValue for Name {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.as_ref().encode(encoder)
    }
}
