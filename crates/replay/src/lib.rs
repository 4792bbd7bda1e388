//! Virtual time: a scenario or a history against floorkeeper's own engine and against other autoscalers.
//!
//! Pure by its dependencies: no clock, no I/O, no Kubernetes. The command line reads files and asks Prometheus; here a
//! minute passes when the player says so, and the same seed gives the same report everywhere.

pub mod peers;
