use super::*;

#[test]
fn shares_and_needs_survive_their_storage() {
    for share in [0.0, 0.001, 0.33, 0.5, 0.999, 1.0] {
        let stored = f64::from(Share::of(share).get().unwrap());
        assert!(stored >= share - 1e-5 && stored <= share + 0.0051, "{share} as {stored}");
        assert_eq!(Share::of(stored), Share::of(share));
    }
    for need in [0.0, 0.5, 1.0, 17.3, 1e4, 1e7] {
        let stored = Need::of(need).get().unwrap();
        assert!((stored - need).abs() <= need * 0.001, "{need} as {stored}");
        assert_eq!(Need::of(stored), Need::of(need));
    }
    assert_eq!(Need::NONE.get(), None);
}

fn at(day: u64, hour: u64) -> Timestamp {
    Timestamp((20_000 + day) * DAY_MS + hour * 3_600_000)
}

fn taught(lows: &[f64], suspects: &[(usize, f64)]) -> Days {
    let mut days = Days::default();
    for (n, &low) in lows.iter().enumerate() {
        days.roll(at(n as u64, 0));
        days.teach(&Spans([Some(low); SPANS]), false);
        for (_, low) in suspects.iter().filter(|(day, _)| *day == n) {
            days.teach(&Spans([Some(*low); SPANS]), true);
        }
        days.passed(Duration::from_secs(86_400));
    }
    days.roll(at(lows.len() as u64, 0));
    days
}

#[test]
fn the_third_worst_day_is_what_is_usual() {
    let usual = |lows: &[f64]| taught(lows, &[]).usual(0).unwrap();
    assert!((usual(&[0.8, 0.1, 0.9, 0.7, 0.2, 0.6, 1.0]) - 0.42).abs() < 0.01);
    assert!((usual(&[0.8, 0.1, 0.9, 0.1, 0.1, 0.6, 1.0]) - 0.07).abs() < 0.01);
    assert!((usual(&[0.8, 0.1, 0.5, 0.9]) - 0.35).abs() < 0.01, "in the first week the second worst");
    let two_weeks_ago = [&[0.1; 3][..], &[0.5; 14]].concat();
    assert!((usual(&two_weeks_ago) - 0.35).abs() < 0.01, "what is older than two weeks is forgotten");
}

#[test]
fn how_many_days_make_it_usual_is_the_quantile() {
    let usual = |repeated: usize| {
        let mut days = taught(&[0.8, 0.1, 0.9, 0.7, 0.2, 0.6, 1.0], &[(0, 0.0), (1, 0.0)]);
        days.repeated = repeated;
        days.conclude();
        days.usual(0)
    };
    let shares = [1, 2, 3, 4, 7].map(|repeated| usual(repeated).map(|share| (share * 100.0).round()));
    assert_eq!(shares, [Some(0.0), Some(0.0), Some(42.0), Some(49.0), Some(70.0)], "with one or two both bad days are");
    assert_eq!(usual(8), None, "more days than there are");
}

#[test]
fn what_was_unusual_twice_stays_unusual() {
    let lows = [0.6; 10];
    let usual = |suspects: &[(usize, f64)]| taught(&lows, suspects).usual(3).unwrap();
    assert!((usual(&[(1, 0.0), (2, 0.0)]) - 0.42).abs() < 0.01);
    assert!((usual(&[(1, 0.0), (2, 0.1), (9, 0.2)]) - 0.14).abs() < 0.01);
}

#[test]
fn an_hour_is_what_its_week_days_needed_and_one_bad_day_is_outvoted() {
    let mut days = Days::default();
    for day in 0..14 {
        days.roll(at(day, 0));
        for hour in 0..24 {
            let need = if day == 7 {
                1.0
            } else if day % 7 < 5 {
                40.0
            } else {
                10.0
            };
            days.hour(at(day, hour).0 / 3_600_000, need, day == 9);
        }
    }
    days.roll(at(14, 0));
    let mut need = |day: u64| {
        days.look(at(day, 12));
        days.need().unwrap()
    };
    assert!((need(14) - 40.0).abs() < 0.1, "the bad day was a week ago");
    assert!((need(19) - 10.0).abs() < 0.1, "a week-end");
    assert!((need(16) - 40.0).abs() < 0.1, "the doubtful day was a week ago");
}

#[test]
fn between_two_hours_the_need_is_on_its_way() {
    let mut days = Days::default();
    for day in 0..14 {
        days.roll(at(day, 0));
        for hour in 0..24 {
            days.hour(at(day, hour).0 / 3_600_000, (hour * 10) as f64, false);
        }
    }
    days.roll(at(14, 0));
    for (minutes, expected) in [(0, 95.0), (15, 97.5), (30, 100.0), (45, 102.5), (59, 104.8)] {
        days.look(at(14, 10).plus(Duration::from_secs(minutes * 60)));
        assert!((days.need().unwrap() - expected).abs() < 0.2, "{minutes}: {:?}", days.need());
    }
}

