//! A metric source whose values can't be wrong: parsed once from a `MetricSource`.
//!
//! No secret is in here, only the names of Secrets in floorkeeper's own namespace.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reqwest::Url;

/// Where and how one source is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceConfig {
    pub name: Arc<str>,
    pub kind: Kind,
    /// The distance of two ticks.
    pub interval: Duration,
    /// The longest that one exchange may take, from connecting to the last byte.
    pub timeout: Duration,
    /// The most bytes that one answer may have, unpacked.
    pub body_limit: usize,
    /// Which namespaces' policies may ask.
    pub allowed: Namespaces,
    /// What is allowed of queries and metrics that stand in a policy.
    pub inline: Inline,
    pub demands: Vec<Demand>,
    /// Name of the demand that a policy without signals reads.
    pub default_demand: Option<Arc<str>>,
}

/// What kind of server a source is.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there are few sources, each behind an Arc")]
pub enum Kind {
    Prometheus(Prometheus),
    /// `external.metrics.k8s.io` of the cluster itself, by the operator's own client.
    External,
    /// `custom.metrics.k8s.io`: metrics of one object in the policy's namespace.
    Custom,
    /// `metrics.k8s.io`: CPU and memory of the workload's own pods.
    Resource,
}

/// A server that speaks Prometheus' HTTP API.
#[derive(Clone, PartialEq)]
pub struct Prometheus {
    /// Without `/api/v1/...`; a path prefix stays.
    pub url: Url,
    pub headers: Vec<(String, String)>,
    /// Added to every request's URL.
    pub parameters: Vec<(String, String)>,
    pub auth: Auth,
    pub tls: Tls,
}

/// How floorkeeper proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Auth {
    #[default]
    None,
    Bearer(SecretKey),
    Basic {
        username: SecretKey,
        password: SecretKey,
    },
}

/// TLS of the connection. Without any of it: the roots of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tls {
    /// PEM bundle; where present, the only roots that count.
    pub ca: Option<SecretKey>,
    pub client: Option<ClientCertificate>,
    pub insecure_skip_verify: bool,
}

/// PEM certificate chain and private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    pub certificate: SecretKey,
    pub key: SecretKey,
}

/// One key of a Secret in floorkeeper's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretKey {
    pub secret: Arc<str>,
    pub key: Arc<str>,
}

/// What is allowed of queries and metrics that stand in a policy.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Inline {
    /// None.
    #[default]
    Forbidden,
    /// `budget` distinct ones a namespace.
    Allowed { budget: usize, scope: Scope },
}

/// What a policy's own query can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Each selector gets a matcher: this label must be the policy's namespace.
    Namespace(Arc<str>),
    /// Everything that the source has.
    Everything,
}

/// Namespaces that may use a source: names, or prefixes that end with `*`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Namespaces {
    #[default]
    All,
    Only(BTreeSet<Arc<str>>),
}

/// Questions that many policies share.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    pub name: Arc<str>,
    pub load: Question,
    /// Work already waiting.
    pub backlog: Option<Question>,
    pub errors: Option<DemandErrors>,
    /// Which labels of an answer say whose number it is. Of PromQL only: metrics are asked once a policy.
    pub labels: TargetLabels,
    pub coverage: Coverage,
}

/// A question as it is written in a source or policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Question {
    PromQl(Arc<str>),
    Metric(Metric),
}

/// A metric of a Kubernetes metrics API. `{namespace}` and `{target}` in any value stand for the policy's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Metric {
    pub name: Arc<str>,
    pub match_labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Of a custom metric: the object that it describes.
    pub object: Option<Object>,
}

/// An object in the policy's namespace: `services` or `ingresses.networking.k8s.io`, and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Object {
    pub resource: Arc<str>,
    pub name: Arc<str>,
}

/// The labels of an answer that say whose number it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetLabels {
    pub namespace: Arc<str>,
    pub target: Arc<str>,
}

/// Failed and total work of the same workloads.
#[derive(Clone, Debug, PartialEq)]
pub struct DemandErrors {
    pub failed: Question,
    pub total: Question,
}

/// Where the knowledge comes from that a number is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Coverage {
    /// From the age and number of the series behind it.
    #[default]
    Evidence,
    /// A person vouches that the number is complete whenever it is present.
    Vouched,
}

impl SourceConfig {
    /// A demand by its name, or the default one.
    #[must_use]
    pub fn demand(&self, name: Option<&str>) -> Option<&Demand> {
        let name = name.or(self.default_demand.as_deref())?;
        self.demands.iter().find(|demand| &*demand.name == name)
    }
}

impl Namespaces {
    /// Whether a policy in `namespace` may ask.
    #[must_use]
    pub fn allow(&self, namespace: &str) -> bool {
        let matches = |name: &Arc<str>| match name.strip_suffix('*') {
            Some(prefix) => namespace.starts_with(prefix),
            None => **name == *namespace,
        };
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(matches),
        }
    }
}

impl core::fmt::Debug for Prometheus {
    /// Headers, parameters and the URL's user part may carry secrets.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Prometheus")
            .field("host", &self.url.host_str())
            .field("auth", &self.auth)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}
