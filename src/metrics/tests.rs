use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{Decision, Doubt, Guard, Hold, Notice, Outcome, PolicyKey, Timestamp, Trust, Unknown, Verdict};

use super::{Metrics, QueryOutcome, What};

fn decision() -> Decision {
    let doubt = Doubt::Errors { share: 0.3, above: 0.05 };
    Decision {
        floor: 6,
        guard: Guard::Held,
        since: Timestamp(0),
        verdict: Verdict::Held,
        bids: Vec::new(),
        doubts: vec![doubt],
        hold: Some(Hold::Doubt(doubt)),
        trust: Trust::Doubtful,
        signals: Vec::new(),
        need: Some(4),
        load: Some(481.5),
        observed_at: Some(Timestamp(1_709_602_560_500)),
        min: 2,
        max: 10,
        limited: None,
        price: 2,
        price_since: None,
        zero_in: Duration::from_secs(90),
        in_force: None,
        contested: None,
        usual: None,
        problem: None,
        replicas: Some(6),
        ready: None,
        stored: true,
    }
}

fn has(metrics: &Metrics, lines: &[&str]) {
    let text = metrics.text();
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "{line} is not in\n{text}");
    }
}

#[test]
fn a_policy_s_numbers_are_there_and_unknown_ones_are_not() {
    let metrics = Metrics::new();
    metrics.decided(&PolicyKey::new("shop", "web"), &decision());
    has(
        &metrics,
        &[
            r#"floorkeeper_floor_replicas{namespace="shop",policy="web"} 6.0"#,
            r#"floorkeeper_need_replicas{namespace="shop",policy="web"} 4.0"#,
            r#"floorkeeper_load{namespace="shop",policy="web"} 481.5"#,
            r#"floorkeeper_trust{namespace="shop",policy="web"} 1.0"#,
            r#"floorkeeper_doubt{namespace="shop",policy="web",reason="ErrorsHigh"} 1"#,
            r#"floorkeeper_observed_timestamp_seconds{namespace="shop",policy="web"} 1709602560.5"#,
            r#"floorkeeper_holds{reason="ErrorsHigh"} 1"#,
            r#"floorkeeper_decisions_total{verdict="Held"} 1"#,
            "floorkeeper_policies 1",
        ],
    );
    assert!(!metrics.text().contains("ready_replicas{"), "an unknown number is not zero");
}

#[test]
fn a_deleted_policy_leaves_nothing_behind() {
    let metrics = Metrics::new();
    let (web, api) = (PolicyKey::new("shop", "web"), PolicyKey::new("shop", "api"));
    metrics.decided(&web, &decision());
    metrics.decided(&api, &decision());
    metrics.forget(&web);
    assert!(!metrics.text().contains(r#"policy="web""#));
    has(&metrics, &["floorkeeper_policies 1", r#"floorkeeper_holds{reason="ErrorsHigh"} 1"#]);
    metrics.forget(&api);
    has(&metrics, &["floorkeeper_policies 0"]);
    assert!(!metrics.text().contains("floorkeeper_holds{"));
}

#[test]
fn a_name_can_t_break_the_format() {
    let metrics = Metrics::new();
    metrics.decided(&PolicyKey::new("shop", "a\"b\\c\nd"), &decision());
    assert!(metrics.text().contains(r#"policy="a\"b\\c\nd""#), "{}", metrics.text());
}

#[test]
fn the_same_policy_a_thousand_times_is_one_series() {
    let metrics = Metrics::new();
    for floor in 0..1000 {
        metrics.decided(&PolicyKey::new("shop", "web"), &Decision { floor, ..decision() });
    }
    let series = metrics.text().lines().filter(|line| line.contains(r#"policy="web""#)).count();
    assert_eq!(series, 12, "eleven known numbers and the doubt");
}

#[test]
fn sources_writes_undos_and_notices() {
    let metrics = Metrics::new();
    let source: Arc<str> = "default".into();
    let took = Duration::from_millis(3);
    metrics.queried(&source, QueryOutcome::Answered, took, Timestamp(1_709_602_560_500));
    metrics.queried(&source, QueryOutcome::Timeout, took, Timestamp(1_709_602_575_500));
    metrics.wrote(What::Replicas, Outcome::Conflict.into(), took);
    metrics.undone(What::Bounds, took);
    metrics.noticed(&Notice::Held { floor: 6, hold: Hold::Unknown { signal: Some(0), why: Unknown::Empty } });
    metrics.event("Dropped");
    metrics.polled(took);
    metrics.leading(true);
    has(
        &metrics,
        &[
            r#"floorkeeper_source_up{source="default"} 0"#,
            r#"floorkeeper_source_last_success_timestamp_seconds{source="default"} 1709602560"#,
            r#"floorkeeper_source_queries_total{source="default",outcome="Timeout"} 1"#,
            r#"floorkeeper_writes_total{kind="Replicas",outcome="Conflict"} 1"#,
            r#"floorkeeper_undos_total{what="Bounds"} 1"#,
            "floorkeeper_undo_reaction_seconds_count 1",
            r#"floorkeeper_notices_total{reason="FloorHeld"} 1"#,
            r#"floorkeeper_events_total{outcome="Dropped"} 1"#,
            "floorkeeper_engine_poll_seconds_count 1",
            "floorkeeper_leader 1",
        ],
    );
    assert!(metrics.text().ends_with("# EOF\n"));
    metrics.forget_source(&source);
    assert!(!metrics.text().contains(r#"source="default""#), "{}", metrics.text());
}
