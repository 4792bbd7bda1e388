//! One floorkeeper: the engine and the election that ship, and between them what `src/controller` does.

use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::lease::{Answer, Election, State, Timing, Uptime};
use floorkeeper_core::{
    Answer as Said, Engine, ErrorAnswer, Event, Evidence, Failure, Observation, Outcome, Override, Policy, PolicyKey,
    Sample, SignalAnswer, TargetKey, Timestamp, Write,
};

use super::server::{Effect, Server};

/// One process.
#[derive(Clone, Debug)]
pub(super) struct Keeper {
    pub(super) name: Arc<str>,
    engine: Engine,
    election: Election,
    started: Timestamp,
    /// Its clock's error, in percent.
    rate: i64,
    pub(super) asleep: bool,
    /// The highest epoch that it was ever told.
    epoch_told: u64,
    /// Since when it leads: its term and epoch.
    pub(super) reign: Option<(u64, u64)>,
    /// What the source told it, the newest last: the need; `None` if nothing.
    told: Vec<Option<u32>>,
    ordered: bool,
}

/// How a turn goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum How {
    Well,
    /// No watch event arrives: it acts on what it knew.
    Deaf,
    /// The source does not answer.
    Blind,
    /// The API server can't be reached.
    Cut,
    /// Every write meets a conflict.
    Refused,
    /// Writes land, their answers are lost.
    Unheard,
    /// Writes are sent, and the network keeps them.
    Late,
}

/// A write that was sent and did not land yet.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) write: Write,
    pub(super) term: u64,
    pub(super) rightful: bool,
}

/// What is true in a turn, outside of the API server.
#[derive(Clone, Debug)]
pub(super) struct Truth<'a> {
    pub(super) policy: &'a Arc<Policy>,
    pub(super) now: Timestamp,
    pub(super) load: u32,
    /// Share of the work that fails, in percent.
    pub(super) failing: u32,
    pub(super) orders: &'a [Override],
    /// Nothing is sent without a lease that is held at that moment.
    pub(super) self_fence: bool,
    /// A new leader begins a new epoch.
    pub(super) epoch_rule: bool,
    /// Steps can be compared with the time before them.
    pub(super) verify: bool,
    pub(super) timing: Timing,
}

/// What became of a turn.
#[derive(Debug, Default)]
pub(super) struct Turned {
    /// The lease is lost: the process ends.
    pub(super) ended: bool,
    pub(super) sent: Vec<(Sent, Effect)>,
    pub(super) kept: Vec<Sent>,
}

impl Keeper {
    pub(super) fn start(name: &str, rate: i64, truth: &Truth<'_>) -> Self {
        let mut engine = Engine::standby();
        engine.observe(Event::Policy(key(), Arc::clone(truth.policy)), truth.now);
        let mut election = Election::new(name.into(), truth.timing, Uptime(0));
        election.stand();
        Self {
            name: name.into(),
            engine,
            election,
            started: truth.now,
            rate,
            asleep: false,
            epoch_told: 0,
            reign: None,
            told: Vec::new(),
            ordered: false,
        }
    }

    pub(super) fn turn(&mut self, server: &mut Server, truth: &Truth<'_>, how: How) -> Turned {
        let mut turned = Turned::default();
        self.keep_lease(server, truth, how);
        let tells = !matches!(how, How::Deaf | How::Cut);
        if tells {
            self.tell(server, truth);
        }
        self.observe(truth, how);
        match self.election.state(self.uptime(truth)) {
            State::Ended(_) if truth.self_fence => {
                turned.ended = true;
                return turned;
            }
            State::Leading { term, .. } if self.reign.is_none() => {
                // As the controller does it: above the lease's transitions and all stored epochs.
                let epoch = if truth.epoch_rule { term.max(self.epoch_told) + 1 } else { self.epoch_told.max(1) };
                self.reign = Some((term, epoch));
                self.engine.lead(epoch);
            }
            State::Leading { .. } | State::Standby | State::Ended(_) => {}
        }
        for _ in 0..MOST_ROUNDS {
            let writes = self.engine.poll(truth.now);
            if writes.is_empty() {
                break;
            }
            for write in writes {
                let outcome = self.send(&write, server, truth, how, &mut turned);
                self.engine.acknowledged(&write, outcome, truth.now);
            }
            if tells {
                self.tell(server, truth);
            }
        }
        turned
    }

    /// Everything that a decision to lower needs, as far as this process was told: a person's order, or a window in which
    /// at most one answer is missing, not the last one, and no need is above `floor`.
    fn may_lower_to(&self, floor: u32) -> bool {
        let known: Vec<u32> = self.told.iter().flatten().copied().collect();
        let window = &self.told[self.told.len().saturating_sub(WINDOW_TICKS)..];
        let full = known.len() >= WINDOW_TICKS && self.told.len() - known.len() <= 1;
        let proven = full && self.told.last().is_some_and(Option::is_some);
        self.ordered || (proven && window.iter().flatten().all(|need| *need <= floor))
    }

