//! `TestNormalizeDesiredReplicas`, `TestNormalizeDesiredReplicasWithBehavior`: the window over past recommendations.

use super::NOW;
use crate::peers::hpa::history::{History, Recommendation, Windows};
use crate::peers::hpa::{Behavior, Controller, Flags, Metric, Policy, Reading, Rules, Scene, Spec};

/// Replicas, and how many minutes ago.
type Past = &'static [(i32, f64)];

fn history(past: Past) -> History {
    let recommendations =
        past.iter().map(|(replicas, ago)| Recommendation { replicas: *replicas, at: NOW - ago * 60.0 }).collect();
    History { recommendations, ..History::default() }
}

#[test]
fn normalize_desired_replicas() {
    let rows: [(&str, Past, i32, i32, usize); 5] = [
        ("empty log", &[], 5, 5, 1),
        ("stabilize", &[(4, 2.0), (5, 1.0)], 3, 5, 3),
        ("no stabilize", &[(1, 2.0), (2, 1.0)], 3, 3, 3),
        ("no stabilize - old recommendations", &[(10, 10.0), (9, 9.0)], 3, 3, 2),
        ("stabilize - old recommendations", &[(10, 10.0), (4, 1.0), (5, 2.0), (9, 9.0)], 3, 5, 4),
    ];
    for (name, past, desired, expected, length) in rows {
        let mut history = history(past);
        assert_eq!(history.highest(desired, 300.0, NOW), expected, "{name}");
        assert_eq!(history.recommendations.len(), length, "{name}");
    }
}

#[test]
fn normalize_desired_replicas_with_behavior() {
    // Past; current and desired; windows up and down in seconds; what is left of it; what is stored then.
    type Row = (&'static str, Past, (i32, i32), (f64, f64), i32, &'static [i32]);
    let near: Past = &[(4, 2.0), (5, 1.0)];
    let old: Past = &[(10, 10.0), (9, 9.0)];
    let rows: [Row; 11] = [
        ("empty recommendations for scaling down", &[], (100, 5), (0.0, 0.0), 5, &[5]),
        ("simple scale down stabilization", near, (100, 3), (0.0, 180.0), 5, &[4, 5, 3]),
        ("simple scale up stabilization", near, (1, 7), (300.0, 0.0), 4, &[4, 5, 7]),
        ("no scale down stabilization", &[(1, 2.0), (2, 1.0)], (100, 3), (300.0, 0.0), 3, &[1, 2, 3]),
        ("no scale up stabilization", near, (1, 3), (0.0, 300.0), 3, &[4, 5, 3]),
        ("no scale down stabilization, reuse recommendation element", old, (100, 3), (0.0, 0.0), 3, &[10, 3]),
        ("no scale up stabilization, reuse recommendation element", old, (1, 100), (0.0, 0.0), 100, &[10, 100]),
        (
            "scale down stabilization, reuse one of obsolete recommendation element",
            &[(10, 10.0), (4, 1.0), (5, 2.0), (9, 9.0)],
            (100, 3),
            (0.0, 180.0),
            5,
            &[10, 4, 5, 3],
        ),
        (
            "scale up stabilization, reuse one of obsolete recommendation element",
            &[(10, 100.0), (6, 1.0), (5, 2.0), (9, 3.0)],
            (1, 100),
            (300.0, 0.0),
            5,
            &[100, 6, 5, 9],
        ),
        (
            "scale up and down stabilization, do not scale up when prenormalized rec goes down",
            &[(2, 100.0), (3, 3.0)],
            (2, 1),
            (300.0, 300.0),
            2,
            &[1, 3],
        ),
        (
            "scale up and down stabilization, do not scale down when prenormalized rec goes up",
            &[(2, 100.0), (1, 3.0)],
            (2, 3),
            (300.0, 300.0),
            2,
            &[3, 1],
        ),
    ];
    for (name, past, (current, desired), (up, down), expected, stored) in rows {
        let mut history = history(past);
        assert_eq!(history.between(current, desired, Windows { up, down }, NOW), expected, "{name}");
        let recommendations: Vec<_> = history.recommendations.iter().map(|past| past.replicas).collect();
        assert_eq!(recommendations, stored, "{name}");
    }
}

/// What is remembered fits one window however long a run is: nothing is allocated in the steady state.
#[test]
fn a_long_run_needs_no_more_room_than_a_window() {
    let policies = |percent| vec![Policy::percent(percent, 60.0)];
    let behavior = Behavior {
        up: Rules { policies: policies(100), ..Rules::default_up() },
        down: Rules { policies: policies(50), ..Rules::default_down() },
    };
    for behavior in [None, Some(behavior)] {
        let mut controller = Controller::new(Spec { min: 1, max: 1_000, behavior }, Flags::default());
        let mut replicas = 10;
        for look in 0..20_000_u32 {
            let now = f64::from(look) * 15.0;
            let load = [1_000_i64, 900_000, 50_000][(look / 90) as usize % 3];
            let scene = Scene { now, replicas, status_replicas: replicas, pods: &[] };
            let metrics = [(Metric::ExternalAverage(1_000), Reading::Values(&[load]))];
            replicas = controller.reconcile(&scene, &metrics).unwrap_or(replicas);
        }
        let History { recommendations, ups, downs, .. } = &controller.history;
        assert!(recommendations.len() <= 22, "{}", recommendations.len());
        assert!(ups.len() <= 6 && downs.len() <= 6, "{} up, {} down", ups.len(), downs.len());
    }
}
