//! One policy's machine: what is known of its workload, and the decision that follows.
//!
//! [`Workload::assess`] gathers the facts and notices unusual falls; the fleet's brake looks at all of them; then
//! [`Workload::decide`] makes the floor. Only the latter can lower it.

use std::sync::Arc;

use crate::decision::{Bid, Decision, Doubt, Guard, Hold, InForce, Notice, Problem, SignalView, Verdict};
use crate::delivery::Delivery;
use crate::doubts::{self, FallEnd};
use crate::facts::{BrakeHold, Facts};
use crate::guards::{self, LiveDemand};
use crate::judge::ErrorShare;
use crate::key::PolicyKey;
use crate::pace::Pace;
use crate::plan;
use crate::policy::{Mode, Policy};
use crate::readiness::Readiness;
use crate::sample::{Observation, Sample, Unknown};
use crate::signal::{SignalState, whole};
use crate::standing::{Onset, Standing};
use crate::step::{self, Health, Watch};
use crate::target::{Action, Bounds, Kept, Override, Rollout, Scaler, Target};
use crate::time::Timestamp;
use crate::view;
use crate::warrant::{Floor, Proof, Warrant};

/// A policy and all that is known of it.
#[derive(Debug)]
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
            policy,
            target: None,
            scaler: None,
            readiness: Readiness::default(),
            assumed_ready: 0,
            rollout_since: now,
            signals,
            errors,
            live: LiveDemand::default(),
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
        if let (Some(state), Some(signal)) = (self.signals.get_mut(place), policy.signals.get(place)) {
            state.back_fill(samples, signal, &policy, stands, now);
        }
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
                if let Some(Some(target)) = &self.target {
                    self.readiness = self.readiness.assume(row.replicas, target);
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

    /// The owner's bounds of the scaler: as they were before ours stood there.
    pub(crate) fn owner_bounds(&self) -> Option<Bounds> {
        let scaler = self.scaler_seen()?;
        Some(match scaler.kept {
            Some(Kept { original, applied }) if applied == scaler.bounds() => original,
            // Only the maximum or only the minimum was rewritten: that one is the owner's new wish.
            Some(Kept { original, applied }) => Bounds {
                min: if applied.min == scaler.min { original.min } else { scaler.min },
                max: if applied.max == scaler.max { original.max } else { scaler.max },
            },
            None => scaler.bounds(),
        })
    }

    /// The static bounds in force: the policy's own, else the scaler's.
    pub(crate) fn bounds(&self) -> (u32, u32) {
        let owner = if self.policy.mode == Mode::Guard { self.owner_bounds() } else { None };
        let min = self.policy.min_replicas.or_else(|| owner.map(|bounds| bounds.min)).unwrap_or(1);
        let max = match (self.policy.max_replicas, owner) {
            (Some(max), Some(bounds)) => max.min(bounds.max),
            (Some(max), None) => max,
            (None, Some(bounds)) => bounds.max,
            // Nobody states a maximum: floorkeeper must not invent a need beyond what stands.
            (None, None) => self.floor_replicas().max(self.seen().map_or(0, |seen| seen.replicas)).max(min),
        };
        (min.min(max), max)
    }

    /// When to look again: for the decision's sake, for a write that failed, or because its policy is gone.
    pub(crate) fn next_wake(&self, now: Timestamp) -> Timestamp {
        let delivery = &self.delivery;
        let retries = [&delivery.row, &delivery.replicas, &delivery.bounds];
        let retry = retries.into_iter().filter_map(|lane| lane.retry_at(now)).min();
        let adoption = self.gone_since.map(|since| since.plus(plan::ADOPTION)).filter(|&until| until > now);
        retry.into_iter().chain(adoption).fold(self.wake, Timestamp::min)
    }

    /// The first half of a decision: onsets and ends. Never lowers.
    pub(crate) fn assess(&mut self, now: Timestamp) {
        if self.floor.is_none() || self.seen().is_none() {
            return;
        }
        let (began, over, zero, known) = {
            let facts = self.facts(now);
            let began = doubts::fall_began(&facts);
            let over = self.standing.fall.and_then(|fall| doubts::fall_over(&facts, fall));
            (began, over, facts.zero, facts.unknown.is_none())
        };
        match over {
            Some(end) => {
                self.standing.fall = None;
                if end == FallEnd::Through {
                    self.signals.iter_mut().for_each(SignalState::forget_hour);
                }
            }
            None => self.standing.fall = began.or(self.standing.fall),
        }
        match (zero, known) {
            (true, _) => {
                self.standing.zero_since.get_or_insert(now);
            }
            (false, true) => self.standing.zero_since = None,
            // Blind for a moment: neither zero nor its end.
            (false, false) => {}
        }
    }

    /// An unusual fall is being held: a vote for the brake.
    pub(crate) fn falling(&self, now: Timestamp) -> bool {
        self.standing.fall.is_some_and(|fall| now.since(fall.since) < self.policy.fall.hold_for)
    }

    /// The second half: the floor. True if the decision says something new.
    pub(crate) fn decide(&mut self, now: Timestamp) -> bool {
        let Some(mut floor) = self.floor else { return self.undecided(now) };
        if self.seen().is_none() {
            return self.undecided(now);
        }
        self.obey(&mut floor, now);

        let mut doubts = core::mem::take(&mut self.spare.doubts);
        let mut bids = core::mem::take(&mut self.spare.bids);
        doubts::collect(&self.facts(now), &mut doubts);
        self.follow_trouble(&mut doubts, floor, now);

        let facts = self.facts(now);
        let health = self.health(&facts);
        let mut proof = match self.fenced {
            Some((stored, ours)) => Err(Hold::Fenced { stored, ours }),
            None => Proof::new(&facts, &doubts),
        };
        let exhausted = facts.exhausted();
        guards::collect(&facts, &mut bids);
        let ceiling = facts.max.max(guards::run_down_level(&self.standing, &self.policy, now).unwrap_or(0));
        let (min, max, level, known) = (facts.min, facts.max, facts.level, facts.unknown.is_none());

        let order = guards::order(&self.overrides, now).cloned();
        if let Some(Override { action, .. }) = &order {
            view::apply_order(*action, min, &mut bids);
        }
        let asked = bids.first().map_or(min, |bid| bid.replicas);
        let guard = bids.first().map_or(Guard::StaticMinimum, |bid| bid.guard);
        let pinned = matches!(order, Some(Override { action: Action::Pin(_), .. }));
        let wanted = if pinned { asked } else { asked.min(ceiling) };
        let before = floor.replicas();

        let watch = self.watch_step(&health, exhausted, now);
        if watch == Watch::Harmful
            && order.as_ref().is_none_or(|order| order.action == Action::Freeze)
            && let Some(doubt) = self.take_step_back(&mut floor, ceiling, now)
        {
            doubts.push(doubt);
            proof = proof.and(Err(Hold::Doubt(doubt)));
        }
        floor.raise(wanted);

        let freeze = guards::freeze(&self.overrides, now);
        let ordered = order.as_ref().is_some_and(|order| order.action != Action::Freeze);
        self.may_lower = ordered || (proof.is_ok() && freeze.is_none());
        let mut hold = None;
        if let (Some(stored), false) = (self.stored_above(floor.replicas()), self.may_lower) {
            // A step that was not stored while the right to it stood is not taken.
            floor.raise(stored);
            self.standing.step = None;
        }
        if wanted < floor.replicas() {
            hold = match (&order, proof) {
                (Some(order), _) if order.action != Action::Freeze => {
                    floor.lower(wanted, &Warrant::Person(order));
                    self.standing.step = None;
                    None
                }
                (_, Err(hold)) => {
                    self.pace.pause(now);
                    Some(hold)
                }
                (_, Ok(proof)) => match freeze {
                    Some(until) => {
                        self.pace.pause(now);
                        Some(Hold::Frozen { until })
                    }
                    None => self.step_down(&mut floor, wanted, proof, &health, exhausted, now),
                },
            };
        } else {
            self.pace.rest(floor.replicas(), now);
        }
        self.floor = Some(floor);
        self.settle_standing(before, guard, now);
        self.forget_run_down(&bids, now);
        let verdict = match floor.replicas().cmp(&before) {
            core::cmp::Ordering::Greater => Verdict::Raised { from: before },
            core::cmp::Ordering::Less => Verdict::Lowered { from: before },
            core::cmp::Ordering::Equal if hold.is_some() => Verdict::Held,
            core::cmp::Ordering::Equal => Verdict::Steady,
        };
        let need = (known || level > 0.0).then(|| whole(level));
        self.last_need = need.or(self.last_need);
        let guard = if hold.is_some() { self.holding_guard(guard) } else { guard };
        self.conclude(view::Conclusion { now, bids, doubts, guard, verdict, hold, min, max, asked, need })
    }
}

