//! Offered load over time: read from a file or made by a seeded generator.

mod csv;
mod generate;
mod instant;
pub(crate) mod random;

use crate::number::amount;

pub use csv::{Point, TraceError, points};
pub use generate::{Audience, Batch, FlashCrowd, Generator};
pub use instant::{format_instant, parse_instant};

/// Load, in requests a second, at moments that only grow. Never empty; every value is finite and not negative.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Seconds (since the Unix epoch where the file says so) and load.
    points: Vec<(f64, f64)>,
}

impl Trace {
    /// Reads `time,rps` lines: time in RFC 3339 or seconds, strictly growing. A third column, `replicas`, is not looked at.
    ///
    /// # Errors
    /// Says the line, the column and what was expected there.
    pub fn from_csv(text: &str) -> Result<Self, TraceError> {
        let points = points(text, 1, true)?;
        let points = points.into_iter().map(|point| (point.at, amount(point.load.unwrap_or_default()))).collect();
        Ok(Self { points })
    }

    /// From points whose time grows; others are left out. `None` if nothing remains.
    #[must_use]
    pub fn from_points(points: impl IntoIterator<Item = (f64, f64)>) -> Option<Self> {
        let mut kept: Vec<(f64, f64)> = Vec::new();
        for (time, load) in points {
            if time.is_finite() && kept.last().is_none_or(|&(last, _)| time > last) {
                kept.push((time, amount(load)));
            }
        }
        (!kept.is_empty()).then_some(Self { points: kept })
    }

    /// Load at `time` (seconds): straight lines between the points, the ends held outside them.
    #[must_use]
    pub fn at(&self, time: f64) -> f64 {
        let after = self.points.partition_point(|&(at, _)| at <= time);
        match (after.checked_sub(1).and_then(|before| self.points.get(before)), self.points.get(after)) {
            (Some(&(from, low)), Some(&(to, high))) => low + (high - low) * ((time - from) / (to - from)),
            (Some(&(_, load)), None) | (None, Some(&(_, load))) => load,
            (None, None) => 0.0,
        }
    }

    /// Seconds at which it begins.
    #[must_use]
    pub fn start(&self) -> f64 {
        self.points.first().map_or(0.0, |&(time, _)| time)
    }

    /// Seconds at which it ends.
    #[must_use]
    pub fn end(&self) -> f64 {
        self.points.last().map_or(0.0, |&(time, _)| time)
    }

    /// The highest load.
    #[must_use]
    pub fn peak(&self) -> f64 {
        self.points.iter().map(|&(_, load)| load).fold(0.0, f64::max)
    }

    /// The part between two moments, its ends interpolated; the moments as they are.
    #[must_use]
    pub fn slice(&self, from: f64, to: f64) -> Option<Self> {
        let inner = self.points.iter().copied().filter(|&(time, _)| time > from && time < to);
        let ends = (to > from).then(|| (to, self.at(to)));
        Self::from_points(core::iter::once((from, self.at(from))).chain(inner).chain(ends))
    }

    /// Every load times `factor`.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        Self { points: self.points.iter().map(|&(time, load)| (time, amount(load * amount(factor)))).collect() }
    }

    /// Scaled so that its highest load is `peak`; unchanged where it is zero throughout.
    #[must_use]
    pub fn with_peak(&self, peak: f64) -> Self {
        match self.peak() {
            0.0 => self.clone(),
            old => self.scaled(peak / old),
        }
    }

    /// The points themselves.
    #[must_use]
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn interpolates_holds_its_ends_and_slices() {
        let trace = Trace::from_points([(0.0, 10.0), (60.0, 20.0), (120.0, 0.0)]).unwrap();
        assert_eq!(
            [-5.0, 0.0, 30.0, 60.0, 90.0, 120.0, 500.0].map(|t| trace.at(t)),
            [10.0, 10.0, 15.0, 20.0, 10.0, 0.0, 0.0]
        );
        assert_eq!(trace.slice(30.0, 90.0).unwrap().points(), [(30.0, 15.0), (60.0, 20.0), (90.0, 10.0)]);
        assert_eq!(trace.with_peak(100.0).at(30.0), 75.0);
        assert_eq!(trace.slice(30.0, 30.0).unwrap().points(), [(30.0, 15.0)]);
    }

    #[test]
    fn zero_throughout_cannot_be_scaled_to_a_peak() {
        let trace = Trace::from_points([(0.0, 0.0)]).unwrap();
        assert_eq!(trace.with_peak(100.0), trace);
    }

    proptest! {
        #[test]
        fn any_points_give_finite_loads_everywhere(points: Vec<(f64, f64)>, at: f64, factor: f64) {
            if let Some(trace) = Trace::from_points(points) {
                for load in [trace.at(at), trace.scaled(factor).at(at), trace.with_peak(factor).peak()] {
                    prop_assert!(load >= 0.0 && load.is_finite(), "{load}");
                }
                prop_assert!(trace.slice(at, factor).is_none_or(|part| part.peak().is_finite()));
            }
        }
    }
}
