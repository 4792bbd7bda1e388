//! `ScalingPolicy`: what one workload needs, and how far floorkeeper may go to keep it.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::distrust::Distrust;
use super::scaling_policy_status::ScalingPolicyStatus;
use super::signal::{SignalSpec, ZeroMeans};
use super::{Quantity, Span, limits, text};

/// What the policy asks for. Three lines are enough: `targetRef` with kind and name, and `demand.capacity`.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "floorkeeper.dev",
    version = "v1alpha1",
    kind = "ScalingPolicy",
    namespaced,
    shortname = "scp",
    category = "floorkeeper",
    status = "ScalingPolicyStatus",
    derive = "PartialEq",
    doc = "A ScalingPolicy keeps a floor under one workload: the replicas that its traffic needs. An internal error of the workload can't scale it below that floor. Start with `mode: Observe`, read `kubectl describe scp NAME`, then choose `Guard` (an HPA or KEDA scales the workload) or `Autoscale` (nothing does).",
    printcolumn(name = "Target", type_ = "string", json_path = ".spec.targetRef.name", description = "The workload."),
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".spec.mode",
        description = "How far floorkeeper may go."
    ),
    printcolumn(
        name = "Replicas",
        type_ = "integer",
        json_path = ".status.replicas.current",
        description = "Replicas that the workload asks for now."
    ),
    printcolumn(
        name = "Floor",
        type_ = "integer",
        json_path = ".status.floor.replicas",
        description = "The smallest replica count that floorkeeper lets stand now."
    ),
    printcolumn(
        name = "Need",
        type_ = "integer",
        json_path = ".status.demand.need",
        description = "Replicas that the present load needs, headroom included."
    ),
    printcolumn(
        name = "Trust",
        type_ = "string",
        json_path = ".status.demand.trust",
        description = "How far the readings can be believed: Trusted, Doubtful or Blind."
    ),
    printcolumn(
        name = "Why",
        type_ = "string",
        json_path = ".status.why",
        description = "Why the floor stands where it stands."
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas")
        .message("minReplicas is above maxReplicas: lower minReplicas or raise maxReplicas")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("self.mode != 'Autoscale' || has(self.maxReplicas)")
        .message("mode Autoscale needs maxReplicas: no scaler brings one, write the most replicas that you would pay for")
        .reason(Reason::FieldValueRequired),
    validation = Rule::new("self.mode == 'Autoscale' || !has(self.utilization) || size(self.utilization) == 0")
        .message("utilization is for mode Autoscale: in Guard and Observe the metrics are those of the HPA that scales the workload, leave it out")
        .reason(Reason::FieldValueForbidden),
    validation = Rule::new("self.mode == 'Observe' || (has(self.demand) && (has(self.demand.capacity) || (has(self.demand.signals) && size(self.demand.signals) > 0 && self.demand.signals.all(s, has(s.capacity)))))")
        .message("modes Guard and Autoscale need demand.capacity (or a capacity on every signal): write the load a second that one replica carries safely, such as \"120\"; mode Observe estimates it in status")
        .reason(Reason::FieldValueRequired)
)]
pub struct ScalingPolicySpec {
    /// The workload to keep a floor under: anything with a `scale` subresource, in the policy's own namespace.
    ///
    /// It can't be changed: a floor that wanders from one workload to another would leave the first without. Create a
    /// second policy, then delete this one. Of two policies on one workload the older owns it and the larger floor
    /// holds.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("targetRef can't be changed: create a policy for the other workload, then delete this one")
        .reason(Reason::FieldValueForbidden))]
    pub target_ref: WorkloadRef,

    /// How far floorkeeper may go. Default: `Observe`.
    ///
    /// `Observe` decides and reports, and writes nothing but this object's status.
    ///
    /// `Guard` keeps the minimum (and never less than the owner's own) of the HPA or KEDA ScaledObject that scales the
    /// workload, and puts back replicas that somebody writes below the floor. The scaler goes on above it.
    ///
    /// `Autoscale` is for a workload that nothing scales: with `utilization` floorkeeper creates and owns an HPA and
    /// guards it, without it floorkeeper writes replicas itself, both ways.
    #[serde(default)]
    pub mode: Mode,

    /// The floor never falls below this, whatever the signals say. In Guard it also holds where the scaler's own minimum
    /// is lower.
    ///
    /// Default: in Guard the minimum of the HPA or ScaledObject (its `idleReplicaCount`, where it has one), otherwise 1.
    /// From 0 to 100000, and at most `maxReplicas`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub min_replicas: Option<i32>,

    /// The floor never rises above this. When more is needed, the condition `ScalingLimited` turns True.
    ///
    /// Default: the maximum of the HPA or ScaledObject in Guard; required in Autoscale. From 1 to 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_replicas: Option<i32>,

    /// The load offered to the workload, measured outside it, and what one replica carries.
    ///
    /// Default: the default demand of the MetricSource named `default`. In Observe it may be left out altogether.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demand: Option<Demand>,

    /// When a low load is not believed. Every check has a default; set only what differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distrust: Option<Distrust>,

    /// How a floor comes down: slowly, with proof, a quarter at most in one step, and back up when a step does harm.
    ///
    /// A floor falls only while every signal is known, fresh and complete over the whole `window`, nothing is in doubt,
    /// and the last step was watched for `verifyFor`. Raising is never slowed by anything here. To come down faster once,
    /// create a FloorOverride with `action: Release`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_down: Option<ScaleDown>,

    /// Metrics of the HPA that floorkeeper creates and owns. Only in mode Autoscale; 4 at most.
    ///
    /// Default: none, floorkeeper then writes replicas itself from the demand. With one or more, the HPA scales on them
    /// and the floor is its minimum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["resource".into()]))]
    pub utilization: Vec<Utilization>,
}

