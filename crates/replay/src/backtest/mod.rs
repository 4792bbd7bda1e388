//! A user's own history in virtual time: what the floor would have been, and which policy that history asks for.

mod fit;
mod history;
mod judge;
mod shape;

pub use fit::{Field, Fit, Fitted, Setting};
pub use history::{Gap, History, Point};
pub use judge::{Backtest, Held, Judged, Terms};
