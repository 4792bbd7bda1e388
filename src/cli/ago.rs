//! Moments as a person at night reads them: how long ago, how long still.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// From `then` to `now` in at most two units: `45s`, `2h14m`, `3d4h`. Never negative.
pub(super) fn since(then: &Time, now: Timestamp) -> String {
    length(now.as_second().saturating_sub(then.0.as_second()))
}

/// From `now` to `then`.
pub(super) fn until(then: &Time, now: Timestamp) -> String {
    length(then.0.as_second().saturating_sub(now.as_second()))
}

pub(super) fn length(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let parts = [(seconds / 86_400, 'd'), (seconds / 3600 % 24, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(parts.len() - 1);
    let shown = parts.iter().skip(first).take(2).enumerate().filter(|(at, (count, _))| *at == 0 || *count > 0);
    shown.map(|(_, (count, unit))| format!("{count}{unit}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_at_most() {
        let said = [(-5, "0s"), (0, "0s"), (45, "45s"), (90, "1m30s"), (3600, "1h"), (8045, "2h14m"), (97_200, "1d3h")];
        for (seconds, text) in said {
            assert_eq!(length(seconds), text);
        }
    }
}
