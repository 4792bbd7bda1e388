//! Scenarios against scalers: one cell for all runs of both, by its worst.
//!
//! A cell says it three times: with a sign, with a number, with a colour. Blue to orange, which nobody takes for each
//! other.

use core::fmt::Write as _;

use floorkeeper_sim::scenario::Class;

use super::escape::{anchor, escape};
use super::headline::Headline;
use super::lines::short;
use super::page::About;
use crate::record::Run;

/// The matrix; scalers in the order of `headlines`.
pub(super) fn matrix(scenarios: &[About], runs: &[Run], headlines: &[Headline], out: &mut String) {
    // Writing to a String can't fail.
    out.push_str(
        r#"<div class="wide" tabindex="0" role="region" aria-label="Matrix of scenarios and scalers"><table class="matrix"><thead><tr><th scope="col" class="corner">scenario</th>"#,
    );
    for headline in headlines {
        let _ = write!(out, r#"<th scope="col"><span>{}</span></th>"#, escape(&headline.scaler));
    }
    out.push_str("</tr></thead>");
    for (class, title) in CLASSES {
        let mut of_class = scenarios.iter().filter(|about| about.class == *class).peekable();
        if of_class.peek().is_none() {
            continue;
        }
        let _ = write!(
            out,
            r#"<tbody><tr class="class"><th scope="rowgroup" colspan="{}"><span>{title}</span></th></tr>"#,
            headlines.len() + 1
        );
        for about in of_class {
            let _ = write!(
                out,
                r##"<tr><th scope="row"><a href="#{}" title="{}">{}</a></th>"##,
                anchor(&about.id),
                escape(&about.title),
                escape(&about.id)
            );
            for headline in headlines {
                let both = |run: &&Run| run.scenario == about.id && run.scaler == headline.scaler;
                cell(*class, &runs.iter().filter(both).collect::<Vec<_>>(), out);
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody>");
    }
    out.push_str("</table></div>");
}

fn cell(class: Class, runs: &[&Run], out: &mut String) {
    if runs.is_empty() {
        out.push_str("<td>–</td>");
        return;
    }
    let worst = runs.iter().map(|run| run.unsafe_minutes).fold(0.0, f64::max);
    let passed = runs.iter().filter(|run| run.passed).count();
    let mark = if passed == runs.len() { "✓" } else { "✗" };
    let (level, text) = match class {
        Class::Lying => (minutes_level(worst), whole(worst)),
        Class::Dip => {
            let kept = runs.iter().filter_map(|run| run.kept_at_return_percent).reduce(f64::min);
            let kept = kept.map_or_else(String::new, |kept| format!(r#"<small>{kept:.0}%</small>"#));
            (minutes_level(worst), format!("{}{kept}", whole(worst)))
        }
        Class::FaultFree => {
            let extra = runs.iter().map(|run| run.extra_over_oracle_percent).fold(f64::MIN, f64::max);
            let minutes = if worst > 0.0 { format!("<small>{}m</small>", whole(worst)) } else { String::new() };
            (minutes_level(worst), format!("{extra:+.0}%{minutes}"))
        }
    };
    let title = format!("{passed} of {} runs passed; at worst {} unsafe minutes", runs.len(), short(worst));
    let _ = write!(out, r#"<td class="u{level}" title="{title}"><span>{mark}</span> {text}</td>"#);
}

fn minutes_level(minutes: f64) -> u8 {
    match minutes {
        _ if minutes <= 0.0 => 0,
        _ if minutes < 5.0 => 1,
        _ if minutes < 30.0 => 2,
        _ => 3,
    }
}

/// Minutes with a fraction only where there is little else.
fn whole(minutes: f64) -> String {
    if minutes > 0.0 && minutes < 10.0 { short((minutes * 10.0).round() / 10.0) } else { format!("{minutes:.0}") }
}

const CLASSES: &[(Class, &str)] = &[
    (Class::Lying, "The signal lies: minutes with too few replicas"),
    (Class::Dip, "The load itself falls and returns: minutes with too few, and the least share kept for the return"),
    (Class::FaultFree, "Nothing is wrong: replica-hours above the oracle's"),
];
