//! Prometheus' JSON answers, parsed without trust.
//!
//! Borrowed from the body where possible: a shared demand's answer has tens of thousands of series, and a tick should
//! cost a few milliseconds. What is not the documented format is `Garbage`; nothing here can panic.

use core::fmt;
use std::borrow::Cow;

use floorkeeper_core::{Failure, Timestamp};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A successful answer.
#[derive(Debug, PartialEq)]
pub(super) struct Reply<'a> {
    pub(super) series: Vec<Series<'a>>,
    /// A partial flag or a warning: the source itself calls this answer incomplete.
    pub(super) partial: bool,
}

/// One series: its labels and its points, one of an instant query.
#[derive(Debug, PartialEq, Default)]
pub(super) struct Series<'a> {
    labels: Labels<'a>,
    pub(super) points: Vec<Point>,
}

/// A value and the moment that it was evaluated for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) at: Timestamp,
    pub(super) value: f64,
}

impl Series<'_> {
    /// The value of a label; empty where the series has none of that name, as in PromQL.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// Parses the body of an answer with an HTTP status of 2xx.
pub(super) fn parse(body: &[u8]) -> Result<Reply<'_>, Failure> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|_| Failure::Garbage)?;
    match &*envelope.status {
        "success" => {}
        "error" => return Err(refusal(envelope.error_type.as_deref(), Failure::Refused)),
        _ => return Err(Failure::Garbage),
    }
    let data = envelope.data.ok_or(Failure::Garbage)?;
    let flags = [envelope.is_partial, envelope.partial, data.is_partial, data.partial];
    let partial = !envelope.warnings.unwrap_or_default().is_empty() || flags.contains(&Some(true));
    let series = match (&*data.result_type, data.result) {
        ("vector", Items::Series(series)) if series.iter().all(|one| one.points.len() == 1) => series,
        ("matrix", Items::Series(series)) => series,
        ("vector" | "matrix", Items::None) => Vec::new(),
        ("scalar", Items::Scalar(point)) => vec![Series { labels: Labels::default(), points: vec![point] }],
        _ => return Err(Failure::Garbage),
    };
    Ok(Reply { series, partial })
}

/// What the body of an answer with another HTTP status says.
pub(super) fn parse_error(status: u16, body: &[u8]) -> Failure {
    match serde_json::from_slice::<Envelope<'_>>(body) {
        Ok(envelope) if envelope.status == "error" => refusal(envelope.error_type.as_deref(), Failure::Status(status)),
        Ok(_) | Err(_) => Failure::Status(status),
    }
}

fn refusal(error_type: Option<&str>, otherwise: Failure) -> Failure {
    match error_type {
        Some("bad_data" | "execution" | "bad_request") => Failure::Refused,
        Some("timeout" | "canceled") => Failure::Timeout,
        Some(_) | None => otherwise,
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default, rename = "errorType")]
    error_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<Data<'a>>,
    // Infos are remarks on the query, such as "might not be a counter": nothing is missing from the answer.
    #[serde(default)]
    warnings: Option<Vec<IgnoredAny>>,
    #[serde(default, rename = "isPartial")]
    is_partial: Option<bool>,
    #[serde(default)]
    partial: Option<bool>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, rename = "resultType")]
    result_type: Cow<'a, str>,
    #[serde(borrow)]
    result: Items<'a>,
    #[serde(default, rename = "isPartial")]
    is_partial: Option<bool>,
    #[serde(default)]
    partial: Option<bool>,
}

/// `result`, whose form depends on `resultType`, which may come after it.
enum Items<'a> {
    None,
    Series(Vec<Series<'a>>),
    Scalar(Point),
}

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<'a>(core::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for List<'a> {
            type Value = Items<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of series, or one sample")
            }

            fn visit_unit<E>(self) -> Result<Items<'a>, E> {
                Ok(Items::None)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items<'a>, A::Error> {
                match list.next_element::<Item<'a>>()? {
                    None => Ok(Items::None),
                    Some(Item::Series(first)) => {
                        let mut series = vec![first];
                        while let Some(one) = list.next_element()? {
                            series.push(one);
                        }
                        Ok(Items::Series(series))
                    }
                    Some(Item::Number(seconds)) => {
                        let text = list.next_element::<Cow<'de, str>>()?;
                        let point = text.and_then(|text| point(seconds, &text));
                        if list.next_element::<IgnoredAny>()?.is_some() {
                            return Err(A::Error::custom("a sample has two parts"));
                        }
                        point.map(Items::Scalar).ok_or_else(|| A::Error::custom("not a sample"))
                    }
                }
            }
        }
        deserializer.deserialize_any(List(core::marker::PhantomData))
    }
}

