//! Dangerous PromQL: queries that read an error as idleness.

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{Expr, LabelModifier, VectorSelector};

use crate::observe::{Parsed, TargetLabels};

/// What a query is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Demand,
    Backlog,
    Failed,
    Total,
}

/// Where a query stands.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) query: &'a str,
    pub(super) role: Role,
    /// The workload that it speaks of, for queries of a policy.
    pub(super) target: Option<&'a str>,
    /// The labels of the answer that name namespace and workload, for queries of a source.
    pub(super) by: Option<TargetLabels>,
    /// A person vouches that the answer is complete.
    pub(super) vouched: bool,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// It can't work, whatever the data.
    pub(super) fatal: bool,
    pub(super) message: String,
}

/// Everything that is wrong with a query.
pub(super) fn findings(asked: &Asked<'_>) -> Vec<Finding> {
    let parsed = match Parsed::new(asked.query) {
        Ok(parsed) => parsed,
        Err(error) => return vec![Finding { fatal: true, message: unreadable(asked.query, &error.to_string()) }],
    };
    let mut found = Vec::new();
    let mut nodes = Vec::new();
    collect(parsed.expr(), false, &mut nodes);
    found.extend(filled_in(asked, &nodes));
    found.extend(rate_of_sum(&nodes));
    found.extend(own_word(asked, &nodes));
    found.extend(raw_counter(asked, &nodes));
    found.extend(shape(asked, parsed.expr()));
    if asked.role == Role::Demand
        && !asked.vouched
        && let Err(why) = parsed.backing(asked.by.as_ref())
    {
        found.push(warning(format!(
                "floorkeeper can't tell whether the answer is complete, so it may raise the floor and never lower it: {why}; \
                 write it without that, or vouch for it with coverage: Complete"
            )));
    }
    found
}

/// A node of the tree, and whether a function that takes a counter's difference is above it.
struct Seen<'a> {
    expr: &'a Expr,
    rated: bool,
}

fn collect<'a>(expr: &'a Expr, rated: bool, nodes: &mut Vec<Seen<'a>>) {
    nodes.push(Seen { expr, rated });
    match expr {
        Expr::Aggregate(aggregate) => {
            collect(&aggregate.expr, rated, nodes);
            if let Some(param) = &aggregate.param {
                collect(param, rated, nodes);
            }
        }
        Expr::Unary(unary) => collect(&unary.expr, rated, nodes),
        Expr::Binary(binary) => {
            collect(&binary.lhs, rated, nodes);
            collect(&binary.rhs, rated, nodes);
        }
        Expr::Paren(paren) => collect(&paren.expr, rated, nodes),
        Expr::Subquery(subquery) => collect(&subquery.expr, rated, nodes),
        Expr::Call(call) => {
            let rated = rated || DIFFERENCES.contains(&call.func.name);
            call.args.args.iter().for_each(|arg| collect(arg, rated, nodes));
        }
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => {}
    }
}

fn unreadable(query: &str, error: &str) -> String {
    if error.contains("type matrix") {
        let hint = "a rate needs counters over a range, such as sum(rate(requests_total[2m])): the rate inside, the sum outside";
        return format!("{error} ({hint})");
    }
    if query.trim().is_empty() { "the query is empty".to_owned() } else { error.to_owned() }
}

/// `or vector(0)`: missing data becomes zero.
fn filled_in(asked: &Asked<'_>, nodes: &[Seen<'_>]) -> Option<Finding> {
    let fills = nodes.iter().any(|node| match node.expr {
        Expr::Binary(binary) => binary.op.to_string() == "or" && (is_constant(&binary.lhs) || is_constant(&binary.rhs)),
        Expr::Aggregate(_)
        | Expr::Unary(_)
        | Expr::Paren(_)
        | Expr::Subquery(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Call(_)
        | Expr::Extension(_) => false,
    });
    if !fills {
        return None;
    }
    Some(warning(match asked.role {
        Role::Demand | Role::Backlog | Role::Total => {
            "`or vector(...)` makes missing data a number: an outage then looks like idleness; leave it out, floorkeeper \
             holds the floor while data is missing"
                .to_owned()
        }
        Role::Failed => {
            "`or vector(...)` is not needed: no failures while total has some is read as zero; leave it out".to_owned()
        }
    }))
}

fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::NumberLiteral(_) => true,
        Expr::Paren(paren) => is_constant(&paren.expr),
        Expr::Unary(unary) => is_constant(&unary.expr),
        Expr::Call(call) => call.func.name == "vector",
        Expr::Binary(binary) => is_constant(&binary.lhs) && is_constant(&binary.rhs),
        Expr::Aggregate(aggregate) => is_constant(&aggregate.expr),
        Expr::Subquery(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => false,
    }
}

