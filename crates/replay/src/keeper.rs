//! floorkeeper's own engine in virtual time: events in, writes carried out, outcomes told, as the controller does it.

use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{
    Action, Decision, Engine, ErrorAnswer, Event, Evidence, Mode, Notice, Observation, Outcome, Override, Policy,
    PolicyKey, Replicas, Rollout, Sample, ScalerBounds, SignalAnswer, Target, TargetKey, Timestamp, Trust, Write,
};
use floorkeeper_sim::scenario::Series;

use crate::guarded::Guarded;
use crate::peers::Sight;
use crate::sky::Sky;
use crate::store::Store;
use crate::workload::Workload;

/// The engine, its store, and what it was told of each workload.
pub(crate) struct Keeper {
    engine: Engine,
    store: Store,
    epoch: u64,
    copies: Vec<Copy>,
    signals: Vec<Series>,
    /// The process is dead until then (seconds from minute 0).
    dead_until: Option<f64>,
    /// Admission policies stand in the API server.
    admission: bool,
    alarms: u32,
    /// The load of the days before.
    past: Vec<(Timestamp, f64)>,
}

/// One policy and the workload under it.
struct Copy {
    key: PolicyKey,
    target: TargetKey,
    policy: Arc<Policy>,
    overrides: Vec<Override>,
    /// The scaler under guard.
    guarded: Option<Guarded>,
    /// What was last told of the target: its changes, and the version that it got.
    told: Option<u64>,
    version: Arc<str>,
    alarmed: bool,
}

impl Keeper {
    pub(crate) fn new(policy: &Policy, guarded: Vec<Option<Guarded>>, admission: bool) -> Self {
        let signals = policy.signals.iter().map(|signal| series_of(&signal.name)).collect();
        let copies = guarded.into_iter().enumerate().map(|(place, guarded)| Copy::new(policy, place, guarded));
        Self {
            engine: Engine::new(1),
            store: Store::default(),
            epoch: 1,
            copies: copies.collect(),
            signals,
            dead_until: None,
            admission,
            alarms: 0,
            past: Vec::new(),
        }
    }

    /// Everything is told for the first time, or again to a new process.
    pub(crate) fn begin(&mut self, workloads: &[Workload], now: f64) {
        let at = workloads.first().map_or(Timestamp(0), |workload| workload.pipeline.time(now));
        for copy in &mut self.copies {
            let rows = self.store.table(&copy.key.namespace);
            self.engine.observe(Event::Table { namespace: Arc::clone(&copy.key.namespace), rows }, at);
            self.engine.observe(Event::Policy(copy.key.clone(), Arc::clone(&copy.policy)), at);
            if !copy.overrides.is_empty() {
                self.engine.observe(Event::Overrides(copy.key.clone(), copy.overrides.clone()), at);
            }
            copy.told = None;
        }
    }

    /// The days before, as a source would tell of them: for what is learned.
    pub(crate) fn remember(&mut self, past: Vec<(Timestamp, f64)>) {
        self.past = past;
        self.tell_past();
    }

    fn tell_past(&mut self) {
        let Some(&(end, _)) = self.past.last() else { return };
        let evidence =
            Evidence { oldest: Some(Duration::from_secs(5)), series: Some(1), partial: false, vouched: false };
        let samples: Vec<_> = self.past.iter().map(|&(at, value)| Sample { value, at, evidence }).collect();
        for copy in &self.copies {
            for place in 0..copy.policy.signals.len() {
                self.engine.observe(Event::Past(copy.key.clone(), place, samples.clone()), end);
            }
        }
    }

    /// One tick: what happened is told, a source is asked, and what follows is written.
    pub(crate) fn step(&mut self, workloads: &mut [Workload], sky: &Sky, base: &Sight<'_>) {
        let at = workloads.first().map_or(Timestamp(0), |workload| workload.pipeline.time(sky.now));
        for (place, workload) in workloads.iter_mut().enumerate() {
            let guarded = self.copies.get_mut(place).and_then(|copy| copy.guarded.as_mut());
            if let Some(to) = guarded.and_then(|guarded| guarded.sync(workload, sky, base)) {
                self.foreign_scale(place, workload, to, sky.now);
            }
        }
        match self.dead_until {
            Some(until) if sky.now < until => return,
            Some(_) => self.revive(workloads, sky),
            None => {}
        }
        for (copy, workload) in self.copies.iter().zip(workloads.iter()) {
            let observation = observation(&copy.policy, &self.signals, workload, sky);
            self.engine.observe(Event::Observed(copy.key.clone(), observation), at);
        }
        self.settle(workloads, sky.now, at);
        self.listen(sky);
    }

    /// The process ends, and another one takes over `seconds` later.
    pub(crate) fn die(&mut self, now: f64, seconds: f64) {
        self.dead_until = Some(now + seconds);
    }

