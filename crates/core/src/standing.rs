//! What must outlive the process: one row of a `FloorTable`.

use std::sync::Arc;

use crate::time::Timestamp;

/// The standing of one target: its enforced floor and the state that a restart must not lose.
///
/// Advanced only by an acknowledged write. The API server's fencing rules are stated on these fields:
/// `epoch` never falls; `replicas` falls only with a higher epoch or, in the same epoch, a higher `seq`.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The floor.
    pub replicas: u32,
    /// Name of the policy that owns the target.
    pub policy: Arc<str>,
    /// UID of the target; a re-created target starts from its own replicas, never below this floor.
    pub uid: Arc<str>,
    /// Which guard holds the floor: a short CamelCase word.
    pub reason: Arc<str>,
    pub epoch: u64,
    pub seq: u64,
    pub observed_at: Timestamp,
    /// Since when the readings are in doubt, and what was held from then on.
    pub doubt: Option<Onset>,
    /// Since when the fall is unusual, and the need just before it.
    pub fall: Option<Onset>,
    /// The need that would end the fall, in thousandths of a replica, where this workload's own falls say so.
    pub fall_limit: Option<u32>,
    /// The last step down, until it is verified.
    pub step: Option<Step>,
    /// No step down before this moment (the pause after harm).
    pub not_before: Option<Timestamp>,
    /// Pause after the last harmful step, milliseconds; doubles with each, forgotten when one is verified.
    pub pause_ms: u64,
    /// Since when every signal is a confirmed zero.
    pub zero_since: Option<Timestamp>,
    /// From where, since when the floor runs down at `halfLife` after first sight, an edit or an override's end.
    pub run_down: Option<Onset>,
    /// The policy is gone: the floor no longer binds and the row may vanish.
    pub released: bool,
}

impl Standing {
    /// A floor with no history.
    #[must_use]
    pub fn at(replicas: u32, now: Timestamp) -> Self {
        Self {
            replicas,
            policy: "".into(),
            uid: "".into(),
            reason: "".into(),
            epoch: 0,
            seq: 0,
            observed_at: now,
            doubt: None,
            fall: None,
            fall_limit: None,
            step: None,
            not_before: None,
            pause_ms: 0,
            zero_since: None,
            run_down: None,
            released: false,
        }
    }
}

/// A moment and the replicas (or need) of that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Onset {
    pub since: Timestamp,
    pub replicas: u32,
}

/// A step down under verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub from: u32,
    pub to: u32,
    pub at: Timestamp,
    /// When ready pods were first seen below `from`: the clock of `verifyFor` starts here.
    pub fell_at: Option<Timestamp>,
    /// Error share just before, in permille; `None` where not judged.
    pub errors_before: Option<u32>,
    /// Pods unready just before.
    pub unready_before: u32,
    /// Need against ready pods just before, in permille; `None` where not known.
    pub strain_before: Option<u32>,
}
