//! `TestGroupPods`: which pods count. Upstream's pods are of phase Succeeded here, which the rules treat as running.

use super::{NOW, pod};
use crate::peers::hpa::pods::{Groups, Readiness};
use crate::peers::hpa::{Phase, PodMetric, PodView, ReadyCondition};

const READINESS: Readiness = Readiness { now: NOW, cpu_initialization: 120.0, initial_readiness_delay: 10.0 };

/// A pod without any metric, started and with a Ready condition so many seconds ago.
fn started(ago: f64, condition: Option<(bool, f64)>) -> PodView {
    let ready = condition.map(|(status, ago)| ReadyCondition { status, since: NOW - ago });
    PodView { started: Some(NOW - ago), ready, ..pod() }
}

/// With a sample of so many seconds ago over such a window.
fn sampled(pod: PodView, ago: f64, window: f64) -> PodView {
    PodView { metric: Some(PodMetric { value: 1, at: NOW - ago, window }), ..pod }
}

/// With a sample of Go's zero time over no window.
fn barely_sampled(pod: PodView) -> PodView {
    sampled(pod, 1e9, 0.0)
}

#[test]
fn group_pods() {
    let pending = PodView { phase: Phase::Pending, ready: None, started: None, ..pod() };
    let young_ready = started(60.0, Some((true, 30.0)));
    let missing = started(180.0, None);
    let niccolo = barely_sampled(started(180.0, Some((true, 180.0))));
    let lucretius = barely_sampled(started(0.0, None));
    // Ready, unready, missing, ignored.
    let rows: [(&str, Vec<PodView>, bool, [i64; 4]); 14] = [
        ("void", vec![], true, [0, 0, 0, 0]),
        (
            "count in a ready pod - memory",
            vec![sampled(PodView { ready: None, started: None, ..pod() }, 0.0, 60.0)],
            false,
            [1, 0, 0, 0],
        ),
        ("unready a pod without ready condition - CPU", vec![lucretius], true, [0, 1, 0, 0]),
        (
            "count in a ready pod with fresh metrics during initialization period - CPU",
            vec![sampled(young_ready, 0.0, 30.0)],
            true,
            [1, 0, 0, 0],
        ),
        (
            "unready a ready pod without fresh metrics during initialization period - CPU",
            vec![sampled(young_ready, 0.0, 60.0)],
            true,
            [0, 1, 0, 0],
        ),
        (
            "unready an unready pod during initialization period - CPU",
            vec![barely_sampled(started(600.0, Some((false, 594.0))))],
            true,
            [0, 1, 0, 0],
        ),
        (
            "count in a ready pod without fresh metrics after initialization period - CPU",
            vec![sampled(started(180.0, Some((true, 180.0))), 120.0, 60.0)],
            true,
            [1, 0, 0, 0],
        ),
        (
            "count in an unready pod that was ready after initialization period - CPU",
            vec![barely_sampled(started(600.0, Some((false, 540.0))))],
            true,
            [1, 0, 0, 0],
        ),
        (
            "unready pod that has never been ready after initialization period - CPU",
            vec![barely_sampled(started(600.0, Some((false, 590.0))))],
            true,
            [1, 0, 0, 0],
        ),
        ("a missing pod", vec![missing], true, [0, 0, 1, 0]),
        ("several pods", vec![lucretius, niccolo, missing], true, [1, 1, 1, 0]),
        ("pending pods are unreadied", vec![pending], true, [0, 1, 0, 0]),
        (
            "ignore pods with deletion timestamps",
            vec![barely_sampled(PodView { deleting: true, ..pending })],
            true,
            [0, 0, 0, 1],
        ),
        (
            "ignore pods in a failed state",
            vec![barely_sampled(PodView { phase: Phase::Failed, ..pending })],
            true,
            [0, 0, 0, 1],
        ),
    ];
    for (name, pods, cpu, expected) in rows {
        let groups = Groups::of(&pods, cpu.then_some(&READINESS));
        let Groups { counted, unready, missing, ignored, requests_known: _ } = groups;
        assert_eq!([counted.pods, unready.pods, missing.pods, ignored.pods], expected, "{name}");
    }
}
