//! Writes out: each a complete value that the shell carries out without a choice of its own.

use std::sync::Arc;

use crate::key::TargetKey;
use crate::standing::Standing;
use crate::target::{Bounds, Kept, ScalerKind};

/// One conditional write. Writes of one poll are carried out in their order; a failed one does not stop the raises behind it.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Rows of a namespace's `FloorTable`, one write for all that changed; other rows stay.
    Floors { namespace: Arc<str>, rows: Vec<(TargetKey, Standing)>, vanish: Vec<TargetKey> },
    /// `spec.replicas` by the `scale` subresource.
    Replicas(Replicas),
    /// The bounds of the target's scaler and the annotation that keeps the owner's own.
    Bounds(ScalerBounds),
}

/// Set `spec.replicas`.
///
/// `to > from` is a raise: on a conflict read again, and write unless the target has `to` or more by then.
/// `to < from` is a lowering: only against `version`; on a conflict do nothing, the engine decides again.
#[derive(Clone, Debug, PartialEq)]
pub struct Replicas {
    pub target: TargetKey,
    pub version: Arc<str>,
    pub from: u32,
    pub to: u32,
    /// Somebody else had written below the floor.
    pub undo: bool,
}

/// Set a scaler's `minReplicas` (and `maxReplicas`, under a Pin).
#[derive(Clone, Debug, PartialEq)]
pub struct ScalerBounds {
    pub target: TargetKey,
    pub kind: ScalerKind,
    pub scaler: Arc<str>,
    /// Precondition of a lowering. A raise is applied whatever the version.
    pub version: Arc<str>,
    pub bounds: Bounds,
    /// The annotation's new content; `None`: give back and remove it.
    pub kept: Option<Kept>,
    /// True if something lower may stand afterwards than does now: a minimum, a maximum, or the right to idle.
    pub lowers: bool,
    /// The maximum is still ours from a Pin: it has to be written once more before it is let go.
    pub unpins: bool,
    /// Somebody else had overwritten our minimum.
    pub undo: bool,
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The API server has it.
    Done,
    /// It stood already: what was seen was older than what is stored. Nothing was written.
    Unneeded,
    /// Conflict or fenced: the store says something else than we thought; events with the truth follow.
    Conflict,
    /// Not there any more, forbidden, timed out, throttled: tried again after a pause.
    Failed,
}
