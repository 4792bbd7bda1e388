//! Types and reasons of conditions. Where HPA has a reason that means the same, its name is ours.

/// The policy is understood, its target and (in Guard) its scaler were found, the floor is stored. A source outage while
/// holding leaves it True.
pub const READY: &str = "Ready";
/// Every signal is known and nothing is in doubt.
pub const TRUSTED: &str = "Trusted";
/// The floor stands above what the bids alone ask for.
pub const FLOOR_HOLDING: &str = "FloorHolding";
/// More is needed than the maximum allows. HPA's word.
pub const SCALING_LIMITED: &str = "ScalingLimited";
/// The API server itself keeps writes above the floor.
pub const ENFORCED: &str = "Enforced";
/// Somebody else keeps writing below the floor.
pub const CONTESTED: &str = "Contested";

/// Reasons of `Ready` (and kstatus' `Stalled`-like failures), of a policy or a source.
pub mod ready {
    /// HPA's reason when it can scale.
    pub const SUCCEEDED: &str = "SucceededGetScale";
    /// HPA's reason when the target has no scale.
    pub const FAILED_GET_SCALE: &str = "FailedGetScale";
    /// A field can't be understood: the message names it and says what to write.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    pub const SCALER_NOT_FOUND: &str = "ScalerNotFound";
    pub const SCALER_EXISTS: &str = "ScalerExists";
    pub const NOT_OWNER: &str = "NotOwner";
    pub const BOUNDS_CROSSED: &str = "BoundsCrossed";
    /// Nothing was decided yet.
    pub const PENDING: &str = "Pending";
    /// The floor could not be stored.
    pub const FAILED_UPDATE_FLOOR: &str = "FailedUpdateFloor";
    /// The source answers.
    pub const ANSWERING: &str = "Answering";
    /// The source does not answer.
    pub const UNREACHABLE: &str = "Unreachable";
    /// A Secret that the source names is missing or lacks the key.
    pub const SECRET_NOT_FOUND: &str = "SecretNotFound";
}

/// Reasons of `Trusted`.
pub mod trusted {
    pub const EVIDENCE_COMPLETE: &str = "EvidenceComplete";
    /// HPA's reason when a metric can't be had.
    pub const FAILED_GET_METRICS: &str = "FailedGetMetrics";
    pub const NO_OBSERVATION: &str = "NoObservation";
    pub const ERRORS_HIGH: &str = "ErrorsHigh";
    pub const PODS_UNREADY: &str = "PodsUnready";
    pub const ROLLOUT: &str = "Rollout";
    pub const DEPENDENCY_DOWN: &str = "DependencyDown";
    pub const UNUSUAL_FALL: &str = "UnusualFall";
    pub const BRAKE: &str = "Brake";
    pub const WINDOW_NOT_FULL: &str = "WindowNotFull";
    pub const STEP_HARMFUL: &str = "StepHarmful";
    pub const OVERDUE: &str = "Overdue";
    pub const SETTLING: &str = "Settling";
}

/// Reasons of `FloorHolding`; a hold for a doubt has the doubt's reason of [`trusted`].
pub mod holding {
    /// The floor follows the bids. HPA's word for "nothing to hold".
    pub const READY_FOR_NEW_SCALE: &str = "ReadyForNewScale";
    /// `halfLife` allows the next step later. HPA's word.
    pub const SCALE_DOWN_STABILIZED: &str = "ScaleDownStabilized";
    pub const VERIFYING: &str = "Verifying";
    pub const FROZEN: &str = "Frozen";
    pub const NO_TARGET: &str = "NoTarget";
    /// Another floorkeeper has written the floor since: only it may lower.
    pub const FENCED: &str = "Fenced";
    pub const UNKNOWN: &str = "Unknown";
}

/// Reasons of `ScalingLimited`: HPA's.
pub mod limited {
    pub const DESIRED_WITHIN_RANGE: &str = "DesiredWithinRange";
    pub const TOO_MANY_REPLICAS: &str = "TooManyReplicas";
}

/// Reasons of `Enforced`. Where it is not `True`, floorkeeper still puts back what is written below the floor.
pub mod enforced {
    /// The namespace does not ask for it.
    pub const BY_WATCH: &str = "ByWatch";
    /// A dry-run write below the floor was refused, and one of a scaler was raised.
    pub const BY_ADMISSION: &str = "ByAdmission";
    /// The namespace asks for a clamp, and nothing clamps: Kubernetes before 1.36, or the policy is missing.
    pub const PARTIAL: &str = "Partial";
    /// The namespace asks for refusals only.
    pub const DENY_ONLY: &str = "DenyOnly";
    /// The namespace asks for warnings only.
    pub const WARN_ONLY: &str = "WarnOnly";
    /// The namespace asks for something that there is not.
    pub const LABEL_NOT_UNDERSTOOD: &str = "LabelNotUnderstood";
    /// The namespace asks for it, and a dry-run write below the floor was let in.
    pub const POLICY_MISSING: &str = "PolicyMissing";
    /// The admission policies do not name this kind of workload.
    pub const KIND_NOT_COVERED: &str = "KindNotCovered";
    pub const CHECKING: &str = "Checking";
    /// No workload of the namespace has a floor above zero.
    pub const NOTHING_TO_TRY: &str = "NothingToTry";
    /// The dry run ended in another way.
    pub const TRIAL_FAILED: &str = "TrialFailed";
    /// Mode Observe writes nothing.
    pub const OBSERVE: &str = "Observe";
}

/// Reasons of `Contested`.
pub mod contested {
    pub const NONE: &str = "NoOtherWriter";
    pub const OTHER_WRITER: &str = "OtherWriter";
}
