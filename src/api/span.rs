//! Durations as people write them: `10m`, `1h30m`, `15s`.

use core::fmt;
use core::time::Duration;
use std::borrow::Cow;

use kube::core::Rule;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A duration as written in an object. [`Span::parse`] is the only way to its value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub String);

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration, write hours, minutes and seconds such as \"10m\", \"1h30m\" or \"15s\"")]
pub struct SpanError(String);

impl Span {
    /// The value. Units are `h`, `m`, `s` and `ms`, each at most once, in this order.
    pub fn parse(&self) -> Result<Duration, SpanError> {
        let refused = || SpanError(shortened(&self.0));
        if self.0.is_empty() {
            return Err(refused());
        }
        let mut rest = self.0.as_str();
        let mut total: u64 = 0;
        for (unit, millis) in UNITS {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, tail) = rest.split_at(digits);
            let Some(after) = tail.strip_prefix(unit) else { continue };
            // `1ms` is no minute: a unit ends where the next number or the text ends.
            if after.starts_with(|c: char| !c.is_ascii_digit()) {
                continue;
            }
            if number.is_empty() || number.len() > MAX_DIGITS {
                return Err(refused());
            }
            let number: u64 = number.parse().map_err(|_| refused())?;
            total = total.saturating_add(number.saturating_mul(millis));
            rest = after;
        }
        if rest.is_empty() { Ok(Duration::from_millis(total)) } else { Err(refused()) }
    }
}

impl From<Duration> for Span {
    /// The shortest way to write a duration, to the millisecond.
    fn from(duration: Duration) -> Self {
        let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        if left == 0 {
            return Self("0s".to_owned());
        }
        let mut text = String::new();
        for (unit, millis) in UNITS {
            let count = left / millis;
            left %= millis;
            if count > 0 {
                text.push_str(&count.to_string());
                text.push_str(unit);
            }
        }
        Self(text)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // The form is checked by the rule of each field, whose message says what to write; a pattern's can't.
        json_schema!({ "type": "string", "maxLength": MAX_LENGTH })
    }
}

/// What a duration field may hold: one source for the API server's rule and for the parse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpanBounds {
    least: &'static str,
    most: &'static str,
    example: &'static str,
}

impl SpanBounds {
    pub(crate) const fn new(least: &'static str, most: &'static str, example: &'static str) -> Self {
        Self { least, most, example }
    }

    /// Form and bounds in one rule, so that a mistake gets one message that says what to write.
    pub(crate) fn rule(self) -> Rule {
        let Self { least, most, example: _ } = self;
        Rule::new(format!(
            "self.matches('{PATTERN}') && duration(self) >= duration('{least}') && duration(self) <= duration('{most}')"
        ))
        .message(self.message().as_str())
    }

    /// The value, or what to write.
    pub(crate) fn parse(self, span: &Span) -> Result<Duration, String> {
        let refused = || format!("{:?}: {}", shortened(&span.0), self.message());
        let value = span.parse().map_err(|_| refused())?;
        let bound = |text: &str| Span(text.to_owned()).parse().unwrap_or_default();
        if value < bound(self.least) || value > bound(self.most) { Err(refused()) } else { Ok(value) }
    }

    fn message(self) -> String {
        format!("write a duration from {} to {}, such as \"{}\"", self.least, self.most, self.example)
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_LENGTH).collect()
}

/// Unit and its milliseconds, the largest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// What the API server accepts; the same language as [`Span::parse`].
const PATTERN: &str = "^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?([0-9]{1,6}ms)?$";

/// Digits a unit may have: 999,999 hours are 114 years, more than any bound here and less than CEL's 292.
const MAX_DIGITS: usize = 6;

/// Characters that the longest duration has: four units of six digits.
const MAX_LENGTH: usize = 30;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Option<u128> {
        Span(text.to_owned()).parse().ok().map(|duration| duration.as_millis())
    }

    #[test]
    fn units_add_up_in_their_order() {
        for (text, millis) in [
            ("0s", 0),
            ("15s", 15_000),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("1h1m1s1ms", 3_661_001),
            ("250ms", 250),
            ("1m5ms", 60_005),
            ("999999h", 3_599_996_400_000),
        ] {
            assert_eq!(parsed(text), Some(millis), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "m", "1.5m", "-1m", "5m1h", "1m1m", "1h 5m", "1d", "10M", "1000000h", "1ms1m", "١m"] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
        let error = Span("ten".to_owned()).parse().unwrap_err().to_string();
        assert!(error.contains("\"ten\"") && error.contains("\"1h30m\""), "{error}");
    }

    #[test]
    fn bounds_are_inside() {
        let bounds = SpanBounds::new("1s", "1h", "10m");
        assert!(bounds.parse(&Span("1s".to_owned())).is_ok() && bounds.parse(&Span("60m".to_owned())).is_ok());
        let error = bounds.parse(&Span("61m".to_owned())).unwrap_err();
        assert_eq!(error, "\"61m\": write a duration from 1s to 1h, such as \"10m\"");
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,40}") {
            let _ = Span(text).parse();
        }

        #[test]
        fn nearly_a_duration_never_panics(text in "[0-9hms. ]{0,20}") {
            let _ = Span(text).parse();
        }

        #[test]
        fn what_is_written_is_read_again(millis in 0_u64..3_600_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(Span::from(duration).parse(), Ok(duration));
        }
    }
}
