//! Two floorkeepers, an HPA, a workload, its source, people.
//!
//! Time goes in ticks of five seconds. In each, one thing may happen around (a load changes, somebody writes), then each
//! floorkeeper has its turn, well or ill, then the HPA has its own. After the last tick no faults happen any more and
//! everything gets time to settle: then all must be where it should be.

mod keeper;
mod scene;
mod server;

use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::lease::{CLOCK_RATE_ERROR_PERCENT, Timing};
use floorkeeper_core::{Action, Override, Policy};
use stateright::{Model, Property};

use self::keeper::{Keeper, Sent, Truth};
use self::scene::{MAX, at, policy};
use self::server::{Effect, Server};

pub use self::keeper::How;
pub use self::scene::Happening;

/// The bounds, and what is taken away to see that it is missed.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub ticks: u32,
    /// Turns that go ill, sleeps and crashes.
    pub faults: u32,
    /// Things that happen around.
    pub happenings: u32,
    pub ill: Vec<How>,
    pub around: Vec<Happening>,
    pub sleeps: bool,
    pub crashes: bool,
    /// With fewer ready pods than this a tenth of the work fails.
    pub brittle_below: u32,
    pub settles: bool,
    pub epoch_rule: bool,
    pub self_fence: bool,
    pub verify: bool,
    pub policy: Arc<Policy>,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    Quiet,
    Happens(Happening),
    /// A write that the network kept lands.
    Lands,
    Lost,
    Turn(How),
    Sleep,
    Wake,
    Crash,
    /// The last tick is over: no faults from here on, and time to settle.
    Settle,
}

/// A promise that was broken, once is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    /// Lowered by who did not hold the lease when it was sent, or without proof or order.
    LoweredWithoutRight,
    /// Lowered by a leader before the present one, which had begun to write.
    LoweredInAnotherReign,
    RaiseRefused,
    /// Lowered while the pods that the last step left did worse than those before.
    LoweredInHarm,
    /// In the end something is not where it should be.
    NotSettled,
}

/// The world at one moment.
#[derive(Clone, Debug)]
pub struct World {
    tick: u32,
    phase: Phase,
    faults: u32,
    happenings: u32,
    server: Server,
    backup: Arc<Server>,
    keepers: [Option<Keeper>; 2],
    starts: u32,
    kept: Vec<Sent>,
    load: u32,
    orders: Vec<Override>,
    lags: bool,
    /// The term of the leader that has written in its own epoch.
    reigns: u64,
    /// The floor came down, and the pods did worse since.
    stepped: bool,
    broken: Option<Broken>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Around,
    Turn(usize),
    Settled,
}

impl Cluster {
    /// Everything that can happen, within these bounds.
    #[must_use]
    pub fn all(ticks: u32, faults: u32, happenings: u32) -> Self {
        use Happening as H;
        Self {
            ticks,
            faults,
            happenings,
            ill: vec![How::Deaf, How::Blind, How::Cut, How::Refused, How::Unheard, How::Late],
            around: vec![
                H::Load(0),
                H::Load(1),
                H::Load(3),
                H::Load(4),
                H::Wish(3),
                H::Scale(1),
                H::Minimum(1),
                H::Order(Action::Pin(1)),
                H::Order(Action::Release),
                H::Order(Action::Freeze),
                H::TableLost,
                H::LeaseDeleted,
                H::Restored,
                H::AdmissionLags,
            ],
            sleeps: true,
            crashes: true,
            brittle_below: 0,
            settles: true,
            epoch_rule: true,
            self_fence: true,
            verify: true,
            policy: Arc::new(policy()),
        }
    }

    fn truth<'a>(&'a self, world: &'a World) -> Truth<'a> {
        let brittle = world.server.target.replicas < self.brittle_below;
        Truth {
            policy: &self.policy,
            now: at(world.tick),
            load: world.load,
            failing: if brittle { 10 } else { 0 },
            orders: &world.orders,
            self_fence: self.self_fence,
            epoch_rule: self.epoch_rule,
            verify: self.verify,
            timing: Timing::new(LEASE),
        }
    }

    fn start(&self, world: &mut World, which: usize) {
        world.starts += 1;
        let error = i64::try_from(CLOCK_RATE_ERROR_PERCENT).unwrap_or(0);
        // The first runs slow, the second fast: the worst that is promised.
        let rate = if which == 0 { -error } else { error };
        let name = format!("{which}-{}", world.starts);
        let keeper = Keeper::start(&name, rate, &self.truth(world));
        world.keepers[which] = Some(keeper);
    }

