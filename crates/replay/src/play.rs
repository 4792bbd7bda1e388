//! Plays one scenario in virtual time, against as many scalers as are asked for, all under the same sky.

use floorkeeper_core::Policy;
use floorkeeper_sim::scenario::{Broken, Fault, What};
use floorkeeper_sim::{Measure, Scenario, Trace};

use crate::lane::Lane;
use crate::peers::{Answer, Sight, Truth};
use crate::record::Run;
use crate::scaler::Scaler;
use crate::series::{LaneSeries, Series, Span};
use crate::sky::Sky;

/// What is played.
#[derive(Clone, Debug)]
pub struct Play<'a> {
    pub scenario: &'a Scenario,
    /// The offered load, seconds from minute 0 on.
    pub trace: &'a Trace,
    /// The load of the days before, its time negative: for those who learn. Left out: nobody has learned anything.
    pub past: Option<&'a Trace>,
    /// As the records name it.
    pub trace_name: &'a str,
    /// Everything but capacity and bounds, which are the scenario's.
    pub policy: &'a Policy,
    pub policy_name: &'a str,
    pub seed: u64,
    pub scalers: &'a [Scaler],
    /// Seconds between two ticks: [`TICK`], or the trace's own step where that is longer.
    pub tick: f64,
    /// Keep what a picture is drawn from.
    pub series: bool,
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// In the order of the scalers.
    pub played: Vec<Played>,
    /// Where it was asked for.
    pub series: Option<Series>,
}

/// One run's record, and the conditions that it broke.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    pub run: Run,
    pub broken: Vec<Broken>,
}

/// Seconds: what sources and autoscalers of a cluster do their work in.
pub const TICK: f64 = 15.0;

impl Play<'_> {
    /// Plays all minutes.
    #[must_use]
    pub fn play(&self) -> Outcome {
        let Self { scenario, trace, .. } = *self;
        let tick = self.tick.max(1.0);
        let ticks = (f64::from(scenario.minutes) * 60.0 / tick).ceil() as usize;
        let offered: Vec<f64> = (0..ticks)
            .map(|at| {
                let now = at as f64 * tick;
                scenario.offered(trace.at(now), now / 60.0)
            })
            .collect();
        let before = (WARM_UP / tick).ceil();
        let policy = self.policy_of();
        let replicas = wanted(scenario, offered.first().copied().unwrap_or(0.0));
        let start = -before * tick;
        let lane = |scaler: &Scaler| Lane::new(*scaler, scenario, &policy, replicas, start);
        let mut lanes: Vec<Lane> = self.scalers.iter().map(lane).collect();
        if let Some(past) = self.past {
            lanes.iter_mut().for_each(|lane| lane.remember(scenario, past));
        }
        // What the price is measured against runs along, asked for or not.
        if scenario.pass.over_hpa_load_percent.is_some() && !self.scalers.contains(&Scaler::HpaLoad) {
            lanes.push(lane(&Scaler::HpaLoad));
        }
        let answers = Bounds::of(scenario, tick);
        let mut returning = Return::of(scenario, trace, tick, lanes.len());
        let mut once: Vec<&Fault> = Vec::new();
        let mut series = self.series.then(|| self.begin_series(&offered, tick));
        for step in 0..before as usize + ticks {
            let now = (step as f64 - before) * tick;
            let at = step.saturating_sub(before as usize);
            let mut sky = Sky::of(scenario, now, tick, offered.get(at).copied().unwrap_or(0.0));
            sky.answerable = answers.answerable(&sky);
            once.clear();
            once.extend(scenario.faults.iter().filter(|fault| happens(fault, sky.minute, tick / 60.0)));
            let base = Sight {
                now,
                epoch: scenario.start(),
                wanted: 0,
                pods: &[],
                load: Answer::Empty,
                app: Answer::Empty,
                truth: Truth { offered: &offered, tick, at },
            };
            for lane in &mut lanes {
                lane.step(&sky, &once, &base);
            }
            if now >= 0.0 {
                returning.see(at, &lanes);
                for (kept, lane) in series.iter_mut().flat_map(|series| &mut series.lanes).zip(&lanes) {
                    kept.see(sky.minute, lane.replicas(), lane.ready(), lane.decision());
                }
            }
        }
        for (place, lane) in lanes.iter_mut().enumerate() {
            if let Some(kept) = returning.kept(place) {
                lane.judge.kept_at_return(kept);
            }
        }
        let load = lanes.iter().find(|lane| lane.scaler == Scaler::HpaLoad).map(|lane| lane.report().replica_hours);
        let oracle = self.oracle_hours(&offered, tick);
        let played = lanes.iter_mut().take(self.scalers.len()).enumerate().map(|(place, lane)| {
            if let Some(load) = load.filter(|load| *load > 0.0) {
                lane.judge.over_hpa_load(100.0 * (lane.report().replica_hours / load - 1.0));
            }
            self.record(lane, returning.kept(place), oracle)
        });
        Outcome { played: played.collect(), series }
    }

    fn begin_series(&self, offered: &[f64], tick: f64) -> Series {
        let measure = Measure::new(self.scenario.service.capacity);
        let span = |fault: &Fault| Span { from: fault.from, to: fault.end(), what: fault.what.name() };
        Series {
            epoch: self.scenario.start(),
            step: tick / 60.0,
            offered: offered.to_vec(),
            need: offered.iter().map(|load| measure.need(*load)).collect(),
            faults: self.scenario.faults.iter().map(span).collect(),
            lanes: self.scalers.iter().map(|scaler| LaneSeries::new(*scaler)).collect(),
        }
    }

    fn record(&self, lane: &Lane, kept: Option<f64>, oracle: f64) -> Played {
        let (report, broken) = (lane.report(), lane.broken());
        let run = Run {
            scenario: self.scenario.id.clone(),
            class: self.scenario.class,
            trace: self.trace_name.to_owned(),
            policy: self.policy_name.to_owned(),
            seed: self.seed,
            scaler: lane.scaler.name().to_owned(),
            unsafe_minutes: report.unsafe_minutes,
            kept_at_return_percent: kept,
            unmet_percent: report.unmet_percent,
            deficit_max: report.largest_deficit,
            restore_seconds: lane.judge.longest_short() * 60.0,
            replica_hours: report.replica_hours,
            extra_over_oracle_percent: if oracle > 0.0 { 100.0 * (report.replica_hours / oracle - 1.0) } else { 0.0 },
            theta_u: report.theta_u,
            theta_o: report.theta_o,
            tau_u: report.tau_u,
            tau_o: report.tau_o,
            upsilon: report.upsilon,
            passed: broken.is_empty(),
        };
        Played { run, broken }
    }

    /// The policy with what only the scenario can know.
    fn policy_of(&self) -> Policy {
        let service = &self.scenario.service;
        let mut policy = self.policy.clone();
        policy.min_replicas = Some(service.min);
        policy.max_replicas = Some(service.max);
        for signal in &mut policy.signals {
            signal.capacity = Some(service.capacity);
        }
        let tick = core::time::Duration::from_secs_f64(self.tick.max(1.0));
        policy.resolution = policy.resolution.max(tick);
        policy.window = policy.window.max(policy.resolution * 2);
        for signal in &mut policy.signals {
            signal.max_age = signal.max_age.max(policy.resolution * 2);
        }
        policy
    }

    /// Replica-hours of one who knows the load and needs only the time that pods take to start.
    fn oracle_hours(&self, offered: &[f64], tick: f64) -> f64 {
        let service = &self.scenario.service;
        let measure = Measure::new(service.capacity);
        let ahead = (service.start_delay.max(0.0) * 60.0 / tick).ceil() as usize + 1;
        let needs: Vec<u32> = offered.iter().map(|load| measure.need(*load).clamp(service.min, service.max)).collect();
        let replicas: f64 = (0..needs.len())
            .map(|at| {
                let soon = &needs[at..needs.len().min(at + ahead)];
                f64::from(soon.iter().copied().max().unwrap_or(0))
            })
            .sum();
        replicas * tick / 3_600.0
    }
}

