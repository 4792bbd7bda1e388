//! What `/metrics` says: one registry, every name in one place.
//!
//! Numbers about a policy carry the labels `namespace` and `policy` and nothing else, are kept in one map
//! ([`policies`]) and vanish with the policy. All other labels come from closed sets of words, so the count of series
//! is bounded by the number of policies and sources.

mod labels;
mod policies;

use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{Decision, Notice, Outcome, PolicyKey, Timestamp};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use self::labels::{BySource, ByVerdict, ByWhat, QueryEnd, WriteEnd, WriteKind};
use self::policies::Policies;

pub use self::labels::{QueryOutcome, What, WriteOutcome};

/// All of floorkeeper's metrics. Cheap to share behind an `Arc`; every method is safe from any task.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    policies: Arc<Policies>,
    decisions: Family<ByVerdict, Counter>,
    notices: Family<ByWhat, Counter>,
    writes: Family<WriteEnd, Counter>,
    write_seconds: Family<WriteKind, Histogram, fn() -> Histogram>,
    undos: Family<ByWhat, Counter>,
    undo_seconds: Histogram,
    events: Family<ByWhat, Counter>,
    source_up: Family<BySource, Gauge>,
    source_success: Family<BySource, Gauge>,
    source_queries: Family<QueryEnd, Counter>,
    source_seconds: Family<BySource, Histogram, fn() -> Histogram>,
    poll_seconds: Histogram,
    leader: Gauge,
    transitions: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("floorkeeper");
        let policies = Arc::new(Policies::default());
        let mut metrics = Self {
            policies: Arc::clone(&policies),
            decisions: Family::default(),
            notices: Family::default(),
            writes: Family::default(),
            write_seconds: Family::new_with_constructor(latency),
            undos: Family::default(),
            undo_seconds: latency(),
            events: Family::default(),
            source_up: Family::default(),
            source_success: Family::default(),
            source_queries: Family::default(),
            source_seconds: Family::new_with_constructor(latency),
            poll_seconds: fine(),
            leader: Gauge::default(),
            transitions: Gauge::default(),
            registry: Registry::default(),
        };
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", build);
        registry.register("decisions", "Decisions by what they did to the floor", metrics.decisions.clone());
        registry.register("notices", "Changes worth telling, by reason", metrics.notices.clone());
        registry.register("writes", "Writes to the Kubernetes API by kind and end", metrics.writes.clone());
        registry.register_with_unit("write", "Time a write took", Unit::Seconds, metrics.write_seconds.clone());
        registry.register(
            "undos",
            "Writes below a floor that were put back, by what was overwritten",
            metrics.undos.clone(),
        );
        registry.register_with_unit(
            "undo_reaction",
            "Time from seeing a write below a floor to having put it back",
            Unit::Seconds,
            metrics.undo_seconds.clone(),
        );
        registry.register("events", "Kubernetes events by end: Sent, Failed, Dropped", metrics.events.clone());
        registry.register("source_up", "1 while the last query of a source was answered", metrics.source_up.clone());
        registry.register(
            "source_last_success_timestamp_seconds",
            "When a source last answered (Unix time)",
            metrics.source_success.clone(),
        );
        registry.register("source_queries", "Queries by source and end", metrics.source_queries.clone());
        registry.register_with_unit("source_query", "Time a query took", Unit::Seconds, metrics.source_seconds.clone());
        registry.register_with_unit(
            "engine_poll",
            "Time one round of decisions took",
            Unit::Seconds,
            metrics.poll_seconds.clone(),
        );
        registry.register("leader", "1 while this process holds the lease", metrics.leader.clone());
        registry.register(
            "lease_transitions",
            "How often the lease has changed hands, as this process last saw it",
            metrics.transitions.clone(),
        );
        registry.register_collector(Box::new(policies));
        metrics.registry = registry;
        metrics
    }

    /// The text that `/metrics` answers with, and its content type in [`CONTENT_TYPE`].
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            // Writing to a String does not fail; an empty answer is the honest one if it ever did.
            Err(_) => String::new(),
        }
    }

    /// A policy was decided: its live numbers.
    pub fn decided(&self, policy: &PolicyKey, decision: &Decision) {
        self.decisions.get_or_create(&ByVerdict::from(decision.verdict)).inc();
        self.policies.set(policy, decision);
    }

    /// A policy is gone: its series vanish.
    pub fn forget(&self, policy: &PolicyKey) {
        self.policies.remove(policy);
    }

    /// The engine had something to tell.
    pub fn noticed(&self, notice: &Notice) {
        self.notices.get_or_create(&ByWhat::reason(crate::words::notice_reason(notice))).inc();
    }

    /// A write ended.
    pub fn wrote(&self, what: What, outcome: WriteOutcome, took: Duration) {
        self.writes.get_or_create(&WriteEnd::new(what, outcome)).inc();
        self.write_seconds.get_or_create(&WriteKind::new(what)).observe(took.as_secs_f64());
    }

    /// A write below a floor was put back; `reaction`: since it was seen.
    pub fn undone(&self, what: What, reaction: Duration) {
        self.undos.get_or_create(&ByWhat::what(what)).inc();
        self.undo_seconds.observe(reaction.as_secs_f64());
    }

    /// A Kubernetes event was sent, failed or was dropped for the rate.
    pub fn event(&self, end: &'static str) {
        self.events.get_or_create(&ByWhat::end(end)).inc();
    }

    /// A source was asked.
    pub fn queried(&self, source: &Arc<str>, outcome: QueryOutcome, took: Duration, now: Timestamp) {
        let by = BySource::new(source);
        self.source_queries.get_or_create(&QueryEnd::new(source, outcome)).inc();
        self.source_seconds.get_or_create(&by).observe(took.as_secs_f64());
        self.source_up.get_or_create(&by).set(i64::from(outcome == QueryOutcome::Answered));
        if outcome == QueryOutcome::Answered {
            self.source_success.get_or_create(&by).set(i64::try_from(now.0 / 1000).unwrap_or(i64::MAX));
        }
    }

    /// A source is gone: its series vanish.
    pub fn forget_source(&self, source: &Arc<str>) {
        let by = BySource::new(source);
        self.source_up.remove(&by);
        self.source_success.remove(&by);
        self.source_seconds.remove(&by);
        for outcome in QueryOutcome::ALL {
            self.source_queries.remove(&QueryEnd::new(source, outcome));
        }
    }

    /// One round of decisions took this long.
    pub fn polled(&self, took: Duration) {
        self.poll_seconds.observe(took.as_secs_f64());
    }

    /// The lease was read or written; `transitions`: how often it has changed hands.
    pub fn lease(&self, transitions: u64) {
        self.transitions.set(i64::try_from(transitions).unwrap_or(i64::MAX));
    }

    pub fn leading(&self, yes: bool) {
        self.leader.set(i64::from(yes));
    }
}

impl What {
    /// The word for a write of the plan.
    #[must_use]
    pub fn of(write: &floorkeeper_core::Write) -> Self {
        match write {
            floorkeeper_core::Write::Floors { .. } => Self::Floors,
            floorkeeper_core::Write::Replicas(_) => Self::Replicas,
            floorkeeper_core::Write::Bounds(_) => Self::Bounds,
        }
    }
}

impl From<Outcome> for WriteOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::Unneeded => Self::Unneeded,
            Outcome::Conflict => Self::Conflict,
            Outcome::Failed => Self::Failed,
        }
    }
}

/// One millisecond to 16 seconds: from a local API server to the longest timeout.
fn latency() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 15))
}

/// Ten microseconds to five seconds: one policy to ten thousand.
fn fine() -> Histogram {
    Histogram::new(exponential_buckets(0.000_01, 4.0, 10))
}

/// OpenMetrics text, as Prometheus asks for it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[cfg(test)]
mod tests;
