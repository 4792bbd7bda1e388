//! Rows of KEDA's own tests at 8b4f083, under the names that they have there, and whole runs of the port.

use super::executor::{Activity, Executor};
use super::fallback::{Given, Health};
use super::prometheus::{QueryFailed, quantity, value};
use super::{Fallback, FallbackBehavior, Keda, ScaledObject, Target};
use crate::peers::oracle::tests::sight;
use crate::peers::terms::tests::terms;
use crate::peers::{Answer, Peer, Sight, Terms};

/// `pkg/scalers/prometheus_scaler_test.go`, `testPromQueryResult`. A body without results or without values is no series; a
/// refused query, several series and half a value are errors.
#[test]
fn prometheus_scaler() {
    use Answer::{Empty, Error, Value};
    let failed = Err(QueryFailed);
    let rows = [
        ("no results", Empty, true, Ok(0.0)),
        ("no values", Empty, true, Ok(0.0)),
        ("no values but shouldn't ignore", Empty, false, failed),
        ("value is empty list", Empty, true, Ok(0.0)),
        ("value is empty list but shouldn't ignore", Empty, false, failed),
        ("valid value", Value(2.0), true, Ok(2.0)),
        ("not enough values", Error, true, failed),
        ("multiple results", Error, true, failed),
        ("error status response", Error, true, failed),
        ("+Inf", Value(f64::INFINITY), true, Ok(0.0)),
        ("+Inf but shouldn't ignore ", Value(f64::INFINITY), false, failed),
        ("-Inf", Value(f64::NEG_INFINITY), true, Ok(0.0)),
        ("-Inf but shouldn't ignore ", Value(f64::NEG_INFINITY), false, failed),
        ("NaN", Value(f64::NAN), true, Ok(0.0)),
        ("NaN but shouldn't ignore ", Value(f64::NAN), false, failed),
    ];
    for (name, answer, ignore_null_values, expected) in rows {
        assert_eq!(value(answer, ignore_null_values), expected, "{name}");
    }
}

/// `pkg/scalers/scaler_test.go`, `TestGenerateMetricInMili`; upstream asks only whether it is zero.
#[test]
fn generate_metric_in_milli() {
    let rows = [
        ("small value", 42.5, 42_500),
        ("large value in quintillion range", 1e18, i64::MAX),
        ("value just above int64 milli overflow threshold", 9.3e15, i64::MAX),
        ("NaN treated as zero", f64::NAN, 0),
        ("positive Inf treated as zero", f64::INFINITY, 0),
        ("negative value treated as zero", -1.0, 0),
        ("large negative value treated as zero", -9.3e15, 0),
    ];
    for (name, value, expected) in rows {
        assert_eq!(quantity(value), expected, "{name}");
    }
}

