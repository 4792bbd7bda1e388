//! The bounds in force, and what is wrong with them.

use super::Workload;
use crate::decision::Problem;
use crate::policy::Mode;
use crate::target::{Bounds, Kept};

impl Workload {
    /// The owner's bounds of the scaler: as they were before ours stood there.
    pub(crate) fn owner_bounds(&self) -> Option<Bounds> {
        let scaler = self.scaler_seen()?;
        Some(match scaler.kept {
            // What is not as ours was rewritten: that is the owner's new wish.
            Some(Kept { original, applied, .. }) => Bounds {
                min: if applied.min == scaler.min { original.min } else { scaler.min },
                max: if applied.max == scaler.max { original.max } else { scaler.max },
            },
            None => scaler.bounds(),
        })
    }

    /// The static bounds in force: the policy's own, else the scaler's.
    pub(crate) fn bounds(&self) -> (u32, u32) {
        let owner = if self.policy.mode == Mode::Guard { self.owner_bounds() } else { None };
        // Who lets it idle accepts that few when there is nothing to do.
        let idle = self.scaler_seen().and_then(|scaler| scaler.idle).map(|idle| idle.replicas);
        let lowest = owner.map(|bounds| idle.map_or(bounds.min, |idle| idle.min(bounds.min)));
        let min = self.policy.min_replicas.or(lowest).unwrap_or(1);
        let max = match (self.policy.max_replicas, owner) {
            (Some(max), Some(bounds)) => max.min(bounds.max),
            (Some(max), None) => max,
            (None, Some(bounds)) => bounds.max,
            // Nobody states a maximum: floorkeeper must not invent a need beyond what stands.
            (None, None) => self.floor_replicas().max(self.seen().map_or(0, |seen| seen.replicas)).max(min),
        };
        (min.min(max), max)
    }

    /// What keeps floorkeeper from its work.
    pub(super) fn problem(&self) -> Option<Problem> {
        if matches!(self.target, Some(None)) {
            return Some(Problem::TargetNotFound);
        }
        if self.owned_by_older {
            return Some(Problem::NotOwner);
        }
        match (self.policy.mode, &self.scaler) {
            (Mode::Guard, Some(None)) => Some(Problem::ScalerNotFound),
            (Mode::Autoscale, Some(Some(_))) => Some(Problem::ScalerExists),
            (Mode::AutoscaleUtilization, Some(Some(scaler))) if !scaler.owned => Some(Problem::ScalerExists),
            (Mode::Observe | Mode::Guard | Mode::Autoscale | Mode::AutoscaleUtilization, _) => {
                let owner = self.owner_bounds().filter(|_| self.policy.mode == Mode::Guard);
                let crossed = |min: Option<u32>, max: Option<u32>| min.zip(max).is_some_and(|(min, max)| min > max);
                (crossed(self.policy.min_replicas, owner.map(|bounds| bounds.max))
                    || crossed(self.policy.min_replicas, self.policy.max_replicas))
                .then_some(Problem::BoundsCrossed)
            }
        }
    }
}
