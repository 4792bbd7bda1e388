//! Random policies and random histories, as plain data that can be played again.

use std::fmt;
use std::time::Duration;

use floorkeeper_core::{
    Action, Errors, Mode, Override, Policy, PolicyKey, Rollout, Signal, TargetKey, UnusualFall, ZeroMeans,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::cluster::{Hpa, Pods};
use super::source::Fault;
use super::{Api, START, World};

/// A policy and the workload under it.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub policy: Policy,
    pub replicas: u32,
    pub start_delay: Duration,
    /// The HPA's stabilisation, where there is one.
    pub stabilisation: Duration,
}

/// One tick of the world.
#[derive(Clone)]
pub(crate) struct Tick {
    /// Replicas' worth of offered load, before headroom.
    pub load: f64,
    pub errors: f64,
    /// Share of the pods that are not ready.
    pub broken_percent: u32,
    pub fault: Option<Fault>,
    pub incident: Option<Incident>,
}

/// One line a tick, so that a failing history can be read.
impl fmt::Debug for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { load, errors, broken_percent, fault, incident } = self;
        write!(f, "load {load:.2}, errors {errors:.3}, broken {broken_percent} %")?;
        match (fault, incident) {
            (None, None) => Ok(()),
            (fault, incident) => write!(f, ", {fault:?}, {incident:?}"),
        }
    }
}

/// What else happens.
#[derive(Clone, Debug)]
pub(crate) enum Incident {
    RolloutBegins,
    RolloutEnds,
    DependencyFails,
    DependencyHeals,
    ForeignWrite(u32),
    /// The HPA's own metrics ask for this.
    Wish(u32),
    Api(Api),
    Deaf(bool),
    Order(Action, u64),
    NoOrder,
    /// The largest number of replicas is edited.
    Maximum(u32),
}

pub(crate) fn web() -> PolicyKey {
    PolicyKey::new("shop", "web")
}

pub(crate) fn web_target() -> TargetKey {
    TargetKey::new("shop", "deployments.apps", "web")
}

pub(crate) fn writer() -> TargetKey {
    TargetKey::new("shop", "deployments.apps", "writer")
}

/// Load that one replica of [`policy`] carries.
pub(crate) const CAPACITY: f64 = 10.0;

/// The policy that most tests start from: the API's defaults.
pub(crate) fn policy() -> Policy {
    Policy {
        target: web_target(),
        mode: Mode::Guard,
        min_replicas: Some(2),
        max_replicas: Some(60),
        signals: vec![Signal {
            name: "edge".into(),
            capacity: Some(CAPACITY),
            max_age: Duration::from_secs(120),
            zero: ZeroMeans::Evidence,
            drain_within: None,
        }],
        headroom_percent: 25,
        errors: Some(Errors { above: 0.05, min_rate: 1.0 }),
        unready_percent: 25,
        depends_on: vec![writer()],
        fall: UnusualFall {
            hold_for: minutes(60),
            keep_percent: 80,
            keep_for: minutes(8 * 60),
            until_learned_percent: 50,
            usual_days: UnusualFall::USUAL_DAYS,
        },
        hold_at_most: minutes(24 * 60),
        window: minutes(10),
        half_life: minutes(60),
        verify_for: minutes(2),
        resolution: Duration::from_secs(15),
        source: "default".into(),
        created: START,
    }
}

/// A workload named `web` in each of these namespaces, guarded and settled at a floor of 17.
pub(crate) fn fleet<T: AsRef<str>>(namespaces: impl IntoIterator<Item = T>) -> (World, Vec<(PolicyKey, TargetKey)>) {
    let mut world = World::new();
    let fleet: Vec<_> = namespaces.into_iter().map(|namespace| named(namespace.as_ref())).collect();
    for (key, target) in &fleet {
        world.add_target(target, Pods::new("web", 17, Duration::ZERO), Some(Hpa::new(3, 60, Duration::ZERO)));
        world.add_policy(key, Policy { target: target.clone(), depends_on: Vec::new(), ..policy() });
        world.truth(key).load = 13.0 * CAPACITY;
    }
    world.run(minutes(90));
    (world, fleet)
}

/// The workload `web` of a namespace, and its policy.
pub(crate) fn named(namespace: &str) -> (PolicyKey, TargetKey) {
    (PolicyKey::new(namespace, "web"), TargetKey::new(namespace, "deployments.apps", "web"))
}

/// The namespaces of so many shops.
pub(crate) fn shops(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("shop-{n}"))
}

pub(crate) const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

