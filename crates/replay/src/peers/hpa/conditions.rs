//! What `kubectl describe hpa` would say.
//!
//! kubernetes v1.37.2, `pkg/controller/podautoscaler/horizontal.go`, every `setCondition`.

/// The conditions in the status; `None`: never set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    pub able_to_scale: Option<Condition>,
    pub scaling_active: Option<Condition>,
    pub scaling_limited: Option<Condition>,
    pub scaled_to_zero: Option<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    pub status: bool,
    pub reason: Reason,
}

/// Upstream's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    SucceededGetScale,
    SucceededRescale,
    ReadyForNewScale,
    ScaleDownStabilized,
    ScaleUpStabilized,
    ValidMetricFound,
    FailedGetResourceMetric,
    FailedGetPodsMetric,
    FailedGetObjectMetric,
    FailedGetExternalMetric,
    ScalingDisabled,
    DesiredWithinRange,
    TooFewReplicas,
    TooManyReplicas,
    ScaleDownLimit,
    ScaleUpLimit,
    ScaledToZero,
    NotScaledToZero,
}

impl Condition {
    pub(super) fn when(status: bool, reason: Reason) -> Option<Self> {
        Some(Self { status, reason })
    }
}
