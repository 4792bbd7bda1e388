//! How problems are told: lines for people and editors, JSON for machines.

use core::fmt::Write as _;
use std::io::IsTerminal as _;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::objects::{Problem, Severity};

/// What was found in one file.
#[derive(Clone, Debug)]
pub(super) struct FileReport {
    pub(super) file: String,
    /// Objects of ours in it.
    pub(super) objects: usize,
    /// Each with the object that it is of.
    pub(super) problems: Vec<(String, Problem)>,
}

/// All files together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) files: usize,
    pub(super) objects: usize,
    pub(super) errors: usize,
    pub(super) warnings: usize,
}

impl Summary {
    pub(super) fn of(reports: &[FileReport]) -> Self {
        let count = |severity| {
            let problems = reports.iter().flat_map(|report| &report.problems);
            problems.filter(|(_, problem)| problem.severity == severity).count()
        };
        Self {
            files: reports.len(),
            objects: reports.iter().map(|report| report.objects).sum(),
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
        }
    }
}

/// What to call an object: `ScalingPolicy events/events-api`.
pub(super) fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let metadata = &object["metadata"];
    let namespace = metadata["namespace"].as_str().map_or_else(String::new, |namespace| format!("{namespace}/"));
    format!("{} {namespace}{}", text(&object["kind"]), text(&metadata["name"]))
}

/// Only where somebody looks, and does not mind.
pub(super) fn colours() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

pub(super) fn text(reports: &[FileReport], summary: &Summary, colours: bool) -> String {
    let mut text = String::new();
    for FileReport { file, problems, .. } in reports {
        for (object, Problem { severity, place, path, message }) in problems {
            let (word, colour) = match severity {
                Severity::Error => ("error", "\x1b[1;31m"),
                Severity::Warning => ("warning", "\x1b[1;33m"),
            };
            let word = if colours { format!("{colour}{word}\x1b[0m") } else { word.to_owned() };
            let path = if path.is_empty() { String::new() } else { format!("{path}: ") };
            let object = if object.is_empty() { String::new() } else { format!(" ({object})") };
            // Writing to a String can't fail.
            let _ = writeln!(text, "{file}:{}:{}: {word}: {path}{message}{object}", place.line, place.column);
        }
    }
    let Summary { files, objects, errors, warnings } = summary;
    let _ = writeln!(
        text,
        "{}, {}: {}, {}",
        counted(*files, "file"),
        counted(*objects, "object"),
        counted(*errors, "error"),
        counted(*warnings, "warning")
    );
    text
}

pub(super) fn json(reports: &[FileReport], summary: &Summary) -> anyhow::Result<String> {
    let problems = reports.iter().flat_map(|FileReport { file, problems, .. }| {
        problems.iter().map(move |(object, Problem { severity, place, path, message })| {
            let severity = match severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            json!({
                "file": file, "line": place.line, "column": place.column, "object": object, "path": path,
                "severity": severity, "message": message,
            })
        })
    });
    let Summary { files, objects, errors, warnings } = summary;
    let all = json!({
        "files": files, "objects": objects, "errors": errors, "warnings": warnings,
        "problems": problems.collect::<Vec<_>>(),
    });
    let mut text = serde_json::to_string_pretty(&all).context("the report can't be written as JSON")?;
    text.push('\n');
    Ok(text)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
