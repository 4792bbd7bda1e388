//! A real Kubernetes control plane on one machine, for tests and the demo: etcd, API server, controller manager (with the
//! real HPA), scheduler, nodes and pods simulated by kwok, and Prometheus. Each [`Cluster`] is alone on free loopback ports
//! and is gone when it is dropped, or when the program ends in whatever way.
//!
//! ```no_run
//! use floorkeeper_rig::{Cluster, Options};
//!
//! # async fn example() -> anyhow::Result<()> {
//! let cluster = Cluster::start(Options::default()).await?;
//! cluster.kubectl(["create", "deployment", "web", "--image=web", "--replicas=10"]).await?;
//! let client: kube::Client = cluster.client();
//! # Ok(()) }
//! ```

mod binaries;
mod cache;
mod cluster;
mod components;
mod credentials;
pub mod demo;
mod exposition;
mod eye;
pub mod keda;
pub mod measure;
mod metrics_apis;
mod nodes;
mod numbers;
mod operator;
mod options;
mod ports;
mod process;
mod progress;
mod prometheus;
mod remote_write;
mod room;
pub mod soak;
pub mod stages;
mod standby;
pub mod traffic;
mod wait;

pub use binaries::{ControlPlane, Module};
pub use cache::directory as cache_directory;
pub use cluster::{Cluster, Kept};
pub use exposition::{Availability, Exposition, Metrics};
pub use eye::Eye;
pub use metrics_apis::{Behaviour, Described, MetricsApi, MetricsApis, Usage};
pub use numbers::{Number, Numbers, Seen, Whose};
pub use options::{HpaTiming, Options};
pub use process::{Process, Signal};
pub use prometheus::{Data, Prometheus, PrometheusOptions, ScrapeJob};
pub use remote_write::PastSeries;
pub use standby::Standby;
pub use wait::eventually;
