//! The floor of one workload: [`Workload::assess`] notices what begins and ends, [`Workload::decide`] makes the floor.
//! Only the latter can lower it.

use std::sync::Arc;

use super::Workload;
use crate::decision::{Bid, Doubt, Guard, Hold, InForce, Notice, Verdict};
use crate::doubts::{self, FallEnd};
use crate::guards;
use crate::judge::ErrorShare;
use crate::signal::{SignalState, whole};
use crate::standing::Onset;
use crate::step::{self, Health, Watch};
use crate::target::{Action, Override};
use crate::time::Timestamp;
use crate::view;
use crate::warrant::{Floor, Proof, Warrant};

/// What lengthens a stride down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stride {
    /// Zero for longer than any doubt may last: the last step need not be verified.
    exhausted: bool,
    /// The fall is a usual one: no pace.
    follows: bool,
}

impl Workload {
    /// The first half of a decision: onsets and ends. Never lowers.
    pub(crate) fn assess(&mut self, now: Timestamp) {
        if self.floor.is_none() || self.seen().is_none() {
            return;
        }
        let lesson = self.lesson(now);
        self.history.tick(&lesson);
        let (began, again, over, zero, known) = {
            let facts = self.facts(now);
            let began = doubts::fall_began(&facts);
            let over = self.standing.fall.and_then(|fall| doubts::fall_over(&facts, fall));
            (began, doubts::fall_again(&facts), over, facts.zero, facts.unknown.is_none())
        };
        match (over, began) {
            (Some(end), _) => {
                (self.standing.fall, self.standing.fall_limit) = (None, None);
                if end == FallEnd::Through {
                    self.signals.iter_mut().for_each(SignalState::forget_hour);
                    self.history.forget_peaks(now);
                }
            }
            (None, Some((onset, limit))) => {
                (self.standing.fall, self.standing.fall_limit) = (Some(onset), limit);
            }
            (None, None) => {}
        }
        if let (Some(fall), Some(onset)) = (&mut self.standing.fall, again) {
            // Held and kept anew, from what was needed before the first, or between the two where that was more.
            *fall = Onset { replicas: fall.replicas.max(onset.replicas), ..onset };
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
        // While a fall is usual the floor follows it; else `halfLife` is the pace.
        let follows = facts.usual.is_some() && (facts.standing.fall.is_none() || exhausted);
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
                    None => self.step_down(&mut floor, wanted, proof, &health, Stride { exhausted, follows }, now),
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

    /// What a person ordered begins and ends.
    pub(super) fn obey(&mut self, floor: &mut Floor, now: Timestamp) {
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
    pub(super) fn follow_trouble(&mut self, doubts: &mut Vec<Doubt>, floor: Floor, now: Timestamp) {
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

    pub(super) fn watch_step(&mut self, health: &Health, exhausted: bool, now: Timestamp) -> Watch {
        let template = self.seen().map(|target| target.template);
        if self.template != template {
            // Other pods than those that were compared: the step is verified by nothing, and blamed for nothing.
            if self.template.is_some() {
                self.standing.step = None;
            }
            self.template = template;
        }
        let unstored = self.standing.step.is_some_and(|step| self.stored_above(step.to).is_some());
        if let Some(step) = &mut self.standing.step
            && unstored
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
    pub(super) fn take_step_back(&mut self, floor: &mut Floor, ceiling: u32, now: Timestamp) -> Option<Doubt> {
        let step = self.standing.step.take()?;
        floor.raise(step.from.min(ceiling));
        // The next try is no bolder than this one was.
        self.pace.rest(floor.replicas(), now);
        let pause = step::pause(core::time::Duration::from_millis(self.standing.pause_ms));
        self.standing.pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let until = now.plus(pause);
        self.standing.not_before = Some(until);
        self.undone = Some((step.from, step.to));
        self.notices.push(Notice::StepUndone { from: step.from, to: step.to });
        Some(Doubt::StepHarmful { from: step.from, to: step.to, until })
    }

    /// One step down, if the pace and the last step allow it; else what it waits for.
    pub(super) fn step_down(
        &mut self,
        floor: &mut Floor,
        wanted: u32,
        proof: Proof,
        health: &Health,
        Stride { exhausted, follows }: Stride,
        now: Timestamp,
    ) -> Option<Hold> {
        let from = floor.replicas();
        // A run-down is itself the pace.
        let unpaced = follows || self.standing.run_down.is_some();
        if unpaced {
            self.pace.rest(from, now);
        } else {
            self.pace.ease(now, self.policy.half_life);
        }
        let paced = if unpaced { wanted } else { self.pace.allows() };
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

    pub(super) fn settle_standing(&mut self, before: u32, guard: Guard, now: Timestamp) {
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
    pub(super) fn forget_run_down(&mut self, bids: &[Bid], now: Timestamp) {
        if self.standing.run_down.is_none() {
            return;
        }
        let others = bids.iter().filter(|bid| bid.guard != Guard::SpecChanged).map(|bid| bid.replicas).max();
        let level = guards::run_down_level(&self.standing, &self.policy, now);
        if level.is_none_or(|level| level <= others.unwrap_or(0)) {
            self.standing.run_down = None;
        }
    }

    /// While something holds the floor above every bid, that is its reason.
    pub(super) fn holding_guard(&self, guard: Guard) -> Guard {
        if self.standing.fall.is_some() { Guard::UsualFall } else { guard }
    }
}