/// `pkg/fallback/fallback_test.go`: three failures allowed, ten replicas.
#[test]
fn fallback() {
    use FallbackBehavior::{CurrentReplicas, CurrentReplicasIfHigher, CurrentReplicasIfLower, Static};
    let to = |failure_threshold, behavior| Some(Fallback { failure_threshold, replicas: 10, behavior });
    let (real, made_up) =
        (|quantity| Ok(Given { quantity, fallback: false }), |quantity| Ok(Given { quantity, fallback: true }));
    let failed = Err(QueryFailed);
    // Answer, fallback, failures before, replicas; what is given and failures after. The target is 3 where the answer is a
    // value and 10 where it fails.
    let rows = [
        ("should return the expected metric when fallback is disabled", Ok(5), None, 0, 5, real(5), 0),
        (
            "should initialise the health status on success when fallback is enabled and status is empty",
            Ok(6),
            to(3, Static),
            0,
            5,
            real(6),
            0,
        ),
        (
            "should reset the health status when scaler metrics are available when fallback is enabled",
            Ok(6),
            to(3, Static),
            5,
            5,
            real(6),
            0,
        ),
        ("should not reset the health status when fallback is not enabled", Ok(6), None, 5, 5, real(6), 5),
        ("should propagate the error when fallback is disabled", failed, None, 0, 5, failed.map(|_: i64| MADE), 0),
        (
            "should bump the number of failures when metrics call fails",
            failed,
            to(3, Static),
            0,
            5,
            failed.map(|_: i64| MADE),
            1,
        ),
        (
            "should return a normalised metric when number of failures are beyond threshold",
            failed,
            to(3, Static),
            3,
            5,
            made_up(100_000),
            4,
        ),
        (
            "should return error when fallback is enabled but scaledobject has invalid parameter",
            failed,
            to(-3, Static),
            3,
            5,
            failed.map(|_: i64| MADE),
            3,
        ),
        (
            "should use fallback replicas when current replicas is lower when behavior is 'currentReplicasIfHigher'",
            failed,
            to(3, CurrentReplicasIfHigher),
            3,
            4,
            made_up(100_000),
            4,
        ),
        (
            "should use current replicas when behavior is 'currentReplicas'",
            failed,
            to(3, CurrentReplicas),
            3,
            6,
            made_up(60_000),
            4,
        ),
        ("should ignore current replicas when behavior is 'static'", failed, to(3, Static), 3, 15, made_up(100_000), 4),
        // Not in upstream's table.
        ("the third failure is passed on", failed, to(3, Static), 2, 5, failed.map(|_: i64| MADE), 3),
        (
            "currentReplicasIfHigher with more running",
            failed,
            to(3, CurrentReplicasIfHigher),
            3,
            15,
            made_up(150_000),
            4,
        ),
        ("currentReplicasIfLower with fewer running", failed, to(3, CurrentReplicasIfLower), 3, 4, made_up(40_000), 4),
    ];
    for (name, answer, fallback, before, replicas, expected, after) in rows {
        let target = Target::AverageValue(if answer.is_ok() { 3_000 } else { 10_000 });
        let mut health = Health { failures: before };
        assert_eq!(health.given(answer, fallback.as_ref(), target, (replicas, replicas)), expected, "{name}");
        assert_eq!(health.failures, after, "{name}");
    }
    let ten = to(0, Static);
    let value = |ready| Health::default().given(failed, ten.as_ref(), Target::Value(10_000), (10, ready));
    assert_eq!(value(5), made_up(20_000), "a Value target is multiplied by the ready pods");
    assert_eq!(value(0), failed.map(|_: i64| MADE), "readyReplicas is zero, cannot do fallback");
}

const MADE: Given = Given { quantity: 0, fallback: true };

/// `pkg/scaling/executor/scale_scaledobjects_test.go`, and the cases of `RequestScale` without a test there.
#[test]
fn request_scale() {
    let object = |min, idle| ScaledObject { min, idle, ..ScaledObject::new(&terms()) };
    let falls_back_to = |replicas| {
        let fallback = Fallback { failure_threshold: 3, replicas, behavior: FallbackBehavior::Static };
        ScaledObject { fallback: Some(fallback), ..object(0, None) }
    };
    let (active, idle) = (Activity { active: true, error: false }, Activity { active: false, error: false });
    let broken = Activity { active: false, error: true };
    let rows = [
        ("TestScaleToMinReplicasWhenNotActive", object(0, None), idle, 10, Some(0)),
        ("TestScaleToMinReplicasFromLowerInitialReplicaCount", object(5, None), idle, 1, Some(5)),
        ("TestScaleFromMinReplicasWhenActive", object(0, None), active, 0, Some(1)),
        ("TestScaleToIdleReplicasWhenNotActive", object(5, Some(0)), idle, 10, Some(0)),
        ("TestScaleFromIdleToMinReplicasWhenActive", object(5, Some(0)), active, 0, Some(5)),
        ("TestEventWitTriggerInfo", object(5, Some(0)), active, 2, Some(5)),
        ("triggers are active, but we didn't need to scale", object(0, None), active, 4, None),
        ("an error without a fallback", object(0, None), broken, 10, None),
        ("an error with a fallback", falls_back_to(6), broken, 10, None),
        ("an error with a fallback to zero replicas", falls_back_to(0), broken, 10, Some(0)),
        ("nothing needs to be done", object(2, None), idle, 2, None),
    ];
    for (name, object, activity, replicas, expected) in rows {
        let mut executor = Executor { created: 0.0, last_active: None };
        assert_eq!(executor.request(&object, activity, replicas, 1_000.0), expected, "{name}");
    }
    let mut warm = Executor { created: 0.0, last_active: Some(1_000.0) };
    assert_eq!(warm.request(&object(0, None), idle, 10, 1_300.0), None, "cooling down");
    assert_eq!(warm.request(&object(0, None), idle, 10, 1_301.0), Some(0), "cooled down");
}

