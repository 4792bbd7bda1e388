//! YAML (and JSON) documents whose every value knows where it stands.

use core::fmt;
use std::collections::BTreeMap;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

/// A place in a file, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

/// One document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Document {
    pub(super) value: Value,
    /// Of every value by its path; a field's is that of its name. The root's path is empty.
    places: BTreeMap<String, Place>,
}

/// Why a file is no YAML, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) place: Place,
    pub(super) message: String,
}

impl Document {
    /// All documents of a file, those that are empty left out.
    pub(super) fn read(text: &str) -> Result<Vec<Self>, Broken> {
        let nodes: Vec<Spanned<Node>> = serde_saphyr::from_multiple(text).map_err(|error| {
            let place = error.location().map(place_of).unwrap_or(Place { line: 1, column: 1 });
            let message = error.without_snippet().to_string();
            Broken { place, message: message.lines().next().unwrap_or_default().to_owned() }
        })?;
        let documents = nodes.into_iter().map(|node| {
            let mut places = BTreeMap::from([(String::new(), place_of(node.referenced))]);
            let value = value(node.value, "", &mut places);
            Self { value, places }
        });
        Ok(documents.filter(|document| !document.value.is_null()).collect())
    }

    /// Where the value with this path stands; where it is missing, what it is missing from.
    pub(super) fn place(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return *place;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return self.places.get("").copied().unwrap_or_default(),
            }
        }
    }
}

/// The path of a field of the object at `path`.
pub(super) fn field(path: &str, name: &str) -> String {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    match (path.is_empty(), plain) {
        (true, _) => name.to_owned(),
        (false, true) => format!("{path}.{name}"),
        (false, false) => format!("{path}[{name:?}]"),
    }
}

/// The path of an element of the list at `path`.
pub(super) fn element(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

enum Node {
    Scalar(Value),
    List(Vec<Spanned<Self>>),
    Object(Vec<(Spanned<String>, Spanned<Self>)>),
}

fn value(node: Node, path: &str, places: &mut BTreeMap<String, Place>) -> Value {
    match node {
        Node::Scalar(value) => value,
        Node::List(items) => {
            let items = items.into_iter().enumerate().map(|(i, item)| {
                let path = element(path, i);
                places.insert(path.clone(), place_of(item.referenced));
                value(item.value, &path, places)
            });
            Value::Array(items.collect())
        }
        Node::Object(fields) => {
            let mut object = Map::new();
            for (name, content) in fields {
                let path = field(path, &name.value);
                places.insert(path.clone(), place_of(name.referenced));
                let content = value(content.value, &path, places);
                object.insert(name.value, content);
            }
            Value::Object(object)
        }
    }
}

fn place_of(location: serde_saphyr::Location) -> Place {
    Place { line: location.line(), column: location.column() }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        // JSON has no NaN: to the API server it is a text.
        let number = Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number);
        Ok(Node::Scalar(number))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(Value::String(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(name) = map.next_key()? {
            fields.push((name, map.next_value()?));
        }
        Ok(Node::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_places_in_every_document() {
        let documents = Document::read("a: 1\nb:\n  - {c: \"x\"}\n---\n\n---\nd/e:\n  f: true\n").unwrap();
        assert_eq!(documents.len(), 2, "the empty one is left out");
        assert_eq!(documents[0].value, serde_json::json!({"a": 1, "b": [{"c": "x"}]}));
        assert_eq!(documents[0].place("b[0].c"), Place { line: 3, column: 6 });
        assert_eq!(documents[0].place("b[0].missing"), Place { line: 3, column: 5 });
        assert_eq!(documents[1].place("d/e.f"), Place { line: 8, column: 3 });
    }

    #[test]
    fn broken_yaml_says_where() {
        let broken = Document::read("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert!(broken.place.line >= 2, "{broken:?}");
        assert!(!broken.message.is_empty());
    }
}
