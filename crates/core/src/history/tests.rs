//! An example that can be followed by hand: a shop that needs 40 by day, 10 by night and half of it at the week-end.

use super::*;
use crate::policy::Policy;
use crate::policy::tests::{policy, signal};

const MINUTE: u64 = 60_000;
const DAY: u64 = 1440 * MINUTE;

/// A Monday, and two weeks later.
const FIRST: u64 = 19_786;
const TODAY: u64 = FIRST + 14;

const fn day(n: u64, hour: u64, minute: u64) -> Timestamp {
    Timestamp((FIRST + n) * DAY + (hour * 60 + minute) * MINUTE)
}

/// Up from 6 to 9 h, down from 18 to 22 h.
fn shop(at: Timestamp) -> f64 {
    let hour = (at.0 % DAY) as f64 / (60 * MINUTE) as f64;
    let open = ((hour - 6.0) / 3.0).clamp(0.0, 1.0).min(((22.0 - hour) / 4.0).clamp(0.0, 1.0));
    let weekend = (at.0 / DAY + 3) % 7 >= 5;
    (10.0 + 30.0 * open) * if weekend { 0.5 } else { 1.0 }
}

/// Two weeks in steps of five minutes; `None`: not known.
fn past(load: impl Fn(Timestamp) -> Option<f64>) -> History {
    let now = day(14, 0, 0);
    let mut past = Past::before(now);
    let steps = (0..14 * 288).map(|step| day(0, 0, 0).plus(Duration::from_secs(step * 300)));
    past.tell(0, steps.map(|at| (at, load(at))));
    let mut history = History::new();
    let mut taught = history.taught_so_far();
    past.teach(&mut taught, &policy(), 2);
    history.take_past(taught);
    history
}

/// The first of the two weeks' days that are not as every other.
fn eventful(at: Timestamp) -> Option<f64> {
    let within = |from: Timestamp, to: Timestamp| (from..to).contains(&at);
    if within(day(2, 14, 0), day(2, 15, 30)) {
        return None;
    }
    if within(day(3, 11, 0), day(3, 12, 0)) {
        return Some(2.0);
    }
    // From noon on it stays at little.
    if within(day(9, 12, 0), day(10, 6, 0)) {
        return Some(8.0);
    }
    Some(shop(at))
}

/// A day as it is stored: its lows, its suspects (in percent, by [`LearnedDay::SPANS`]), its hours, and which are doubtful.
fn line(day: &LearnedDay) -> String {
    let shares = |shares: &[Option<f64>]| {
        let percent = |share: &Option<f64>| share.map_or_else(|| "-".into(), |share| format!("{:.1}", share * 100.0));
        shares.iter().map(percent).collect::<Vec<_>>().join(" ")
    };
    let hours: Vec<_> =
        day.hours.iter().map(|need| need.map_or_else(|| "-".into(), |need| format!("{need:.1}"))).collect();
    let LearnedDay { day, minutes, lows, suspects, doubtful, .. } = day;
    let number = u64::from(*day) - FIRST;
    format!("{number}: {minutes} min; {}; {}; {}; {doubtful:x}", shares(lows), shares(suspects), hours.join(" "))
}

/// What is usual now.
fn now_line(history: &History, at: Timestamp) -> String {
    let hour = at.0 % DAY / MINUTE;
    let clock = format!("{:02}:{:02}", hour / 60, hour % 60);
    let blind = history.blind_for(at).as_secs() / 60;
    let back = if history.is_back(at, Duration::from_secs(600)) { ", back" } else { "" };
    let need = history.hour_need().map_or_else(|| "-".into(), |need| format!("{need:.1}"));
    history.usual(at).map_or_else(
        || format!("{clock} not enough; usually {need}, blind {blind}{back}"),
        |usual| {
            let Usual { days, quiet: _, limit, recent, unusual, before, hour, within_an_hour } = usual;
            let mark = if unusual { " unusual" } else { "" };
            assert_eq!(hour, history.hour_need().map(|need| need * history.level()));
            format!(
                "{clock} {recent:.1} of {before:.1}, at least {limit:.2}{mark}; usually {need}, {:.3} in an hour, {days} days, blind {blind}{back}",
                within_an_hour.unwrap_or(-1.0)
            )
        },
    )
}

