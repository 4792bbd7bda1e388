//! Arrows point downward only: who may use whom, by `use` and by `Cargo.toml`.

use std::collections::BTreeSet;

use crate::source::{Source, code_only, is_word};

/// What each room of the floorkeeper package may use of the others. A new room gets a line here first.
const ROOMS: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("words", &["api"]),
    ("metrics", &["words"]),
    ("observe", &["api", "metrics"]),
    ("apply", &["api", "metrics", "words"]),
    ("controller", &["api", "observe", "apply", "metrics", "words"]),
    ("telemetry", &[]),
    ("cli", &["api", "observe", "apply", "controller", "metrics", "telemetry", "words"]),
];

/// What a package may depend on outside its tests, where that is all that keeps it what it is.
const ALLOWED: &[(&str, &[&str])] = &[
    // Pure by its dependencies: there is no clock, no I/O and no Kubernetes to reach for.
    ("crates/core/Cargo.toml", &[]),
    ("crates/model/Cargo.toml", &["floorkeeper-core", "stateright"]),
    ("crates/replay/Cargo.toml", &["floorkeeper-core", "floorkeeper-sim", "serde", "serde_json", "thiserror"]),
    ("crates/sim/Cargo.toml", &["schemars", "serde", "serde-saphyr", "serde_json", "thiserror"]),
];

/// What a package must not depend on outside its tests.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("Cargo.toml", &["floorkeeper-rig"]),
    // The rig starts floorkeeper as a binary: what it tests is what people run.
    ("tests/rig/Cargo.toml", &["floorkeeper", "floorkeeper-core"]),
];

/// Uses in one file of `src/` that point upward or sideways.
pub(crate) fn upward(source: &Source) -> Vec<String> {
    let Some(room) = room_of(&source.path) else { return Vec::new() };
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{}: room {room} has no place in the arrows (tests/tidy/arrows.rs)", source.path)];
    };
    used(&source.path, &code_only(&source.text))
        .into_iter()
        .filter(|used| ROOMS.iter().any(|(name, _)| name == used) && *used != room)
        .filter(|used| !allowed.contains(&used.as_str()))
        .map(|used| format!("{}: {room} uses {used}, and that arrow does not exist", source.path))
        .collect()
}

/// Dependencies of one `Cargo.toml` that its package must not have.
pub(crate) fn dependencies(source: &Source) -> Vec<String> {
    let listed = |table: &[(&str, &'static [&'static str])]| {
        table.iter().find(|(path, _)| *path == source.path).map(|(_, names)| *names)
    };
    let (allowed, forbidden) = (listed(ALLOWED), listed(FORBIDDEN));
    dependency_names(&source.text)
        .into_iter()
        .filter(|name| {
            allowed.is_some_and(|names| !names.contains(&name.as_str()))
                || forbidden.is_some_and(|names| names.contains(&name.as_str()))
        })
        .map(|name| format!("{}: must not depend on {name}", source.path))
        .collect()
}

/// `src/observe/prometheus.rs` and `src/observe.rs` belong to `observe`; `main.rs` and `lib.rs` to nobody.
fn room_of(path: &str) -> Option<String> {
    let inside = path.strip_prefix("src/")?;
    let room = inside.split('/').next()?.trim_end_matches(".rs");
    (room != "main" && room != "lib").then(|| room.to_owned())
}

/// Top-level modules of the crate that this code names, by `crate::` or by enough `super::`.
fn used(path: &str, code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if !code[..at].ends_with(|c: char| is_word(c) || c == '$') {
            heads(&code[at + "crate::".len()..], &mut found);
        }
    }
    for (at, _) in code.match_indices("super::") {
        if code[..at].ends_with("super::") || code[..at].ends_with(is_word) {
            continue;
        }
        let mut rest = &code[at..];
        let mut steps = 0;
        while let Some(after) = rest.strip_prefix("super::") {
            (rest, steps) = (after, steps + 1);
        }
        if steps >= depth(path) {
            heads(rest, &mut found);
        }
    }
    found
}

/// How many `super::` lead from a file's own module to the crate's root.
fn depth(path: &str) -> usize {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    inside.split('/').count()
}

/// The first names of a path or of each branch of `{...}`.
fn heads(rest: &str, found: &mut BTreeSet<String>) {
    let Some(tree) = rest.strip_prefix('{') else {
        found.insert(rest.chars().take_while(|c| is_word(*c)).collect());
        return;
    };
    let mut depth = 0_usize;
    let mut branch = String::new();
    for c in tree.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.insert(branch.trim().chars().take_while(|c| is_word(*c)).collect());
                branch.clear();
                continue;
            }
            _ => {}
        }
        branch.push(c);
    }
    found.insert(branch.trim().chars().take_while(|c| is_word(*c)).collect());
}

/// Names below `[dependencies]`, `[build-dependencies]` and their per-target forms; dev-dependencies are free.
fn dependency_names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside = table.ends_with("dependencies")
                && !table.ends_with("dev-dependencies")
                && table != "workspace.dependencies";
            if let Some((_, name)) = table
                .split_once("dependencies.")
                .filter(|(kind, _)| !kind.ends_with("dev-") && !kind.starts_with("workspace"))
            {
                names.push(name.to_owned());
            }
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            names.push(line.split(['.', '=', ' ']).next().unwrap_or(line).trim_matches('"').to_owned());
        }
    }
    names
}

#[cfg(test)]
fn file(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

#[test]
fn an_arrow_upward_bites() {
    assert_eq!(upward(&file("src/api/policy.rs", "use crate::controller::Loop;")).len(), 1);
    assert_eq!(upward(&file("src/observe/http.rs", "use crate::{api::Policy, apply::Writer};")).len(), 1);
    assert_eq!(upward(&file("src/apply/scale.rs", "fn a() { crate::observe::read() }")).len(), 1);
    assert_eq!(upward(&file("src/api/mod.rs", "use super::controller;")).len(), 1);
    assert_eq!(upward(&file("src/api/policy.rs", "use super::super::cli;")).len(), 1);
    assert_eq!(upward(&file("src/attic/mod.rs", "")).len(), 1);
}

#[test]
fn an_arrow_downward_passes() {
    assert!(upward(&file("src/controller/watch.rs", "use crate::{api::{Policy, x::{cli}}, observe};")).is_empty());
    assert!(upward(&file("src/controller/watch.rs", "use super::cli;")).is_empty(), "a sibling of that name");
    assert!(upward(&file("src/api/policy.rs", "// crate::controller\nuse crate::api::mode;")).is_empty());
    assert!(upward(&file("src/main.rs", "use floorkeeper::cli;")).is_empty());
}

#[test]
fn a_dependency_upward_bites() {
    let core = |text| dependencies(&file("crates/core/Cargo.toml", text));
    assert_eq!(core("[dependencies]\ntokio.workspace = true\n"), ["crates/core/Cargo.toml: must not depend on tokio"]);
    assert_eq!(core("[target.'cfg(unix)'.dependencies]\nkube = \"5\"\n").len(), 1);
    assert_eq!(core("[dependencies.jiff]\nversion = \"0.2\"\n").len(), 1);
    assert!(core("[dev-dependencies]\nproptest.workspace = true\n").is_empty());
    let rig = "[dependencies]\nfloorkeeper = { path = \"../..\" }\nfloorkeeper-sim.workspace = true\n";
    assert_eq!(dependencies(&file("tests/rig/Cargo.toml", rig)).len(), 1);
    assert_eq!(dependencies(&file("Cargo.toml", "[dependencies]\nfloorkeeper-rig = { path = \"x\" }\n")).len(), 1);
}
