//! Never less than the usual falls of this workload leave of its recent peaks. During an unusual fall: `keepPercent` of
//! what was needed before it, until `keepFor`; where it is learned what this hour usually needs, the guard `UsualDay`
//! keeps that instead.

use crate::doubts;
use crate::facts::Facts;
use crate::signal::whole;

pub(super) fn bid(facts: &Facts<'_>) -> Option<u32> {
    if facts.exhausted() {
        return None;
    }
    let asked = match facts.standing.fall {
        None => facts.usual?.limit,
        Some(_) if facts.standing.fall_limit.is_some() && facts.hour_need.is_some() => return None,
        Some(fall) => f64::from(fall.replicas) * f64::from(facts.policy.fall.keep_percent) / 100.0 * left(facts),
    };
    (asked > 0.0).then(|| whole(asked))
}

/// The share of what is kept that is left: all of it until `keepFor`. Then nothing, or, where the fall was measured by what
/// is learned, half of it after each `halfLife`.
pub(super) fn left(facts: &Facts<'_>) -> f64 {
    let Some(fall) = facts.standing.fall else { return 0.0 };
    if facts.standing.fall_limit.is_none() {
        let kept = facts.now.since(fall.since) < facts.policy.fall.keep_for;
        return if kept { 1.0 } else { 0.0 };
    }
    let after = facts.now.since(doubts::fall_ends_at(facts, fall));
    let halvings = after.as_secs_f64() / facts.policy.half_life.as_secs_f64().max(1.0);
    let left = (-halvings).exp2();
    if left < LAST { 0.0 } else { left }
}

/// After seven halvings less than a hundredth is left: nothing.
const LAST: f64 = 0.01;