#[test]
fn what_two_weeks_teach() {
    let learned = past(eventful).learned(vec![8.0]);
    assert_eq!(learned.reckoned_by, [8.0]);
    let lines: Vec<_> = learned.days.iter().map(line).collect();
    assert_eq!(lines.join("\n"), WEEKS.trim());
}

#[test]
fn what_is_stored_comes_back() {
    let learned = past(eventful).learned(vec![8.0]);
    let taken_over = |learned: &Learned, factor: f64| {
        let mut history = History::new();
        history.days.roll(day(14, 0, 0));
        history.restore(learned, factor);
        history.learned(vec![8.0])
    };
    assert_eq!(taken_over(&learned, 1.0), learned);
    let twice = taken_over(&learned, 2.0);
    let mut rescaled = past(eventful);
    rescaled.rescale(Some(2.0));
    for ((twice, once), live) in twice.days.iter().zip(&learned.days).zip(&rescaled.learned(Vec::new()).days) {
        assert_eq!((twice.lows, twice.suspects, twice.minutes), (once.lows, once.suspects, once.minutes));
        assert_eq!(twice, live, "an edit while it runs is the same");
        for (twice, once) in twice.hours.iter().zip(once.hours) {
            assert!(
                twice.zip(once).is_none_or(|(twice, once)| (twice / once - 2.0).abs() < 0.002),
                "{twice:?} {once:?}"
            );
            assert_eq!(twice.is_some(), once.is_some());
        }
    }
    rescaled.rescale(None);
    assert_eq!(rescaled.learned(Vec::new()).days, [], "nobody knows what it means now");
}

#[test]
fn what_can_not_have_been_learned_is_not_taken_over() {
    let learned = past(eventful).learned(Vec::new());
    let mut broken = learned.clone();
    broken.days[1].lows[0] = Some(1.01);
    broken.days[1].suspects[1] = Some(-0.01);
    broken.days[1].hours[2] = Some(-1.0);
    broken.days[1].minutes = 9999;
    // Too old by a day: its place is another day's.
    broken.days[0].day = u32::try_from(TODAY).unwrap() - 15;
    let mut history = History::new();
    history.restore(&broken, 1.0);
    let restored = history.learned(Vec::new());
    assert_eq!(restored.days.len(), learned.days.len() - 1);
    let day = &restored.days[0];
    assert_eq!((day.lows[0], day.suspects[1], day.hours[2], day.minutes), (None, None, None, 1440));
    assert_eq!(restored.days[1..], learned.days[2..]);
}

#[test]
fn what_is_stored_takes_no_newer_days_place_and_none_that_is_known() {
    let mut learned = past(eventful).learned(Vec::new());
    learned.days.drain(1..14);
    learned.days[0].day -= 2;
    let mut history = History::new();
    history.days.roll(day(14, 0, 0));
    history.days.passed(Duration::from_secs(60));
    history.restore(&learned, 1.0);
    let restored: Vec<_> = history.learned(Vec::new()).days.iter().map(|day| (day.day, day.minutes)).collect();
    assert_eq!(restored, [(u32::try_from(TODAY).unwrap(), 1)], "what is older than two weeks is left out");
}

