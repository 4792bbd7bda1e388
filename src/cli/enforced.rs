//! Who keeps a floor: what the condition `Enforced` comes to for a person.

use crate::api::ScalingPolicyStatus;
use crate::api::conditions::{ENFORCED, enforced};

/// Who keeps a floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeper {
    /// The API server too: it refuses an order below the floor.
    ApiServer,
    /// floorkeeper alone, as its owners have it.
    Floorkeeper,
    /// The API server should, and does not.
    Astray,
    /// Not known yet, or nothing to keep.
    Open,
}

/// Who keeps it, with floorkeeper's word for it.
pub(super) fn keeper(status: &ScalingPolicyStatus) -> (Keeper, &str) {
    let Some(found) = status.conditions.iter().find(|condition| condition.type_ == ENFORCED) else {
        return (Keeper::Open, "");
    };
    let keeper = match found.reason.as_str() {
        enforced::BY_ADMISSION | enforced::PARTIAL | enforced::DENY_ONLY => Keeper::ApiServer,
        enforced::BY_WATCH | enforced::WARN_ONLY => Keeper::Floorkeeper,
        enforced::LABEL_NOT_UNDERSTOOD
        | enforced::POLICY_MISSING
        | enforced::KIND_NOT_COVERED
        | enforced::TRIAL_FAILED => Keeper::Astray,
        _ => Keeper::Open,
    };
    (keeper, &found.reason)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_word_comes_to_something() {
        let of = |reason: &str| {
            let condition = json!({"type": "Enforced", "status": "False", "reason": reason, "message": "", "lastTransitionTime": "2024-03-05T01:36:00Z"});
            let status = serde_json::from_value(json!({"conditions": [condition]})).unwrap();
            keeper(&status).0
        };
        assert_eq!(of("DenyOnly"), Keeper::ApiServer);
        assert_eq!(of("ByWatch"), Keeper::Floorkeeper);
        assert_eq!(of("PolicyMissing"), Keeper::Astray);
        assert_eq!(of("Checking"), Keeper::Open);
        assert_eq!(keeper(&ScalingPolicyStatus::default()), (Keeper::Open, ""));
    }
}
