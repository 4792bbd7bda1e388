//! floorkeeper: an internal error can't scale your service below what its traffic needs.
//!
//! The library behind the one binary. The decision itself is `floorkeeper_core`; here is the shell around it.

pub mod api;
pub mod apply;
pub mod cli;
pub mod controller;
pub mod metrics;
pub mod observe;
pub mod telemetry;
pub mod words;
