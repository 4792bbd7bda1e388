//! What can be known of a query by reading it: whether it answers with a number, and which series that lives on.
//!
//! An instant query is stamped with the moment of its evaluation and `sum` shrinks silently when targets vanish, so a
//! number alone proves nothing. [`Parsed::backing`] names the selectors whose age and count prove that nothing went
//! missing, and refuses every form for which they don't.

use core::fmt;
use core::time::Duration;
use std::panic::catch_unwind;

use promql_parser::label::Label;
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{BinaryExpr, Call, Expr, Offset, VectorMatchCardinality, VectorSelector, parse};

use super::config::TargetLabels;

/// A query that was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parsed {
    pub(super) expr: Expr,
}

/// Why a query can't be used, or not be analysed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unclear {
    #[error("the query is no PromQL: {0}")]
    NotPromQl(String),
    #[error("the query is too long or too deeply nested")]
    TooComplex,
    #[error("the query answers with a {0}, write one that answers with one number")]
    NoNumber(&'static str),
    #[error("the query has no selector: nothing in it is measured")]
    NoSelector,
    #[error("the query has more than {MAX_SELECTORS} different selectors")]
    ManySelectors,
    #[error("the answer of {0}() does not only depend on series that are present now")]
    Function(String),
    #[error("an aggregation with {0} can't be analysed")]
    Aggregation(String),
    #[error("a subquery speaks of the past, for which completeness can't be known now")]
    Subquery,
    #[error("a selector with `@`, a negative offset or `or` between matchers can't be analysed")]
    Selector,
    #[error("`{0}` can make the answer smaller without any series missing")]
    Operator(&'static str),
    #[error("the label {0:?} of the answer is made by the query, so series can't be counted by it")]
    MadeLabel(String),
    #[error("the query can't be confined to a namespace")]
    NotConfinable,
}

/// One selector that a query lives on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Backing {
    selector: VectorSelector,
    /// The longest range that it is read over.
    range: Option<Duration>,
}

impl Parsed {
    /// Reads a query whose answer is one number, or one for each of several label sets.
    pub(crate) fn new(query: &str) -> Result<Self, Unclear> {
        if query.len() > MAX_LENGTH || nesting(query) > MAX_NESTING {
            return Err(Unclear::TooComplex);
        }
        // The parser has inputs that make it panic (a backslash before a letter beyond ASCII, a huge number as range).
        let expr = catch_unwind(|| parse(query))
            .map_err(|_| Unclear::NotPromQl("it can't be read".to_owned()))?
            .map_err(|reason| Unclear::NotPromQl(reason.chars().take(MAX_REASON).collect()))?;
        match expr.value_type() {
            ValueType::Scalar | ValueType::Vector => Ok(Self { expr }),
            ValueType::Matrix => Err(Unclear::NoNumber("range of samples")),
            ValueType::String => Err(Unclear::NoNumber("text")),
        }
    }

    /// The query as its tree.
    pub(crate) fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Whether the answer is a bare number, without labels.
    pub(super) fn is_scalar(&self) -> bool {
        self.expr.value_type() == ValueType::Scalar
    }

    /// The selectors that back the answer: while each finds all its series, fresh, the answer is complete.
    ///
    /// With `by`, the answer has one series for each value of these labels, and so have age and count.
    pub(crate) fn backing(&self, by: Option<&TargetLabels>) -> Result<Vec<Backing>, Unclear> {
        let mut found = Vec::new();
        walk(&self.expr, by, &mut found)?;
        if found.is_empty() {
            return Err(Unclear::NoSelector);
        }
        Ok(found)
    }
}

impl fmt::Display for Parsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

impl Backing {
    /// A query for the series that are there now and, where they are read over a range, were there at its start: a rate
    /// over a range that a series covers in part is too small.
    pub(super) fn covered(&self) -> String {
        let Some(range) = self.range else { return self.selector.to_string() };
        let offset = match self.selector.offset {
            Some(Offset::Pos(offset)) => offset.saturating_add(range),
            Some(Offset::Neg(_)) | None => range,
        };
        let start = VectorSelector { offset: Some(Offset::Pos(offset)), ..self.selector.clone() };
        format!("{} and {start}", self.selector)
    }

    /// A query for the series that are there now.
    pub(super) fn present(&self) -> String {
        self.selector.to_string()
    }
}

fn walk(expr: &Expr, by: Option<&TargetLabels>, found: &mut Vec<Backing>) -> Result<(), Unclear> {
    match expr {
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Ok(()),
        Expr::Paren(paren) => walk(&paren.expr, by, found),
        Expr::Unary(unary) => walk(&unary.expr, by, found),
        Expr::VectorSelector(selector) => note(selector, None, found),
        // The parser lets ranges stand only where a function takes one: `walk_call` has looked at its name.
        Expr::MatrixSelector(matrix) => note(&matrix.vs, Some(matrix.range), found),
        Expr::Subquery(_) => Err(Unclear::Subquery),
        Expr::Extension(_) => Err(Unclear::Function("an extension".to_owned())),
        Expr::Call(call) => walk_call(call, by, found),
        Expr::Aggregate(aggregate) => {
            let name = aggregate.op.to_string();
            if !AGGREGATIONS.contains(&name.as_str()) {
                return Err(Unclear::Aggregation(name));
            }
            match aggregate.param.as_deref() {
                None | Some(Expr::NumberLiteral(_)) => walk(&aggregate.expr, by, found),
                Some(_) => Err(Unclear::Aggregation(name)),
            }
        }
        Expr::Binary(binary) => {
            check_operator(binary, by)?;
            walk(&binary.lhs, by, found)?;
            walk(&binary.rhs, by, found)
        }
    }
}

