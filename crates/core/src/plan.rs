//! From a floor to the writes that make it stand: order and preconditions.
//!
//! A raise: the table's row, the replicas at once, the scaler's minimum; none waits for another. A lowering: the row
//! first, and only when it is acknowledged the scaler's minimum. Under Guard the HPA lowers the replicas, not we.

use core::time::Duration;
use std::sync::Arc;

use crate::decision::{Notice, Overwritten, Problem};
use crate::key::TargetKey;
use crate::policy::Mode;
use crate::standing::{Standing, Step};
use crate::step;
use crate::target::{Action, Bounds, Kept, Scaler};
use crate::time::Timestamp;
use crate::workload::Workload;
use crate::write::{Replicas, ScalerBounds};

/// The writes of one workload.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    pub(crate) row: Option<(TargetKey, Standing)>,
    pub(crate) vanish: Option<TargetKey>,
    pub(crate) replicas: Option<Replicas>,
    pub(crate) bounds: Option<ScalerBounds>,
}

/// What has to be written for `workload` now. `epoch`: of our leadership; `adoption`: how long a floor outlives its policy.
pub(crate) fn plan(workload: &mut Workload, epoch: u64, adoption: Duration, now: Timestamp) -> Planned {
    let mut planned = Planned::default();
    if retired(workload) {
        give_back(workload, epoch, now, &mut planned);
        return planned;
    }
    if !writes(workload) {
        return planned;
    }
    if let Some(gone_since) = workload.gone_since
        && now >= gone_since.plus(adoption)
    {
        give_back(workload, epoch, now, &mut planned);
        return planned;
    }
    let floor = workload.floor_replicas();
    // Until a lower floor is stored the old one stands.
    let stored = workload.delivery.stored().filter(|row| !row.released).map(|row| row.replicas);
    let enforced = floor.max(stored.unwrap_or(0));
    let is_stored = stored == Some(floor);
    // Stored in our own epoch: from then on no write of a leader before us can lower it any more.
    let is_stored = is_stored && workload.delivery.stored().is_some_and(|row| row.epoch == epoch);

    planned.row = row(workload, epoch, now);
    planned.replicas = replicas(workload, enforced, is_stored, now);
    planned.bounds = bounds(workload, enforced, is_stored, now);
    planned
}

/// A policy that kept its target and now only observes: a person took the order back, so nothing of it stays in force.
fn retired(workload: &Workload) -> bool {
    workload.policy.mode == Mode::Observe
        && !workload.shares_target
        && workload.delivery.stored().is_some_and(|row| row.policy == workload.key.name)
}

/// A policy in Observe, one that does not own its target, or one that would fight a scaler writes nothing.
fn writes(workload: &Workload) -> bool {
    let problem = workload.decision.as_ref().and_then(|decision| decision.problem);
    let allowed = match problem {
        // What it wrote before is given back; what never wrote does not begin to.
        Some(Problem::NotOwner | Problem::ScalerExists | Problem::TargetNotFound) => {
            workload.gone_since.is_some() && workload.delivery.ever_wrote()
        }
        Some(Problem::ScalerNotFound | Problem::BoundsCrossed) | None => true,
    };
    allowed && workload.policy.mode != Mode::Observe && workload.has_floor()
}

fn row(workload: &mut Workload, epoch: u64, now: Timestamp) -> Option<(TargetKey, Standing)> {
    let stored = workload.delivery.stored();
    let lowers = stored.is_some_and(|row| workload.standing.replicas < row.replicas);
    let raises = stored.is_none_or(|row| workload.standing.replicas > row.replicas);
    if !workload.delivery.row.is_free_for(!raises, now) {
        return None;
    }
    let uid = workload.seen().map_or_else(|| Arc::clone(&workload.standing.uid), |target| Arc::clone(&target.uid));
    let stored = workload.delivery.stored();
    let wanted = &workload.standing;
    let same =
        stored.is_some_and(|row| tells_the_same(row, wanted) && row.policy == workload.key.name && row.uid == uid);
    // A new leader writes each floor once in its own epoch: a lowering by the one before, however late, is refused then.
    let claims = stored.is_some_and(|row| row.epoch < epoch);
    if same && !claims {
        return None;
    }
    let mut row = wanted.clone();
    row.policy = Arc::clone(&workload.key.name);
    row.uid = uid;
    // A raise goes with any later epoch that is stored, so that it is not refused.
    row.epoch = match stored {
        Some(row) if !lowers => row.epoch.max(epoch),
        Some(_) | None => epoch,
    };
    row.released = false;
    row.seq = workload.delivery.next_seq(epoch);
    workload.delivery.row.start(!raises);
    Some((workload.policy.target.clone(), row))
}

