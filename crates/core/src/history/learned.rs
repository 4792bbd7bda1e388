//! What is learned, as it is stored: plain numbers of the last two weeks.

use super::History;
use super::days::{Day, Days, KEPT, Need, SPANS, Share};

/// What a `DemandHistory` stores.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learned {
    /// What the needs were reckoned by: another capacity or headroom makes others of them. Empty: nothing is known.
    pub reckoned_by: Vec<f64>,
    /// The last two weeks and today, oldest first; days that nothing is known of are left out.
    pub days: Vec<LearnedDay>,
}

/// One day, in UTC.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnedDay {
    /// Days since 1970.
    pub day: u32,
    /// Minutes that were known.
    pub minutes: u32,
    /// The deepest usual falls: the share that was left of the peak of the last 30 m, 1 h, 3 h, 6 h, 12 h, 24 h, and of
    /// what this hour needed on other days. `None`: no peak of that day mattered.
    pub lows: [Option<f64>; SPANS],
    /// The same since the onset of unusual falls: it teaches only once three days show it.
    pub suspects: [Option<f64>; SPANS],
    /// What each hour needed on the mean, in replicas.
    pub hours: [Option<f64>; 24],
    /// Hours in which an unusual fall lasted, a bit each.
    pub doubtful: u32,
}

impl LearnedDay {
    /// What each place of `lows` and `suspects` is measured over, as it is stored: a name never changes its meaning.
    pub const SPANS: [&'static str; SPANS] = ["30m", "1h", "3h", "6h", "12h", "24h", "10m", "otherDays"];
}

impl History {
    /// What is learned, to be stored.
    pub(crate) fn learned(&self, reckoned_by: Vec<f64>) -> Learned {
        let mut days: Vec<_> = self.days.ring.iter().filter(|day| day.number > 0).map(stored).collect();
        days.sort_unstable_by_key(|day| day.day);
        Learned { reckoned_by, days }
    }

    /// Takes over what was stored. What this process has learned itself of a day stays.
    pub(crate) fn restore(&mut self, stored: &Learned, factor: f64) {
        let newest = stored.days.iter().map(|day| day.day).max().unwrap_or(0);
        for day in stored.days.iter().filter(|day| newest - day.day < KEPT as u32) {
            let place = &mut self.days.ring[day.day as usize % KEPT];
            if place.number < day.day {
                *place = taken_over(day, factor);
            }
        }
        self.days.conclude();
    }
}

impl Days {
    /// Takes over the days of `other` where they say more.
    pub(super) fn merge(&mut self, other: &Self) {
        for (own, other) in self.ring.iter_mut().zip(&other.ring) {
            if other.number > own.number || other.number == own.number && other.minutes > own.minutes {
                *own = *other;
            }
        }
        self.conclude();
    }

    /// What was known `before` was told again with the rest. Which minutes are the same nobody knows, so they count once.
    pub(super) fn count_once(&mut self, before: &Self) {
        for (day, before) in self.ring.iter_mut().zip(&before.ring) {
            if day.number == before.number {
                day.minutes = before.minutes.max(day.minutes - before.minutes);
            }
        }
    }
}

fn stored(day: &Day) -> LearnedDay {
    let shares = |shares: &[Share; SPANS]| shares.map(|share| share.get().map(f64::from));
    LearnedDay {
        day: day.number,
        minutes: day.minutes as u32,
        lows: shares(&day.lows),
        suspects: shares(&day.suspects),
        hours: day.hours.map(Need::get),
        doubtful: day.doubtful,
    }
}

fn taken_over(day: &LearnedDay, factor: f64) -> Day {
    let share = |share: Option<f64>| share.filter(|share| (0.0..=1.0).contains(share)).map_or(Share::NONE, Share::of);
    let need = |need: Option<f64>| need.filter(|need| *need >= 0.0).map_or(Need::NONE, |need| Need::of(need * factor));
    Day {
        number: day.day,
        minutes: day.minutes.min(1440) as f32,
        lows: day.lows.map(share),
        suspects: day.suspects.map(share),
        hours: day.hours.map(need),
        doubtful: day.doubtful,
    }
}