fn walk_call(call: &Call, by: Option<&TargetLabels>, found: &mut Vec<Backing>) -> Result<(), Unclear> {
    let name = call.func.name;
    if !FUNCTIONS.contains(&name) {
        return Err(Unclear::Function(name.to_owned()));
    }
    if matches!(name, "label_replace" | "label_join") {
        match call.args.args.get(1).map(|arg| &**arg) {
            Some(Expr::StringLiteral(made)) => check_made(&made.val, by)?,
            Some(_) | None => return Err(Unclear::Function(name.to_owned())),
        }
    }
    call.args.args.iter().try_for_each(|arg| walk(arg, by, found))
}

fn check_operator(binary: &BinaryExpr, by: Option<&TargetLabels>) -> Result<(), Unclear> {
    if binary.op.to_string() == "unless" {
        return Err(Unclear::Operator("unless"));
    }
    let Some(modifier) = &binary.modifier else { return Ok(()) };
    if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
        return Err(Unclear::Operator("fill"));
    }
    match &modifier.card {
        VectorMatchCardinality::ManyToOne(labels) | VectorMatchCardinality::OneToMany(labels) => {
            labels.labels.iter().try_for_each(|label: &Label| check_made(label, by))
        }
        VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => Ok(()),
    }
}

/// A label that the query makes is none that its series can be counted by.
fn check_made(label: &str, by: Option<&TargetLabels>) -> Result<(), Unclear> {
    match by {
        Some(by) if *label == *by.namespace || *label == *by.target => Err(Unclear::MadeLabel(label.to_owned())),
        Some(_) | None => Ok(()),
    }
}

fn note(selector: &VectorSelector, range: Option<Duration>, found: &mut Vec<Backing>) -> Result<(), Unclear> {
    let alternatives = !selector.matchers.or_matchers.is_empty();
    if selector.at.is_some() || alternatives || matches!(selector.offset, Some(Offset::Neg(_))) {
        return Err(Unclear::Selector);
    }
    if let Some(known) = found.iter_mut().find(|known| known.selector == *selector) {
        known.range = known.range.max(range);
        return Ok(());
    }
    if found.len() == MAX_SELECTORS {
        return Err(Unclear::ManySelectors);
    }
    found.push(Backing { selector: selector.clone(), range });
    Ok(())
}

/// No less than the depth of the query's tree: every level of it needs a bracket or an operator.
fn nesting(query: &str) -> usize {
    let signs = query.bytes().filter(|b| b"([{+-*/%^<>=!".contains(b)).count();
    let word = |word: &&str| ["and", "or", "unless", "atan2"].iter().any(|op| word.eq_ignore_ascii_case(op));
    signs + query.split(|c: char| !c.is_ascii_alphanumeric()).filter(word).count()
}

/// Functions whose answer is complete when the series that they read are present, fresh and cover the range.
///
/// Not in here: functions of time (`time`, `hour`), of absence, of the future, and those that a gap inside the range
/// makes smaller (`sum_over_time`, `count_over_time`).
const FUNCTIONS: [&str; 32] = [
    "abs",
    "avg_over_time",
    "ceil",
    "clamp",
    "clamp_max",
    "clamp_min",
    "delta",
    "deriv",
    "exp",
    "floor",
    "histogram_count",
    "histogram_sum",
    "idelta",
    "increase",
    "irate",
    "label_join",
    "label_replace",
    "last_over_time",
    "ln",
    "log10",
    "log2",
    "max_over_time",
    "min_over_time",
    "pi",
    "quantile_over_time",
    "rate",
    "round",
    "scalar",
    "sgn",
    "sort",
    "sqrt",
    "vector",
];

/// Aggregations that lose nothing while their input is complete.
const AGGREGATIONS: [&str; 8] = ["sum", "avg", "min", "max", "count", "topk", "bottomk", "quantile"];

/// Each selector costs two more evaluations at the source; queries of demand have one or two.
const MAX_SELECTORS: usize = 4;

/// As in the kinds' fields, with room for the matcher that a confined query gets.
const MAX_LENGTH: usize = 8192;

/// Deep enough for any query that a person writes, shallow enough for the stack of any thread.
const MAX_NESTING: usize = 400;

