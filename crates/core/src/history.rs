//! What a workload's own past says: how deep its load usually falls, and what each hour of the week usually needs.
//!
//! A fall is measured from the peaks of the last half hour to the last day, and from what the same hour of other days
//! needed. What is measured is the highest need of the policy's window: the floor follows nothing quicker.
//!
//! What does not teach: gaps (missing is not zero), times in doubt, what follows the onset of an unusual fall (unless
//! three days showed it), and hours whose peak is too small to matter.

mod days;
mod learned;
mod past;
mod peaks;

use core::time::Duration;

use self::days::{Days, HOUR_MS, SPANS, Spans};
pub use self::learned::{Learned, LearnedDay};
pub(crate) use self::past::Past;
use self::peaks::Peaks;
use crate::ring::Ring;
use crate::signal::whole;
use crate::time::Timestamp;

/// What is learned of one workload, and the peaks that its falls are measured from.
#[derive(Clone, Debug)]
pub(crate) struct History {
    peaks: Peaks,
    /// The last minutes: a fall that is too quick for the peaks' buckets.
    brief: Ring<4>,
    short: Ring<11>,
    followed: Ring<6>,
    days: Days,
    /// The last tick, and whether it was known.
    last: Option<(Timestamp, bool)>,
    /// The hour that is being learned.
    hour: Hour,
    /// How deep the load of this moment is under each peak, as of the last tick.
    now: Spans<f64>,
    brief_now: f64,
    recent: f64,
    /// The last minutes are a quiet hour, though not one that needs no more than the minimum.
    quiet: bool,
    /// The load is back where a fall would be usual since then.
    back_since: Option<Timestamp>,
    /// A fall has been kept to its end: what the hours of other days needed is not compared with until it is reached
    /// again.
    other_hours: bool,
    /// Nothing was known since then.
    blind_since: Option<Timestamp>,
    /// Since the onset of an unusual fall: the spans that knew at its onset what it was a fall from.
    suspect: Option<Spans<bool>>,
}

/// One look at a workload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tick {
    pub(crate) now: Timestamp,
    /// The need of this moment.
    pub(crate) level: f64,
    /// The highest need of the window.
    pub(crate) recent: f64,
    /// Every signal is known, and the window is full.
    pub(crate) known: bool,
    /// Nothing is known to be wrong.
    pub(crate) calm: bool,
    /// Below it nothing matters: the static minimum.
    pub(crate) min: u32,
    /// Two ticks are at most so far apart, or there is a gap between them.
    pub(crate) gap: Duration,
    /// The unusual fall that lasts: the need that would end it.
    pub(crate) falling: Option<f64>,
}

