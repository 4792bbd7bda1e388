//! Plays a history against floorkeeper's engine and its peers, beside what really was.

use floorkeeper_core::{Hold, Policy};
use floorkeeper_sim::trace::format_instant;
use floorkeeper_sim::{Measure, Moment, Report, Scenario, ScenarioError};

use super::history::History;
use crate::play::Play;
use crate::record::Run;
use crate::scaler::Scaler;
use crate::series::{Change, Series};

/// What is played.
#[derive(Clone, Copy, Debug)]
pub struct Backtest<'a> {
    pub history: &'a History,
    pub policy: &'a Policy,
    pub terms: Terms,
    /// `namespace/name`.
    pub name: &'a str,
    pub scalers: &'a [Scaler],
}

/// What the history does not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Load that one replica carries safely, a second.
    pub capacity: f64,
    pub min: u32,
    pub max: u32,
    pub headroom_percent: u32,
    /// Minutes from a pod's creation until it is ready.
    pub start_delay: f64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// In the order of the scalers.
    pub runs: Vec<Run>,
    /// What really was, by the same measures; `None` where the history does not say.
    pub real: Option<Report>,
    /// Minutes in which reality had fewer replicas than floorkeeper's floor.
    pub real_below_floor: Option<f64>,
    /// floorkeeper's holds, in their order.
    pub holds: Vec<Held>,
    pub series: Series,
}

/// One hold: floorkeeper did not lower although the load alone would have let it.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Minutes from the start.
    pub from: f64,
    pub to: f64,
    /// The reason with which it began.
    pub hold: Hold,
    /// Replica-hours above what the load and its headroom needed meanwhile.
    pub price: f64,
}

impl Backtest<'_> {
    /// Plays it.
    ///
    /// # Errors
    /// Terms that no scenario can have, said with their field.
    pub fn play(&self) -> Result<Judged, ScenarioError> {
        let scenario = self.scenario()?;
        let no_trace = || ScenarioError::Format("the history has no load".to_owned());
        let trace = self.history.trace().ok_or_else(no_trace)?;
        let play = Play {
            scenario: &scenario,
            trace: &trace,
            past: None,
            trace_name: "history",
            policy: self.policy,
            policy_name: self.name,
            seed: 0,
            scalers: self.scalers,
            tick: self.history.step().min(LONGEST_TICK),
            series: true,
        };
        let outcome = play.play();
        let no_series = || ScenarioError::Format("nothing was played".to_owned());
        let series = outcome.series.ok_or_else(no_series)?;
        let runs = outcome.played.into_iter().map(|played| played.run).collect();
        let floors = floors(&series, self.history);
        let (real, real_below_floor) = match self.history.replicas() {
            Some(replicas) => {
                let below = replicas.iter().zip(&floors).filter(|(real, floor)| real < floor).count();
                let known = !floors.is_empty();
                (Some(self.real(&replicas)), known.then(|| below as f64 * self.history.step() / 60.0))
            }
            None => (None, None),
        };
        Ok(Judged { runs, real, real_below_floor, holds: self.holds(&series), series })
    }

    fn scenario(&self) -> Result<Scenario, ScenarioError> {
        let Terms { capacity, min, max, headroom_percent, start_delay } = self.terms;
        let starts = format_instant(self.history.start());
        let mut text = format!(
            "id: history\ntitle: history\nclass: faultFree\nsource: history\nshape: none\nstarts: {starts:?}\nminutes: 1\n\
             trace: {{file: {{path: history}}}}\npass: {{unsafeMinutes: 0}}\n\
             service: {{capacity: {capacity}, min: {min}, max: {max}, headroomPercent: {headroom_percent}, startDelay: {start_delay}}}\n\
             faults:\n"
        );
        let gaps = self.history.gaps();
        for gap in &gaps {
            // In a gap nobody is told anything.
            text.push_str(&format!("  - {{from: {}, to: {}, source: {{absent: {{}}}}}}\n", gap.from, gap.to));
        }
        if gaps.is_empty() {
            text = text.replace("faults:\n", "");
        }
        let mut scenario = Scenario::from_yaml(&text)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the history")]
        let minutes = self.history.minutes().ceil() as u32;
        scenario.minutes = minutes;
        Ok(scenario)
    }

    fn real(&self, replicas: &[u32]) -> Report {
        let mut measure = Measure::new(self.terms.capacity);
        let lasts = self.history.step() / 60.0;
        for (place, (point, replicas)) in self.history.points().iter().zip(replicas).enumerate() {
            let Some(offered) = point.load else { continue };
            let minute = place as f64 * lasts;
            measure.add(&Moment { minute, lasts, offered, ready: *replicas, replicas: *replicas });
        }
        measure.report()
    }

    /// Times in which something other than the pace of a step kept the floor up, and what that cost.
    fn holds(&self, series: &Series) -> Vec<Held> {
        let Some(lane) = series.lanes.iter().find(|lane| lane.scaler.is_floorkeeper()) else { return Vec::new() };
        let end = series.offered.len() as f64 * series.step;
        let mut holds: Vec<Held> = Vec::new();
        for (place, Change { minute, decision }) in lane.changes.iter().enumerate() {
            let to = lane.changes.get(place + 1).map_or(end, |next| next.minute).min(end);
            let (Some(hold), true) = (&decision.hold, to > 0.0) else { continue };
            if !is_distrust(hold) {
                continue;
            }
            let from = minute.max(0.0);
            match holds.last_mut() {
                Some(last) if from - last.to < series.step / 2.0 => last.to = to,
                Some(_) | None => holds.push(Held { from, to, hold: *hold, price: 0.0 }),
            }
        }
        for held in &mut holds {
            held.price = self.price(series, &lane.replicas, held.from, held.to);
        }
        holds
    }

    fn price(&self, series: &Series, replicas: &[u32], from: f64, to: f64) -> f64 {
        let measure = Measure::new(self.terms.capacity);
        let headroom = 1.0 + f64::from(self.terms.headroom_percent) / 100.0;
        let inside = |(place, _): &(usize, (&u32, &f64))| {
            let minute = *place as f64 * series.step;
            minute >= from && minute < to
        };
        let above = |(_, (replicas, offered)): (usize, (&u32, &f64))| {
            let needed = measure.need(offered * headroom).clamp(self.terms.min, self.terms.max);
            f64::from(replicas.saturating_sub(needed))
        };
        let sum: f64 = replicas.iter().zip(&series.offered).enumerate().filter(inside).map(above).sum();
        sum * series.step / 60.0
    }
}

