//! The examples in the documents are what `floorkeeper check --strict` would have people write.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const DOCUMENTS: [&str; 3] = ["README.md", "docs/manual.md", "docs/runbook.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The YAML blocks of a document that hold objects of ours.
fn examples(document: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(document)).unwrap_or_else(|error| panic!("{document}: {error}"));
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| block.contains("floorkeeper.dev/")).map(str::to_owned).collect()
}

fn check(documents: &str) -> (bool, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_floorkeeper"))
        .args(["check", "--strict", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    child.stdin.take().expect("a pipe").write_all(documents.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The files in docs/examples, as one stream: a policy is read together with its source.
fn files() -> String {
    let mut paths: Vec<_> = fs::read_dir(root().join("docs/examples")).expect("a folder").flatten().collect();
    // The policies that replay plays stand in a folder of their own and have their own test.
    paths.retain(|entry| entry.path().is_file());
    paths.sort_by_key(fs::DirEntry::path);
    let texts: Vec<String> = paths.iter().map(|entry| fs::read_to_string(entry.path()).expect("a text")).collect();
    texts.join("---\n")
}

#[test]
fn every_example_passes_the_check() {
    let files = files();
    let (well, said) = check(&files);
    assert!(well && files.contains("ScalingPolicy"), "docs/examples: {said}");
    let source = fs::read_to_string(root().join("docs/examples/source.yaml")).expect("the source");
    let mut seen = 0;
    for document in DOCUMENTS {
        for example in examples(document) {
            let (well, said) = check(&format!("{source}---\n{example}"));
            assert!(well || example == source, "{document}: {said}\n{example}");
            seen += 1;
        }
    }
    assert!(seen >= 3, "the documents have examples: {seen}");
}

#[test]
fn the_readme_shows_the_files() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    for file in ["source.yaml", "minimal.yaml"] {
        let text = fs::read_to_string(root().join("docs/examples").join(file)).expect("an example");
        assert!(readme.contains(&text), "README.md shows another {file} than docs/examples");
    }
}

#[test]
fn a_wrong_example_would_be_seen() {
    let (well, said) = check(&files().replace("headroomPercent", "headroom"));
    assert!(!well && said.contains("headroom"), "{said}");
}
