//! Everything that was played as one page.

use floorkeeper_replay::report::{About, Caption, Note, Page, Picture};
use floorkeeper_replay::{Play, Run, Series};

use super::reason;
use super::work::{Done, Work};

/// What a chart needs of a run; the series itself is many times larger.
pub(super) fn picture(play: &Play<'_>, series: &Series) -> Picture {
    let caption = Caption {
        scenario: play.scenario.id.clone(),
        class: play.scenario.class,
        trace: play.trace_name.to_owned(),
        policy: play.policy_name.to_owned(),
        seed: play.seed,
        capacity: play.scenario.service.capacity,
    };
    Picture::new(caption, series, |decision| reason::said(decision, Some(play.policy)))
}

pub(super) fn render(done: &[Done], work: &Work) -> String {
    let runs: Vec<Run> = done.iter().flat_map(|done| &done.played).map(|played| played.run.clone()).collect();
    let about = |scenario: &floorkeeper_sim::Scenario| About {
        id: scenario.id.clone(),
        title: scenario.title.clone(),
        class: scenario.class,
        source: scenario.source.clone(),
        shape: scenario.shape.clone(),
    };
    let scenarios: Vec<About> = work.scenarios.iter().map(about).collect();
    let (mut pictures, mut letters, mut left_out) = (Vec::new(), 0, 0_usize);
    // What went wrong is looked at first; then the first policy of each scenario, and the others while there is room.
    let mut ordered: Vec<&Done> = done.iter().collect();
    ordered.sort_by_key(|done| {
        let failed = done.played.iter().any(|played| !played.run.passed && played.run.scaler == "floorkeeper");
        let first = work.policies.first().is_some_and(|named| done.policy() == Some(named.name.as_str()));
        let drawn = done.played.first().is_some_and(|played| is_composition(&played.run.scenario));
        (!failed, drawn, !first)
    });
    for picture in ordered.iter().filter_map(|done| done.picture.as_ref()) {
        if letters + picture.letters() > MOST_LETTERS {
            left_out += 1;
        } else {
            letters += picture.letters();
            pictures.push(picture.clone());
        }
    }
    let note = Note {
        title: "What is not drawn".to_owned(),
        text: format!(
            "{left_out} runs are counted above and have no chart here, to keep the page small. Name their scenarios to see \
             them:\nfloorkeeper replay R17 --format html --out r17.html"
        ),
    };
    let page = Page {
        title: "floorkeeper replay",
        command: "floorkeeper replay --format html --out report.html",
        scenarios: &scenarios,
        runs: &runs,
        pictures: &pictures,
        notes: if left_out > 0 { core::slice::from_ref(&note) } else { &[] },
    };
    page.html()
}

/// Drawn at random, by its number.
fn is_composition(id: &str) -> bool {
    id.strip_prefix('R').is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

/// Letters of all charts together: a page that a phone opens.
const MOST_LETTERS: usize = 4_000_000;
