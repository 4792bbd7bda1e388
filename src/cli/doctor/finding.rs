//! One finding, and all of them on a page. Pure.

use serde_json::{Value, json};

use crate::cli::terminal::{Terminal, Tone};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// Something is not protected now.
    Problem,
    /// It works now, and will hurt one day.
    Warning,
    /// Worth knowing.
    Note,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    /// Which check: a word for machines.
    pub(super) check: &'static str,
    /// The objects concerned.
    pub(super) at: Vec<String>,
    pub(super) says: String,
    /// What to do.
    pub(super) remedy: String,
}

impl Finding {
    pub(super) fn new(
        severity: Severity,
        check: &'static str,
        says: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { severity, check, at: Vec::new(), says: says.into(), remedy: remedy.into() }
    }

    pub(super) fn at(self, at: Vec<String>) -> Self {
        Self { at, ..self }
    }
}

pub(super) fn text(findings: &[Finding], policies: usize, terminal: Terminal) -> String {
    let mut text = String::new();
    for Finding { severity, check, at, says, remedy } in findings {
        let (word, tone) = match severity {
            Severity::Problem => ("problem", Tone::Bad),
            Severity::Warning => ("warning", Tone::Odd),
            Severity::Note => ("note   ", Tone::Dim),
        };
        let places = at.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if at.len() > NAMED { format!(" and {} more", at.len() - NAMED) } else { String::new() };
        let places = if at.is_empty() { String::new() } else { format!(": {places}{more}") };
        let said = terminal.wrapped(&format!("{says}{places} ({check})"), INDENT);
        text += &format!("{}  {said}\n", terminal.paint(tone, word));
        let remedy = terminal.wrapped(&format!("-> {remedy}"), INDENT);
        text += &format!("{}{}\n", " ".repeat(INDENT), terminal.paint(Tone::Dim, &remedy));
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (problems, warnings, notes) = (count(Severity::Problem), count(Severity::Warning), count(Severity::Note));
    let tone = if problems > 0 {
        Tone::Bad
    } else if warnings > 0 {
        Tone::Odd
    } else {
        Tone::Good
    };
    let counted = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let looked = if policies == 1 { "1 policy".to_owned() } else { format!("{policies} policies") };
    let (problems, warnings) = (counted(problems, "problem"), counted(warnings, "warning"));
    let sum = format!("{problems}, {warnings}, {}; {looked} looked at", counted(notes, "note"));
    text + &format!("{}\n", terminal.paint(tone, &sum))
}

pub(super) fn json(findings: &[Finding]) -> Value {
    let findings: Vec<Value> = findings
        .iter()
        .map(|Finding { severity, check, at, says, remedy }| {
            let severity = match severity {
                Severity::Problem => "problem",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            json!({"severity": severity, "check": check, "at": at, "says": says, "do": remedy})
        })
        .collect();
    json!({"findings": findings})
}

/// Some names show whom it is about; `-o json` has them all.
const NAMED: usize = 5;

const INDENT: usize = 9;