    /// Somebody else writes `spec.replicas`: admission lets no write land below the floor.
    pub(crate) fn foreign_scale(&self, place: usize, workload: &mut Workload, to: u32, now: f64) {
        let floor = self.copies.get(place).and_then(|copy| self.store.floor(&copy.target));
        let least = if self.admission { floor.unwrap_or(0) } else { 0 };
        let to = if to < workload.pods.wanted() { to.max(least.min(workload.pods.wanted())) } else { to };
        workload.pods.scale(to, now);
    }

    /// A person pins the replicas of every copy.
    pub(crate) fn pin(&mut self, replicas: u32, from: Timestamp, until: Timestamp) {
        for copy in &mut self.copies {
            copy.overrides = vec![Override { name: "by-hand".into(), action: Action::Pin(replicas), from, until }];
            self.engine.observe(Event::Overrides(copy.key.clone(), copy.overrides.clone()), from);
        }
    }

    /// Every policy is deleted and created again.
    pub(crate) fn recreate(&mut self, at: Timestamp) {
        for copy in &mut self.copies {
            self.engine.observe(Event::PolicyGone(copy.key.clone()), at);
            let policy = Policy { created: at, ..(*copy.policy).clone() };
            copy.policy = Arc::new(policy);
            self.engine.observe(Event::Policy(copy.key.clone(), Arc::clone(&copy.policy)), at);
        }
    }

    /// Somebody edits the minimum: the scaler's, or the policy's own where no scaler is.
    pub(crate) fn edit_minimum(&mut self, to: u32, at: Timestamp) {
        for copy in &mut self.copies {
            if let Some(guarded) = &mut copy.guarded {
                guarded.edit_minimum(to);
            } else {
                copy.policy = Arc::new(Policy { min_replicas: Some(to), ..(*copy.policy).clone() });
                self.engine.observe(Event::Policy(copy.key.clone(), Arc::clone(&copy.policy)), at);
            }
            copy.told = None;
        }
    }

    /// Somebody deletes the scaler under guard.
    pub(crate) fn delete_scaler(&mut self) {
        for copy in &mut self.copies {
            copy.guarded = None;
            copy.told = None;
        }
    }

    /// Different objects that alarmed so far.
    pub(crate) fn alarms(&self) -> u32 {
        self.alarms
    }

    /// The last decision about the first copy.
    pub(crate) fn decision(&self) -> Option<&Decision> {
        self.engine.decision(&self.copies.first()?.key)
    }

    fn revive(&mut self, workloads: &[Workload], sky: &Sky) {
        self.dead_until = None;
        self.epoch = self.store.epoch().max(self.epoch) + 1;
        self.engine = Engine::new(self.epoch);
        self.begin(workloads, sky.now);
        if sky.down {
            return;
        }
        self.tell_past();
        for (copy, workload) in self.copies.iter().zip(workloads) {
            let at = workload.pipeline.time(sky.now);
            let since = sky.now - copy.policy.memory().as_secs_f64();
            for (place, series) in self.signals.iter().enumerate() {
                let counter = match series {
                    Series::App => &workload.pipeline.app,
                    Series::Edge | Series::Errors | Series::Cpu => &workload.pipeline.edge,
                };
                let found = workload.found(*series, sky);
                let samples: Vec<Sample> = counter
                    .history(since)
                    .filter_map(|(at, value)| {
                        match workload.pipeline.answer(
                            crate::pipeline::Found { value: Some(value), at, ..found },
                            &Sky { now: at, ..sky.clone() },
                        ) {
                            floorkeeper_core::Answer::Value(sample) => Some(sample),
                            floorkeeper_core::Answer::Empty
                            | floorkeeper_core::Answer::Several(_)
                            | floorkeeper_core::Answer::Failed(_) => None,
                        }
                    })
                    .collect();
                self.engine.observe(Event::History(copy.key.clone(), place, samples), at);
            }
        }
    }

    /// Polls and carries out until nothing more is to be written.
    fn settle(&mut self, workloads: &mut [Workload], now: f64, at: Timestamp) {
        for _ in 0..MOST_ROUNDS {
            for (copy, workload) in self.copies.iter_mut().zip(workloads.iter()) {
                copy.tell(&mut self.engine, workload, at);
            }
            let writes = self.engine.poll(at);
            if writes.is_empty() {
                return;
            }
            for write in writes {
                let outcome = self.carry_out(&write, workloads, now, at);
                self.engine.acknowledged(&write, outcome, at);
            }
        }
    }

