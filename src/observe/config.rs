//! A metric source whose values can't be wrong: parsed once from a `MetricSource`.
//!
//! No secret is in here, only the names of Secrets in floorkeeper's own namespace.

use core::time::Duration;
use std::collections::BTreeSet;
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
    pub demands: Vec<Demand>,
    /// Name of the demand that a policy without signals reads.
    pub default_demand: Option<Arc<str>>,
}

/// What kind of server a source is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Prometheus(Prometheus),
    /// The metrics APIs of the cluster itself, by the operator's own client.
    MetricsApi,
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
    pub inline: Inline,
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
    /// PEM certificate chain and private key.
    pub client: Option<(SecretKey, SecretKey)>,
    pub insecure_skip_verify: bool,
}

/// One key of a Secret in floorkeeper's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretKey {
    pub secret: Arc<str>,
    pub key: Arc<str>,
}

/// What is allowed of queries that stand in a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Inline {
    /// None.
    #[default]
    Forbidden,
    /// Each selector gets a matcher for the policy's own namespace.
    Confined { budget: usize },
    /// As they stand: any policy may read everything that the source has.
    Unconfined { budget: usize },
}

/// Namespaces that may use a source.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Namespaces {
    #[default]
    All,
    Only(BTreeSet<Arc<str>>),
}

/// A query that many policies share.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    pub name: Arc<str>,
    pub query: Arc<str>,
    pub labels: TargetLabels,
    /// Work already waiting, grouped by the same labels.
    pub backlog: Option<Arc<str>>,
    pub errors: Option<DemandErrors>,
    pub coverage: Coverage,
}

/// The labels of a demand's result that say whose number it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetLabels {
    pub namespace: Arc<str>,
    pub name: Arc<str>,
}

/// A demand's own failed and total work, grouped by the same labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemandErrors {
    pub failed: Arc<str>,
    pub total: Arc<str>,
}

/// Where the knowledge comes from that a number is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Coverage {
    /// From the age and number of the series that the query's selectors find.
    #[default]
    Analysed,
    /// A person vouches that the number is complete whenever it is present.
    Vouched,
}

impl Namespaces {
    /// Whether a policy in `namespace` may ask.
    #[must_use]
    pub fn allow(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(namespace),
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
            .field("inline", &self.inline)
            .finish_non_exhaustive()
    }
}
