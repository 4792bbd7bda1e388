//! One run as a figure: the load, the need, everybody's replicas, the faults, and floorkeeper's reasons.
//!
//! The plot stretches to any width; its words are HTML beside it, so that they stay readable. The script reads the
//! numbers back from the paths.

use core::fmt::Write as _;

use floorkeeper_core::Trust;
use floorkeeper_sim::trace::format_instant;

use super::escape::escape;
use super::lines::short;
use super::picture::{Line, Picture, Reason};
use crate::record::Run;

/// The figure; `runs`: those of this picture, for the numbers beside the names.
pub(super) fn figure(picture: &Picture, runs: &[&Run], out: &mut String) {
    let (minutes, top) = (picture.minutes.max(f64::MIN_POSITIVE), picture.highest * ROOM_ABOVE);
    let caption = &picture.caption;
    // Writing to a String can't fail.
    let _ = write!(
        out,
        r#"<figure class="run" data-epoch="{}" data-minutes="{}" data-capacity="{}"><figcaption>policy <b>{}</b>, trace <b>{}</b>, seed {}</figcaption>"#,
        picture.epoch,
        short(minutes),
        caption.capacity,
        escape(&caption.policy),
        escape(&caption.trace),
        caption.seed,
    );
    faults(picture, minutes, out);
    out.push_str(
        r#"<div class="plot" tabindex="0" role="slider" aria-label="A moment of this run" aria-valuemin="0" "#,
    );
    let _ = write!(out, r#"aria-valuemax="{}" aria-valuenow="0">"#, short(minutes));
    let _ = write!(
        out,
        r#"<svg viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true"><g transform="matrix(1 0 0 -1 0 {1})">"#,
        short(minutes),
        short(top)
    );
    out.push_str(r#"<g class="fault">"#);
    for fault in &picture.faults {
        let wide = (fault.to - fault.from).max(minutes / 500.0);
        let _ = write!(out, r#"<rect x="{}" width="{}" height="{}"/>"#, short(fault.from), short(wide), short(top));
    }
    out.push_str("</g>");
    for level in ticks(top) {
        let _ = write!(out, r#"<path class="grid" d="M0 {0}H{1}"/>"#, short(level), short(minutes));
    }
    let _ = write!(out, r#"<path class="offered" d="{}V0H0Z"/>"#, picture.offered);
    let _ = write!(out, r#"<path class="line need" d="{}"/>"#, picture.need);
    for Line { name, path } in picture.lines.iter().rev() {
        let _ = write!(out, r#"<path class="line l-{}" d="{path}"/>"#, escape(name));
    }
    out.push_str(r#"</g></svg><i class="cursor"></i>"#);
    axes(picture, minutes, top, out);
    out.push_str("</div>");
    trust(picture, minutes, out);
    out.push_str(
        r#"<p class="readout" aria-live="polite">Point at the chart, or focus it and use the arrow keys: every number of a moment, and why the floor is what it is. The strip under the time: half high where floorkeeper doubts, full where it is blind, a tick at each change.</p>"#,
    );
    legend(picture, runs, out);
    reasons(picture, out);
    out.push_str("</figure>");
}

/// One row for each fault, above the plot.
fn faults(picture: &Picture, minutes: f64, out: &mut String) {
    if picture.faults.is_empty() {
        return;
    }
    out.push_str(r#"<ul class="faults" aria-label="Faults">"#);
    for fault in &picture.faults {
        let from = percent(fault.from, minutes);
        let wide = (percent(fault.to, minutes) - from).max(0.4);
        let when = if fault.to > fault.from {
            format!("minute {} to {}", short(fault.from), short(fault.to))
        } else {
            format!("minute {}", short(fault.from))
        };
        // A name that begins far to the right ends at its bar instead.
        let (side, place) = if from > 55.0 { ("right", 100.0 - from - wide) } else { ("left", from) };
        let _ = write!(
            out,
            r#"<li><i style="left:{}%;width:{}%"></i><span style="{side}:{}%">{} <small>{when}</small></span></li>"#,
            short(from),
            short(wide),
            short(place.max(0.0)),
            escape(fault.what),
        );
    }
    out.push_str("</ul>");
}

fn axes(picture: &Picture, minutes: f64, top: f64, out: &mut String) {
    for level in ticks(top) {
        let place = short(100.0 * level / top);
        let load = compact(level * picture.caption.capacity);
        let _ = write!(
            out,
            r#"<span class="y" style="bottom:{place}%">{}</span><span class="y2" style="bottom:{place}%">{load}/s</span>"#,
            short(level)
        );
    }
    let every = STEPS.iter().copied().find(|every| minutes / every <= MOST_LABELS).unwrap_or(minutes);
    let offset = (picture.epoch / 60.0).rem_euclid(every);
    let mut at = if offset > 0.0 { every - offset } else { 0.0 };
    while at < minutes {
        let place = percent(at, minutes);
        // One that would hang over the right edge is left out.
        if place <= 96.0 {
            let instant = format_instant(picture.epoch + at * 60.0);
            let range = if every < 1_440.0 { 11..16 } else { 5..10 };
            let _ = write!(
                out,
                r#"<span class="x" style="left:{}%">{}</span>"#,
                short(place),
                instant.get(range).unwrap_or_default()
            );
        }
        at += every;
    }
}

/// How far the readings were believed, under the time axis; a tick at each change that is listed.
fn trust(picture: &Picture, minutes: f64, out: &mut String) {
    let spans = &picture.trust;
    if spans.is_empty() {
        return;
    }
    let _ = write!(
        out,
        r#"<svg class="trust" viewBox="0 0 {} 10" preserveAspectRatio="none" role="img" aria-label="Where floorkeeper doubts, or is blind">"#,
        short(minutes)
    );
    let mut ticks = String::new();
    for reason in &picture.reasons {
        let _ = write!(ticks, "M{} 0V10", short(reason.minute));
    }
    for (place, (from, trust)) in spans.iter().enumerate() {
        let to = spans.get(place + 1).map_or(minutes, |(to, _)| *to);
        // Doubt is low, blindness is high: the form says it as well as the colour.
        let (class, high) = match trust {
            Trust::Trusted => continue,
            Trust::Doubtful => ("doubtful", 5),
            Trust::Blind => ("blind", 10),
        };
        let (x, wide, y) = (short(*from), short(to - from), 10 - high);
        let _ = write!(out, r#"<rect class="{class}" x="{x}" width="{wide}" y="{y}" height="{high}"/>"#);
    }
    let _ = write!(out, r#"<path class="ticks" d="{ticks}"/></svg>"#);
}

/// Names, with what each came to, and a box to hide or show its line.
fn legend(picture: &Picture, runs: &[&Run], out: &mut String) {
    out.push_str(
        r#"<div class="wide"><table class="legend"><thead><tr><th scope="col">line</th><th scope="col">unsafe min</th><th scope="col">kept</th><th scope="col">replica-h</th><th scope="col">over oracle</th><th scope="col"></th></tr></thead><tbody><tr><th scope="row"><span class="key k-offered"></span>offered load</th><td colspan="5"></td></tr><tr><th scope="row"><span class="key k-need"></span>need</th><td colspan="5"></td></tr>"#,
    );
    for Line { name, .. } in &picture.lines {
        let safe = escape(name);
        let shown = if SHOWN.contains(&name.as_str()) { " checked" } else { "" };
        let _ = write!(
            out,
            r#"<tr><th scope="row"><label><input type="checkbox" class="c-{safe}"{shown}><span class="key k-{safe}"></span>{safe}</label></th>"#
        );
        match runs.iter().find(|run| run.scaler == *name) {
            Some(run) => {
                let kept = run.kept_at_return_percent.map_or_else(|| "–".to_owned(), |kept| format!("{kept:.0} %"));
                let (class, mark) = if run.passed { ("ok", "✓ passed") } else { ("bad", "✗ failed") };
                let _ = write!(
                    out,
                    r#"<td>{}</td><td>{kept}</td><td>{:.1}</td><td>{:+.1} %</td><td class="{class}">{mark}</td></tr>"#,
                    short(run.unsafe_minutes),
                    run.replica_hours,
                    run.extra_over_oracle_percent,
                );
            }
            None => out.push_str(r#"<td colspan="5"></td></tr>"#),
        }
    }
    out.push_str("</tbody></table></div>");
}

/// All changes as text: for those who read, print, or have no script.
fn reasons(picture: &Picture, out: &mut String) {
    if picture.reasons.is_empty() {
        return;
    }
    let _ = write!(
        out,
        r#"<details class="reasons"><summary>Why: {} changes of floorkeeper's floor or its reason</summary><ol>"#,
        picture.reasons.len() + picture.left_out
    );
    for Reason { minute, floor, word, sentence, trust } in &picture.reasons {
        let trust = match trust {
            Trust::Trusted => "",
            Trust::Doubtful => " Doubtful.",
            Trust::Blind => " Blind.",
        };
        let instant = format_instant(picture.epoch + minute * 60.0);
        let _ = write!(
            out,
            r#"<li data-m="{}"><time>{}</time> floor <b>{floor}</b>, <b>{}</b>: {}.{trust}</li>"#,
            short(*minute),
            instant.get(5..16).unwrap_or_default().replace('T', " "),
            escape(word),
            escape(sentence.trim_end_matches('.')),
        );
    }
    out.push_str("</ol>");
    if picture.left_out > 0 {
        let _ = write!(out, "<p>{} more changes, which say less, are not listed.</p>", picture.left_out);
    }
    out.push_str("</details>");
}

fn percent(minute: f64, minutes: f64) -> f64 {
    (100.0 * minute / minutes).clamp(0.0, 100.0)
}

/// Round levels of the vertical axis, zero left out.
fn ticks(top: f64) -> Vec<f64> {
    let rough = (top / 4.0).max(0.25);
    let ten = 10_f64.powf(rough.log10().floor());
    let every = [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * ten).find(|every| *every >= rough);
    let every = every.unwrap_or(ten * 10.0).max(1.0);
    (1..8_u32).map(|place| f64::from(place) * every).take_while(|level| *level < top).collect()
}

/// `950`, `4.2k`, `1.3M`.
fn compact(number: f64) -> String {
    let (number, unit) = match number {
        _ if number >= 1e6 => (number / 1e6, "M"),
        _ if number >= 1e3 => (number / 1e3, "k"),
        _ => (number, ""),
    };
    if number >= 100.0 || number.fract() == 0.0 { format!("{number:.0}{unit}") } else { format!("{number:.1}{unit}") }
}

/// The highest line does not touch the top.
const ROOM_ABOVE: f64 = 1.06;

/// Minutes between two labels of the time axis.
const STEPS: &[f64] =
    &[1.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 180.0, 360.0, 720.0, 1_440.0, 2_880.0, 7_200.0, 10_080.0, 20_160.0];

/// As many labels as fit beside each other on a phone.
const MOST_LABELS: f64 = 6.0;

/// Lines that are drawn from the beginning: more than these cover each other.
const SHOWN: &[&str] = &["floorkeeper", "hpa-cpu", "hpa-load", "keda", "real"];
