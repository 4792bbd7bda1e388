//! Processes that want one lease: requests and answers that are lost or late, processes that stop, sleep and come back,
//! clocks that run too fast or too slow, a lease that is deleted.

use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::lease::{
    Answer, Ask, CLOCK_RATE_ERROR_PERCENT, Claim, Election, Record, State, Timing, Uptime, Why,
};
use stateright::{Model, Property};

/// The bounds, and what is taken away to see that it is missed.
#[derive(Clone, Debug)]
pub struct Leases {
    /// How far each process's clock runs from the real time, in percent.
    pub rates: Vec<i64>,
    pub steps: u32,
    pub faults: u32,
    /// A process counts as leading until its lease is over by its own clock; otherwise until it is told so.
    pub self_fence: bool,
}

impl Leases {
    /// Two processes at the limit of what is promised for clocks: the first slow, the second fast.
    #[must_use]
    pub fn at_the_limit(steps: u32, faults: u32) -> Self {
        let error = i64::try_from(CLOCK_RATE_ERROR_PERCENT).unwrap_or(i64::MAX);
        Self { rates: vec![-error, error], steps, faults, self_fence: true }
    }
}

/// The world at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    step: u32,
    faults: u32,
    /// Who acts next in this step.
    turn: usize,
    processes: Vec<Process>,
    record: Option<Record>,
    version: u64,
    /// Requests that the network keeps: they land some time, or never.
    kept: Vec<Claim>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Process {
    /// `None`: it has ended or crashed, and starts again with the next step.
    election: Option<Election>,
    starts: u32,
    asleep: bool,
    /// Its last leadership: writes that began in it can be under way until then, by its own clock.
    landing: Option<Uptime>,
    /// It was told that it leads, and not that it does not.
    believes: bool,
}

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// The process does what is due, and all of it arrives.
    Turn,
    /// The request is lost.
    Lost,
    /// It lands, the answer is lost.
    Unheard,
    /// The network keeps the request; the process gives up on it.
    Kept,
    /// The process stops in the middle of nothing: no turn until it wakes.
    Sleep,
    Wake,
    Crash,
    /// A kept request lands.
    Lands(usize),
    /// Somebody deletes the lease.
    Delete,
}

impl Model for Leases {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        let mut world = World {
            step: 0,
            faults: self.faults,
            turn: 0,
            processes: Vec::new(),
            record: None,
            version: 0,
            kept: Vec::new(),
        };
        for place in 0..self.rates.len() {
            let mut process = Process { election: None, starts: 0, asleep: false, landing: None, believes: false };
            process.start(place, Uptime(0));
            world.processes.push(process);
        }
        // The one with the faster clock is the first to take it, unless it comes later.
        let mut late = world.clone();
        late.processes.iter_mut().skip(1).for_each(|process| process.asleep = true);
        vec![world, late]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Act>) {
        if world.step >= self.steps {
            return;
        }
        let process = &world.processes[world.turn];
        let asks = |process: &Process| {
            let now = self.local(world, world.turn);
            process.election.clone().and_then(|mut election| election.poll(now)).is_some()
        };
        actions.push(Act::Turn);
        if process.asleep {
            actions.push(Act::Wake);
        }
        actions.extend((0..world.kept.len()).map(Act::Lands));
        if world.faults == 0 {
            return;
        }
        if !process.asleep && process.election.is_some() {
            actions.extend([Act::Sleep, Act::Crash]);
            if asks(process) {
                actions.extend([Act::Lost, Act::Unheard, Act::Kept]);
            }
        }
        if world.record.is_some() {
            actions.push(Act::Delete);
        }
    }

    fn next_state(&self, before: &World, act: Act) -> Option<World> {
        let mut world = before.clone();
        let now = self.local(&world, world.turn);
        let place = world.turn;
        match act {
            Act::Turn if world.processes[place].asleep => self.pass(&mut world),
            Act::Turn => {
                // A read and then a write, or the other way round; never more than a few.
                while let Some(ask) = world.ask(place, now) {
                    let answer = world.answer(&ask);
                    world.hear(place, answer, now, self);
                }
                self.pass(&mut world);
            }
            Act::Wake => world.processes[place].asleep = false,
            Act::Lands(kept) => {
                let claim = world.kept.remove(kept);
                world.answer(&Ask::Write(claim));
            }
            Act::Lost | Act::Unheard | Act::Kept | Act::Sleep | Act::Crash | Act::Delete => {
                world.faults -= 1;
                match act {
                    Act::Delete => world.record = None,
                    Act::Sleep => {
                        world.processes[place].asleep = true;
                        self.pass(&mut world);
                    }
                    Act::Crash => {
                        world.processes[place].election = None;
                        world.processes[place].believes = false;
                        self.pass(&mut world);
                    }
                    Act::Lost | Act::Unheard | Act::Kept => {
                        let ask = world.ask(place, now)?;
                        match (act, ask) {
                            (Act::Unheard, ask) => drop(world.answer(&ask)),
                            (Act::Kept, Ask::Write(claim)) => world.kept.push(claim),
                            (_, _) => {}
                        }
                        world.hear(place, Answer::Failed, now, self);
                        self.pass(&mut world);
                    }
                    Act::Turn | Act::Wake | Act::Lands(_) => {}
                }
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "never two at once, nor a write of one under way while another leads",
                |model: &Self, world: &World| {
                    let leads = |place: usize| model.leads(world, place);
                    let under_way = |place: usize| {
                        let now = model.local(world, place);
                        world.processes[place].landing.is_some_and(|landing| now < landing)
                    };
                    let places = || 0..world.processes.len();
                    places().all(|one| {
                        !leads(one)
                            || places().filter(|&other| other != one).all(|other| {
                                let quiet = !model.self_fence || !under_way(other);
                                quiet && !leads(other)
                            })
                    })
                },
            ),
            Property::always("without faults in its time a leader is never lost", |model: &Self, world: &World| {
                world.faults < model.faults || world.processes.iter().all(|process| process.starts == 1)
            }),
            Property::sometimes("somebody leads", |model: &Self, world| model.leads(world, 0) || model.leads(world, 1)),
            Property::sometimes("the lease changes hands", |_: &Self, world: &World| {
                world.record.as_ref().is_some_and(|record| record.transitions > 2)
            }),
            Property::sometimes("a sleeper wakes as no leader", |model: &Self, world: &World| {
                let ended = |place| matches!(model.state(world, place), Some(State::Ended(Why::Expired)));
                (0..world.processes.len()).any(ended)
            }),
        ]
    }
}

