//! The result for programs.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{Outcome, policy, table};
use crate::words;

pub(super) fn render(outcome: &Outcome<'_>) -> anyhow::Result<String> {
    let Outcome { input, history, assumed, terms, now, fitted, then, yaml } = outcome;
    let gaps: Vec<Value> =
        history.gaps().iter().map(|gap| json!({"from_minute": gap.from, "to_minute": gap.to})).collect();
    let holds: Vec<Value> = now
        .holds
        .iter()
        .map(|held| {
            json!({
                "from": table::moment(outcome, held.from), "minutes": held.to - held.from,
                "reason": words::hold_reason(&held.hold), "why": words::hold(&held.hold, Some(&input.policy)),
                "replica_hours": held.price,
            })
        })
        .collect();
    let suggestions: Vec<Value> = fitted
        .iter()
        .map(|fitted| {
            json!({
                "path": fitted.field.path(), "value": policy::written(&fitted.value),
                "before": fitted.before.as_ref().map(policy::written), "evidence": fitted.evidence,
            })
        })
        .collect();
    let all = json!({
        "policy": input.name, "file": input.file,
        "from": table::moment(outcome, 0.0), "to": table::moment(outcome, history.minutes()),
        "step_seconds": history.step(), "samples": history.points().len(), "gaps": gaps, "assumed": assumed,
        "terms": {
            "capacity": terms.capacity, "min": terms.min, "max": terms.max, "headroom_percent": terms.headroom_percent,
            "start_delay_minutes": terms.start_delay,
        },
        "runs": now.runs, "real": now.real, "real_below_floor_minutes": now.real_below_floor, "holds": holds,
        "suggestions": suggestions, "runs_with_suggestions": then.runs, "suggested_policy": yaml,
    });
    let mut text = serde_json::to_string_pretty(&all).context("the result can't be written as JSON")?;
    text.push('\n');
    Ok(text)
}
