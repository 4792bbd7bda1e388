//! `floorkeeper check` finds offline what the API server refuses, with the same words.

mod kinds;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use kinds::{Breakage, bases, breakages};
use serde_json::Value;

const KINDS: [&str; 3] = ["ScalingPolicy", "MetricSource", "FloorOverride"];

#[test]
fn accepted_objects_have_no_errors() {
    for kind in KINDS {
        let objects: Vec<Value> = bases().into_iter().filter(|base| base["kind"] == kind).collect();
        let found = errors_by_line(&objects);
        assert!(found.is_empty(), "{kind}: {found:#?}");
    }
}

#[test]
fn every_breakage_is_found_with_the_same_words() {
    for kind in KINDS {
        // What is wrong with a change needs the object before: the API server alone has it.
        let broken: Vec<Breakage> =
            breakages().0.into_iter().filter(|b| b.object["kind"] == kind && b.before.is_none()).collect();
        assert!(broken.len() > 30, "only {} breakages of {kind}", broken.len());
        let objects: Vec<Value> = broken.iter().map(|breakage| breakage.object.clone()).collect();
        let found = errors_by_line(&objects);
        let mut missed = Vec::new();
        for (i, breakage) in broken.iter().enumerate() {
            let messages = found.get(&line_of(i)).map(Vec::as_slice).unwrap_or_default();
            // A rule's message is ours, the schema's is the API server's own.
            let rule = breakage.what.contains(&format!("{:?}", breakage.says[0]));
            let same = |message: &String| !rule || message.contains(&breakage.says[0]);
            if !messages.iter().any(same) {
                missed.push(format!("{}: {messages:?}", breakage.what));
            }
        }
        assert!(missed.is_empty(), "{} of {}:\n{}", missed.len(), broken.len(), missed.join("\n"));
    }
}

#[test]
fn exit_codes_tell_what_happened() {
    let clean = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
    let warned = "apiVersion: floorkeeper.dev/v1alpha1\nkind: ScalingPolicy\nmetadata: {name: x}\nspec: {targetRef: {kind: Deployment, name: x}}\n";
    let wrong = "apiVersion: floorkeeper.dev/v1alpha1\nkind: ScalingPolicy\nmetadata: {name: x}\n";
    assert_eq!(check(&["-"], clean).status.code(), Some(0));
    assert_eq!(check(&["-"], warned).status.code(), Some(0));
    assert_eq!(check(&["--strict", "-"], warned).status.code(), Some(1));
    let output = check(&["-"], wrong);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("<stdin>:1:1: error: spec: it is missing"), "{text}");
    assert!(!text.contains('\u{1b}'), "colours in a pipe: {text:?}");
    let output = check(&["no/such/file.yaml"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).expect("a report").contains("can't read no/such/file.yaml"));
}

/// Each object on a line of its own, with the separator on the line before.
fn line_of(index: usize) -> u64 {
    2 * index as u64 + 2
}

fn errors_by_line(objects: &[Value]) -> BTreeMap<u64, Vec<String>> {
    let text: String = objects.iter().map(|object| format!("---\n{object}\n")).collect();
    let output = check(&["--format", "json", "-"], &text);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(report["objects"], objects.len(), "{report}");
    let mut found = BTreeMap::<u64, Vec<String>>::new();
    for problem in
        report["problems"].as_array().expect("a report").iter().filter(|problem| problem["severity"] == "error")
    {
        let message = format!(
            "{}: {}",
            problem["path"].as_str().expect("a path"),
            problem["message"].as_str().expect("a message")
        );
        found.entry(problem["line"].as_u64().expect("a line")).or_default().push(message);
    }
    found
}

fn check(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_floorkeeper"))
        .arg("check")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    // The reader may end before it has read all: then this write fails, and the exit code tells.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).is_ok());
    let output = child.wait_with_output().expect("the binary ends");
    let _ = writer.join();
    output
}
