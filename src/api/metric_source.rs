//! `MetricSource`: where offered load is measured. Written by the platform team, used by every policy.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::signal::{Coverage, MetricRef, ZeroMeans};
use super::{Quantity, Span, limits, text};

/// The server, and the queries that policies share.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "floorkeeper.dev",
    version = "v1alpha1",
    kind = "MetricSource",
    shortname = "msrc",
    category = "floorkeeper",
    status = "MetricSourceStatus",
    derive = "PartialEq",
    doc = "A MetricSource says where offered load is measured: a Prometheus-compatible server, or one of the Kubernetes metrics APIs. It is cluster-scoped and the platform team's: authors of policies choose among its demands and never make floorkeeper call a URL of their own. Policies that name no source read the one called `default`.",
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.prometheus.url", description = "The server."),
    printcolumn(name = "API", type_ = "string", json_path = ".spec.metricsApi", description = "The metrics API."),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "The source answers."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why not."
    ),
    printcolumn(name = "Policies", type_ = "integer", json_path = ".status.policies", description = "Its readers."),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.prometheus) != has(self.metricsApi)")
        .message("write prometheus (with its url) or metricsApi (External, Custom or Resource), exactly one of them"),
    validation = Rule::new("!has(self.demands) || self.demands.filter(d, has(d.default) && d.default).size() <= 1")
        .message("only one of the demands can have default: true"),
    validation = Rule::new("!has(self.demands) || (has(self.prometheus) ? self.demands.all(d, has(d.query)) : self.demands.all(d, has(d.metric)))")
        .message("with prometheus every demand needs a query, with metricsApi every demand needs a metric")
)]
pub struct MetricSourceSpec {
    /// A server that speaks Prometheus' HTTP API: Prometheus, Thanos, Mimir, VictoriaMetrics. Either this or `metricsApi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<Prometheus>,

    /// A metrics API of this cluster. Either this or `prometheus`.
    ///
    /// `External` is `external.metrics.k8s.io`, which also reads every KEDA scaler. `Custom` is `custom.metrics.k8s.io`.
    /// `Resource` is `metrics.k8s.io`: CPU and memory, measured at the workload itself, the weakest signal of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_api: Option<MetricsApi>,

    /// How often the source is asked. Default: `15s`. From 100ms to 10m.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::INTERVAL.rule())]
    pub interval: Option<Span>,

    /// How long one answer may take; later it counts as none. Default: `10s`, or the interval where that is shorter. From
    /// 100ms to 5m.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::TIMEOUT.rule())]
    pub timeout: Option<Span>,

    /// How large one answer may be, in bytes; a larger one counts as none. Default: `16Mi`. Above 0 and at most `1Gi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::BODY_LIMIT.rule())]
    pub body_limit: Option<Quantity>,

    /// A sample older than this is no information, for policies that don't say. Default: `2m`. From 1s to 1h.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::MAX_AGE.rule())]
    pub max_age: Option<Span>,

    /// Queries that policies share: one query of the source serves every workload that appears in its answer.
    ///
    /// Default: none. 32 at most. The one with `default: true` (or the only one) is what a policy reads that names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub demands: Vec<SharedDemand>,

    /// Policies may bring queries (or metrics) of their own. Default: false.
    ///
    /// Where true, floorkeeper adds a matcher for the policy's namespace to every selector of every such query, so that no
    /// author sees another namespace's numbers. See `inlineNamespaceLabel`, `inlineUnscoped` and `inlineBudget`.
    #[serde(default)]
    pub inline_queries: bool,

    /// The label that floorkeeper forces to the policy's namespace in queries of policies. Default: `namespace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = text::LABEL_NAME.rule())]
    pub inline_namespace_label: Option<String>,

    /// Leave queries of policies as they are written: their authors can read everything that this source knows.
    ///
    /// Default: false. Set it only where every author may see every series.
    #[serde(default)]
    pub inline_unscoped: bool,

    /// Queries of their own that the policies of one namespace may have at this source; those of the youngest policies
    /// above it get no answer. Default: 20. From 1 to 10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub inline_budget: Option<i32>,

