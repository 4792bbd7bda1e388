//! The workload, its policy, and what happens around.

use std::time::Duration;

use floorkeeper_core::{Action, Errors, Mode, Override, Policy, Signal, Timestamp, UnusualFall, ZeroMeans};

use super::World;
use super::keeper::{WINDOW_TICKS, place};

/// Something around the floorkeepers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Happening {
    Load(u32),
    /// What the HPA's own metrics ask for.
    Wish(u32),
    /// Somebody scales the workload.
    Scale(u32),
    /// Somebody overwrites the HPA's minimum.
    Minimum(u32),
    /// A person's order, for two ticks.
    Order(Action),
    /// The FloorTable is lost (a CRD that was deleted and made again).
    TableLost,
    LeaseDeleted,
    /// etcd is restored from a backup that was taken when all began.
    Restored,
    /// The admission policies hear nothing of the table in this tick.
    AdmissionLags,
}

impl World {
    pub(super) fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Load(load) => self.load = load,
            Happening::Wish(wish) => self.server.wish = wish,
            Happening::Scale(to) => self.server.scale_by_hand(to),
            Happening::Minimum(min) => {
                let (max, kept) = (self.server.hpa.max, self.server.hpa.kept);
                self.server.set_bounds(min, max, kept);
            }
            Happening::Order(action) => {
                let (from, until) = (at(self.tick), at(self.tick + 2));
                self.orders.push(Override { name: "order".into(), action, from, until });
            }
            Happening::TableLost => self.server.row = None,
            Happening::LeaseDeleted => self.server.lease = None,
            Happening::Restored => {
                self.server.clone_from(&self.backup);
                // Whoever led in what never was.
                self.reigns = 0;
                self.kept.clear();
            }
            Happening::AdmissionLags => self.lags = true,
        }
    }
}

pub(super) fn at(tick: u32) -> Timestamp {
    Timestamp(1_709_600_000_000).plus(TICK * tick)
}

/// Short times, so that few ticks see all of them.
pub(super) fn policy() -> Policy {
    let signal = Signal {
        name: "edge".into(),
        capacity: Some(1.0),
        max_age: TICK,
        zero: ZeroMeans::Evidence,
        drain_within: None,
    };
    Policy {
        target: place(),
        mode: Mode::Guard,
        min_replicas: Some(1),
        max_replicas: Some(MAX),
        signals: vec![signal],
        headroom_percent: 0,
        errors: Some(Errors { above: 0.5, min_rate: 0.0 }),
        unready_percent: 100,
        depends_on: Vec::new(),
        fall: UnusualFall {
            hold_for: TICK,
            keep_percent: 1,
            keep_for: TICK,
            until_learned_percent: 1,
            usual_days: UnusualFall::USUAL_DAYS,
        },
        hold_at_most: TICK * 2,
        window: TICK * u32::try_from(WINDOW_TICKS).unwrap_or(2),
        half_life: Duration::from_millis(500),
        verify_for: TICK,
        resolution: TICK,
        source: "default".into(),
        created: Timestamp(0),
    }
}

/// How often the source is asked.
pub(super) const TICK: Duration = Duration::from_secs(5);

/// Pods' worth of the largest load.
pub(super) const MAX: u32 = 4;
