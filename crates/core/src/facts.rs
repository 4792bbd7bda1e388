//! The facts of one moment, gathered once: what the doubts and the guards look at.

use core::time::Duration;

use crate::history::Usual;
use crate::judge::ErrorShare;
use crate::policy::Policy;
use crate::sample::Unknown;
use crate::standing::Standing;
use crate::target::Rollout;
use crate::time::Timestamp;

/// Everything that one decision is made from.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) now: Timestamp,
    pub(crate) policy: &'a Policy,
    pub(crate) standing: &'a Standing,
    /// The static bounds in force.
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) replicas: u32,
    pub(crate) rollout: Rollout,
    /// Since when this rollout runs.
    pub(crate) rollout_since: Timestamp,
    /// The first signal that says nothing, by its place, and why; `None` place: the errors or no signal at all.
    pub(crate) unknown: Option<(Option<usize>, Unknown)>,
    /// The need of the arriving load, unrounded, as far as it is believed; a lower bound while anything is unknown.
    pub(crate) level: f64,
    /// The same with the waiting work; `None` where no backlog is asked for.
    pub(crate) backlog_level: Option<f64>,
    pub(crate) window_peak: f64,
    pub(crate) hour_peak: f64,
    /// Every signal is a confirmed zero, backlogs too.
    pub(crate) zero: bool,
    pub(crate) have: u32,
    pub(crate) want: u32,
    pub(crate) full: bool,
    pub(crate) errors: ErrorShare,
    /// Pods that were ready and are not, and how many were, where that is enough to doubt.
    pub(crate) failing: Option<(u32, u32)>,
    /// The first failing dependency, by its place in `dependsOn`.
    pub(crate) dependency: Option<usize>,
    pub(crate) brake: Option<BrakeHold>,
    /// The last step that was taken back: from, to.
    pub(crate) undone: Option<(u32, u32)>,
    /// The larger floor of a younger policy on the same target.
    pub(crate) peer: u32,
    /// What this workload's own past says; `None` until enough is learned.
    pub(crate) usual: Option<Usual>,
    /// What this hour of the week usually needs.
    pub(crate) hour_need: Option<f64>,
    /// The share of what its hours usually need that the last day needed.
    pub(crate) hour_level: f64,
    /// What the unusual fall has left: the highest need of the last hour since it began.
    pub(crate) left_by_fall: f64,
    /// The load has been back for a window where a fall would be usual.
    pub(crate) is_back: bool,
    /// Nothing has been known for so long.
    pub(crate) blind_for: Duration,
}

/// A tripped brake, as one workload sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BrakeHold {
    pub(crate) namespaces: u32,
    pub(crate) of: u32,
    pub(crate) until: Timestamp,
}

impl Facts<'_> {
    /// The pods have said for `holdAtMost` that something is wrong: the known demand is followed all the same.
    pub(crate) fn overdue(&self) -> bool {
        self.standing.doubt.is_some_and(|doubt| self.now.since(doubt.since) >= self.policy.hold_at_most)
    }

    /// Every signal has been a confirmed zero for so long that nothing that the pods do holds the floor any more (law L6).
    pub(crate) fn exhausted(&self) -> bool {
        self.zero && self.standing.zero_since.is_some_and(|since| self.now.since(since) >= patience(self.policy))
    }
}

/// How long a confirmed zero is held against doubts at most.
pub(crate) fn patience(policy: &Policy) -> Duration {
    policy.hold_at_most.max(policy.fall.keep_for).max(policy.fall.hold_for)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Everything is known and nothing is wrong; nothing is learned, and nothing is needed.
    pub(crate) fn facts<'a>(policy: &'a Policy, standing: &'a Standing) -> Facts<'a> {
        Facts {
            now: standing.observed_at,
            policy,
            standing,
            min: 2,
            max: 100,
            replicas: standing.replicas,
            rollout: Rollout::Done,
            rollout_since: standing.observed_at,
            unknown: None,
            level: 0.0,
            backlog_level: None,
            window_peak: 0.0,
            hour_peak: 0.0,
            zero: false,
            have: 40,
            want: 36,
            full: true,
            errors: ErrorShare::NotJudged,
            failing: None,
            dependency: None,
            brake: None,
            undone: None,
            peer: 0,
            usual: None,
            hour_need: None,
            hour_level: 1.0,
            left_by_fall: 0.0,
            is_back: false,
            blind_for: Duration::ZERO,
        }
    }
}
