//! What the engine tells of what it knows and decided.

use super::Engine;
use crate::decision::{Decision, Notice};
use crate::history::Learned;
use crate::key::{PolicyKey, TargetKey};
use crate::workload::Workload;

impl Engine {
    /// The last decision about a policy.
    #[must_use]
    pub fn decision(&self, policy: &PolicyKey) -> Option<&Decision> {
        self.fleet.policy(policy)?.decision.as_ref()
    }

    /// What was learned of a policy's workload, to be stored.
    #[must_use]
    pub fn learned(&self, policy: &PolicyKey) -> Option<Learned> {
        self.fleet.policy(policy).map(Workload::learned)
    }

    /// Every policy with its last decision.
    pub fn decisions(&self) -> impl Iterator<Item = (&PolicyKey, &Decision)> {
        let there = self.fleet.all().filter(|workload| workload.gone_since.is_none());
        there.filter_map(|workload| Some((&workload.key, workload.decision.as_ref()?)))
    }

    /// Every target that the engine wants to hear of: of policies, of what they depend on, and of stored floors whose
    /// policy is gone.
    pub fn targets(&self) -> impl Iterator<Item = &TargetKey> {
        self.fleet.targets()
    }

    /// Policies whose decision changed since the last call, each once: their status may need a write.
    pub fn changed(&mut self) -> Vec<PolicyKey> {
        let mut changed = core::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// What is worth telling since the last call.
    pub fn notices(&mut self) -> Vec<(PolicyKey, Notice)> {
        core::mem::take(&mut self.notices)
    }
}
