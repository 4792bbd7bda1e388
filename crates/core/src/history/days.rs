//! The last two weeks, a day each: how deep load fell, and what each hour needed.

use core::time::Duration;

use super::peaks;
use crate::policy::UnusualFall;
use crate::time::Timestamp;

/// One value for each span that a fall is measured over; the last is "from what this hour needs on other days".
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spans<T>(pub(super) [T; SPANS]);

/// The spans of the peaks, and the same hour of other days.
pub(super) const SPANS: usize = peaks::SPANS.len() + 2;

/// One day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Day {
    /// Since 1970; zero: none.
    pub(super) number: u32,
    /// Minutes that were known.
    pub(super) minutes: f32,
    /// The deepest falls that were usual, as shares.
    pub(super) lows: [Share; SPANS],
    /// The deepest since the onset of unusual falls.
    pub(super) suspects: [Share; SPANS],
    /// The mean need of each hour.
    pub(super) hours: [Need; 24],
    /// Hours in which an unusual fall lasted, a bit each.
    pub(super) doubtful: u32,
}

impl Day {
    pub(super) const NONE: Self = Self {
        number: 0,
        minutes: 0.0,
        lows: [Share::NONE; SPANS],
        suspects: [Share::NONE; SPANS],
        hours: [Need::NONE; 24],
        doubtful: 0,
    };

    fn counts(&self) -> bool {
        self.minutes >= KNOWN_OF_A_DAY
    }
}

/// The days, and what follows from them.
#[derive(Clone, Debug)]
pub(super) struct Days {
    /// By their number, modulo how many there are.
    pub(super) ring: [Day; KEPT],
    /// What so many days of two weeks showed is usual.
    pub(super) repeated: usize,
    today: u32,
    count: u32,
    usual: [Option<f32>; SPANS],
    /// What two hours usually need, the moment's and the one nearer to it, for half an hour; and that half hour.
    hours: (u64, Option<f64>, Option<f64>),
    need: Option<f64>,
    /// The share of what its hours usually need that the last day needed.
    level: f64,
    /// The least of this hour, the one before and the one after, at that level.
    least: Option<f64>,
}

impl Default for Days {
    fn default() -> Self {
        let usual = [None; SPANS];
        Self {
            ring: [Day::NONE; KEPT],
            repeated: REPEATED,
            today: 0,
            count: 0,
            usual,
            hours: (0, None, None),
            need: None,
            level: 1.0,
            least: None,
        }
    }
}

impl Days {
    /// A new day begins.
    pub(super) fn roll(&mut self, now: Timestamp) {
        let today = u32::try_from(now.0 / DAY_MS).unwrap_or(u32::MAX);
        if today == self.today {
            return;
        }
        self.today = today;
        let day = &mut self.ring[today as usize % KEPT];
        if day.number != today {
            *day = Day { number: today, ..Day::NONE };
        }
        self.conclude();
    }

    /// What this hour needs is looked up; half an hour is the same lookup.
    pub(super) fn look(&mut self, now: Timestamp) {
        let half = now.0 / HALF_HOUR_MS;
        if self.hours.0 != half {
            let hour = half / 2;
            let nearer = if half.is_multiple_of(2) { hour.saturating_sub(1) } else { hour + 1 };
            self.hours = (half, self.hour_need(hour), self.hour_need(nearer));
            self.level = self.level_before(hour);
            let around = [hour.saturating_sub(1), hour, hour + 1].map(|hour| Some(self.hour_least(hour)? * self.level));
            self.least = around.into_iter().try_fold(f64::INFINITY, |least, need| need.map(|need| least.min(need)));
        }
        // Hours are known by their means: between the middle of one and of the next the need is on its way.
        let into = (now.0 % HALF_HOUR_MS) as f64 / HALF_HOUR_MS as f64;
        let weight = if half.is_multiple_of(2) { 0.5 + into / 2.0 } else { 1.0 - into / 2.0 };
        self.need = match (self.hours.1, self.hours.2) {
            (Some(this), Some(nearer)) => Some(this * weight + nearer * (1.0 - weight)),
            (this, _) => this,
        };
    }

    /// What this hour usually needs, as of the last look.
    pub(super) fn need(&self) -> Option<f64> {
        self.need
    }

    /// How much of what is usual the last day needed: half of it at least, all of it at most.
    pub(super) fn level(&self) -> f64 {
        self.level
    }

    /// The least that is usually needed within an hour of now: an edge of the day may come a little early or late.
    pub(super) fn least(&self) -> Option<f64> {
        self.least
    }

