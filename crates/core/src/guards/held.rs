//! From the onset of trouble: the floor and the replicas of that moment, once. No ratchet: trouble that lasts does not
//! hold more than it began with, and `holdAtMost` ends it.

use crate::facts::Facts;

pub(super) fn bid(facts: &Facts<'_>) -> Option<u32> {
    let doubt = facts.standing.doubt?;
    (!facts.overdue() && !facts.exhausted()).then_some(doubt.replicas)
}
