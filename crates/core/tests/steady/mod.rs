//! A fleet on an ordinary day: every policy hears its tick, nothing changes. Shared with the bench.

use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{
    Answer, Engine, ErrorAnswer, Errors, Event, Evidence, Mode, Observation, Outcome, Policy, PolicyKey, Rollout,
    Sample, Scaler, ScalerKind, Signal, SignalAnswer, Target, TargetKey, Timestamp, UnusualFall, ZeroMeans,
};

/// Policies that are all settled.
pub(crate) struct Fleet {
    pub engine: Engine,
    pub now: Timestamp,
    keys: Vec<PolicyKey>,
    ticks: u64,
}

/// How often every source is asked.
pub(crate) const TICK: Duration = Duration::from_secs(15);

impl Fleet {
    /// Ten policies a namespace, guarded HPAs, an hour old.
    pub(crate) fn of(policies: usize) -> Self {
        Self::driven_by(Engine::new(1), policies)
    }

    /// The same, told to this engine.
    pub(crate) fn driven_by(engine: Engine, policies: usize) -> Self {
        let mut fleet = Self::told_to(engine, policies);
        for _ in 0..240 {
            fleet.tick();
        }
        fleet
    }

    /// The same, and no tick was heard yet.
    pub(crate) fn told_to(engine: Engine, policies: usize) -> Self {
        let mut fleet = Self { engine, now: Timestamp(1_709_600_400_000), keys: Vec::new(), ticks: 0 };
        for n in 0..policies {
            let namespace = format!("team-{}", n / 10);
            let name = format!("web-{n}");
            let target = TargetKey::new(&namespace, "deployments.apps", &name);
            let key = PolicyKey::new(&namespace, &name);
            let now = fleet.now;
            if n % 10 == 0 {
                fleet.engine.observe(Event::Table { namespace: namespace.as_str().into(), rows: Vec::new() }, now);
            }
            fleet.engine.observe(Event::Policy(key.clone(), Arc::new(policy(target.clone()))), now);
            fleet.engine.observe(Event::Target(target.clone(), Some(pods())), now);
            fleet.engine.observe(Event::Scaler(target, Some(hpa())), now);
            fleet.keys.push(key);
        }
        fleet
    }

    /// The observations of the next tick, as a source's loop would hand them over.
    pub(crate) fn observations(&self) -> Vec<Event> {
        let at = self.now.plus(TICK);
        // A load that wobbles, inside one replica's worth.
        let wobble = (self.ticks % 7) as f64 / 10.0;
        self.keys.iter().map(|key| Event::Observed(key.clone(), observation(79.0 + wobble, at))).collect()
    }

    /// Hears a tick and decides; how many writes followed.
    pub(crate) fn hear(&mut self, events: Vec<Event>) -> usize {
        self.now = self.now.plus(TICK);
        self.ticks += 1;
        for event in events {
            self.engine.observe(event, self.now);
        }
        self.settle()
    }

    /// Lets so much time pass that every policy decides again by itself; how many writes followed.
    pub(crate) fn wake(&mut self) -> usize {
        self.now = self.now.plus(Duration::from_secs(1)).max(self.engine.next_wake());
        self.settle()
    }

    pub(crate) fn tick(&mut self) -> usize {
        let events = self.observations();
        self.hear(events)
    }

    /// How many policies are there.
    pub(crate) fn decided(&self) -> usize {
        self.engine.decisions().count()
    }

    fn settle(&mut self) -> usize {
        let mut written = 0;
        for round in 0.. {
            assert!(round < 40, "writes without end");
            let writes = self.engine.poll(self.now);
            if writes.is_empty() {
                break;
            }
            written += writes.len();
            for write in writes {
                self.engine.acknowledged(&write, Outcome::Done, self.now);
            }
        }
        written
    }
}

fn observation(load: f64, at: Timestamp) -> Observation {
    let evidence = Evidence { oldest: Some(Duration::from_secs(5)), series: Some(12), partial: false, vouched: false };
    let answer = |value| Answer::Value(Sample { value, at, evidence });
    Observation {
        signals: vec![SignalAnswer { load: answer(load), backlog: None }],
        errors: Some(ErrorAnswer { failed: answer(load / 1000.0), total: answer(load) }),
    }
}

fn pods() -> Target {
    Target { uid: "u".into(), version: "1".into(), replicas: 10, ready: Some(10), rollout: Rollout::Done, template: 1 }
}

fn hpa() -> Scaler {
    Scaler {
        kind: ScalerKind::HorizontalPodAutoscaler,
        name: "web".into(),
        uid: "h".into(),
        version: "1".into(),
        min: 2,
        max: 40,
        idle: None,
        kept: None,
        owned: false,
    }
}

fn policy(target: TargetKey) -> Policy {
    Policy {
        target,
        mode: Mode::Guard,
        min_replicas: None,
        max_replicas: None,
        signals: vec![Signal {
            name: "edge".into(),
            capacity: Some(10.0),
            max_age: Duration::from_secs(120),
            zero: ZeroMeans::Evidence,
            drain_within: None,
        }],
        headroom_percent: 25,
        errors: Some(Errors { above: 0.05, min_rate: 1.0 }),
        unready_percent: 25,
        depends_on: Vec::new(),
        fall: UnusualFall {
            hold_for: Duration::from_secs(3600),
            keep_percent: 80,
            keep_for: Duration::from_secs(8 * 3600),
            until_learned_percent: 50,
            usual_days: UnusualFall::USUAL_DAYS,
        },
        hold_at_most: Duration::from_secs(24 * 3600),
        window: Duration::from_secs(600),
        half_life: Duration::from_secs(3600),
        verify_for: Duration::from_secs(120),
        resolution: TICK,
        source: "default".into(),
        created: Timestamp(0),
    }
}
