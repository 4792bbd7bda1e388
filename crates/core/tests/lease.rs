//! Never two leaders, in random worlds: answers that are lost, late and out of order, processes that sleep and crash,
//! clocks that run too fast or too slow, a lease that is deleted.

use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::lease::{Answer, Ask, CLOCK_RATE_ERROR_PERCENT, Election, Record, State, Timing, Uptime};
use proptest::prelude::*;

/// What the network and the machine do with one process for a while.
#[derive(Clone, Debug)]
struct Weather {
    /// How long it lasts, milliseconds of real time.
    lasts: u64,
    /// How long a request takes to the store, and an answer back.
    there: u64,
    back: u64,
    lost: bool,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Runs,
    Sleeps,
    Crashes,
    /// Somebody deletes the lease.
    Deletes,
}

struct Process {
    election: Election,
    rate: f64,
    name: usize,
    starts: u32,
    weather: Vec<Weather>,
    until: u64,
    /// On their way: when they arrive.
    request: Option<(u64, Ask)>,
    answer: Option<(u64, Answer)>,
    /// When its patience with this request ends, by its own clock.
    gives_up: Option<Uptime>,
    /// Real time until which a write of its last leadership can be under way.
    landing: f64,
}

#[derive(Default)]
struct Store {
    record: Option<Record>,
    version: u64,
}

impl Store {
    fn answer(&mut self, ask: &Ask) -> Answer {
        let claim = match ask {
            Ask::Read => return Answer::Record(self.record.clone()),
            Ask::Write(claim) => claim,
        };
        if self.record.as_ref().map(|record| Arc::clone(&record.version)) != claim.against {
            return Answer::Conflict;
        }
        self.version += 1;
        let version: Arc<str> = self.version.to_string().into();
        self.record = Some(claim.accepted(Arc::clone(&version)));
        Answer::Written(version)
    }
}

impl Process {
    fn new(name: usize, rate: f64, weather: Vec<Weather>) -> Self {
        let election = Election::new("".into(), timing(), Uptime(0));
        let mut process = Self {
            election,
            rate,
            name,
            starts: 0,
            weather,
            until: 0,
            request: None,
            answer: None,
            gives_up: None,
            landing: 0.0,
        };
        process.start(0);
        process
    }

    fn start(&mut self, real: u64) {
        self.starts += 1;
        self.election =
            Election::new(format!("{}-{}", self.name, self.starts).as_str().into(), timing(), self.local(real));
        self.election.stand();
        // A request of the process before can land all the same.
        (self.answer, self.gives_up) = (None, None);
    }

    fn local(&self, real: u64) -> Uptime {
        Uptime((real as f64 * self.rate) as u64)
    }

    fn leads(&self, real: u64) -> bool {
        matches!(self.election.state(self.local(real)), State::Leading { .. })
    }

    /// One millisecond.
    fn live(&mut self, real: u64, store: &mut Store) {
        if real >= self.until {
            if self.weather.len() > 1 {
                self.weather.remove(0);
            }
            self.until = real + self.weather[0].lasts;
            match self.weather[0].kind {
                Kind::Crashes => self.start(real),
                Kind::Deletes => store.record = None,
                Kind::Runs | Kind::Sleeps => {}
            }
        }
        let weather = self.weather[0].clone();
        if let Some((_, ask)) = self.request.take_if(|(at, _)| real >= *at) {
            let answer = store.answer(&ask);
            if !weather.lost && self.gives_up.is_some() {
                self.answer = Some((real + weather.back, answer));
            }
        }
        if weather.kind == Kind::Sleeps {
            return;
        }
        let now = self.local(real);
        if let Some((_, answer)) = self.answer.take_if(|(at, _)| real >= *at) {
            self.gives_up = None;
            self.election.answered(answer, now);
        } else if self.gives_up.is_some_and(|at| now >= at) {
            (self.gives_up, self.answer) = (None, None);
            self.election.answered(Answer::Failed, now);
        }
        if let Some(ask) = self.election.poll(now) {
            self.gives_up = Some(now.plus(timing().attempt()));
            // A request that is kept by the network takes the place of none: the older one is lost.
            self.request = Some((real + weather.there, ask));
        }
        match self.election.state(now) {
            State::Leading { until, .. } => {
                self.landing = until.plus(timing().landing()).0 as f64 / self.rate;
            }
            State::Ended(_) => self.start(real),
            State::Standby => {}
        }
    }
}

fn timing() -> Timing {
    Timing::new(Duration::from_secs(3))
}

fn weather() -> impl Strategy<Value = Weather> {
    let kind = prop_oneof![
        8 => Just(Kind::Runs), 2 => Just(Kind::Sleeps), 1 => Just(Kind::Crashes), 1 => Just(Kind::Deletes)
    ];
    let delay = || prop_oneof![4 => 0..20_u64, 1 => 0..900_u64, 1 => 0..9000_u64];
    (50..4000_u64, delay(), delay(), prop::bool::weighted(0.1), kind)
        .prop_map(|(lasts, there, back, lost, kind)| Weather { lasts, there, back, lost, kind })
}

fn rate() -> impl Strategy<Value = f64> {
    let error = CLOCK_RATE_ERROR_PERCENT as f64 / 100.0;
    prop_oneof![Just(1.0 - error), Just(1.0 + error), (1.0 - error)..=(1.0 + error)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_two_leaders(
        processes in prop::collection::vec((rate(), prop::collection::vec(weather(), 1..20)), 2..4),
    ) {
        let mut store = Store::default();
        let mut processes: Vec<_> = processes.into_iter().enumerate()
            .map(|(name, (rate, weather))| Process::new(name, rate, weather)).collect();
        for real in 0..30_000 {
            for process in &mut processes {
                process.live(real, &mut store);
            }
            for (one, leader) in processes.iter().enumerate().filter(|(_, process)| process.leads(real)) {
                for (other, process) in processes.iter().enumerate().filter(|(other, _)| *other != one) {
                    prop_assert!(!process.leads(real), "{one} and {other} lead at {real}");
                    prop_assert!((real as f64) >= process.landing,
                        "{one} leads at {real}, and a write of {other} can be under way until {}", process.landing);
                }
                prop_assert!(leader.starts > 0);
            }
        }
    }

    /// Once nothing goes wrong any more, somebody leads.
    #[test]
    fn in_the_end_somebody_leads(
        processes in prop::collection::vec((rate(), prop::collection::vec(weather(), 1..9)), 2..4),
    ) {
        let mut store = Store::default();
        let fine = Weather { lasts: 1_000_000, there: 5, back: 5, lost: false, kind: Kind::Runs };
        let mut processes: Vec<_> = processes.into_iter().enumerate().map(|(name, (rate, mut weather))| {
            weather.push(fine.clone());
            Process::new(name, rate, weather)
        }).collect();
        // Nine times four seconds of weather at most, then a lease or two.
        for real in 0..60_000 {
            for process in &mut processes {
                process.live(real, &mut store);
            }
        }
        prop_assert_eq!(processes.iter().filter(|process| process.leads(60_000)).count(), 1);
    }
}
