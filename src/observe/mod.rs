//! I/O in: what metric sources say about the load that is offered to workloads.
//!
//! [`spawn`] keeps one loop a `MetricSource`. Every tick asks as few queries as possible, a shared demand costs one
//! request for all policies on it, and hands the raw answers on with what backs them. Judging them is core's.
//!
//! ```text
//!   sources, subscriptions -> loops -> queries -> answers + evidence -> Event::Observed, Event::History
//! ```

mod backfill;
mod board;
mod config;
mod confine;
mod credentials;
mod evidence;
#[cfg(test)]
mod faults;
mod fullness;
mod health;
mod lookback;
mod metrics_api;
mod observer;
mod past;
mod plan;
mod prometheus;
mod promql;
mod reply;
mod scaled_objects;
mod scalers;
mod source;
mod stretch;
mod subscription;
mod targets;

pub use config::{
    Auth, ClientCertificate, Coverage, Demand, DemandErrors, Inline, Kind, Metric, Namespaces, Object, Prometheus,
    Question, Scope, SecretKey, SourceConfig, TargetLabels, Tls,
};
pub use health::{Condition, Health, HealthBoard};
pub use lookback::{LookBacks, LookedBack, NoPast};
pub use observer::{Feed, Observer, spawn};
pub use past::{Moment, Past, PastError};
pub(crate) use promql::Parsed;
pub use scaled_objects::{scaled_object, scaled_object_scales};
pub use scalers::{scaler, scales};
pub use subscription::{Ask, ErrorAsk, Query, SignalAsk, Subscription};
pub use targets::{Paths, target};
