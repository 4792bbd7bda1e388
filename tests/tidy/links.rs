//! Links in the documents lead somewhere: to a file that exists, and to a heading in it.

use std::path::{Component, Path, PathBuf};

use crate::source::Source;

/// Links of one Markdown document that lead nowhere. `read` gives another file of the repository, if it exists.
pub(crate) fn dead(source: &Source, read: &impl Fn(&str) -> Option<String>) -> Vec<String> {
    targets(&source.text)
        .into_iter()
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .filter_map(|target| {
            let (file, anchor) =
                target.split_once('#').map_or((target.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let path = if file.is_empty() { source.path.clone() } else { beside(&source.path, file) };
            let Some(text) = read(&path) else {
                return Some(format!("{}: link to {target}: there is no {path}", source.path));
            };
            anchor
                .filter(|anchor| !anchors(&text).iter().any(|known| known == anchor))
                .map(|anchor| format!("{}: link to {target}: no heading #{anchor} in {path}", source.path))
        })
        .collect()
}

/// Functions that a document names as link text, `like_this`, and that the linked Rust file does not have.
pub(crate) fn unknown_functions(source: &Source, read: &impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, mark) in source.text.match_indices("`](") {
        let Some(name) = source.text[..at].rsplit('`').next() else { continue };
        let Some(file) = source.text[at + mark.len()..].split(')').next() else { continue };
        if file.ends_with(".rs") && !read(&beside(&source.path, file)).is_some_and(|text| has_function(&text, name)) {
            faults.push(format!("{}: {file} has no function {name}", source.path));
        }
    }
    faults
}

fn has_function(text: &str, name: &str) -> bool {
    let function = format!("fn {name}");
    text.match_indices(&function).any(|(at, found)| text[at + found.len()..].starts_with(['(', '<']))
}

/// The anchors that a Markdown document's headings get where it is shown (lower case, dashes, no punctuation).
pub(crate) fn anchors(text: &str) -> Vec<String> {
    outside_fences(text)
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter_map(|c| match c {
                    ' ' => Some('-'),
                    c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                    _ => None,
                })
                .collect()
        })
        .collect()
}

/// What stands between `](` and `)`, outside code.
fn targets(text: &str) -> Vec<String> {
    outside_fences(text)
        .flat_map(|line| {
            line.match_indices("](")
                .filter_map(|(at, mark)| {
                    let rest = &line[at + mark.len()..];
                    rest.split([')', ' ']).next().map(str::to_owned)
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

fn outside_fences(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fence && !fenced
    })
}

fn beside(document: &str, link: &str) -> String {
    let joined = Path::new(document).parent().unwrap_or_else(|| Path::new("")).join(link);
    let mut clean = PathBuf::new();
    for part in joined.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::Normal(part) => clean.push(part),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    clean.to_string_lossy().replace('\\', "/")
}

#[test]
fn a_function_that_is_not_there_bites() {
    let read = |path: &str| (path == "tests/a.rs").then(|| "fn it_holds() {}".to_owned());
    let document = |text: &str| Source { path: "README.md".to_owned(), text: text.to_owned() };
    assert!(unknown_functions(&document("[`it_holds`](tests/a.rs)"), &read).is_empty());
    assert_eq!(unknown_functions(&document("[`it_hold`](tests/a.rs)"), &read).len(), 1);
    assert_eq!(unknown_functions(&document("[`it_holds`](tests/b.rs)"), &read).len(), 1);
}

#[test]
fn a_dead_link_bites() {
    let read = |path: &str| (path == "docs/manual.md").then(|| "# Floors, and how they fall\n".to_owned());
    let document = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    assert_eq!(dead(&document("README.md", "see [a](docs/none.md)"), &read).len(), 1);
    assert_eq!(dead(&document("README.md", "[a](docs/manual.md#no-such)"), &read).len(), 1);
    assert!(dead(&document("README.md", "[a](docs/manual.md#floors-and-how-they-fall)"), &read).is_empty());
    assert!(dead(&document("docs/x.md", "[a](../docs/manual.md) [b](https://example.com)"), &read).is_empty());
    assert!(dead(&document("README.md", "```\n[a](docs/none.md)\n```"), &read).is_empty());
}