/// What the past says of this moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// Days that something was learned of.
    pub days: u32,
    /// A quiet hour, which teaches nothing: nothing is known of its falls, and the constant rule holds.
    pub quiet: bool,
    /// A need below this is an unusual fall; zero in a quiet hour.
    pub limit: f64,
    /// The highest need of the last minutes: what the floor follows while its falls are usual.
    pub recent: f64,
    /// It is below it now.
    pub unusual: bool,
    /// The need that a fall of now would be a fall from.
    pub before: f64,
    /// What this hour of the week usually needs, at the level of the last day.
    pub hour: Option<f64>,
    /// How deep load usually falls within an hour at most: its share of the hour's peak.
    pub within_an_hour: Option<f64>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self {
            peaks: Peaks::new(),
            brief: Ring::new(BRIEF),
            short: Ring::new(SHORT),
            followed: Ring::new(FOLLOWED),
            days: Days::default(),
            last: None,
            hour: Hour::default(),
            now: Spans::default(),
            brief_now: 0.0,
            recent: 0.0,
            quiet: false,
            back_since: None,
            other_hours: true,
            blind_since: None,
            suspect: None,
        }
    }

    /// What so many days of two weeks showed is usual; one at least.
    pub(crate) fn usual_after(mut self, days: usize) -> Self {
        self.days.repeated = days.max(1);
        self
    }

    /// Looks at this moment, and learns from it.
    pub(crate) fn tick(&mut self, tick: &Tick) {
        let now = tick.now;
        let (last, was_known) = self.last.unwrap_or((now, false));
        if now < last {
            // The clock went back: what is learned stays. A little, and it is waited for; more, and what is measured from
            // begins anew.
            if last.since(now) > A_LITTLE {
                self.last = None;
                self.peaks = Peaks::new();
            }
            return;
        }
        let step = now.since(last);
        let passed = tick.known && was_known && step <= tick.gap;
        self.last = Some((now, tick.known));
        if tick.known {
            self.blind_since = None;
        } else {
            self.blind_since.get_or_insert(now);
        }
        // Time in which nothing usual is known does not pass for the peaks.
        if !passed || !tick.calm || tick.falling.is_some() {
            self.peaks.stand_still(step);
        } else {
            self.peaks.go_on(now);
        }
        self.days.roll(now);
        self.days.look(now);
        self.watch_the_end(tick);
        if !tick.known {
            return;
        }
        self.peaks.record(now, tick.level);
        self.brief.record(now, tick.level);
        self.short.record(now, tick.level);
        self.followed.record(now, tick.level);
        self.brief_now = self.brief.peak(now);
        self.recent = tick.recent;
        self.now = self.measure(tick.min, now);
        self.quiet = self.now.0[IN_SHORT] == 0.0 && whole(self.short.peak(now)) > tick.min.max(1);
        self.compare_again(tick.recent);
        // The onset itself is part of the fall, told or not.
        let suspect = tick.falling.is_some() || self.usual(now).is_some_and(|usual| usual.unusual);
        let fresh = self.fresh(now);
        // What was not known well at the onset, after a gap, is not learned from its end either.
        self.suspect = suspect.then(|| self.suspect.unwrap_or(fresh));
        if tick.calm {
            let teaching = self.suspect.unwrap_or(fresh);
            let mut shares = Spans::default();
            for (span, share) in shares.0.iter_mut().enumerate() {
                let peak = self.now.0[span];
                *share = (peak > 0.0 && teaching.0[span]).then(|| (self.left(span) / peak).min(1.0));
            }
            self.days.teach(&shares, suspect);
            if passed {
                self.days.passed(step);
                if let Some((hour, need, doubtful)) = self.hour.add(now, tick.recent, step, suspect) {
                    self.days.hour(hour, need, doubtful);
                }
            }
        }
    }

    /// What a decision may go by; `None` in quiet hours too: to be careful there costs little.
    pub(crate) fn usual(&self, now: Timestamp) -> Option<Usual> {
        self.known(now).filter(|usual| !usual.quiet)
    }

    /// What the past says of now; `None` until enough is learned, and while the last day is not known.
    pub(crate) fn known(&self, now: Timestamp) -> Option<Usual> {
        if !self.days.enough() || !self.peaks.covers_all() {
            return None;
        }
        let hour = self.days.need().map(|need| need * self.days.level());
        // A crowd that leaves slowly, down to what this hour needs on other days, is over and not lost.
        let ordinary = self.days.need().map_or(f64::INFINITY, |need| need * ORDINARY);
        let (mut limit, mut unusual) = (0.0_f64, false);
        for (span, &peak) in self.now.0.iter().enumerate() {
            let mut least = self.days.usual(span).map_or(0.0, |share| share * peak);
            if span != IN_SHORT {
                least = least.min(ordinary);
            }
            limit = limit.max(least);
            unusual |= self.left(span) < least;
        }
        if self.quiet {
            (limit, unusual) = (0.0, false);
        }
        Some(Usual {
            days: self.days.count(),
            quiet: self.quiet,
            limit,
            recent: self.followed.peak(now),
            unusual,
            before: self.now.0[..peaks::SPANS.len()].iter().copied().find(|&peak| peak > 0.0).unwrap_or(0.0),
            hour,
            within_an_hour: self.days.usual(peaks::HOUR),
        })
    }

    /// The need that ends a fall was there for a window.
    pub(crate) fn is_back(&self, now: Timestamp, window: Duration) -> bool {
        self.back_since.is_some_and(|since| now.since(since) >= window)
    }

    /// What this hour of the week usually needs.
    pub(crate) fn hour_need(&self) -> Option<f64> {
        if self.days.enough() { self.days.need() } else { None }
    }

    /// The share of it that the last day would need.
    pub(crate) fn level(&self) -> f64 {
        self.days.level()
    }

    /// Nothing has been known for so long.
    pub(crate) fn blind_for(&self, now: Timestamp) -> Duration {
        self.blind_since.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// A fall was kept to its end: what was needed before it is not compared with any more.
    pub(crate) fn forget_peaks(&mut self, now: Timestamp) {
        self.hour.doubtful = false;
        self.days.settle(now);
        self.peaks.forget(now);
        self.now = Spans::default();
        self.other_hours = false;
    }

    /// One replica carries another load than before: needs are `factor` times as many. `None`: nobody knows how many.
    pub(crate) fn rescale(&mut self, factor: Option<f64>) {
        match factor {
            Some(factor) => {
                self.days.rescale(factor);
                self.peaks.rescale(factor);
                self.now = Spans::default();
                self.hour = Hour::default();
            }
            None => *self = Self::new().usual_after(self.days.repeated),
        }
    }

    /// The spans whose peaks are no older than they seem.
    fn fresh(&self, now: Timestamp) -> Spans<bool> {
        let mut fresh = Spans::default();
        for (span, fresh) in fresh.0.iter_mut().enumerate() {
            *fresh = !self.peaks.is_stretched(span, now);
        }
        fresh
    }

    /// The need that a fall over this span is a fall to.
    fn left(&self, span: usize) -> f64 {
        if span == IN_SHORT { self.brief_now } else { self.recent }
    }

    /// The peaks that a fall would matter against; zero where it would not.
    fn measure(&self, min: u32, now: Timestamp) -> Spans<f64> {
        let little = self.peaks.height(now) * QUIET;
        let matters = |peak: f64| whole(peak) > min.max(1) && peak >= little;
        let mut found = Spans::default();
        for (span, place) in found.0.iter_mut().enumerate() {
            let peak = if span < peaks::SPANS.len() {
                self.peaks.of(span)
            } else if span == IN_SHORT {
                self.short.peak(now)
            } else if self.other_hours {
                self.days.least().unwrap_or(0.0)
            } else {
                0.0
            };
            *place = if matters(peak) { peak } else { 0.0 };
        }
        found
    }

    /// Since when the load is where the fall would be over. A tick that knows nothing says nothing of it.
    fn watch_the_end(&mut self, tick: &Tick) {
        match tick.falling {
            Some(_) if !tick.known => {}
            Some(limit) if tick.level >= limit => {
                self.back_since.get_or_insert(tick.now);
            }
            Some(_) | None => self.back_since = None,
        }
    }

    /// After a fall that was kept to its end: the hours of other days count again once what they needed is reached.
    fn compare_again(&mut self, recent: f64) {
        if !self.other_hours
            && let Some(least) = self.days.least()
            && recent >= least * self.days.usual(OTHER_HOURS).unwrap_or(REACHED)
        {
            self.other_hours = true;
        }
    }
}

