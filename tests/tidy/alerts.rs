//! Alerts tell people what to do: each names a severity, a summary and a runbook entry that exists.

use serde::Deserialize;

use crate::links::anchors;
use crate::source::{Source, is_word};

/// Where the runbook stands, from the repository's root.
pub(crate) const RUNBOOK: &str = "docs/runbook.md";

#[derive(Debug, Deserialize, PartialEq)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Rule {
    alert: Option<String>,
    expr: String,
    #[serde(rename = "for")]
    lasting: Option<String>,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
struct Labels {
    severity: Option<String>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
struct Annotations {
    summary: Option<String>,
    runbook_url: Option<String>,
}

/// What is missing from the alerts of one rules file, against the text of the runbook.
pub(crate) fn incomplete(source: &Source, runbook: &str) -> Vec<String> {
    let rules: Rules = match serde_saphyr::from_str(&source.text) {
        Ok(rules) => rules,
        Err(error) => return vec![format!("{}: {error}", source.path)],
    };
    let known = anchors(runbook);
    let mut faults = Vec::new();
    for rule in rules.groups.into_iter().flat_map(|group| group.rules) {
        let Some(alert) = rule.alert else { continue };
        let mut fault = |text: &str| faults.push(format!("{}: {alert}: {text}", source.path));
        if !matches!(rule.labels.severity.as_deref(), Some("critical" | "warning" | "info")) {
            fault("label severity must be critical, warning or info");
        }
        if rule.annotations.summary.is_none() {
            fault("annotation summary is missing");
        }
        let anchor = rule.annotations.runbook_url.as_deref().and_then(|url| url.split_once(&format!("{RUNBOOK}#")));
        match anchor {
            None => fault("annotation runbook_url must point into docs/runbook.md#..."),
            Some((_, anchor)) if !known.iter().any(|heading| heading == anchor) => {
                fault(&format!("the runbook has no heading #{anchor}"));
            }
            Some(_) => {}
        }
        if let Err(error) = promql_parser::parser::parse(&rule.expr) {
            fault(&format!("the expression is no PromQL: {error}"));
        }
        if metrics(&rule.expr).is_empty() {
            fault("the expression reads no floorkeeper_ metric");
        }
    }
    faults
}

/// The rules of a `PrometheusRule` are those of the plain file.
pub(crate) fn differ(plain: &Source, resource: &Source) -> Vec<String> {
    #[derive(Deserialize)]
    struct PrometheusRule {
        spec: Rules,
    }
    let plain_rules = serde_saphyr::from_str::<Rules>(&plain.text);
    let resource_rules = serde_saphyr::from_str::<PrometheusRule>(&resource.text);
    match (plain_rules, resource_rules) {
        (Ok(rules), Ok(PrometheusRule { spec })) if rules == spec => Vec::new(),
        (Ok(_), Ok(_)) => vec![format!("{} and {} hold different rules", plain.path, resource.path)],
        (Err(error), _) => vec![format!("{}: {error}", plain.path)],
        (_, Err(error)) => vec![format!("{}: {error}", resource.path)],
    }
}

/// Metrics and reasons that a text names and the code does not know. `code`: where metrics and words are made.
pub(crate) fn unheard_of(source: &Source, code: &str) -> Vec<String> {
    let known = |word: &str| code.contains(&format!("\"{word}\""));
    let metrics = metrics(&source.text).into_iter().filter(|metric| {
        let name = metric.trim_start_matches("floorkeeper_");
        let bare = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending));
        !known(name) && !bare.is_some_and(known)
    });
    let reasons = source.text.match_indices("reason=").filter_map(|(at, _)| source.text[at..].split('"').nth(1));
    let reasons = reasons.flat_map(|words| words.split('|')).filter(|word| !known(word)).map(str::to_owned);
    metrics.chain(reasons).map(|word| format!("{}: the code knows no {word}", source.path)).collect()
}

/// What the exposition format adds to the name of a metric.
const ENDINGS: [&str; 6] = ["_total", "_seconds", "_info", "_seconds_bucket", "_seconds_sum", "_seconds_count"];

/// The floorkeeper metrics that a text names.
pub(crate) fn metrics(text: &str) -> Vec<String> {
    let mut found: Vec<String> = text
        .match_indices("floorkeeper_")
        .filter(|(at, _)| !text[..*at].ends_with(is_word))
        .map(|(at, _)| text[at..].chars().take_while(|c| is_word(*c)).collect())
        .collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn an_alert_that_leaves_people_alone_bites() {
    let rule = |rest: &str| Source {
        path: "rules.yaml".to_owned(),
        text: format!("groups:\n- name: a\n  rules:\n  - alert: A\n    expr: floorkeeper_up == 0\n{rest}"),
    };
    let whole =
        "    labels: {severity: critical}\n    annotations: {summary: a, runbook_url: 'https://x/docs/runbook.md#a'}\n";
    assert!(incomplete(&rule(whole), "## A\n").is_empty());
    assert_eq!(incomplete(&rule(whole), "## B\n").len(), 1, "no such heading");
    assert_eq!(incomplete(&rule(""), "## A\n").len(), 3, "no severity, no summary, no link");
    assert_eq!(incomplete(&rule(&whole.replace("critical", "fatal")), "## A\n").len(), 1);
    assert_eq!(incomplete(&rule(&whole.replace("labels", "for: 5m\n    labels")), "## A\n"), Vec::<String>::new());
    assert_eq!(incomplete(&Source { path: "rules.yaml".into(), text: "groups: 1".into() }, "").len(), 1);
}

#[test]
fn a_metric_or_reason_that_nobody_makes_bites() {
    let text = |text: &str| Source { path: "a".into(), text: text.into() };
    let code = "register(\"notices\") register_with_unit(\"write\") (\"floor_replicas\") => \"Brake\"";
    let known =
        "floorkeeper_notices_total{reason=~\"Brake\"} floorkeeper_write_seconds_bucket floorkeeper_floor_replicas";
    assert!(unheard_of(&text(known), code).is_empty());
    assert_eq!(unheard_of(&text("floorkeeper_floors"), code), ["a: the code knows no floorkeeper_floors"]);
    assert_eq!(unheard_of(&text("x{reason=\"Brake|Snow\"}"), code), ["a: the code knows no Snow"]);
}

#[test]
fn two_lists_of_alerts_that_differ_bite() {
    let plain = Source { path: "a".into(), text: "groups: [{name: a, rules: [{alert: A, expr: b}]}]".into() };
    let resource = |expr| Source {
        path: "b".into(),
        text: format!("spec: {{groups: [{{name: a, rules: [{{alert: A, expr: {expr}}}]}}]}}"),
    };
    assert!(differ(&plain, &resource("b")).is_empty());
    assert_eq!(differ(&plain, &resource("c")).len(), 1);
    assert_eq!(differ(&plain, &plain).len(), 1);
}

#[test]
fn metrics_are_found_in_an_expression() {
    assert_eq!(
        metrics("max by (x) (floorkeeper_floor{a=\"b\"} > floorkeeper_need) or not_floorkeeper_x"),
        ["floorkeeper_floor", "floorkeeper_need"]
    );
}