enum Item<'a> {
    Series(Series<'a>),
    Number(f64),
}

impl<'de: 'a, 'a> Deserialize<'de> for Item<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One<'a>(core::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for One<'a> {
            type Value = Item<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a series or a time")
            }

            fn visit_f64<E>(self, seconds: f64) -> Result<Item<'a>, E> {
                Ok(Item::Number(seconds))
            }

            #[expect(clippy::cast_precision_loss, reason = "seconds beyond 2^53 are refused as a time anyway")]
            fn visit_u64<E>(self, seconds: u64) -> Result<Item<'a>, E> {
                Ok(Item::Number(seconds as f64))
            }

            #[expect(clippy::cast_precision_loss, reason = "negative seconds are refused as a time anyway")]
            fn visit_i64<E>(self, seconds: i64) -> Result<Item<'a>, E> {
                Ok(Item::Number(seconds as f64))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item<'a>, A::Error> {
                series(map).map(Item::Series)
            }
        }
        deserializer.deserialize_any(One(core::marker::PhantomData))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Series<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One<'a>(core::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for One<'a> {
            type Value = Series<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a series")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Series<'a>, A::Error> {
                series(map)
            }
        }
        deserializer.deserialize_map(One(core::marker::PhantomData))
    }
}

fn series<'de: 'a, 'a, A: MapAccess<'de>>(mut map: A) -> Result<Series<'a>, A::Error> {
    let mut series = Series::default();
    let mut told = false;
    while let Some(key) = map.next_key::<Cow<'de, str>>()? {
        match &*key {
            "metric" => series.labels = map.next_value()?,
            "value" => {
                series.points.push(map.next_value()?);
                told = true;
            }
            "values" => {
                series.points = map.next_value()?;
                told = true;
            }
            // `histogram` too: a native histogram is no number.
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
    }
    if told { Ok(series) } else { Err(A::Error::custom("a series without a number")) }
}

#[derive(Debug, PartialEq, Default)]
struct Labels<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Labels<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<'a>(core::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Pairs<'a> {
            type Value = Labels<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels<'a>, A::Error> {
                let mut pairs = Vec::new();
                while let Some((key, value)) = map.next_entry::<Text<'a>, Text<'a>>()? {
                    pairs.push((key.0, value.0));
                }
                Ok(Labels(pairs))
            }
        }
        deserializer.deserialize_map(Pairs(core::marker::PhantomData))
    }
}

/// A string, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (seconds, text): (f64, Text<'de>) = Deserialize::deserialize(deserializer)?;
        point(seconds, &text.0).ok_or_else(|| D::Error::custom("not a sample"))
    }
}

/// A sample as Prometheus writes it: seconds with a fraction, and the value in a string so that NaN and Inf fit in.
fn point(seconds: f64, text: &str) -> Option<Point> {
    let millis = (seconds * 1000.0).round();
    if !(0.0..LATEST_MS).contains(&millis) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside 0..2^53, and whole")]
    let at = Timestamp(millis as u64);
    text.parse().ok().map(|value| Point { at, value })
}

