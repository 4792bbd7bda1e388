//! `minReplicas`, or the scaler's own minimum.

use crate::facts::Facts;

pub(super) fn bid(facts: &Facts<'_>) -> u32 {
    facts.min
}
