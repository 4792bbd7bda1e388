//! What was measured, at even distances, with its gaps.

use floorkeeper_sim::trace::points;
use floorkeeper_sim::{Trace, TraceError};

pub use floorkeeper_sim::trace::Point;

/// A workload's past: one point a step, never empty, the load known at its ends.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Seconds since 1970 at the first point.
    start: f64,
    /// Seconds between two points.
    step: f64,
    points: Vec<Point>,
}

/// Time without a sample, in minutes from the start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    pub from: f64,
    pub to: f64,
}

impl History {
    /// Reads `time,rps[,replicas]` lines.
    ///
    /// # Errors
    /// Says the line, the column and what was expected there.
    pub fn from_csv(text: &str) -> Result<Self, TraceError> {
        let points = points(text, 2, false)?;
        Self::new(&points).ok_or_else(|| TraceError {
            line: 2,
            column: 1,
            what: format!("two known loads at least, over {MOST_POINTS} steps at most, are needed"),
        })
    }

    /// From points whose time grows. Their usual distance becomes the step, at least the tick of a source: finer ones are
    /// averaged. `None` where there are not two known loads, or far too many steps.
    #[must_use]
    pub fn new(points: &[Point]) -> Option<Self> {
        let known = |point: &Point| point.load.is_some();
        let (first, last) = (points.iter().position(known)?, points.iter().rposition(known)?);
        let points = &points[first..=last];
        let (start, end) = (points.first()?.at, points.last()?.at);
        let mut distances: Vec<f64> = points.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        distances.sort_by(f64::total_cmp);
        let step = distances.get(distances.len().saturating_sub(1) / 2)?.max(FINEST).round();
        let count = (end - start) / step;
        if !(count.is_finite() && count < MOST_POINTS) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded above, not negative")]
        let mut sums = vec![Sum::default(); count.round() as usize + 1];
        for point in points {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by the count")]
            let place = ((point.at - start) / step).round().max(0.0) as usize;
            if let Some(sum) = sums.get_mut(place) {
                sum.add(point);
            }
        }
        let point = |(place, sum): (usize, &Sum)| sum.point(start + place as f64 * step);
        let points: Vec<Point> = sums.iter().enumerate().map(point).collect();
        (points.len() > 1).then_some(Self { start, step, points })
    }

    #[must_use]
    pub fn start(&self) -> f64 {
        self.start
    }

    #[must_use]
    pub fn step(&self) -> f64 {
        self.step
    }

    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Minutes from the first point to the end of the last.
    #[must_use]
    pub fn minutes(&self) -> f64 {
        self.points.len() as f64 * self.step / 60.0
    }

    /// The load as a trace, seconds from the first point on; over gaps a straight line, which nobody is shown.
    #[must_use]
    pub fn trace(&self) -> Option<Trace> {
        Trace::from_points(self.points.iter().filter_map(|point| Some((point.at - self.start, point.load?))))
    }

    /// Where no load is known.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        let mut since = None;
        for (place, point) in self.points.iter().enumerate() {
            let minute = place as f64 * self.step / 60.0;
            match (point.load, since) {
                (None, None) => since = Some(minute),
                (Some(_), Some(from)) => {
                    gaps.push(Gap { from, to: minute });
                    since = None;
                }
                (None, Some(_)) | (Some(_), None) => {}
            }
        }
        gaps
    }

    /// Whether it says what replicas really were.
    #[must_use]
    pub fn has_replicas(&self) -> bool {
        self.points.iter().any(|point| point.replicas.is_some())
    }

    /// Replicas that really were, each known number kept until the next.
    #[must_use]
    pub fn replicas(&self) -> Option<Vec<u32>> {
        let mut last = self.points.iter().find_map(|point| point.replicas)?;
        let replicas = self.points.iter().map(|point| {
            last = point.replicas.unwrap_or(last);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as it should")]
            let whole = last.round() as u32;
            whole
        });
        Some(replicas.collect())
    }

    /// The highest load.
    #[must_use]
    pub fn peak(&self) -> f64 {
        self.points.iter().filter_map(|point| point.load).fold(0.0, f64::max)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    load: f64,
    loads: f64,
    replicas: f64,
    counts: f64,
}

impl Sum {
    fn add(&mut self, point: &Point) {
        if let Some(load) = point.load {
            self.load += load;
            self.loads += 1.0;
        }
        if let Some(replicas) = point.replicas {
            self.replicas += replicas;
            self.counts += 1.0;
        }
    }

    fn point(&self, at: f64) -> Point {
        let mean = |sum: f64, count: f64| (count > 0.0).then(|| sum / count);
        Point { at, load: mean(self.load, self.loads), replicas: mean(self.replicas, self.counts) }
    }
}

/// Seconds: what sources are asked in. Finer samples are averaged, as `rate()` does.
const FINEST: f64 = 15.0;

/// Three years of minutes: longer comes from a mistake in a time.
const MOST_POINTS: f64 = 1_600_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_seen_and_never_zero() {
        let history =
            History::from_csv("time,rps,replicas\n0,10,2\n60,20,\n240,30,4\n300,40,4\n360,,\n420,5,5\n").unwrap();
        assert_eq!((history.step(), history.points().len()), (60.0, 8));
        assert_eq!(history.gaps(), [Gap { from: 2.0, to: 4.0 }, Gap { from: 6.0, to: 7.0 }]);
        assert_eq!(history.replicas().unwrap(), [2, 2, 2, 2, 4, 4, 4, 5]);
        assert_eq!(history.trace().unwrap().at(150.0), 25.0);
    }

    #[test]
    fn seconds_are_averaged_to_a_sources_tick() {
        let lines: String = (0..60).map(|second| format!("{second},{}\n", second % 15)).collect();
        let history = History::from_csv(&format!("time,rps\n{lines}")).unwrap();
        assert_eq!(history.step(), 15.0);
        assert!((history.points()[1].load.unwrap() - 7.0).abs() < 1.0);
    }

    #[test]
    fn a_history_of_nothing_is_refused() {
        assert!(History::from_csv("time,rps\n0,\n60,\n").is_err());
        assert!(History::from_csv("time,rps\n0,1\n60,1\n9e10,1\n").is_err());
    }
}