    /// Namespaces whose policies may use this source: names, or prefixes such as `team-*`. Default: all. 1 to 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), inner(length(max = 64)))]
    #[x_kube(validation = Rule::new("self.all(n, n.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') || n.matches('^([a-z0-9][-a-z0-9]*)?[*]$'))")
        .message("write names of namespaces, or prefixes that end with '*' such as \"team-*\""))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_namespaces: Option<Vec<String>>,
}

impl MetricSourceSpec {
    /// What a policy reads that names no demand: the one that says so, or the only one.
    #[must_use]
    pub fn default_demand(&self) -> Option<&SharedDemand> {
        match self.demands.as_slice() {
            [only] => Some(only),
            demands => demands.iter().find(|demand| demand.default),
        }
    }
}

/// A server that speaks Prometheus' HTTP API.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Prometheus {
    /// Where it is, up to what precedes `/api/v1`: `http://prometheus.monitoring:9090`, `https://mimir.example/prometheus`.
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new("isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != '' && !self.contains('@') && !self.contains('?') && !self.contains('#')")
        .message("write an http or https URL without user, query and fragment, such as \"http://prometheus.monitoring:9090\"; passwords go to auth, parameters to queryParameters"))]
    pub url: String,

    /// Headers sent with every request, such as `X-Scope-OrgID: team-a` for Mimir. Not for secrets: use `auth`. 16 at most.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    #[x_kube(validation = Rule::new("self.all(k, k.matches('^[A-Za-z0-9-]{1,128}$') && !(k.lowerAscii() in ['authorization', 'host', 'content-length', 'content-type', 'transfer-encoding', 'connection', 'cookie']))")
        .message("a header's name has letters, digits and '-'; Authorization goes to auth, and those of the connection are floorkeeper's own"))]
    pub headers: BTreeMap<String, String>,

    /// Parameters sent with every request, such as `partial_response: "false"` or `dedup: "true"` for Thanos. 16 at most.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    #[x_kube(validation = Rule::new("self.all(k, !(k in ['query', 'time', 'timeout', 'start', 'end', 'step']))")
        .message("query, time, timeout, start, end and step are floorkeeper's own parameters: leave them out"))]
    pub query_parameters: BTreeMap<String, String>,

    /// How floorkeeper proves who it is. The Secrets are in floorkeeper's own namespace; a change is picked up at once.
    /// Default: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,

    /// How the server's certificate is checked. Default: against the trust store of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsOptions>,
}

/// How floorkeeper proves who it is.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.bearer) || has(self.basic) || has(self.tls)")
        .message("write bearer, basic or tls, or leave auth out"),
    validation = Rule::new("!(has(self.bearer) && has(self.basic))")
        .message("write bearer or basic, not both: they share one header")
)]
pub struct Auth {
    /// A token, sent as `Authorization: Bearer`. Not together with `basic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer: Option<SecretKey>,

    /// User and password. Not together with `bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAuth>,

    /// A client certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsClient>,
}

/// A key of a Secret in floorkeeper's own namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret.
    #[schemars(length(max = 253))]
    #[x_kube(validation = text::OBJECT_NAME.rule())]
    pub name: String,

    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// User and password.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct BasicAuth {
    /// A Secret of type `kubernetes.io/basic-auth` in floorkeeper's namespace: keys `username` and `password`.
    #[schemars(length(max = 253))]
    #[x_kube(validation = text::OBJECT_NAME.rule())]
    pub secret: String,
}

/// A client certificate.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct TlsClient {
    /// A Secret of type `kubernetes.io/tls` in floorkeeper's namespace: keys `tls.crt` and `tls.key`.
    #[schemars(length(max = 253))]
    #[x_kube(validation = text::OBJECT_NAME.rule())]
    pub secret: String,
}

/// How the server's certificate is checked.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.caSecret) && has(self.insecureSkipVerify) && self.insecureSkipVerify)")
        .message("insecureSkipVerify checks nothing, caSecret would have no effect: leave one of them out")
)]
pub struct TlsOptions {
    /// The certificate authority to trust (PEM), from a Secret in floorkeeper's namespace. Default: the system's trust store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_secret: Option<SecretKey>,