    fn send(&self, write: &Write, server: &mut Server, truth: &Truth<'_>, how: How, turned: &mut Turned) -> Outcome {
        let Some((term, _)) = self.reign else { return Outcome::Failed };
        let leads = matches!(self.election.state(self.uptime(truth)), State::Leading { .. });
        if (truth.self_fence && !leads) || how == How::Cut {
            return Outcome::Failed;
        }
        let holder = server.lease.as_ref().and_then(|record| record.holder.as_ref());
        // Nobody else holds the lease at this moment, and a lowering has its proof.
        let holds = holder.is_none_or(|holder| *holder == self.name);
        let proven = match write {
            Write::Floors { rows, .. } => {
                let lowers = |(_, row): &(TargetKey, _)| floor_of(row) < server.floor();
                !rows.iter().any(lowers) || rows.iter().all(|(_, row)| self.may_lower_to(floor_of(row)))
            }
            // They follow a stored floor.
            Write::Replicas(_) | Write::Bounds(_) => true,
        };
        let sent = Sent { write: write.clone(), term, rightful: holds && proven };
        match how {
            How::Refused => Outcome::Conflict,
            How::Late => {
                turned.kept.push(sent);
                Outcome::Failed
            }
            How::Well | How::Deaf | How::Blind | How::Unheard | How::Cut => {
                let effect = server.write(write);
                turned.sent.push((sent, effect));
                if how == How::Unheard { Outcome::Failed } else { effect.outcome }
            }
        }
    }

    fn keep_lease(&mut self, server: &mut Server, truth: &Truth<'_>, how: How) {
        let now = self.uptime(truth);
        for _ in 0..MOST_ROUNDS {
            let Some(ask) = self.election.poll(now) else { return };
            let answer = match how {
                How::Cut => Answer::Failed,
                How::Unheard => {
                    server.answer(&ask);
                    Answer::Failed
                }
                How::Well | How::Deaf | How::Blind | How::Refused | How::Late => server.answer(&ask),
            };
            self.election.answered(answer, now);
        }
    }

    fn tell(&mut self, server: &Server, truth: &Truth<'_>) {
        let now = truth.now;
        let mut target = server.target.clone();
        if !truth.verify {
            // Pods of another template can't be compared with those before: no step is ever verified, none is blamed.
            target.template = now.0;
        }
        let rows = server.row.iter().map(|row| (place(), row.clone())).collect();
        self.epoch_told = self.epoch_told.max(server.row.as_ref().map_or(0, |row| row.epoch));
        self.ordered = truth.orders.iter().any(|order| order.until > now) || self.ordered_till_now(truth);
        self.engine.observe(Event::Table { namespace: place().namespace, rows }, now);
        self.engine.observe(Event::Target(place(), Some(target)), now);
        self.engine.observe(Event::Scaler(place(), Some(server.hpa.clone())), now);
        self.engine.observe(Event::Overrides(key(), truth.orders.to_vec()), now);
    }

    /// An order that it knows of and that is in force for it.
    fn ordered_till_now(&self, truth: &Truth<'_>) -> bool {
        self.engine
            .decision(&key())
            .and_then(|decision| decision.in_force.as_ref())
            .is_some_and(|order| order.until > truth.now)
    }

    fn observe(&mut self, truth: &Truth<'_>, how: How) {
        let blind = how == How::Blind;
        let value = |value: f64| {
            let evidence = Evidence { oldest: Some(Duration::ZERO), series: Some(9), partial: false, vouched: false };
            if blind { Said::Failed(Failure::Timeout) } else { Said::Value(Sample { value, at: truth.now, evidence }) }
        };
        let load = f64::from(truth.load);
        let errors = ErrorAnswer { failed: value(f64::from(truth.failing)), total: value(100.0) };
        let observation =
            Observation { signals: vec![SignalAnswer { load: value(load), backlog: None }], errors: Some(errors) };
        self.engine.observe(Event::Observed(key(), observation), truth.now);
        self.told.push((!blind).then_some(truth.load));
        let old = self.told.len().saturating_sub(WINDOW_TICKS + 1);
        self.told.drain(..old);
    }

    /// This process's own clock.
    fn uptime(&self, truth: &Truth<'_>) -> Uptime {
        let real = i64::try_from(truth.now.since(self.started).as_millis()).unwrap_or(i64::MAX / 200);
        Uptime(u64::try_from(real + real * self.rate / 100).unwrap_or(0))
    }

    /// It leads, by its own clock.
    pub(super) fn leads(&self, truth: &Truth<'_>) -> bool {
        self.reign.is_some() && matches!(self.election.state(self.uptime(truth)), State::Leading { .. })
    }
}

fn floor_of(row: &floorkeeper_core::Standing) -> u32 {
    if row.released { 0 } else { row.replicas }
}

pub(super) fn key() -> PolicyKey {
    PolicyKey::new("shop", "web")
}

pub(super) fn place() -> TargetKey {
    TargetKey::new("shop", "deployments.apps", "web")
}

/// Of `src/controller`: it polls until nothing is to be written; here each write can be answered in at most so many rounds.
const MOST_ROUNDS: usize = 12;

/// The window of the policy, in ticks of its source.
pub(super) const WINDOW_TICKS: usize = 2;