impl Setup {
    /// The world at the start of a history: one clean tick is seen.
    pub(crate) fn world(&self) -> World {
        let mut world = World::new();
        let hpa = (self.policy.mode == Mode::Guard).then(|| Hpa::new(1, 100, self.stabilisation));
        world.add_target(&writer(), Pods::new("writer", 3, Duration::ZERO), None);
        world.add_target(&web_target(), Pods::new("web", self.replicas, self.start_delay), hpa);
        world.add_policy(&web(), self.policy.clone());
        world.truth(&web()).load = f64::from(self.replicas) * CAPACITY * 0.8;
        world.tick();
        world
    }
}

impl World {
    /// Plays one tick.
    pub(crate) fn play(&mut self, tick: &Tick) {
        self.approach(tick);
        self.arrive(tick.fault);
    }

    /// All that happens before the tick's sample is taken, the engine's own wake-ups included.
    pub(crate) fn approach(&mut self, tick: &Tick) {
        let truth = self.truth(&web());
        truth.load = tick.load * CAPACITY;
        truth.errors = tick.errors;
        let pods = self.pods.get_mut(&web_target()).unwrap();
        pods.broken = (pods.replicas * tick.broken_percent).div_ceil(100);
        if let Some(incident) = &tick.incident {
            self.happen(incident);
        }
        self.live();
        self.settle();
        // What is due at the very moment of the sample is decided with it.
        let resolution = self.policy(&web()).resolution;
        self.wait(resolution - Duration::from_millis(1));
    }

    /// The tick's sample.
    pub(crate) fn arrive(&mut self, fault: Option<Fault>) {
        self.now = self.now.plus(Duration::from_millis(1));
        self.sample(&web(), fault);
        self.settle();
    }

    fn happen(&mut self, incident: &Incident) {
        match *incident {
            Incident::RolloutBegins => {
                let pods = self.pods.get_mut(&web_target()).unwrap();
                pods.rollout = Rollout::Progressing { deadline: minutes(10) };
                pods.template += 1;
            }
            Incident::RolloutEnds => self.pods.get_mut(&web_target()).unwrap().rollout = Rollout::Done,
            Incident::DependencyFails => self.pods.get_mut(&writer()).unwrap().broken = 3,
            Incident::DependencyHeals => self.pods.get_mut(&writer()).unwrap().broken = 0,
            Incident::ForeignWrite(to) => self.foreign_scale(&web_target(), to),
            Incident::Wish(wish) => {
                if let Some(hpa) = self.hpas.get_mut(&web_target()) {
                    hpa.wish = wish;
                }
            }
            Incident::Api(api) => self.api = api,
            Incident::Deaf(deaf) => self.deaf = deaf,
            Incident::Order(action, seconds) => {
                let until = self.now.plus(Duration::from_secs(seconds));
                self.order(&web(), vec![Override { name: "order".into(), action, from: self.now, until }]);
            }
            Incident::NoOrder => self.order(&web(), Vec::new()),
            Incident::Maximum(max) => self.edit_policy(&web(), |policy| policy.max_replicas = Some(max)),
        }
    }
}

/// Any policy that the border lets through, with spans short enough that a history of some hundred ticks meets them.
pub(crate) fn setups() -> impl Strategy<Value = Setup> {
    let shape = (
        prop_oneof![Just(Mode::Guard), Just(Mode::Autoscale)],
        0_u32..4,
        8_u32..60,
        prop::bool::ANY,
        1_u32..60,
        prop_oneof![Just(0_u64), Just(15), Just(45)],
    );
    let spans = (
        prop_oneof![Just(60_u64), Just(120), Just(300)],
        prop_oneof![Just(120_u64), Just(600), Just(3600)],
        prop_oneof![Just(0_u64), Just(30), Just(60)],
        prop_oneof![Just(60_u64), Just(300), Just(1200)],
        0_u64..1200,
        20_u32..100,
        10_u32..90,
        prop_oneof![Just(86_400_u64)],
    );
    (shape, spans).prop_map(
        |(
            (mode, min, max, errors, replicas, start_delay),
            (window, half_life, verify, hold_for, keep, keep_percent, until_learned, hold_at_most),
        )| {
            let seconds = Duration::from_secs;
            let base = policy();
            let fall = UnusualFall {
                hold_for: seconds(hold_for),
                keep_percent,
                keep_for: seconds(hold_for + keep),
                until_learned_percent: until_learned,
                usual_days: UnusualFall::USUAL_DAYS,
            };
            let policy = Policy {
                mode,
                min_replicas: Some(min),
                max_replicas: Some(max),
                errors: if errors { base.errors } else { None },
                window: seconds(window),
                half_life: seconds(half_life),
                verify_for: seconds(verify),
                fall,
                hold_at_most: seconds(hold_at_most),
                ..base
            };
            Setup { policy, replicas: replicas.min(max), start_delay: seconds(start_delay), stabilisation: seconds(60) }
        },
    )
}