#[test]
fn the_past_of_every_signal_is_needed() {
    let now = day(14, 0, 0);
    let mut past = Past::before(now);
    let told = |need: f64, hours: u64| (hours * 12..24 * 12).map(move |step| (day(13, 0, step * 5), Some(need)));
    past.tell(0, told(4.0, 0));
    assert!(!past.is_whole(2));
    past.tell(1, told(10.0, 12));
    assert!(past.is_whole(2) && !past.is_whole(1));
    past.tell(0, [(now.plus(Duration::from_secs(300)), Some(99.0))].into_iter());
    let mut history = History::new();
    let two = Policy { signals: vec![signal("edge", 10.0), signal("queue", 10.0)], ..policy() };
    past.teach(&mut history, &two, 2);
    let learned = &history.learned(Vec::new()).days;
    let hours = learned.iter().find(|day| u64::from(day.day) == FIRST + 13).unwrap().hours;
    assert_eq!(hours[11], None, "one of two says nothing");
    assert!(hours[14].is_some_and(|need| (need - 10.0).abs() < 0.01), "the larger need: {:?}", hours[14]);
}

/// Whether the hour at 11 of a day was in doubt.
fn doubted(history: &History, number: u64) -> bool {
    let learned = history.learned(Vec::new());
    learned.days.iter().any(|day| u64::from(day.day) == FIRST + number && day.doubtful & 1 << 11 != 0)
}

#[test]
fn before_enough_is_learned_the_past_is_looked_at_by_the_hour() {
    for (left, falls) in [(19.9, true), (20.0, false)] {
        let outage = day(1, 11, 0)..day(1, 12, 0);
        let history = past(|at| Some(if outage.contains(&at) { left } else { 40.0 }));
        assert_eq!(doubted(&history, 1), falls, "from 40 to {left}");
    }
}

#[test]
fn a_fall_within_a_fall_of_the_past_is_kept_anew() {
    // Ten hours of little, where eight are kept to the end: after that it is a change and no outage.
    for (then, doubt) in [(15.0, false), (5.0, true)] {
        let (first, second) = (day(1, 4, 0)..day(1, 10, 0), day(1, 10, 0)..day(1, 14, 0));
        let falls =
            |at: Timestamp| first.contains(&at).then_some(15.0).or_else(|| second.contains(&at).then_some(then));
        let history = past(|at| Some(falls(at).unwrap_or(40.0)));
        assert_eq!(doubted(&history, 1), doubt, "from 15 to {then}");
    }
}

#[test]
fn the_past_is_looked_at_with_what_is_stored() {
    // More than half is left: only who knows that it never falls takes it for an outage.
    let outage = day(13, 11, 0)..day(13, 12, 0);
    let load = |at: Timestamp| Some(if outage.contains(&at) { 24.0 } else { 40.0 });
    let last_days = |history: &mut History| {
        let mut past = Past::before(day(14, 0, 0));
        past.tell(0, (0..2 * 288).map(|step| day(12, 0, step * 5)).map(|at| (at, load(at))));
        let mut taught = history.taught_so_far();
        past.teach(&mut taught, &policy(), 2);
        history.take_past(taught);
    };
    let stored = past(|at| (at < day(12, 0, 0)).then_some(40.0)).learned(Vec::new());
    let (mut new, mut restored) = (History::new(), History::new());
    restored.restore(&stored, 1.0);
    last_days(&mut new);
    last_days(&mut restored);
    assert_eq!((doubted(&new, 13), doubted(&restored, 13)), (false, true));
}

#[test]
fn after_a_past_that_ended_low_the_hours_before_are_not_compared_with() {
    let ended = |low: Timestamp| past(|at| Some(if at < low { 40.0 } else { 4.0 })).other_hours;
    assert!(ended(day(14, 0, 0)));
    assert!(!ended(day(13, 0, 0)), "it was kept to its end, and is no fall any more");
}

#[test]
fn of_one_day_what_was_known_for_longer_counts() {
    let with = |minutes: u64, need: f64| {
        let mut history = History::new();
        history.days.roll(day(3, 0, 0));
        history.days.passed(Duration::from_secs(minutes * 60));
        history.days.hour(FIRST * 24 + 3 * 24, need, false);
        history
    };
    for (own, told, kept) in [(100, 99, 1.0), (100, 100, 1.0), (100, 101, 2.0)] {
        let mut history = with(own, 1.0);
        history.take_past(with(own + told, 2.0));
        let need = history.learned(Vec::new()).days[0].hours[0].unwrap();
        assert!((need - kept).abs() < 0.01, "{own} and {told} minutes: {need}");
    }
    // A newer day takes the place of an older one, and never the other way round.
    let of = |number: u64| {
        let mut history = History::new();
        history.days.roll(day(number, 0, 0));
        history
    };
    for (own, told) in [(3, 18), (18, 3)] {
        let mut history = of(own);
        history.take_past(of(told));
        assert_eq!(
            history.learned(Vec::new()).days.iter().map(|day| u64::from(day.day) - FIRST).collect::<Vec<_>>(),
            [18]
        );
    }
}

