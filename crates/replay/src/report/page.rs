//! The page around the charts.

use core::fmt::Write as _;

use floorkeeper_sim::scenario::Class;

use super::chart;
use super::escape::{anchor, escape};
use super::headline::{Headline, headlines};
use super::matrix::matrix;
use super::picture::Picture;
use crate::record::{Run, class_name};

/// Everything that the page shows.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    pub title: &'a str,
    /// What made it, so that others can make it again.
    pub command: &'a str,
    pub scenarios: &'a [About],
    pub runs: &'a [Run],
    /// Charts, of as many of the runs as were asked for.
    pub pictures: &'a [Picture],
    /// Text as it is, under a title of its own.
    pub notes: &'a [Note],
}

/// Something more to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    pub title: String,
    pub text: String,
}

/// What a scenario says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    pub id: String,
    pub title: String,
    pub class: Class,
    /// The public incident behind it.
    pub source: String,
    /// What of it is chosen, and why.
    pub shape: String,
}

impl Page<'_> {
    /// One HTML document that asks nobody for anything.
    #[must_use]
    pub fn html(&self) -> String {
        let title = escape(self.title);
        let mut out = String::with_capacity(64 * 1024);
        // Writing to a String can't fail.
        let _ = write!(
            out,
            r#"<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"><meta name="color-scheme" content="light dark"><title>{title}</title><style>{}</style></head><body><main><h1>{title}</h1><p class="command"><code>{}</code></p>"#,
            style(self.runs),
            escape(self.command)
        );
        let headlines = headlines(self.runs);
        head(&headlines, &mut out);
        if self.scenarios.len() > 1 {
            out.push_str(
                "<h2>Every scenario, every scaler</h2><p>✓ kept the scenario's pass condition in every run, ✗ did not: with 0 minutes it was never short, but broke another part of it (most often nobody was told). Blue: never below the need; orange: the darker the longer.</p>",
            );
            matrix(self.scenarios, self.runs, &headlines, &mut out);
        }
        for about in self.scenarios {
            self.scenario(about, &mut out);
        }
        for Note { title, text } in self.notes {
            let _ = write!(out, "<section><h2>{}</h2><pre>{}</pre></section>", escape(title), escape(text));
        }
        let _ = write!(out, "</main><script>{SCRIPT}</script></body></html>");
        out
    }

    fn scenario(&self, about: &About, out: &mut String) {
        let _ = write!(
            out,
            r#"<section id="{}"><h2><span class="id">{}</span> {}</h2><p class="about"><b>{}</b> {}</p><p class="about">{}</p>"#,
            anchor(&about.id),
            escape(&about.id),
            escape(&about.title),
            class_name(about.class),
            escape(&about.source),
            escape(&about.shape)
        );
        let of = |picture: &&Picture| picture.caption.scenario == about.id;
        for (place, picture) in self.pictures.iter().filter(of).enumerate() {
            let caption = &picture.caption;
            let same = |run: &&Run| {
                run.scenario == caption.scenario
                    && run.trace == caption.trace
                    && run.policy == caption.policy
                    && run.seed == caption.seed
            };
            let runs: Vec<&Run> = self.runs.iter().filter(same).collect();
            if place > 0 {
                let _ = write!(
                    out,
                    "<details><summary>policy {}, trace {}, seed {}</summary>",
                    escape(&caption.policy),
                    escape(&caption.trace),
                    caption.seed
                );
            }
            chart::figure(picture, &runs, out);
            if place > 0 {
                out.push_str("</details>");
            }
        }
        out.push_str("</section>");
    }
}

/// The numbers that belong together, large for floorkeeper, and all scalers below; only what was played.
fn head(headlines: &[Headline], out: &mut String) {
    let sum = |of: fn(&Headline) -> u32| headlines.iter().map(of).sum::<u32>() > 0;
    let columns: Vec<&Column> = COLUMNS.iter().filter(|column| sum(column.runs)).collect();
    if let Some(ours) = headlines.iter().find(|headline| headline.scaler == "floorkeeper") {
        out.push_str(r#"<div class="cards">"#);
        for column in &columns {
            let (value, runs) = ((column.value)(ours), (column.runs)(ours));
            let runs = if runs == 1 { "one run".to_owned() } else { format!("{runs} runs") };
            let _ = write!(out, "<div><b>{value}</b> {}, in {runs}</div>", column.card);
        }
        out.push_str("</div>");
    }
    out.push_str(
        r#"<div class="wide" tabindex="0" role="region" aria-label="All scalers"><table class="sums"><thead><tr><th scope="col">scaler</th>"#,
    );
    for column in &columns {
        let _ = write!(out, r#"<th scope="col">{}</th>"#, column.title);
    }
    out.push_str(r#"<th scope="col">runs failed</th></tr></thead><tbody>"#);
    for headline in headlines {
        let _ = write!(out, r#"<tr><th scope="row"><span class="key k-{0}"></span>{0}</th>"#, escape(&headline.scaler));
        for column in &columns {
            let _ = write!(out, "<td>{}</td>", (column.value)(headline));
        }
        let _ = write!(out, "<td>{}</td></tr>", headline.failed);
    }
    out.push_str("</tbody></table></div>");
}

/// One of the numbers.
struct Column {
    title: &'static str,
    /// Behind the number, in words.
    card: &'static str,
    /// How many runs speak about it.
    runs: fn(&Headline) -> u32,
    value: fn(&Headline) -> String,
}

const COLUMNS: &[Column] = &[
    Column {
        title: "unsafe min, lying signal",
        card: "unsafe minutes where the signal lies",
        runs: |headline| headline.lying_runs,
        value: |headline| short_minutes(headline.lying_minutes),
    },
    Column {
        title: "unsafe min, dip and return",
        card: "unsafe minutes where the load itself dips and returns",
        runs: |headline| headline.dip_runs,
        value: |headline| short_minutes(headline.dip_minutes),
    },
    Column {
        title: "least kept at a return",
        card: "of the need kept for the return, at least",
        runs: |headline| if headline.least_kept_percent.is_some() { headline.dip_runs } else { 0 },
        value: |headline| headline.least_kept_percent.map_or_else(|| "–".to_owned(), |kept| format!("{kept:.0} %")),
    },
    Column {
        title: "unsafe min, no fault",
        card: "unsafe minutes without a fault",
        runs: |headline| headline.free_runs,
        value: |headline| short_minutes(headline.free_minutes),
    },
    Column {
        title: "extra replica-hours, no fault",
        card: "replica-hours above the oracle where nothing is wrong",
        runs: |headline| headline.free_runs,
        value: |headline| percent(headline.extra_percent),
    },
];

fn short_minutes(minutes: f64) -> String {
    if minutes > 0.0 && minutes < 10.0 { format!("{minutes:.1}") } else { format!("{minutes:.0}") }
}

fn percent(percent: Option<f64>) -> String {
    percent.map_or_else(|| "–".to_owned(), |percent| format!("{percent:+.1} %"))
}

/// The style, and for each line a rule that hides it when its box is not ticked.
fn style(runs: &[Run]) -> String {
    let mut names: Vec<&str> = vec!["real", "floor"];
    for run in runs {
        if !names.contains(&run.scaler.as_str()) {
            names.push(&run.scaler);
        }
    }
    let hide = names.iter().map(|name| {
        let name = escape(name);
        format!(".run:has(.c-{name}:not(:checked)) .l-{name}{{display:none}}")
    });
    format!("{STYLE}{}", hide.collect::<String>())
}

const STYLE: &str = include_str!("page.css");

const SCRIPT: &str = include_str!("page.js");
