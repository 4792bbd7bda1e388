//! Events in: what the shell tells the engine.

use std::sync::Arc;

use crate::history::Learned;
use crate::key::{PolicyKey, TargetKey};
use crate::policy::Policy;
use crate::sample::{Observation, Sample};
use crate::standing::Standing;
use crate::target::{Override, Scaler, Target};

/// Something that happened outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A policy is new, or its spec changed. Telling the same policy twice changes nothing.
    Policy(PolicyKey, Arc<Policy>),
    /// A policy is gone. Its floor stays for ten minutes (a delete-and-re-create is adopted), then is released.
    PolicyGone(PolicyKey),
    /// A workload was seen; `None`: it does not exist.
    Target(TargetKey, Option<Target>),
    /// The scaler of a target was seen; `None`: there is none.
    Scaler(TargetKey, Option<Scaler>),
    /// One tick of a source for one policy.
    Observed(PolicyKey, Observation),
    /// The past of one signal (by its place in the policy), oldest first: fills the window. It may raise, never lower.
    History(PolicyKey, usize, Vec<Sample>),
    /// What was learned of a policy's workload and stored.
    Learned(PolicyKey, Learned),
    /// Two weeks of one signal in steps of about five minutes, oldest first: learned from when all signals have told
    /// theirs. Ends where it may; it neither fills the window nor raises or lowers anything.
    Past(PolicyKey, usize, Vec<Sample>),
    /// The overrides that apply to a policy now.
    Overrides(PolicyKey, Vec<Override>),
    /// A namespace's `FloorTable` as stored; `rows` in any order. Empty where there is none yet.
    Table { namespace: Arc<str>, rows: Vec<(TargetKey, Standing)> },
}
