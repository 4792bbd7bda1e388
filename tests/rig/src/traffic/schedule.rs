//! Scenario minutes and real time: calm spans run fast, the edges of a fault slowly.
//!
//! Around each beginning and end of a fault the speed is at most [`EDGE_SPEED`], so that sync periods, rate windows and the
//! whole seconds of the Kubernetes API keep their meaning. The durations of autoscalers and policies are scaled alike, see
//! [`Schedule::short`], [`Schedule::long`] and [`Schedule::calm`].

use std::time::Duration;

use floorkeeper_sim::Scenario;

/// Which scenario minute is played when.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    pieces: Vec<Piece>,
    minutes: f64,
    onset: f64,
    calm_speed: f64,
}

/// A span at one speed.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    minute: f64,
    second: f64,
    speed: f64,
}

impl Schedule {
    /// Plays the scenario within about `budget`, but never an edge faster than [`EDGE_SPEED`] nor a calm span faster than
    /// [`CALM_SPEED`]: then it takes longer.
    pub fn new(scenario: &Scenario, budget: Duration) -> Self {
        let minutes = f64::from(scenario.minutes);
        let edges = edges(scenario, minutes);
        let slow: f64 = edges.iter().map(|(from, to)| to - from).sum();
        let left = budget.as_secs_f64() - slow * 60.0 / EDGE_SPEED;
        let wanted = if left > 0.0 { (minutes - slow) * 60.0 / left } else { CALM_SPEED };
        let calm_speed = wanted.clamp(EDGE_SPEED, CALM_SPEED);

        let mut pieces = Vec::new();
        let (mut minute, mut second) = (0.0, 0.0);
        for (from, to) in edges {
            for (until, speed) in [(from, calm_speed), (to, EDGE_SPEED)] {
                if until > minute {
                    pieces.push(Piece { minute, second, speed });
                    second += (until - minute) * 60.0 / speed;
                    minute = until;
                }
            }
        }
        pieces.push(Piece { minute, second, speed: calm_speed });
        let onset = scenario.fault_span().map_or(0.0, |(from, _)| from);
        Self { pieces, minutes, onset, calm_speed }
    }

    /// The scenario's minute after so much real time; it goes on beyond the scenario's end.
    pub fn minute(&self, elapsed: Duration) -> f64 {
        let seconds = elapsed.as_secs_f64();
        let piece = self.piece(|piece| piece.second <= seconds);
        piece.minute + (seconds - piece.second) * piece.speed / 60.0
    }

    /// The real time until this minute.
    pub fn elapsed(&self, minute: f64) -> Duration {
        let piece = self.piece(|piece| piece.minute <= minute);
        Duration::from_secs_f64((piece.second + (minute - piece.minute) * 60.0 / piece.speed).max(0.0))
    }

    /// How long the whole scenario takes.
    pub fn length(&self) -> Duration {
        self.elapsed(self.minutes)
    }

    /// A duration of some minutes (windows, rates, ages, stabilisation), as fast as the edges, where they matter.
    pub fn short(&self, real: Duration) -> Duration {
        real.div_f64(EDGE_SPEED)
    }

    /// A duration of hours that begins with the fault (holds): what the schedule takes for it, counted from there.
    pub fn long(&self, real: Duration) -> Duration {
        let end = self.onset + real.as_secs_f64() / 60.0;
        self.elapsed(end).saturating_sub(self.elapsed(self.onset))
    }

    /// A duration of hours that runs in calm spans (half-lives).
    pub fn calm(&self, real: Duration) -> Duration {
        real.div_f64(self.calm_speed)
    }

    /// The speed of calm spans.
    pub fn calm_speed(&self) -> f64 {
        self.calm_speed
    }

    fn piece(&self, within: impl Fn(&Piece) -> bool) -> Piece {
        // The first piece starts at zero, and there is always one.
        self.pieces.iter().rev().find(|piece| within(piece)).or_else(|| self.pieces.first()).copied().unwrap_or(Piece {
            minute: 0.0,
            second: 0.0,
            speed: EDGE_SPEED,
        })
    }
}

/// The spans around the beginnings and ends of faults, joined where they touch.
fn edges(scenario: &Scenario, minutes: f64) -> Vec<(f64, f64)> {
    let moments = scenario.faults.iter().flat_map(|fault| [fault.from, fault.end()]);
    let mut spans: Vec<(f64, f64)> =
        moments.map(|at| ((at - BEFORE).max(0.0), (at + AFTER).min(minutes))).filter(|(from, to)| to > from).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut joined: Vec<(f64, f64)> = Vec::new();
    for (from, to) in spans {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            Some(_) | None => joined.push((from, to)),
        }
    }
    joined
}

/// At this speed a sync period of 15 s is three quarters of a second, about the finest that the Kubernetes API knows.
pub const EDGE_SPEED: f64 = 20.0;

/// A calm day of load moves by a few percent an hour: at this speed that is still less than a percent a second.
pub const CALM_SPEED: f64 = 180.0;

/// Minutes before and after an edge that are played slowly: longer than a policy's window and an HPA's stabilisation.
const BEFORE: f64 = 2.0;
const AFTER: f64 = 13.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_march_fits_six_minutes_and_its_edges_are_slow() {
        let scenario = floorkeeper_sim::find("S1a").unwrap();
        let schedule = Schedule::new(&scenario, Duration::from_secs(330));
        assert!((schedule.length().as_secs_f64() - 330.0).abs() < 1e-6, "{:?}", schedule.length());
        let speed = |minute: f64| 60.0 / (schedule.elapsed(minute + 1.0) - schedule.elapsed(minute)).as_secs_f64();
        assert_eq!([15.0, 16.0, 28.0, 327.0, 329.0, 341.0].map(|m| speed(m).round()), [20.0; 6]);
        assert!(speed(100.0) > 70.0, "{}", speed(100.0));
        assert!((schedule.calm_speed() - speed(100.0)).abs() < 1e-6);
    }

    #[test]
    fn minutes_and_real_time_are_each_others_inverse() {
        for (name, _) in floorkeeper_sim::CATALOGUE {
            let scenario = floorkeeper_sim::find(name).unwrap();
            let schedule = Schedule::new(&scenario, Duration::from_secs(200));
            for minute in 0..scenario.minutes {
                let minute = f64::from(minute) + 0.25;
                let back = schedule.minute(schedule.elapsed(minute));
                assert!((back - minute).abs() < 1e-6, "{name}: {minute} {back}");
            }
        }
    }

    #[test]
    fn durations_are_what_the_schedule_takes_for_them() {
        let scenario = floorkeeper_sim::find("S1a").unwrap();
        let schedule = Schedule::new(&scenario, Duration::from_secs(330));
        assert_eq!(schedule.short(Duration::from_secs(600)), Duration::from_secs(30));
        let hour = Duration::from_secs(3_600);
        let on_the_clock = schedule.elapsed(76.0) - schedule.elapsed(16.0);
        assert_eq!(schedule.long(hour), on_the_clock);
        assert!(schedule.calm(hour) < schedule.long(hour));
    }
}
