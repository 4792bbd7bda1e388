//! One policy's machine: what is known of its workload, and the decision that follows.
//!
//! [`Workload::assess`] gathers the facts and notices unusual falls; the fleet's brake looks at all of them; then
//! [`Workload::decide`] makes the floor. Only the latter can lower it.

mod bounds;
mod conclude;
mod decide;
mod gather;

use core::time::Duration;
use std::sync::Arc;

use self::conclude::Spare;
use crate::decision::{Decision, InForce, Notice};
use crate::delivery::Delivery;
use crate::facts::BrakeHold;
use crate::guards::LiveDemand;
use crate::history::{History, Learned, Past};
use crate::judge::ErrorShare;
use crate::key::PolicyKey;
use crate::pace::Pace;
use crate::policy::Policy;
use crate::readiness::Readiness;
use crate::sample::{Observation, Sample, Unknown};
use crate::signal::{self, SignalState, whole};
use crate::standing::{Onset, Standing};
use crate::target::{Override, Rollout, Scaler, Target};
use crate::time::Timestamp;
use crate::warrant::Floor;

/// A policy and all that is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) key: PolicyKey,
    pub(crate) policy: Arc<Policy>,
    /// `None`: not told yet. `Some(None)`: it does not exist.
    pub(crate) target: Option<Option<Target>>,
    pub(crate) scaler: Option<Option<Scaler>>,
    pub(crate) readiness: Readiness,
    /// Pods that the stored floor had ready before this process began.
    assumed_ready: u32,
    pub(crate) rollout_since: Timestamp,
    signals: Vec<SignalState>,
    errors: ErrorShare,
    live: LiveDemand,
    pub(crate) history: History,
    /// The past that is being told.
    past: Option<Box<Past>>,
    /// The last tick's need, as far as it is believed.
    believed: f64,
    pub(crate) overrides: Vec<Override>,
    in_force: Option<InForce>,
    pub(crate) brake: Option<BrakeHold>,
    pub(crate) dependency: Option<usize>,
    /// The largest floor of the younger policies on the same target; zero if none.
    pub(crate) peer: u32,
    /// An older policy owns the target.
    pub(crate) owned_by_older: bool,
    /// `None` until the target and the table were seen.
    floor: Option<Floor>,
    pub(crate) standing: Standing,
    pace: Pace,
    /// Since when nothing is wrong with the pods any more, while a doubt settles.
    calm_since: Option<Timestamp>,
    undone: Option<(u32, u32)>,
    template: Option<u64>,
    since: Timestamp,
    price_since: Option<Timestamp>,
    last_need: Option<u32>,
    pub(crate) decision: Option<Decision>,
    spare: Spare,
    /// What was written and what is under way.
    pub(crate) delivery: Delivery,
    /// The right to lower stands: replicas above the floor may come down to it (Autoscale).
    pub(crate) may_lower: bool,
    /// The policy is gone since then.
    pub(crate) gone_since: Option<Timestamp>,
    /// A stored floor whose policy was not seen (yet).
    pub(crate) orphan: bool,
    /// A newer leader wrote this floor: its epoch and ours.
    pub(crate) fenced: Option<(u64, u64)>,
    /// When to decide again if nothing happens.
    pub(crate) wake: Timestamp,
    /// It has a vote for the brake.
    pub(crate) voted: bool,
    /// Other policies name the same target.
    pub(crate) shares_target: bool,
    /// The wake-up that is on the engine's heap.
    pub(crate) scheduled: Option<Timestamp>,
    pub(crate) notices: Vec<Notice>,
}

impl Workload {
    pub(crate) fn new(key: PolicyKey, policy: Arc<Policy>, now: Timestamp) -> Self {
        let signals = policy.signals.iter().map(|_| SignalState::new(&policy)).collect();
        let errors = not_asked_yet(&policy);
        Self {
            key,
            history: History::new().usual_after(policy.fall.usual_days as usize),
            policy,
            target: None,
            scaler: None,
            readiness: Readiness::default(),
            assumed_ready: 0,
            rollout_since: now,
            signals,
            errors,
            live: LiveDemand::default(),
            past: None,
            believed: f64::INFINITY,
            overrides: Vec::new(),
            in_force: None,
            brake: None,
            dependency: None,
            peer: 0,
            owned_by_older: false,
            floor: None,
            standing: Standing::at(0, now),
            pace: Pace::at(0, now),
            calm_since: None,
            undone: None,
            template: None,
            since: now,
            price_since: None,
            last_need: None,
            decision: None,
            spare: Spare::default(),
            delivery: Delivery::default(),
            may_lower: false,
            gone_since: None,
            orphan: false,
            fenced: None,
            wake: now,
            voted: false,
            shares_target: false,
            scheduled: None,
            notices: Vec::new(),
        }
    }

