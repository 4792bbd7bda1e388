//! The API server, and the writers in it that are not floorkeeper.

use std::sync::Arc;

use floorkeeper_core::lease::{Answer, Ask, Record};
use floorkeeper_core::{
    Kept, Outcome, Replicas, Rollout, Scaler, ScalerBounds, ScalerKind, Standing, Target, TargetKey, Write, fence,
    raises,
};

/// All that is stored, for one workload.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) row: Option<Standing>,
    pub(super) lease: Option<Record>,
    pub(super) target: Target,
    pub(super) hpa: Scaler,
    /// What the HPA's own metrics ask for.
    pub(super) wish: u32,
    /// The floor that the admission policies know: it may lag behind the row.
    pub(super) admitted: Option<u32>,
    version: u64,
    /// The API server compares epochs.
    epoch_rule: bool,
}

/// What a write of floorkeeper did that the properties speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) outcome: Outcome,
    /// Something is lower than before.
    pub(super) lowered: bool,
    /// It asked for more than what stood there, and did not get it.
    pub(super) raise_refused: bool,
}

impl Server {
    pub(super) fn new(replicas: u32, max: u32, epoch_rule: bool) -> Self {
        let target = Target {
            uid: "u".into(),
            version: "t0".into(),
            replicas,
            ready: Some(replicas),
            rollout: Rollout::Done,
            template: 0,
        };
        let hpa = Scaler {
            kind: ScalerKind::HorizontalPodAutoscaler,
            name: "web".into(),
            uid: "h".into(),
            version: "h0".into(),
            min: 1,
            max,
            idle: None,
            kept: None,
            owned: false,
        };
        Self { row: None, lease: None, target, hpa, wish: 1, admitted: None, version: 0, epoch_rule }
    }

    /// The lease, read from the store.
    pub(super) fn answer(&mut self, ask: &Ask) -> Answer {
        let claim = match ask {
            Ask::Read => return Answer::Record(self.lease.clone()),
            Ask::Write(claim) => claim,
        };
        if self.lease.as_ref().map(|record| &record.version) != claim.against.as_ref() {
            return Answer::Conflict;
        }
        let version = self.next("l");
        self.lease = Some(claim.accepted(Arc::clone(&version)));
        Answer::Written(version)
    }

    /// One write as `src/apply` carries it out.
    pub(super) fn write(&mut self, write: &Write) -> Effect {
        match write {
            Write::Floors { rows, vanish, .. } => self.write_floors(rows, vanish),
            Write::Replicas(write) => self.write_replicas(write),
            Write::Bounds(write) => self.write_bounds(write),
        }
    }

    fn write_floors(&mut self, rows: &[(TargetKey, Standing)], vanish: &[TargetKey]) -> Effect {
        let before = self.floor();
        let mut outcome = Outcome::Done;
        let mut wanted = 0;
        for (target, row) in rows {
            wanted = if row.released { 0 } else { row.replicas };
            let refused = self.row.as_ref().is_some_and(|old| self.refuses(old, row));
            if !refused {
                self.row = Some(row.clone());
                continue;
            }
            let stored: Vec<_> = self.row.iter().map(|old| (target.clone(), old.clone())).collect();
            match raises(&[(target.clone(), row.clone())], &stored).pop() {
                Some((_, raise)) if !self.row.as_ref().is_some_and(|old| self.refuses(old, &raise)) => {
                    self.row = Some(raise)
                }
                Some(_) | None => outcome = Outcome::Conflict,
            }
        }
        if !vanish.is_empty() {
            match &self.row {
                Some(row) if !row.released => outcome = Outcome::Conflict,
                Some(_) | None => self.row = None,
            }
        }
        let after = self.floor();
        Effect { outcome, lowered: after < before, raise_refused: wanted > before && after < wanted }
    }

    fn refuses(&self, old: &Standing, new: &Standing) -> bool {
        if self.epoch_rule { fence(old, new).is_err() } else { new.replicas < old.replicas && new.seq <= old.seq }
    }

    fn write_replicas(&mut self, write: &Replicas) -> Effect {
        let before = self.target.replicas;
        let outcome = if write.to < write.from {
            if self.target.version == write.version && write.to >= self.admission(write.to) {
                self.scale(write.to);
                Outcome::Done
            } else {
                Outcome::Conflict
            }
        } else if before < write.to {
            self.scale(write.to);
            Outcome::Done
        } else {
            Outcome::Unneeded
        };
        let after = self.target.replicas;
        Effect { outcome, lowered: after < before, raise_refused: write.to > before && after < write.to }
    }

    fn write_bounds(&mut self, write: &ScalerBounds) -> Effect {
        let before = self.hpa.min;
        if write.lowers && self.hpa.version != write.version {
            return Effect { outcome: Outcome::Conflict, lowered: false, raise_refused: write.bounds.min > before };
        }
        self.set_bounds(write.bounds.min, write.bounds.max, write.kept);
        Effect { outcome: Outcome::Done, lowered: write.bounds.min < before, raise_refused: false }
    }

    /// The HPA's controller: its wish within its bounds, at once in both directions.
    pub(super) fn sync_hpa(&mut self) {
        let wanted = self.wish.max(self.hpa.min).min(self.hpa.max);
        if self.target.replicas != 0 && wanted != self.target.replicas {
            // Clamped, as a configured scaler is.
            let to = wanted.max(self.admission(wanted));
            self.scale(to);
        }
    }

    /// A person, or an apply loop: refused below the floor that is known.
    pub(super) fn scale_by_hand(&mut self, to: u32) {
        if to >= self.admission(to) {
            self.scale(to);
        }
    }

    pub(super) fn set_bounds(&mut self, min: u32, max: u32, kept: Option<Kept>) {
        (self.hpa.min, self.hpa.max, self.hpa.kept) = (min, max, kept);
        self.hpa.version = self.next("h");
    }

    /// The least that admission lets `to` be: the floor where it is lower, but never more than what stands.
    fn admission(&self, to: u32) -> u32 {
        if to >= self.target.replicas { to } else { self.admitted.unwrap_or(0).min(self.target.replicas) }
    }

    fn scale(&mut self, to: u32) {
        (self.target.replicas, self.target.ready) = (to, Some(to));
        self.target.version = self.next("t");
    }

    /// The floor that is enforced; zero if none.
    pub(super) fn floor(&self) -> u32 {
        self.row.as_ref().filter(|row| !row.released).map_or(0, |row| row.replicas)
    }

    fn next(&mut self, what: &str) -> Arc<str> {
        self.version += 1;
        format!("{what}{}", self.version).as_str().into()
    }
}
