//! What a policy measures: its signals, and where each number comes from.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Quantity, Span, limits, text};

/// One measurement of offered load.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.demand), has(self.query), has(self.metric)].filter(x, x).size() <= 1")
        .message("write one of demand (a shared query of the source), query (PromQL) and metric (a Kubernetes metrics API), or none for the source's default demand")
)]
pub struct SignalSpec {
    /// Name of the signal in status, metrics and messages. Unique in the policy; 63 characters at most.
    #[schemars(length(max = 63))]
    #[x_kube(validation = text::SHORT_NAME.rule())]
    pub name: String,

    /// The MetricSource to ask. Default: `demand.source`, then `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = text::OBJECT_NAME.rule())]
    pub source: Option<String>,

    /// Name of a shared demand of the source. Default: the source's default demand, unless `query` or `metric` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = text::SHORT_NAME.rule())]
    pub demand: Option<String>,

    /// A PromQL query of your own that answers with one number: the load offered to the workload, a second.
    ///
    /// Measure outside the workload (edge proxy, load balancer, queue): a broken workload can't be trusted to count its own
    /// load. Count failed work too. Never end with `or vector(0)`: it turns missing data into zero.
    /// Only where the source has `inlineQueries: true`; floorkeeper limits it to the policy's namespace. 4096 characters at
    /// most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub query: Option<String>,

    /// A metric of the Kubernetes metrics APIs, for sources with `metricsApi`. Only where the source has
    /// `inlineQueries: true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricRef>,

    /// The load that one replica carries safely, in this signal's unit a second. Default: `demand.capacity`. Above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::CAPACITY.rule())]
    pub capacity: Option<Quantity>,

    /// Work that already waits, to be drained on top of the arriving load. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<Backlog>,

    /// What makes the signal complete.
    ///
    /// `Evidence` (the default): floorkeeper asks for the age and the count of the series behind the query; a query that it
    /// can't analyse may raise the floor, never lower it. `Complete`: you state that the signal is complete whenever it is
    /// present. Write it only where nothing can be missing from the number without the number going missing too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,

    /// A sample older than this is no information. Default: `demand.maxAge`. From 1s to 1h.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::MAX_AGE.rule())]
    pub max_age: Option<Span>,

    /// What a zero means where nothing confirms it: `Zero` or `Unknown`. Default: `demand.zeroMeans`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero_means: Option<ZeroMeans>,
}

/// Work that already waits.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.query) && has(self.metric))")
        .message("write query (PromQL) or metric (a Kubernetes metrics API), not both; neither for the backlog of the source's demand")
)]
pub struct Backlog {
    /// A PromQL query that answers with one number: how much work waits, in the signal's unit.
    ///
    /// Default: the backlog of the source's demand. Only where the source has `inlineQueries: true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub query: Option<String>,

    /// The same from a Kubernetes metrics API, for sources with `metricsApi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricRef>,

    /// The time in which the waiting work is to be done, on top of the load that arrives: 1200 waiting jobs and `10m` ask
    /// for capacity of 2 jobs a second more. From 1s to 24h.
    #[x_kube(validation = limits::DRAIN_WITHIN.rule())]
    pub drain_within: Span,
}

/// One metric of the Kubernetes metrics APIs.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct MetricRef {
    /// Name of the metric: of `external.metrics.k8s.io` or `custom.metrics.k8s.io`, or `cpu` or `memory` of
    /// `metrics.k8s.io`. `{namespace}` and `{target}` stand for the policy's namespace and the workload's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Labels that choose among the series of the metric; several series are added up. The same two words may stand in the
    /// values. Default: none. 16 at most.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub match_labels: BTreeMap<String, String>,

    /// The object that a custom metric describes, in the policy's namespace. Required where the source has
    /// `metricsApi: Custom`, without meaning elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
}

/// The object that a custom metric describes.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// Plural resource and group, as `kubectl` writes it: `services`, `ingresses.networking.k8s.io`.
    #[schemars(length(min = 1, max = 253))]
    pub resource: String,

    /// Name of the object. `{target}` stands for the workload's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What makes a signal complete.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Coverage {
    #[default]
    Evidence,
    Complete,
}

/// What a zero means that nothing confirms.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ZeroMeans {
    Zero,
    Unknown,
}