/// Names a workload in the policy's namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadRef {
    /// Group and version of the workload. Default: `apps/v1`.
    #[serde(default = "apps_v1")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = text::API_VERSION.rule())]
    pub api_version: String,

    /// Kind of the workload, such as `Deployment` or `StatefulSet`.
    #[schemars(length(max = 63))]
    #[x_kube(validation = text::KIND.rule())]
    pub kind: String,

    /// Name of the workload.
    #[schemars(length(max = 253))]
    #[x_kube(validation = text::OBJECT_NAME.rule())]
    pub name: String,
}

/// How far floorkeeper may go.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    #[default]
    Observe,
    Guard,
    Autoscale,
}

/// The load offered to the workload.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Demand {
    /// The load that one replica carries safely, in the signal's unit a second: with `"120"` and a signal in requests,
    /// one replica is kept for each 120 requests a second.
    ///
    /// Default: none. Observe then shows an estimate in `status.demand.signals`; Guard and Autoscale require it, here or
    /// on each signal. Above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::CAPACITY.rule())]
    pub capacity: Option<Quantity>,

    /// Room kept above the measured load: 25 keeps replicas for 1.25 times the load.
    ///
    /// Default: 25. From 0 to 400.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 400))]
    pub headroom_percent: Option<i32>,

    /// The MetricSource of every signal that names none. Default: `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = text::OBJECT_NAME.rule())]
    pub source: Option<String>,

    /// What to measure. The largest need of all signals counts; lowering needs all of them.
    ///
    /// Default: one signal, the source's default demand for this namespace and workload. 8 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub signals: Vec<SignalSpec>,

    /// A sample older than this is no information: it may not lower the floor.
    ///
    /// Default: the source's; without one `2m`, or two resolutions where that is longer. From 1s to 1h. It must not be
    /// shorter than `resolution`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::MAX_AGE.rule())]
    pub max_age: Option<Span>,

    /// How far apart two different samples of the signals are. Set it where a signal changes less often than the source is
    /// asked (a metric that is scraped each minute, asked each 15 seconds).
    ///
    /// Default: the source's interval. From 100ms to 15m.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::RESOLUTION.rule())]
    pub resolution: Option<Span>,

    /// What a zero means where neither the age nor the count of its series can confirm it.
    ///
    /// `Zero`: you vouch that a zero is a zero, the floor may come down. `Unknown`: never believe a zero from this source.
    /// Default: a zero counts only with evidence, fresh series and all of them. A signal's own `zeroMeans` comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero_means: Option<ZeroMeans>,
}

/// How a floor comes down.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ScaleDown {
    /// How long a peak is remembered, and how long the evidence must be complete before a floor falls.
    ///
    /// A longer window costs replicas after each peak and gives more time to notice that a fall is an error. After a start
    /// or an outage of the source nothing falls until the window is full again; where the source can tell the past, that
    /// is at once. Default: `10m`. From 1s to 24h, and at least two intervals of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::WINDOW.rule())]
    pub window: Option<Span>,

    /// Where nothing better is known, a floor takes this long to fall by half: after a policy is created or changed, after
    /// an unusual fall, when a doubt has lasted for `distrust.holdAtMost`.
    ///
    /// From true zero the floor is at `minReplicas` after some half-lives; `status.zeroIn` says when. Default: `1h`. From
    /// 1s to 168h.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::HALF_LIFE.rule())]
    pub half_life: Option<Span>,

    /// How long each step down is watched before the next, counted from the moment when ready pods really fell.
    ///
    /// When errors, unready pods or the strain on the ready pods get worse meanwhile, the step is taken back and the next
    /// one waits: 2 minutes, then twice as long each time, 1 hour at most. Default: `2m`. From 0s to 1h.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::VERIFY_FOR.rule())]
    pub verify_for: Option<Span>,
}

/// One metric of the HPA that floorkeeper owns.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Utilization {
    /// The resource to scale on: `cpu` or `memory`. The pods must request it.
    #[schemars(length(max = 63))]
    #[x_kube(validation = Rule::new("self in ['cpu', 'memory']").message("write cpu or memory"))]
    pub resource: String,

    /// Average use of the request that the HPA aims at. From 1 to 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub target_percent: i32,
}

fn apps_v1() -> String {
    "apps/v1".to_owned()
}
