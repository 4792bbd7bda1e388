//! The kinds of `floorkeeper.dev/v1alpha1`, and the border where they become values that can't be wrong.
//!
//! A field's `///` is what `kubectl explain` prints: effect, default, limit, interaction, in that order. Notes to
//! developers are `//`. What CEL can refuse, the API server refuses; `parse` turns the rest into
//! `floorkeeper_core` types and says field and remedy for what it can't.

// The derive of `KubeSchema` repeats each `pub` struct inside a function, where nothing can reach it; the print columns
// repeat their types.
#![allow(unreachable_pub, clippy::duplicated_attributes)]

pub mod conditions;
mod definitions;
mod demand_history;
mod distrust;
mod floor_override;
mod floor_table;
pub mod keda;
pub(crate) mod limits;
mod metric_source;
pub mod parse;
pub(crate) mod quantity;
mod scaling_policy;
mod scaling_policy_status;
mod signal;
pub(crate) mod span;
pub(crate) mod text;

pub use definitions::crds;
pub use demand_history::{DemandHistory, DemandHistorySpec, HistoryDay, Known, Reckoning};
pub use distrust::{Distrust, ErrorsSpec, UnusualFallSpec};
pub use floor_override::{FloorOverride, FloorOverrideSpec, FloorOverrideStatus, OverrideAction, OverrideState};
pub use floor_table::{FloorRow, FloorTable, FloorTableSpec, Moment, RowOnset, RowStep, TABLE_NAME};
pub use metric_source::{
    Auth, BasicAuth, DemandErrors, MetricSource, MetricSourceSpec, MetricSourceStatus, MetricsApi, Prometheus,
    SecretKey, SharedBacklog, SharedDemand, TargetLabels, TlsClient, TlsOptions,
};
pub use quantity::{Quantity, QuantityError};
pub use scaling_policy::{Demand, Mode, ScaleDown, ScalingPolicy, ScalingPolicySpec, Utilization, WorkloadRef};
pub use scaling_policy_status::{
    ActionKind, BidStatus, DemandStatus, DoubtStatus, FloorStatus, LastAction, LearnedStatus, OverrideInForce,
    PastState, PriceStatus, ReplicasStatus, ScalingPolicyStatus, SignalStatus, TrustLevel,
};
pub use signal::{Backlog, Coverage, MetricRef, ObjectRef, SignalSpec, ZeroMeans};
pub use span::{Span, SpanError};

/// The API group of every kind here.
pub const GROUP: &str = "floorkeeper.dev";

/// The version of every kind here.
pub const VERSION: &str = "v1alpha1";
