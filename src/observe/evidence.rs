//! One request for a number and for what backs it, and the way back from its answer to both.
//!
//! The load, the count and the age of every selector are asked in one PromQL expression: each part is marked by a label,
//! `or` holds them together, and the server evaluates them on the same data at the same moment. Shared demands group
//! every part by the labels that name the workload, so the cost does not depend on how many policies read it.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap};

use floorkeeper_core::{Answer, Evidence, Sample, Timestamp};

use super::config::TargetLabels;
use super::fullness::Fullness;
use super::promql::{Backing, Parsed, Unclear};
use super::reply::{Point, Reply};

/// A query, made so that its answer carries its evidence.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Composed {
    /// What is sent.
    pub(super) text: String,
    /// The question without its evidence, for a source that refuses `text`. `None` where `text` is that already.
    pub(super) plain: Option<String>,
    by: Option<TargetLabels>,
    parsed: Option<Parsed>,
    selectors: usize,
}

/// The parts of an answer that speak of one workload at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    value: Option<Point>,
    values: u32,
    counts: [Option<f64>; Composed::SELECTORS],
    ages: [Option<f64>; Composed::SELECTORS],
}

/// Namespace and name of a workload; empty where the answer is not grouped.
pub(super) type Key<'a> = (&'a str, &'a str);

impl Composed {
    /// The most selectors that evidence is asked for; `promql` refuses more.
    const SELECTORS: usize = 4;

    /// Of a query that answers with one number, or with one for each value of the labels `by`.
    pub(super) fn new(query: &str, by: Option<&TargetLabels>) -> Result<Self, Unclear> {
        match Parsed::new(query) {
            Ok(parsed) => Ok(Self::of(query, parsed, by)),
            // The source may know more than our parser does: its number can raise, without evidence it can't lower.
            Err(Unclear::NotPromQl(_) | Unclear::TooComplex) => Ok(Self::bare(query, by)),
            Err(unclear) => Err(unclear),
        }
    }

    /// Of a query that was read before; `query` is how it is sent.
    pub(super) fn of(query: &str, parsed: Parsed, by: Option<&TargetLabels>) -> Self {
        let Ok(backing) = parsed.backing(by) else { return Self::bare(query, by) };
        // A comment ends with its line: what follows must not be part of it.
        let ended = if query.contains('#') { format!("{query}\n") } else { query.to_owned() };
        let value = if parsed.is_scalar() { format!("vector({ended})") } else { ended };
        let grouping = by.map_or_else(String::new, |by| format!(" by ({}, {})", name(&by.namespace), name(&by.target)));
        let mut parts = vec![marked(&value, VALUE)];
        for (place, one) in backing.iter().enumerate() {
            let (count, age) = evidence(one, &grouping);
            parts.push(marked(&count, COUNTS[place]));
            parts.push(marked(&age, AGES[place]));
        }
        Self {
            text: parts.join(" or "),
            plain: Some(query.to_owned()),
            by: by.cloned(),
            parsed: Some(parsed),
            selectors: backing.len(),
        }
    }

    fn bare(query: &str, by: Option<&TargetLabels>) -> Self {
        Self { text: query.to_owned(), plain: None, by: by.cloned(), parsed: None, selectors: 0 }
    }

    /// The question without its evidence.
    pub(super) fn alone(&self) -> Self {
        Self::bare(self.plain.as_deref().unwrap_or(&self.text), self.by.as_ref())
    }

    /// The same question about a few namespaces only; `None` where that can't be said in the query.
    pub(super) fn narrowed(&self, namespaces: &[&str]) -> Option<Self> {
        let by = self.by.as_ref()?;
        let parsed = self.parsed.as_ref()?.confined(&by.namespace, namespaces).ok()?;
        Some(Self::of(&parsed.to_string(), parsed, Some(by)))
    }

    /// The same question about workloads of a few namespaces and names only; `None` where that can't be said in the query.
    pub(super) fn narrowed_to(&self, namespaces: &[&str], targets: &[&str]) -> Option<Self> {
        let by = self.by.as_ref()?;
        let parsed = self.parsed.as_ref()?.confined(&by.namespace, namespaces).ok()?;
        let parsed = parsed.confined(&by.target, targets).ok()?;
        Some(Self::of(&parsed.to_string(), parsed, Some(by)))
    }

    /// Whether one answer alone can't say how full it is.
    pub(super) fn needs_memory(&self) -> bool {
        self.selectors > 1
    }

    /// Sorts the answer of an instant query by workload.
    pub(super) fn rows<'a>(&self, reply: &'a Reply<'_>) -> HashMap<Key<'a>, Row> {
        let mut rows: HashMap<Key<'a>, Row> = HashMap::new();
        for series in &reply.series {
            let part = series.label(PART);
            for point in &series.points {
                rows.entry(self.key(series)).or_default().put(part, *point);
            }
        }
        rows
    }