/// Syncs every 15 seconds from `from` on; what the answer is decides `answer`. The replicas at the end.
fn play(keda: &mut Keda, mut wanted: u32, (from, to): (u32, u32), answer: Answer) -> u32 {
    for at in (from..to).step_by(15) {
        let pods = vec![crate::peers::Pod { created: 0.0, ready: true, changed: 0.0, cpu: None }; wanted as usize];
        let sight = Sight { wanted, pods: &pods, load: answer, ..sight(&[], 60.0, f64::from(at)) };
        wanted = keda.sync(&sight).unwrap_or(wanted);
    }
    wanted
}

#[test]
fn an_empty_answer_brings_everything_to_the_minimum_by_default() {
    let mut keda = Keda::new(&terms());
    assert_eq!(play(&mut keda, 2, (0, 600), Answer::Value(1_600.0)), 20);
    assert_eq!(play(&mut keda, 20, (600, 1_200), Answer::Empty), 2, "five minutes of a null were enough");
}

#[test]
fn an_error_holds_without_a_fallback_and_lowers_with_a_static_one() {
    let after = |mut keda: Keda| {
        assert_eq!(play(&mut keda, 2, (0, 600), Answer::Value(3_600.0)), 45);
        play(&mut keda, 45, (600, 3_600), Answer::Empty)
    };
    assert_eq!(after(Keda::null_is_an_error(&terms())), 45);
    assert_eq!(after(Keda::falls_back(&terms())), 26, "the middle of 2 and 50");
    assert_eq!(after(Keda::falls_back_to_the_higher(&terms())), 45);
}

#[test]
fn scales_to_zero_after_the_cooldown_and_to_one_at_the_first_request() {
    let terms = Terms { min: 0, ..terms() };
    let mut keda = Keda::new(&terms);
    assert_eq!(play(&mut keda, 4, (0, 300), Answer::Value(320.0)), 4);
    assert_eq!(play(&mut keda, 4, (300, 570), Answer::Value(0.0)), 4, "stabilised, and cooling down");
    assert_eq!(play(&mut keda, 4, (570, 1_200), Answer::Value(0.0)), 0);
    assert_eq!(play(&mut keda, 0, (1_200, 1_245), Answer::Value(50.0)), 1);
}

#[test]
fn falls_back_from_zero_too() {
    let mut keda = Keda::falls_back(&Terms { min: 0, ..terms() });
    assert_eq!(play(&mut keda, 0, (0, 90), Answer::Error), 0, "three failures are passed on");
    assert_eq!(play(&mut keda, 0, (90, 105), Answer::Error), 4, "the fourth is work: one, and the HPA goes on from it");
    assert_eq!(play(&mut keda, 4, (105, 300), Answer::Error), 25, "the middle of 0 and 50");
}

/// `GetHPAMinReplicas`.
#[test]
fn its_hpa_never_has_a_minimum_of_zero() {
    let min = |min| Keda::new(&Terms { min, ..terms() }).controller.spec.min;
    assert_eq!((min(0), min(1), min(4)), (1, 1, 4));
}
