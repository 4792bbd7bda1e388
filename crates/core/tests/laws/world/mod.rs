//! A world around the engine: a store with fencing rules, pods, an HPA, a source, and a clock that the test owns.
//!
//! Only the public [`Engine`] is driven: events in, writes carried out in order, outcomes told, polled again at its
//! wake-ups. What must hold after every single poll is asserted here, whatever a test looks at.

pub(crate) mod cluster;
pub(crate) mod history;
mod says_why;
pub(crate) mod source;
pub(crate) mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{
    Decision, Engine, Event, Mode, Notice, Observation, Outcome, Override, Policy, PolicyKey, Replicas, Sample,
    ScalerBounds, TargetKey, Timestamp, Write,
};

use cluster::{Hpa, Pods};
use says_why::says_why;
use source::{Fault, Truth, observation, sample};
use store::{Refused, Store};

/// Everything outside the engine, and the engine.
#[derive(Debug)]
pub(crate) struct World {
    pub now: Timestamp,
    pub engine: Engine,
    pub epoch: u64,
    pub store: Store,
    pub pods: BTreeMap<TargetKey, Pods>,
    pub hpas: BTreeMap<TargetKey, Hpa>,
    services: BTreeMap<PolicyKey, Service>,
    /// How the API server answers writes.
    pub api: Api,
    /// Watches tell nothing.
    pub deaf: bool,
    /// When the API server or the watches last failed.
    troubled_at: Timestamp,
    /// Every write with its outcome.
    pub wrote: Vec<(Timestamp, Write, Outcome)>,
    pub notices: Vec<(Timestamp, PolicyKey, Notice)>,
    /// Policies that the engine called changed since the test last looked.
    pub changed: BTreeSet<PolicyKey>,
}

/// One policy and the truth that its source measures.
#[derive(Debug)]
struct Service {
    policy: Arc<Policy>,
    truth: Truth,
    overrides: Vec<Override>,
    /// An observation that is still on its way.
    late: Option<Observation>,
    /// What a source could tell of the past.
    past: Vec<Sample>,
}

