//! Numbers as Kubernetes writes them: `120`, `0.5`, `1500m`, `2k`, `4Mi`, `1e3`.

use core::fmt;
use std::borrow::Cow;

use kube::core::Rule;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A number as written in an object. [`Quantity::parse`] is the only way to its value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantity(pub String);

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a quantity, write a number such as \"120\", \"0.5\" or \"1500m\"")]
pub struct QuantityError(String);

impl Quantity {
    /// The value: finite.
    pub fn parse(&self) -> Result<f64, QuantityError> {
        let refused = || QuantityError(self.0.chars().take(MAX_LENGTH).collect());
        if self.0.len() > MAX_LENGTH {
            return Err(refused());
        }
        let end = self.0.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '+' | '-')).unwrap_or(self.0.len());
        let (number, suffix) = self.0.split_at(end);
        let unsigned = number.strip_prefix(['+', '-']).unwrap_or(number);
        let digits = unsigned.bytes().filter(u8::is_ascii_digit).count();
        let points = unsigned.bytes().filter(|b| *b == b'.').count();
        if digits == 0 || points > 1 || digits + points != unsigned.len() {
            return Err(refused());
        }
        let scale = match suffix.strip_prefix(['e', 'E']) {
            Some(exponent) if !exponent.is_empty() => {
                let figures = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if figures.is_empty() || figures.len() > 2 || !figures.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(refused());
                }
                return format!("{number}{suffix}").parse().ok().filter(|v: &f64| v.is_finite()).ok_or_else(refused);
            }
            Some(_) | None => {
                SUFFIXES.iter().find(|(name, _)| *name == suffix).map(|(_, scale)| *scale).ok_or_else(refused)?
            }
        };
        let value: f64 = number.parse().map_err(|_| refused())?;
        Some(value * scale).filter(|v| v.is_finite()).ok_or_else(refused)
    }

    /// A measured number, short enough to read: three decimals at most.
    #[must_use]
    pub fn rounded(value: f64) -> Self {
        if !value.is_finite() {
            return Self("0".to_owned());
        }
        let text = format!("{value:.3}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        Self(if matches!(text, "" | "-" | "-0") { "0".to_owned() } else { text.to_owned() })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for Quantity {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": MAX_LENGTH })
    }
}

/// What a number field may hold: one source for the API server's rule and for the parse.
#[derive(Clone, Copy, Debug)]
pub(crate) enum QuantityBounds {
    AboveZero {
        example: &'static str,
    },
    ZeroOrMore {
        example: &'static str,
    },
    /// Above zero, at most this.
    UpTo {
        most: &'static str,
        example: &'static str,
    },
}

impl QuantityBounds {
    /// Form and bounds in one rule, so that a mistake gets one message that says what to write.
    pub(crate) fn rule(self) -> Rule {
        let bounds = match self {
            Self::AboveZero { .. } => "quantity(self).isGreaterThan(quantity('0'))".to_owned(),
            Self::ZeroOrMore { .. } => "!quantity(self).isLessThan(quantity('0'))".to_owned(),
            Self::UpTo { most, .. } => format!(
                "quantity(self).isGreaterThan(quantity('0')) && !quantity(self).isGreaterThan(quantity('{most}'))"
            ),
        };
        Rule::new(format!("isQuantity(self) && {bounds}")).message(self.message().as_str())
    }

    /// The value, or what to write.
    pub(crate) fn parse(self, quantity: &Quantity) -> Result<f64, String> {
        let shown: String = quantity.0.chars().take(MAX_LENGTH).collect();
        let refused = || format!("{shown:?}: {}", self.message());
        let value = quantity.parse().map_err(|_| refused())?;
        let inside = match self {
            Self::AboveZero { .. } => value > 0.0,
            Self::ZeroOrMore { .. } => value >= 0.0,
            Self::UpTo { most, .. } => value > 0.0 && Quantity(most.to_owned()).parse().is_ok_and(|most| value <= most),
        };
        if inside { Ok(value) } else { Err(refused()) }
    }

    fn message(self) -> String {
        match self {
            Self::AboveZero { example } => format!("write a number above 0, such as \"{example}\""),
            Self::ZeroOrMore { example } => format!("write a number, 0 or more, such as \"{example}\""),
            Self::UpTo { most, example } => {
                format!("write a number above 0 and at most {most}, such as \"{example}\"")
            }
        }
    }
}

/// Kubernetes' suffixes.
const SUFFIXES: [(&str, f64); 16] = [
    ("", 1.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
];

/// Longer than any number that means something here, short enough to bound the cost of the rules.
const MAX_LENGTH: usize = 30;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Option<f64> {
        Quantity(text.to_owned()).parse().ok()
    }

    #[test]
    fn suffixes_scale() {
        for (text, value) in [
            ("0", 0.0),
            ("120", 120.0),
            ("0.5", 0.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("1500m", 1.5),
            ("2k", 2000.0),
            ("4Mi", 4_194_304.0),
            ("1e3", 1000.0),
            ("1E3", 1000.0),
            ("1E", 1e18),
            ("-3", -3.0),
            ("+3", 3.0),
            ("100u", 1e-4),
        ] {
            let read = parsed(text).unwrap_or(f64::NAN);
            assert!((read - value).abs() <= value.abs() * 1e-12, "{text}: {read}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in
            ["", "12x", "ten", "1.2.3", "--1", "1-", "m", "1e", "1e+", "1e999", "NaN", "inf", "1 k", "1K", "1mi"]
        {
            assert_eq!(parsed(text), None, "{text:?}");
        }
        let error = Quantity("12x".to_owned()).parse().unwrap_err().to_string();
        assert_eq!(error, "\"12x\" is not a quantity, write a number such as \"120\", \"0.5\" or \"1500m\"");
    }

    #[test]
    fn measured_numbers_are_short() {
        for (value, text) in [(0.0, "0"), (-0.0, "0"), (1234.5678, "1234.568"), (0.0004, "0"), (7.0, "7")] {
            assert_eq!(Quantity::rounded(value).0, text);
        }
        assert_eq!(Quantity::rounded(f64::NAN).0, "0");
    }

    proptest! {
        #[test]
        fn never_panics_and_is_finite(text in ".{0,40}") {
            if let Some(value) = parsed(&text) {
                prop_assert!(value.is_finite());
            }
        }

        #[test]
        fn nearly_a_quantity_never_panics(text in "[-+0-9.eEkKmMiGunTP ]{0,12}") {
            if let Some(value) = parsed(&text) {
                prop_assert!(value.is_finite());
            }
        }

        #[test]
        fn what_is_written_is_read_again(thousandths in -1_000_000_000_i64..1_000_000_000) {
            let value = thousandths as f64 / 1000.0;
            let read = Quantity::rounded(value).parse();
            prop_assert!(read.is_ok_and(|read| (read - value).abs() < 1e-6));
        }
    }
}