/// Enough of a parser's message to find the mistake.
const MAX_REASON: usize = 200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn backing(query: &str) -> Result<Vec<(String, String)>, Unclear> {
        let found = Parsed::new(query).unwrap().backing(None)?;
        Ok(found.iter().map(|one| (one.present(), one.covered())).collect())
    }

    fn by(namespace: &str, target: &str) -> TargetLabels {
        TargetLabels { namespace: namespace.into(), target: target.into() }
    }

    #[test]
    fn a_rate_lives_on_series_that_cover_its_range() {
        let query = r#"sum by (namespace) (rate(http_requests_total{job="edge"}[2m]))"#;
        let covered = r#"http_requests_total{job="edge"} and http_requests_total{job="edge"} offset 2m"#;
        assert_eq!(backing(query), Ok(vec![(r#"http_requests_total{job="edge"}"#.to_owned(), covered.to_owned())]));
    }

    #[test]
    fn an_offset_stays_and_moves_the_start_of_the_range() {
        assert_eq!(
            backing("rate(x[2m] offset 1m)"),
            Ok(vec![("x offset 1m".to_owned(), "x offset 1m and x offset 3m".to_owned())])
        );
    }

    #[test]
    fn a_selector_that_stands_twice_counts_once_with_its_longest_range() {
        let found = backing("sum(rate(x[1m])) or sum(rate(x[5m])) or x").unwrap();
        assert_eq!(found, [("x".to_owned(), "x and x offset 5m".to_owned())]);
        assert_eq!(backing("sum(a) + sum(b)").unwrap().len(), 2);
    }

    #[test]
    fn what_can_shrink_without_missing_series_is_unclear() {
        let cases = [
            ("vector(0)", Unclear::NoSelector),
            ("1 + 1", Unclear::NoSelector),
            ("sum(x) * hour()", Unclear::Function("hour".to_owned())),
            ("vector(time())", Unclear::Function("time".to_owned())),
            ("absent(x)", Unclear::Function("absent".to_owned())),
            ("timestamp(x)", Unclear::Function("timestamp".to_owned())),
            ("predict_linear(x[1h], 3600)", Unclear::Function("predict_linear".to_owned())),
            ("sum_over_time(x[1h])", Unclear::Function("sum_over_time".to_owned())),
            ("avg_over_time(sum(x)[10m:1m])", Unclear::Subquery),
            ("x @ 1700000000", Unclear::Selector),
            ("x offset -5m", Unclear::Selector),
            (r#"x{a="1" or b="2"}"#, Unclear::Selector),
            ("sum(x unless y)", Unclear::Operator("unless")),
            ("stddev(x)", Unclear::Aggregation("stddev".to_owned())),
            ("topk(scalar(y), x)", Unclear::Aggregation("topk".to_owned())),
            ("a + b + c + d + e", Unclear::ManySelectors),
        ];
        for (query, why) in cases {
            assert_eq!(backing(query), Err(why), "{query}");
        }
    }

    #[test]
    fn series_are_not_counted_by_labels_that_the_query_makes() {
        let made = |query: &str| Parsed::new(query).unwrap().backing(Some(&by("namespace", "app")));
        let joined = "sum by (namespace, app) (rate(x[2m]) * on (pod) group_left (app) owner)";
        assert_eq!(made(joined), Err(Unclear::MadeLabel("app".to_owned())));
        let replaced = r#"sum by (namespace, app) (label_replace(x, "app", "$1", "service", "(.*)"))"#;
        assert_eq!(made(replaced), Err(Unclear::MadeLabel("app".to_owned())));
        assert!(made("sum by (namespace, app) (rate(x[2m]) * on (pod) group_left (zone) owner)").is_ok());
        assert!(Parsed::new(joined).unwrap().backing(None).is_ok());
    }

    #[test]
    fn only_numbers_are_answers() {
        assert_eq!(Parsed::new("x[5m]"), Err(Unclear::NoNumber("range of samples")));
        assert_eq!(Parsed::new("\"x\""), Err(Unclear::NoNumber("text")));
        assert!(matches!(Parsed::new("sum(("), Err(Unclear::NotPromQl(_))));
        assert!(Parsed::new("scalar(x)").unwrap().is_scalar());
        assert!(!Parsed::new("sum(x)").unwrap().is_scalar());
    }

    #[test]
    fn inputs_that_break_the_parser_are_refused() {
        for query in ["x{a=\"\\é\"}", "x[1e30]", "x[99999999999999999999999]", "x @ 1e300", "x offset 1e20"] {
            let _ = Parsed::new(query);
        }
        assert_eq!(Parsed::new(&"(".repeat(5000)), Err(Unclear::TooComplex));
        assert_eq!(Parsed::new(&"-".repeat(5000)), Err(Unclear::TooComplex));
        assert_eq!(Parsed::new(&vec!["x"; 900].join(" or ")), Err(Unclear::TooComplex));
        assert!(Parsed::new(&vec!["x"; 390].join("+")).is_ok());
    }

    proptest! {
        #[test]
        fn arbitrary_queries_never_panic(query in "[a-z0-9_{}()\\[\\]=~!\"\\\\:,.+*/^@ -]{0,60}|\\PC{0,40}") {
            if let Ok(parsed) = Parsed::new(&query) {
                let _ = parsed.backing(None);
            }
        }
    }
}
