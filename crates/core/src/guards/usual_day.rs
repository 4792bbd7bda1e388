//! What this hour of the week usually needs: raises while nothing is known, and keeps `keepPercent` of it during an
//! unusual fall.

use crate::facts::Facts;
use crate::guards::usual_fall;
use crate::signal::whole;

pub(super) fn bid(facts: &Facts<'_>) -> Option<u32> {
    let need = facts.hour_need?;
    if facts.exhausted() {
        return None;
    }
    let kept = facts.standing.fall.map(|_| {
        let share = f64::from(facts.policy.fall.keep_percent) / 100.0;
        need * share * usual_fall::left(facts)
    });
    // A tick that is missing is no reason to raise; a window is.
    let blind = (facts.unknown.is_some() && facts.blind_for >= facts.policy.window).then_some(need);
    let asked = kept.unwrap_or(0.0).max(blind.unwrap_or(0.0));
    (asked > 0.0).then(|| whole(asked))
}
