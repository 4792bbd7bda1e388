//! A policy as most would write it.

use std::time::Duration;

use floorkeeper_core::{Errors, Mode, Policy, Signal, TargetKey, Timestamp, UnusualFall, ZeroMeans};

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
        fall: UnusualFall {
            hold_for: hours(1),
            keep_percent: 80,
            keep_for: hours(8),
            until_learned_percent: 50,
            usual_days: UnusualFall::USUAL_DAYS,
        },
        hold_at_most: hours(24),
        window: Duration::from_secs(600),
        half_life: hours(1),
        verify_for: Duration::from_secs(120),
        resolution: Duration::from_secs(15),
        source: "default".into(),
        created: Timestamp(0),
    }
}