/// Two weeks of 20 in every hour, edited, as they are seen at noon of the day after.
fn two_weeks(edit: impl Fn(u64, u64) -> (f64, bool)) -> Days {
    let mut days = Days::default();
    for day in 0..14 {
        days.roll(at(day, 0));
        for hour in 0..24 {
            let (need, doubtful) = edit(day, hour);
            days.hour(at(day, hour).0 / HOUR_MS, need, doubtful);
        }
        days.passed(Duration::from_secs(86_400));
    }
    days.roll(at(14, 0));
    days.look(at(14, 12).plus(Duration::from_secs(1800)));
    days
}

fn near(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() < expected * 0.002 + 1e-9)
}

#[test]
fn an_hour_that_is_doubtful_on_most_days_is_what_it_usually_needs() {
    // On all days but so many the hour at noon was in doubt, and less was needed.
    let need = |clean: u64| {
        two_weeks(move |day, hour| if hour == 12 && !(1..=clean).contains(&day) { (5.0, true) } else { (20.0, false) })
    };
    assert!(near(need(0).need(), 5.0), "{:?}", need(0).need());
    assert!(near(need(2).need(), 5.0), "{:?}", need(2).need());
    assert!(near(need(3).need(), 20.0), "three days say it without doubt");
    let seldom = two_weeks(|day, hour| if hour == 12 && day >= 12 { (5.0, true) } else { (20.0, false) });
    assert!(near(seldom.need(), 20.0));
}

#[test]
fn an_hour_without_doubt_counts_once_beside_those_in_doubt() {
    let mut days = Days::default();
    for day in 0..5 {
        days.roll(at(day, 0));
        days.hour(at(day, 12).0 / HOUR_MS, if day < 3 { 5.0 } else { 20.0 }, day < 3);
    }
    days.roll(at(5, 0));
    days.look(at(5, 12).plus(Duration::from_secs(1800)));
    assert!(near(days.need(), 5.0), "three of five: {:?}", days.need());
}

#[test]
fn an_hour_is_compared_with_the_two_weeks_before_its_own_day() {
    // Ten or thirty, so that one day more makes another of what most days needed.
    let tens = |tens: u64| two_weeks(move |day, _| (if (1..=tens).contains(&day) { 10.0 } else { 30.0 }, false));
    // The hour of today that has passed is today's.
    let mut today = tens(7);
    assert!(near(today.need(), 30.0));
    today.hour(at(14, 11).0 / HOUR_MS, 1.0, false);
    today.look(at(14, 12));
    assert!(near(today.need(), 30.0), "{:?}", today.need());
    // Just before midnight tomorrow's first hour is looked up: two weeks before it are a day later.
    let mut tomorrow = tens(7);
    tomorrow.look(at(14, 23).plus(Duration::from_secs(3599)));
    let need = tomorrow.need().unwrap();
    assert!((need - 20.0).abs() < 0.1, "on its way from 30 to 10: {need}");
}

#[test]
fn a_change_that_lasts_is_no_doubt_any_more() {
    // Since the fifth day's noon all hours are in doubt; so is one long before.
    let since = |day: u64, hour: u64| day > 5 || day == 5 && hour >= 12;
    let mut days = two_weeks(|day, hour| (20.0, since(day, hour) || (day, hour) == (2, 3)));
    let doubtful = |days: &Days| days.ring.iter().map(|day| day.doubtful.count_ones()).sum::<u32>();
    assert_eq!(doubtful(&days), 1 + 12 + 8 * 24);
    days.settle(at(14, 0));
    assert_eq!(doubtful(&days), 1, "what was over before is as it was");
    assert_eq!(days.ring[(20_002 % KEPT as u64) as usize].doubtful, 1 << 3);
}

#[test]
fn the_least_is_of_the_hours_around_and_of_the_same_ones_a_week_ago() {
    let steady = two_weeks(|_, hour| (if hour == 13 { 12.0 } else { 20.0 }, false));
    assert!(near(steady.least(), 12.0), "an edge may come an hour early: {:?}", steady.least());
    let late = two_weeks(|_, hour| (if hour == 11 { 12.0 } else { 20.0 }, false));
    assert!(near(late.least(), 12.0), "or late");
    let far = two_weeks(|_, hour| (if hour == 10 || hour == 14 { 12.0 } else { 20.0 }, false));
    assert!(near(far.least(), 20.0));
    let holiday = two_weeks(|day, _| (if day == 7 { 6.0 } else { 20.0 }, false));
    assert!(near(holiday.least(), 6.0), "a week ago it was less: {:?}", holiday.least());
    let doubted = two_weeks(|day, _| if day == 7 { (6.0, true) } else { (20.0, false) });
    assert!(near(doubted.least(), 20.0), "two weeks ago, where last week is in doubt");
    let before = two_weeks(|day, _| {
        if day == 7 {
            (20.0, true)
        } else if day == 0 {
            (6.0, false)
        } else {
            (20.0, false)
        }
    });
    assert!(near(before.least(), 6.0));
    let neither = two_weeks(|day, _| (20.0, day % 7 == 0));
    assert_eq!(neither.least(), None, "weeks are known, this hour of them is not");
    assert!(near(neither.need(), 20.0));
}

