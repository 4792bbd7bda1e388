//! Breaks an accepted object at one place, once for each bound and rule of the schema.

use serde_json::{Value, json};

use super::{bases, rules, schema};

/// An object with one fault.
#[derive(Clone, Debug)]
pub(crate) struct Breakage {
    /// Where and what is wrong, for the test's own messages.
    pub(crate) what: String,
    pub(crate) object: Value,
    /// What the API server must say; every one of them.
    pub(crate) says: Vec<String>,
    /// The object as it was stored before, for rules on changes.
    pub(crate) before: Option<Value>,
}

/// One for each bound and rule in the specs of all kinds. Those without a known breakage come second.
pub(crate) fn breakages() -> (Vec<Breakage>, Vec<String>) {
    let (mut broken, mut unknown) = (Vec::new(), Vec::new());
    for kind in ["ScalingPolicy", "MetricSource", "FloorOverride", "FloorTable", "DemandHistory"] {
        let bases: Vec<Value> = bases().into_iter().filter(|base| base["kind"] == kind).collect();
        let schema = schema(kind);
        rules::of(&schema, kind, "", &bases, &mut broken, &mut unknown);
        walk(&schema["properties"]["spec"], kind, "/spec", &bases, &mut broken, &mut unknown);
    }
    (broken, unknown)
}

/// `place` is a pointer in which `*` stands for any element of a list.
fn walk(
    schema: &Value,
    kind: &str,
    place: &str,
    bases: &[Value],
    broken: &mut Vec<Breakage>,
    unknown: &mut Vec<String>,
) {
    let here = format!("{kind} {place}");
    rules::of(schema, kind, place, bases, broken, unknown);
    let Some((base, pointer)) = find(bases, place) else {
        unknown.push(format!("{here}: no base has this field"));
        return;
    };
    let value = base.pointer(&pointer).expect("it was found there");
    let mut breaks = |what: String, object: Value, says: Vec<String>| {
        broken.push(Breakage { what: format!("{here}: {what}"), object, says, before: None });
    };
    for (keyword, wrong, says) in wrong_values(schema, value) {
        breaks(keyword.to_owned(), with(base, &pointer, wrong), vec![says]);
    }
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let says = vec!["Required value".to_owned(), required.to_owned()];
        breaks(format!("required {required}"), without(base, &pointer, required), says);
    }
    if let Some(keys) = schema["x-kubernetes-list-map-keys"].as_array() {
        let twice = json!([value[0].clone(), value[0].clone()]);
        breaks(format!("keys {keys:?} twice"), with(base, &pointer, twice), vec!["Duplicate value".to_owned()]);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(property, kind, &format!("{place}/{}", escaped(name)), bases, broken, unknown);
    }
    if schema["items"].is_object() {
        walk(&schema["items"], kind, &format!("{place}/*"), bases, broken, unknown);
    }
    if schema["additionalProperties"]["properties"].is_object() {
        let key = value.as_object().and_then(|map| map.keys().next()).expect("the base has an entry");
        walk(&schema["additionalProperties"], kind, &format!("{place}/{}", escaped(key)), bases, broken, unknown);
    }
}

/// The first base that has the place, and the pointer to it there.
pub(crate) fn find<'a>(bases: &'a [Value], place: &str) -> Option<(&'a Value, String)> {
    bases.iter().find_map(|base| Some((base, pointer_in(base, place)?)))
}

fn pointer_in(base: &Value, place: &str) -> Option<String> {
    let Some((before, after)) = place.split_once("/*") else {
        return base.pointer(place).map(|_| place.to_owned());
    };
    let elements = base.pointer(before)?.as_array()?.len();
    (0..elements).find_map(|i| pointer_in(base, &format!("{before}/{i}{after}")))
}

/// What breaks the bounds of a schema: keyword, value, and what the API server says to it.
fn wrong_values(schema: &Value, value: &Value) -> Vec<(&'static str, Value, String)> {
    let mut wrong = Vec::new();
    if let Some(max) = schema["maximum"].as_f64() {
        wrong.push(("maximum", json!(max as i64 + 1), "should be less than or equal to".to_owned()));
    }
    if let Some(min) = schema["minimum"].as_f64() {
        wrong.push(("minimum", json!(min as i64 - 1), "should be greater than or equal to".to_owned()));
    }
    if let Some(max) = schema["maxLength"].as_u64() {
        wrong.push(("maxLength", json!("a".repeat(max as usize + 1)), format!("may not be more than {max} bytes")));
    }
    if let Some(min) = schema["minLength"].as_u64() {
        assert_eq!(min, 1, "only empty texts are refused by minLength");
        wrong.push(("minLength", json!(""), "should be at least 1 chars long".to_owned()));
    }
    if let Some(max) = schema["maxItems"].as_u64() {
        let items: Vec<Value> = (0..=max).map(|i| numbered(&value[0], i)).collect();
        wrong.push(("maxItems", json!(items), format!("must have at most {max} items")));
    }
    if schema["minItems"].as_u64().is_some() {
        wrong.push(("minItems", json!([]), "should have at least 1 items".to_owned()));
    }
    if let Some(max) = schema["maxProperties"].as_u64() {
        let first = value.as_object().and_then(|map| map.values().next()).cloned().unwrap_or_default();
        let map: serde_json::Map<String, Value> = (0..=max).map(|i| (format!("k{i}"), first.clone())).collect();
        wrong.push(("maxProperties", json!(map), format!("must have at most {max} items")));
    }
    if schema["enum"].is_array() {
        wrong.push(("enum", json!("Nonsense"), "Unsupported value: \"Nonsense\"".to_owned()));
    }
    if schema["format"] == "date-time" {
        wrong.push(("format", json!("yesterday"), "must be of type date-time".to_owned()));
    }
    let other = match schema["type"].as_str() {
        Some("string") => json!(1),
        Some("integer" | "boolean" | "object" | "array") => json!("text"),
        other => panic!("a schema of type {other:?}"),
    };
    wrong.push(("type", other, "must be of type".to_owned()));
    wrong
}

/// The same element under another name, where it has one.
fn numbered(item: &Value, i: u64) -> Value {
    let mut item = item.clone();
    match &mut item {
        Value::String(text) => *text = format!("{}{i}", text.trim_end_matches('*')),
        Value::Object(map) => {
            if map.contains_key("name") {
                map.insert("name".to_owned(), json!(format!("n{i}")));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {}
    }
    item
}

/// A copy with another value at `pointer`.
pub(crate) fn with(base: &Value, pointer: &str, value: Value) -> Value {
    let mut object = base.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer below the root");
    let name = name.replace("~1", "/").replace("~0", "~");
    match object.pointer_mut(parent).expect("the parent is there") {
        Value::Object(map) => drop(map.insert(name, value)),
        Value::Array(items) => items[name.parse::<usize>().expect("an index")] = value,
        other => panic!("{parent} is {other}"),
    }
    object
}

/// A copy without one field of the object at `pointer`.
pub(crate) fn without(base: &Value, pointer: &str, field: &str) -> Value {
    let mut object = base.clone();
    object.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object").remove(field);
    object
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
