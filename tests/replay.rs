//! Replay as people run it: the committed policies, read as the operator reads them, over every embedded scenario.

use floorkeeper::cli::replay::{policies, schema_text};
use floorkeeper_replay::{Play, Scaler, TICK};
use floorkeeper_sim::{CATALOGUE, find};

#[test]
fn the_committed_policies_keep_every_pass_condition() {
    let policies = policies::committed().unwrap();
    let names: Vec<&str> = policies.iter().map(|named| named.name.as_str()).collect();
    assert_eq!(names, ["minimal", "recommended", "queue"]);
    let mut broken = Vec::new();
    for (name, _) in CATALOGUE {
        let scenario = find(name).unwrap();
        let trace = scenario.trace(|path| Err(format!("{path}: embedded scenarios generate their load"))).unwrap();
        let past = scenario.past(14);
        for named in &policies {
            let play = Play {
                scenario: &scenario,
                trace: &trace,
                past: past.as_ref(),
                trace_name: "generated",
                policy: &named.policy,
                policy_name: &named.name,
                seed: 0,
                scalers: &[Scaler::Floorkeeper, Scaler::FloorkeeperGuard],
                tick: if scenario.minutes > 4_320 { 60.0 } else { TICK },
                series: false,
            };
            for played in play.play().played {
                let run = &played.run;
                broken.extend(played.broken.iter().map(|what| format!("{name} {} {}: {what}", named.name, run.scaler)));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_committed_schema_is_that_of_the_format() {
    let committed = include_str!("../docs/scenario.schema.json");
    let hint = "write it again: cargo run -- replay --schema > docs/scenario.schema.json";
    assert_eq!(committed, schema_text().unwrap(), "{hint}");
}

#[test]
fn the_queue_policy_looks_at_what_waits() {
    let queue = policies::named("queue").unwrap().policy;
    assert!(queue.signals[0].drain_within.is_some() && queue.errors.is_some());
    assert!(policies::named("nobody").unwrap_err().to_string().contains("minimal, recommended, queue"));
}
