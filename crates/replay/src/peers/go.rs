//! Numbers as Go turns them on amd64, where all these autoscalers run.
//!
//! A float that does not fit an integer becomes the smallest integer there is: `CVTTSD2SL` and `CVTTSD2SQ` answer with
//! the "integer indefinite" value for what is out of range and for NaN, and the Go specification allows it
//! ("implementation-dependent", section Conversions between numeric types). So a NaN rate is a *negative* replica count.

/// `int32(value)`.
#[expect(clippy::cast_possible_truncation, reason = "inside i32's range, checked just before; toward zero as in Go")]
pub(super) fn int32(value: f64) -> i32 {
    let whole = value.trunc();
    if whole >= f64::from(i32::MIN) && whole <= f64::from(i32::MAX) { whole as i32 } else { i32::MIN }
}

/// `int64(value)`.
#[expect(clippy::cast_possible_truncation, reason = "inside i64's range, checked just before; toward zero as in Go")]
pub(super) fn int64(value: f64) -> i64 {
    if (-TWO_TO_63..TWO_TO_63).contains(&value) { value as i64 } else { i64::MIN }
}

/// `float64(value)` of an int64, the nearest one as in Go.
#[expect(clippy::cast_precision_loss, reason = "as in Go")]
pub(super) fn float64(value: i64) -> f64 {
    value as f64
}

/// The first float that no i64 holds.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_the_smallest_integer() {
        assert_eq!((int32(2.9), int32(-2.9), int64(1e3 + 0.9)), (2, -2, 1_000));
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 3e9, -3e9] {
            assert_eq!(int32(value), i32::MIN, "{value}");
        }
        assert_eq!((int64(f64::NAN), int64(1e19), int64(-1e19)), (i64::MIN, i64::MIN, i64::MIN));
    }
}
