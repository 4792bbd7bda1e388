//! What the workload's own past has taught, and how far that past is known.

use floorkeeper_core::{Failure, Unknown, Usual};

use super::number;
use crate::api::{LearnedStatus, PastState};
use crate::words;

/// How far the past of a policy's workload is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learning {
    pub past: BackFill,
    /// What is wrong with what is stored.
    pub note: Option<String>,
}

/// What became of asking the source for the past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BackFill {
    #[default]
    Asked,
    Known,
    /// This signal's source keeps no past.
    NotKept(String),
    /// This signal's source could not tell it; it is asked again.
    Failing(String, Failure),
    /// A signal has no capacity: no need can be reckoned.
    NoCapacity,
}

pub(super) fn learned(learning: &Learning, usual: Option<&Usual>) -> LearnedStatus {
    let (past, says) = match &learning.past {
        BackFill::Asked => (PastState::Asked, None),
        BackFill::Known => (PastState::Known, None),
        BackFill::NotKept(signal) => {
            (PastState::NotKept, Some(format!("the source of signal {signal} keeps no past: it is learned day by day")))
        }
        BackFill::Failing(signal, why) => {
            let why = words::unknown(&Unknown::Failed(*why));
            (
                PastState::Failing,
                Some(format!("the past of signal {signal} {why}; it is asked for again, within an hour")),
            )
        }
        BackFill::NoCapacity => {
            (PastState::NoCapacity, Some("needs can't be reckoned before a capacity is set".to_owned()))
        }
    };
    LearnedStatus {
        days: usual.map(|usual| number(usual.days)),
        within_hour_percent: usual.and_then(|usual| usual.within_an_hour).map(|share| (share * 100.0).round() as i32),
        hour_needs: usual.and_then(|usual| usual.hour).map(replicas),
        // Nothing to fall from yet, or too little to matter.
        unusual_below: usual.map(|usual| replicas(usual.limit)).filter(|below| *below > 0),
        past,
        note: learning.note.clone().or(says),
    }
}

fn replicas(need: f64) -> i32 {
    (need - 1e-9).ceil().clamp(0.0, f64::from(i32::MAX)) as i32
}
