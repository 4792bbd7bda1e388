//! The highest need of the last `window`: what was needed a moment ago may be needed in a moment.

use crate::facts::Facts;
use crate::signal::whole;

pub(super) fn bid(facts: &Facts<'_>) -> Option<u32> {
    (facts.window_peak > 0.0).then(|| whole(facts.window_peak))
}
