//! What one policy wants to know, and from which source.

use core::time::Duration;
use std::sync::Arc;

use floorkeeper_core::{PolicyKey, TargetKey};

use super::config::{Coverage, Question};

/// What is asked for one policy. Told again in full whenever any of them changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    pub policy: PolicyKey,
    pub target: TargetKey,
    /// Label selector of the target's pods, for sources that measure the pods; `None` while it is not known.
    pub pods: Option<Arc<str>>,
    /// One for each of the policy's signals, in their order. The first one's source sets the pace: with each of its
    /// ticks the policy is told, with the last answers of any other source.
    pub signals: Vec<SignalAsk>,
    pub errors: Option<ErrorAsk>,
    /// How far back the past of each signal is asked for when the policy is first seen. Zero: not at all.
    pub history: Duration,
}

/// One signal: the arriving load and, where configured, the work already waiting.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalAsk {
    pub load: Ask,
    pub backlog: Option<Ask>,
}

/// Failed and total work.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorAsk {
    pub failed: Ask,
    pub total: Ask,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    /// Name of the `MetricSource`. One that does not exist answers `NotAllowed`.
    pub source: Arc<str>,
    pub query: Query,
    /// Of an inline question. A demand has its own; vouched by either is vouched.
    pub coverage: Coverage,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Query {
    /// The load of a shared demand for this policy's namespace and target; `None`: the source's default demand.
    Demand(Option<Arc<str>>),
    /// The backlog that a shared demand carries.
    DemandBacklog(Option<Arc<str>>),
    /// The failed work that a shared demand carries.
    DemandFailed(Option<Arc<str>>),
    /// The total work that a shared demand carries.
    DemandTotal(Option<Arc<str>>),
    /// From the policy itself.
    Inline(Question),
}

impl Subscription {
    /// The source whose ticks set the pace; `None` without signals and errors.
    #[must_use]
    pub fn pace(&self) -> Option<&Arc<str>> {
        self.asks().next().map(|ask| &ask.source)
    }

    /// Every question, signals first.
    pub fn asks(&self) -> impl Iterator<Item = &Ask> {
        let signals = self.signals.iter().flat_map(|signal| std::iter::once(&signal.load).chain(&signal.backlog));
        signals.chain(self.errors.iter().flat_map(|errors| [&errors.failed, &errors.total]))
    }

    /// The signal whose load the question at `place` of [`Self::asks`] asks for.
    pub(super) fn signal_at(&self, place: usize) -> Option<usize> {
        let mut at = 0;
        for (number, signal) in self.signals.iter().enumerate() {
            if at == place {
                return Some(number);
            }
            at += 1 + usize::from(signal.backlog.is_some());
        }
        None
    }
}
