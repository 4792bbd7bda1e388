//! A fall that this workload does not usually show.
//!
//! Once its own falls are learned: the highest need of the window is under what they leave of a recent peak. Until then: a
//! need under `untilLearnedPercent` of the last hour's peak. Held for `holdFor`; then kept (the guards `UsualFall` and
//! `UsualDay`) until `keepFor` after the onset; what was learned then lets it go at `halfLife`.

use crate::decision::Doubt;
use crate::facts::Facts;
use crate::guards;
use crate::history::falls_again;
use crate::signal::whole;
use crate::standing::Onset;
use crate::time::Timestamp;

pub(super) fn doubt(facts: &Facts<'_>) -> Option<Doubt> {
    let fall = facts.standing.fall?;
    Some(Doubt::UnusualFall { need: whole(facts.level), before: fall.replicas, since: fall.since })
}

/// The fall is held: after `holdFor` the doubt stays, and people are told, but the guards alone keep.
pub(crate) fn holds(facts: &Facts<'_>, since: Timestamp) -> bool {
    facts.now.since(since) < facts.policy.fall.hold_for
}

/// An unusual fall begins now. Unknown readings never begin one: they hold by themselves.
///
/// With it comes the need that would end it, where that is learned, in thousandths of a replica.
pub(crate) fn began(facts: &Facts<'_>) -> Option<(Onset, Option<u32>)> {
    if facts.standing.fall.is_some() || facts.unknown.is_some() || facts.exhausted() {
        return None;
    }
    let onset = |before| Onset { since: facts.now, replicas: before };
    if let Some(usual) = facts.usual.filter(|_| facts.full) {
        let limit = (usual.limit * 1000.0).ceil() as u32;
        return usual.unusual.then(|| (onset(whole(usual.before)), Some(limit)));
    }
    let before = whole(facts.hour_peak);
    // A service so small that its peak needs no more than the minimum loses nothing by a fall.
    let matters = before > facts.min.max(1);
    let limit = facts.hour_peak * facts.policy.fall.untaught();
    // In a quiet hour its own falls say nothing, and what this hour usually needs is known all the same.
    let learned = facts.hour_need.is_some().then(|| (limit * 1000.0).ceil() as u32);
    (matters && facts.level < limit).then(|| (onset(before), learned))
}

/// Within the fall the load falls again, from what the fall had left of it, and deeper than is usual within an hour: what
/// was true of the first fall need not be true of this one.
pub(crate) fn again(facts: &Facts<'_>) -> Option<Onset> {
    let untaught = facts.policy.fall.untaught();
    let again = falls_again(facts.left_by_fall, facts.window_peak, facts.min, facts.usual, untaught);
    let begins = again && facts.unknown.is_none() && !facts.exhausted();
    begins.then(|| Onset { since: facts.now, replicas: whole(facts.left_by_fall) })
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
    // Back for a window: until then the window's peak is that of the fall.
    if facts.unknown.is_none() && facts.is_back {
        return Some(FallEnd::Back);
    }
    // What was learned is let down at `halfLife` until it asks for no more than the load of now does.
    let let_down =
        || facts.standing.fall_limit.is_none() || guards::kept(facts) <= whole(facts.window_peak).max(facts.min);
    (facts.now >= ends_at(facts, fall) && let_down()).then_some(FallEnd::Through)
}

/// The need that would end it.
pub(crate) fn limit(facts: &Facts<'_>, fall: Onset) -> f64 {
    match facts.standing.fall_limit {
        Some(limit) => f64::from(limit) / 1000.0,
        None => f64::from(fall.replicas) * facts.policy.fall.untaught(),
    }
}

/// When it is kept no more.
pub(crate) fn ends_at(facts: &Facts<'_>, fall: Onset) -> Timestamp {
    fall.since.plus(facts.policy.fall.keep_for.max(facts.policy.fall.hold_for))
}
