//! From counters to answers: scrapes, `rate()` over a window, the age and the number of the series behind a number.

use std::collections::VecDeque;
use std::time::Duration;

use floorkeeper_core as core;
use floorkeeper_sim::Outputs;
use floorkeeper_sim::scenario::{Odd, Said};

use crate::peers;
use crate::sky::Sky;

/// What one source knows of one workload.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub(crate) edge: Counter,
    pub(crate) failed: Counter,
    pub(crate) total: Counter,
    pub(crate) app: Counter,
    /// Requests that wait in the service's queue.
    pub(crate) backlog: f64,
    /// Seconds since 1970 at minute 0.
    epoch: f64,
}

/// The series of one metric of one workload: a counter for each edge proxy or pod.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    scrapes: VecDeque<Scrape>,
    /// What was counted since the last scrape.
    since: f64,
    /// Older answers, where a fault will want them.
    past: Option<VecDeque<(f64, Option<f64>)>>,
}

#[derive(Clone, Copy, Debug)]
struct Scrape {
    at: f64,
    /// How much the series grew that were there at the scrape before too.
    grew: f64,
    /// How many series there are.
    series: u32,
}

/// What a query for a load found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// `None`: no series, or not two samples in the window.
    pub(crate) value: Option<f64>,
    /// Seconds from minute 0.
    pub(crate) at: f64,
    pub(crate) series: u32,
    pub(crate) odd: Option<Odd>,
}

impl Pipeline {
    /// `remembers`: a fault will ask for older answers.
    pub(crate) fn new(epoch: f64, remembers: bool) -> Self {
        let counter = Counter::new(remembers);
        let [edge, failed, total, app] = [counter.clone(), counter.clone(), counter.clone(), counter];
        Self { edge, failed, total, app, backlog: 0.0, epoch }
    }

    /// What the service did in a tick.
    pub(crate) fn count(&mut self, out: &Outputs, seconds: f64) {
        self.edge.since += out.arriving * seconds;
        self.failed.since += out.failed * seconds;
        self.total.since += (out.served + out.failed) * seconds;
        self.app.since += (out.served + out.failed) * seconds;
        self.backlog = out.backlog;
    }

    /// Every target is scraped.
    pub(crate) fn scrape(&mut self, sky: &Sky, pods: u32) {
        self.edge.scrape(sky.now, EDGES, &sky.edge);
        self.failed.scrape(sky.now, EDGES, &sky.errors);
        self.total.scrape(sky.now, EDGES, &sky.errors);
        self.app.scrape(sky.now, pods, &sky.app);
    }

    /// The source has lost all that it had stored.
    pub(crate) fn lose(&mut self) {
        for counter in [&mut self.edge, &mut self.failed, &mut self.total, &mut self.app] {
            counter.scrapes.clear();
            counter.past.iter_mut().for_each(VecDeque::clear);
        }
    }

    /// As floorkeeper hears it.
    pub(crate) fn answer(&self, found: Found, sky: &Sky) -> core::Answer {
        if sky.down {
            return core::Answer::Failed(core::Failure::Unreachable);
        }
        let number = |value| self.sample(value, &found, sky.now);
        match (found.odd, found.value) {
            (_, None) => core::Answer::Empty,
            (None, Some(value)) => number(value),
            (Some(Odd::NaN), _) => number(f64::NAN),
            (Some(Odd::PlusInfinity), _) => number(f64::INFINITY),
            (Some(Odd::MinusInfinity), _) => number(f64::NEG_INFINITY),
            (Some(Odd::Huge), _) => number(1e308),
            (Some(Odd::Negative), _) => number(NEGATIVE),
            (Some(Odd::TwoSeries), _) => core::Answer::Several(2),
            (Some(Odd::String), _) => core::Answer::Failed(core::Failure::Garbage),
        }
    }

    /// The moment as floorkeeper's clock has it.
    pub(crate) fn time(&self, seconds: f64) -> core::Timestamp {
        timestamp(self.epoch + seconds)
    }

    fn sample(&self, value: f64, found: &Found, now: f64) -> core::Answer {
        let age = Duration::from_secs_f64((now - found.at).max(0.0));
        let evidence = core::Evidence {
            oldest: (found.series > 0).then_some(age),
            series: Some(found.series),
            partial: false,
            vouched: false,
        };
        core::Answer::Value(core::Sample { value, at: self.time(found.at), evidence })
    }
}

