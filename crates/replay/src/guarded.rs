//! The scaler under guard: an HPA whose bounds floorkeeper keeps.

use std::sync::Arc;

use floorkeeper_core::{Bounds, Kept, Outcome, Scaler, ScalerBounds};

use crate::peers::{Peer, Sight};
use crate::sky::Sky;
use crate::workload::Workload;

/// An HPA and its bounds. The port decides without bounds; they are put on its answer here, because floorkeeper writes
/// them while it runs. A replica count outside of them is corrected at once, before any metric is read.
pub(crate) struct Guarded {
    peer: Box<dyn Peer>,
    bounds: Bounds,
    kept: Option<Kept>,
    version: u64,
    news: bool,
    next: f64,
}

impl Guarded {
    pub(crate) fn new(peer: Box<dyn Peer>, min: u32, max: u32) -> Self {
        Self { peer, bounds: Bounds { min, max }, kept: None, version: 1, news: true, next: f64::MIN }
    }

    pub(crate) fn sync(&mut self, workload: &mut Workload, sky: &Sky, base: &Sight<'_>) {
        if sky.now < self.next {
            return;
        }
        self.next = sky.now + self.peer.period();
        let wanted = workload.pods.wanted();
        let Bounds { min, max } = self.bounds;
        let to = self.peer.sync(&workload.sight(sky, base)).unwrap_or(wanted).clamp(min.min(max), max);
        workload.pods.scale(to, sky.now);
    }

    /// floorkeeper's write.
    pub(crate) fn write(&mut self, write: &ScalerBounds) -> Outcome {
        if write.lowers && *write.version != *self.version() {
            return Outcome::Conflict;
        }
        (self.bounds, self.kept) = (write.bounds, write.kept);
        self.changed();
        Outcome::Done
    }

    /// Somebody else's.
    pub(crate) fn edit_minimum(&mut self, to: u32) {
        self.bounds.min = to;
        self.changed();
    }

    /// Whether it changed since it was last seen.
    pub(crate) fn is_news(&self) -> bool {
        self.news
    }

    pub(crate) fn seen(&mut self) -> Scaler {
        self.news = false;
        Scaler {
            name: "service".into(),
            uid: "scaler".into(),
            version: self.version(),
            min: self.bounds.min,
            max: self.bounds.max,
            kept: self.kept,
            owned: false,
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
