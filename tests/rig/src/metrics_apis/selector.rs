//! Label selectors as they stand in a URL: `app=web,tier in (a,b),!old`.

use super::Labels;

/// All requirements of a selector; an empty one selects everything.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Selector(Vec<Requirement>);

#[derive(Debug, PartialEq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
}

impl Selector {
    /// `None` for what isn't a selector.
    pub(super) fn parse(text: &str) -> Option<Self> {
        split(text)
            .into_iter()
            .filter(|part| !part.trim().is_empty())
            .map(Requirement::parse)
            .collect::<Option<_>>()
            .map(Self)
    }

    pub(super) fn selects(&self, labels: &Labels) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(name, values) => labels.get(name).is_some_and(|value| values.contains(value)),
            Requirement::NotIn(name, values) => labels.get(name).is_none_or(|value| !values.contains(value)),
            Requirement::Exists(name) => labels.contains_key(name),
            Requirement::Missing(name) => !labels.contains_key(name),
        })
    }
}

impl Requirement {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let one = |name: &str, value: &str| (name.trim().to_owned(), vec![value.trim().to_owned()]);
        if let Some((name, value)) = text.split_once("!=") {
            let (name, values) = one(name, value);
            return Some(Self::NotIn(name, values));
        }
        if let Some((name, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
            let (name, values) = one(name, value);
            return Some(Self::In(name, values));
        }
        if let Some((head, list)) = text.split_once('(') {
            let values = list.strip_suffix(')')?.split(',').map(|value| value.trim().to_owned()).collect();
            let mut words = head.split_whitespace();
            let name = words.next()?.to_owned();
            return match words.next()? {
                "in" => Some(Self::In(name, values)),
                "notin" => Some(Self::NotIn(name, values)),
                _ => None,
            };
        }
        match text.strip_prefix('!') {
            Some(name) => Some(Self::Missing(name.to_owned())),
            None => Some(Self::Exists(text.to_owned())),
        }
    }
}

/// At commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_u32);
    for (at, sign) in text.char_indices() {
        match sign {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects() {
        let labels = super::super::owned(&[("app", "web"), ("tier", "b")]);
        for (text, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier!=a", true),
            ("app=api", false),
            ("tier in (a, b),app", true),
            ("tier notin (a,b)", false),
            ("!old,!app", false),
            ("old notin (x)", true),
        ] {
            assert_eq!(Selector::parse(text).unwrap().selects(&labels), expected, "{text}");
        }
        assert_eq!(Selector::parse("tier within (a)"), None);
    }
}
