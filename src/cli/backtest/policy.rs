//! The suggested policy: the user's own with other values, as YAML with the evidence above each.

use anyhow::Context as _;
use floorkeeper_core::Policy;
use floorkeeper_replay::backtest::{Field, Fitted, History, Judged, Setting};
use floorkeeper_sim::trace::format_instant;
use serde_json::{Map, Value, json};

use super::input::Input;
use super::table;
use crate::api::{Quantity, Span};

/// The policy with all suggestions in it, for the engine.
pub(super) fn with(policy: &Policy, fitted: &[Fitted]) -> Policy {
    let mut policy = policy.clone();
    for Fitted { field, value, .. } in fitted {
        match (field, value) {
            (Field::Capacity, Setting::Load(capacity)) => {
                policy.signals.iter_mut().for_each(|signal| signal.capacity = Some(*capacity));
            }
            (Field::HeadroomPercent, Setting::Percent(percent)) => policy.headroom_percent = *percent,
            (Field::Window, Setting::Time(time)) => policy.window = *time,
            (Field::HalfLife, Setting::Time(time)) => policy.half_life = *time,
            (Field::HoldFor, Setting::Time(time)) => policy.fall.hold_for = *time,
            (Field::KeepPercent, Setting::Percent(percent)) => policy.fall.keep_percent = *percent,
            (Field::KeepFor, Setting::Time(time)) => policy.fall.keep_for = *time,
            (Field::UntilLearnedPercent, Setting::Percent(percent)) => policy.fall.until_learned_percent = *percent,
            // A field has one unit: no other pair is made.
            (_, Setting::Load(_) | Setting::Percent(_) | Setting::Time(_)) => {}
        }
    }
    policy
}

/// The document, ready for `kubectl apply -f` and for `floorkeeper check`.
pub(super) fn render(
    input: &Input,
    fitted: &[Fitted],
    history: &History,
    now: &Judged,
    then: &Judged,
) -> anyhow::Result<String> {
    let mut document = json!({
        "apiVersion": "floorkeeper.dev/v1alpha1", "kind": "ScalingPolicy",
        "metadata": {"name": input.object.metadata.name, "namespace": input.object.metadata.namespace},
        "spec": serde_json::to_value(&input.object.spec).context("the policy can't be written")?,
    });
    if let Some(labels) = &input.object.metadata.labels {
        document["metadata"]["labels"] = json!(labels);
    }
    for Fitted { field, value, .. } in fitted {
        let path: Vec<&str> = field.path().split('.').collect();
        put(&mut document, &path, written(value));
    }
    let (from, to) = (history.start(), history.start() + history.minutes() * 60.0);
    let head = format!(
        "Suggested by floorkeeper backtest from the load of {} to {}, a sample every {}. Read the evidence before you apply it: \
         a history shows what was, and seldom what failed. Played over that history: {} with the policy as it was, {} with this one.",
        short(from),
        short(to),
        table::span(history.step() / 60.0),
        sums(now),
        sums(then)
    );
    let mut out = String::new();
    comment(&head, 0, &mut out);
    mapping(&document, "", fitted, 0, &mut out);
    Ok(out)
}

/// floorkeeper's two numbers.
fn sums(judged: &Judged) -> String {
    judged.runs.iter().find(|run| run.scaler == "floorkeeper").map_or_else(String::new, |run| {
        format!("{} unsafe and {:.0} replica-hours", table::span(run.unsafe_minutes), run.replica_hours)
    })
}

fn short(at: f64) -> String {
    format_instant(at).get(..16).unwrap_or_default().replace('T', " ")
}

/// A value as the API writes it.
pub(super) fn written(setting: &Setting) -> Value {
    match setting {
        Setting::Load(load) => json!(Quantity::rounded(*load).0),
        Setting::Percent(percent) => json!(percent),
        Setting::Time(time) => json!(Span::from(*time).0),
    }
}

fn put(value: &mut Value, path: &[&str], to: Value) {
    match path {
        [] => *value = to,
        [first, rest @ ..] => {
            if !value.is_object() {
                *value = json!({});
            }
            put(&mut value[*first], rest, to);
        }
    }
}

/// A mapping in block style, evidence above the fields that have some.
fn mapping(value: &Value, path: &str, fitted: &[Fitted], depth: usize, out: &mut String) {
    let Some(fields) = value.as_object() else { return };
    for (key, value) in ordered(fields) {
        let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if let Some(fitted) = fitted.iter().find(|fitted| fitted.field.path() == here) {
            comment(&evidence(fitted), depth, out);
        }
        let indent = "  ".repeat(depth);
        match value {
            Value::Null => {}
            Value::Object(inner) if !inner.is_empty() => {
                out.push_str(&format!("{indent}{}:\n", scalar(key)));
                mapping(value, &here, fitted, depth + 1, out);
            }
            // JSON is YAML: what nobody edits by hand may stand on one line.
            Value::Array(_) | Value::Object(_) => out.push_str(&format!("{indent}{}: {value}\n", scalar(key))),
            Value::String(text) => out.push_str(&format!("{indent}{}: {}\n", scalar(key), scalar(text))),
            Value::Bool(_) | Value::Number(_) => out.push_str(&format!("{indent}{}: {value}\n", scalar(key))),
        }
    }
}

fn evidence(fitted: &Fitted) -> String {
    match &fitted.before {
        Some(before) if *before != fitted.value => {
            let before = written(before);
            format!("Was {}: {}.", before.as_str().map_or_else(|| before.to_string(), str::to_owned), fitted.evidence)
        }
        Some(_) | None => {
            let mut text = fitted.evidence.clone();
            if let Some(first) = text.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            format!("{text}.")
        }
    }
}

/// What people look for first comes first.
fn ordered(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut ordered: Vec<(&String, &Value)> = fields.iter().collect();
    ordered.sort_by_key(|(key, _)| ORDER.iter().position(|known| known == key).unwrap_or(ORDER.len()));
    ordered
}

fn comment(text: &str, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent.len() + 3 + line.chars().count() + word.chars().count() > WIDTH {
            out.push_str(&format!("{indent}# {line}\n"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.push_str(&format!("{indent}# {line}\n"));
}

/// Text that YAML reads as that text: plain where nobody could read it otherwise, quoted everywhere else.
fn scalar(text: &str) -> String {
    let mut letters = text.chars();
    let word = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '/'));
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let span = text.ends_with(['s', 'm', 'h'])
        && text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|letter| letter.is_ascii_digit() || matches!(letter, b's' | b'm' | b'h'));
    if (word && !reserved.contains(&text.to_ascii_lowercase().as_str())) || span {
        text.to_owned()
    } else {
        Value::String(text.to_owned()).to_string()
    }
}

const ORDER: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "spec",
    "name",
    "namespace",
    "targetRef",
    "mode",
    "minReplicas",
    "maxReplicas",
    "demand",
    "distrust",
    "scaleDown",
    "source",
    "capacity",
    "headroomPercent",
    "signals",
    "window",
    "halfLife",
    "verifyFor",
    "errors",
    "unreadyPercent",
    "dependsOn",
    "unusualFall",
    "holdFor",
    "keepPercent",
    "keepFor",
];

/// Columns of a comment.
const WIDTH: usize = 110;