/// Replicas that carry this load with the service's headroom.
pub(crate) fn wanted(scenario: &Scenario, load: f64) -> u32 {
    let headroom = 1.0 + f64::from(scenario.service.headroom_percent) / 100.0;
    Measure::new(scenario.service.capacity).need(load * headroom).clamp(scenario.service.min, scenario.service.max)
}

/// A fault that happens once, or a person's order that begins, in this tick.
fn happens(fault: &Fault, minute: f64, lasts: f64) -> bool {
    let begins = fault.from >= minute && fault.from < minute + lasts;
    begins && (fault.to.is_none() || matches!(fault.what, What::Operator(_)))
}

/// Up to what a scaler answers for.
struct Bounds {
    most: f64,
    /// From, to (minutes), load.
    pins: Vec<(f64, f64, f64)>,
}

impl Bounds {
    fn of(scenario: &Scenario, tick: f64) -> Self {
        let service = &scenario.service;
        let load = |replicas: u32| f64::from(replicas) * service.capacity;
        // When a pin ends, pods must start first.
        let after = service.start_delay.max(0.0) + 2.0 * tick / 60.0;
        let pins = scenario
            .faults
            .iter()
            .filter_map(|fault| Some((fault.from, fault.end() + after, load(scenario.pinned(fault.from)?))))
            .collect();
        Self { most: load(service.max), pins }
    }

    fn answerable(&self, sky: &Sky) -> f64 {
        let pinned = self.pins.iter().filter(|(from, to, _)| (*from..*to).contains(&sky.minute));
        pinned.map(|(_, _, load)| *load).fold(sky.offered.min(self.most), f64::min)
    }
}

/// The moment at which a load that had fallen comes back, and who had kept how much of what it needs then.
struct Return {
    at: Option<usize>,
    need: f64,
    kept: Vec<f64>,
}

impl Return {
    fn of(scenario: &Scenario, trace: &Trace, tick: f64, lanes: usize) -> Self {
        let at = scenario.comes_back().map(|minute| (minute * 60.0 / tick).ceil() as usize);
        // What the load would be without any fault: what is above it then is new.
        let load = at.map_or(0.0, |at| trace.at(at as f64 * tick));
        let need = f64::from(Measure::new(scenario.service.capacity).need(load).min(scenario.service.max));
        Self { at: at.filter(|at| *at > 0), need, kept: vec![0.0; lanes] }
    }

    fn see(&mut self, at: usize, lanes: &[Lane]) {
        if self.at == Some(at + 1) {
            for (kept, lane) in self.kept.iter_mut().zip(lanes) {
                *kept = f64::from(lane.replicas());
            }
        }
    }

    fn kept(&self, place: usize) -> Option<f64> {
        let kept = *self.kept.get(place)?;
        (self.at.is_some() && self.need > 0.0).then(|| 100.0 * kept / self.need)
    }
}

/// Seconds that everything runs at the load of minute 0 before it: windows fill, scalers settle.
const WARM_UP: f64 = 1_500.0;
