//! The bounds of a target's scaler, and the annotation that keeps its owner's own.
//!
//! One kind of scaler so far: [`hpa`]. KEDA's `ScaledObject` has the same two numbers under other names
//! (`minReplicaCount`, `maxReplicaCount`) and gets a room beside it; this is where they part.

mod hpa;
mod leave;
mod release;

use floorkeeper_core::ScalerBounds;

use super::call::Trouble;
use super::writer::Writer;

pub use self::leave::{give_hpa_back, owner_bounds};

pub(super) async fn write(writer: &Writer, write: &ScalerBounds) -> Result<(), Trouble> {
    hpa::write(writer, write).await
}
