//! The result for people.

use core::fmt::Write as _;

use floorkeeper_replay::backtest::{Fitted, Held};
use floorkeeper_sim::trace::format_instant;

use super::{Outcome, policy};
use crate::words;

pub(super) fn render(outcome: &Outcome<'_>) -> String {
    let mut out = summary(outcome);
    out.push_str("\nSuggested policy, ready to apply (evidence above each value):\n\n");
    out.push_str(&outcome.yaml);
    out
}

/// Everything but the policy.
pub(super) fn summary(outcome: &Outcome<'_>) -> String {
    let Outcome { input, history, assumed, now, .. } = outcome;
    let mut out = String::new();
    // Writing to a String can't fail.
    let gaps = history.gaps();
    let missing: f64 = gaps.iter().map(|gap| gap.to - gap.from).sum();
    let _ = writeln!(
        out,
        "{} ({}): {} from {} to {}, a sample every {}, {} ({})",
        input.name,
        input.file,
        span(history.minutes()),
        moment(outcome, 0.0),
        moment(outcome, history.minutes()),
        span(history.step() / 60.0),
        counted(gaps.len(), "gap"),
        span(missing)
    );
    for assumption in assumed {
        let _ = writeln!(out, "  assumed: {assumption}");
    }
    out.push_str("\nwho           unsafe min   unmet %   lowest   replica-hours   over oracle\n");
    let oracle = now.runs.iter().find(|run| run.scaler == "oracle").map(|run| run.replica_hours);
    if let Some(real) = &now.real {
        let extra = oracle.filter(|oracle| *oracle > 0.0).map(|oracle| 100.0 * (real.replica_hours / oracle - 1.0));
        let extra = extra.map_or_else(|| "-".to_owned(), |extra| format!("{extra:+.1} %"));
        let (unsafe_minutes, unmet, lowest) = (real.unsafe_minutes, real.unmet_percent, real.lowest_replicas);
        let hours = real.replica_hours;
        let _ =
            writeln!(out, "{:<13} {unsafe_minutes:>10.1} {unmet:>9.3} {lowest:>8} {hours:>15.1} {extra:>13}", "real");
    }
    for run in &now.runs {
        let lane = now.series.lanes.iter().find(|lane| lane.scaler.name() == run.scaler);
        let lowest = lane.and_then(|lane| lane.replicas.iter().min()).copied().unwrap_or(0);
        let extra = format!("{:+.1} %", run.extra_over_oracle_percent);
        let _ = writeln!(
            out,
            "{:<13} {:>10.1} {:>9.3} {lowest:>8} {:>15.1} {extra:>13}",
            run.scaler, run.unsafe_minutes, run.unmet_percent, run.replica_hours
        );
    }
    if let Some(below) = now.real_below_floor {
        let short = now.real.as_ref().map_or(0.0, |real| real.unsafe_minutes);
        let _ = writeln!(
            out,
            "\nReally there were fewer replicas than the floor for {}, and fewer than the load needed for {}.",
            span(below),
            span(short)
        );
    }
    holds(outcome, &mut out);
    suggestions(outcome, &mut out);
    out
}

fn holds(outcome: &Outcome<'_>, out: &mut String) {
    let holds = &outcome.now.holds;
    let (minutes, price): (f64, f64) =
        holds.iter().fold((0.0, 0.0), |(minutes, price), held| (minutes + held.to - held.from, price + held.price));
    let bill = outcome.now.runs.iter().find(|run| run.scaler == "floorkeeper").map_or(0.0, |run| run.replica_hours);
    let share = if bill > 0.0 { 100.0 * price / bill } else { 0.0 };
    let _ = writeln!(
        out,
        "\nfloorkeeper would have held {} for a doubt, {} in all, for {price:.1} replica-hours above the need with its headroom \
         ({share:.1} % of its bill).",
        counted(holds.len(), "time"),
        span(minutes)
    );
    let mut dearest: Vec<&Held> = holds.iter().collect();
    dearest.sort_by(|a, b| b.price.total_cmp(&a.price));
    for held in dearest.iter().take(DEAREST) {
        let _ = writeln!(
            out,
            "  {}  {:>9}  {:>8.1} replica-hours  {}: {}",
            moment(outcome, held.from),
            span(held.to - held.from),
            held.price,
            words::hold_reason(&held.hold),
            words::hold(&held.hold, Some(&outcome.input.policy))
        );
    }
    if holds.len() > DEAREST {
        let _ = writeln!(out, "  and {} cheaper ones", holds.len() - DEAREST);
    }
}

fn suggestions(outcome: &Outcome<'_>, out: &mut String) {
    out.push_str("\nSuggestions from this history:\n");
    for Fitted { field, value, before, .. } in &outcome.fitted {
        let (is, was) = (text(&policy::written(value)), before.as_ref().map(|before| text(&policy::written(before))));
        let was = match was {
            Some(was) if was == is => "as it is".to_owned(),
            Some(was) => format!("now {was}"),
            None => "now missing".to_owned(),
        };
        let _ = writeln!(out, "  {:<47} {is:<8} ({was})", field.path());
    }
    let ours = |judged: &floorkeeper_replay::backtest::Judged| {
        judged.runs.iter().find(|run| run.scaler == "floorkeeper").map(|run| (run.unsafe_minutes, run.replica_hours))
    };
    if let (Some(now), Some(then)) = (ours(&outcome.now), ours(&outcome.then)) {
        let change = if now.1 > 0.0 { 100.0 * (then.1 / now.1 - 1.0) } else { 0.0 };
        let _ = writeln!(
            out,
            "Played again with them: {} unsafe (was {}), {:.1} replica-hours ({change:+.1} %).",
            span(then.0),
            span(now.0),
            then.1
        );
        if then.0 > now.0 {
            out.push_str(
                "That is more unsafe time than now: a history has few such moments, so look at them before you apply this.\n",
            );
        }
    }
}

pub(super) fn text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The clock at a minute of the history.
pub(super) fn moment(outcome: &Outcome<'_>, minute: f64) -> String {
    format_instant(outcome.history.start() + minute * 60.0).get(..16).unwrap_or_default().replace('T', " ")
}

/// Minutes as people say them.
pub(super) fn span(minutes: f64) -> String {
    match minutes {
        _ if minutes <= 0.0 => "0 min".to_owned(),
        _ if minutes < 2.0 => format!("{:.0} s", minutes * 60.0),
        _ if minutes < 120.0 => format!("{minutes:.0} min"),
        _ if minutes < 2_880.0 => format!("{:.1} h", minutes / 60.0),
        _ => format!("{:.1} days", minutes / 1_440.0),
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Holds that are told one by one.
const DEAREST: usize = 5;
