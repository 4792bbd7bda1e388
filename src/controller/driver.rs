//! The loop around the engine: one task owns it, and never waits for I/O.
//!
//! It takes what has come in, polls once, hands the writes out to tasks, and hears of their outcomes as of everything
//! else. A write below a floor is answered in the same turn in which its watch event arrives.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use floorkeeper_core::{Engine, Event, Notice, Outcome, PolicyKey, TargetKey, Timestamp, Write};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::clock::{instant, now};
use super::input::Input;
use super::lanes::{Lanes, Ticket};
use super::reports::{Reports, Told};
use super::vitals::Vitals;
use super::world::World;
use crate::metrics::{Metrics, What};

/// Owns the engine.
pub(super) struct Driver<W> {
    world: World,
    /// Created when all stores are filled: its epoch has to be above every stored one.
    engine: Option<Engine>,
    early: Vec<Event>,
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
    /// `outcomes`: the sending end of what [`Driver::run`] reads.
    pub(super) fn new(
        write: W,
        outcomes: mpsc::Sender<Input>,
        reports: Arc<Reports>,
        vitals: Arc<Vitals>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            world: World::new(),
            engine: None,
            early: Vec::new(),
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

    /// Runs until `stop`; then finishes the writes that are under way.
    pub(super) async fn run(mut self, mut inputs: mpsc::Receiver<Input>, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut batch = Vec::new();
        loop {
            let pause = self.pause(now());
            tokio::select! {
                biased;
                () = &mut stop => break,
                count = inputs.recv_many(&mut batch, BATCH) => if count == 0 { break },
                () = tokio::time::sleep(pause) => {}
            }
            let started = instant();
            self.turn(&mut batch, now());
            self.metrics.polled(started.elapsed());
            self.vitals.turned();
        }
        self.drain(inputs).await;
    }

    /// One turn: take everything in, decide, hand out.
    fn turn(&mut self, batch: &mut Vec<Input>, now: Timestamp) {
        let mut events = Vec::new();
        for input in batch.drain(..) {
            self.take(input, &mut events, now);
        }
        self.begin();
        let Some(engine) = &mut self.engine else {
            self.early.append(&mut events);
            self.vitals.waits_for(self.world.awaited().map(ToString::to_string).collect());
            return;
        };
        for event in self.early.drain(..).chain(events) {
            engine.observe(event, now);
        }
        for write in engine.poll(now) {
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
        }
    }

    /// Leadership begins here: with one replica, as soon as everything is known. An election takes its term from the
    /// lease, as long as it is above every stored epoch.
    fn begin(&mut self) {
        if self.engine.is_none() && self.world.awaited().next().is_none() {
            let epoch = self.world.epoch().saturating_add(1);
            info!(epoch, "everything is known, deciding begins");
            self.engine = Some(Engine::new(epoch));
            self.vitals.waits_for(BTreeSet::new());
            self.metrics.leading(true);
        }
    }

    /// What the API server did on its own is told as if the engine had told it.
    fn clamped(&self, target: &TargetKey, notice: &Notice, now: Timestamp) {
        // Before everything is known it is an old note.
        if self.engine.is_none() {
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
        if let Some(engine) = &mut self.engine {
            engine.acknowledged(&write, outcome, now);
        }
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
        let Some(engine) = &mut self.engine else { return };
        for (policy, notice) in engine.notices() {
            self.metrics.noticed(&notice);
            let spec = self.world.policy(&policy).cloned();
            self.reports.tell(Told { policy, spec, notice, at: now });
        }
        for policy in engine.changed().into_iter().chain(self.told.drain(..)) {
            if let (Some(decision), Some(spec)) = (engine.decision(&policy), self.world.policy(&policy)) {
                self.metrics.decided(&policy, decision);
                self.reports.decided(policy, decision, spec);
            }
        }
    }

    /// How long to sleep if nothing happens.
    fn pause(&self, now: Timestamp) -> Duration {
        let wake = self.engine.as_ref().map_or(Timestamp::NEVER, Engine::next_wake);
        wake.since(now).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
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
