//! Two policies on one target: the older owns it, the larger floor holds.

use crate::facts::Facts;

pub(super) fn bid(facts: &Facts<'_>) -> Option<u32> {
    (facts.peer > 0).then_some(facts.peer)
}
