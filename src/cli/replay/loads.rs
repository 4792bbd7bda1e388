//! The load of each run: generated, or from a file of traffic.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use floorkeeper_sim::{Scenario, Trace};

/// Where loads come from.
#[derive(Clone, Debug)]
pub(super) enum Loads {
    Generated,
    File { name: String, trace: Trace },
}

/// What one scenario is played with under one seed.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) scenario: Scenario,
    /// Seconds from minute 0 on.
    pub(super) trace: Trace,
    /// Of the days before, if anything is known of them.
    pub(super) past: Option<Trace>,
}

impl Loads {
    pub(super) fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::Generated) };
        let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
        let trace = Trace::from_csv(&text).map_err(|error| anyhow!("{}: {error}", path.display()))?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self::File { name, trace })
    }

    /// As records name it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Generated => "generated",
            Self::File { name, .. } => name,
        }
    }

    /// What is done to a trace that a person should know.
    pub(super) fn remark(&self) -> Option<String> {
        let Self::File { trace, name } = self else { return None };
        let slower = slower(trace);
        (slower > 1.0).then(|| {
            format!("{name}: its steps are shorter than a minute; each is played as one, {slower:.0} times slower")
        })
    }

    pub(super) fn of(&self, scenario: &Scenario, seed: u64) -> anyhow::Result<Load> {
        let scenario = scenario.seeded(seed);
        let own = scenario.trace(|path| std::fs::read_to_string(path).map_err(|error| error.to_string()))?;
        match self {
            Self::Generated => {
                let past = scenario.past(LEARNED_DAYS);
                Ok(Load { scenario, trace: own, past })
            }
            Self::File { trace, .. } => {
                let length = f64::from(scenario.minutes) * 60.0;
                let stretch = (length / (trace.end() - trace.start()).max(STEP)).max(slower(trace));
                let from = place(&scenario, trace, length, stretch, seed);
                let part = excerpt(trace, from, length, stretch);
                let factor = if part.peak() > 0.0 { own.peak() / part.peak() } else { 1.0 };
                let past = before(trace, from, stretch).map(|past| past.scaled(factor));
                Ok(Load { scenario, trace: part.scaled(factor), past })
            }
        }
    }
}

/// Where in the trace a seed begins: seed 0 in its middle, so that there is a past, the others spread evenly over all of it;
/// from there on the first place at which the faults hide little growth, or the one of all that were tried with least.
fn place(scenario: &Scenario, trace: &Trace, length: f64, stretch: f64, seed: u64) -> f64 {
    let room = (trace.end() - trace.start() - length / stretch).max(0.0);
    let mut best = (f64::INFINITY, trace.start());
    for attempt in 0..ATTEMPTS {
        #[expect(clippy::cast_precision_loss, reason = "seeds are small numbers")]
        let share = (0.5 + seed as f64 * GOLDEN + f64::from(attempt) * OTHER).fract();
        // A trace as short as its scenario has one place only: it begins somewhere in it and runs back.
        let from = match room > 0.0 {
            true => trace.start() + (room * share / 60.0).floor() * 60.0,
            false => trace.start() + (trace.end() - trace.start()) * share,
        };
        let growth = scenario.hidden_growth(&excerpt(trace, from, length, stretch));
        if growth < best.0 {
            best = (growth, from);
        }
        if growth <= LITTLE {
            break;
        }
    }
    best.1
}