/// How the API server answers writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Up,
    Failing,
    Conflicting,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            now: START,
            engine: Engine::new(1),
            epoch: 1,
            store: Store::default(),
            pods: BTreeMap::new(),
            hpas: BTreeMap::new(),
            services: BTreeMap::new(),
            api: Api::Up,
            deaf: false,
            troubled_at: Timestamp(0),
            wrote: Vec::new(),
            notices: Vec::new(),
            changed: BTreeSet::new(),
        }
    }

    /// A workload, with the HPA that scales it if there is one. Told at once.
    pub(crate) fn add_target(&mut self, target: &TargetKey, pods: Pods, hpa: Option<Hpa>) {
        self.pods.insert(target.clone(), pods);
        if let Some(hpa) = hpa {
            self.hpas.insert(target.clone(), hpa);
        }
        self.tell_target(target);
    }

    pub(crate) fn add_policy(&mut self, key: &PolicyKey, policy: Policy) {
        let target = policy.target.clone();
        let policy = Arc::new(policy);
        let truth = Truth { load: 0.0, errors: 0.0, backlog: 0.0 };
        let service =
            Service { policy: Arc::clone(&policy), truth, overrides: Vec::new(), late: None, past: Vec::new() };
        self.services.insert(key.clone(), service);
        self.tell_table(&target.namespace);
        self.engine.observe(Event::Policy(key.clone(), policy), self.now);
        self.tell_target(&target);
    }

    /// The spec is edited.
    pub(crate) fn edit_policy(&mut self, key: &PolicyKey, edit: impl FnOnce(&mut Policy)) {
        let service = self.services.get_mut(key).unwrap();
        let mut policy = (*service.policy).clone();
        edit(&mut policy);
        service.policy = Arc::new(policy);
        self.engine.observe(Event::Policy(key.clone(), Arc::clone(&service.policy)), self.now);
        self.settle();
    }

    pub(crate) fn remove_policy(&mut self, key: &PolicyKey) {
        self.services.remove(key);
        self.engine.observe(Event::PolicyGone(key.clone()), self.now);
        self.settle();
    }

    /// A policy is deleted while nobody looks.
    pub(crate) fn forget_policy(&mut self, key: &PolicyKey) {
        self.services.remove(key);
    }

    pub(crate) fn policy(&self, key: &PolicyKey) -> &Policy {
        &self.services[key].policy
    }

    pub(crate) fn truth(&mut self, key: &PolicyKey) -> &mut Truth {
        &mut self.services.get_mut(key).unwrap().truth
    }

    pub(crate) fn decision(&self, key: &PolicyKey) -> &Decision {
        self.engine.decision(key).unwrap()
    }

    /// A person's orders for a policy, all that exist now.
    pub(crate) fn order(&mut self, key: &PolicyKey, overrides: Vec<Override>) {
        self.services.get_mut(key).unwrap().overrides.clone_from(&overrides);
        self.engine.observe(Event::Overrides(key.clone(), overrides), self.now);
        self.settle();
    }

    /// Somebody else writes `spec.replicas`.
    pub(crate) fn foreign_scale(&mut self, target: &TargetKey, to: u32) {
        let now = self.now;
        self.pods.get_mut(target).unwrap().scale(to, now);
        self.tell_target(target);
        self.settle();
    }

    /// Until `span` from now; then the cluster has moved on.
    pub(crate) fn advance(&mut self, span: Duration) {
        self.wait(span);
        self.live();
    }

    /// Until `span` from now: every wake-up of the engine in between is kept.
    pub(crate) fn wait(&mut self, span: Duration) {
        let end = self.now.plus(span);
        loop {
            let wake = self.engine.next_wake().max(self.now);
            if wake > end {
                break;
            }
            self.now = wake;
            self.settle();
        }
        self.now = end;
    }

    /// Pods start, the HPA looks, and both are seen.
    pub(crate) fn live(&mut self) {
        let now = self.now;
        for pods in self.pods.values_mut() {
            pods.live(now);
        }
        for (target, hpa) in &mut self.hpas {
            let pods = self.pods.get_mut(target).unwrap();
            if let Some(to) = hpa.sync(pods.replicas, now) {
                pods.scale(to, now);
            }
        }
        self.tell_all_targets();
    }

    /// One tick of the sources of all policies, all of them answering well.
    pub(crate) fn tick(&mut self) {
        self.tick_with(|_| None);
    }

    /// One tick; `fault` says what goes wrong for whom.
    pub(crate) fn tick_with(&mut self, fault: impl Fn(&PolicyKey) -> Option<Fault>) {
        let resolution = self.services.values().map(|service| service.policy.resolution).min().unwrap();
        self.advance(resolution);
        let keys: Vec<_> = self.services.keys().cloned().collect();
        for key in keys {
            self.sample(&key, fault(&key));
        }
        self.settle();
    }

    /// Ticks for so long.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now.plus(span);
        while self.now < end {
            self.tick();
        }
    }

    /// The process dies and another one takes over. `back_fill`: how far the source's past is asked for.
    pub(crate) fn restart(&mut self, back_fill: Option<Duration>) {
        self.epoch = self.store.epoch().max(self.epoch) + 1;
        self.engine = Engine::new(self.epoch);
        let namespaces: BTreeSet<_> = self.pods.keys().map(|target| Arc::clone(&target.namespace)).collect();
        for namespace in &namespaces {
            self.tell_table(namespace);
        }
        let now = self.now;
        for (key, service) in &self.services {
            self.engine.observe(Event::Policy(key.clone(), Arc::clone(&service.policy)), now);
            self.engine.observe(Event::Overrides(key.clone(), service.overrides.clone()), now);
            if let Some(span) = back_fill {
                let from = now.minus(span);
                let samples: Vec<_> = service.past.iter().copied().filter(|sample| sample.at >= from).collect();
                for place in 0..service.policy.signals.len() {
                    self.engine.observe(Event::History(key.clone(), place, samples.clone()), now);
                }
            }
        }
        self.deaf = false;
        self.tell_all_targets();
        self.settle();
    }

    /// The process dies. The cluster lives on, and is played on, until [`World::restart`].
    pub(crate) fn crash(&mut self) {
        // Told of nothing but what happens from now on, it knows no table and writes nothing.
        self.engine = Engine::new(0);
    }

    /// Tells one policy's tick.
    pub(crate) fn sample(&mut self, key: &PolicyKey, fault: Option<Fault>) {
        let now = self.now;
        let Some(service) = self.services.get_mut(key) else { return };
        // What the source could not say then it can't say later.
        if fault.is_none_or(|fault| fault != Fault::Drop && !fault.blinds(&service.policy) || fault == Fault::NoErrors)
        {
            service.past.push(sample(service.truth.load, now));
        }
        let mut tell = Vec::new();
        let present = observation(&service.policy, service.truth, fault, now);
        match fault {
            Some(Fault::Reorder) => {
                tell.extend(service.late.take());
                service.late = present;
            }
            Some(Fault::Duplicate) => {
                tell.extend(present.clone());
                tell.extend(present);
                tell.extend(service.late.take());
            }
            _ => {
                tell.extend(present);
                tell.extend(service.late.take());
            }
        }
        for observation in tell {
            self.engine.observe(Event::Observed(key.clone(), observation), now);
        }
    }

    /// Polls and carries out until nothing more is to be written.
    pub(crate) fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 40, "writes without end: {:?}", &self.wrote[self.wrote.len().saturating_sub(6)..]);
            let writes = self.engine.poll(self.now);
            self.look();
            if writes.is_empty() {
                break;
            }
            for write in writes {
                let outcome = self.carry_out(&write);
                self.engine.acknowledged(&write, outcome, self.now);
                self.wrote.push((self.now, write, outcome));
            }
            self.tell_all_targets();
        }
        assert!(self.engine.next_wake() > self.now, "it would spin");
        assert_eq!(self.engine.poll(self.now), [], "a poll with nothing due wrote something");
        if self.api != Api::Up || self.deaf {
            self.troubled_at = self.now;
        } else if self.now.since(self.troubled_at) > LONGEST_RETRY {
            self.all_stand();
        }
    }

    fn look(&mut self) {
        let now = self.now;
        self.notices.extend(self.engine.notices().into_iter().map(|(key, notice)| (now, key, notice)));
        self.changed.extend(self.engine.changed());
        for (key, decision) in self.engine.decisions() {
            says_why(key, decision);
        }
    }

    /// Nothing that floorkeeper keeps stands below its stored floor.
    fn all_stand(&self) {
        for (target, pods) in &self.pods {
            let keeps = self.services.iter().filter(|(_, service)| service.policy.target == *target);
            let kept = keeps.filter(|(_, service)| service.policy.mode != Mode::Observe).filter_map(|(key, _)| {
                let decision = self.engine.decision(key)?;
                decision.problem.is_none().then_some(decision)
            });
            if kept.count() > 0
                && let Some(floor) = self.store.floor(target)
            {
                assert!(pods.replicas >= floor, "{target} stands at {} below its floor of {floor}", pods.replicas);
            }
        }
    }

    fn carry_out(&mut self, write: &Write) -> Outcome {
        match write {
            Write::Floors { namespace, rows, vanish } => self.write_table(namespace, rows, vanish),
            Write::Replicas(write) => self.write_replicas(write),
            Write::Bounds(write) => self.write_bounds(write),
        }
    }

    fn write_table(
        &mut self,
        namespace: &Arc<str>,
        rows: &[(TargetKey, floorkeeper_core::Standing)],
        vanish: &[TargetKey],
    ) -> Outcome {
        let raises_only = vanish.is_empty()
            && rows.iter().all(|(target, row)| {
                !row.released && self.store.row(target).is_none_or(|old| row.replicas >= old.replicas)
            });
        match self.api {
            Api::Failing => return Outcome::Failed,
            Api::Conflicting => {
                self.tell_table(namespace);
                return Outcome::Conflict;
            }
            Api::Up => {}
        }
        match self.store.write(rows, vanish) {
            Ok(()) => Outcome::Done,
            Err(refused) => {
                assert!(!raises_only || refused == Refused::EpochFell, "a raise was refused: {refused:?} {rows:?}");
                self.tell_table(namespace);
                Outcome::Conflict
            }
        }
    }

    fn write_replicas(&mut self, write: &Replicas) -> Outcome {
        let lowers = write.to < write.from;
        if lowers && let Some(floor) = self.store.floor(&write.target) {
            assert!(write.to >= floor, "replicas lowered to {} before the floor of {floor} was", write.to);
        }
        match self.api {
            Api::Failing => return Outcome::Failed,
            Api::Conflicting => return Outcome::Conflict,
            Api::Up => {}
        }
        let now = self.now;
        let Some(pods) = self.pods.get_mut(&write.target) else { return Outcome::Failed };
        if lowers && pods.version() != *write.version {
            return Outcome::Conflict;
        }
        if lowers || pods.replicas < write.to {
            pods.scale(write.to, now);
        }
        Outcome::Done
    }

    fn write_bounds(&mut self, write: &ScalerBounds) -> Outcome {
        let Some(hpa) = self.hpas.get_mut(&write.target) else { return Outcome::Failed };
        if write.bounds.min < hpa.min
            && write.kept.is_some()
            && let Some(floor) = self.store.floor(&write.target)
        {
            let min = write.bounds.min;
            assert!(min >= floor, "the scaler's minimum lowered to {min} before the floor of {floor} was");
        }
        assert!(write.bounds.min <= write.bounds.max, "an HPA with {:?} is invalid", write.bounds);
        match self.api {
            Api::Failing => return Outcome::Failed,
            Api::Conflicting => return Outcome::Conflict,
            Api::Up => {}
        }
        if hpa.version() == *write.version {
            let lowers = write.bounds.min < hpa.min || write.bounds.max < hpa.max;
            // What is given back is conditional whatever it does.
            assert!(write.lowers == lowers || (write.lowers && write.kept.is_none()), "{write:?} over {hpa:?}");
        }
        if write.lowers && hpa.version() != *write.version {
            return Outcome::Conflict;
        }
        hpa.write(write.bounds, write.kept);
        // The real one looks every 15 s; raising to its minimum is what it does first.
        Outcome::Done
    }

    pub(crate) fn tell_table(&mut self, namespace: &Arc<str>) {
        let rows = self.store.table(namespace);
        self.engine.observe(Event::Table { namespace: Arc::clone(namespace), rows }, self.now);
    }

    fn tell_target(&mut self, target: &TargetKey) {
        if self.deaf {
            return;
        }
        let seen = self.pods.get(target).map(Pods::seen);
        let scaler = self.hpas.get(target).map(Hpa::seen);
        self.engine.observe(Event::Target(target.clone(), seen), self.now);
        self.engine.observe(Event::Scaler(target.clone(), scaler), self.now);
    }

    pub(crate) fn tell_all_targets(&mut self) {
        let targets: Vec<_> = self.pods.keys().cloned().collect();
        for target in &targets {
            self.tell_target(target);
        }
    }
}

/// A write that failed is tried again after so long at most.
const LONGEST_RETRY: Duration = Duration::from_secs(15);

/// Far enough from zero that everything has a past.
pub(crate) const START: Timestamp = Timestamp(1_709_600_000_000);
