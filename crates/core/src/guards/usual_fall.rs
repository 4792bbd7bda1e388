//! After an unusual fall was held for `holdFor`: `keepPercent` of what was needed before it, until `keepFor`.

use crate::facts::Facts;
use crate::signal::whole;

pub(super) fn bid(facts: &Facts<'_>) -> Option<u32> {
    let fall = facts.standing.fall?;
    let kept = facts.now.since(fall.since) < facts.policy.fall.keep_for && !facts.exhausted();
    kept.then(|| whole(f64::from(fall.replicas) * f64::from(facts.policy.fall.keep_percent) / 100.0))
}
