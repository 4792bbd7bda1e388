//! The right to lower. "No proof, no decrease" is a compile error: a [`Floor`] can fall only through [`Floor::lower`],
//! which wants a [`Warrant`], and a [`Proof`] is made here alone.

use crate::decision::{Doubt, Hold};
use crate::doubts;
use crate::facts::Facts;
use crate::judge::ErrorShare;
use crate::target::Override;

/// The smallest replica count that floorkeeper lets stand now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Floor(u32);

impl Floor {
    /// A floor as it was found: stored, or the replicas at first sight.
    pub(crate) fn found(replicas: u32) -> Self {
        Self(replicas)
    }

    pub(crate) fn replicas(self) -> u32 {
        self.0
    }

    /// Up is free.
    pub(crate) fn raise(&mut self, to: u32) {
        self.0 = self.0.max(to);
    }

    /// The one function that can return less.
    pub(crate) fn lower(&mut self, to: u32, warrant: &Warrant<'_>) {
        match warrant {
            Warrant::Evidence(Proof { .. }) | Warrant::Person(_) => self.0 = self.0.min(to),
        }
    }
}

/// What gives the right to lower.
#[derive(Debug)]
pub(crate) enum Warrant<'a> {
    Evidence(Proof),
    /// A person's order.
    Person(#[expect(dead_code, reason = "the order is the warrant: it is held, not read")] &'a Override),
}

/// Every signal known and fresh, the window full, nothing in doubt.
#[derive(Debug)]
pub(crate) struct Proof {
    _private: (),
}

impl Proof {
    /// The proof, or what is missing for it. `doubts` are all doubts of this moment.
    pub(crate) fn new(facts: &Facts<'_>, doubts: &[Doubt]) -> Result<Self, Hold> {
        if let Some((signal, why)) = facts.unknown {
            return Err(Hold::Unknown { signal, why });
        }
        if let ErrorShare::Unknown(why) = facts.errors {
            return Err(Hold::Unknown { signal: None, why });
        }
        if facts.exhausted() {
            // Zero for longer than any doubt may last: only the window still has to speak.
            return match doubts.iter().find(|doubt| matches!(doubt, Doubt::WindowNotFull { .. })) {
                Some(doubt) => Err(Hold::Doubt(*doubt)),
                None => Ok(Self { _private: () }),
            };
        }
        match doubts.iter().find(|doubt| holds(doubt, facts)) {
            Some(doubt) => Err(Hold::Doubt(*doubt)),
            None => Ok(Self { _private: () }),
        }
    }
}

/// Whether a doubt holds. Trouble that is overdue holds no more, and its settling neither: more errors must never
/// give less than fewer (law L2).
fn holds(doubt: &Doubt, facts: &Facts<'_>) -> bool {
    match doubt {
        Doubt::Errors { .. } | Doubt::Unready { .. } | Doubt::Dependency { .. } | Doubt::Settling { .. } => {
            !facts.overdue()
        }
        Doubt::UnusualFall { since, .. } => doubts::fall_holds(facts, *since),
        Doubt::Brake { .. } | Doubt::Rollout { .. } | Doubt::WindowNotFull { .. } | Doubt::StepHarmful { .. } => true,
        Doubt::Overdue { .. } => false,
    }
}