impl Counter {
    fn new(remembers: bool) -> Self {
        Self { scrapes: VecDeque::with_capacity(12), since: 0.0, past: remembers.then(VecDeque::new) }
    }

    fn scrape(&mut self, now: f64, targets: u32, said: &Said) {
        let counted = std::mem::take(&mut self.since);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
        let series = (f64::from(targets) * (1.0 - said.missing)).round() as u32;
        let before = self.scrapes.back().map_or(0, |scrape| scrape.series);
        // A series that was not there before shows its first sample: no growth.
        let grown = f64::from(series.min(before)) / f64::from(targets.max(1));
        self.scrapes.push_back(Scrape { at: now, grew: counted * said.factor * grown, series });
        while self.scrapes.front().is_some_and(|scrape| scrape.at <= now - WINDOW) {
            self.scrapes.pop_front();
        }
        let rate = self.rate(now);
        if let Some(past) = &mut self.past {
            past.push_back((now, rate));
            if past.len() > LONGEST_PAST {
                past.pop_front();
            }
        }
    }

    /// What a query finds now, under what the source says of this series.
    pub(crate) fn found(&self, now: f64, said: &Said) -> Found {
        let series = self.scrapes.back().map_or(0, |scrape| scrape.series);
        let found = Found { value: self.rate(now), at: now, series, odd: said.odd };
        if said.late > 0.0 {
            let at = now - said.late * 60.0;
            return Found { value: self.at(at), at, ..found };
        }
        Found { at: now + said.ahead * 60.0, ..found }
    }

    /// The answers of the last so many seconds, oldest first.
    pub(crate) fn history(&self, since: f64) -> impl Iterator<Item = (f64, f64)> {
        let past = self.past.iter().flatten().filter(move |(at, _)| *at >= since);
        past.filter_map(|(at, value)| Some((*at, (*value)?)))
    }

    fn at(&self, time: f64) -> Option<f64> {
        let past = self.past.as_ref()?;
        let after = past.partition_point(|(at, _)| *at <= time);
        past.get(after.checked_sub(1)?)?.1
    }

    /// As Prometheus: the growth between the first and the last sample in the window, extended to its edges where a
    /// sample is near them, a half interval else.
    fn rate(&self, now: f64) -> Option<f64> {
        let mut inside = self.scrapes.iter().filter(|scrape| scrape.at > now - WINDOW && scrape.series > 0);
        let first = inside.next()?;
        let (mut grew, mut last, mut samples) = (0.0, first.at, 1.0);
        for scrape in inside {
            grew += scrape.grew;
            last = scrape.at;
            samples += 1.0;
        }
        if samples < 2.0 {
            return None;
        }
        let covered = last - first.at;
        let interval = covered / (samples - 1.0);
        let reach = |gap: f64| if gap < 1.1 * interval { gap } else { interval / 2.0 };
        let extended = covered + reach(first.at - (now - WINDOW)) + reach(now - last);
        Some(grew * (extended / covered) / WINDOW)
    }
}

impl Found {
    /// As a peer hears it.
    pub(crate) fn for_peer(&self, sky: &Sky) -> peers::Answer {
        if sky.down {
            return peers::Answer::Error;
        }
        match (self.odd, self.value) {
            (_, None) => peers::Answer::Empty,
            (None, Some(value)) => peers::Answer::Value(value),
            (Some(Odd::NaN), _) => peers::Answer::Value(f64::NAN),
            (Some(Odd::PlusInfinity), _) => peers::Answer::Value(f64::INFINITY),
            (Some(Odd::MinusInfinity), _) => peers::Answer::Value(f64::NEG_INFINITY),
            (Some(Odd::Huge), _) => peers::Answer::Value(1e308),
            (Some(Odd::Negative), _) => peers::Answer::Value(NEGATIVE),
            (Some(Odd::TwoSeries | Odd::String), _) => peers::Answer::Error,
        }
    }
}

pub(crate) fn timestamp(seconds: f64) -> core::Timestamp {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
    core::Timestamp((seconds.clamp(0.0, 1e12) * 1000.0).round() as u64)
}

/// `[2m]` in everybody's queries, in seconds.
pub(crate) const WINDOW: f64 = 120.0;

/// Replicas of the edge proxy, each with its own series.
const EDGES: u32 = 4;

