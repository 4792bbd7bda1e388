//! Rules that one Rust file keeps by itself: its length, its name, no clock, nothing unfinished.

use crate::source::{Source, code_only, is_word};

/// A file read in one sitting. Longer: it has two purposes.
const LONGEST: usize = 450;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "manager", "common", "misc"];

const CLOCKS: &[&str] = &["SystemTime::now", "Instant::now", "Timestamp::now", "Utc::now", "Local::now", "Zoned::now"];

/// The edge: the only files that read the clock. Everywhere else time is an argument.
const MAY_READ_THE_CLOCK: &[&str] = &[
    // How long a write took.
    "src/apply/history.rs",
    "src/apply/own_hpa.rs",
    "src/apply/writer.rs",
    // For a command, where the API server does not tell its time.
    "src/cli/reach.rs",
    // Whether the lease is still held, at the moment of sending.
    "src/apply/tenure.rs",
    // How long ago a history begins.
    "src/cli/backtest/mod.rs",
    // The loop's `now`, and how long ago something was heard.
    "src/controller/clock.rs",
    // When a source was asked: once a tick.
    "src/observe/source.rs",
];

/// Holds an entry point that is run as a process of its own by the tests beside it: ignored, because it is no test.
const NO_TESTS: &[&str] = &["tests/rig/tests/gone.rs"];

pub(crate) fn length(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    (lines > LONGEST).then(|| format!("{}: {lines} lines, more than {LONGEST}: split it by purpose", source.path))
}

pub(crate) fn name(source: &Source) -> Vec<String> {
    let in_path = source.path.trim_end_matches(".rs").split('/').map(str::to_owned);
    let code = code_only(&source.text);
    let inline = code
        .match_indices("mod ")
        .filter(|(at, _)| !code[..*at].ends_with(is_word))
        .map(|(at, word)| code[at + word.len()..].trim_start().chars().take_while(|c| is_word(*c)).collect::<String>());
    in_path
        .chain(inline)
        .filter(|name| EMPTY_NAMES.contains(&name.as_str()))
        .map(|name| format!("{}: a module named {name} says nothing; name it by what it is for", source.path))
        .collect()
}

pub(crate) fn clock(source: &Source) -> Vec<String> {
    if MAY_READ_THE_CLOCK.contains(&source.path.as_str()) {
        return Vec::new();
    }
    let code = code_only(&source.text);
    lines_with(&code, CLOCKS)
        .map(|(line, what)| format!("{}:{line}: {what} outside the edge; take `now` as an argument", source.path))
        .collect()
}

pub(crate) fn unfinished(source: &Source) -> Vec<String> {
    let code = code_only(&source.text);
    let code = if NO_TESTS.contains(&source.path.as_str()) { code.replace("#[ignore", "") } else { code };
    lines_with(&code, &["todo!", "unimplemented!", "dbg!", "#[ignore"])
        .map(|(line, what)| format!("{}:{line}: {what} must not be left in the tree", source.path))
        .collect()
}

fn lines_with<'a>(code: &'a str, wanted: &'a [&'a str]) -> impl Iterator<Item = (usize, &'a str)> {
    code.lines().enumerate().flat_map(move |(at, line)| {
        wanted.iter().filter(move |what| line.contains(**what)).map(move |what| (at + 1, *what))
    })
}

#[cfg(test)]
fn file(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

#[test]
fn a_long_file_bites() {
    assert!(length(&file("src/a.rs", &"x\n".repeat(LONGEST + 1))).is_some());
    assert!(length(&file("src/a.rs", &"x\n".repeat(LONGEST))).is_none());
}

#[test]
fn a_name_that_says_nothing_bites() {
    assert_eq!(name(&file("src/utils/mod.rs", "")).len(), 1);
    assert_eq!(name(&file("src/api/helper.rs", "")).len(), 1);
    assert_eq!(name(&file("src/api/a.rs", "pub(crate) mod common {}\nmod manager;")).len(), 2);
    assert!(name(&file("src/api/a.rs", "mod command_util_free {} // mod util")).is_empty());
}

#[test]
fn a_clock_inside_bites() {
    assert_eq!(clock(&file("src/apply/a.rs", "let now = std::time::Instant::now();")).len(), 1);
    assert_eq!(clock(&file("crates/core/src/a.rs", "jiff::Timestamp::now()")).len(), 1);
    assert!(clock(&file(MAY_READ_THE_CLOCK[0], "Timestamp::now()")).is_empty());
    assert!(clock(&file("src/apply/a.rs", "// never Instant::now\nlet s = \"SystemTime::now\";")).is_empty());
}

#[test]
fn unfinished_work_bites() {
    assert_eq!(
        unfinished(&file("src/a.rs", "fn a() {\n    todo!()\n}")),
        ["src/a.rs:2: todo! must not be left in the tree"]
    );
    assert_eq!(unfinished(&file("tests/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn a() { unimplemented!() }")).len(), 2);
    assert!(unfinished(&file("src/a.rs", "/// no todo!() here")).is_empty());
}