/// floorkeeper's floor at each point of the history, from its changes.
fn floors(series: &Series, history: &History) -> Vec<u32> {
    let Some(lane) = series.lanes.iter().find(|lane| lane.scaler.is_floorkeeper()) else { return Vec::new() };
    let mut changes = lane.changes.iter().peekable();
    let mut floor = 0;
    let floors = (0..history.points().len()).map(|place| {
        let minute = place as f64 * history.step() / 60.0;
        while let Some(change) = changes.next_if(|change| change.minute <= minute) {
            floor = change.decision.floor;
        }
        floor
    });
    floors.collect()
}

/// The pace and the watching of a step are how every floor comes down; the others are for a reason.
fn is_distrust(hold: &Hold) -> bool {
    match hold {
        Hold::Unknown { .. } | Hold::Doubt(_) | Hold::Frozen { .. } | Hold::NoTarget | Hold::Fenced { .. } => true,
        Hold::Pace { .. } | Hold::Verifying { .. } => false,
    }
}

/// Seconds: the longest step in which `rate()` over two minutes still has two samples. Between the points of a coarser
/// history the load goes in straight lines.
const LONGEST_TICK: f64 = 60.0;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use floorkeeper_core::{Mode, Signal, TargetKey, Timestamp, UnusualFall, ZeroMeans};

    use super::*;

    fn policy() -> Policy {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Policy {
            target: TargetKey::new("shop", "deployments.apps", "web"),
            mode: Mode::Guard,
            min_replicas: None,
            max_replicas: None,
            signals: vec![Signal {
                name: "edge".into(),
                capacity: None,
                max_age: minutes(2),
                zero: ZeroMeans::Evidence,
                drain_within: None,
            }],
            headroom_percent: 25,
            errors: None,
            unready_percent: 25,
            depends_on: Vec::new(),
            fall: UnusualFall {
                hold_for: minutes(60),
                keep_percent: 80,
                keep_for: minutes(480),
                until_learned_percent: 50,
                usual_days: UnusualFall::USUAL_DAYS,
            },
            hold_at_most: minutes(1_440),
            window: minutes(10),
            half_life: minutes(60),
            verify_for: minutes(2),
            resolution: Duration::from_secs(15),
            source: Arc::from("default"),
            created: Timestamp(0),
        }
    }

    fn played(csv: &str) -> Judged {
        let history = History::from_csv(csv).unwrap();
        let terms = Terms { capacity: 100.0, min: 1, max: 40, headroom_percent: 25, start_delay: 1.0 };
        let scalers = [Scaler::Floorkeeper, Scaler::HpaLoad, Scaler::Oracle];
        Backtest { history: &history, policy: &policy(), terms, name: "shop/web", scalers: &scalers }.play().unwrap()
    }

    /// A flat load of 1000/s with a hole of half an hour in what is known, and what really ran.
    fn flat(replicas: impl Fn(u32) -> u32) -> String {
        let line = |minute: u32| {
            let load = if (120..150).contains(&minute) { String::new() } else { "1000".to_owned() };
            format!("{},{load},{}\n", minute * 60, replicas(minute))
        };
        format!("time,rps,replicas\n{}", (0..300).map(line).collect::<String>())
    }

    #[test]
    fn reality_is_measured_beside_the_floor() {
        let judged = played(&flat(|minute| if minute < 240 { 14 } else { 5 }));
        let real = judged.real.unwrap();
        assert_eq!((real.unsafe_minutes, real.largest_deficit, real.lowest_replicas), (60.0, 5, 5));
        assert_eq!(judged.real_below_floor, Some(60.0), "the floor is 13 or 14, and reality was 5 for an hour");
        assert_eq!(judged.runs[0].unsafe_minutes, 0.0);
        assert!(played("time,rps\n0,5\n60,5\n120,5\n").real.is_none());
    }

    #[test]
    fn a_gap_is_a_hold_with_its_price() {
        let judged = played(&flat(|_| 14));
        let held: Vec<&Held> = judged.holds.iter().filter(|held| matches!(held.hold, Hold::Unknown { .. })).collect();
        assert!(!held.is_empty(), "{:?}", judged.holds);
        // For a window the peak before it asks for as much.
        assert!((120.0..=131.0).contains(&held[0].from) && held[0].to >= 150.0, "{held:?}");
        assert!(judged.holds.iter().all(|held| held.price < 40.0), "a flat load costs next to nothing to hold");
    }

    #[test]
    fn terms_that_make_no_sense_are_refused() {
        let history = History::from_csv("time,rps\n0,5\n60,5\n").unwrap();
        let terms = Terms { capacity: 0.0, min: 1, max: 40, headroom_percent: 25, start_delay: 1.0 };
        let backtest =
            Backtest { history: &history, policy: &policy(), terms, name: "shop/web", scalers: &[Scaler::Oracle] };
        assert!(backtest.play().unwrap_err().to_string().contains("service.capacity"));
    }
}
