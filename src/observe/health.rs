//! How each source is doing: for its status, for metrics and for readiness.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use floorkeeper_core::{Failure, Timestamp};

/// What is known of one source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    pub last_success: Option<Timestamp>,
    pub last_failure: Option<(Timestamp, Failure)>,
    /// What keeps the source from being asked at all: one sentence for people, without secrets.
    pub problem: Option<String>,
    /// Requests sent since the start.
    pub requests: u64,
    /// Requests that got no usable answer.
    pub failures: u64,
    /// Ticks that were left out because the one before had not ended.
    pub skipped: u64,
    /// Distinct queries of the last tick.
    pub queries: usize,
    /// Policies that read this source.
    pub policies: usize,
    /// How long the last tick took, in milliseconds.
    pub tick_ms: u64,
}

/// A source in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Nothing was asked yet.
    Idle,
    /// The last exchange gave an answer.
    Answering,
    /// The last exchange gave none.
    Failing,
    /// It can't be asked: see `problem`.
    Broken,
}

impl Health {
    /// The source in one word.
    #[must_use]
    pub fn condition(&self) -> Condition {
        if self.problem.is_some() {
            return Condition::Broken;
        }
        match (self.last_success, self.last_failure) {
            (None, None) => Condition::Idle,
            (Some(_), None) => Condition::Answering,
            (None, Some(_)) => Condition::Failing,
            (Some(success), Some((failure, _))) if success >= failure => Condition::Answering,
            (Some(_), Some(_)) => Condition::Failing,
        }
    }
}

/// The health of all sources, shared with whoever reports it.
#[derive(Clone, Debug, Default)]
pub struct HealthBoard(Arc<Mutex<BTreeMap<Arc<str>, Health>>>);

impl HealthBoard {
    /// Every source and how it is.
    #[must_use]
    pub fn all(&self) -> Vec<(Arc<str>, Health)> {
        self.lock().iter().map(|(name, health)| (Arc::clone(name), health.clone())).collect()
    }

    /// One source.
    #[must_use]
    pub fn of(&self, source: &str) -> Option<Health> {
        self.lock().get(source).cloned()
    }

    pub(super) fn update(&self, source: &Arc<str>, change: impl FnOnce(&mut Health)) {
        change(self.lock().entry(Arc::clone(source)).or_default());
    }

    pub(super) fn forget(&self, source: &str) {
        self.lock().remove(source);
    }

    /// A panic elsewhere leaves counters, nothing that could be half-written: the lock is taken all the same.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Health>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