/// Equal but for what changes with every write: no write is needed.
fn tells_the_same(stored: &Standing, wanted: &Standing) -> bool {
    let step = |step: Option<Step>| step.map(|step| (step.from, step.to, step.at));
    stored.replicas == wanted.replicas
        && stored.doubt == wanted.doubt
        && stored.fall == wanted.fall
        && stored.fall_limit == wanted.fall_limit
        && (step(stored.step) == step(wanted.step) || wanted.step.is_none())
        && stored.not_before == wanted.not_before
        && stored.zero_since == wanted.zero_since
        && stored.run_down == wanted.run_down
        && !stored.released
}

fn replicas(workload: &mut Workload, enforced: u32, is_stored: bool, now: Timestamp) -> Option<Replicas> {
    let target = workload.seen()?.clone();
    let pin = pinned(workload);
    let undo = workload.delivery.look(target.replicas, enforced);
    // Where floorkeeper is the scaler, a released floor is no reason not to follow the need.
    let wish = match (workload.policy.mode, pin) {
        (Mode::Autoscale, None) => enforced.max(workload.need_now(now).min(workload.bounds().1)),
        (Mode::Autoscale | Mode::Guard | Mode::AutoscaleUtilization | Mode::Observe, _) => enforced,
    };
    let lowers = target.replicas >= wish;
    if !workload.delivery.replicas.is_free_for(lowers, now) {
        return None;
    }
    let to = if lowers { lowered(workload, target.replicas, enforced, pin, is_stored, now)? } else { wish };
    workload.delivery.replicas.start(lowers);
    workload.delivery.seen_since = false;
    Some(Replicas { target: workload.policy.target.clone(), version: target.version, from: target.replicas, to, undo })
}

/// Replicas above the floor come down only where floorkeeper is the scaler, or where an HPA can't (a Pin at zero).
fn lowered(
    workload: &mut Workload,
    replicas: u32,
    enforced: u32,
    pin: Option<u32>,
    is_stored: bool,
    now: Timestamp,
) -> Option<u32> {
    if !is_stored || !workload.may_lower {
        return None;
    }
    let goal = match (workload.policy.mode, pin) {
        (Mode::Autoscale, Some(pin)) => return (replicas > pin && enforced <= pin).then_some(pin),
        (Mode::Autoscale, None) => enforced.max(workload.need_now(now)),
        (Mode::Guard | Mode::AutoscaleUtilization, Some(0)) => return (replicas > 0 && enforced == 0).then_some(0),
        (Mode::Guard | Mode::AutoscaleUtilization | Mode::Observe, _) => return None,
    };
    // Replicas that somebody set above the floor come down as floors do: by a quarter, and not at every tick.
    let rested = workload.delivery.lowered_at.is_none_or(|at| now.since(at) >= workload.policy.verify_for);
    if replicas <= goal || !rested {
        return None;
    }
    workload.delivery.lowered_at = Some(now);
    Some(goal.max(replicas - step::largest(replicas)))
}

