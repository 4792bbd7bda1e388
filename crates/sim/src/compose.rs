//! Scenarios that nobody thought of: faults drawn at random, by a seed, over a service and a load drawn at random.
//!
//! The class follows from what was drawn: a fault of the load makes it a dip, no fault at all fault-free, everything else is
//! a lie about a load that goes on. Two things are kept so that a run can be judged: no fault of a source or of the pods
//! lasts into a time whose load passes what was there before it by more than a little
//! ([`Scenario::hidden_growth`]), and no number of replicas above the maximum is needed.

#[cfg(test)]
use crate::number::replicas;
use crate::scenario::{
    Class, ClusterFault, Fault, LoadFault, Odd, OperatorFault, Pass, Scenario, Series, ServiceFault, SourceFault,
    TraceSpec, What,
};
use crate::service::ServiceSpec;
use crate::trace::random::Random;
use crate::trace::{Audience, Generator, format_instant};

/// The composition of this number; the same number is the same scenario everywhere.
#[must_use]
pub fn composition(number: u64) -> Scenario {
    let mut random = Random::new(number.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ 0x00c0_ffee);
    let minutes = 150 + random.below(270);
    let starts = 1_709_510_400.0 + f64::from(random.below(14 * 24)) * 3_600.0;
    let service = service(&mut random);
    let generator = generator(&mut random, &service);
    let mut scenario = Scenario {
        id: format!("R{number:03}"),
        title: "Nothing is wrong".to_owned(),
        class: Class::FaultFree,
        source: "None: drawn at random.".to_owned(),
        shape: "All of it is drawn at random, by the number in its name.".to_owned(),
        cut: None,
        starts: format_instant(starts),
        minutes,
        copies: if random.below(4) == 0 { 3 } else { 1 },
        demands: vec![Series::Edge],
        trace: TraceSpec::Generate(generator),
        service,
        faults: Vec::new(),
        pass: Pass::default(),
        sweep: Vec::new(),
    };
    match random.below(10) {
        0 => {}
        1 => add(&mut scenario, 1, || dip(&mut random, minutes)),
        _ => {
            let count = 1 + random.below(4) as usize;
            add(&mut scenario, count, || lie(&mut random, minutes));
        }
    }
    scenario.class = match scenario.faults.first() {
        None => Class::FaultFree,
        Some(Fault { what: What::Load(_), .. }) => Class::Dip,
        Some(_) => Class::Lying,
    };
    if !scenario.faults.is_empty() {
        let names: Vec<&str> = scenario.faults.iter().map(|fault| fault.what.name()).collect();
        scenario.title = names.join(", ");
    }
    scenario.pass = pass(&scenario);
    scenario
}

/// So many faults of those that are drawn, whatever else would hide too much.
fn add(scenario: &mut Scenario, count: usize, mut draw: impl FnMut() -> Fault) {
    let Ok(trace) = scenario.trace(|_| Err(String::new())) else { return };
    for _ in 0..count * TRIES {
        scenario.faults.push(draw());
        if scenario.hidden_growth(&trace) > GROWTH || longest_lie(&scenario.faults) > LONGEST {
            scenario.faults.pop();
        }
        if scenario.faults.len() >= count {
            return;
        }
    }
}

fn service(random: &mut Random) -> ServiceSpec {
    let retries = random.below(2) == 0;
    ServiceSpec {
        capacity: (random.between(20.0, 200.0)).round(),
        min: 2 + random.below(4),
        max: 80,
        start_delay: (random.between(0.25, 1.5) * 4.0).round() / 4.0,
        headroom_percent: 25,
        cpu_at_capacity: random.between(0.4, 0.8),
        burst: random.between(1.1, 1.6),
        collapse: random.between(0.1, 1.0),
        queue_seconds: random.between(0.0, 5.0),
        retry_share: if retries { random.between(0.3, 1.0) } else { 0.0 },
        backoff_seconds: random.between(10.0, 120.0),
        retry_limit: random.between(0.5, 1.5),
    }
}