/// Within an unusual fall the load falls again, from what the fall had left of it within the last hour: to less than is
/// usual, or than counts as usual where nothing is learned (`untaught`). What is usual of ordinary days proves little there.
pub(crate) fn falls_again(left: f64, recent: f64, min: u32, usual: Option<Usual>, untaught: f64) -> bool {
    let share = usual.and_then(|usual| usual.within_an_hour).map_or(untaught, |usual| usual.max(untaught));
    whole(left) > min.max(1) && recent < left * share
}

/// The mean need of the hour that passes.
#[derive(Clone, Copy, Debug, Default)]
struct Hour {
    number: u64,
    sum: f64,
    seconds: f64,
    doubtful: bool,
}

impl Hour {
    /// Adds what was needed for `step` until `now`; the hour that has passed, if it is known well enough.
    fn add(&mut self, now: Timestamp, need: f64, step: Duration, doubtful: bool) -> Option<(u64, f64, bool)> {
        let number = now.0 / HOUR_MS;
        let mut passed = None;
        if number != self.number {
            passed = (self.seconds >= KNOWN_OF_AN_HOUR).then(|| (self.number, self.sum / self.seconds, self.doubtful));
            *self = Self { number, ..Self::default() };
        }
        let seconds = step.as_secs_f64();
        self.sum += need * seconds;
        self.seconds += seconds;
        self.doubtful |= doubtful;
        passed
    }
}

/// The place of the shortest span, and of "from what this hour needs on other days".
const IN_SHORT: usize = SPANS - 2;
const OTHER_HOURS: usize = SPANS - 1;

/// The quickest fall that is looked at: from the peak of ten minutes to the highest of the last three, so that one low
/// sample is none.
const SHORT: Duration = Duration::from_secs(600);
const BRIEF: Duration = Duration::from_secs(180);

/// Where falls are learned, the floor follows the peak of so long: the stabilisation of an HPA, so that the two come down
/// together. What `window` guards against before, a fall too quick or too deep, is then known by itself.
const FOLLOWED: Duration = Duration::from_secs(300);

/// So much of what this hour usually needs is an ordinary load: what `keepPercent` keeps by default when all else is lost.
const ORDINARY: f64 = 0.8;

/// Before it is learned how far load may be under what other days needed, so much of it is the same again.
const REACHED: f64 = 0.5;

/// A clock that is set right, and a past that is told up to now, are off by less.
const A_LITTLE: Duration = Duration::from_secs(3600);

/// An hour speaks for itself when half of it is known.
const KNOWN_OF_AN_HOUR: f64 = 1800.0;

/// A peak under this share of the day's is a quiet hour: what falls there falls from little, and noise there looks like
/// outages.
const QUIET: f64 = 0.1;

#[cfg(test)]
mod tests;