    /// Sorts the answer of a range query by workload and time.
    pub(super) fn past<'a>(&self, reply: &'a Reply<'_>) -> HashMap<Key<'a>, BTreeMap<Timestamp, Row>> {
        let mut rows: HashMap<Key<'a>, BTreeMap<Timestamp, Row>> = HashMap::new();
        for series in &reply.series {
            let part = series.label(PART);
            let of_key = rows.entry(self.key(series)).or_default();
            for point in &series.points {
                of_key.entry(point.at).or_default().put(part, *point);
            }
        }
        rows
    }

    fn key<'a>(&self, series: &'a super::reply::Series<'_>) -> Key<'a> {
        self.by.as_ref().map_or(("", ""), |by| (series.label(&by.namespace), series.label(&by.target)))
    }

    /// What a row says. `fullness` remembers how many series there were, where one count can't say it.
    pub(super) fn answer(&self, row: Option<&Row>, partial: bool, vouched: bool, fullness: &mut Fullness) -> Answer {
        let Some(row) = row else { return Answer::Empty };
        let point = match (row.values, row.value) {
            (0, _) | (_, None) => return Answer::Empty,
            (1, Some(point)) => point,
            (several, Some(_)) => return Answer::Several(several),
        };
        let evidence =
            Evidence { oldest: self.oldest(row), series: self.series(row, point.at, fullness), partial, vouched };
        Answer::Value(Sample { value: point.value, at: point.at, evidence })
    }

    /// Age of the oldest series of any selector; unknown as soon as one selector's is.
    fn oldest(&self, row: &Row) -> Option<Duration> {
        let mut oldest = None;
        for age in &row.ages[..self.selectors] {
            // Samples ahead of the server's clock are no older than now.
            let age = Duration::try_from_secs_f64((*age)?.max(0.0)).ok()?;
            oldest = oldest.max(Some(age));
        }
        oldest
    }

    fn series(&self, row: &Row, at: Timestamp, fullness: &mut Fullness) -> Option<u32> {
        let mut counts = [0; Self::SELECTORS];
        for (count, told) in counts.iter_mut().zip(&row.counts[..self.selectors]) {
            *count = whole((*told)?)?;
        }
        match &counts[..self.selectors] {
            [] => None,
            [count] => Some(*count),
            several => Some(fullness.permille(several, at)),
        }
    }
}

impl Row {
    fn put(&mut self, part: &str, point: Point) {
        // A query that went out without evidence has no parts.
        if part.is_empty() || part == VALUE {
            self.values = self.values.saturating_add(1);
            self.value = Some(point);
        } else if let Some(place) = COUNTS.iter().position(|name| *name == part) {
            self.counts[place] = Some(point.value);
        } else if let Some(place) = AGES.iter().position(|name| *name == part) {
            self.ages[place] = Some(point.value);
        }
    }
}

fn evidence(one: &Backing, grouping: &str) -> (String, String) {
    (format!("count{grouping} ({})", one.covered()), format!("time() - min{grouping} (timestamp({}))", one.present()))
}

fn marked(query: &str, part: &str) -> String {
    format!(r#"label_replace({query}, "{PART}", "{part}", "", "")"#)
}

/// A label's name as PromQL writes it in a grouping: in quotes where it is none of the classic kind.
fn name(label: &str) -> String {
    let classic = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if label.chars().all(classic) && !label.starts_with(|c: char| c.is_ascii_digit()) {
        label.to_owned()
    } else {
        format!("{label:?}")
    }
}

fn whole(count: f64) -> Option<u32> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and inside the range")]
    (1.0..=f64::from(u32::MAX)).contains(&count).then_some(count as u32)
}

/// The label that marks the parts; no exporter has one of this name.
const PART: &str = "floorkeeper_part";

/// The part that is the number itself.
const VALUE: &str = "value";

/// The parts that count series, one for each selector.
const COUNTS: [&str; Composed::SELECTORS] = ["count0", "count1", "count2", "count3"];

