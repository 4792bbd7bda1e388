//! The bounds of a target's scaler, and the annotation that keeps its owner's own.
//!
//! Two kinds of scaler: an HPA, and KEDA's `ScaledObject`, which has the same two numbers under other names. This is where
//! they part.

mod hpa;
mod leave;
mod release;
mod scaled_object;

use floorkeeper_core::{ScalerBounds, ScalerKind};

use super::call::Trouble;
use super::writer::Writer;

pub use self::leave::{give_hpa_back, give_scaled_object_back, owner_bounds, owner_bounds_of_scaled_object};

pub(super) async fn write(writer: &Writer, write: &ScalerBounds) -> Result<(), Trouble> {
    match write.kind {
        ScalerKind::HorizontalPodAutoscaler => hpa::write(writer, write).await,
        ScalerKind::ScaledObject => scaled_object::write(writer, write).await,
    }
}