impl Leases {
    /// A process's own clock.
    fn local(&self, world: &World, place: usize) -> Uptime {
        let real = i64::from(world.step) * STEP_MS;
        Uptime(u64::try_from(real + real * self.rates[place] / 100).unwrap_or(0))
    }

    fn state(&self, world: &World, place: usize) -> Option<State> {
        let election = world.processes[place].election.as_ref()?;
        Some(election.state(self.local(world, place)))
    }

    fn leads(&self, world: &World, place: usize) -> bool {
        if self.self_fence {
            matches!(self.state(world, place), Some(State::Leading { .. }))
        } else {
            world.processes[place].believes && !world.processes[place].asleep
        }
    }

    /// The next process's turn; after the last one time passes.
    fn pass(&self, world: &mut World) {
        world.turn += 1;
        if world.turn < world.processes.len() {
            return;
        }
        (world.turn, world.step) = (0, world.step + 1);
        for place in 0..world.processes.len() {
            let now = self.local(world, place);
            let process = &mut world.processes[place];
            if process.election.is_none() {
                process.start(place, now);
            }
        }
    }
}

impl Process {
    /// As a new process, with a name of its own. Its caches are warm at once.
    fn start(&mut self, place: usize, now: Uptime) {
        self.starts += 1;
        let name = format!("{place}-{}", self.starts);
        let mut election = Election::new(name.as_str().into(), Timing::new(LEASE), now);
        election.stand();
        self.election = Some(election);
    }
}

impl World {
    fn ask(&mut self, place: usize, now: Uptime) -> Option<Ask> {
        let process = &mut self.processes[place];
        let election = process.election.as_mut()?;
        let ask = election.poll(now);
        if let State::Ended(_) = election.state(now) {
            // A lost lease ends the process.
            process.election = None;
        }
        ask
    }

    fn hear(&mut self, place: usize, answer: Answer, now: Uptime, model: &Leases) {
        let process = &mut self.processes[place];
        let Some(election) = &mut process.election else { return };
        election.answered(answer, now);
        match election.state(now) {
            State::Leading { until, .. } => {
                process.landing = Some(until.plus(Timing::new(LEASE).landing()));
                process.believes = true;
            }
            State::Standby => process.believes = false,
            State::Ended(Why::Expired) if !model.self_fence => {}
            State::Ended(_) => process.believes = false,
        }
    }

    /// The API server.
    fn answer(&mut self, ask: &Ask) -> Answer {
        let claim = match ask {
            Ask::Read => return Answer::Record(self.record.clone()),
            Ask::Write(claim) => claim,
        };
        if self.record.as_ref().map(|record| &record.version) != claim.against.as_ref() {
            return Answer::Conflict;
        }
        self.version += 1;
        let version: Arc<str> = self.version.to_string().into();
        self.record = Some(claim.accepted(Arc::clone(&version)));
        Answer::Written(version)
    }
}

/// The shortest lease there is: the fewest steps of time.
const LEASE: Duration = Duration::from_secs(3);

/// A sixth of the lease, so that a renewal is due at each step.
const STEP_MS: i64 = 500;