    fn turn(&self, world: &mut World, which: usize, how: How) {
        let Some(mut keeper) = world.keepers[which].take() else { return };
        let mut server = world.server.clone();
        let turned = keeper.turn(&mut server, &self.truth(world), how);
        let harm = self.truth(world).failing > 0;
        turned.sent.iter().for_each(|(sent, effect)| world.judge(sent, *effect, harm));
        world.kept.extend(turned.kept);
        world.server = server;
        if let Some((term, epoch)) = keeper.reign
            && how == How::Well
            && (!self.epoch_rule || world.server.row.as_ref().is_some_and(|row| row.epoch == epoch))
        {
            world.reigns = world.reigns.max(term);
        }
        if !turned.ended {
            world.keepers[which] = Some(keeper);
        }
    }

    /// The end of a tick.
    fn pass(&self, world: &mut World) {
        world.server.sync_hpa();
        if !world.lags {
            world.server.admitted = world.server.row.is_some().then(|| world.server.floor());
        }
        world.lags = false;
        world.tick += 1;
        let now = at(world.tick);
        world.orders.retain(|order| order.until > now);
        for which in 0..world.keepers.len() {
            if world.keepers[which].is_none() {
                self.start(world, which);
            }
        }
    }

    /// A tick in which all goes well.
    fn well(&self, world: &mut World) {
        for which in 0..world.keepers.len() {
            self.turn(world, which, How::Well);
        }
        self.pass(world);
    }

    /// Until everything is where it should be and stays there.
    fn settle(&self, world: &mut World) {
        world.kept.clear();
        for keeper in world.keepers.iter_mut().flatten() {
            keeper.asleep = false;
        }
        let mut rests = 0;
        for _ in 0..SETTLES_WITHIN {
            self.well(world);
            rests = if self.is_settled(world) { rests + 1 } else { 0 };
            if rests == RESTS {
                break;
            }
        }
        if rests < RESTS {
            world.broken = world.broken.or(Some(Broken::NotSettled));
        }
        world.phase = Phase::Settled;
    }

    /// One leads, its floor is the need, and the replicas are that or what the HPA wishes for.
    fn is_settled(&self, world: &World) -> bool {
        let floor = world.load.clamp(1, MAX);
        let leads = world.keepers.iter().flatten().filter(|keeper| keeper.leads(&self.truth(world))).count();
        let server = &world.server;
        leads == 1
            && server.floor() == floor
            && server.hpa.min == floor
            && server.target.replicas == floor.max(server.wish)
            && server.hpa.max == MAX
    }
}

impl World {
    fn judge(&mut self, sent: &Sent, effect: Effect, harm: bool) {
        let row = matches!(sent.write, floorkeeper_core::Write::Floors { .. });
        let broken = match effect {
            Effect { raise_refused: true, .. } => Some(Broken::RaiseRefused),
            Effect { lowered: true, .. } if !sent.rightful => Some(Broken::LoweredWithoutRight),
            Effect { lowered: true, .. } if row && sent.term < self.reigns => Some(Broken::LoweredInAnotherReign),
            Effect { lowered: true, .. } if row && self.stepped && harm => Some(Broken::LoweredInHarm),
            Effect { .. } => None,
        };
        self.stepped |= row && effect.lowered;
        self.broken = self.broken.or(broken);
    }
}

impl Model for Cluster {
    type State = World;
    type Action = Act;

    /// A floor of two under a steady load, one leader and a warm standby.
    fn init_states(&self) -> Vec<World> {
        let mut world = World {
            tick: 0,
            phase: Phase::Around,
            faults: self.faults,
            happenings: self.happenings,
            server: Server::new(2, MAX, self.epoch_rule),
            backup: Arc::new(Server::new(2, MAX, self.epoch_rule)),
            keepers: [None, None],
            starts: 0,
            kept: Vec::new(),
            load: 2,
            orders: Vec::new(),
            lags: false,
            reigns: 0,
            stepped: false,
            broken: None,
        };
        self.start(&mut world, 0);
        for _ in 0..WARM_UP {
            self.turn(&mut world, 0, How::Well);
            world.server.sync_hpa();
            world.tick += 1;
        }
        self.start(&mut world, 1);
        for _ in 0..WARM_UP {
            self.well(&mut world);
        }
        assert!(self.brittle_below > 0 || self.is_settled(&world), "{world:?}");
        world.stepped = false;
        world.backup = Arc::new(world.server.clone());
        vec![world]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Act>) {
        if world.broken.is_some() {
            return;
        }
        match world.phase {
            Phase::Settled => {}
            Phase::Around if world.tick >= 2 * WARM_UP + self.ticks => {
                actions.extend(self.settles.then_some(Act::Settle))
            }
            Phase::Around => {
                if !world.kept.is_empty() {
                    actions.extend([Act::Lands, Act::Lost]);
                }
                actions.push(Act::Quiet);
                if world.happenings > 0 {
                    let new = |happening: &Happening| *happening != Happening::Load(world.load);
                    actions.extend(self.around.iter().copied().filter(new).map(Act::Happens));
                }
            }
            Phase::Turn(which) => {
                let asleep = world.keepers[which].as_ref().is_some_and(|keeper| keeper.asleep);
                if asleep {
                    actions.extend([Act::Quiet, Act::Wake]);
                    return;
                }
                actions.push(Act::Turn(How::Well));
                if world.faults > 0 && world.keepers[which].is_some() {
                    actions.extend(self.ill.iter().copied().map(Act::Turn));
                    actions.extend(self.sleeps.then_some(Act::Sleep));
                    actions.extend(self.crashes.then_some(Act::Crash));
                }
            }
        }
    }

