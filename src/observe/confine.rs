//! Queries that can only see one namespace, or a few: a matcher in every selector.
//!
//! What is sent is never the author's text but the tree that was read from it, printed, read again and compared: whatever
//! the server makes of it, it makes of a query in which each selector is confined.

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{Expr, VectorSelector};

use super::promql::{Parsed, Unclear};

impl Parsed {
    /// The same query with a matcher for `label` in every selector, so that only series of `values` are seen.
    ///
    /// Printed and read again to be sure: a query that does not survive the round trip is refused.
    pub(super) fn confined(&self, label: &str, values: &[&str]) -> Result<Self, Unclear> {
        let matcher = matcher(label, values)?;
        let mut expr = self.expr.clone();
        confine(&mut expr, &matcher)?;
        let again = Self::new(&expr.to_string()).map_err(|_| Unclear::NotConfinable)?;
        if again.expr != expr || !is_confined(&again.expr, &matcher) {
            return Err(Unclear::NotConfinable);
        }
        Ok(again)
    }
}

/// `label="a"`, or `label=~"a|b"` where there are several. Only for values without a meaning in regular expressions.
fn matcher(label: &str, values: &[&str]) -> Result<Matcher, Unclear> {
    let plain = |value: &&str| !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !values.iter().all(plain) {
        return Err(Unclear::NotConfinable);
    }
    match values {
        [] => Err(Unclear::NotConfinable),
        [value] => Ok(Matcher::new(MatchOp::Equal, label, value)),
        several => {
            // The parser's own form of a regular expression, so that it survives the round trip as equal.
            let query = format!("{{{label}=~\"{}\"}}", several.join("|"));
            match Parsed::new(&query).map(|parsed| parsed.expr) {
                Ok(Expr::VectorSelector(selector)) => {
                    selector.matchers.matchers.into_iter().next().ok_or(Unclear::NotConfinable)
                }
                Ok(_) | Err(_) => Err(Unclear::NotConfinable),
            }
        }
    }
}

fn confine(expr: &mut Expr, matcher: &Matcher) -> Result<(), Unclear> {
    match expr {
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Ok(()),
        Expr::Paren(paren) => confine(&mut paren.expr, matcher),
        Expr::Unary(unary) => confine(&mut unary.expr, matcher),
        Expr::Subquery(subquery) => confine(&mut subquery.expr, matcher),
        Expr::VectorSelector(selector) => add(selector, matcher),
        Expr::MatrixSelector(matrix) => add(&mut matrix.vs, matcher),
        // `info` adds labels of series that no selector of the query names.
        Expr::Call(call) if call.func.name == "info" => Err(Unclear::NotConfinable),
        Expr::Call(call) => call.args.args.iter_mut().try_for_each(|arg| confine(arg, matcher)),
        Expr::Aggregate(aggregate) => {
            if let Some(param) = &mut aggregate.param {
                confine(param, matcher)?;
            }
            confine(&mut aggregate.expr, matcher)
        }
        Expr::Binary(binary) => {
            confine(&mut binary.lhs, matcher)?;
            confine(&mut binary.rhs, matcher)
        }
        Expr::Extension(_) => Err(Unclear::NotConfinable),
    }
}

fn add(selector: &mut VectorSelector, matcher: &Matcher) -> Result<(), Unclear> {
    if !selector.matchers.or_matchers.is_empty() {
        return Err(Unclear::NotConfinable);
    }
    if !selector.matchers.matchers.contains(matcher) {
        selector.matchers.matchers.push(matcher.clone());
    }
    Ok(())
}

fn is_confined(expr: &Expr, matcher: &Matcher) -> bool {
    let has = |selector: &VectorSelector| {
        selector.matchers.or_matchers.is_empty() && selector.matchers.matchers.contains(matcher)
    };
    match expr {
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => true,
        Expr::Paren(paren) => is_confined(&paren.expr, matcher),
        Expr::Unary(unary) => is_confined(&unary.expr, matcher),
        Expr::Subquery(subquery) => is_confined(&subquery.expr, matcher),
        Expr::VectorSelector(selector) => has(selector),
        Expr::MatrixSelector(matrix) => has(&matrix.vs),
        Expr::Call(call) => call.args.args.iter().all(|arg| is_confined(arg, matcher)),
        Expr::Aggregate(aggregate) => {
            let param = aggregate.param.as_deref();
            param.is_none_or(|param| is_confined(param, matcher)) && is_confined(&aggregate.expr, matcher)
        }
        Expr::Binary(binary) => is_confined(&binary.lhs, matcher) && is_confined(&binary.rhs, matcher),
        Expr::Extension(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_selector_of_a_confined_query_has_the_matcher() {
        let cases = [
            ("x", r#"x{namespace="shop"}"#),
            (r#"sum(rate(x{a="b"}[2m]))"#, r#"sum(rate(x{a="b",namespace="shop"}[2m]))"#),
            (r#"x{namespace="other"}"#, r#"x{namespace="other",namespace="shop"}"#),
            (r#"x{namespace="shop"}"#, r#"x{namespace="shop"}"#),
            (
                "a / on (pod) group_left (zone) b",
                r#"a{namespace="shop"} / on (pod) group_left (zone) b{namespace="shop"}"#,
            ),
            ("max_over_time(sum(x)[10m:1m])", r#"max_over_time(sum(x{namespace="shop"})[10m:1m])"#),
            ("topk(scalar(y), x) offset 5m", ""),
            ("sum(x) or vector(0)", r#"sum(x{namespace="shop"}) or vector(0)"#),
            (r#"x{a=~"\\d+|\"q\""} offset 5m"#, r#"x{a=~"\\d+|\"q\"",namespace="shop"} offset 5m"#),
            ("-x ^ 2", r#"-x{namespace="shop"} ^ 2"#),
        ];
        for (query, confined) in cases {
            match Parsed::new(query) {
                Ok(parsed) => {
                    assert_eq!(parsed.confined("namespace", &["shop"]).unwrap().to_string(), confined, "{query}")
                }
                Err(_) => assert_eq!(confined, "", "{query}"),
            }
        }
        let two = Parsed::new("x").unwrap().confined("namespace", &["a", "b-1"]).unwrap();
        assert_eq!(two.to_string(), r#"x{namespace=~"a|b-1"}"#);
    }

    #[test]
    fn what_can_not_be_confined_is_refused() {
        for query in [r#"x{a="1" or b="2"}"#, "info(x)"] {
            if let Ok(parsed) = Parsed::new(query) {
                assert_eq!(parsed.confined("namespace", &["shop"]), Err(Unclear::NotConfinable), "{query}");
            }
        }
        let parsed = Parsed::new("x").unwrap();
        for value in ["", "a\"b", "a|b", ".*"] {
            assert_eq!(parsed.confined("namespace", &[value]), Err(Unclear::NotConfinable), "{value}");
        }
        assert_eq!(parsed.confined("namespace", &[]), Err(Unclear::NotConfinable));
    }

    proptest! {
        #[test]
        fn arbitrary_queries_never_panic_and_stay_confined(query in "[a-z0-9_{}()\\[\\]=~!\"\\\\:,.+*/^@ -]{0,60}|\\PC{0,40}") {
            if let Ok(parsed) = Parsed::new(&query) {
                let _ = parsed.backing(None);
                if let Ok(confined) = parsed.confined("namespace", &["shop"]) {
                    let selectors = confined.backing(None).unwrap_or_default();
                    prop_assert!(selectors.iter().all(|one| one.present().contains("namespace=\"shop\"")));
                }
            }
        }
    }
}
