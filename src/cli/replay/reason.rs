//! A decision in a word and a sentence, for a chart.

use floorkeeper_core::{Decision, Policy};

use crate::words;

/// Why the floor is what it is: who asks for it, or what keeps it from falling.
pub(in crate::cli) fn said(decision: &Decision, policy: Option<&Policy>) -> (String, String) {
    match &decision.hold {
        Some(hold) => (words::hold_reason(hold).to_owned(), words::hold(hold, policy)),
        None => (words::guard_reason(decision.guard).to_owned(), words::guard(decision.guard).to_owned()),
    }
}