#[test]
fn what_other_days_needed_is_compared_at_the_level_of_the_last_day() {
    // It is half past noon: of the last day the twelve hours from noon on are known.
    let last =
        |edit: fn(u64) -> (f64, bool)| two_weeks(move |day, hour| if day == 13 { edit(hour) } else { (20.0, false) });
    let lower = last(|_| (14.0, false));
    assert!(near(Some(lower.level()), 0.7) && near(lower.least(), 14.0), "{}, {:?}", lower.level(), lower.least());
    assert!(near(lower.need(), 20.0), "one day sets nothing");
    assert!(near(Some(last(|_| (2.0, false)).level()), 0.5), "no day takes more than half");
    assert!(near(Some(last(|_| (30.0, false)).level()), 1.0), "nor does it add anything");
    let some = [
        last(|hour| (if hour < 21 { 14.0 } else { 20.0 }, false)),
        last(|hour| (if hour < 22 { 14.0 } else { 20.0 }, false)),
    ];
    assert!(near(Some(some[0].level()), 1.0) && near(Some(some[1].level()), 0.7), "three quarters of the hours say it");
    assert!(near(Some(last(|hour| (14.0, hour == 20)).level()), 1.0), "eleven hours without doubt are too few");
    // A week ago it was as little.
    assert!(near(Some(two_weeks(|day, _| (if day % 7 == 6 { 10.0 } else { 20.0 }, false)).level()), 1.0));
}

#[test]
fn a_week_ago_counts_as_much_as_all_days_together() {
    let only = |ago: u64, need: f64| {
        two_weeks(move |day, _| match day {
            0 | 7 if day != 14 - ago => (99.0, true),
            0 | 7 => (need, false),
            _ => (20.0, false),
        })
    };
    for ago in [7, 14] {
        assert!(near(only(ago, 30.0).need(), 30.0), "the larger of the one week that is known, and of any day");
        assert!(near(only(ago, 10.0).need(), 20.0));
    }
    // Where both are known, the middle one of three.
    let both = |last: f64, before: f64| {
        two_weeks(move |day, _| match day {
            7 => (last, false),
            0 => (before, false),
            _ => (20.0, false),
        })
    };
    assert!(near(both(30.0, 40.0).need(), 30.0));
    assert!(near(both(40.0, 30.0).need(), 30.0));
    assert!(near(both(5.0, 40.0).need(), 20.0));
}

#[test]
fn half_of_a_day_must_be_known_and_three_days_are_enough() {
    let known = |days: u64, minutes: u64| {
        let mut found = Days::default();
        for day in 0..days {
            found.roll(at(day, 0));
            found.passed(Duration::from_secs(minutes * 60));
        }
        found.roll(at(days, 0));
        (found.count(), found.enough())
    };
    assert_eq!(known(2, 1440), (2, false));
    assert_eq!(known(3, 720), (3, true));
    assert_eq!(known(3, 719), (0, false));
    assert_eq!(known(14, 1440), (14, true));
    assert_eq!(known(20, 1440), (14, true), "two weeks are kept");
    let mut away = Days::default();
    for day in [0, 1, 2, 20] {
        away.roll(at(day, 0));
        away.passed(Duration::from_secs(86_400));
    }
    assert_eq!(away.count(), 0, "what nobody looked at for two weeks is old");
    away.conclude();
    assert_eq!(away.count(), 0, "today is not over");
    let mut long = Days::default();
    long.roll(at(0, 0));
    long.passed(Duration::from_secs(86_400 * 3));
    assert!(long.ring.iter().all(|day| day.minutes <= 1440.0), "a day has no more minutes");
}

#[test]
fn an_hour_of_a_day_that_has_passed_is_written_where_it_belongs() {
    let mut days = Days::default();
    days.roll(at(0, 0));
    days.roll(at(1, 0));
    days.hour(at(0, 23).0 / HOUR_MS, 7.0, true);
    days.hour(at(0, 23).0 / HOUR_MS + 24 * KEPT as u64, 9.0, false);
    let yesterday = days.ring[20_000 % KEPT];
    assert!(near(yesterday.hours[23].get(), 7.0) && yesterday.doubtful == 1 << 23);
    days.hour(at(0, 23).0 / HOUR_MS, 8.0, false);
    let yesterday = days.ring[20_000 % KEPT];
    assert!(near(yesterday.hours[23].get(), 8.0) && yesterday.doubtful == 0);
    days.rescale(0.5);
    assert!(near(days.ring[20_000 % KEPT].hours[23].get(), 4.0));
}
