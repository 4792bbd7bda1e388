//! The Kubernetes metrics APIs (`metrics.k8s.io`, `custom.metrics.k8s.io`, `external.metrics.k8s.io`) with numbers that a
//! test sets, behind APIServices, as metrics-server and the adapters of Prometheus and KEDA have them. A real HPA reads it.

mod answers;
mod register;
mod selector;
mod server;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use tokio::task::JoinHandle;

use crate::cluster::Cluster;

/// The three APIs of one cluster. They go when this value is dropped.
///
/// ```no_run
/// use floorkeeper_rig::{Behaviour, Cluster, MetricsApi, MetricsApis, Options, Usage};
///
/// # async fn example() -> anyhow::Result<()> {
/// let cluster = Cluster::start(Options::default()).await?;
/// let apis = MetricsApis::start(&cluster).await?;
/// apis.set_external("shop", "queue_depth", &[("queue", "orders")], 1200.0);
/// apis.set_usage("shop", &[("app", "web")], Usage { cpu: 0.25, memory: 64e6 });
/// apis.set_behaviour(MetricsApi::External, Behaviour::Failing(500));
/// # Ok(()) }
/// ```
pub struct MetricsApis {
    values: Arc<Mutex<Values>>,
    server: JoinHandle<()>,
    client: kube::Client,
}

/// Which of the APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricsApi {
    /// `metrics.k8s.io/v1beta1`: CPU and memory of pods.
    Resource,
    /// `custom.metrics.k8s.io/v1beta2`: metrics of objects.
    Custom,
    /// `external.metrics.k8s.io/v1beta1`: metrics of nothing in the cluster.
    External,
}

/// How an API answers requests for values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Behaviour {
    #[default]
    Normal,
    /// Success, and a list with no items.
    Empty,
    /// 404, as an adapter does that doesn't know the metric.
    NotFound,
    /// This HTTP status.
    Failing(u16),
    /// The right answer, but only after this time.
    Slow(Duration),
    /// Discovery fails too, so the API server soon says that the API is unavailable.
    Down,
}

/// What a pod uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Cores.
    pub cpu: f64,
    /// Bytes.
    pub memory: f64,
}

/// The object that a custom metric describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Described<'a> {
    pub api_version: &'a str,
    pub kind: &'a str,
    /// As in the API's path: `pods`, `services`, `deployments.apps`.
    pub resource: &'a str,
    pub name: &'a str,
}

impl MetricsApis {
    /// Starts the server, registers the APIs and waits until the API server finds them available.
    pub async fn start(cluster: &Cluster) -> Result<Self> {
        let values = Arc::new(Mutex::new(Values::default()));
        let (port, server) = server::start(Arc::clone(&values), cluster.client()).await?;
        let apis = Self { values, server, client: cluster.client() };
        register::register(cluster.client(), port).await?;
        Ok(apis)
    }

    /// Takes the APIs out of the API server too, as for a cluster that lives on: a registered API that doesn't answer slows
    /// every kubectl down.
    pub async fn unregister(self) -> Result<()> {
        register::unregister(self.client.clone()).await
    }

    /// Every running pod in the namespace that has all these labels uses this much.
    pub fn set_usage(&self, namespace: &str, labels: &[(&str, &str)], usage: Usage) {
        self.values().usage.insert((namespace.to_owned(), owned(labels)), usage);
    }

    /// These pods have no usage any more: the API leaves them out.
    pub fn remove_usage(&self, namespace: &str, labels: &[(&str, &str)]) {
        self.values().usage.remove(&(namespace.to_owned(), owned(labels)));
    }

    /// One series of an external metric.
    pub fn set_external(&self, namespace: &str, metric: &str, labels: &[(&str, &str)], value: f64) {
        self.values().external.insert((namespace.to_owned(), metric.to_owned(), owned(labels)), value);
    }

    /// All series of an external metric go.
    pub fn remove_external(&self, namespace: &str, metric: &str) {
        self.values().external.retain(|(of, name, _), _| of != namespace || name != metric);
    }

    /// A metric of one object.
    pub fn set_custom(&self, namespace: &str, object: Described<'_>, metric: &str, value: f64) {
        let Described { api_version, kind, resource, name } = object;
        let key = CustomKey {
            namespace: namespace.to_owned(),
            resource: resource.to_owned(),
            name: name.to_owned(),
            metric: metric.to_owned(),
        };
        let custom = CustomValue { api_version: api_version.to_owned(), kind: kind.to_owned(), value };
        self.values().custom.insert(key, custom);
    }

    /// A metric of one object goes.
    pub fn remove_custom(&self, namespace: &str, object: Described<'_>, metric: &str) {
        let is_it = |key: &CustomKey| {
            (&*key.namespace, &*key.resource, &*key.name, &*key.metric)
                == (namespace, object.resource, object.name, metric)
        };
        self.values().custom.retain(|key, _| !is_it(key));
    }

    /// How one of the APIs answers from now on.
    pub fn set_behaviour(&self, api: MetricsApi, behaviour: Behaviour) {
        self.values().behaviour.insert(api, behaviour);
    }

    /// The time stamped on every value from now on; `None` is the time of the answer.
    pub fn set_timestamp(&self, timestamp: Option<Timestamp>) {
        self.values().timestamp = timestamp;
    }

    fn values(&self) -> MutexGuard<'_, Values> {
        lock(&self.values)
    }
}

impl Drop for MetricsApis {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl MetricsApi {
    const ALL: [Self; 3] = [Self::Resource, Self::Custom, Self::External];

    fn group(self) -> &'static str {
        match self {
            Self::Resource => "metrics.k8s.io",
            Self::Custom => "custom.metrics.k8s.io",
            Self::External => "external.metrics.k8s.io",
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::Resource | Self::External => "v1beta1",
            Self::Custom => "v1beta2",
        }
    }

    fn group_version(self) -> String {
        format!("{}/{}", self.group(), self.version())
    }
}

type Labels = BTreeMap<String, String>;

/// What the APIs answer from.
#[derive(Debug, Default)]
struct Values {
    usage: BTreeMap<(String, Labels), Usage>,
    external: BTreeMap<(String, String, Labels), f64>,
    custom: BTreeMap<CustomKey, CustomValue>,
    behaviour: BTreeMap<MetricsApi, Behaviour>,
    timestamp: Option<Timestamp>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct CustomKey {
    namespace: String,
    resource: String,
    name: String,
    metric: String,
}

#[derive(Debug)]
struct CustomValue {
    api_version: String,
    kind: String,
    value: f64,
}

fn owned(labels: &[(&str, &str)]) -> Labels {
    labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Each change is a single insertion or removal: a panic elsewhere leaves nothing half done.
fn lock(values: &Mutex<Values>) -> MutexGuard<'_, Values> {
    values.lock().unwrap_or_else(PoisonError::into_inner)
}
