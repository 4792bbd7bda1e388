//! Numbers that a simulation can go on with, whatever it was given.

/// `value` if it is finite and above zero, else zero.
pub(crate) fn amount(value: f64) -> f64 {
    if value.is_finite() && value > 0.0 { value.min(LARGEST) } else { 0.0 }
}

/// A share: inside 0 and 1; what is not a number is none.
pub(crate) fn share(value: f64) -> f64 {
    amount(value).min(1.0)
}

/// A count of replicas: rounded up, inside `u32`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to u32's range just before")]
pub(crate) fn replicas(value: f64) -> u32 {
    amount(value).ceil().clamp(0.0, f64::from(u32::MAX)) as u32
}

/// Above any load of this world, and small enough that sums and products of a few of them stay finite.
const LARGEST: f64 = 1e15;
