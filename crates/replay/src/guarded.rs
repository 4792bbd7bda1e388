//! An HPA as an object in the cluster: bounds that people and floorkeeper write while it runs.

use std::sync::Arc;

use floorkeeper_core::{Kept, Outcome, Scaler, ScalerBounds, ScalerKind};

use crate::peers::{Hpa, Peer as _, Sight};
use crate::sky::Sky;
use crate::workload::Workload;

/// An HPA with its bounds and what floorkeeper keeps on it.
pub(crate) struct Guarded {
    hpa: Hpa,
    /// As it was created.
    fresh: Hpa,
    kept: Option<Kept>,
    version: u64,
    news: bool,
    next: f64,
}

impl Guarded {
    pub(crate) fn new(hpa: Hpa) -> Self {
        Self { fresh: hpa.clone(), hpa, kept: None, version: 1, news: true, next: f64::MIN }
    }

    /// What it would write to `spec.replicas`.
    pub(crate) fn sync(&mut self, workload: &Workload, sky: &Sky, base: &Sight<'_>) -> Option<u32> {
        if sky.now < self.next {
            return None;
        }
        self.next = sky.now + self.hpa.period();
        self.hpa.sync(&workload.sight(sky, base))
    }

    /// floorkeeper's write.
    pub(crate) fn write(&mut self, write: &ScalerBounds) -> Outcome {
        if write.lowers && *write.version != *self.version() {
            return Outcome::Conflict;
        }
        self.set_bounds(write.bounds.min, write.bounds.max);
        self.kept = write.kept;
        self.changed();
        Outcome::Done
    }

    /// Somebody else's.
    pub(crate) fn edit_minimum(&mut self, to: u32) {
        let (_, max) = self.hpa.bounds();
        self.set_bounds(to, max);
        self.changed();
    }

    /// The controller behind it starts anew: what it remembered is gone.
    pub(crate) fn restart(&mut self, at: f64) {
        let (min, max) = self.hpa.bounds();
        self.hpa = self.fresh.clone();
        self.hpa.set_bounds(min, max);
        self.next = at;
    }

    /// Whether it changed since it was last seen.
    pub(crate) fn is_news(&self) -> bool {
        self.news
    }

    pub(crate) fn seen(&mut self) -> Scaler {
        self.news = false;
        let (min, max) = self.hpa.bounds();
        Scaler {
            kind: ScalerKind::HorizontalPodAutoscaler,
            name: "service".into(),
            uid: "scaler".into(),
            version: self.version(),
            min,
            max,
            idle: None,
            kept: self.kept,
            owned: false,
        }
    }

    /// Other bounds are looked at with the next tick, not with the next period.
    fn set_bounds(&mut self, min: u32, max: u32) {
        if self.hpa.set_bounds(min, max) {
            self.next = f64::MIN;
        }
    }

    fn changed(&mut self) {
        self.version += 1;
        self.news = true;
    }

    fn version(&self) -> Arc<str> {
        self.version.to_string().into()
    }
}