/// A day that is looked at once a minute: an outage, a gap, times in doubt, a fall that is kept to its end.
#[test]
fn what_a_day_shows() {
    let mut history = past(eventful);
    let mut window = std::collections::VecDeque::new();
    let mut fall: Option<(Timestamp, f64)> = None;
    let mut lines = Vec::new();
    for minute in 0..1440 {
        let now = day(14, 0, minute);
        let within = |from: u64, to: u64| (from..to).contains(&minute);
        let level = match minute {
            660..720 => 5.0,
            1140.. => 4.0,
            _ => shop(now),
        };
        window.push_back(level);
        if window.len() > 11 {
            window.pop_front();
        }
        let tick = Tick {
            now,
            level,
            recent: window.iter().copied().fold(0.0, f64::max),
            known: !within(840, 880),
            calm: !within(500, 530),
            min: 2,
            gap: Duration::from_secs(120),
            falling: fall.map(|(_, limit)| limit),
        };
        history.tick(&tick);
        let mut event = "";
        match fall {
            Some((since, _)) if now.since(since) >= Duration::from_secs(3 * 3600) => {
                history.forget_peaks(now);
                (fall, event) = (None, " through");
            }
            Some(_) if history.is_back(now, Duration::from_secs(600)) => (fall, event) = (None, " over"),
            None if tick.known => {
                if let Some(usual) = history.usual(now).filter(|usual| usual.unusual) {
                    (fall, event) = (Some((now, usual.limit)), " falls");
                }
            }
            Some(_) | None => {}
        }
        if minute % 60 == 20 || !event.is_empty() {
            lines.push(format!("{}{event}", now_line(&history, now)));
        }
    }
    let learned = history.learned(Vec::new());
    lines.push(line(learned.days.last().unwrap()));
    assert_eq!(lines.join("\n"), TODAYS.trim());
    assert_eq!(u64::from(learned.days.last().unwrap().day), TODAY);
}

/// A look at a day's load.
fn looks(now: Timestamp) -> Tick {
    let gap = Duration::from_secs(120);
    Tick { now, level: 40.0, recent: 40.0, known: true, calm: true, min: 2, gap, falling: None }
}

#[test]
fn a_clock_that_goes_back_by_more_than_an_hour_begins_the_peaks_anew() {
    for (back, kept) in [(3_600_000, true), (3_600_001, false)] {
        let mut history = past(eventful);
        history.tick(&looks(day(14, 12, 0)));
        let now = Timestamp(day(14, 12, 0).0 - back);
        history.tick(&looks(now));
        history.tick(&looks(now.plus(Duration::from_secs(60))));
        assert_eq!(history.usual(now).is_some(), kept, "back by {back} ms");
        assert!(history.hour_need().is_some(), "what is learned stays");
    }
}

#[test]
fn a_fall_within_a_fall_is_one_from_more_than_the_minimum_to_less_than_the_share() {
    let again = |left, recent| falls_again(left, recent, 2, None, 0.5);
    assert_eq!([again(2.0, 0.0), again(2.1, 0.0), again(10.0, 5.0), again(10.0, 4.9)], [false, true, false, true]);
}

