//! What the cluster says of a workload and of the scaler that scales it.

use core::time::Duration;
use std::sync::Arc;

use crate::time::Timestamp;

/// A workload as last seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub uid: Arc<str>,
    /// `resourceVersion`: echoed in writes as their precondition.
    pub version: Arc<str>,
    /// `spec.replicas`: what is wanted, surge pods not counted.
    pub replicas: u32,
    /// Ready pods; `None` where the kind does not say.
    pub ready: Option<u32>,
    pub rollout: Rollout,
    /// Changes when the pod template does.
    pub template: u64,
}

/// Whether new pods are replacing old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollout {
    Done,
    /// A paused rollout is none.
    Paused,
    Progressing {
        deadline: Duration,
    },
}

/// Which kind of object scales a target. Where two of them do, the first in this order is the one to talk to: KEDA makes
/// an HPA of its own for each ScaledObject, and writes it again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScalerKind {
    /// KEDA's.
    ScaledObject,
    HorizontalPodAutoscaler,
}

/// What scales a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaler {
    pub kind: ScalerKind,
    pub name: Arc<str>,
    pub uid: Arc<str>,
    pub version: Arc<str>,
    pub min: u32,
    pub max: u32,
    /// It goes below its own minimum while its triggers are quiet; `None` where it does not, or where its owner forbids it.
    pub idle: Option<Idle>,
    /// What floorkeeper last wrote, read back from its annotation on the scaler. While the scaler's bounds equal
    /// `applied` they are ours; anything else is the owner's new wish.
    pub kept: Option<Kept>,
    /// floorkeeper created it (`utilization`).
    pub owned: bool,
}

impl Scaler {
    /// As it stands after a write of ours.
    pub(crate) fn wrote(&mut self, bounds: Bounds, kept: Option<Kept>) {
        (self.min, self.max, self.kept) = (bounds.min, bounds.max, kept);
        if let Some(idle) = &mut self.idle {
            idle.awake = kept.is_some_and(|kept| kept.awake);
        }
    }

    /// The bounds that stand on it now.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        Bounds { min: self.min, max: self.max }
    }
}

/// KEDA's `idleReplicaCount`: written to the workload at once when all triggers are quiet, whatever the minimum says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idle {
    pub replicas: u32,
    /// It is kept from idling now: its minimum holds.
    pub awake: bool,
}

/// The owner's bounds, kept on the scaler while ours stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    pub original: Bounds,
    pub applied: Bounds,
    /// floorkeeper keeps it from idling.
    pub awake: bool,
}

/// `minReplicas` and `maxReplicas` of a scaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub min: u32,
    pub max: u32,
}

/// A `FloorOverride` that applies to a policy, in force until `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pub name: Arc<str>,
    pub action: Action,
    /// When it was created: of two overrides of one kind the newest wins.
    pub from: Timestamp,
    pub until: Timestamp,
}

/// What an override orders. Where several apply: Pin before Release before Freeze.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// No lowering.
    Freeze,
    /// The static minimum only.
    Release,
    /// Floor and ceiling.
    Pin(u32),
}
