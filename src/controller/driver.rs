//! The loop around the engine: one task owns it, and never waits for I/O.
//!
//! It takes what has come in, polls once, hands the writes out to tasks, and hears of their outcomes as of everything
//! else. A write below a floor is answered in the same turn in which its watch event arrives.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use floorkeeper_core::{Engine, Event, Notice, Outcome, PolicyKey, TargetKey, Timestamp, Write};
use tokio::sync::{mpsc, watch};
use tracing::{debug, info, warn};

use super::clock::{instant, now};
use super::histories::Recalled;
use super::input::Input;
use super::lanes::{Lanes, Ticket};
use super::reports::{Reports, Told};
use super::vitals::Vitals;
use super::world::World;
use crate::metrics::{Metrics, What};

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was asked to.
    Stopped,
    /// Floors of a later epoch than ours are stored, though we hold the lease: what we know is not what is true.
    Superseded,
}

/// Owns the engine.
pub(super) struct Driver<W> {
    world: World,
    /// Takes in everything from the start; leads when all stores are filled and the lease is ours.
    engine: Engine,
    /// Of our leadership: above every epoch that was stored before it.
    epoch: Option<u64>,
    /// Of the lease; zero without an election.
    term: Option<u64>,
    /// Told when everything that a leader needs is known.
    warm: watch::Sender<bool>,
    /// Told when leadership begins.
    leads: watch::Sender<bool>,
    lanes: Lanes,
    /// Carries one write out.
    write: W,
    /// Where outcomes come back.
    outcomes: mpsc::Sender<Input>,
    reports: Arc<Reports>,
    vitals: Arc<Vitals>,
    metrics: Arc<Metrics>,
    /// When this turn's target events came in.
    heard: HashMap<TargetKey, Instant>,
    /// When the target event that a waiting undo answers came in.
    undoing: HashMap<TargetKey, Instant>,
    /// Policies told in this turn: their decision is reported, changed or not (an object can be new, its floor adopted).
    told: Vec<PolicyKey>,
}