fn bounds(workload: &mut Workload, enforced: u32, is_stored: bool, now: Timestamp) -> Option<ScalerBounds> {
    let scaler = workload.scaler_seen()?.clone();
    let owner = match workload.policy.mode {
        Mode::Guard => workload.owner_bounds()?,
        Mode::AutoscaleUtilization if scaler.owned => {
            let (min, max) = workload.bounds();
            Bounds { min: min.max(1), max: max.max(1) }
        }
        Mode::AutoscaleUtilization | Mode::Autoscale | Mode::Observe => return None,
    };
    let bounds = match pinned(workload) {
        // An HPA's maximum is one at least; a Pin at zero is written to the replicas.
        Some(pin) => Bounds { min: pin.max(1), max: pin.max(1) },
        None => Bounds { min: enforced.max(owner.min), max: owner.max.max(enforced) },
    };
    // A scaler that idles goes below its own minimum: that has to be forbidden too, even where the minimum is enough.
    let awake = scaler.idle.is_some_and(|idle| enforced > idle.replicas);
    let slept = scaler.idle.filter(|idle| !idle.awake);
    let kept =
        ((bounds != owner || awake) && !scaler.owned).then_some(Kept { original: owner, applied: bounds, awake });
    if bounds == scaler.bounds() && kept == scaler.kept && !(awake && slept.is_some()) {
        return None;
    }
    let sleeps = !awake && scaler.idle.is_some_and(|idle| idle.awake);
    let lowers = bounds.min < scaler.min || bounds.max < scaler.max || sleeps;
    if (lowers && !is_stored) || !workload.delivery.bounds.is_free_for(lowers, now) {
        return None;
    }
    let overslept = slept.filter(|_| scaler.kept.is_some_and(|kept| kept.awake));
    let undo = overslept.is_some() || scaler.kept.is_some_and(|kept| scaler.min < kept.applied.min);
    workload.delivery.bounds.start(lowers);
    workload.delivery.minimum_found = overslept.map_or(scaler.min, |idle| idle.replicas.min(scaler.min));
    Some(ScalerBounds {
        target: workload.policy.target.clone(),
        unpins: bounds.max == owner.max && pins(&scaler),
        kind: scaler.kind,
        scaler: scaler.name,
        version: scaler.version,
        bounds,
        kept,
        lowers,
        undo,
    })
}

/// What we last wrote to it had a maximum of its own.
fn pins(scaler: &Scaler) -> bool {
    scaler.kept.is_some_and(|kept| kept.applied.max != kept.original.max)
}

/// A policy that stays away: first the scaler's own bounds, then the row is released, then it vanishes.
fn give_back(workload: &mut Workload, epoch: u64, now: Timestamp, planned: &mut Planned) {
    if workload.delivery.stored().is_some_and(|row| row.epoch > epoch) {
        // Another leader's by now.
        return;
    }
    if let (Some(scaler), Some(owner)) = (workload.scaler_seen().cloned(), workload.owner_bounds())
        && scaler.kept.is_some()
    {
        if workload.delivery.bounds.is_free(now) {
            workload.delivery.bounds.start(true);
            planned.bounds = Some(ScalerBounds {
                target: workload.policy.target.clone(),
                unpins: pins(&scaler),
                kind: scaler.kind,
                scaler: scaler.name,
                version: scaler.version,
                bounds: owner,
                kept: None,
                lowers: true,
                undo: false,
            });
        }
        return;
    }
    if !workload.delivery.row.is_free(now) {
        return;
    }
    let Some(stored) = workload.delivery.stored().cloned() else { return };
    let target = workload.policy.target.clone();
    if stored.released {
        planned.vanish = Some(target);
    } else {
        let row = Standing { released: true, epoch, seq: workload.delivery.next_seq(epoch), ..stored };
        planned.row = Some((target, row));
    }
    workload.delivery.row.start(true);
}

/// What somebody else had written below the floor is put back: only now it is known that there was something to undo.
pub(crate) fn undone(workload: &mut Workload, what: Overwritten, found: u32, floor: u32, now: Timestamp) {
    workload.notices.push(Notice::Overwritten { what, found, floor });
    if let Some(undos) = workload.delivery.undone(now) {
        workload.notices.push(Notice::Contested { undos });
    }
}

fn pinned(workload: &Workload) -> Option<u32> {
    match workload.in_force()?.action {
        Action::Pin(replicas) => Some(replicas),
        Action::Freeze | Action::Release => None,
    }
}

/// A policy that is deleted and created again within this time (GitOps does that) takes its floor over.
pub(crate) const ADOPTION: Duration = Duration::from_secs(600);
