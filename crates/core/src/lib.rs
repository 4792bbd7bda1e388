//! The decision of floorkeeper, pure: no clock, no I/O, no Kubernetes. Time is an argument.
//!
//! [`Engine`] is sans-I/O: [`Event`]s in, [`Write`]s out. The controller, replay and the model checker drive the
//! same one.
//!
//! ```text
//!   Event -> judge -> doubts -> guards bid -> warrant -> step -> plan -> Write
//!                                               (the one place where a floor can fall)
//! ```

mod brake;
mod decision;
mod delivery;
mod doubts;
mod engine;
mod event;
mod facts;
mod fence;
mod fleet;
mod guards;
mod history;
mod judge;
mod key;
pub mod lease;
mod pace;
mod plan;
mod policy;
mod readiness;
mod ring;
mod rises;
mod sample;
mod signal;
mod standing;
mod step;
mod target;
mod time;
mod view;
mod warrant;
mod workload;
mod write;

pub use decision::{
    Bid, Decision, Doubt, Guard, Hold, InForce, Notice, Overwritten, Problem, SignalView, Trust, Verdict,
};
pub use engine::Engine;
pub use event::Event;
pub use fence::{Refused, fence, raises};
pub use history::{Learned, LearnedDay, Usual};
pub use key::{PolicyKey, TargetKey};
pub use policy::{Errors, Mode, Policy, Signal, UnusualFall, ZeroMeans};
pub use sample::{Answer, ErrorAnswer, Evidence, Failure, Observation, Reading, Sample, SignalAnswer, Unknown};
pub use standing::{Onset, Standing, Step};
pub use target::{Action, Bounds, Idle, Kept, Override, Rollout, Scaler, ScalerKind, Target};
pub use time::Timestamp;
pub use write::{Outcome, Replicas, ScalerBounds, Write};
