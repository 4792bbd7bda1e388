//! Rows of Tortoise's own tests at 6aafa97, under the names that they have there, and whole runs of the port.

use super::slots::{Recommendation, Week};
use super::{Config, Health, Phase, Tortoise};
use crate::peers::oracle::tests::sight;
use crate::peers::terms::tests::terms;
use crate::peers::{CpuSample, Peer, Pod, Sight};

const WEEK: f64 = 7.0 * 86_400.0;

/// `pkg/recommender/recommender_test.go`, `Test_updateHPAMinMaxReplicasRecommendations`. The slot "No recommendation slot"
/// cannot be missing here.
#[test]
fn update_replicas_recommendation() {
    let rows = [
        ("replica recommendation is replaced", (3, 9), 10, WEEK, (5, 20)),
        ("replica recommendation is not replaced", (8, 30), 10, WEEK, (7, 28)),
        ("replica recommendation is not replaced and time-bias isn't applied", (8, 30), 10, 0.0, (8, 30)),
        ("hit minimumMinReplicas", (0, 0), 1, WEEK, (3, 12)),
    ];
    for (name, (min, max), replicas, later, expected) in rows {
        let config = Config::default();
        let known = |replicas| Recommendation { replicas, updated: Some(1e9) };
        let (mut low, mut high) = (known(min), known(max));
        let (least_min, least_max) = (config.minimum_min_replicas, 12);
        let half = (replicas + 1) / 2;
        low.learn(half, least_min, least_min, 1e9 + later);
        high.learn(replicas * 2, least_min, least_max, 1e9 + later);
        assert_eq!((low.replicas, high.replicas), expected, "{name}");
    }
}

#[test]
fn every_hour_of_the_week_has_its_own() {
    let mut week = Week::new();
    let config = Config::default();
    week.learn(40, 3_600.0, &config);
    week.learn(1, 7_200.0, &config);
    assert_eq!((week.at(3_700.0).min.replicas, week.at(3_700.0 + WEEK).max.replicas), (20, 80));
    assert_eq!(
        (week.at(7_300.0).min.replicas, week.at(7_300.0).max.replicas),
        (3, 12),
        "minimumMinReplicas, and times four"
    );
    assert_eq!(week.at(f64::NAN), &super::slots::Slot::default());
}

fn tortoise(phase: Phase, bounds: (u32, u32), max: i32) -> Tortoise {
    let config = Config { maximum_min_replicas: 1_000, maximum_max_replicas: 10_001, ..Config::default() };
    let mut tortoise = Tortoise::with(&terms(), config);
    (tortoise.phase, tortoise.max) = (phase, max);
    tortoise.hpa.set_bounds(bounds.0, bounds.1);
    tortoise
}

/// `pkg/hpa/service_test.go`, `TestClient_UpdateHPAFromTortoiseRecommendation`.
#[test]
fn update_hpa() {
    use Phase::{BackToNormal, Emergency, Working};
    const ANY: i32 = i32::MAX;
    let rows = [
        ("maximum minReplica is applied", Working, (3, 6), ANY, (10_000, 10_000), (1_000, 10_000), Working),
        ("global maximum maxReplica is applied", Working, (3, 6), ANY, (3, 999_999), (3, 10_001), Working),
        ("tortoise maximum maxReplica is applied", Working, (3, 6), 9_999, (3, 999_999), (3, 9_999), Working),
        ("emergency mode", Emergency, (1, 2), ANY, (3, 6), (6, 6), Emergency),
        (
            "minReplicas are reduced gradually during BackToNormal",
            BackToNormal,
            (6, 6),
            ANY,
            (3, 6),
            (5, 6),
            BackToNormal,
        ),
        (
            "BackToNormal finishes when minReplicas reaches the ideal value",
            BackToNormal,
            (1, 6),
            ANY,
            (3, 6),
            (3, 6),
            Working,
        ),
    ];
    for (name, phase, bounds, max, (low, high), expected, after) in rows {
        let mut tortoise = tortoise(phase, bounds, max);
        tortoise.apply(low, high);
        assert_eq!((tortoise.hpa.bounds(), tortoise.phase), (expected, after), "{name}");
    }
}

/// `pkg/hpa/service_test.go`, `TestService_IsHpaMetricAvailable` and `..._EmergencyModeGracePeriod`.
#[test]
fn is_hpa_metric_available() {
    let used = |share| vec![Pod { cpu: Some(CpuSample { share, at: 0.0, window: 15.0 }), ..pod() }];
    let rows = [
        (
            "Grace period active - recent failure should not trigger emergency mode",
            vec![pod()],
            120.0,
            300.0,
            Health::Fine,
        ),
        (
            "Grace period expired - old failure should trigger emergency mode",
            vec![pod()],
            600.0,
            300.0,
            Health::Unhealthy,
        ),
        ("Short grace period - should trigger emergency mode quickly", vec![pod()], 120.0, 60.0, Health::Unhealthy),
        ("No failure condition - should work normally", used(0.5), 60.0, 300.0, Health::Fine),
        (
            "HPA with zero external metric and zero container metric, should return false",
            used(0.0),
            0.0,
            300.0,
            Health::Unhealthy,
        ),
    ];
    for (name, pods, age, grace, expected) in rows {
        let mut tortoise = Tortoise::with(&terms(), Config { grace, ..Config::default() });
        tortoise.hpa.sync(&Sight { wanted: 10, pods: &pods, ..sight(&[], 60.0, 0.0) });
        tortoise.health(&pods, 0.0);
        assert_eq!(tortoise.health(&pods, age), expected, "{name}");
    }
}

fn pod() -> Pod {
    Pod { created: -3_600.0, ready: true, changed: -3_600.0, cpu: None }
}

/// Syncs every 15 seconds with this CPU; the replicas at the end.
fn play(tortoise: &mut Tortoise, mut wanted: u32, (from, to): (u32, u32), share: Option<f64>) -> u32 {
    for at in (from..to).step_by(15) {
        let now = f64::from(at);
        let cpu = share.map(|share| CpuSample { share, at: now, window: 15.0 });
        let pods = vec![Pod { cpu, ..pod() }; wanted as usize];
        wanted = tortoise.sync(&Sight { wanted, pods: &pods, ..sight(&[], 60.0, now) }).unwrap_or(wanted);
    }
    wanted
}

/// A week of 40 replicas before minute 0.
fn experienced() -> Tortoise {
    let mut tortoise = Tortoise::new(&terms());
    for quarter in (0..=672).rev() {
        tortoise.remember(f64::from(quarter) * -900.0, 40);
    }
    assert_eq!(tortoise.phase(), Phase::Working);
    tortoise
}

#[test]
fn keeps_half_of_what_ran_at_this_hour() {
    let mut tortoise = experienced();
    assert_eq!(play(&mut tortoise, 40, (15, 6 * 3_600), Some(0.01)), 19, "less a twentieth for the week");
    assert_eq!(tortoise.hpa().bounds(), (19, 50), "twice 40, and no more than spec.maxReplicas");
}

#[test]
fn a_young_one_only_gathers() {
    let mut tortoise = Tortoise::new(&terms());
    assert_eq!(play(&mut tortoise, 40, (0, 7_200), Some(0.01)), 2, "the user's own minimum");
    assert_eq!(tortoise.phase(), Phase::GatheringData);
}

#[test]
fn without_metrics_goes_to_the_maximum_after_five_minutes() {
    let mut tortoise = experienced();
    assert_eq!(play(&mut tortoise, 30, (15, 300), None), 30, "grace");
    assert_eq!(play(&mut tortoise, 30, (300, 420), None), 50);
}
