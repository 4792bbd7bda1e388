//! The tree keeps its own rules: arrows point downward, files stay short, nobody reads the clock inside, nothing is
//! left unfinished, alerts lead to a runbook entry, links lead somewhere. Each rule is shown to bite beside it.

#[path = "tidy/alerts.rs"]
mod alerts;
#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/links.rs"]
mod links;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;

use std::fs;
use std::path::Path;

use crate::source::{Source, read, read_one};

/// Fails with every fault at once: one run shows the whole list.
fn assert_none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn check(sources: &[Source], rule: impl Fn(&Source) -> Vec<String>) {
    assert!(!sources.is_empty(), "nothing was checked");
    assert_none(sources.iter().flat_map(rule).collect());
}

/// The product: what runs in a cluster.
fn product() -> Vec<Source> {
    let mut sources = read("src", &[".rs"]);
    sources.extend(read("crates", &[".rs"]).into_iter().filter(|source| source.path.contains("/src/")));
    sources
}

/// The product, its tests and its rig.
fn all() -> Vec<Source> {
    ["src", "crates", "tests"].iter().flat_map(|folder| read(folder, &[".rs"])).collect()
}

#[test]
fn arrows_point_downward() {
    check(&read("src", &[".rs"]), arrows::upward);
}

#[test]
fn packages_depend_downward() {
    let manifests = [
        "Cargo.toml",
        "crates/core/Cargo.toml",
        "crates/model/Cargo.toml",
        "crates/sim/Cargo.toml",
        "tests/rig/Cargo.toml",
    ];
    check(&manifests.map(read_one), arrows::dependencies);
}

#[test]
fn files_are_read_in_one_sitting() {
    check(&product(), |source| rules::length(source).into_iter().collect());
}

#[test]
fn names_say_what_is_inside() {
    check(&all(), rules::name);
}

#[test]
fn the_clock_is_read_at_the_edge_only() {
    check(&product(), rules::clock);
}

#[test]
fn nothing_is_left_unfinished() {
    check(&all(), rules::unfinished);
}

#[test]
fn alerts_lead_to_the_runbook() {
    let runbook = read_one(alerts::RUNBOOK).text;
    check(&read("deploy/alerts", &[".rules.yaml"]), |source| alerts::incomplete(source, &runbook));
}

#[test]
fn alerts_and_documents_name_what_exists() {
    let makers = ["src/metrics", "src/words", "src/api"].iter().flat_map(|folder| read(folder, &[".rs"]));
    let code: String = makers.map(|source| source.text).collect();
    let mut sources = read("deploy", &[".yaml", ".json"]);
    sources.extend(read("docs", &[".md"]));
    sources.push(read_one("README.md"));
    check(&sources, |source| alerts::unheard_of(source, &code));
}

#[test]
fn both_lists_of_alerts_are_equal() {
    let plain = read_one("deploy/alerts/floorkeeper.rules.yaml");
    assert_none(alerts::differ(&plain, &read_one("deploy/components/prometheus-operator/prometheusrule.yaml")));
}

#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let other = |path: &str| {
        let path = root.join(path);
        // A link to a folder or a picture has no headings, yet it must be there.
        path.exists().then(|| fs::read_to_string(path).unwrap_or_default())
    };
    let mut documents = read("docs", &[".md"]);
    documents.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(read_one));
    check(&documents, |source| [links::dead(source, &other), links::unknown_functions(source, &other)].concat());
}
