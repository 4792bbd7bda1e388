//! The words: short, CamelCase, stable.

use floorkeeper_core::{Doubt, Failure, Guard, Hold, Notice, Problem, Trust, Unknown};

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

/// Why a floor is not lowered now.
#[must_use]
pub fn hold_reason(hold: &Hold) -> &'static str {
    match hold {
        Hold::Unknown { signal: None, .. } => "NoObservation",
        Hold::Unknown { signal: Some(_), why } => unknown_reason(why),
        Hold::Doubt(doubt) => doubt_reason(doubt),
        Hold::Pace { .. } => "Pace",
        Hold::Verifying { .. } => "Verifying",
        Hold::Frozen { .. } => "Frozen",
        Hold::NoTarget => "TargetNotSeen",
    }
}

/// Why the readings are not taken at their word.
#[must_use]
pub fn doubt_reason(doubt: &Doubt) -> &'static str {
    match doubt {
        Doubt::Errors { .. } => "ErrorsHigh",
        Doubt::Unready { .. } => "PodsUnready",
        Doubt::Rollout { .. } => "RolloutProgressing",
        Doubt::Dependency { .. } => "DependencyFailing",
        Doubt::UnusualFall { .. } => "UnusualFall",
        Doubt::Brake { .. } => "CorrelatedFall",
        Doubt::WindowNotFull { .. } => "WindowNotFull",
        Doubt::StepHarmful { .. } => "StepHarmful",
        Doubt::Overdue { .. } => "DoubtOverdue",
        Doubt::Settling { .. } => "Settling",
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
        Problem::TargetNotFound => "TargetNotFound",
        Problem::ScalerNotFound => "ScalerNotFound",
        Problem::ScalerExists => "ScalerExists",
        Problem::NotOwner => "NotOwner",
        Problem::BoundsCrossed => "BoundsCrossed",
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
