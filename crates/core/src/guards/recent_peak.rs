//! The highest need of the last `window`: what was needed a moment ago may be needed in a moment. Where this workload's
//! falls are learned and this one is usual, of the last minutes.

use crate::facts::Facts;
use crate::signal::whole;

pub(super) fn bid(facts: &Facts<'_>) -> Option<u32> {
    let usual = facts.usual.filter(|_| facts.standing.fall.is_none());
    let peak = usual.map_or(facts.window_peak, |usual| usual.recent.min(facts.window_peak));
    (peak > 0.0).then(|| whole(peak))
}
