//! The result as a page with a chart: replay's, with this history as its only scenario.

use floorkeeper_replay::Run;
use floorkeeper_replay::report::{About, Caption, Note, Page, Picture};
use floorkeeper_sim::scenario::Class;

use super::{Outcome, table};
use crate::cli::replay::reason;

pub(super) fn render(outcome: &Outcome<'_>) -> String {
    let Outcome { input, history, terms, now, .. } = outcome;
    let caption = Caption {
        scenario: "history".to_owned(),
        class: Class::FaultFree,
        trace: "history".to_owned(),
        policy: input.name.clone(),
        seed: 0,
        capacity: terms.capacity,
    };
    let mut picture = Picture::new(caption, &now.series, |decision| reason::said(decision, Some(&input.policy)));
    if let Some(replicas) = history.replicas() {
        picture.add_line("real", &replicas, history.step() / 60.0);
    }
    let about = About {
        id: "history".to_owned(),
        title: format!("{} over its own history", input.name),
        class: Class::FaultFree,
        source: format!("From {} to {}.", table::moment(outcome, 0.0), table::moment(outcome, history.minutes())),
        shape: "The load that was measured. Gaps are times in which nobody is told anything.".to_owned(),
    };
    let mut runs: Vec<Run> = now.runs.clone();
    if let (Some(real), Some(like)) = (&now.real, now.runs.first()) {
        let oracle = now.runs.iter().find(|run| run.scaler == "oracle").map_or(0.0, |run| run.replica_hours);
        runs.push(Run {
            scaler: "real".to_owned(),
            unsafe_minutes: real.unsafe_minutes,
            unmet_percent: real.unmet_percent,
            deficit_max: real.largest_deficit,
            replica_hours: real.replica_hours,
            extra_over_oracle_percent: if oracle > 0.0 { 100.0 * (real.replica_hours / oracle - 1.0) } else { 0.0 },
            theta_u: real.theta_u,
            theta_o: real.theta_o,
            tau_u: real.tau_u,
            tau_o: real.tau_o,
            upsilon: real.upsilon,
            passed: real.unsafe_minutes <= 0.0,
            ..like.clone()
        });
    }
    let notes = [
        Note { title: "What came of it".to_owned(), text: table::summary(outcome) },
        Note { title: "Suggested policy".to_owned(), text: outcome.yaml.clone() },
    ];
    let page = Page {
        title: "floorkeeper backtest",
        command: &format!("floorkeeper backtest --policy {} --format html", input.file),
        scenarios: &[about],
        runs: &runs,
        pictures: &[picture],
        notes: &notes,
    };
    page.html()
}
