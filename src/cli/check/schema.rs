//! What the API server's own validation of a schema would say: unknown fields, types, bounds, missing fields.

use serde_json::{Map, Value};

use super::document::{element, field};
use crate::api::parse::Mistake;

/// Every mistake in a value, against the schema of a definition.
pub(super) fn mistakes(schema: &Value, value: &Value, path: &str, found: &mut Vec<Mistake>) {
    let mut mistake = |message: String| found.push(Mistake { path: path.to_owned(), message });
    let wanted = schema["type"].as_str().unwrap_or_default();
    if !is_of_type(wanted, value) {
        let hint = match value {
            Value::Number(_) | Value::Bool(_) if wanted == "string" => format!("write it in quotes: \"{value}\""),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                format!("write {}", article(wanted))
            }
        };
        mistake(format!("{} is {}, not {}: {hint}", shown(value), article(type_of(value)), article(wanted)));
        return;
    }
    match value {
        Value::String(text) => text_mistakes(schema, text, &mut mistake),
        Value::Number(number) => {
            let bound = |keyword: &str| schema[keyword].as_f64();
            if let Some(most) = bound("maximum").filter(|most| number.as_f64().is_some_and(|n| n > *most)) {
                mistake(format!("{number} is too large: write {most} or less"));
            }
            if let Some(least) = bound("minimum").filter(|least| number.as_f64().is_some_and(|n| n < *least)) {
                mistake(format!("{number} is too small: write {least} or more"));
            }
        }
        Value::Array(items) => list_mistakes(schema, items, path, found),
        Value::Object(object) => object_mistakes(schema, object, path, found),
        Value::Null | Value::Bool(_) => {}
    }
}

fn text_mistakes(schema: &Value, text: &str, mistake: &mut impl FnMut(String)) {
    let length = text.chars().count() as u64;
    if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
        mistake(format!("{length} characters are too many: write {most} at most"));
    }
    if schema["minLength"].as_u64().is_some_and(|least| length < least) {
        mistake("it is empty: write something, or leave the field out".to_owned());
    }
    if schema["format"] == "date-time" && text.parse::<jiff::Timestamp>().is_err() {
        mistake(format!("{text:?} is not a time: write one such as \"2030-01-31T12:00:00Z\""));
    }
    let Some(choices) = schema["enum"].as_array() else { return };
    if !choices.iter().any(|choice| choice == text) {
        let choices: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
        mistake(format!("{text:?} is unknown: write one of {}", choices.join(", ")));
    }
}

fn list_mistakes(schema: &Value, items: &[Value], path: &str, found: &mut Vec<Mistake>) {
    let mut mistake = |path: String, message: String| found.push(Mistake { path, message });
    if let Some(most) = schema["maxItems"].as_u64().filter(|most| items.len() as u64 > *most) {
        mistake(path.to_owned(), format!("{} entries are too many: write {most} at most", items.len()));
    }
    if schema["minItems"].as_u64().is_some_and(|least| (items.len() as u64) < least) {
        mistake(path.to_owned(), "the list is empty: write an entry, or leave the field out".to_owned());
    }
    let keys: Vec<&str> =
        schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (i, item) in items.iter().enumerate() {
        let same = |other: &Value| match keys.as_slice() {
            [] => schema["x-kubernetes-list-type"] == "set" && other == item,
            keys => keys.iter().all(|key| other[*key] == item[*key]),
        };
        if items[..i].iter().any(same) {
            let what = keys.first().map_or_else(|| item.clone(), |key| item[*key].clone());
            mistake(element(path, i), format!("{} is there twice: give each its own", shown(&what)));
        }
    }
    for (i, item) in items.iter().enumerate() {
        mistakes(&schema["items"], item, &element(path, i), found);
    }
}

fn object_mistakes(schema: &Value, object: &Map<String, Value>, path: &str, found: &mut Vec<Mistake>) {
    if let Some(most) = schema["maxProperties"].as_u64().filter(|most| object.len() as u64 > *most) {
        let message = format!("{} entries are too many: write {most} at most", object.len());
        found.push(Mistake { path: path.to_owned(), message });
    }
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if object.get(required).is_none_or(Value::is_null) {
            let message = "it is missing: it must be there".to_owned();
            found.push(Mistake { path: field(path, required), message });
        }
    }
    let known = schema["properties"].as_object();
    let values = &schema["additionalProperties"];
    for (name, value) in object {
        let path = field(path, name);
        match known.and_then(|known| known.get(name)) {
            // An explicit null is pruned: it means "left out".
            _ if value.is_null() => {}
            Some(schema) => mistakes(schema, value, &path, found),
            None if values.is_object() => mistakes(values, value, &path, found),
            None => {
                let known = known.into_iter().flat_map(Map::keys).map(String::as_str);
                let hint = nearest(name, known).map_or_else(String::new, |near| format!(": did you mean {near:?}?"));
                found.push(Mistake { path, message: format!("there is no field of this name{hint}") });
            }
        }
    }
}

fn is_of_type(wanted: &str, value: &Value) -> bool {
    match (wanted, value) {
        ("integer", Value::Number(number)) => number.as_f64().is_some_and(|number| number.fract() == 0.0),
        ("", _) => true,
        (wanted, value) => wanted == type_of(value),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn article(name: &str) -> &'static str {
    match name {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a text",
        "array" => "a list",
        "object" => "a group of fields",
        _ => "nothing",
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN { text } else { format!("{}...", text.chars().take(SHOWN).collect::<String>()) }
}

/// The known name that is at most two edits away (or differs in case alone).
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    let with_distance = known.map(|known| (distance(&name, &known.to_ascii_lowercase()), known));
    with_distance.filter(|(distance, _)| *distance <= 2).min().map(|(_, known)| known)
}

/// Edits (insert, delete, replace) that make one text the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(SHOWN).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Characters of a wrong value that a message shows.
const SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        assert_eq!(nearest("minreplicas", ["minReplicas", "maxReplicas"].into_iter()), Some("minReplicas"));
        assert_eq!(nearest("capasity", ["capacity", "signals"].into_iter()), Some("capacity"));
        assert_eq!(nearest("color", ["capacity"].into_iter()), None);
    }
}