    /// Accept any certificate: whoever is on the way can then answer in the server's place. Default: false.
    #[serde(default)]
    pub insecure_skip_verify: bool,
}

/// A metrics API of this cluster.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetricsApi {
    External,
    Custom,
    Resource,
}

/// A query that policies share.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.query) != has(self.metric)")
        .message("write query (PromQL) or metric (a Kubernetes metrics API), exactly one of them"),
    validation = Rule::new("!has(self.query) || has(self.labels)")
        .message("a shared query needs labels: say which labels of its answer name the namespace and the workload, such as labels: {namespace: namespace, target: deployment}")
)]
pub struct SharedDemand {
    /// Name of the demand: policies refer to it. Unique in the source.
    #[schemars(length(max = 63))]
    #[x_kube(validation = text::SHORT_NAME.rule())]
    pub name: String,

    /// What a policy reads that names no demand. Default: false; the only demand of a source is its default.
    #[serde(default)]
    pub default: bool,

    /// PromQL that answers with the load offered to every workload, a second, one series for each:
    /// `sum by (namespace, deployment) (rate(edge_requests_total[2m]))`.
    ///
    /// Measure outside the workloads and count failed work too. 4096 characters at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub query: Option<String>,

    /// A metric, for sources with `metricsApi`. It is asked once for each policy, in the policy's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricRef>,

    /// The labels of the answer that name the namespace and the workload. They apply to the demand, its errors and its
    /// backlog. Required with `query`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<TargetLabels>,

    /// Failed and total work of the same workloads. Default: none, errors are then judged only where a policy has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<DemandErrors>,

    /// Work that already waits for the same workloads. Counts only in signals that have `backlog.drainWithin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<SharedBacklog>,

    /// A sample older than this is no information. Default: the source's `maxAge`. From 1s to 1h.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::MAX_AGE.rule())]
    pub max_age: Option<Span>,

    /// What makes the demand complete: `Evidence` or `Complete`, as in a policy's signal. Default: `Evidence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,

    /// What a zero means that nothing confirms: `Zero` or `Unknown`, as in a policy. Default: only evidence confirms it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero_means: Option<ZeroMeans>,
}

/// The labels that name a workload in an answer.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct TargetLabels {
    /// The label with the namespace.
    #[schemars(length(max = 128))]
    #[x_kube(validation = text::LABEL_NAME.rule())]
    pub namespace: String,

    /// The label with the workload's name.
    #[schemars(length(max = 128))]
    #[x_kube(validation = text::LABEL_NAME.rule())]
    pub target: String,
}

/// Failed and total work of the workloads of a demand.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.failed) && has(self.total) && !has(self.failedMetric) && !has(self.totalMetric)) || (has(self.failedMetric) && has(self.totalMetric) && !has(self.failed) && !has(self.total))")
        .message("write failed and total (PromQL), or failedMetric and totalMetric (Kubernetes metrics APIs): two of one kind")
)]
pub struct DemandErrors {
    /// PromQL that answers with failed work a second, one series for each workload.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub failed: Option<String>,

    /// PromQL that answers with all work a second, one series for each workload.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub total: Option<String>,

    /// Failed work a second, for sources with `metricsApi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_metric: Option<MetricRef>,

    /// All work a second, for sources with `metricsApi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_metric: Option<MetricRef>,

    /// The share of failed work above which a load is in doubt. Default: `"0.05"`. Above 0 and at most 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::ERRORS_ABOVE.rule())]
    pub above: Option<Quantity>,

    /// Work a second under which the share is not judged. Default: `"1"`. 0 or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::MIN_RATE.rule())]
    pub min_rate: Option<Quantity>,
}

/// Work that already waits for the workloads of a demand.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.query) != has(self.metric)")
        .message("write query (PromQL) or metric (a Kubernetes metrics API), exactly one of them")
)]
pub struct SharedBacklog {
    /// PromQL that answers with how much work waits, one series for each workload.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub query: Option<String>,

    /// A metric, for sources with `metricsApi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricRef>,
}

/// What floorkeeper knows of the source.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MetricSourceStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// How many policies read this source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<i32>,

    /// `Ready`: the source is understood and answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