impl Workload {
    fn raw_level(&self, now: Timestamp) -> f64 {
        let signals = self.signals.iter().zip(&self.policy.signals);
        signals.map(|(state, signal)| state.level(signal, &self.policy, now)).fold(0.0, f64::max)
    }

    fn facts(&self, now: Timestamp) -> Facts<'_> {
        let (min, max) = self.bounds();
        let policy = &self.policy;
        let mut unknown = self.signals.is_empty().then_some((None, Unknown::NeverSeen));
        let (mut level, mut backlog_level) = (0.0_f64, None::<f64>);
        let (mut window_peak, mut hour_peak) = (0.0_f64, 0.0_f64);
        let (mut full, mut have, mut want) = (true, 0, 0);
        let mut zero = !self.signals.is_empty();
        for (place, (state, signal)) in self.signals.iter().zip(&policy.signals).enumerate() {
            let reading = state.reading(signal, now);
            let why = reading.unknown().or_else(|| state.backlog_unknown());
            // Without a capacity a load says nothing about replicas.
            let why = why.or_else(|| signal.capacity.is_none().then_some(Unknown::NoEvidence));
            unknown = unknown.or_else(|| why.map(|why| (Some(place), why)));
            level = level.max(state.level(signal, policy, now));
            if let Some(waiting) = state.backlog_level(signal, policy, now) {
                backlog_level = Some(backlog_level.unwrap_or(0.0).max(waiting));
                zero &= waiting == 0.0;
            }
            zero &= why.is_none() && reading.at_least() == 0.0;
            window_peak = window_peak.max(state.window_peak(now));
            hour_peak = hour_peak.max(state.hour_peak(now));
            let fullness = state.fullness(policy, now);
            if full {
                (full, have, want) = (fullness.full, fullness.have, fullness.want);
            }
        }
        let target = self.target.as_ref().and_then(Option::as_ref);
        Facts {
            now,
            policy,
            standing: &self.standing,
            min,
            max,
            replicas: target.map_or(0, |target| target.replicas),
            rollout: target.map_or(Rollout::Done, |target| target.rollout),
            rollout_since: self.rollout_since,
            unknown,
            level: level.min(self.believed),
            backlog_level,
            window_peak,
            hour_peak,
            zero,
            have,
            want,
            full,
            errors: self.errors,
            failing: target.and_then(|target| self.readiness.failing(target, policy.unready_percent)),
            dependency: self.dependency,
            brake: self.brake,
            undone: self.undone,
            peer: self.peer,
        }
    }

    fn health(&self, facts: &Facts<'_>) -> Health {
        let target = self.seen();
        let unready = target.map_or(0, |target| self.readiness.lost(target).0);
        Health::of(facts, unready, target.and_then(|target| target.ready))
    }

    /// What a person ordered begins and ends.
    fn obey(&mut self, floor: &mut Floor, now: Timestamp) {
        let order = guards::order(&self.overrides, now).map(|order| InForce {
            name: Arc::clone(&order.name),
            action: order.action,
            until: order.until,
        });
        if order == self.in_force {
            return;
        }
        if let Some(ended) = self.in_force.take() {
            self.notices.push(Notice::OverrideEnded(ended));
            self.run_down(now);
        }
        if let Some(began) = &order {
            if began.action == Action::Freeze {
                // No lowering: not of the floor, and not by the scaler above it.
                let (_, max) = self.bounds();
                floor.raise(self.seen().map_or(0, |target| target.replicas).min(max));
            }
            self.notices.push(Notice::OverrideBegan(began.clone()));
        }
        self.in_force = order;
    }

    /// Onset, overdue and end of trouble with the pods.
    fn follow_trouble(&mut self, doubts: &mut Vec<Doubt>, floor: Floor, now: Timestamp) {
        let trouble = doubts.iter().any(Doubt::is_trouble);
        if trouble && self.standing.doubt.is_none() {
            let (_, max) = self.bounds();
            let replicas = self.seen().map_or(0, |target| target.replicas).min(max);
            self.standing.doubt = Some(Onset { since: now, replicas: replicas.max(floor.replicas()) });
        }
        let Some(doubt) = self.standing.doubt else { return };
        if trouble || matches!(self.errors, ErrorShare::Unknown(_)) {
            self.calm_since = None;
        } else {
            let calm_since = *self.calm_since.get_or_insert(now);
            let until = calm_since.plus(self.policy.window);
            if now >= until {
                self.standing.doubt = None;
                self.calm_since = None;
                return;
            }
            doubts.insert(0, Doubt::Settling { until });
        }
        if now.since(doubt.since) >= self.policy.hold_at_most {
            doubts.insert(0, Doubt::Overdue { since: doubt.since });
        }
    }

    fn watch_step(&mut self, health: &Health, exhausted: bool, now: Timestamp) -> Watch {
        let template = self.seen().map(|target| target.template);
        if self.template != template {
            // Other pods than those that were compared: the step is verified by nothing, and blamed for nothing.
            if self.template.is_some() {
                self.standing.step = None;
            }
            self.template = template;
        }
        if let Some(step) = &mut self.standing.step
            && self.delivery.above(step.to).is_some()
        {
            // Not stored yet: nothing can have followed it.
            step.at = now;
        }
        let watch = step::watch(self.standing.step.as_mut(), health, self.policy.verify_for, now);
        let watch = if exhausted && watch != Watch::Clear { Watch::Verified } else { watch };
        if watch == Watch::Verified {
            self.standing.step = None;
            self.standing.pause_ms = 0;
            self.standing.not_before = None;
            self.undone = None;
        }
        watch
    }

    /// Puts the step back; the doubt that follows.
    fn take_step_back(&mut self, floor: &mut Floor, ceiling: u32, now: Timestamp) -> Option<Doubt> {
        let step = self.standing.step.take()?;
        floor.raise(step.from.min(ceiling));
        let pause = step::pause(core::time::Duration::from_millis(self.standing.pause_ms));
        self.standing.pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let until = now.plus(pause);
        self.standing.not_before = Some(until);
        self.undone = Some((step.from, step.to));
        self.notices.push(Notice::StepUndone { from: step.from, to: step.to });
        Some(Doubt::StepHarmful { from: step.from, to: step.to, until })
    }

    /// One step down, if the pace and the last step allow it; else what it waits for.
    fn step_down(
        &mut self,
        floor: &mut Floor,
        wanted: u32,
        proof: Proof,
        health: &Health,
        exhausted: bool,
        now: Timestamp,
    ) -> Option<Hold> {
        let from = floor.replicas();
        // A run-down is itself the pace.
        let running_down = self.standing.run_down.is_some();
        if running_down {
            self.pace.rest(from, now);
        } else {
            self.pace.ease(now, self.policy.half_life);
        }
        let paced = if running_down { wanted } else { self.pace.allows() };
        let to = wanted.max(paced).max(from.saturating_sub(step::largest(from)));
        if let Some(step) = self.standing.step
            && !exhausted
        {
            return Some(Hold::Verifying { from: step.from, to: step.to });
        }
        if let Some(stored) = self.stored_above(from) {
            // One step at a time: this one is not stored yet.
            return Some(Hold::Verifying { from: stored, to: from });
        }
        if to >= from {
            return Some(Hold::Pace { next: self.pace.next(from, self.policy.half_life) });
        }
        floor.lower(to, &Warrant::Evidence(proof));
        self.standing.step = Some(step::begin(from, to, now, health));
        (to > wanted).then_some(Hold::Verifying { from, to })
    }

    fn settle_standing(&mut self, before: u32, guard: Guard, now: Timestamp) {
        let replicas = self.floor_replicas();
        if replicas > before {
            self.standing.step = None;
        }
        if replicas != before {
            self.since = now;
            self.standing.observed_at = now;
            self.standing.reason = guard.name().into();
        }
        self.standing.replicas = replicas;
        if self.standing.not_before.is_some_and(|until| now >= until) {
            self.standing.not_before = None;
        }
    }

    /// The run-down is through when its level is none, or when another guard asks for as much.
    fn forget_run_down(&mut self, bids: &[Bid], now: Timestamp) {
        if self.standing.run_down.is_none() || self.in_force.is_some() {
            return;
        }
        let others = bids.iter().filter(|bid| bid.guard != Guard::SpecChanged).map(|bid| bid.replicas).max();
        let level = guards::run_down_level(&self.standing, &self.policy, now);
        if level.is_none_or(|level| level <= others.unwrap_or(0)) {
            self.standing.run_down = None;
        }
    }

    /// While something holds the floor above every bid, that is its reason.
    fn holding_guard(&self, guard: Guard) -> Guard {
        if self.standing.fall.is_some() { Guard::UsualFall } else { guard }
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

    /// The target is not there, or the table was not told yet: the floor stays as it is.
    fn undecided(&mut self, now: Timestamp) -> bool {
        let (min, max) = self.bounds();
        let (mut bids, mut doubts) = (core::mem::take(&mut self.spare.bids), core::mem::take(&mut self.spare.doubts));
        bids.clear();
        doubts.clear();
        self.conclude(view::Conclusion {
            now,
            bids,
            doubts,
            guard: Guard::StaticMinimum,
            verdict: Verdict::Held,
            hold: Some(Hold::NoTarget),
            min,
            max,
            asked: min,
            need: None,
        })
    }

    /// What keeps floorkeeper from its work.
    fn problem(&self) -> Option<Problem> {
        if matches!(self.target, Some(None)) {
            return Some(Problem::TargetNotFound);
        }
        if self.owned_by_older {
            return Some(Problem::NotOwner);
        }
        match (self.policy.mode, &self.scaler) {
            (Mode::Guard, Some(None)) => Some(Problem::ScalerNotFound),
            (Mode::Autoscale, Some(Some(_))) => Some(Problem::ScalerExists),
            (Mode::AutoscaleUtilization, Some(Some(scaler))) if !scaler.owned => Some(Problem::ScalerExists),
            (Mode::Observe | Mode::Guard | Mode::Autoscale | Mode::AutoscaleUtilization, _) => {
                let owner = self.owner_bounds().filter(|_| self.policy.mode == Mode::Guard);
                let crossed = |min: Option<u32>, max: Option<u32>| min.zip(max).is_some_and(|(min, max)| min > max);
                (crossed(self.policy.min_replicas, owner.map(|bounds| bounds.max))
                    || crossed(self.policy.min_replicas, self.policy.max_replicas))
                .then_some(Problem::BoundsCrossed)
            }
        }
    }

    fn conclude(&mut self, conclusion: view::Conclusion) -> bool {
        let now = conclusion.now;
        let mut signals = core::mem::take(&mut self.spare.signals);
        view::signals(&mut signals, &self.signals, &self.policy, self.seen(), now);
        let unguarded = self.last_need.unwrap_or(conclusion.min).clamp(conclusion.min, conclusion.max);
        let price = self.floor_replicas().saturating_sub(unguarded);
        self.price_since = (price > 0).then(|| self.price_since.unwrap_or(now));
        let decision = view::decision(
            conclusion,
            view::Parts {
                floor: self.floor_replicas(),
                since: self.since,
                standing: &self.standing,
                policy: &self.policy,
                signals,
                observed_at: self.signals.iter().filter_map(SignalState::taken_at).max(),
                errors: self.errors,
                price,
                price_since: self.price_since,
                in_force: self.in_force.clone(),
                problem: self.problem(),
                target: self.seen(),
                contested: self.delivery.contested(now),
                stored: self.delivery.has(self.floor_replicas()),
            },
        );
        self.wake = view::wake(&decision, &self.standing, &self.policy, &self.overrides, now);
        let news = view::news(self.decision.as_ref(), &decision, &mut self.notices);
        if let Some(last) = self.decision.replace(decision) {
            self.spare = Spare { bids: last.bids, doubts: last.doubts, signals: last.signals };
        }
        news
    }
}

/// The last but one decision's lists, used again: a decision allocates nothing.
#[derive(Debug, Default)]
struct Spare {
    bids: Vec<Bid>,
    doubts: Vec<Doubt>,
    signals: Vec<SignalView>,
}

/// Errors that a policy asks for are unknown until they are heard of.
fn not_asked_yet(policy: &Policy) -> ErrorShare {
    if policy.errors.is_some() { ErrorShare::Unknown(Unknown::NeverSeen) } else { ErrorShare::NotJudged }
}
