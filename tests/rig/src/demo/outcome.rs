//! What came of the demo: the table for people, the JSON for programs, the picture, the verdict.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use floorkeeper_sim::Scenario;
use serde::{Serialize, Serializer};

use super::history::History;
use super::picture;
use crate::Kept;
use crate::traffic::LaneReport;

/// The end of a demo.
#[derive(Debug)]
pub struct Outcome {
    pub(super) scenario: Scenario,
    pub(super) reports: Vec<LaneReport>,
    pub(super) history: History,
    pub(super) kept: Option<Kept>,
    pub(super) took: Duration,
}

impl Outcome {
    /// Whether a service that floorkeeper keeps had too few replicas at any time.
    pub fn is_unsafe(&self) -> bool {
        self.reports.iter().any(|run| run.lane.keeper.is_floorkeeper() && run.report.unsafe_minutes > 0.0)
    }

    /// `{"shape": ..., "runs": {"hpa_cpu": {...}, ...}}`, in the services' order.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        let runs = self.reports.iter().map(|run| {
            let numbers = Numbers {
                unsafe_minutes: tenths(run.report.unsafe_minutes),
                unmet_percent: tenths(run.report.unmet_percent),
                lowest_replicas: run.report.lowest_replicas,
                first_alarm_minutes: run.first_alarm.as_ref().map(|(minutes, _)| tenths(*minutes)),
            };
            (run.lane.keeper.key(), numbers)
        });
        serde_json::to_string(&Document { shape: &self.scenario.id, runs: Runs(runs.collect()) })
    }

    /// The table at the end, and what else is to say.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["", "unsafe minutes", "unmet load", "lowest replicas", "minutes to the first alarm"]);
        for run in &self.reports {
            let alarm = run
                .first_alarm
                .as_ref()
                .map_or_else(|| "none".to_owned(), |(minutes, what)| format!("{minutes:.1} ({what})"));
            table.add_row([
                run.lane.keeper.title().to_owned(),
                format!("{:.1}", tenths(run.report.unsafe_minutes)),
                format!("{:.1} %", run.report.unmet_percent),
                run.report.lowest_replicas.to_string(),
                alarm,
            ]);
        }
        for column in table.column_iter_mut().skip(1).take(3) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let minutes = self.scenario.minutes;
        let mut text = format!(
            "{}: {}\n{table}\nUnsafe: fewer ready replicas than the offered load needs. Unmet: offered load above what ready replicas\n\
             carry; the service's own errors are not in it. {minutes} minutes of the incident in {} s.\n",
            self.scenario.id,
            self.scenario.title,
            self.took.as_secs()
        );
        if let Some(kept) = &self.kept {
            text.push_str(&format!(
                "The cluster stays up. Look at it: KUBECONFIG={} {} get scp -A\nStop it: cargo rig down\n",
                kept.kubeconfig.display(),
                kept.kubectl.display()
            ));
        }
        text
    }

    /// A picture of the run, as SVG.
    pub fn svg(&self) -> String {
        picture::svg(&self.scenario, &self.reports, &self.history)
    }
}

#[derive(Serialize)]
struct Document<'a> {
    shape: &'a str,
    runs: Runs,
}

/// A map that keeps its order.
struct Runs(Vec<(&'static str, Numbers)>);

#[derive(Clone, Serialize)]
struct Numbers {
    unsafe_minutes: f64,
    unmet_percent: f64,
    lowest_replicas: u32,
    first_alarm_minutes: Option<f64>,
}

impl Serialize for Runs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().cloned())
    }
}

/// Rounded up for what is above zero: a second of danger is not "0.0 minutes".
fn tenths(value: f64) -> f64 {
    if value > 0.0 { ((value * 10.0).round() / 10.0).max(0.1) } else { (value * 10.0).round() / 10.0 }
}

#[cfg(test)]
mod tests {
    use floorkeeper_sim::{Measure, Moment};

    use super::*;
    use crate::traffic::{Keeper, Lane};

    fn outcome(lowest: u32) -> Outcome {
        let run = |keeper, ready, first_alarm: Option<(f64, String)>| {
            let mut measure = Measure::new(100.0);
            measure.add(&Moment { minute: 0.0, lasts: 2.0, offered: 1_000.0, ready, replicas: ready });
            LaneReport {
                lane: Lane::new(keeper),
                report: measure.report(),
                first_alarm,
                kept_at_return: None,
                stood: None,
                broken: Vec::new(),
            }
        };
        Outcome {
            scenario: floorkeeper_sim::find("S1a").unwrap(),
            reports: vec![
                run(Keeper::HpaCpu, 4, None),
                run(Keeper::Guard, lowest, Some((0.52, "Trusted=False, ErrorsHigh".to_owned()))),
            ],
            history: History::default(),
            kept: None,
            took: Duration::from_secs(400),
        }
    }

    #[test]
    fn the_json_is_the_promised_one() {
        let expected = concat!(
            r#"{"shape":"S1a","runs":{"#,
            r#""hpa_cpu":{"unsafe_minutes":2.0,"unmet_percent":60.0,"lowest_replicas":4,"first_alarm_minutes":null},"#,
            r#""floorkeeper_guard":{"unsafe_minutes":0.0,"unmet_percent":0.0,"lowest_replicas":12,"first_alarm_minutes":0.5}}}"#
        );
        assert_eq!(outcome(12).json().unwrap(), expected);
    }

    #[test]
    fn only_floorkeepers_own_services_decide_the_verdict() {
        assert!(!outcome(10).is_unsafe());
        assert!(outcome(9).is_unsafe());
        assert_eq!([tenths(0.0), tenths(0.01), tenths(1.26)], [0.0, 0.1, 1.3]);
    }
}