impl<W, F> Driver<W>
where
    W: Fn(Arc<Write>) -> F,
    F: Future<Output = Outcome> + Send + 'static,
{
    /// `engine`: a standby. `outcomes`: the sending end of what [`Driver::run`] reads. `term`: of a leadership without an
    /// election.
    pub(super) fn new(
        engine: Engine,
        write: W,
        outcomes: mpsc::Sender<Input>,
        term: Option<u64>,
        reports: Arc<Reports>,
        vitals: Arc<Vitals>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            world: World::new(),
            engine,
            epoch: None,
            term,
            warm: watch::Sender::new(false),
            leads: watch::Sender::new(false),
            lanes: Lanes::new(WRITES_AT_ONCE),
            write,
            outcomes,
            reports,
            vitals,
            metrics,
            heard: HashMap::new(),
            undoing: HashMap::new(),
            told: Vec::new(),
        }
    }

    /// True when everything that a leader needs is known.
    pub(super) fn warm(&self) -> watch::Receiver<bool> {
        self.warm.subscribe()
    }

    /// True once this process leads and decides.
    pub(super) fn leads(&self) -> watch::Receiver<bool> {
        self.leads.subscribe()
    }

    /// Runs until `stop`; then finishes the writes that are under way.
    pub(super) async fn run(mut self, mut inputs: mpsc::Receiver<Input>, stop: impl Future<Output = ()>) -> Ended {
        tokio::pin!(stop);
        let mut batch = Vec::new();
        let ended = loop {
            let pause = self.pause(now());
            tokio::select! {
                biased;
                () = &mut stop => break Ended::Stopped,
                count = inputs.recv_many(&mut batch, BATCH) => if count == 0 { break Ended::Stopped },
                () = tokio::time::sleep(pause) => {}
            }
            let started = instant();
            self.turn(&mut batch, now());
            self.metrics.polled(started.elapsed());
            self.vitals.turned();
            if self.is_superseded() {
                break Ended::Superseded;
            }
        };
        self.drain(inputs).await;
        ended
    }

    /// One turn: take everything in, decide, hand out.
    fn turn(&mut self, batch: &mut Vec<Input>, now: Timestamp) {
        let mut events = Vec::new();
        for input in batch.drain(..) {
            self.take(input, &mut events, now);
        }
        for event in events {
            self.engine.observe(event, now);
        }
        self.begin();
        for write in self.engine.poll(now) {
            if let Some((target, heard)) = undone(&write).and_then(|target| self.heard.remove_entry(target)) {
                self.undoing.insert(target, heard);
            }
            self.lanes.push(write);
        }
        self.heard.clear();
        self.hand_out();
        self.report(now);
    }

    fn take(&mut self, input: Input, events: &mut Vec<Event>, now: Timestamp) {
        match input {
            Input::Policy(key, policy) => {
                self.told.push(key.clone());
                self.world.take_policy(key, policy, events);
            }
            Input::PolicyGone(key) => {
                self.metrics.forget(&key);
                self.world.drop_policy(key, events);
            }
            Input::Overrides(key, overrides) => self.world.take_overrides(key, overrides, events),
            Input::Observed(key, observation) => events.push(Event::Observed(key, observation)),
            Input::History(key, place, samples) => events.push(Event::History(key, place, samples)),
            Input::Learned(key, learned) => events.push(Event::Learned(key, learned)),
            Input::Past(key, past) => {
                let signals = past.into_iter().enumerate();
                events.extend(signals.map(|(place, samples)| Event::Past(key.clone(), place, samples)));
            }
            Input::Recall(key, reply) => self.recall(&key, &reply),
            Input::Target(key, target, heard) => {
                self.heard.entry(key.clone()).or_insert(heard);
                self.world.take_target(key, target, events);
            }
            Input::Clamped(target, asked, kept, by) => self.clamped(&target, &Notice::Clamped { asked, kept, by }, now),
            Input::Scaler(name, scaler) => self.world.take_scaler(name, scaler, events),
            Input::Table { namespace, rows } => self.world.take_table(namespace, rows, events),
            Input::Awaited(store) => self.world.await_store(store),
            Input::Filled(store) => self.world.fill(store, events),
            Input::Refused(store) => self.world.give_up(store, events),
            Input::Dropped(store) => self.world.drop_store(&store),
            Input::Kind(kind, resource) => self.world.take_kind(kind, resource, events),
            Input::Wrote(ticket, outcome) => self.wrote(ticket, outcome, now),
            Input::Elected(term) => self.term = Some(term),
        }
    }

    /// What is learned of a policy, to be stored.
    fn recall(&self, policy: &PolicyKey, reply: &mpsc::Sender<Recalled>) {
        if let Some(learned) = self.engine.learned(policy) {
            let usual = self.engine.decision(policy).and_then(|decision| decision.usual);
            // Nobody waits for it any more.
            let _ = reply.try_send(Recalled { learned, usual });
        }
    }

    /// Leadership begins here, once everything is known and the lease is ours.
    fn begin(&mut self) {
        if self.epoch.is_some() {
            return;
        }
        self.vitals.waits_for(self.world.awaited().map(ToString::to_string).collect());
        if self.world.awaited().next().is_some() {
            return;
        }
        self.warm.send_replace(true);
        if let Some(term) = self.term {
            // Above every epoch that was ever given out: those that are stored, and those of a lease that wrote no floor.
            let epoch = term.max(self.world.epoch()).saturating_add(1);
            info!(epoch, term, "everything is known, deciding begins");
            self.epoch = Some(epoch);
            self.engine.lead(epoch);
            self.metrics.leading(true);
            self.leads.send_replace(true);
        }
    }

    /// Two elections lie between us and whoever wrote that; without an election nobody could tell who is right.
    fn is_superseded(&self) -> bool {
        self.term.is_some_and(|term| term > 0) && self.epoch.is_some_and(|epoch| self.world.epoch() > epoch)
    }

    /// What the API server did on its own is told as if the engine had told it.
    fn clamped(&self, target: &TargetKey, notice: &Notice, now: Timestamp) {
        // Before everything is known it is an old note, and a standby says nothing.
        if self.epoch.is_none() {
            return;
        }
        for (policy, spec) in self.world.policies_of(target) {
            self.metrics.noticed(notice);
            let (policy, spec, notice) = (policy.clone(), Some(Arc::clone(spec)), notice.clone());
            self.reports.tell(Told { policy, spec, notice, at: now });
        }
    }

    fn wrote(&mut self, ticket: Ticket, outcome: Outcome, now: Timestamp) {
        let Some(write) = self.lanes.ended(ticket) else { return };
        if let Some((target, heard)) = undone(&write).and_then(|target| self.undoing.remove_entry(target)) {
            let took = heard.elapsed();
            if outcome == Outcome::Done {
                self.metrics.undone(What::Replicas, took);
            }
            info!(%target, ?outcome, milliseconds = took.as_secs_f64() * 1e3, "answered a write below the floor");
        }
        self.engine.acknowledged(&write, outcome, now);
    }

    fn hand_out(&mut self) {
        while let Some((ticket, write)) = self.lanes.next() {
            debug!(?write, "writing");
            let work = tokio::spawn((self.write)(write));
            let outcomes = self.outcomes.clone();
            tokio::spawn(async move {
                // A panic in a write must not leave its lane blocked for ever.
                let outcome = work.await.unwrap_or(Outcome::Failed);
                // The loop has ended: nobody is left to tell.
                let _ = outcomes.send(Input::Wrote(ticket, outcome)).await;
            });
        }
    }

    fn report(&mut self, now: Timestamp) {
        for (policy, notice) in self.engine.notices() {
            self.metrics.noticed(&notice);
            let spec = self.world.policy(&policy).cloned();
            self.reports.tell(Told { policy, spec, notice, at: now });
        }
        for policy in self.engine.changed().into_iter().chain(self.told.drain(..)) {
            if let (Some(decision), Some(spec)) = (self.engine.decision(&policy), self.world.policy(&policy)) {
                self.metrics.decided(&policy, decision);
                self.reports.decided(policy, decision, spec);
            }
        }
    }

    /// How long to sleep if nothing happens.
    fn pause(&self, now: Timestamp) -> Duration {
        self.engine.next_wake().since(now).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }

    /// Writes that are under way are finished; those that only wait are not begun.
    async fn drain(mut self, mut inputs: mpsc::Receiver<Input>) {
        let until = tokio::time::Instant::from_std(instant() + FINISH_WITHIN);
        while self.lanes.running() > 0 {
            match tokio::time::timeout_at(until, inputs.recv()).await {
                Ok(Some(Input::Wrote(ticket, outcome))) => self.wrote(ticket, outcome, now()),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => {
                    warn!(writes = self.lanes.running(), "stopping with writes under way");
                    break;
                }
            }
        }
        self.report(now());
    }
}

fn undone(write: &Write) -> Option<&TargetKey> {
    match write {
        Write::Replicas(write) => write.undo.then_some(&write.target),
        Write::Floors { .. } | Write::Bounds(_) => None,
    }
}

/// Enough to keep an API server busy from one client without being throttled by its fairness queues.
const WRITES_AT_ONCE: usize = 32;

/// Messages taken in one turn: 10,000 observations of a tick are a few turns, and a target event waits for one at most.
const BATCH: usize = 2048;

/// Also the pulse that `/healthz` looks for; a jump of the wall clock is noticed this soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// An engine that always wants to be polled again must not take the whole core.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

/// Within the 15 s that the pod is given to stop, with room for the last status.
const FINISH_WITHIN: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests;
