//! Plays a scenario of `floorkeeper-sim` on a real cluster: offered load against the pods that are really ready, what an edge
//! proxy and the service would expose to a real Prometheus, CPU and load for real HPAs, and the scenario's faults at the
//! seams where they happen. Several services with the same load, each under another autoscaler, in one cluster at once.
//!
//! ```text
//!   scenario -> Schedule -> Player: each tick, for each Lane
//!      ready pods (Sight) -> service model -> series (edge, app) -> Prometheus -> SourceProxy -> floorkeeper
//!                                          -> CPU -> metrics.k8s.io -> HPA     `-> adapter -> external.metrics.k8s.io -> HPA
//! ```

mod adapter;
mod cast;
mod dead;
mod lane;
mod player;
mod schedule;
mod series;
mod sight;
mod source;
mod stage;
mod why;

pub use dead::Stood;
pub use lane::{Keeper, Lane, SERVICE};
pub use player::{Frame, LaneFrame, LaneReport, Player};
pub use schedule::{CALM_SPEED, EDGE_SPEED, Schedule};
pub use stage::{Playbill, Stage};
