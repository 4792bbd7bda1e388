//! L9: it says why.

use floorkeeper_core::{Decision, Hold, PolicyKey, Verdict};

/// After every poll: no floor above the bids without a hold, no hold without a reason, no raise out of nothing.
pub(super) fn says_why(key: &PolicyKey, decision: &Decision) {
    let largest = decision.bids.first().map_or(0, |bid| bid.replicas);
    match decision.verdict {
        Verdict::Held => assert!(decision.hold.is_some(), "{key} is held for no reason: {decision:?}"),
        Verdict::Raised { from } => assert!(decision.floor > from, "{key}: {decision:?}"),
        Verdict::Lowered { from } => assert!(decision.floor < from, "{key}: {decision:?}"),
        Verdict::Steady => assert!(decision.hold.is_none(), "{key}: {decision:?}"),
    }
    if decision.hold.is_none() {
        let explained = largest.max(decision.min);
        assert!(decision.floor <= explained, "{key} stands at {} for no reason: {decision:?}", decision.floor);
    }
    if let Some(Hold::Doubt(doubt)) = decision.hold {
        assert!(decision.doubts.contains(&doubt), "{key}: the doubt that holds is not listed: {decision:?}");
    }
    if let Some(wanted) = decision.limited {
        assert!(wanted > decision.max, "{key}: {decision:?}");
    }
}