/// A load that is none.
const NEGATIVE: f64 = -12.5;

/// Answers that are kept where a fault wants old ones: a day of 15 s.
const LONGEST_PAST: usize = 5_760;

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers about the edge, tick by tick, while so much arrives in each.
    fn answers(loads: &[f64], change: impl Fn(usize, &mut Sky)) -> Vec<(Option<f64>, u32)> {
        let mut pipeline = Pipeline::new(0.0, true);
        let mut seen = Vec::new();
        for (step, load) in loads.iter().enumerate() {
            let mut sky = Sky::calm(step as f64 * 15.0, 15.0, *load);
            change(step, &mut sky);
            pipeline.scrape(&sky, 3);
            let found = pipeline.edge.found(sky.now, &sky.edge);
            seen.push((found.value.map(|value| (value * 10.0).round() / 10.0), found.series));
            pipeline.count(&Outputs { arriving: *load, ..Outputs::default() }, 15.0);
        }
        seen
    }

    #[test]
    fn a_steady_load_is_what_it_is_and_a_step_shows_over_the_window() {
        let steady = answers(&[100.0; 20], |_, _| {});
        assert_eq!(steady[0], (None, 4), "one sample is no rate");
        assert_eq!(steady[19], (Some(100.0), 4));
        let mut loads = [100.0; 30];
        loads[15..].fill(200.0);
        let step: Vec<f64> = answers(&loads, |_, _| {}).into_iter().filter_map(|(value, _)| value).collect();
        assert!(step[14..23].is_sorted() && step[17] < 150.0 && step[28] == 200.0, "{step:?}");
    }

    #[test]
    fn an_empty_store_begins_below_the_truth() {
        let mut pipeline = Pipeline::new(0.0, false);
        let mut seen = Vec::new();
        for step in 0..20_u32 {
            let sky = Sky::calm(f64::from(step) * 15.0, 15.0, 100.0);
            if step == 10 {
                pipeline.lose();
            }
            pipeline.scrape(&sky, 3);
            seen.extend(pipeline.edge.found(sky.now, &sky.edge).value);
            pipeline.count(&Outputs { arriving: 100.0, ..Outputs::default() }, 15.0);
        }
        let least = seen.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(least < 25.0 && (seen[seen.len() - 1] - 100.0).abs() < 1e-6, "{seen:?}");
    }

    #[test]
    fn series_that_vanish_show_in_the_count_at_once_and_in_the_sum_as_the_rate_forgets_them() {
        let gone = answers(&[100.0; 40], |step, sky| sky.edge.missing = if step >= 20 { 1.0 } else { 0.0 });
        assert_eq!(gone[20].1, 0);
        assert!(
            gone[20].0.is_some_and(|value| value > 80.0) && gone[24].0.is_some_and(|value| value < 70.0),
            "{gone:?}"
        );
        assert_eq!(gone[30].0, None);
        let part = answers(&[100.0; 40], |step, sky| sky.edge.missing = if step >= 20 { 0.75 } else { 0.0 });
        assert_eq!((part[20].1, part[39]), (1, (Some(25.0), 1)));
    }

    #[test]
    fn a_late_answer_is_an_old_one_and_says_so() {
        let mut pipeline = Pipeline::new(1_000.0, true);
        for step in 0..40_u32 {
            let sky = Sky::calm(f64::from(step) * 15.0, 15.0, 100.0);
            pipeline.scrape(&sky, 3);
            pipeline.count(&Outputs { arriving: 100.0 + f64::from(step), ..Outputs::default() }, 15.0);
        }
        let mut sky = Sky::calm(39.0 * 15.0, 15.0, 0.0);
        let now = pipeline.edge.found(sky.now, &sky.edge);
        sky.edge.late = 5.0;
        let late = pipeline.edge.found(sky.now, &sky.edge);
        assert_eq!((now.at, late.at), (585.0, 285.0));
        assert!(late.value < now.value);
        let core::Answer::Value(sample) = pipeline.answer(late, &sky) else { panic!("{late:?}") };
        assert_eq!(sample.at, core::Timestamp(1_285_000));
        sky.down = true;
        assert_eq!(pipeline.answer(late, &sky), core::Answer::Failed(core::Failure::Unreachable));
        assert_eq!(late.for_peer(&sky), peers::Answer::Error);
    }
}
