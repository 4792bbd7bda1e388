//! What a picture of a run is drawn from: kept only when it is asked for.

use floorkeeper_core::Decision;

use crate::scaler::Scaler;

/// One scenario as all its lanes lived through it, one point a tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Seconds since 1970 at minute 0.
    pub epoch: f64,
    /// Minutes between two points.
    pub step: f64,
    /// Requests a second.
    pub offered: Vec<f64>,
    /// Replicas that they need, without headroom.
    pub need: Vec<u32>,
    pub faults: Vec<Span>,
    pub lanes: Vec<LaneSeries>,
}

/// A fault, in minutes; `to` is `from` where it happens once.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub from: f64,
    pub to: f64,
    /// `seam.fault`.
    pub what: &'static str,
}

/// One scaler's replicas.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneSeries {
    pub scaler: Scaler,
    /// `spec.replicas`.
    pub replicas: Vec<u32>,
    /// In service, were the cluster well.
    pub ready: Vec<u32>,
    /// floorkeeper's decisions, each time that the floor or the reason for it became another.
    pub changes: Vec<Change>,
}

/// A decision that was new.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub minute: f64,
    pub decision: Decision,
}

impl LaneSeries {
    pub(crate) fn new(scaler: Scaler) -> Self {
        Self { scaler, replicas: Vec::new(), ready: Vec::new(), changes: Vec::new() }
    }

    /// `decision`: floorkeeper's last one.
    pub(crate) fn see(&mut self, minute: f64, replicas: u32, ready: u32, decision: Option<&Decision>) {
        self.replicas.push(replicas);
        self.ready.push(ready);
        let Some(decision) = decision else { return };
        if self.changes.last().is_none_or(|last| is_new(&last.decision, decision)) {
            self.changes.push(Change { minute, decision: decision.clone() });
        }
    }
}

/// Another floor, guard, verdict, or another kind of hold, doubt or trust: not other numbers in the same words.
fn is_new(old: &Decision, new: &Decision) -> bool {
    use core::mem::discriminant;
    (old.floor, old.guard, old.trust) != (new.floor, new.guard, new.trust)
        || discriminant(&old.verdict) != discriminant(&new.verdict)
        || old.hold.as_ref().map(discriminant) != new.hold.as_ref().map(discriminant)
        || !old.doubts.iter().map(discriminant).eq(new.doubts.iter().map(discriminant))
}
