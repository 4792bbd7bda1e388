//! The engine: every policy's machine, the fleet's brake, and the writes that follow.

use crate::decision::{Decision, Notice};
use crate::event::Event;
use crate::key::PolicyKey;
use crate::time::Timestamp;
use crate::write::{Outcome, Write};

/// The whole decision, sans I/O.
///
/// Drive it so: `observe` everything that happens, then `poll`; carry the writes out in their order and tell each
/// outcome with `acknowledged`; poll again at `next_wake` at the latest. Nothing is written for a policy before its
/// namespace's table was told (`Event::Table`) and its target was seen.
#[derive(Debug)]
pub struct Engine {
    epoch: u64,
}

impl Engine {
    /// `epoch`: of this leadership; above every epoch stored before it. Rows with a higher one raise it by themselves.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        Self { epoch }
    }

    /// Something happened. Nothing is decided before the next [`Engine::poll`].
    pub fn observe(&mut self, event: Event, now: Timestamp) {
        let _ = (event, now, self.epoch);
    }

    /// Decides every policy that an event or the time concerns, and returns the writes that follow, in order.
    pub fn poll(&mut self, now: Timestamp) -> Vec<Write> {
        let _ = now;
        Vec::new()
    }

    /// Tells how a write ended.
    pub fn acknowledged(&mut self, write: &Write, outcome: Outcome, now: Timestamp) {
        let _ = (write, outcome, now);
    }

    /// When to poll again if nothing happens before; [`Timestamp::NEVER`] if never.
    #[must_use]
    pub fn next_wake(&self) -> Timestamp {
        Timestamp::NEVER
    }

    /// The last decision about a policy.
    #[must_use]
    pub fn decision(&self, policy: &PolicyKey) -> Option<&Decision> {
        let _ = policy;
        None
    }

    /// Policies whose decision changed since the last call, each once: their status may need a write.
    pub fn changed(&mut self) -> Vec<PolicyKey> {
        Vec::new()
    }

    /// What is worth telling since the last call.
    pub fn notices(&mut self) -> Vec<(PolicyKey, Notice)> {
        Vec::new()
    }
}
