//! What replay and the rig play: traces of load, scenarios with their faults, a model of a service, and the measures
//! by which a run is judged. Pure: no clock, no I/O, no Kubernetes; the same seed gives the same numbers everywhere.
//!
//! A player (the rig in real time, replay in virtual time) reads a [`Scenario`], builds its [`Trace`], and at each tick
//! asks which faults are [`active`](Scenario::active), steps a [`Service`] per workload and feeds a [`Measure`].

mod catalogue;
mod compose;
mod measure;
mod number;
pub mod scenario;
mod service;
pub mod trace;

pub use catalogue::{CATALOGUE, find};
pub use compose::composition;
pub use measure::{Measure, Moment, Report};
pub use scenario::{Scenario, ScenarioError};
pub use service::{Inputs, Outputs, Service, ServiceSpec};
pub use trace::{Trace, TraceError};
