//! A policy as most would write it, and everything that is needed to play a scenario with it.

use std::time::Duration;

use floorkeeper_core::{Errors, Mode, Policy, Signal, TargetKey, Timestamp, UnusualFall, ZeroMeans};
use floorkeeper_replay::{Play, Played, Scaler, TICK};
use floorkeeper_sim::Scenario;

/// The API's defaults.
pub(crate) fn policy() -> Policy {
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    Policy {
        target: TargetKey::new("shop", "deployments.apps", "web"),
        mode: Mode::Guard,
        min_replicas: None,
        max_replicas: None,
        signals: vec![Signal {
            name: "edge".into(),
            capacity: Some(1.0),
            max_age: Duration::from_secs(120),
            zero: ZeroMeans::Evidence,
            drain_within: None,
        }],
        headroom_percent: 25,
        errors: Some(Errors { above: 0.05, min_rate: 1.0 }),
        unready_percent: 25,
        depends_on: Vec::new(),
        fall: UnusualFall { hold_for: hours(1), keep_percent: 80, keep_for: hours(8), until_learned_percent: 50 },
        hold_at_most: hours(24),
        window: Duration::from_secs(600),
        half_life: hours(1),
        verify_for: Duration::from_secs(120),
        resolution: Duration::from_secs(15),
        source: "default".into(),
        created: Timestamp(0),
    }
}

/// Plays a scenario on its own load.
pub(crate) fn play(scenario: &Scenario, scalers: &[Scaler]) -> Vec<Played> {
    let trace = scenario.trace(|path| Err(format!("{path}: embedded scenarios generate their load"))).unwrap();
    let past = scenario.past(14);
    let play = Play {
        scenario,
        trace: &trace,
        past: past.as_ref(),
        trace_name: "generated",
        policy: &policy(),
        policy_name: "defaults",
        seed: 0,
        scalers,
        tick: if scenario.minutes > 4_320 { 60.0 } else { TICK },
        series: false,
    };
    play.play().played
}

/// Every embedded scenario.
pub(crate) fn catalogue() -> Vec<Scenario> {
    floorkeeper_sim::CATALOGUE.iter().map(|(name, _)| floorkeeper_sim::find(name).unwrap()).collect()
}