    /// The spec was edited: what was measured for the old one speaks no more, and the floor runs down from where it was.
    pub(crate) fn edit(&mut self, policy: Arc<Policy>, now: Timestamp) {
        let same_signals = self.policy.signals == policy.signals && self.policy.window == policy.window;
        if !same_signals || self.policy.resolution != policy.resolution {
            self.signals = policy.signals.iter().map(|_| SignalState::new(&policy)).collect();
            self.believed = f64::INFINITY;
        }
        if !same_signals || self.policy.headroom_percent != policy.headroom_percent {
            self.history.rescale(policy.reckons_like(&self.policy));
            self.past = None;
        }
        if self.policy.errors != policy.errors {
            self.errors = not_asked_yet(&policy);
        }
        self.policy = policy;
        self.run_down(now);
    }

    pub(crate) fn observe(&mut self, observation: &Observation, now: Timestamp) {
        let policy = Arc::clone(&self.policy);
        let mut fresh = false;
        for (place, (state, signal)) in self.signals.iter_mut().zip(&policy.signals).enumerate() {
            // A source that says nothing of a signal has not answered for it.
            if let Some(answer) = observation.signals.get(place) {
                fresh |= state.observe(answer, signal, &policy, now);
            }
        }
        if let Some(errors) = &policy.errors {
            self.errors = match &observation.errors {
                Some(answer) => ErrorShare::judge(answer, errors),
                None => ErrorShare::Unknown(Unknown::NeverSeen),
            };
        }
        // A sample that is told twice was not seen twice; and one that says nothing takes nothing back.
        if fresh {
            let raw = self.raw_level(now);
            self.believed = self.live.believe(raw, self.stands());
        }
        for (state, signal) in self.signals.iter_mut().zip(&policy.signals) {
            let level = state.level(signal, &policy, now).min(self.believed);
            state.remember(level, now);
        }
    }

    pub(crate) fn back_fill(&mut self, place: usize, samples: &[Sample], now: Timestamp) {
        let (policy, stands) = (Arc::clone(&self.policy), self.stands());
        if let (Some(state), Some(signal)) = (self.signals.get_mut(place), policy.signals.get(place))
            && let Some(seen) = state.back_fill(samples, signal, &policy, stands, now)
        {
            self.live.told(seen);
        }
    }

    /// What was stored of the past.
    pub(crate) fn restore(&mut self, learned: &Learned) {
        if let Some(factor) = self.policy.rescaled(&learned.reckoned_by) {
            self.history.restore(learned, factor);
        }
    }

    /// Two weeks of one signal. When all are told they are learned from.
    pub(crate) fn look_back(&mut self, place: usize, samples: &[Sample], now: Timestamp) {
        let (policy, min) = (Arc::clone(&self.policy), self.bounds().0);
        let Some(signal) = policy.signals.get(place) else { return };
        if place == 0 {
            // Told from the first signal on: what an edit left half told is of no use.
            self.past = None;
        }
        let past = self.past.get_or_insert_with(|| Box::new(Past::before(now)));
        past.tell(place, signal::levels(samples, signal, &policy, now));
        if past.is_whole(policy.signals.len()) {
            let mut taught = self.history.taught_so_far();
            past.teach(&mut taught, &policy, min);
            self.history.take_past(taught);
            self.past = None;
        }
    }

    /// What there is to store.
    pub(crate) fn learned(&self) -> Learned {
        self.history.learned(self.policy.reckoned_by())
    }

    pub(crate) fn target_seen(&mut self, target: Option<Target>, readiness: Readiness, now: Timestamp) {
        let was_progressing = self.seen().is_some_and(|seen| matches!(seen.rollout, Rollout::Progressing { .. }));
        let progressing = target.as_ref().is_some_and(|seen| matches!(seen.rollout, Rollout::Progressing { .. }));
        if progressing && !was_progressing {
            self.rollout_since = now;
        }
        self.readiness = readiness;
        if let Some(target) = &target {
            self.assumed_ready = self.assumed_ready.min(target.replicas);
            self.readiness = readiness.assume(self.assumed_ready, target);
        }
        self.target = Some(target);
        self.delivery.seen_since = true;
    }

