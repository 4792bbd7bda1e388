//! The words: short, CamelCase, stable.

use floorkeeper_core::{Doubt, Failure, Guard, Hold, Notice, Problem, Trust, Unknown};

use crate::api::conditions::{holding, ready, trusted};

/// The guard whose bid is the floor, as `status.floor.reason` shows it.
#[must_use]
pub fn guard_reason(guard: Guard) -> &'static str {
    match guard {
        Guard::StaticMinimum => "StaticMinimum",
        Guard::LiveDemand => "LiveDemand",
        Guard::RecentPeak => "RecentPeak",
        Guard::UsualFall => "UsualFall",
        Guard::UsualDay => "UsualDay",
        Guard::Held => "Held",
        Guard::Backlog => "Backlog",
        Guard::SpecChanged => "SpecChanged",
        Guard::Override => "Override",
        Guard::Peer => "Peer",
    }
}

/// The guard behind a word of [`guard_reason`].
#[must_use]
pub fn guard_named(word: &str) -> Option<Guard> {
    GUARDS.into_iter().find(|guard| guard_reason(*guard) == word)
}

/// Why a floor is not lowered now.
#[must_use]
pub fn hold_reason(hold: &Hold) -> &'static str {
    match hold {
        Hold::Unknown { signal: None, .. } => trusted::NO_OBSERVATION,
        Hold::Unknown { signal: Some(_), why } => unknown_reason(why),
        Hold::Doubt(doubt) => doubt_reason(doubt),
        Hold::Pace { .. } => holding::SCALE_DOWN_STABILIZED,
        Hold::Verifying { .. } => holding::VERIFYING,
        Hold::Frozen { .. } => holding::FROZEN,
        Hold::NoTarget => holding::NO_TARGET,
        Hold::Fenced { .. } => holding::FENCED,
    }
}

/// Why the readings are not taken at their word.
#[must_use]
pub fn doubt_reason(doubt: &Doubt) -> &'static str {
    match doubt {
        Doubt::Errors { .. } => trusted::ERRORS_HIGH,
        Doubt::Unready { .. } => trusted::PODS_UNREADY,
        Doubt::Rollout { .. } => trusted::ROLLOUT,
        Doubt::Dependency { .. } => trusted::DEPENDENCY_DOWN,
        Doubt::UnusualFall { .. } => trusted::UNUSUAL_FALL,
        Doubt::Brake { .. } => trusted::BRAKE,
        Doubt::WindowNotFull { .. } => trusted::WINDOW_NOT_FULL,
        Doubt::StepHarmful { .. } => trusted::STEP_HARMFUL,
        Doubt::Overdue { .. } => trusted::OVERDUE,
        Doubt::Settling { .. } => trusted::SETTLING,
    }
}

/// Why a signal says nothing.
#[must_use]
pub fn unknown_reason(why: &Unknown) -> &'static str {
    match why {
        Unknown::NeverSeen => "SignalNeverSeen",
        Unknown::Failed(failure) => failure_reason(*failure),
        Unknown::Empty => "SignalEmpty",
        Unknown::Several(_) => "SignalAmbiguous",
        Unknown::NotANumber => "SignalNotANumber",
        Unknown::Infinite => "SignalInfinite",
        Unknown::Negative => "SignalNegative",
        Unknown::Absurd => "SignalAbsurd",
        Unknown::Partial => "SignalPartial",
        Unknown::Stale { .. } => "SignalStale",
        Unknown::Future { .. } => "SignalFromTheFuture",
        Unknown::Shrunken { .. } => "SignalShrunken",
        Unknown::NoEvidence => "SignalUnproven",
        Unknown::UnconfirmedZero => "ZeroUnconfirmed",
    }
}

/// Why a source gave no answer.
#[must_use]
pub fn failure_reason(failure: Failure) -> &'static str {
    match failure {
        Failure::Unreachable => "SourceUnreachable",
        Failure::Timeout => "SourceTimeout",
        Failure::Status(_) => "SourceError",
        Failure::TooLarge => "SourceAnswerTooLarge",
        Failure::Garbage => "SourceAnswerUnreadable",
        Failure::Refused => "QueryRefused",
        Failure::NotAllowed => "SourceNotAllowed",
    }
}

/// What keeps a policy from working.
#[must_use]
pub fn problem_reason(problem: Problem) -> &'static str {
    match problem {
        Problem::TargetNotFound => ready::FAILED_GET_SCALE,
        Problem::ScalerNotFound => ready::SCALER_NOT_FOUND,
        Problem::ScalerExists => ready::SCALER_EXISTS,
        Problem::NotOwner => ready::NOT_OWNER,
        Problem::BoundsCrossed => ready::BOUNDS_CROSSED,
    }
}

/// How far the readings can be believed, as `status.demand.trust` shows it.
#[must_use]
pub fn trust_word(trust: Trust) -> &'static str {
    match trust {
        Trust::Trusted => "Trusted",
        Trust::Doubtful => "Doubtful",
        Trust::Blind => "Blind",
    }
}

/// The reason of the event that tells a notice.
#[must_use]
pub fn notice_reason(notice: &Notice) -> &'static str {
    match notice {
        Notice::Raised { .. } => "FloorRaised",
        Notice::Lowered { .. } => "FloorLowered",
        Notice::Held { .. } => "FloorHeld",
        Notice::HoldEnded { .. } => "HoldEnded",
        Notice::Overwritten { .. } => "FloorOverwritten",
        Notice::Clamped { .. } => "WriteClamped",
        Notice::Contested { .. } => "Contested",
        Notice::StepUndone { .. } => "StepUndone",
        Notice::Limited { .. } => "ScalingLimited",
        Notice::TrustChanged { to: Trust::Blind, .. } => "SourceLost",
        Notice::TrustChanged { from: Trust::Blind, .. } => "SourceBack",
        Notice::TrustChanged { to: Trust::Doubtful, .. } => "TrustLost",
        Notice::TrustChanged { to: Trust::Trusted, .. } => "TrustRegained",
        Notice::OverrideBegan(_) => "OverrideBegan",
        Notice::OverrideEnded(_) => "OverrideEnded",
        Notice::BrakeBegan { .. } => "CorrelatedFall",
        Notice::BrakeEnded { .. } => "CorrelatedFallEnded",
        Notice::SharedRise { .. } => "SharedRise",
    }
}

/// Every guard there is; a test sees to it.
const GUARDS: [Guard; 10] = [
    Guard::StaticMinimum,
    Guard::LiveDemand,
    Guard::RecentPeak,
    Guard::UsualFall,
    Guard::UsualDay,
    Guard::Held,
    Guard::Backlog,
    Guard::SpecChanged,
    Guard::Override,
    Guard::Peer,
];
