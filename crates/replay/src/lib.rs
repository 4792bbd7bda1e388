//! Virtual time: a scenario or a history against floorkeeper's own engine and against other autoscalers.
//!
//! Pure by its dependencies: no clock, no I/O, no Kubernetes. The command line reads files and asks Prometheus; here a
//! minute passes when the player says so, and the same seed gives the same report everywhere.

pub mod backtest;
mod frontier;
mod guarded;
mod keeper;
mod lane;
pub mod peers;
mod pipeline;
mod play;
mod pods;
mod record;
pub mod report;
mod scaler;
mod series;
mod sky;
mod store;
mod workload;

pub use frontier::frontier_of;
pub use play::{Outcome, Play, Played, TICK};
pub use record::{Run, Runs, class_name};
pub use scaler::Scaler;
pub use series::{Change, LaneSeries, Series, Span};
