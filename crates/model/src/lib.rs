//! Model checking: every order of events in a small world, played with the code that ships.
//!
//! An action of a model calls floorkeeper-core: [`Election`](floorkeeper_core::lease::Election) and
//! [`Engine`](floorkeeper_core::Engine) are not described once more here, they run. What is described is what is around
//! them: an API server, clocks, a network that loses and delays, an autoscaler, people.
//!
//! Two models. [`lease`] has processes and one lease, in small steps of time: never two leaders. [`cluster`] has two
//! floorkeepers, an HPA and a workload: nothing falls without right and proof, nothing that rises is refused, and in the
//! end everything is where it should be. Both are bounded in time and in faults, and explored to the last state.

pub mod cluster;
pub mod lease;