/// A load that its service carries with room for every retry.
fn generator(random: &mut Random, service: &ServiceSpec) -> Generator {
    let east = random.unit();
    let offset = |random: &mut Random| f64::from(random.below(24)) - 11.0;
    Generator {
        seed: u64::from(random.below(1_000_000)),
        peak: service.capacity * random.between(8.0, 24.0),
        audiences: vec![
            Audience { weight: east, utc_offset: offset(random) },
            Audience { weight: 1.0 - east, utc_offset: offset(random) },
        ],
        weekend: random.between(0.5, 1.0),
        noise: random.between(0.0, 0.02),
        trend_per_day: 0.0,
        sparse_below: 0.0,
        flash_crowds: Vec::new(),
        batch: None,
    }
}

fn dip(random: &mut Random, minutes: u32) -> Fault {
    let from = f64::from(20 + random.below(30));
    let lasts = random.between(10.0, f64::from(minutes) - from - 30.0).round();
    let (factor, ramp) = (random.between(0.0, 0.35), random.between(0.0, 5.0));
    Fault { from, to: Some(from + lasts), what: What::Load(LoadFault::Scale { factor, ramp }) }
}

fn lie(random: &mut Random, minutes: u32) -> Fault {
    let what = any_lie(random);
    let once = matches!(
        what,
        What::Operator(_)
            | What::Source(SourceFault::Restart { .. })
            | What::Cluster(ClusterFault::ReapplyReplicas { .. } | ClusterFault::PolicyRecreated)
    );
    let from = f64::from(20 + random.below(minutes.saturating_sub(60)));
    // Fresh, complete and quiet lies are held against for as long as a policy's `holdFor`; then they are believed in part.
    let longest = if is_quiet(&what) { HELD } else { 90 };
    let to = (from + 2.0 + f64::from(random.below(longest))).min(f64::from(minutes) - 10.0);
    Fault { from, to: (!once).then_some(to), what }
}

/// Nothing but the numbers says that it lies.
fn is_quiet(what: &What) -> bool {
    matches!(what, What::Source(SourceFault::Zero { .. } | SourceFault::Lie { .. }))
}

/// Minutes of the longest quiet lie; those that overlap, or have too short a truth between them to be believed, are one.
fn longest_lie(faults: &[Fault]) -> f64 {
    let mut lies: Vec<(f64, f64)> =
        faults.iter().filter(|fault| is_quiet(&fault.what)).map(|fault| (fault.from, fault.end())).collect();
    lies.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut longest = 0.0_f64;
    let mut now: Option<(f64, f64)> = None;
    for (from, to) in lies {
        let (begun, end) =
            now.filter(|(_, end)| from < end + BELIEVED).map_or((from, to), |(begun, end)| (begun, end.max(to)));
        longest = longest.max(end - begun);
        now = Some((begun, end));
    }
    longest
}

fn any_lie(random: &mut Random) -> What {
    let every = || vec![Series::Edge, Series::Errors, Series::App, Series::Cpu];
    let load = || vec![Series::Edge, Series::App, Series::Cpu];
    let of = if random.below(2) == 0 { every() } else { load() };
    let share = random.between(0.2, 1.0);
    match random.below(20) {
        0 => What::Source(SourceFault::Absent { of }),
        1 => What::Source(SourceFault::Outage),
        2 => {
            What::Source(SourceFault::Partial { share: random.between(0.3, 0.9), of: vec![Series::Edge, Series::App] })
        }
        3 => What::Source(SourceFault::Odd { value: odd(random), of: vec![Series::Edge, Series::App] }),
        4 => What::Source(SourceFault::Delay {
            minutes: random.between(3.0, 120.0),
            of: vec![Series::Edge, Series::App],
        }),
        5 => What::Source(SourceFault::Future { minutes: random.between(1.0, 60.0), of: vec![Series::Edge] }),
        6 => What::Source(SourceFault::Restart { empty: random.below(2) == 0 }),
        7 => What::Source(SourceFault::Zero { of }),
        8 => What::Source(SourceFault::Lie { factor: random.between(0.0, 0.4), of }),
        9..=11 => {
            let (ramp, error_cpu) = (random.between(0.0, 5.0), random.between(0.02, 0.3));
            What::Service(ServiceFault::Errors { share, ramp, error_cpu })
        }
        12 => What::Service(ServiceFault::Cpu { factor: random.between(0.05, 0.6), ramp: random.between(0.0, 10.0) }),
        13 => What::Cluster(ClusterFault::Unready { share }),
        14 => What::Cluster(ClusterFault::Flapping { share, every_seconds: random.between(15.0, 90.0).round() }),
        15 => What::Cluster(ClusterFault::StartFailing),
        16 => What::Cluster(ClusterFault::ReapplyReplicas { replicas: 1 + random.below(3) }),
        17 => What::Cluster(ClusterFault::PolicyRecreated),
        18 => What::Operator(OperatorFault::Kill),
        _ => What::Operator(OperatorFault::Restart),
    }
}

