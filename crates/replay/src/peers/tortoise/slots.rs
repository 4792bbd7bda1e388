//! What Tortoise remembers: for every hour of the week the bounds that its replicas then suggested.
//!
//! mercari/tortoise 6aafa97 (2026-02-10), `pkg/recommender/recommender.go` `updateHPAMinMaxReplicasRecommendations`,
//! `findSlotInReplicasRecommendation`, `updateReplicasRecommendation`.

use super::Config;
use crate::peers::go::{int32, int64};

/// One hour of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Slot {
    pub(super) min: Recommendation,
    pub(super) max: Recommendation,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Recommendation {
    pub(super) replicas: i32,
    /// Seconds since 1970; `None`: never.
    pub(super) updated: Option<f64>,
}

/// A week of them, from Thursday, the first day of 1970, in UTC.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Week {
    slots: Vec<Slot>,
}

impl Week {
    pub(super) fn new() -> Self {
        Self { slots: vec![Slot::default(); HOURS] }
    }

    pub(super) fn at(&self, unix: f64) -> &Slot {
        &self.slots[index(unix)]
    }

    /// These are the replicas now.
    pub(super) fn learn(&mut self, replicas: i32, unix: f64, config: &Config) {
        let slot = &mut self.slots[index(unix)];
        let floor = config.minimum_min_replicas;
        slot.min.learn(int32((f64::from(replicas) * config.min_multiplier).ceil()), floor, floor, unix);
        let least = int32(f64::from(floor) * config.max_multiplier / config.min_multiplier);
        slot.max.learn(int32((f64::from(replicas) * config.max_multiplier).ceil()), floor, least, unix);
    }
}

impl Recommendation {
    /// The larger of what was and what is; what was fades by a twentieth once a week (after 23 hours).
    pub(super) fn learn(&mut self, suggested: i32, floor: i32, least: i32, unix: f64) {
        let suggested = if suggested < floor { least } else { suggested };
        let is_fresh = self.updated.is_some_and(|updated| unix - updated < FADES_AFTER);
        let kept = if is_fresh { self.replicas } else { int32((f64::from(self.replicas) * FADES_BY).trunc()) };
        *self = Self { replicas: suggested.max(kept), updated: Some(unix) };
    }
}

/// The hour of the week. A time that is none is in the first one.
fn index(unix: f64) -> usize {
    let hour = int64((unix / HOUR).floor()).rem_euclid(HOURS_I64);
    usize::try_from(hour).unwrap_or(0)
}

const HOUR: f64 = 3_600.0;
const HOURS: usize = 168;
const HOURS_I64: i64 = 168;
const FADES_AFTER: f64 = 23.0 * HOUR;
const FADES_BY: f64 = 0.95;
