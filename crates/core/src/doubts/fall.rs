//! A fall that this workload does not usually show.
//!
//! Until a workload's own falls are learned, a need under `untilLearnedPercent` of the last hour's peak is unusual.
//! Held for `holdFor`; then kept at `keepPercent` (the guard `UsualFall`) until `keepFor` after the onset.

use crate::decision::Doubt;
use crate::facts::Facts;
use crate::signal::whole;
use crate::standing::Onset;
use crate::time::Timestamp;

pub(super) fn doubt(facts: &Facts<'_>) -> Option<Doubt> {
    let fall = facts.standing.fall?;
    Some(Doubt::UnusualFall { need: whole(facts.level), before: fall.replicas, since: fall.since })
}

/// The fall is held: after `holdFor` the doubt stays, and people are told, but the guard `UsualFall` alone keeps.
pub(crate) fn holds(facts: &Facts<'_>, since: Timestamp) -> bool {
    facts.now.since(since) < facts.policy.fall.hold_for
}

/// An unusual fall begins now. Unknown readings never begin one: they hold by themselves.
pub(crate) fn began(facts: &Facts<'_>) -> Option<Onset> {
    if facts.standing.fall.is_some() || facts.unknown.is_some() || facts.exhausted() {
        return None;
    }
    let before = whole(facts.hour_peak);
    // A service so small that its peak needs no more than the minimum loses nothing by a fall.
    let matters = before > facts.min.max(1);
    let unusual = facts.level < facts.hour_peak * share(facts);
    (matters && unusual).then_some(Onset { since: facts.now, replicas: before })
}

/// How a fall ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FallEnd {
    /// The load is back.
    Back,
    /// `keepFor` has passed: what was before it is not compared with again.
    Through,
}

/// Whether the fall is over.
pub(crate) fn over(facts: &Facts<'_>, fall: Onset) -> Option<FallEnd> {
    let kept = facts.policy.fall.keep_for.max(facts.policy.fall.hold_for);
    if facts.unknown.is_none() && facts.level >= f64::from(fall.replicas) * share(facts) {
        return Some(FallEnd::Back);
    }
    (facts.now.since(fall.since) >= kept).then_some(FallEnd::Through)
}

fn share(facts: &Facts<'_>) -> f64 {
    f64::from(facts.policy.fall.until_learned_percent) / 100.0
}
