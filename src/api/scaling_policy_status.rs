//! What floorkeeper tells about one policy: a view for people, never the store.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OverrideAction, Quantity, Span};

/// What floorkeeper decided, and why. Written by floorkeeper when it says something new; live numbers are on /metrics.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ScalingPolicyStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Why the floor stands where it stands, in one word; the message of the condition `FloorHolding` has the numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,

    /// The floor: the smallest replica count that floorkeeper lets stand now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<FloorStatus>,

    /// The workload's replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<ReplicasStatus>,

    /// The load, as read and judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demand: Option<DemandStatus>,

    /// What each guard asks for, the largest first: the floor is the largest bid, inside `maxReplicas`. As of the moment when
    /// this status was written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub bids: Vec<BidStatus>,

    /// Reasons not to lower, the gravest first; none while nothing is in doubt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub doubts: Vec<DoubtStatus>,

    /// What the protection costs now: replicas above what the load alone would ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceStatus>,

    /// What the workload's own past has taught. As of the moment when this status was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learned: Option<LearnedStatus>,

    /// The longest that the floor can stay above `minReplicas` from now, if from now on every signal is a confirmed zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero_in: Option<Span>,

    /// The FloorOverride that is obeyed now.
    #[serde(rename = "override", skip_serializing_if = "Option::is_none")]
    pub in_force: Option<OverrideInForce>,

    /// The last things that floorkeeper did for this policy, the newest first. 10 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub last_actions: Vec<LastAction>,

    /// `Ready`: the policy is understood and its workload found. `Trusted`: the readings can be believed. `FloorHolding`:
    /// the floor stands above what the load asks for. `ScalingLimited`: more is needed than `maxReplicas`. `Enforced`: the
    /// API server itself keeps writes above the floor. `Contested`: somebody else keeps writing below the floor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The floor.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct FloorStatus {
    /// The smallest replica count that floorkeeper lets stand now.
    pub replicas: i32,
    /// Who asked for it: StaticMinimum, LiveDemand, RecentPeak, UsualFall, UsualDay, Held, Backlog, SpecChanged, Override or
    /// Peer (a younger policy on the same workload).
    pub reason: String,
    /// Since when the floor has this value.
    pub since: Time,
}

/// The workload's replicas.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ReplicasStatus {
    /// Replicas that the workload asks for.
    pub current: i32,
    /// Pods that are ready; absent where the kind does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<i32>,
}

/// The load, as read and judged.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DemandStatus {
    /// Load of the signal that needs most, in its unit a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<Quantity>,
    /// Replicas that the present load needs, headroom included; absent while no signal tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub need: Option<i32>,
    /// `Trusted`: every signal known, nothing in doubt. `Doubtful`: known, but in doubt, or known in part. `Blind`: no signal
    /// known; only data or a person ends this hold.
    pub trust: TrustLevel,
    /// When the newest sample behind `need` was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Time>,
    /// Each signal by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub signals: Vec<SignalStatus>,
}

/// How far the readings can be believed.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrustLevel {
    Trusted,
    Doubtful,
    Blind,
}

/// One signal.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SignalStatus {
    /// Name of the signal.
    pub name: String,
    /// `Present`, `ConfirmedZero` or `Unknown`.
    pub reading: String,
    /// Why the signal is unknown, with its numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Load in the signal's unit a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<Quantity>,
    /// Replicas that this signal alone needs, headroom included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub need: Option<i32>,
    /// Load that one replica carries now: an estimate for `capacity` while none is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_estimate: Option<Quantity>,
    /// When the sample was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Time>,
}

/// What one guard asks for.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BidStatus {
    /// Who asks: one of the words of `floor.reason`.
    pub guard: String,
    /// For how many replicas.
    pub replicas: i32,
}

/// One reason not to lower.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DoubtStatus {
    /// In one word.
    pub reason: String,
    /// With its numbers, and what ends it.
    pub says: String,
}

/// What the protection costs now.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PriceStatus {
    /// Replicas above what the load alone would ask for.
    pub replicas: i32,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// What the workload's own past has taught; `kubectl floorkeeper explain POLICY --history` draws it.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LearnedStatus {
    /// Days that are known; three make a limit. Absent: no limit is known (yet), `distrust.unusualFall.untilLearnedPercent`
    /// holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<i32>,
    /// What is usually left at least, within an hour, of the hour's peak, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_hour_percent: Option<i32>,
    /// What this hour of the week usually needs, in replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour_needs: Option<i32>,
    /// A need below this is an unusual fall. Absent: no limit is known, or the hour is a quiet one (its peak under a tenth of the
    /// day's), of which nothing is learned: `distrust.unusualFall.untilLearnedPercent` holds then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unusual_below: Option<i32>,
    /// What the source has told of the two weeks before floorkeeper came: `Asked` (an answer is awaited), `Known`, `Failing`
    /// (asked again, at least once an hour), `NotKept` (a metrics API tells no past), `NoCapacity` (no need can be reckoned).
    pub past: PastState,
    /// What is wrong with it, and what happens next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What the source has told of the past.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PastState {
    Asked,
    Known,
    Failing,
    NotKept,
    NoCapacity,
}

/// The override that is obeyed now.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OverrideInForce {
    /// Name of the FloorOverride.
    pub name: String,
    /// What it orders.
    pub action: OverrideAction,
    /// When it ends.
    pub until: Time,
}

/// One thing that floorkeeper did.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LastAction {
    /// When.
    pub at: Time,
    /// `Raised`, `Lowered`, `Undone` (somebody wrote below the floor) or `TakenBack` (a step down did harm).
    pub action: ActionKind,
    /// Replicas before.
    pub from: i32,
    /// Replicas after.
    pub to: i32,
    /// Why, in one word.
    pub reason: String,
}

/// What was done.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActionKind {
    Raised,
    Lowered,
    Undone,
    TakenBack,
}