#[test]
fn what_needs_no_more_than_the_minimum_is_no_quiet_hour() {
    for (level, known) in [(2.0, true), (2.1, false)] {
        let mut history = past(|_| Some(40.0));
        let at = |minute: u64| day(14, 12, minute);
        // For so long that the last ten minutes know of nothing else.
        for minute in 0..20 {
            history.tick(&Tick { level, recent: level, ..looks(at(minute)) });
        }
        assert_eq!(history.usual(at(20)).is_some(), known, "{level} where the minimum is 2");
    }
}

#[test]
fn a_tick_that_knows_nothing_does_not_begin_the_end_anew() {
    let mut history = past(eventful);
    let at = |minute: u64| day(14, 12, minute);
    for minute in 0..11 {
        let known = minute != 5;
        // What is known of it in part is a lower bound.
        let level = if known { 12.0 } else { 0.0 };
        history.tick(&Tick { level, known, falling: Some(12.0), ..looks(at(minute)) });
        assert_eq!(history.is_back(at(minute), Duration::from_secs(600)), minute == 10, "{minute}");
    }
}

#[test]
fn a_peak_matters_above_the_minimum_and_beside_what_the_day_needed() {
    let measured = |evening: f64, min: u32| {
        let mut history = History::new();
        history.peaks.record(day(0, 12, 0), 100.0);
        history.peaks.record(day(0, 23, 0), evening);
        history.measure(min, day(0, 23, 0)).0[0]
    };
    assert_eq!(measured(10.0, 9), 10.0);
    assert_eq!(measured(10.0, 10), 0.0, "no more than the minimum");
    assert_eq!(measured(9.9, 2), 0.0, "a quiet hour");
    let mut small = History::new();
    small.peaks.record(day(0, 12, 0), 1.0);
    assert_eq!(small.measure(0, day(0, 12, 0)).0[0], 0.0, "one replica is the least there is");
}

