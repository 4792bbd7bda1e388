//! The page as a whole: well-formed, alone, complete, and safe against what others wrote.

use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{Mode, Policy, Signal, TargetKey, Timestamp, UnusualFall, ZeroMeans};
use floorkeeper_sim::Scenario;

use super::*;
use crate::{Play, Run, Scaler, TICK, class_name};

const SCENARIO: &str = "
id: X1
title: A <b>test</b> & its \"quotes\"
class: lying
source: nobody
shape: chosen
starts: 2024-03-05T01:20:00Z
minutes: 60
trace: {generate: {seed: 1, peak: 1000, noise: 0.02}}
service: {capacity: 100, min: 1, max: 20}
faults:
  - {from: 10, to: 50, source: {zero: {}}}
pass: {unsafeMinutes: 0}
";

fn policy() -> Policy {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    Policy {
        target: TargetKey::new("shop", "deployments.apps", "web"),
        mode: Mode::Autoscale,
        min_replicas: Some(1),
        max_replicas: Some(20),
        signals: vec![Signal {
            name: "edge".into(),
            capacity: Some(100.0),
            max_age: minutes(2),
            zero: ZeroMeans::Evidence,
            drain_within: None,
        }],
        headroom_percent: 25,
        errors: None,
        unready_percent: 25,
        depends_on: Vec::new(),
        fall: UnusualFall {
            hold_for: minutes(60),
            keep_percent: 80,
            keep_for: minutes(480),
            until_learned_percent: 50,
            usual_days: UnusualFall::USUAL_DAYS,
        },
        hold_at_most: minutes(1_440),
        window: minutes(10),
        half_life: minutes(60),
        verify_for: minutes(2),
        resolution: Duration::from_secs(15),
        source: Arc::from("default"),
        created: Timestamp(0),
    }
}

/// A page of one scenario, with a reason that tries to break out.
fn played() -> (String, Vec<Run>) {
    let scenario = Scenario::from_yaml(SCENARIO).unwrap();
    let trace = scenario.trace(|_| Err(String::new())).unwrap();
    let play = Play {
        scenario: &scenario,
        trace: &trace,
        past: None,
        trace_name: "generated",
        policy: &policy(),
        policy_name: "<policy>",
        seed: 7,
        scalers: &Scaler::ALL,
        tick: TICK,
        series: true,
    };
    let outcome = play.play();
    let runs: Vec<Run> = outcome.played.into_iter().map(|played| played.run).collect();
    let caption = Caption {
        scenario: "X1".to_owned(),
        class: scenario.class,
        trace: "generated".to_owned(),
        policy: "<policy>".to_owned(),
        seed: 7,
        capacity: 100.0,
    };
    let say =
        |_: &floorkeeper_core::Decision| ("Held".to_owned(), "</script><img src=x onerror='1'> & so on".to_owned());
    let picture = Picture::new(caption, &outcome.series.unwrap(), say);
    let about = About {
        id: scenario.id.clone(),
        title: scenario.title.clone(),
        class: scenario.class,
        source: scenario.source.clone(),
        shape: scenario.shape.clone(),
    };
    let page = Page {
        title: "A page",
        command: "floorkeeper replay X1 --format html",
        scenarios: &[about.clone(), About { id: "X2".to_owned(), ..about }],
        runs: &runs,
        pictures: &[picture],
        notes: &[Note { title: "A note".to_owned(), text: "<as it is>".to_owned() }],
    };
    (page.html(), runs)
}

/// Tags that are opened and not closed in their order; elements that never have an end are passed over.
fn unbalanced(html: &str) -> Option<String> {
    let (before, rest) = html.split_once("<style>").unwrap();
    let (_, rest) = rest.split_once("</style>").unwrap();
    let (rest, script) = rest.split_once("<script>").unwrap();
    let (_, after) = script.split_once("</script>").unwrap();
    let mut open: Vec<String> = Vec::new();
    let html = [before, rest, after].concat();
    for tag in html.split('<').skip(1) {
        let Some((tag, _)) = tag.split_once('>') else { return Some(tag.to_owned()) };
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        if let Some(end) = tag.strip_prefix('/') {
            if open.pop().as_deref() != Some(end) {
                return Some(tag.to_owned());
            }
        } else if !tag.ends_with('/') && !["!DOCTYPE", "meta", "input"].contains(&name) {
            open.push(name.to_owned());
        }
    }
    open.pop()
}

#[test]
fn every_tag_is_closed() {
    let (html, _) = played();
    assert_eq!(unbalanced(&html), None);
    let broken = html.replacen("</figcaption>", "", 1);
    assert!(unbalanced(&broken).is_some(), "the check itself bites");
}

#[test]
fn it_asks_nobody_for_anything() {
    let (html, _) = played();
    for way in ["http:", "https:", "//www", "url(", "@import", "src=\"", "<link", "<iframe", "fetch(", "XMLHttp"] {
        assert!(!html.contains(way), "{way}");
    }
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn every_scaler_and_scenario_is_in_it() {
    let (html, runs) = played();
    for scaler in Scaler::ALL {
        assert!(html.contains(&format!("<span>{scaler}</span>")), "{scaler} in the matrix");
        assert!(html.contains(&format!(r#"<path class="line l-{scaler}" d="M0 "#)), "{scaler} in the chart");
        assert!(runs.iter().any(|run| run.scaler == scaler.name()));
    }
    assert!(html.contains(r##"href="#s-x1""##) && html.contains(r#"id="s-x1""#));
    assert!(html.contains("source.zero <small>minute 10 to 50</small>"));
}

#[test]
fn what_others_wrote_stays_text() {
    let (html, _) = played();
    assert!(html.contains("A &lt;b&gt;test&lt;/b&gt; &amp; its &quot;quotes&quot;"));
    assert!(html.contains("policy <b>&lt;policy&gt;</b>"));
    assert!(html.contains("&lt;/script&gt;&lt;img src=x onerror=&#39;1&#39;&gt; &amp; so on."));
    assert!(html.contains("<pre>&lt;as it is&gt;</pre>"));
    assert_eq!(html.matches("</script>").count(), 1);
}

#[test]
fn a_chart_is_small() {
    let (html, _) = played();
    assert!(html.len() < 60_000, "{}", html.len());
}

#[test]
fn the_sums_are_those_of_the_runs() {
    let (_, runs) = played();
    let headlines = headlines(&runs);
    assert_eq!(headlines.len(), Scaler::ALL.len());
    for (headline, run) in headlines.iter().zip(&runs) {
        assert_eq!(headline.scaler, run.scaler);
        assert_eq!(class_name(run.class), "lying");
        assert_eq!((headline.unsafe_minutes(), headline.extra_percent), (run.unsafe_minutes, None));
    }
    let free = |hours, extra| Run {
        class: floorkeeper_sim::scenario::Class::FaultFree,
        replica_hours: hours,
        extra_over_oracle_percent: extra,
        ..runs[0].clone()
    };
    let both = super::headlines(&[free(120.0, 20.0), free(100.0, 0.0)]);
    assert!((both[0].extra_percent.unwrap() - 10.0).abs() < 1e-9, "{both:?}");
}
