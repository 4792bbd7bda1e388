//! What the Prometheus trigger makes of an answer.
//!
//! kedacore/keda 8b4f083 (2.21, unreleased), `pkg/scalers/prometheus_scaler.go` `ExecutePromQuery`, and
//! `pkg/scalers/scaler.go` `quantityFromFloat64`.

use crate::peers::Answer;
use crate::peers::go::int64;

/// The query failed; nothing can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueryFailed;

/// No series, NaN and infinity are zero where `ignoreNullValues` is true, its default, and an error where it is not.
pub(super) fn value(answer: Answer, ignore_null_values: bool) -> Result<f64, QueryFailed> {
    let null = if ignore_null_values { Ok(0.0) } else { Err(QueryFailed) };
    match answer {
        Answer::Value(value) if value.is_finite() => Ok(value),
        Answer::Value(_) | Answer::Empty => null,
        Answer::Error => Err(QueryFailed),
    }
}

/// The quantity that the HPA is given, in thousandths: nothing below zero, three places, no more than an int64.
pub(super) fn quantity(value: f64) -> i64 {
    if !value.is_finite() || value < 0.0 {
        return 0;
    }
    let milli = (value * 1_000.0).round();
    if milli >= LARGEST { i64::MAX } else { int64(milli) }
}

/// 2^63, where `Quantity.MilliValue` ends.
const LARGEST: f64 = 9_223_372_036_854_775_808.0;
