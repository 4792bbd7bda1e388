//! KEDA's own hand on the replicas: from zero to one and back, with the HPA doing the rest.
//!
//! kedacore/keda 8b4f083, `pkg/scaling/executor/scale_scaledobjects.go` `RequestScale`, `scaleToZeroOrIdle`,
//! `scaleFromZeroOrIdle`. Pausing by annotation is left out.

use super::ScaledObject;

/// What the triggers say in one poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Activity {
    pub(super) active: bool,
    pub(super) error: bool,
}

/// What the executor remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Executor {
    /// When the ScaledObject was made.
    pub(super) created: f64,
    pub(super) last_active: Option<f64>,
}

impl Executor {
    /// What is written to `/scale`; `None`: nothing.
    pub(super) fn request(&mut self, object: &ScaledObject, activity: Activity, current: i32, now: f64) -> Option<i32> {
        let ScaledObject { min, idle, .. } = *object;
        if activity.active {
            if current == 0 || (idle.is_some() && current < min) {
                self.last_active = Some(now);
                return Some(if min > 0 { min } else { 1 });
            }
            if !activity.error {
                self.last_active = Some(now);
            }
            return None;
        }
        if activity.error && object.fallback.is_none_or(|fallback| fallback.replicas != 0) {
            // Without a fallback nothing is done; with one, zero would switch the HPA off before it could fall back. A
            // fallback to zero replicas goes on below, and scales to zero on an error.
            return None;
        }
        if idle.is_some_and(|idle| current > idle) || (current > 0 && min == 0) {
            return self.cooled_down(object, now).then(|| idle.unwrap_or(min));
        }
        (idle.is_none() && current < min).then_some(min)
    }

    fn cooled_down(&self, object: &ScaledObject, now: f64) -> bool {
        match self.last_active {
            None => self.created + object.initial_cooldown < now,
            Some(last) => last + object.cooldown < now,
        }
    }
}