    fn next_state(&self, before: &World, act: Act) -> Option<World> {
        let mut world = before.clone();
        match act {
            Act::Settle => self.settle(&mut world),
            Act::Lands => {
                let sent = world.kept.remove(0);
                let effect = world.server.write(&sent.write);
                let harm = self.truth(&world).failing > 0;
                world.judge(&sent, effect, harm);
            }
            Act::Lost => drop(world.kept.remove(0)),
            Act::Happens(happening) => {
                world.happenings -= 1;
                world.happens(happening);
                world.phase = Phase::Turn(0);
            }
            Act::Turn(how) => {
                world.faults -= u32::from(how != How::Well);
                self.turn(&mut world, world_turn(before)?, how);
                self.advance(&mut world);
            }
            Act::Quiet => self.advance(&mut world),
            Act::Sleep | Act::Crash | Act::Wake => {
                let which = world_turn(before)?;
                let keeper = world.keepers[which].as_mut()?;
                match act {
                    Act::Wake => keeper.asleep = false,
                    Act::Sleep => keeper.asleep = true,
                    _ => world.keepers[which] = None,
                }
                if act != Act::Wake {
                    world.faults -= 1;
                    self.advance(&mut world);
                }
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no lowering without a current lease and a proof", |_, world: &World| {
                world.broken != Some(Broken::LoweredWithoutRight)
            }),
            Property::always("no lowering by a leader whose time is over", |_, world: &World| {
                world.broken != Some(Broken::LoweredInAnotherReign)
            }),
            Property::always("no raise is refused", |_, world: &World| world.broken != Some(Broken::RaiseRefused)),
            Property::always("no step after one that does harm", |_, world: &World| {
                world.broken != Some(Broken::LoweredInHarm)
            }),
            Property::always("in the end replicas are the floor or the HPA's wish", |_, world: &World| {
                world.broken != Some(Broken::NotSettled)
            }),
            Property::sometimes("leadership changes hands", |_, world: &World| world.reigns > 1),
            Property::sometimes("a write of a leader before lands late", |_, world: &World| {
                world.kept.iter().any(|sent| sent.term < world.reigns)
            }),
        ]
    }
}

impl Cluster {
    fn advance(&self, world: &mut World) {
        world.phase = match world.phase {
            Phase::Around => Phase::Turn(0),
            Phase::Turn(0) => Phase::Turn(1),
            Phase::Turn(_) => {
                self.pass(world);
                Phase::Around
            }
            Phase::Settled => Phase::Settled,
        };
    }
}

/// Two worlds are one if all that can be seen of them is: engines are compared by what they show of themselves.
impl Hash for World {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        struct Into<'a, H>(&'a mut H);
        impl<H: Hasher> std::fmt::Write for Into<'_, H> {
            fn write_str(&mut self, text: &str) -> std::fmt::Result {
                self.0.write(text.as_bytes());
                Ok(())
            }
        }
        let _ = write!(Into(hasher), "{self:?}");
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

impl Eq for World {}

fn world_turn(world: &World) -> Option<usize> {
    match world.phase {
        Phase::Turn(which) => Some(which),
        Phase::Around | Phase::Settled => None,
    }
}

/// Two ticks: a standby takes over in the third.
const LEASE: Duration = Duration::from_secs(10);

/// Ticks until the lease is taken and the first floor has settled.
const WARM_UP: u32 = 20;

/// Two harmful steps pause for two and for four minutes.
const SETTLES_WITHIN: u32 = 120;

/// Ticks that a settled world must stay so.
const RESTS: u32 = 2;