/// Milliseconds that a `f64` still counts one by one (2^53): year 287,396.
const LATEST_MS: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn failure(body: &str) -> Failure {
        parse(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_vector_has_labels_times_and_values() {
        let body = br#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"namespace":"shop","name":"w\u0065b"},"value":[1700000000.123,"12.5"]},
            {"metric":{},"value":[1700000000,"NaN"]}]},"infos":["might not be a counter"]}"#;
        let reply = parse(body).unwrap();
        assert!(!reply.partial);
        assert_eq!(reply.series[0].label("name"), "web");
        assert_eq!(reply.series[0].label("pod"), "");
        assert_eq!(reply.series[0].points, [Point { at: Timestamp(1_700_000_000_123), value: 12.5 }]);
        assert!(reply.series[1].points[0].value.is_nan());
    }

    #[test]
    fn infinities_are_numbers_here() {
        for (text, value) in [("+Inf", f64::INFINITY), ("-Inf", f64::NEG_INFINITY), ("1e+06", 1e6), ("-0", 0.0)] {
            assert_eq!(point(1.0, text).unwrap().value, value);
        }
    }

    #[test]
    fn a_matrix_and_a_scalar() {
        let matrix = br#"{"data":{"result":[{"values":[[1,"1"],[2,"2"]],"metric":{"a":"b"}}],"resultType":"matrix"},"status":"success"}"#;
        assert_eq!(parse(matrix).unwrap().series[0].points.len(), 2);
        let scalar = br#"{"status":"success","data":{"resultType":"scalar","result":[5,"7"]}}"#;
        assert_eq!(parse(scalar).unwrap().series[0].points, [Point { at: Timestamp(5000), value: 7.0 }]);
        let empty = br#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        assert_eq!(parse(empty).unwrap().series, []);
    }

    #[test]
    fn warnings_and_partial_flags_are_seen_wherever_they_stand() {
        for flag in [
            r#""warnings":["store gone"],"data":{"resultType":"vector","result":[]}"#,
            r#""isPartial":true,"data":{"resultType":"vector","result":[]}"#,
            r#""partial":true,"data":{"resultType":"vector","result":[]}"#,
            r#""data":{"isPartial":true,"resultType":"vector","result":[]}"#,
        ] {
            assert!(parse(format!("{{\"status\":\"success\",{flag}}}").as_bytes()).unwrap().partial, "{flag}");
        }
        let whole =
            br#"{"status":"success","isPartial":false,"warnings":[],"data":{"resultType":"vector","result":[]}}"#;
        assert!(!parse(whole).unwrap().partial);
    }

    #[test]
    fn what_is_not_the_format_is_garbage() {
        for body in [
            "",
            "<html>login</html>",
            "null",
            "[]",
            "{}",
            r#"{"status":"success"}"#,
            r#"{"status":"fine","data":{"resultType":"vector","result":[]}}"#,
            r#"{"status":"success","data":{"resultType":"string","result":[1,"x"]}}"#,
            r#"{"status":"success","data":{"resultType":"scalar","result":[1,"x"]}}"#,
            r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1","1"]}}"#,
            r#"{"status":"success","data":{"resultType":"scalar","result":[]}}"#,
            r#"{"status":"success","data":{"resultType":"vector","result":[1,"1"]}}"#,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}"#,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"twelve"]}]}}"#,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,12]}]}}"#,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[-1,"1"]}]}}"#,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1e300,"1"]}]}}"#,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}"#,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]"#,
        ] {
            assert_eq!(failure(body), Failure::Garbage, "{body}");
        }
    }

    #[test]
    fn errors_say_whether_the_query_or_the_server_is_at_fault() {
        assert_eq!(failure(r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#), Failure::Refused);
        assert_eq!(parse_error(422, br#"{"status":"error","errorType":"execution","error":"x"}"#), Failure::Refused);
        assert_eq!(parse_error(503, br#"{"status":"error","errorType":"timeout","error":"x"}"#), Failure::Timeout);
        assert_eq!(parse_error(500, br#"{"status":"error","errorType":"internal"}"#), Failure::Status(500));
        assert_eq!(parse_error(429, b"slow down"), Failure::Status(429));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
            let _ = parse_error(500, &body);
        }

        #[test]
        fn arbitrary_values_inside_the_envelope_never_panic(
            kind in prop::sample::select(vec!["vector", "matrix", "scalar", "string"]),
            result in json(),
        ) {
            let body = format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#);
            if let Ok(reply) = parse(body.as_bytes()) {
                prop_assert!(reply.series.iter().flat_map(|one| &one.points).all(|point| point.at.0 < 1 << 53));
            }
        }
    }

    /// JSON near the format: the right words in the wrong places.
    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|b| b.to_string()),
            any::<i64>().prop_map(|n| n.to_string()),
            any::<f64>().prop_filter("JSON has no such number", |n| n.is_finite()).prop_map(|n| n.to_string()),
            prop::sample::select(vec!["\"1\"", "\"NaN\"", "\"\"", "\"\\u0000\"", "\"1e999\""]).prop_map(str::to_owned),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let key = prop::sample::select(vec!["metric", "value", "values", "histogram", "x"]);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(","))),
                prop::collection::vec((key, inner), 0..4).prop_map(|pairs| {
                    let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                    format!("{{{}}}", pairs.join(","))
                }),
            ]
        })
    }
}