fn odd(random: &mut Random) -> Odd {
    const ALL: [Odd; 7] =
        [Odd::NaN, Odd::PlusInfinity, Odd::MinusInfinity, Odd::Huge, Odd::Negative, Odd::TwoSeries, Odd::String];
    ALL[random.below(7) as usize]
}

/// What its class promises.
fn pass(scenario: &Scenario) -> Pass {
    match scenario.class {
        Class::Lying => Pass { unsafe_minutes: Some(0.0), ..Pass::default() },
        Class::Dip => {
            let lasts = scenario.faults.iter().map(|fault| fault.end() - fault.from).fold(0.0, f64::max);
            let kept = if lasts <= 45.0 { 80.0 } else { 60.0 };
            Pass {
                kept_at_return_percent: Some(kept),
                restored_within_minutes: Some(scenario.service.start_delay + RATE),
                ..Pass::default()
            }
        }
        Class::FaultFree => Pass { over_hpa_load_percent: Some(OVER_HPA), ..Pass::default() },
    }
}

/// Draws for each fault that is wanted.
const TRIES: usize = 8;

/// Minutes: an hour, and what it takes to see again.
const HELD: u32 = 50;

/// Minutes: two lies together are no longer than one may be.
const LONGEST: f64 = HELD as f64 + 2.0;

/// Minutes: a policy's window, and what it takes to see.
const BELIEVED: f64 = 15.0;

/// A little: far inside the headroom of a quarter.
const GROWTH: f64 = 1.08;

/// Percent: in a few hours with a dozen replicas a single one is nearly as much; long runs are judged more strictly.
const OVER_HPA: f64 = 12.0;

/// Minutes until a rate over two minutes shows a step, and the next look.
const RATE: f64 = 2.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hundred_are_of_all_classes_and_can_be_read_back() {
        let all: Vec<Scenario> = (1..=200).map(composition).collect();
        for class in [Class::Lying, Class::Dip, Class::FaultFree] {
            assert!(all.iter().filter(|scenario| scenario.class == class).count() >= 10, "{class:?}");
        }
        for scenario in &all {
            let text = serde_json::to_string(scenario).unwrap();
            assert_eq!(Scenario::from_yaml(&text).unwrap().id, scenario.id);
            let trace = scenario.trace(|_| Err(String::new())).unwrap();
            let need = replicas(trace.peak() * 1.25 * 2.5 / scenario.service.capacity);
            assert!(need <= scenario.service.max, "{}: {need}", scenario.id);
            let (_, end) = scenario.fault_span().unwrap_or_default();
            assert!(end < f64::from(scenario.minutes), "{}", scenario.id);
        }
        assert_eq!(composition(7), composition(7));
    }

    #[test]
    fn no_lie_is_longer_than_it_is_held_against() {
        assert!((1..=200).all(|number| longest_lie(&composition(number).faults) < 60.0));
        let lie = |from: f64, to: f64| {
            let what = What::Source(SourceFault::Lie { factor: 0.2, of: vec![Series::Edge] });
            Fault { from, to: Some(to), what }
        };
        assert_eq!(longest_lie(&[lie(90.0, 100.0), lie(20.0, 60.0), lie(30.0, 50.0), lie(70.0, 80.0)]), 80.0);
        assert_eq!(longest_lie(&[lie(20.0, 60.0), lie(76.0, 80.0)]), 40.0);
    }

    #[test]
    fn every_kind_of_fault_is_drawn() {
        let names: std::collections::BTreeSet<&str> =
            (1..=200).flat_map(|number| composition(number).faults).map(|fault| fault.what.name()).collect();
        assert!(names.len() >= 18, "{names:?}");
    }
}
