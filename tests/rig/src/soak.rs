//! Every scenario against floorkeeper on the rig, each judged by its own pass condition, and the report of that.

mod dead;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use floorkeeper_sim::Scenario;
use floorkeeper_sim::scenario::{ClusterFault, Fault, What};

use crate::traffic::{Keeper, Lane, LaneReport, Playbill, Player, Stage};

pub use dead::{Outlived, outlive, report as dead_report};

/// How one scenario went.
#[derive(Debug)]
pub struct Soaked {
    pub scenario: Scenario,
    /// With the admission policies in force.
    pub enforced: bool,
    pub lanes: Vec<LaneReport>,
    pub took: Duration,
}

/// Plays a scenario on a cluster of its own, half of its services under floorkeeper in Guard of an HPA, half under
/// floorkeeper alone.
///
/// # Errors
/// What could not be started or played; a broken pass condition is no error, see [`Soaked::broken`].
pub async fn soak(scenario: Scenario, floorkeeper: &Path, say: impl Fn(&str)) -> Result<Soaked> {
    let began = Instant::now();
    // From Kubernetes 1.37 on an HPA acts on an edit of its minimum at once, before anybody can put it back: only the API
    // server itself comes first.
    let edits_the_minimum = |fault: &Fault| matches!(fault.what, What::Cluster(ClusterFault::EditMinReplicas { .. }));
    let enforced = scenario.faults.iter().any(edits_the_minimum);
    let playbill = Playbill {
        lanes: lanes(scenario.copies),
        scenario: scenario.clone(),
        budget: BUDGET,
        floorkeeper: Some(floorkeeper.to_owned()),
        enforced,
        dies: false,
    };
    let lanes = play(playbill, say).await?;
    Ok(Soaked { scenario, enforced, lanes, took: began.elapsed() })
}

/// Says every few minutes of the scenario how everybody does.
async fn play(playbill: Playbill, say: impl Fn(&str)) -> Result<Vec<LaneReport>> {
    let id = playbill.scenario.id.clone();
    let stage = Stage::build(playbill, &say).await?;
    let mut player = Player::warm(stage, &say).await?;
    let mut next = 0.0;
    player
        .play(|frame| {
            if frame.minute >= next {
                next = frame.minute + SAY_EVERY;
                let lanes =
                    frame.lanes.iter().map(|lane| format!("{}: {} ({})", lane.keeper.title(), lane.ready, lane.why));
                let lanes = lanes.collect::<Vec<_>>().join("; ");
                say(&format!("{id} {}: need {}; {lanes}", frame.clock, frame.need));
            }
        })
        .await
}

impl Soaked {
    /// The broken conditions, each with its lane.
    pub fn broken(&self) -> Vec<String> {
        let of = |run: &LaneReport| {
            let title = run.lane.keeper.title();
            run.broken.iter().map(move |broken| format!("{title}: {broken}")).collect::<Vec<_>>()
        };
        self.lanes.iter().flat_map(of).collect()
    }

    /// One line of the report's table.
    pub fn row(&self) -> String {
        let each = |of: &dyn Fn(&LaneReport) -> String| self.lanes.iter().map(of).collect::<Vec<_>>().join(", ");
        let broken = self.broken();
        let verdict =
            if broken.is_empty() { "passed".to_owned() } else { format!("**failed**: {}", broken.join("; ")) };
        // Where a load falls and comes back, what matters is how much was kept, and what that left unserved.
        let kept = each(&|run| run.kept_at_return.map_or_else(|| "-".to_owned(), |kept| format!("{kept:.0} %")));
        let returned = self.lanes.iter().any(|run| run.kept_at_return.is_some());
        let unmet = each(&|run| format!("{:.1} %", run.report.unmet_percent));
        let dip = if returned {
            format!("; of the need kept at the return: {kept}; unmet load: {unmet}")
        } else {
            String::new()
        };
        let enforced = if self.enforced { " (admission on)" } else { "" };
        let cut = self.scenario.cut.as_deref().map(|cut| format!(" (cut: {cut})")).unwrap_or_default();
        format!(
            "| {} | {}{enforced}{cut} | {} | {} | {} | {} s | {verdict}{dip} |",
            self.scenario.id,
            self.scenario.title,
            each(&|run| format!("{:.1}", run.report.unsafe_minutes)),
            each(&|run| run.report.lowest_replicas.to_string()),
            each(&|run| run
                .first_alarm
                .as_ref()
                .map_or_else(|| "none".to_owned(), |(minutes, _)| format!("{minutes:.1}"))),
            self.took.as_secs(),
        )
    }
}

/// The whole report.
pub fn report(rows: &[String], date: &str, machine: &str, commit: &str) -> String {
    let mut text = format!(
        "# Soak: every scenario on the rig\n\n{date}, {machine}, commit {commit}. `cargo rig soak` makes this file.\n\n\
         Numbers of the services in turn: floorkeeper guarding an HPA on CPU, floorkeeper alone. Unsafe: minutes of the\n\
         scenario with fewer ready replicas than the offered load needs; where pods are made unready, or a person pins\n\
         them, that is the fault itself, and the pass condition looks at other things.\n\n\
         | | scenario | unsafe minutes | lowest replicas | minutes to the first alarm | took | verdict |\n\
         |---|---|---|---|---|---|---|\n"
    );
    for row in rows {
        // Writing to a String can't fail.
        let _ = writeln!(text, "{row}");
    }
    text
}

/// One copy is played under both; of several copies every second one.
fn lanes(copies: u32) -> Vec<Lane> {
    let keeper = |number: u32| if number.is_multiple_of(2) { Keeper::Guard } else { Keeper::Alone };
    (0..copies.max(2)).map(|number| Lane::numbered(keeper(number), number)).collect()
}

/// Calm spans run as fast as they may; edges are never faster than 20 times, so some scenarios take longer.
const BUDGET: Duration = Duration::from_secs(120);

/// Minutes of the scenario between two lines.
const SAY_EVERY: f64 = 5.0;

#[cfg(test)]
mod tests {
    use floorkeeper_sim::{Measure, scenario::Judge};

    use super::*;

    #[test]
    fn three_copies_are_three_services_and_one_is_two() {
        let names = |copies| lanes(copies).into_iter().map(|lane| lane.namespace).collect::<Vec<_>>();
        assert_eq!(names(1), ["guard-0", "alone-1"]);
        assert_eq!(names(3), ["guard-0", "alone-1", "guard-2"]);
    }

    #[test]
    fn a_row_says_what_broke() {
        let scenario = floorkeeper_sim::find("S8").unwrap();
        let report = Measure::new(120.0).report();
        let broken = Judge::new(&scenario).broken(&report, Some(0));
        let lane = LaneReport {
            lane: Lane::new(Keeper::Guard),
            report,
            first_alarm: None,
            kept_at_return: None,
            stood: None,
            broken,
        };
        let mut soaked = Soaked { scenario, enforced: false, lanes: vec![lane], took: Duration::from_secs(61) };
        assert_eq!(
            soaked.row(),
            "| S8 | Every query gives an empty answer | 0.0 | 0 | none | 61 s | **failed**: floorkeeper + HPA: no alarm, though one \
             was due after 5 minutes |"
        );
        soaked.lanes[0].kept_at_return = Some(106.7);
        assert!(
            soaked.row().ends_with("; of the need kept at the return: 107 %; unmet load: 0.0 % |"),
            "{}",
            soaked.row()
        );
        assert!(super::report(&[soaked.row()], "2024-03-05", "2 cores", "abc").contains("|---|"));
    }
}
