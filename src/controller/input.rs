//! What the tasks around the engine tell its loop.

use std::sync::Arc;
use std::time::Instant;

use floorkeeper_core::{
    Learned, Observation, Outcome, Override, Policy, PolicyKey, Sample, Scaler, ScalerKind, Standing, Target, TargetKey,
};
use tokio::sync::mpsc;

use super::histories::Recalled;
use super::lanes::Ticket;
use crate::api::keda;

/// One message to the loop.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// A policy that parses, as last known good.
    Policy(PolicyKey, Arc<Policy>),
    PolicyGone(PolicyKey),
    Overrides(PolicyKey, Vec<Override>),
    Observed(PolicyKey, Observation),
    History(PolicyKey, usize, Vec<Sample>),
    /// What was learned of a policy's workload and stored.
    Learned(PolicyKey, Learned),
    /// Two weeks of each of a policy's signals.
    Past(PolicyKey, Vec<Vec<Sample>>),
    /// What is learned of this policy is asked for.
    Recall(PolicyKey, mpsc::Sender<Recalled>),
    /// A workload was seen or is gone, and when this process heard of it.
    Target(TargetKey, Option<Target>, Instant),
    /// A workload carries the note of a clamp that was not seen before: asked, kept, by whom.
    Clamped(TargetKey, u32, u32, Arc<str>),
    /// A scaler was seen (`Some`) or is gone.
    Scaler(ScalerName, Option<Scaler>),
    Table {
        namespace: Arc<str>,
        rows: Vec<(TargetKey, Standing)>,
    },
    /// A store is about to be filled: nothing is decided before it is.
    Awaited(Store),
    /// A store holds everything that the API server has.
    Filled(Store),
    /// A kind can't be seen: nobody waits for it any longer. It may be filled later.
    Refused(Store),
    /// A kind's watch has stopped: what it said is no longer kept up to date.
    Dropped(Store),
    /// The plural resource of a kind that scalers refer to.
    Kind(KindName, Arc<str>),
    Wrote(Ticket, Outcome),
    /// This process leads from now on, in this term of the lease.
    Elected(u64),
}

/// A scaler and what it scales.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ScalerName {
    pub(super) namespace: Arc<str>,
    pub(super) kind: ScalerKind,
    pub(super) name: Arc<str>,
    pub(super) scales: KindName,
    /// Name of the workload that it scales.
    pub(super) target: Arc<str>,
}

/// Group and kind, as references in other objects write them; a version is of no interest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct KindName {
    pub(super) group: Arc<str>,
    pub(super) kind: Arc<str>,
}

/// What must be known before anything is decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Store {
    Policies,
    Tables,
    /// Of one kind, in all namespaces.
    Scalers(ScalerKind),
    /// Workloads of one resource, as in [`TargetKey::resource`].
    Targets(Arc<str>),
}

impl KindName {
    /// From an `apiVersion` (`apps/v1`, `v1`) and a kind.
    #[must_use]
    pub(super) fn new(api_version: &str, kind: &str) -> Self {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        Self { group: group.into(), kind: kind.into() }
    }
}

impl std::fmt::Display for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Policies => f.write_str("scalingpolicies.floorkeeper.dev"),
            Self::Tables => f.write_str("floortables.floorkeeper.dev"),
            Self::Scalers(ScalerKind::HorizontalPodAutoscaler) => f.write_str("horizontalpodautoscalers.autoscaling"),
            Self::Scalers(ScalerKind::ScaledObject) => f.write_str(keda::DEFINITION),
            Self::Targets(resource) => f.write_str(resource),
        }
    }
}