#[test]
fn a_fall_is_told_from_the_shortest_span_that_matters() {
    let mut history = past(eventful);
    let now = day(14, 0, 0);
    history.tick(&looks(now));
    history.now = Spans([0.0, 20.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let usual = history.usual(now).unwrap();
    assert_eq!((usual.before, usual.limit), (20.0, 20.0 * usual.within_an_hour.unwrap()));
    for (recent, unusual) in [(usual.limit, false), (usual.limit - 0.01, true)] {
        history.recent = recent;
        assert_eq!(history.usual(now).unwrap().unusual, unusual, "{recent} of at least {}", usual.limit);
    }
}

const WEEKS: &str = "
0: 1425 min; 77.5 61.0 32.0 25.0 25.0 - 89.0 -; - - - - - - - -; 10.0 10.0 10.0 10.0 10.0 10.0 14.6 24.6 34.6 40.0 40.0 40.0 40.0 40.0 40.0 40.0 40.0 40.0 37.7 30.3 22.8 15.3 10.2 10.0; 0
1: 1440 min; 77.5 61.0 32.0 25.0 25.0 25.0 89.0 100.0; - - - - - - - -; 10.0 10.0 10.0 10.0 10.0 10.0 14.6 24.6 34.6 40.0 40.0 40.0 40.0 40.0 40.0 40.0 40.0 40.0 37.7 30.3 22.8 15.3 10.2 10.0; 0
2: 1335 min; 77.5 61.0 32.0 25.0 25.0 25.0 89.0 100.0; - - - - - - - -; 10.0 10.0 10.0 10.0 10.0 10.0 14.6 24.6 34.6 40.0 40.0 40.0 40.0 40.0 - - 40.0 40.0 37.7 30.3 22.8 15.3 10.2 10.0; 0
3: 1440 min; 77.5 61.0 32.0 25.0 25.0 25.0 89.0 100.0; 5.0 5.0 5.0 5.0 5.0 5.0 5.0 5.0; 10.0 10.0 10.0 10.0 10.0 10.0 14.6 24.6 34.6 40.0 40.0 8.3 40.0 40.0 40.0 40.0 40.0 40.0 37.7 30.3 22.8 15.3 10.2 10.0; 1800
4: 1440 min; 77.5 61.0 32.0 25.0 25.0 25.0 89.0 100.0; - - - - - - - -; 10.0 10.0 10.0 10.0 10.0 10.0 14.6 24.6 34.6 40.0 40.0 40.0 40.0 40.0 40.0 40.0 40.0 40.0 37.7 30.3 22.8 15.3 10.2 10.0; 0
5: 1440 min; 92.5 92.5 - - - - 97.0 61.0; 26.0 25.0 29.0 12.5 12.5 12.5 50.0 50.0; 5.8 5.0 5.0 5.0 5.0 5.0 7.3 12.3 17.3 20.0 20.0 20.0 20.0 20.0 20.0 20.0 20.0 20.0 18.8 15.2 11.4 7.7 5.1 5.0; 7f
6: 1440 min; 77.5 61.0 32.0 25.0 25.0 - 89.0 100.0; 26.0 25.0 - - - - 100.0 50.0; 5.0 5.0 5.0 5.0 5.0 5.0 7.3 12.3 17.3 20.0 20.0 20.0 20.0 20.0 20.0 20.0 20.0 20.0 18.8 15.2 11.4 7.7 5.1 5.0; 0
7: 1440 min; 77.5 61.0 32.0 25.0 25.0 25.0 89.0 100.0; - - - - - - - -; 10.0 10.0 10.0 10.0 10.0 10.0 14.6 24.6 34.6 40.0 40.0 40.0 40.0 40.0 40.0 40.0 40.0 40.0 37.7 30.3 22.8 15.3 10.2 10.0; 0
8: 1440 min; 77.5 61.0 32.0 25.0 25.0 25.0 89.0 100.0; - - - - - - - -; 10.0 10.0 10.0 10.0 10.0 10.0 14.6 24.6 34.6 40.0 40.0 40.0 40.0 40.0 40.0 40.0 40.0 40.0 37.7 30.3 22.8 15.3 10.2 10.0; 0
9: 1440 min; 100.0 100.0 57.5 25.0 25.0 25.0 100.0 52.5; 20.0 20.0 20.0 20.0 20.0 20.0 20.0 20.0; 10.0 10.0 10.0 10.0 10.0 10.0 14.6 24.6 34.6 40.0 40.0 40.0 13.3 8.0 8.0 8.0 8.0 8.0 8.0 8.0 8.0 8.0 8.0 8.0; 0
10: 1440 min; 77.5 61.0 32.0 25.0 25.0 25.0 89.0 80.0; - - - - - - - -; 8.0 8.0 8.0 8.0 8.0 8.0 14.6 24.6 34.6 40.0 40.0 40.0 40.0 40.0 40.0 40.0 40.0 40.0 37.7 30.3 22.8 15.3 10.2 10.0; 0
11: 1440 min; 77.5 61.0 32.0 25.0 25.0 25.0 89.0 100.0; - - - - - - - -; 10.0 10.0 10.0 10.0 10.0 10.0 14.6 24.6 34.6 40.0 40.0 40.0 40.0 40.0 40.0 40.0 40.0 40.0 37.7 30.3 22.8 15.3 10.2 10.0; 0
12: 1440 min; 79.5 63.5 35.0 25.0 25.0 25.0 50.0 100.0; 50.0 50.0 31.0 13.0 12.5 12.5 94.5 100.0; 5.8 5.0 5.0 5.0 5.0 5.0 7.3 12.3 17.3 20.0 20.0 20.0 20.0 20.0 20.0 20.0 20.0 20.0 18.8 15.2 11.4 7.7 5.1 5.0; 7f
13: 1440 min; 77.5 61.0 32.0 25.0 25.0 - 89.0 100.0; 73.0 57.5 31.0 25.0 25.0 - 100.0 100.0; 5.0 5.0 5.0 5.0 5.0 5.0 7.3 12.3 17.3 20.0 20.0 20.0 20.0 20.0 20.0 20.0 20.0 20.0 18.8 15.2 11.4 7.7 5.1 -; 0
14: 0 min; - - - - - - - -; - - - - - - - -; - - - - - - - - - - - - - - - - - - - - - - - -; 0
";

const TODAYS: &str = "
00:20 10.0 of 10.0, at least 3.50; usually 10.0, 0.175 in an hour, 14 days, blind 0
01:20 10.0 of 10.0, at least 3.50; usually 10.0, 0.175 in an hour, 14 days, blind 0
02:20 10.0 of 10.0, at least 3.50; usually 10.0, 0.175 in an hour, 14 days, blind 0
03:20 10.0 of 10.0, at least 3.50; usually 10.0, 0.175 in an hour, 14 days, blind 0
04:20 10.0 of 10.0, at least 3.50; usually 10.0, 0.175 in an hour, 14 days, blind 0
05:20 10.0 of 10.0, at least 3.50; usually 10.0, 0.175 in an hour, 14 days, blind 0
06:20 13.3 of 13.3, at least 4.67; usually 13.8, 0.175 in an hour, 14 days, blind 0
07:20 23.3 of 23.3, at least 8.17; usually 22.9, 0.175 in an hour, 14 days, blind 0
08:20 33.3 of 33.3, at least 11.67; usually 32.9, 0.175 in an hour, 14 days, blind 0
09:20 40.0 of 40.0, at least 14.00; usually 39.1, 0.175 in an hour, 14 days, blind 0
10:20 40.0 of 40.0, at least 14.00; usually 40.0, 0.175 in an hour, 14 days, blind 0
11:03 40.0 of 40.0, at least 14.00 unusual; usually 40.0, 0.175 in an hour, 14 days, blind 0 falls
11:20 5.0 of 40.0, at least 12.00 unusual; usually 40.0, 0.175 in an hour, 14 days, blind 0
12:10 40.0 of 40.0, at least 14.00; usually 40.0, 0.175 in an hour, 14 days, blind 0, back over
12:20 40.0 of 40.0, at least 14.00; usually 40.0, 0.175 in an hour, 14 days, blind 0
13:20 40.0 of 40.0, at least 14.00; usually 40.0, 0.175 in an hour, 14 days, blind 0
14:20 0.0 of 40.0, at least 14.00; usually 40.0, 0.175 in an hour, 14 days, blind 20
15:20 40.0 of 40.0, at least 14.00; usually 40.0, 0.175 in an hour, 14 days, blind 0
16:20 40.0 of 40.0, at least 14.00; usually 40.0, 0.175 in an hour, 14 days, blind 0
17:20 40.0 of 40.0, at least 14.00; usually 40.0, 0.175 in an hour, 14 days, blind 0
18:20 38.1 of 40.0, at least 13.56; usually 38.0, 0.175 in an hour, 14 days, blind 0
19:03 32.8 of 36.2, at least 11.68 unusual; usually 33.6, 0.175 in an hour, 14 days, blind 0 falls
19:20 4.0 of 36.2, at least 8.12 unusual; usually 31.5, 0.175 in an hour, 14 days, blind 0
20:20 4.0 of 36.2, at least 8.12 unusual; usually 24.1, 0.175 in an hour, 14 days, blind 0
21:20 4.0 of 36.2, at least 8.12 unusual; usually 16.6, 0.175 in an hour, 14 days, blind 0
22:03 4.0 of 0.0, at least 0.00; usually 12.5, 0.175 in an hour, 14 days, blind 0 through
22:20 4.0 of 4.0, at least 3.00; usually 11.0, 0.175 in an hour, 14 days, blind 0
23:20 4.0 of 4.0, at least 3.00; usually 10.0, 0.175 in an hour, 14 days, blind 0
14: 1368 min; 90.5 84.0 84.0 50.0 50.0 75.0 97.5 40.0; 11.5 10.0 10.0 - 12.5 10.0 12.0 12.5; 10.0 10.0 10.0 10.0 10.0 10.0 14.9 24.9 34.1 40.0 40.0 10.8 40.0 40.0 - 40.0 40.0 40.0 37.4 8.9 4.0 4.0 4.0 -; 1800
";