/// `length` seconds from a moment on, in steps of a tick; a trace that is too short is stretched, and runs back at its end,
/// so that its load never jumps.
fn excerpt(trace: &Trace, from: f64, length: f64, stretch: f64) -> Trace {
    let whole = trace.end() - trace.start();
    let fold = |time: f64| {
        if whole <= 0.0 {
            return trace.start();
        }
        let round = (time - trace.start()).rem_euclid(2.0 * whole);
        trace.start() + if round <= whole { round } else { 2.0 * whole - round }
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a scenario's seconds")]
    let steps = (length / STEP).ceil() as u32;
    let points = (0..=steps).map(|step| {
        let time = f64::from(step) * STEP;
        // What is finer than a tick is averaged: nobody looks more often.
        let finer =
            (0..FINER).map(|part| trace.at(fold(from + (time + f64::from(part) * STEP / f64::from(FINER)) / stretch)));
        (time, finer.sum::<f64>() / f64::from(FINER))
    });
    Trace::from_points(points).unwrap_or_else(|| trace.clone())
}

/// How many times slower a trace is played so that a step lasts a minute at least: what changes from second to second, no
/// pod can follow.
fn slower(trace: &Trace) -> f64 {
    let steps = trace.points().len().saturating_sub(1).max(1);
    #[expect(clippy::cast_precision_loss, reason = "a count of lines")]
    let step = (trace.end() - trace.start()) / steps as f64;
    if step > 0.0 { (MINUTE / step).max(1.0) } else { 1.0 }
}

/// Up to two weeks before a moment, in steps of five minutes, if the trace has a day or more of it.
fn before(trace: &Trace, from: f64, stretch: f64) -> Option<Trace> {
    let days = ((from - trace.start()) * stretch / 86_400.0).floor().min(f64::from(LEARNED_DAYS));
    if days < 1.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "two weeks in steps of five minutes")]
    let steps = (days * 86_400.0 / PAST_STEP) as u32;
    Trace::from_points((1..=steps).rev().map(|step| {
        let time = -f64::from(step) * PAST_STEP;
        (time, trace.at(from + time / stretch))
    }))
}

/// What everybody may have learned from.
const LEARNED_DAYS: u32 = 14;

/// Seconds between two points of an excerpt: as fine as anybody looks.
const STEP: f64 = 15.0;

/// Seconds between two points of the past.
const PAST_STEP: f64 = 300.0;

/// Seconds of a step at least.
const MINUTE: f64 = 60.0;

/// Parts of a step that are averaged.
const FINER: u32 = 5;

/// Places that are tried.
const ATTEMPTS: u32 = 200;

/// Growth that headroom carries.
const LITTLE: f64 = 1.08;

/// Another number whose multiples are spread evenly: the square root of two, without its whole.
const OTHER: f64 = 0.414_213_562_373_095;

/// The golden ratio's fraction: multiples of it are spread evenly over 0 to 1.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_trace_is_stretched_and_runs_back() {
        let trace = Trace::from_points([(0.0, 0.0), (60.0, 60.0)]).unwrap();
        let part = excerpt(&trace, 30.0, 120.0, 2.0);
        let seen = [0.0, 30.0, 60.0, 90.0].map(|time| part.at(time).round());
        assert_eq!(seen, [33.0, 48.0, 57.0, 42.0], "each the mean of its quarter of a minute");
        assert!(before(&trace, 60.0, 1.0).is_none(), "a minute is no past to learn from");
    }

    #[test]
    fn a_long_trace_has_a_past_and_a_place_for_each_seed() {
        let points = (0..30 * 24).map(|hour| (f64::from(hour) * 3_600.0, f64::from(hour)));
        let loads = Loads::File { name: "x".to_owned(), trace: Trace::from_points(points).unwrap() };
        let scenario = floorkeeper_sim::find("S8").unwrap();
        let load = loads.of(&scenario, 0).unwrap();
        let peak = scenario.trace(|_| Err(String::new())).unwrap().peak();
        assert!((load.trace.peak() - peak).abs() < 1e-6);
        let past = load.past.unwrap();
        assert_eq!((past.points().len(), past.end()), (14 * 288, -300.0));
        assert!(past.at(-300.0) < load.trace.at(0.0) && past.at(-300.0) > 0.9 * load.trace.at(0.0));
        assert_ne!(loads.of(&scenario, 1).unwrap().trace, load.trace);
    }
}
