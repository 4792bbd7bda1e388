//! Work that waits already: what it takes to drain it in time, on top of what arrives.

use crate::facts::Facts;
use crate::signal::whole;

pub(super) fn bid(facts: &Facts<'_>) -> Option<u32> {
    facts.backlog_level.filter(|&level| level > 0.0).map(whole)
}
