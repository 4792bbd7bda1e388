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
        out.push_str(
            "<h2>Every scenario, every scaler</h2><p>✓ kept the scenario's pass condition in every run, ✗ did not. The colour goes by minutes below the need: blue none, then the darker the more.</p>",
        );
        matrix(self.scenarios, self.runs, &headlines, &mut out);
        for about in self.scenarios {
            self.scenario(about, &mut out);
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

/// The two numbers that belong together, large for floorkeeper, and all scalers below.
fn head(headlines: &[Headline], out: &mut String) {
    if let Some(ours) = headlines.iter().find(|headline| headline.scaler == "floorkeeper") {
        let extra = percent(ours.extra_percent);
        let _ = write!(
            out,
            r#"<div class="cards"><div><b>{}</b> unsafe minutes where the signal lies, in {} runs</div><div><b>{}</b> unsafe minutes where the load itself dips and returns, in {} runs</div><div><b>{extra}</b> replica-hours above the oracle where nothing is wrong</div></div>"#,
            short_minutes(ours.lying_minutes),
            ours.lying_runs,
            short_minutes(ours.dip_minutes),
            ours.dip_runs,
        );
    }
    out.push_str(
        r#"<div class="wide" tabindex="0" role="region" aria-label="All scalers"><table class="sums"><thead><tr><th scope="col">scaler</th><th scope="col">unsafe min, lying signal</th><th scope="col">unsafe min, dip and return</th><th scope="col">least kept at a return</th><th scope="col">extra replica-hours, no fault</th><th scope="col">runs failed</th></tr></thead><tbody>"#,
    );
    for headline in headlines {
        let kept = headline.least_kept_percent.map_or_else(|| "–".to_owned(), |kept| format!("{kept:.0} %"));
        let _ = write!(
            out,
            r#"<tr><th scope="row"><span class="key k-{0}"></span>{0}</th><td>{1}</td><td>{2}</td><td>{kept}</td><td>{3}</td><td>{4}</td></tr>"#,
            escape(&headline.scaler),
            short_minutes(headline.lying_minutes),
            short_minutes(headline.dip_minutes),
            percent(headline.extra_percent),
            headline.failed
        );
    }
    out.push_str("</tbody></table></div>");
}

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