/// The parts that tell the age of the oldest series, one for each selector.
const AGES: [&str; Composed::SELECTORS] = ["age0", "age1", "age2", "age3"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::reply;

    fn by() -> TargetLabels {
        TargetLabels { namespace: "namespace".into(), target: "app".into() }
    }

    fn body(series: &[(&str, &str, &str)]) -> String {
        let series: Vec<_> = series
            .iter()
            .map(|(app, part, value)| {
                let labels = format!(r#"{{"namespace":"shop","app":"{app}","{PART}":"{part}"}}"#);
                format!(r#"{{"metric":{labels},"value":[100,"{value}"]}}"#)
            })
            .collect();
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{}]}}}}"#, series.join(","))
    }

    fn answer(composed: &Composed, body: &str, app: &str) -> Answer {
        let reply = reply::parse(body.as_bytes()).unwrap();
        composed.answer(composed.rows(&reply).get(&("shop", app)), false, false, &mut Fullness::default())
    }

    #[test]
    fn one_request_asks_for_the_number_and_what_backs_it() {
        let query = "sum by (namespace, app) (rate(x[2m]))";
        let composed = Composed::new(query, Some(&by())).unwrap();
        assert_eq!(
            composed.text,
            "label_replace(sum by (namespace, app) (rate(x[2m])), \"floorkeeper_part\", \"value\", \"\", \"\") or \
             label_replace(count by (namespace, app) (x and x offset 2m), \"floorkeeper_part\", \"count0\", \"\", \"\") or \
             label_replace(time() - min by (namespace, app) (timestamp(x)), \"floorkeeper_part\", \"age0\", \"\", \"\")"
        );
        assert_eq!(composed.plain.as_deref(), Some(query));
        assert!(Parsed::new(&composed.text).is_ok());
    }

    #[test]
    fn a_bare_number_becomes_a_vector_and_an_unclear_query_goes_alone() {
        assert!(Composed::new("scalar(x)", None).unwrap().text.starts_with("label_replace(vector(scalar(x)), "));
        for query in ["sum(x) * hour()", "new_function(x)"] {
            let composed = Composed::new(query, None).unwrap();
            assert_eq!((composed.text.as_str(), composed.plain), (query, None));
        }
        assert!(Composed::new("x[5m]", None).is_err());
    }

    #[test]
    fn a_comment_does_not_swallow_the_evidence() {
        let composed = Composed::new("sum(x) # of the edge", None).unwrap();
        assert!(composed.text.starts_with("label_replace(sum(x) # of the edge\n, "));
        assert!(Parsed::new(&composed.text).is_ok());
    }

    #[test]
    fn each_workload_gets_its_own_number_and_evidence() {
        let composed = Composed::new("sum by (namespace, app) (x)", Some(&by())).unwrap();
        let body = body(&[
            ("web", "value", "12"),
            ("web", "count0", "3"),
            ("web", "age0", "7.5"),
            ("jobs", "value", "1"),
            ("jobs", "value", "2"),
            ("bare", "value", "0"),
            ("gone", "count0", "3"),
        ]);
        let evidence =
            Evidence { oldest: Some(Duration::from_millis(7500)), series: Some(3), partial: false, vouched: false };
        let at = Timestamp(100_000);
        assert_eq!(answer(&composed, &body, "web"), Answer::Value(Sample { value: 12.0, at, evidence }));
        assert_eq!(answer(&composed, &body, "jobs"), Answer::Several(2));
        let none = Evidence::default();
        assert_eq!(answer(&composed, &body, "bare"), Answer::Value(Sample { value: 0.0, at, evidence: none }));
        assert_eq!(answer(&composed, &body, "gone"), Answer::Empty);
        assert_eq!(answer(&composed, &body, "never"), Answer::Empty);
    }

    #[test]
    fn evidence_is_whole_or_absent() {
        let composed = Composed::new("sum by (namespace, app) (a) + sum by (namespace, app) (b)", Some(&by())).unwrap();
        let parts = [("web", "value", "1"), ("web", "count0", "2"), ("web", "age0", "1"), ("web", "count1", "2")];
        let Answer::Value(sample) = answer(&composed, &body(&parts), "web") else { panic!("a value") };
        assert_eq!((sample.evidence.oldest, sample.evidence.series), (None, Some(1000)));
        let Answer::Value(sample) = answer(&composed, &body(&parts[..3]), "web") else { panic!("a value") };
        assert_eq!(sample.evidence.series, None);
        for odd in ["NaN", "0", "-1", "1e300", "+Inf"] {
            let composed = Composed::new("sum by (namespace, app) (a)", Some(&by())).unwrap();
            let parts = [("web", "value", "1"), ("web", "count0", odd), ("web", "age0", "NaN")];
            let Answer::Value(sample) = answer(&composed, &body(&parts), "web") else { panic!("a value") };
            assert_eq!(sample.evidence.series, None, "{odd}");
        }
    }

    #[test]
    fn a_question_can_be_narrowed_to_a_few_namespaces() {
        let composed = Composed::new("sum by (namespace, app) (x)", Some(&by())).unwrap();
        let narrowed = composed.narrowed(&["shop", "bank"]).unwrap();
        assert_eq!(narrowed.plain.as_deref(), Some(r#"sum by (namespace, app) (x{namespace=~"shop|bank"})"#));
        assert_eq!(narrowed.selectors, 1);
        assert_eq!(composed.narrowed(&[]), None);
        assert_eq!(Composed::new("sum(x)", None).unwrap().narrowed(&["shop"]), None);
    }
}