    /// The share of a span's peak that load usually keeps at least.
    pub(super) fn usual(&self, span: usize) -> Option<f64> {
        self.usual[span].map(f64::from)
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn enough(&self) -> bool {
        self.count >= ENOUGH
    }

    /// Shares of the peaks that are left now, where they matter.
    pub(super) fn teach(&mut self, shares: &Spans<Option<f64>>, suspect: bool) {
        let day = &mut self.ring[self.today as usize % KEPT];
        let into = if suspect { &mut day.suspects } else { &mut day.lows };
        for (low, share) in into.iter_mut().zip(shares.0) {
            if let Some(share) = share {
                *low = (*low).min(Share::of(share));
            }
        }
    }

    /// So much of today was known.
    pub(super) fn passed(&mut self, span: Duration) {
        let day = &mut self.ring[self.today as usize % KEPT];
        day.minutes = (day.minutes + span.as_secs_f32() / 60.0).min(1440.0);
    }

    /// An hour (counted since 1970) has passed.
    pub(super) fn hour(&mut self, hour: u64, need: f64, doubtful: bool) {
        let number = u32::try_from(hour / 24).unwrap_or(u32::MAX);
        let day = &mut self.ring[number as usize % KEPT];
        if day.number == number {
            let place = (hour % 24) as usize;
            day.hours[place] = Need::of(need);
            day.doubtful = (day.doubtful & !(1 << place)) | u32::from(doubtful) << place;
        }
    }

    /// The fall that lasted until now did not end: what it left is no outage but a change, and may be compared with.
    pub(super) fn settle(&mut self, now: Timestamp) {
        for hour in (0..=now.0 / HOUR_MS).rev().take(24 * KEPT) {
            let number = u32::try_from(hour / 24).unwrap_or(u32::MAX);
            let (day, bit) = (&mut self.ring[number as usize % KEPT], 1 << (hour % 24));
            let known = day.number == number && day.hours[(hour % 24) as usize] != Need::NONE;
            if known && day.doubtful & bit == 0 {
                break;
            }
            if day.number == number {
                day.doubtful &= !bit;
            }
        }
        self.hours = (0, None, None);
    }

    pub(super) fn rescale(&mut self, factor: f64) {
        for need in self.ring.iter_mut().flat_map(|day| &mut day.hours) {
            if let Some(value) = need.get() {
                *need = Need::of(value * factor);
            }
        }
        self.hours = (0, None, None);
    }

    /// Counts the days before today, and finds what they usually show.
    pub(super) fn conclude(&mut self) {
        let today = self.today;
        let counted = |day: &&Day| day.counts() && day.number < today && today - day.number < KEPT as u32;
        self.count = self.ring.iter().filter(counted).count() as u32;
        self.hours = (0, None, None);
        for span in 0..SPANS {
            // What was unusual once or twice stays unusual; what so many days showed is usual.
            let suspects = self.ring.iter().filter(counted).filter(|day| day.suspects[span] != Share::NONE).count();
            let mut lows = [Share::NONE; KEPT];
            for (low, day) in lows.iter_mut().zip(self.ring.iter().filter(counted)) {
                let repeated = suspects >= self.repeated;
                *low = if repeated { day.lows[span].min(day.suspects[span]) } else { day.lows[span] };
            }
            lows.sort_unstable();
            // In the first week a day or two of other loads, a week-end, are not outvoted yet.
            let rank = self.repeated - usize::from(self.count < A_WEEK && self.repeated > 1);
            let low = lows.get(rank - 1).copied().and_then(Share::get);
            self.usual[span] = low.map(|share| share * if span == SPANS - 1 { SLACK_OF_DAYS } else { SLACK });
        }
    }

    /// What an hour (counted since 1970) usually needs: by the same hour of the last weeks and of the last days.
    fn hour_need(&self, hour: u64) -> Option<f64> {
        let (number, place) = (u32::try_from(hour / 24).ok()?, (hour % 24) as usize);
        let known = |day: &&Day| day.number < number && number - day.number < KEPT as u32;
        let mut clean = [0.0; KEPT];
        let (mut count, mut doubted) = (0, 0);
        for day in self.ring.iter().filter(known) {
            let Some(need) = day.hours[place].get() else { continue };
            if day.doubtful & 1 << place != 0 {
                doubted += 1;
                continue;
            }
            clean[count] = need;
            count += 1;
        }
        if count < REPEATED && doubted >= REPEATED {
            // On most days this hour was in doubt: then it is what it usually needs.
            for day in self.ring.iter().filter(known).filter(|day| day.doubtful & 1 << place != 0) {
                if let Some(need) = day.hours[place].get() {
                    clean[count] = need;
                    count += 1;
                }
            }
        }
        let any_day = median(&mut clean[..count])?;
        Some(match (self.weeks_ago(1, hour), self.weeks_ago(2, hour)) {
            // One bad day alone does not set it.
            (Some(last), Some(before)) => median(&mut [last, before, any_day])?,
            (Some(one), None) | (None, Some(one)) => one.max(any_day),
            (None, None) => any_day,
        })
    }

    /// What an hour needs at least, to be compared with: a week ago it may have needed less than it usually does. Where
    /// weeks are known but not this hour of them, it is like no other hour.
    fn hour_least(&self, hour: u64) -> Option<f64> {
        let usual = self.hour_need(hour)?;
        let a_week_ago = u32::try_from(hour / 24).ok()?.saturating_sub(7);
        let weeks_known = self.ring.iter().any(|day| day.counts() && day.number <= a_week_ago);
        match self.weeks_ago(1, hour).or_else(|| self.weeks_ago(2, hour)) {
            Some(then) => Some(then.min(usual)),
            None => (!weeks_known).then_some(usual),
        }
    }

    /// What the same hour needed so many weeks ago.
    fn weeks_ago(&self, weeks: u32, hour: u64) -> Option<f64> {
        self.needed(hour.checked_sub(u64::from(7 * 24 * weeks))?)
    }

    /// What an hour needed, in which no unusual fall lasted.
    fn needed(&self, hour: u64) -> Option<f64> {
        let (number, place) = (u32::try_from(hour / 24).ok()?, (hour % 24) as usize);
        let day = &self.ring[number as usize % KEPT];
        let usable = day.number == number && day.doubtful & 1 << place == 0;
        day.hours[place].get().filter(|_| usable)
    }

    /// A service that shrinks, or a quiet day: three quarters of the last day's hours needed no larger share of what they
    /// usually do. Hours of an unusual fall say nothing of it; where too few others are left, it is as usual.
    fn level_before(&self, hour: u64) -> f64 {
        let mut shares = [0.0; 24];
        let mut count = 0;
        for before in (1..=24).filter_map(|ago| hour.checked_sub(ago)) {
            if let (Some(needed), Some(usual)) = (self.needed(before), self.hour_least(before))
                && usual > 0.0
            {
                shares[count] = needed / usual;
                count += 1;
            }
        }
        if count < HOURS_OF_A_LEVEL {
            return 1.0;
        }
        let shares = &mut shares[..count];
        shares.sort_unstable_by(f64::total_cmp);
        shares[count * 3 / 4].clamp(LOWEST_LEVEL, 1.0)
    }
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// A share in [0, 1] in steps of half a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share(u8);

impl Share {
    pub(super) const NONE: Self = Self(u8::MAX);

    /// Rounded up: a fall that is remembered as less deep than it was lets no floor fall deeper.
    pub(super) fn of(share: f64) -> Self {
        Self((share * STEPS - 1e-3).ceil().clamp(0.0, STEPS) as u8)
    }

    pub(super) fn get(self) -> Option<f32> {
        (self != Self::NONE).then(|| f32::from(self.0) / STEPS as f32)
    }
}

const STEPS: f64 = 200.0;

/// A need in two bytes, to a tenth of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need(u16);

impl Need {
    pub(super) const NONE: Self = Self(0);

    pub(super) fn of(need: f64) -> Self {
        if need <= LEAST {
            return Self(1);
        }
        let octaves = (need / LEAST).log2() * PER_OCTAVE;
        Self((octaves.round() + 2.0).clamp(2.0, f64::from(u16::MAX)) as u16)
    }

    pub(super) fn get(self) -> Option<f64> {
        match self.0 {
            0 => None,
            1 => Some(0.0),
            code => Some(LEAST * ((f64::from(code) - 2.0) / PER_OCTAVE).exp2()),
        }
    }
}

/// Less than a thousandth of a replica is none.
const LEAST: f64 = 0.001;
const PER_OCTAVE: f64 = 1500.0;

pub(super) const DAY_MS: u64 = 86_400_000;
pub(super) const HOUR_MS: u64 = 3_600_000;
const HALF_HOUR_MS: u64 = 1_800_000;

/// Two weeks, so that every hour of the week is there twice; and today.
pub(super) const KEPT: usize = 15;

/// A day counts when half of it is known.
const KNOWN_OF_A_DAY: f32 = 720.0;

/// With fewer, what is usual rests on too little.
const ENOUGH: u32 = 3;

const A_WEEK: u32 = 7;

/// Half a day of hours says how the day was.
const HOURS_OF_A_LEVEL: usize = 12;

/// One day alone takes no more than half of what two weeks say.
const LOWEST_LEVEL: f64 = 0.5;

/// What so many days of two weeks showed is usual: a bad day alone sets nothing, nor do two.
pub(super) const REPEATED: usize = UnusualFall::USUAL_DAYS as usize;

/// A day may fall deeper than the third worst of two weeks and still be an ordinary day. Measured: with 0.9 every second
/// week has a false alarm, with less than 0.7 a fall to a third passes for usual.
const SLACK: f32 = 0.7;

/// Whole days differ more than falls do: holidays, seasons.
const SLACK_OF_DAYS: f32 = 0.6;

#[cfg(test)]
mod tests;