/// `rate(sum(...)[5m:])`: a restarted pod makes the sum fall, which a rate reads as a counter's reset.
fn rate_of_sum(nodes: &[Seen<'_>]) -> Option<Finding> {
    let summed = |expr: &Expr| {
        let mut inside = Vec::new();
        collect(expr, false, &mut inside);
        inside.iter().any(|node| matches!(node.expr, Expr::Aggregate(_)))
    };
    let found = nodes.iter().any(|node| match node.expr {
        Expr::Subquery(subquery) => node.rated && summed(&subquery.expr),
        Expr::Aggregate(_)
        | Expr::Unary(_)
        | Expr::Binary(_)
        | Expr::Paren(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Call(_)
        | Expr::Extension(_) => false,
    });
    found.then(|| {
        warning(
            "a rate of a sum jumps whenever a pod comes or goes, because the sum falls as if a counter was reset; write \
             sum(rate(...)): the rate inside, the sum outside"
                .to_owned(),
        )
    })
}

/// A demand that the target measures itself: when it is broken, it counts no load.
fn own_word(asked: &Asked<'_>, nodes: &[Seen<'_>]) -> Option<Finding> {
    let target = asked.target?;
    if asked.role != Role::Demand {
        return None;
    }
    let matcher = selectors(nodes).find_map(|(selector, _)| {
        selector
            .matchers
            .matchers
            .iter()
            .find(|matcher| OWN_LABELS.contains(&matcher.name.as_str()) && names(matcher, target))
    })?;
    Some(warning(format!(
        "the label {}={:?} says that {target} counts its own load: when it is broken it counts none, which looks like \
         idleness; measure outside of it (edge proxy, load balancer, queue)",
        matcher.name, matcher.value
    )))
}

fn names(matcher: &Matcher, target: &str) -> bool {
    match matcher.op {
        MatchOp::Equal => {
            matcher.value == target || matcher.value.strip_prefix(target).is_some_and(|r| r.starts_with('-'))
        }
        MatchOp::Re(_) => {
            matcher.value.strip_prefix(target).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.', '(']))
        }
        MatchOp::NotEqual | MatchOp::NotRe(_) => false,
    }
}

/// A counter without a rate: it only grows.
fn raw_counter(asked: &Asked<'_>, nodes: &[Seen<'_>]) -> Option<Finding> {
    if asked.role == Role::Backlog {
        return None;
    }
    let (name, _) = selectors(nodes)
        .filter_map(|(selector, rated)| Some((selector.name.as_deref()?, rated)))
        .find(|(name, rated)| name.ends_with("_total") && !rated)?;
    Some(warning(format!("{name} looks like a counter, which only grows: write rate({name}[2m]), the load a second")))
}

/// One number for a policy; namespace and workload in the labels of a shared answer.
fn shape(asked: &Asked<'_>, expr: &Expr) -> Option<Finding> {
    let by = match (&asked.by, outermost(expr)) {
        (None, Expr::VectorSelector(_) | Expr::Call(_)) if !is_scalar(expr) => {
            return Some(warning(
                "it answers with one number for each series; several numbers are no information: wrap it in sum(...)"
                    .to_owned(),
            ));
        }
        (Some(by), Expr::Aggregate(aggregate)) => {
            let has = |label: &str| match &aggregate.modifier {
                None => false,
                Some(LabelModifier::Include(labels)) => labels.labels.iter().any(|l| l == label),
                Some(LabelModifier::Exclude(labels)) => !labels.labels.iter().any(|l| l == label),
            };
            [&by.namespace, &by.target].into_iter().find(|label| !has(label))?
        }
        (Some(_) | None, _) => return None,
    };
    Some(Finding {
        fatal: true,
        message: format!(
            "the answer has no label {by:?}, which says whose number it is: write sum by ({by}, ...) (...)"
        ),
    })
}

fn outermost(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(paren) => outermost(&paren.expr),
        Expr::Aggregate(_)
        | Expr::Unary(_)
        | Expr::Binary(_)
        | Expr::Subquery(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Call(_)
        | Expr::Extension(_) => expr,
    }
}

/// `scalar(...)` and functions around it answer with one number; so does a function around an aggregation.
fn is_scalar(expr: &Expr) -> bool {
    let mut nodes = Vec::new();
    collect(expr, false, &mut nodes);
    nodes.iter().any(|node| match node.expr {
        Expr::Aggregate(_) => true,
        Expr::Call(call) => matches!(call.func.name, "scalar" | "vector" | "absent"),
        Expr::Unary(_)
        | Expr::Binary(_)
        | Expr::Paren(_)
        | Expr::Subquery(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => false,
    })
}

fn selectors<'a>(nodes: &'a [Seen<'a>]) -> impl Iterator<Item = (&'a VectorSelector, bool)> {
    nodes.iter().filter_map(|node| match node.expr {
        Expr::VectorSelector(selector) => Some((selector, node.rated)),
        Expr::MatrixSelector(matrix) => Some((&matrix.vs, node.rated)),
        Expr::Aggregate(_)
        | Expr::Unary(_)
        | Expr::Binary(_)
        | Expr::Paren(_)
        | Expr::Subquery(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::Call(_)
        | Expr::Extension(_) => None,
    })
}

fn warning(message: String) -> Finding {
    Finding { fatal: false, message }
}

/// Functions that take the difference of a counter.
const DIFFERENCES: [&str; 6] = ["rate", "irate", "increase", "resets", "delta", "deriv"];

/// Labels by which a scrape names the pods that it scrapes.
const OWN_LABELS: [&str; 9] = [
    "job",
    "pod",
    "app",
    "container",
    "instance",
    "app_kubernetes_io_name",
    "app_kubernetes_io_instance",
    "kubernetes_pod_name",
    "pod_name",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn said(query: &str, role: Role) -> Vec<Finding> {
        findings(&Asked { query, role, target: Some("events-api"), by: None, vouched: false })
    }

    #[test]
    fn a_good_query_has_no_finding() {
        for query in [
            "sum(rate(edge_requests_total{service=\"events-api\"}[2m]))",
            "scalar(sum(rate(x_total[2m])))",
            "sum(rate(a_total[2m])) + sum(rate(b_total[2m]))",
        ] {
            let found = said(query, Role::Failed);
            assert!(found.is_empty(), "{query}: {found:?}");
        }
        assert_eq!(said("sum(rate(edge_requests_total{service=\"events-api\"}[2m]))", Role::Demand), []);
    }

    #[test]
    fn each_danger_is_named() {
        let cases = [
            ("sum(rate(a_total[2m])) or vector(0)", "makes missing data a number"),
            ("(sum(rate(a_total[2m]))) or (vector(0))", "makes missing data a number"),
            ("sum(rate(a_total[2m])) or on() vector(1) * 0", "makes missing data a number"),
            ("rate(sum(a_total)[5m:1m])", "a rate of a sum"),
            ("rate(sum by (x) (a_total)[5m:1m])", "a rate of a sum"),
            ("rate(sum(a_total))", "the rate inside, the sum outside"),
            ("sum(rate(a_total{job=\"events-api\"}[2m]))", "counts its own load"),
            ("sum(rate(a_total{pod=~\"events-api-.*\"}[2m]))", "counts its own load"),
            ("sum(rate(a_total{app=\"events-api\"}[2m]))", "counts its own load"),
            ("sum(a_total)", "looks like a counter"),
            ("rate(a_total[2m])", "wrap it in sum"),
            ("a_queue_depth", "wrap it in sum"),
            ("sum(rate(a_total[2m])) unless down", "can't tell whether the answer is complete"),
            ("sum(", "no PromQL"),
            ("", "empty"),
        ];
        for (query, words) in cases {
            let found = said(query, Role::Demand);
            assert!(found.iter().any(|finding| finding.message.contains(words)), "{query}: {found:?} lacks {words:?}");
        }
    }

    #[test]
    fn a_shared_answer_must_name_its_workloads() {
        let by = Some(TargetLabels { namespace: "namespace".into(), target: "deployment".into() });
        let found =
            |query| findings(&Asked { query, role: Role::Demand, target: None, by: by.clone(), vouched: false });
        assert_eq!(found("sum by (namespace, deployment) (rate(a_total[2m]))"), []);
        let missing = found("sum by (namespace) (rate(a_total[2m]))");
        assert!(missing.iter().any(|f| f.fatal && f.message.contains("no label \"deployment\"")), "{missing:?}");
        assert!(found("sum(rate(a_total[2m]))").iter().any(|f| f.fatal));
    }
}
