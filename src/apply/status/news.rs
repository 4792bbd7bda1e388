//! Whether a status says something new.
//!
//! What moves all the time (times, loads, ages, shares) is no news, nor is a need that wavers by one or by a tenth.
//! Something else changes whenever a person would want to look.

use floorkeeper_core::Guard;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::{DemandStatus, FloorStatus, PastState, ScalingPolicyStatus, SignalStatus};
use crate::words::guard_reason;

pub(super) fn is_new(before: Option<&ScalingPolicyStatus>, next: &ScalingPolicyStatus) -> bool {
    let Some(before) = before else { return true };
    before.observed_generation != next.observed_generation
        || floor(before.floor.as_ref()) != floor(next.floor.as_ref())
        || current(before) != current(next)
        || before.in_force != next.in_force
        || taught(before) != taught(next)
        || !has_limit(before) && has_limit(next)
        || before.last_actions != next.last_actions
        || !before.conditions.iter().map(gist).eq(next.conditions.iter().map(gist))
        || match (&before.demand, &next.demand) {
            (Some(before), Some(next)) => is_new_demand(before, next),
            (None, None) => false,
            (None, Some(_)) | (Some(_), None) => true,
        }
}

/// Replicas, and the reason where it says more than "the load": when the need wavers around the peak or the minimum,
/// which of the three asks for the same number changes at each tick.
fn floor(floor: Option<&FloorStatus>) -> Option<(i32, Option<&str>)> {
    let floor = floor?;
    let ordinary = ORDINARY.iter().any(|guard| guard_reason(*guard) == floor.reason);
    Some((floor.replicas, (!ordinary).then_some(floor.reason.as_str())))
}

fn current(status: &ScalingPolicyStatus) -> Option<i32> {
    status.replicas.as_ref().map(|replicas| replicas.current)
}

/// Whether a limit is known, and what keeps the past from being known; the numbers move with each hour.
fn taught(status: &ScalingPolicyStatus) -> Option<(bool, PastState, Option<&str>)> {
    let learned = status.learned.as_ref()?;
    Some((learned.days.is_some(), learned.past, learned.note.as_deref()))
}

/// In a quiet night there is none: only its coming is news.
fn has_limit(status: &ScalingPolicyStatus) -> bool {
    status.learned.as_ref().is_some_and(|learned| learned.unusual_below.is_some())
}

fn gist(condition: &Condition) -> (&str, &str, &str, Option<i64>) {
    (&condition.type_, &condition.status, &condition.reason, condition.observed_generation)
}

fn is_new_demand(before: &DemandStatus, next: &DemandStatus) -> bool {
    before.trust != next.trust
        || moved(before.need, next.need)
        || !before.signals.iter().map(said).eq(next.signals.iter().map(said))
}

/// More than one replica and more than a tenth.
fn moved(before: Option<i32>, next: Option<i32>) -> bool {
    match (before, next) {
        (Some(before), Some(next)) => {
            let by = i64::from(before).abs_diff(i64::from(next));
            by > 1 && by * 10 > u64::from(before.unsigned_abs())
        }
        (None, None) => false,
        (None, Some(_)) | (Some(_), None) => true,
    }
}

/// What a signal said, and for an unknown one the word before its numbers.
fn said(signal: &SignalStatus) -> (&str, &str, Option<&str>) {
    let why = signal.why.as_deref().map(|why| why.split_once(':').map_or(why, |(word, _)| word));
    (&signal.name, &signal.reading, why)
}

/// Guards that take turns on one number while the load wavers.
const ORDINARY: [Guard; 4] = [Guard::StaticMinimum, Guard::LiveDemand, Guard::RecentPeak, Guard::UsualFall];
