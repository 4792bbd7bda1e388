//! The scenario file: one format for the rig, in real time, and for replay, in virtual time.
//!
//! ```yaml
//! id: S1a                                  # of the catalogue
//! title: An internal error, the CPU falls  # one line
//! class: lying                             # lying | dip | faultFree
//! source: ...                              # the public incident behind it
//! shape: ...                               # what of it is chosen here, and why
//! cut: ...                                 # left out: nothing is cut
//! starts: 2024-03-05T01:20:00Z             # the clock at minute 0
//! minutes: 350
//! copies: 1                                # equal services that suffer together
//! demands: [edge]                          # what the policy measures: edge, app
//! trace:                                   # the offered load
//!   generate: {seed: 5, peak: 4000, audiences: [{weight: 1, utcOffset: 1}], noise: 0.02}
//!   # or: file: {path: worldcup98.csv, from: 1998-06-30T12:00:00Z, peak: 4000}
//! service: {capacity: 120, min: 4, max: 60, startDelay: 1}
//! faults:                                  # minutes from minute 0; without `to` it happens once
//!   - {from: 16, to: 329, service: {errors: {share: 1, ramp: 2, errorCpu: 0.1}}}
//! pass: {unsafeMinutes: 0, alarmWithinMinutes: 5}
//! sweep:                                   # choices of the shape: each value of each is a variant of the scenario
//!   - {name: errorCpu, at: [/faults/0/service/errors/errorCpu], values: [0.05, 0.1, 0.3]}
//! ```
//!
//! An unknown field is an error with its line and column.

mod fault;
mod pass;
mod state;
mod sweep;

use serde::{Deserialize, Serialize};

use crate::service::ServiceSpec;
use crate::trace::{Generator, Trace, TraceError, parse_instant};

pub use fault::{ClusterFault, Fault, LoadFault, Odd, OperatorFault, Series, ServiceFault, SourceFault, What};
pub use pass::{Broken, Judge, Pass};
pub use state::Said;
pub use sweep::Sweep;

/// Everything a player needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub id: String,
    /// One line.
    pub title: String,
    pub class: Class,
    /// The public incident behind it.
    pub source: String,
    /// What of it is chosen here, and why.
    pub shape: String,
    /// What was left out of a long incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
    /// RFC 3339: the clock at minute 0.
    pub starts: String,
    /// How long it is played.
    pub minutes: u32,
    /// Equal services that suffer together.
    #[serde(default = "one_copy")]
    pub copies: u32,
    /// What a policy measures on the rig: edge, app. Replay takes its policies as they are.
    #[serde(default = "edge_only")]
    pub demands: Vec<Series>,
    /// The offered load.
    pub trace: TraceSpec,
    pub service: ServiceSpec,
    /// Minutes from minute 0; without `to` it happens once.
    #[serde(default)]
    pub faults: Vec<Fault>,
    pub pass: Pass,
    /// What of the shape is chosen here, and what else it could have been.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sweep: Vec<Sweep>,
}

/// What kind of lie, if any; the classes are judged apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// The load is there, the signal says otherwise.
    Lying,
    /// The load itself falls and comes back.
    Dip,
    /// Nothing is wrong: what does safety cost?
    FaultFree,
}

/// Where the offered load comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum TraceSpec {
    Generate(Generator),
    File(TraceFile),
}

/// A trace file, cut and scaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TraceFile {
    pub path: String,
    /// The file's moment that is played at minute 0; left out: its first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The highest load of the part that is played; left out: as in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<f64>,
}

