//! Time series as JSON, with floorkeeper's reasons in words.

use floorkeeper_core::Decision;
use serde_json::{Value, json};

use super::work::Done;
use crate::words;

/// One scenario's, with what names the run; `None` where no series was kept.
pub(super) fn of(done: &Done) -> Option<Value> {
    let (series, run) = (done.series.as_ref()?, &done.played.first()?.run);
    let lanes = series.lanes.iter().map(|lane| {
        let changes = lane.changes.iter().map(
            |change| json!({"minute": change.minute, "floor": change.decision.floor, "why": why(&change.decision)}),
        );
        json!({
            "scaler": lane.scaler.name(), "replicas": lane.replicas, "ready": lane.ready,
            "changes": changes.collect::<Vec<_>>(),
        })
    });
    let faults = series.faults.iter().map(|span| json!({"from": span.from, "to": span.to, "what": span.what}));
    Some(json!({
        "scenario": run.scenario, "trace": run.trace, "policy": run.policy, "seed": run.seed,
        "epoch_seconds": series.epoch, "step_minutes": series.step, "offered": series.offered, "need": series.need,
        "faults": faults.collect::<Vec<_>>(), "scalers": lanes.collect::<Vec<_>>(),
    }))
}

/// A decision in one line: who asks for the floor, and why it does not fall.
pub(super) fn why(decision: &Decision) -> String {
    let mut text = format!("floor {}: {}", decision.floor, words::guard(decision.guard));
    if let Some(hold) = &decision.hold {
        text = format!("{text}; held: {}", words::hold(hold, None));
    }
    for doubt in &decision.doubts {
        text = format!("{text}; {}", words::doubt(doubt, None));
    }
    text
}