    fn carry_out(&mut self, write: &Write, workloads: &mut [Workload], now: f64, at: Timestamp) -> Outcome {
        match write {
            Write::Floors { namespace, rows, vanish } => {
                if self.store.write(rows, vanish) {
                    return Outcome::Done;
                }
                let rows = self.store.table(namespace);
                self.engine.observe(Event::Table { namespace: Arc::clone(namespace), rows }, at);
                Outcome::Conflict
            }
            Write::Replicas(write) => self.write_replicas(write, workloads, now),
            Write::Bounds(write) => self.write_bounds(write),
        }
    }

    fn write_replicas(&self, write: &Replicas, workloads: &mut [Workload], now: f64) -> Outcome {
        let Some(place) = self.copies.iter().position(|copy| copy.target == write.target) else {
            return Outcome::Failed;
        };
        let (copy, workload) = (&self.copies[place], &mut workloads[place]);
        if write.to < write.from && copy.version != write.version {
            return Outcome::Conflict;
        }
        if write.to > write.from && workload.pods.wanted() >= write.to {
            return Outcome::Unneeded;
        }
        workload.pods.scale(write.to, now);
        Outcome::Done
    }

    fn write_bounds(&mut self, write: &ScalerBounds) -> Outcome {
        let copy = self.copies.iter_mut().find(|copy| copy.target == write.target);
        match copy.and_then(|copy| copy.guarded.as_mut()) {
            Some(guarded) => guarded.write(write),
            None => Outcome::Failed,
        }
    }

    /// Conditions that turn False, and the brake's one alert.
    fn listen(&mut self, sky: &Sky) {
        let braked = self.engine.notices().iter().any(|(_, notice)| matches!(notice, Notice::BrakeBegan { .. }));
        self.engine.changed();
        if sky.now < 0.0 {
            return;
        }
        for copy in &mut self.copies {
            let Some(decision) = self.engine.decision(&copy.key) else { continue };
            let alarming = decision.trust != Trust::Trusted || decision.problem.is_some();
            if alarming && !copy.alarmed || braked {
                self.alarms += 1;
            }
            copy.alarmed = alarming;
            if braked {
                break;
            }
        }
    }
}

impl Copy {
    fn new(policy: &Policy, place: usize, guarded: Option<Guarded>) -> Self {
        let namespace = format!("copy-{place}");
        let target = TargetKey::new(&namespace, "deployments.apps", "service");
        let mode = if guarded.is_some() { Mode::Guard } else { Mode::Autoscale };
        let policy = Policy { target: target.clone(), mode, ..policy.clone() };
        Self {
            key: PolicyKey::new(&namespace, "service"),
            target,
            policy: Arc::new(policy),
            overrides: Vec::new(),
            guarded,
            told: None,
            version: "".into(),
            alarmed: false,
        }
    }

    /// The watches: a target that changed, and the scaler under guard.
    fn tell(&mut self, engine: &mut Engine, workload: &Workload, at: Timestamp) {
        let changes = workload.pods.changes();
        if self.told == Some(changes) && self.guarded.as_ref().is_none_or(|guarded| !guarded.is_news()) {
            return;
        }
        if self.told.is_none() || self.told != Some(changes) {
            self.version = changes.to_string().into();
        }
        let target = Target {
            uid: Arc::clone(&self.target.name),
            version: Arc::clone(&self.version),
            replicas: workload.pods.wanted(),
            ready: Some(workload.pods.ready()),
            rollout: Rollout::Done,
            template: 1,
        };
        engine.observe(Event::Target(self.target.clone(), Some(target)), at);
        if self.told.is_none() || self.guarded.as_ref().is_some_and(Guarded::is_news) {
            let scaler = self.guarded.as_mut().map(Guarded::seen);
            engine.observe(Event::Scaler(self.target.clone(), scaler), at);
        }
        self.told = Some(changes);
    }
}

/// One tick of the source, as the observer tells it.
fn observation(policy: &Policy, signals: &[Series], workload: &Workload, sky: &Sky) -> Observation {
    let pipeline = &workload.pipeline;
    let signals = policy.signals.iter().zip(signals).map(|(signal, series)| {
        let found = workload.found(*series, sky);
        let backlog = signal.drain_within.map(|_| {
            let waiting = found.value.map(|_| pipeline.backlog);
            pipeline.answer(crate::pipeline::Found { value: waiting, ..found }, sky)
        });
        SignalAnswer { load: pipeline.answer(found, sky), backlog }
    });
    let errors = policy.errors.map(|_| ErrorAnswer {
        failed: pipeline.answer(pipeline.failed.found(sky.now, &sky.errors), sky),
        total: pipeline.answer(pipeline.total.found(sky.now, &sky.errors), sky),
    });
    Observation { signals: signals.collect(), errors }
}

/// Which series a policy's signal reads, by its name: `app` what the service counts itself, all others the edge.
fn series_of(signal: &str) -> Series {
    if signal == "app" { Series::App } else { Series::Edge }
}

/// Far more rounds of writes than a tick can need.
const MOST_ROUNDS: u32 = 40;
