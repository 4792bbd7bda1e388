//! Each setting of a policy played through: what it keeps for a return of traffic, against what it costs.
//!
//! The traffic of an ordinary week falls and comes back in three ways, at three hours each, with nothing else wrong: the
//! hardest case, for no other doubt helps. The price is that of the week without any of it, and of the dips.

use core::time::Duration;

use floorkeeper_core::Policy;
use floorkeeper_sim::scenario::{Class, Fault, LoadFault, Pass, What};
use floorkeeper_sim::{Scenario, ScenarioError};

use crate::play::{Play, TICK};
use crate::report::{Mark, Panel, frontier, headlines};
use crate::{Run, Scaler};

/// Plays everything, from `base` on, and draws it as SVG.
///
/// # Errors
/// The embedded week can't be read.
pub fn frontier_of(base: &Policy) -> Result<String, ScenarioError> {
    let scenarios = scenarios()?;
    let panels = settings(base).into_iter().map(|(field, settings)| {
        let marks = settings.into_iter().map(|(value, policy)| {
            let (price, kept) = sums(&scenarios, &policy, Scaler::Floorkeeper)?;
            Ok(Mark { value, price, kept, is_default: policy == *base })
        });
        Ok(Panel { field: field.to_owned(), marks: marks.collect::<Result<_, ScenarioError>>()? })
    });
    let panels = panels.collect::<Result<Vec<_>, ScenarioError>>()?;
    let (price, kept) = sums(&scenarios, base, Scaler::HpaLoad)?;
    let peer = Mark { value: Scaler::HpaLoad.name().to_owned(), price, kept, is_default: false };
    Ok(frontier(&panels, &[peer]))
}

/// The week as it is, and with each dip in it.
fn scenarios() -> Result<Vec<Scenario>, ScenarioError> {
    let week = floorkeeper_sim::find("week")?;
    let mut scenarios = vec![week.clone()];
    for (minutes, factor) in DIPS {
        for hour in HOURS {
            let from = 1_440.0 + hour * 60.0;
            let fall = What::Load(LoadFault::Scale { factor: *factor, ramp: 2.0 });
            scenarios.push(Scenario {
                id: format!("dip-{minutes}-{hour}"),
                class: Class::Dip,
                minutes: 3 * 1_440,
                faults: vec![Fault { from, to: Some(from + minutes), what: fall }],
                pass: Pass::default(),
                ..week.clone()
            });
        }
    }
    Ok(scenarios)
}

/// Replica-hours above the oracle's over all of it, and the mean share of the need kept at a return; in percent.
fn sums(scenarios: &[Scenario], policy: &Policy, scaler: Scaler) -> Result<(f64, f64), ScenarioError> {
    let mut runs: Vec<Run> = Vec::new();
    for scenario in scenarios {
        let trace = scenario.trace(|path| Err(format!("{path}: the week generates its load")))?;
        let past = scenario.past(LEARNED_DAYS);
        let play = Play {
            scenario,
            trace: &trace,
            past: past.as_ref(),
            trace_name: "generated",
            policy,
            policy_name: "",
            seed: 0,
            scalers: &[scaler],
            tick: TICK * 2.0,
            series: false,
        };
        runs.extend(play.play().played.into_iter().map(|played| played.run));
    }
    let kept: Vec<f64> = runs.iter().filter_map(|run| run.kept_at_return_percent).map(|kept| kept.min(100.0)).collect();
    // Of the price everything counts: holding through a dip costs, too.
    runs.iter_mut().for_each(|run| run.class = Class::FaultFree);
    let price = headlines(&runs).first().and_then(|headline| headline.extra_percent).unwrap_or(0.0);
    Ok((price, kept.iter().sum::<f64>() / kept.len().max(1) as f64))
}

/// Policies with one value changed.
fn settings(base: &Policy) -> Vec<(&'static str, Vec<(String, Policy)>)> {
    let times = |minutes: &[u64], set: fn(&mut Policy, Duration)| {
        let setting = |minutes: &u64| {
            let mut policy = base.clone();
            set(&mut policy, Duration::from_secs(minutes * 60));
            let value = if *minutes < 60 { format!("{minutes}m") } else { format!("{}h", minutes / 60) };
            (value, policy)
        };
        minutes.iter().map(setting).collect()
    };
    let share = |share: &u32| {
        let mut policy = base.clone();
        policy.fall.keep_percent = *share;
        (format!("{share}%"), policy)
    };
    let quantile = |days: &u32| {
        let mut policy = base.clone();
        policy.fall.usual_days = *days;
        (if *days == 1 { "1 day".to_owned() } else { format!("{days} days") }, policy)
    };
    vec![
        ("holdFor", times(&[5, 15, 30, 60, 120, 240], |policy, time| policy.fall.hold_for = time)),
        ("keepPercent", [0, 40, 60, 80, 100].iter().map(share).collect()),
        ("keepFor", times(&[60, 120, 240, 480, 960], |policy, time| policy.fall.keep_for = time)),
        ("halfLife", times(&[15, 30, 60, 120, 240], |policy, time| policy.half_life = time)),
        ("the quantile: usual is what so many days of 14 showed", [1, 2, 3, 4, 5, 7].iter().map(quantile).collect()),
    ]
}

/// Minutes, and the share of the load that is left: upstream down, a site that clients can't reach, an error that nobody
/// notices for five hours.
const DIPS: &[(f64, f64)] = &[(45.0, 0.02), (32.0, 0.3), (313.0, 0.2)];

/// Hours of the second day at which a dip begins: in the rise, at the top, in the evening.
const HOURS: &[f64] = &[6.0, 11.0, 17.0];

/// What may have been learned before.
const LEARNED_DAYS: u32 = 14;
