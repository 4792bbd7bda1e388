//! When a policy does not believe a low load.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::scaling_policy::WorkloadRef;
use super::{Quantity, Span, limits, text};

/// When a low load is not believed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Distrust {
    /// Failed work is load: while its share is high, the floor does not fall.
    ///
    /// Default: the errors that the source keeps with its demand, if it has any, with `above: "0.05"` and `minRate: "1"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<ErrorsSpec>,

    /// The floor does not fall while this share of the pods that were ready is not (two pods at least, or all).
    ///
    /// Default: 25. From 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub unready_percent: Option<i32>,

    /// Workloads of the same namespace whose failure makes this one's load a lie: while one of them is down, the floor does
    /// not fall and the failure is alarmed. Default: none. 8 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub depends_on: Vec<WorkloadRef>,

    /// A fall of the load that this workload does not usually show is held for a while, then followed slowly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unusual_fall: Option<UnusualFallSpec>,

    /// The longest that errors, unready pods or a failing dependency hold the floor. Then the known load is followed down
    /// at `scaleDown.halfLife`, with a warning.
    ///
    /// Default: `24h`. From 1s to 168h. A source that says nothing at all is not limited by this: blindness waits for data
    /// or for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::HOLD_AT_MOST.rule())]
    pub hold_at_most: Option<Span>,
}

/// When failures make the load doubtful.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.failed) == has(self.total)")
        .message("write failed and total together: the share is failed / total; leave both out for the errors that the source keeps with its demand")
)]
pub struct ErrorsSpec {
    /// A PromQL query that answers with failed work a second. No series while `total` has some is zero failures.
    ///
    /// Default: the source's errors for the demand. Only where the source has `inlineQueries: true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub failed: Option<String>,

    /// A PromQL query that answers with all work a second, failed work included.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub total: Option<String>,

    /// The MetricSource to ask. Default: `demand.source`, then `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = text::OBJECT_NAME.rule())]
    pub source: Option<String>,

    /// The share of failed work above which the load is in doubt: `"0.05"` is one in twenty.
    ///
    /// Default: the source's, which is `"0.05"`. Above 0 and at most 1; `"1"` turns the check off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::ERRORS_ABOVE.rule())]
    pub above: Option<Quantity>,

    /// Work a second under which the share is not judged: two failures of three requests at night say little.
    ///
    /// Default: the source's, which is `"1"`. 0 or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::MIN_RATE.rule())]
    pub min_rate: Option<Quantity>,
}

/// How a fall that this workload does not usually show is treated.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.holdFor) || !has(self.keepFor) || !self.holdFor.matches('^([0-9]+(ms|s|m|h))+$') || !self.keepFor.matches('^([0-9]+(ms|s|m|h))+$') || duration(self.holdFor) <= duration(self.keepFor)")
        .message("keepFor counts from the onset of the fall, as holdFor does: write a keepFor that is not shorter than holdFor")
)]
pub struct UnusualFallSpec {
    /// How long the floor stays where it was when the fall began. Anew where the load falls once more within the fall, deeper
    /// than is usual. Default: `1h`, or `keepFor` where that is shorter. From 1s to 24h.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::HOLD_FOR.rule())]
    pub hold_for: Option<Span>,

    /// After `holdFor`: the share of the usual need that is kept until `keepFor` is over. Default: 80. From 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub keep_percent: Option<i32>,

    /// How long `keepPercent` is kept, counted from the onset of the fall. Then the floor comes down at
    /// `scaleDown.halfLife`. Default: `8h`, or `holdFor` where that is longer. From 1s to 168h.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::KEEP_FOR.rule())]
    pub keep_for: Option<Span>,

    /// Until the workload's own falls are learned: load under this share of the last hour's peak is an unusual fall.
    ///
    /// Default: 50. From 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub until_learned_percent: Option<i32>,
}
