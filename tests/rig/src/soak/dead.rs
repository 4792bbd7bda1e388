//! The same scenarios with floorkeeper dead from before the first fault on, and its admission policies in force. A service that
//! it guarded beside one that only ever had the HPA: what is judged is the floor alone.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use floorkeeper_sim::Scenario;

use super::{BUDGET, play};
use crate::traffic::{Keeper, Lane, LaneReport, Playbill};

/// How one scenario went.
#[derive(Debug)]
pub struct Outlived {
    pub scenario: Scenario,
    pub lanes: Vec<LaneReport>,
    pub took: Duration,
}

/// Plays a scenario on a cluster of its own.
///
/// # Errors
/// What could not be started or played; a floor that fell is no error, see [`Outlived::broken`].
pub async fn outlive(scenario: Scenario, floorkeeper: &Path, say: impl Fn(&str)) -> Result<Outlived> {
    let began = Instant::now();
    let playbill = Playbill {
        lanes: vec![Lane::new(Keeper::Guard), Lane::new(Keeper::HpaCpu)],
        scenario: scenario.clone(),
        budget: BUDGET,
        floorkeeper: Some(floorkeeper.to_owned()),
        enforced: true,
        dies: true,
    };
    let lanes = play(playbill, say).await?;
    Ok(Outlived { scenario, lanes, took: began.elapsed() })
}

impl Outlived {
    /// What went below its floor.
    pub fn broken(&self) -> Vec<String> {
        let stood: Vec<_> = self.lanes.iter().filter_map(|run| run.stood).collect();
        let fell = stood.iter().filter(|stood| stood.fewest < stood.floor).map(|stood| {
            format!("{} replicas, {:.1} s below the floor of {}", stood.fewest, stood.below.as_secs_f64(), stood.floor)
        });
        let nobody = stood.is_empty().then(|| "no floor was seen".to_owned());
        fell.chain(nobody).collect()
    }

    /// One line of the report's table.
    pub fn row(&self) -> String {
        let stood = self.lanes.iter().find_map(|run| run.stood);
        let of = |keeper| self.lanes.iter().find(|run| run.lane.keeper == keeper).map(|run| run.report.lowest_replicas);
        let broken = self.broken();
        let verdict =
            if broken.is_empty() { "passed".to_owned() } else { format!("**failed**: {}", broken.join("; ")) };
        format!(
            "| {} | {} | {} | {} | {} s | {} | {} s | {verdict} |",
            self.scenario.id,
            self.scenario.title,
            stood.map_or(0, |stood| stood.floor),
            stood.map_or(0, |stood| stood.fewest),
            stood.map_or(0.0, |stood| stood.below.as_secs_f64()),
            of(Keeper::HpaCpu).unwrap_or_default(),
            self.took.as_secs(),
        )
    }
}

/// The whole report.
pub fn report(rows: &[String], date: &str, machine: &str, commit: &str) -> String {
    let mut text = format!(
        "# Soak: floorkeeper dead, admission on\n\n{date}, {machine}, commit {commit}. `cargo rig soak --dead` makes this file.\n\n\
         floorkeeper guards an HPA on CPU, is killed a minute of the scenario before the first fault, and never comes back; its\n\
         admission policies are in force. The time below the floor is counted by a watch of every number of replicas that was\n\
         written, not by looking now and then. The last number of replicas is the same service's beside it, under the HPA alone.\n\n\
         | | scenario | floor | fewest replicas | below the floor | fewest, HPA alone | took | verdict |\n\
         |---|---|---|---|---|---|---|---|\n"
    );
    for row in rows {
        // Writing to a String can't fail.
        let _ = writeln!(text, "{row}");
    }
    text
}

#[cfg(test)]
mod tests {
    use floorkeeper_sim::Measure;

    use super::*;
    use crate::traffic::Stood;

    #[test]
    fn a_floor_that_fell_is_told() {
        let run = |keeper, stood| {
            let report = Measure::new(120.0).report();
            LaneReport {
                lane: Lane::new(keeper),
                report,
                first_alarm: None,
                kept_at_return: None,
                stood,
                broken: Vec::new(),
            }
        };
        let of = |fewest, millis| {
            let stood = Stood { floor: 24, fewest, below: Duration::from_millis(millis) };
            let lanes = vec![run(Keeper::Guard, Some(stood)), run(Keeper::HpaCpu, None)];
            let scenario = floorkeeper_sim::find("S8").unwrap();
            Outlived { scenario, lanes, took: Duration::from_secs(61) }
        };
        assert_eq!(of(24, 0).row(), "| S8 | Every query gives an empty answer | 24 | 24 | 0 s | 0 | 61 s | passed |");
        assert_eq!(of(6, 1500).broken(), ["6 replicas, 1.5 s below the floor of 24"]);
        let unseen = Outlived { lanes: Vec::new(), ..of(24, 0) };
        assert_eq!(unseen.broken(), ["no floor was seen"]);
        assert!(report(&[of(24, 0).row()], "2024-03-05", "2 cores", "abc").contains("|---|"));
    }
}