    /// The stored row of this target, or that there is none. The first one is taken over; later ones can only raise.
    pub(crate) fn found(&mut self, stored: Option<&Standing>, now: Timestamp) {
        match (&mut self.floor, stored) {
            (None, Some(row)) => {
                self.standing = row.clone();
                self.standing.released = false;
                self.place(row.replicas, now);
                self.assumed_ready = row.replicas;
                // When replicas were last lowered nobody remembers.
                self.delivery.lowered_at = Some(now);
                if let Some(Some(target)) = &self.target {
                    self.readiness = self.readiness.assume(row.replicas, target);
                }
                // What was heard before was measured against the replicas alone, and somebody may have scaled them down.
                if self.believed.is_finite() {
                    let believed = LiveDemand::default().believe(self.raw_level(now), self.stands());
                    self.believed = self.believed.max(believed);
                }
            }
            (None, None) => {
                let Some(target) = self.seen() else { return };
                // First sight: nothing is known, so what stands is what is needed, and runs down at `halfLife`.
                let (min, max) = self.bounds();
                let replicas = target.replicas.min(max).max(min);
                self.standing = Standing::at(replicas, now);
                self.place(replicas, now);
                self.run_down(now);
            }
            // Written by somebody else since: taken over where it is more.
            (Some(floor), Some(row)) if self.delivery.is_news(row) => floor.raise(row.replicas),
            (Some(_), Some(_) | None) => {}
        }
    }

    /// Another policy on the same target went away: the larger floor holds, and runs down from there.
    pub(crate) fn inherit(&mut self, floor: u32, now: Timestamp) {
        if let Some(own) = &mut self.floor
            && floor > own.replicas()
        {
            own.raise(floor);
            self.standing.replicas = floor;
            self.run_down(now);
        }
    }

    /// Its policy is gone, and its row too.
    pub(crate) fn is_given_back(&self) -> bool {
        self.gone_since.is_some() && self.delivery.stored().is_none()
    }

    pub(crate) fn has_floor(&self) -> bool {
        self.floor.is_some()
    }

    pub(crate) fn floor_replicas(&self) -> u32 {
        self.floor.map_or(0, Floor::replicas)
    }

    /// The stored floor where it is above `floor`: a lowering that is not written yet. Who does not own the target has
    /// no row of its own.
    fn stored_above(&self, floor: u32) -> Option<u32> {
        self.delivery.above(floor).filter(|_| !self.owned_by_older)
    }

    /// What stands now: the floor or the replicas, the larger.
    fn stands(&self) -> u32 {
        self.floor_replicas().max(self.seen().map_or(0, |target| target.replicas))
    }

    pub(crate) fn seen(&self) -> Option<&Target> {
        self.target.as_ref().and_then(Option::as_ref)
    }

    pub(crate) fn scaler_seen(&self) -> Option<&Scaler> {
        self.scaler.as_ref().and_then(Option::as_ref)
    }

    /// The need of this moment as far as it is believed, in whole replicas.
    pub(crate) fn need_now(&self, now: Timestamp) -> u32 {
        whole(self.raw_level(now).min(self.believed))
    }

    pub(crate) fn in_force(&self) -> Option<&InForce> {
        self.in_force.as_ref()
    }

    /// When to look again: for the decision's sake, for a write that failed, or because its policy is gone.
    pub(crate) fn next_wake(&self, adoption: Duration, now: Timestamp) -> Timestamp {
        let delivery = &self.delivery;
        let retries = [&delivery.row, &delivery.replicas, &delivery.bounds];
        let retry = retries.into_iter().filter_map(|lane| lane.retry_at(now)).min();
        let behind = delivery.behind_until().filter(|&until| until > now);
        let adoption = self.gone_since.map(|since| since.plus(adoption)).filter(|&until| until > now);
        retry.into_iter().chain(adoption).chain(behind).fold(self.wake, Timestamp::min)
    }

    fn run_down(&mut self, now: Timestamp) {
        if let Some(floor) = self.floor {
            self.standing.run_down = Some(Onset { since: now, replicas: floor.replicas() });
        }
    }

    fn place(&mut self, replicas: u32, now: Timestamp) {
        self.floor = Some(Floor::found(replicas));
        self.pace = Pace::at(replicas, now);
        self.since = now;
    }
}

/// Errors that a policy asks for are unknown until they are heard of.
fn not_asked_yet(policy: &Policy) -> ErrorShare {
    if policy.errors.is_some() { ErrorShare::Unknown(Unknown::NeverSeen) } else { ErrorShare::NotJudged }
}