/// Why a scenario can't be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScenarioError {
    #[error("{0}")]
    Format(String),
    #[error("{id}: {field}: {what}")]
    Value { id: String, field: String, what: String },
    #[error("{path}: {error}")]
    Trace { path: String, error: TraceError },
    #[error("{path}: {why}")]
    File { path: String, why: String },
    #[error("{id}: this player can't play faults[{index}], `{fault}`")]
    Unplayable { id: String, index: usize, fault: &'static str },
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// Unknown or missing fields with their line and column; values that make no sense with their field.
    pub fn from_yaml(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = serde_saphyr::from_str(text).map_err(|error| ScenarioError::Format(error.to_string()))?;
        scenario.check()?;
        scenario.variants()?;
        Ok(scenario)
    }

    /// The offered load, its time in seconds from minute 0 on. `read` gives a trace file's text.
    ///
    /// # Errors
    /// A file that can't be read, or has a wrong line.
    pub fn trace(&self, read: impl FnOnce(&str) -> Result<String, String>) -> Result<Trace, ScenarioError> {
        let (trace, first) = match &self.trace {
            TraceSpec::Generate(generator) => (generator.trace(self.start(), self.minutes), self.start()),
            TraceSpec::File(file) => {
                let path = file.path.clone();
                let text = read(&path).map_err(|why| ScenarioError::File { path: path.clone(), why })?;
                let whole = Trace::from_csv(&text).map_err(|error| ScenarioError::Trace { path, error })?;
                let from = file.from.as_deref().and_then(parse_instant).unwrap_or_else(|| whole.start());
                let part = whole.slice(from, from + f64::from(self.minutes) * 60.0).unwrap_or(whole);
                (file.peak.map_or_else(|| part.clone(), |peak| part.with_peak(peak)), from)
            }
        };
        let shifted = trace.points().iter().map(|&(time, load)| (time - first, load));
        Ok(Trace::from_points(shifted).unwrap_or(trace))
    }

    /// The load of the days before, its time in seconds from minute 0, so all of it negative. `None` where the trace is a
    /// file: what was before it is in the file, or nowhere.
    #[must_use]
    pub fn past(&self, days: u32) -> Option<Trace> {
        let TraceSpec::Generate(generator) = &self.trace else { return None };
        let past = generator.past(self.start(), days);
        Trace::from_points(past.points().iter().map(|&(time, load)| (time - self.start(), load)))
    }

    /// The same scenario under another seed: 0 is the file's own.
    #[must_use]
    pub fn seeded(&self, seed: u64) -> Self {
        let mut scenario = self.clone();
        if let TraceSpec::Generate(generator) = &mut scenario.trace {
            generator.seed = generator.seed.wrapping_add(seed.wrapping_mul(SEED_STEP));
        }
        scenario
    }

    /// Seconds since the Unix epoch at minute 0.
    #[must_use]
    pub fn start(&self) -> f64 {
        parse_instant(&self.starts).unwrap_or(0.0)
    }

    /// The scenario's clock at a minute: `01:36`.
    #[must_use]
    pub fn clock(&self, minute: f64) -> String {
        let text = crate::trace::format_instant(self.start() + minute * 60.0);
        text.get(11..16).unwrap_or_default().to_owned()
    }

    /// The minute at which the first fault begins and that at which the last one ends.
    #[must_use]
    pub fn fault_span(&self) -> Option<(f64, f64)> {
        let from = self.faults.iter().map(|fault| fault.from).min_by(f64::total_cmp)?;
        let to = self.faults.iter().map(Fault::end).max_by(f64::total_cmp)?;
        Some((from, to))
    }

    /// The minute at which a load that had fallen comes back; `None` if none falls, or none comes back while it is played.
    #[must_use]
    pub fn comes_back(&self) -> Option<f64> {
        let falls = |fault: &&Fault| matches!(fault.what, What::Load(LoadFault::Scale { factor, .. }) if factor < 1.0);
        let end = self.faults.iter().filter(falls).map(Fault::end).max_by(f64::total_cmp);
        end.filter(|end| *end < f64::from(self.minutes))
    }

    /// Refuses what a player can't play, before anything is started.
    ///
    /// # Errors
    /// The first such fault.
    pub fn playable(&self, can: impl Fn(&What) -> bool) -> Result<(), ScenarioError> {
        match self.faults.iter().position(|fault| !can(&fault.what)) {
            Some(index) => {
                Err(ScenarioError::Unplayable { id: self.id.clone(), index, fault: self.faults[index].what.name() })
            }
            None => Ok(()),
        }
    }

    fn check(&self) -> Result<(), ScenarioError> {
        let wrong = |field: &str, what: &str| {
            Err(ScenarioError::Value { id: self.id.clone(), field: field.to_owned(), what: what.to_owned() })
        };
        if parse_instant(&self.starts).is_none() {
            return wrong("starts", "write RFC 3339, for example 2024-03-05T01:20:00Z");
        }
        if !(1..=LONGEST).contains(&self.minutes) {
            return wrong("minutes", "must be between 1 and 100000");
        }
        if !(1..=MOST_COPIES).contains(&self.copies) {
            return wrong("copies", "must be between 1 and 100");
        }
        if self.demands.is_empty() {
            return wrong("demands", "at least one");
        }
        if !(self.service.capacity.is_finite() && self.service.capacity > 0.0) {
            return wrong("service.capacity", "must be above zero");
        }
        if self.service.min > self.service.max || self.service.max == 0 {
            return wrong("service.max", "must be at least 1 and not below min");
        }
        if let TraceSpec::File(TraceFile { from: Some(from), .. }) = &self.trace
            && parse_instant(from).is_none()
        {
            return wrong("trace.file.from", "write RFC 3339, for example 2024-03-05T01:20:00Z");
        }
        for (index, fault) in self.faults.iter().enumerate() {
            if !(fault.from.is_finite() && fault.from >= 0.0 && fault.end().is_finite() && fault.end() >= fault.from) {
                return wrong(&format!("faults[{index}]"), "`from` must not be negative and `to` not before it");
            }
        }
        Ok(())
    }
}