/// A history of segments: a level of load, of errors and of broken pods for some ticks, with faults and incidents.
pub(crate) fn histories(segments: usize) -> impl Strategy<Value = Vec<Tick>> {
    prop::collection::vec(segment(), 1..segments).prop_map(|segments| segments.into_iter().flatten().collect())
}

fn segment() -> impl Strategy<Value = Vec<Tick>> {
    let load = prop_oneof![2 => Just(0.0), 2 => 0.1_f64..2.0, 6 => 1.0_f64..50.0, 1 => 50.0_f64..500.0];
    let errors = prop_oneof![6 => Just(0.0), 1 => 0.0_f64..0.05, 1 => 0.05_f64..1.0];
    let broken = prop_oneof![8 => Just(0_u32), 1 => 0_u32..100];
    let faults = prop_oneof![
        6 => Just((0_u32, Fault::Drop)),
        2 => (1_u32..100, prop::sample::select(Fault::ALL.to_vec())),
    ];
    let incident = prop_oneof![6 => Just(None), 3 => incidents().prop_map(Some)];
    (1_usize..40, load, errors, broken, faults, incident, any::<u64>()).prop_map(
        |(ticks, load, errors, broken_percent, (percent, fault), incident, mut seed)| {
            (0..ticks)
                .map(|n| {
                    // A few steps of a linear congruence: the same segment is the same again.
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let dice = (seed >> 33) % 100;
                    let wobble = 1.0 + ((seed >> 40) % 100) as f64 / 1000.0;
                    Tick {
                        load: load * wobble,
                        errors,
                        broken_percent,
                        fault: (dice < u64::from(percent)).then_some(fault),
                        incident: if n == 0 { incident.clone() } else { None },
                    }
                })
                .collect()
        },
    )
}

/// A history that ends in a quiet stretch, so that a floor is on its way down when it is over.
pub(crate) fn ripe_histories(segments: usize) -> impl Strategy<Value = Vec<Tick>> {
    let outage = prop::option::of((0_usize..60, 1_usize..8));
    (histories(segments), 0.0_f64..2.0, 5_usize..90, outage).prop_map(|(mut history, load, ticks, outage)| {
        let calm = Tick { load, errors: 0.0, broken_percent: 0, fault: None, incident: None };
        let quiet = [Incident::Api(Api::Up), Incident::Deaf(false), Incident::RolloutEnds, Incident::DependencyHeals];
        history.extend(quiet.map(|incident| Tick { incident: Some(incident), ..calm.clone() }));
        let begins = history.len();
        history.extend(std::iter::repeat_n(calm, ticks));
        if let Some((after, lasting)) = outage {
            let mut during = |place: usize, api| {
                if let Some(tick) = history.get_mut(begins + place) {
                    tick.incident = Some(Incident::Api(api));
                }
            };
            during(after, Api::Failing);
            during(after + lasting, Api::Up);
        }
        history
    })
}

fn incidents() -> impl Strategy<Value = Incident> {
    prop_oneof![
        Just(Incident::RolloutBegins),
        Just(Incident::RolloutEnds),
        Just(Incident::DependencyFails),
        Just(Incident::DependencyHeals),
        (0_u32..60).prop_map(Incident::ForeignWrite),
        (0_u32..60).prop_map(Incident::Wish),
        Just(Incident::Api(Api::Failing)),
        Just(Incident::Api(Api::Conflicting)),
        Just(Incident::Api(Api::Up)),
        Just(Incident::Deaf(true)),
        Just(Incident::Deaf(false)),
        (8_u32..60).prop_map(Incident::Maximum),
    ]
}

/// A person's order, or its end.
pub(crate) fn orders() -> impl Strategy<Value = Incident> {
    prop_oneof![
        (0_u64..1800).prop_map(|span| Incident::Order(Action::Freeze, span)),
        (0_u64..1800).prop_map(|span| Incident::Order(Action::Release, span)),
        (0_u32..60, 0_u64..1800).prop_map(|(replicas, span)| Incident::Order(Action::Pin(replicas), span)),
        Just(Incident::NoOrder),
    ]
}

/// `cases` of a law from a fixed seed, or what the environment says.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let asked = |name: &str| std::env::var(name).is_ok();
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if !asked("PROPTEST_CASES") {
        config.cases = cases;
    }
    if !asked("PROPTEST_RNG_SEED") {
        config.rng_seed = RngSeed::Fixed(20_240_305);
    }
    config
}