/// The JSON Schema of a scenario file.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Scenario)
}

fn one_copy() -> u32 {
    1
}

fn edge_only() -> Vec<Series> {
    vec![Series::Edge]
}

/// Seeds of neighbouring numbers are far apart.
const SEED_STEP: u64 = 0x9e37_79b9;

/// Seventy days: longer comes from a mistake.
const LONGEST: u32 = 100_000;

/// A player creates this many workloads at once.
const MOST_COPIES: u32 = 100;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: &str = "
id: X
title: A test
class: lying
source: none
shape: none
starts: 2024-03-05T01:20:00Z
minutes: 60
trace: {generate: {seed: 1, peak: 100}}
service: {capacity: 10, min: 1, max: 20}
faults:
  - {from: 10, to: 20, source: {zero: {of: [edge]}}}
  - {from: 30, operator: kill}
pass: {unsafeMinutes: 0}
";

    #[test]
    fn a_small_file_is_read() {
        let scenario = Scenario::from_yaml(SMALL).unwrap();
        assert_eq!(scenario.fault_span(), Some((10.0, 30.0)));
        assert_eq!(scenario.clock(16.0), "01:36");
        assert_eq!(scenario.trace(|_| Err(String::new())).unwrap().at(600.0), 100.0);
        assert_eq!(scenario.faults[1].what, What::Operator(OperatorFault::Kill));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let scenario = Scenario::from_yaml(SMALL).unwrap();
        let text = serde_saphyr::to_string(&scenario).unwrap();
        assert_eq!(Scenario::from_yaml(&text).unwrap(), scenario);
    }

    #[test]
    fn mistakes_are_named() {
        let says = |from: &str, to: &str| Scenario::from_yaml(&SMALL.replace(from, to)).unwrap_err().to_string();
        assert!(says("minutes: 60", "minuets: 60").contains("minuets"));
        assert!(says("minutes: 60", "minutes: 0").contains("X: minutes"));
        assert!(says("starts: 2024-03-05T01:20:00Z", "starts: noon").contains("RFC 3339"));
        assert!(says("operator: kill", "operator: kill, cluster: scalerDeleted").contains("one seam"));
        assert!(says("from: 10, to: 20", "from: 10, to: 5").contains("faults[0]"));
        assert!(says("{zero: {of: [edge]}}", "{zreo: {}}").contains("zreo"));
    }

    #[test]
    fn a_load_comes_back_at_the_end_of_its_last_fall() {
        let with = |faults: &str| {
            let own = "- {from: 10, to: 20, source: {zero: {of: [edge]}}}";
            Scenario::from_yaml(&SMALL.replace(own, faults)).unwrap().comes_back()
        };
        let fall = |to: u32| format!("- {{from: 10, to: {to}, load: {{scale: {{factor: 0.02}}}}}}");
        assert_eq!(with(&fall(20)), Some(20.0));
        assert_eq!(
            with(&format!("{}\n  - {{from: 20, to: 25, load: {{scale: {{factor: 3}}}}}}", fall(20))),
            Some(20.0)
        );
        assert_eq!(with(&fall(60)), None, "not before the end");
        assert_eq!(Scenario::from_yaml(SMALL).unwrap().comes_back(), None);
    }

    #[test]
    fn a_player_refuses_what_it_cannot_play() {
        let scenario = Scenario::from_yaml(SMALL).unwrap();
        let refused = scenario.playable(|what| !matches!(what, What::Operator(_))).unwrap_err();
        assert_eq!(refused.to_string(), "X: this player can't play faults[1], `operator.kill`");
        assert_eq!(scenario.playable(|_| true), Ok(()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String, line in 0_usize..14, with in "[a-zA-Z0-9:{}\\[\\], .-]{0,30}") {
            let mut lines: Vec<&str> = SMALL.lines().collect();
            lines[line] = &with;
            for text in [text, lines.join("\n")] {
                if let Ok(scenario) = Scenario::from_yaml(&text) {
                    prop_assert!(scenario.minutes >= 1);
                }
            }
        }
    }
}
