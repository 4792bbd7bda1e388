use std::sync::Arc;

use floorkeeper_core::{Mode, Signal, TargetKey, Timestamp, UnusualFall, ZeroMeans};

use super::*;
use crate::backtest::Point;

fn policy() -> Policy {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let signal = Signal {
        name: "edge".into(),
        capacity: Some(100.0),
        max_age: minutes(2),
        zero: ZeroMeans::Evidence,
        drain_within: None,
    };
    let fall = UnusualFall {
        hold_for: minutes(60),
        keep_percent: 80,
        keep_for: minutes(480),
        until_learned_percent: 50,
        usual_days: UnusualFall::USUAL_DAYS,
    };
    Policy {
        target: TargetKey::new("shop", "deployments.apps", "web"),
        mode: Mode::Guard,
        min_replicas: None,
        max_replicas: None,
        signals: vec![signal],
        headroom_percent: 25,
        errors: None,
        unready_percent: 25,
        depends_on: Vec::new(),
        fall,
        hold_at_most: minutes(1_440),
        window: minutes(10),
        half_life: minutes(60),
        verify_for: minutes(2),
        resolution: Duration::from_secs(15),
        source: Arc::from("default"),
        created: Timestamp(0),
    }
}

/// Days of a sine between 200 and 1000 a second, as another shape makes of it.
fn days(days: u32, change: impl Fn(u32, f64) -> Option<f64>, replicas: Option<f64>) -> History {
    let points: Vec<Point> = (0..days * 1_440)
        .map(|minute| {
            let load = 600.0 - 400.0 * (f64::from(minute) / 1_440.0 * core::f64::consts::TAU).cos();
            Point { at: f64::from(minute) * 60.0, load: change(minute, load), replicas }
        })
        .collect();
    History::new(&points).unwrap()
}

fn fit(history: &History, capacity: Option<f64>) -> Vec<Fitted> {
    Fit { history, policy: &policy(), capacity, start_delay: 1.0 }.all()
}

fn value(fitted: &[Fitted], field: Field) -> Setting {
    fitted.iter().find(|fitted| fitted.field == field).unwrap().value
}

#[test]
fn a_smooth_load_needs_little_headroom_and_a_short_window() {
    let fitted = fit(&days(4, |_, load| Some(load), None), Some(100.0));
    assert_eq!(value(&fitted, Field::HeadroomPercent), Setting::Percent(10));
    assert_eq!(value(&fitted, Field::Window), Setting::Time(Duration::from_secs(300)));
    assert_eq!(value(&fitted, Field::Capacity), Setting::Load(100.0));
}

#[test]
fn what_doubles_in_minutes_needs_headroom_for_it() {
    // Each hour the load grows by half within a minute.
    let jumps = |minute: u32, load: f64| Some(if minute % 60 < 20 { load * 1.5 } else { load });
    let Setting::Percent(percent) = value(&fit(&days(4, jumps, None), Some(100.0)), Field::HeadroomPercent) else {
        panic!("headroom is a percentage")
    };
    assert!((45..=60).contains(&percent), "{percent}");
}

#[test]
fn a_dip_that_came_back_is_held_longer_than_it_took() {
    let dip = |minute: u32, load: f64| Some(if (2_160..2_250).contains(&minute) { load * 0.1 } else { load });
    let fitted = fit(&days(4, dip, None), Some(100.0));
    assert_eq!(value(&fitted, Field::HoldFor), Setting::Time(Duration::from_secs(110 * 60)));
    let evidence = &fitted.iter().find(|fitted| fitted.field == Field::HoldFor).unwrap().evidence;
    assert!(evidence.contains("one fall") && evidence.contains("90 min"), "{evidence}");
}

#[test]
fn a_gap_is_no_fall() {
    let gap = |minute: u32, load: f64| (!(2_160..2_250).contains(&minute)).then_some(load);
    let (with, without) = (days(4, gap, None), days(4, |_, load| Some(load), None));
    for field in [Field::HoldFor, Field::UntilLearnedPercent, Field::HalfLife] {
        assert_eq!(value(&fit(&with, Some(100.0)), field), value(&fit(&without, Some(100.0)), field), "{field:?}");
    }
}

#[test]
fn a_capacity_is_estimated_from_what_ran_and_never_raised() {
    let history = days(3, |_, load| Some(load), Some(8.0));
    let Setting::Load(estimate) = value(&fit(&history, None), Field::Capacity) else { panic!("a load") };
    assert!((80.0..=125.0).contains(&estimate), "{estimate}");
    let kept = fit(&history, Some(50.0));
    assert_eq!(value(&kept, Field::Capacity), Setting::Load(50.0));
    assert!(kept[0].evidence.contains("load test"));
    assert_eq!(fit(&days(3, |_, load| Some(load), None), None), []);
}

#[test]
fn what_two_days_showed_is_no_custom() {
    let deep = |days: u32| {
        move |minute: u32, load: f64| {
            Some(if minute / 1_440 < days && (700..720).contains(&(minute % 1_440)) { load * 0.4 } else { load })
        }
    };
    let until = |count| value(&fit(&days(8, deep(count), None), Some(100.0)), Field::UntilLearnedPercent);
    assert_eq!(until(0), until(2));
    assert_eq!(until(0), Setting::Percent(70));
    assert_eq!(until(3), Setting::Percent(35));
}

#[test]
fn little_evidence_never_lowers_the_headroom() {
    let coarse: Vec<Point> = (0..240_u32)
        .map(|hour| Point { at: f64::from(hour) * 3_600.0, load: Some(500.0 + f64::from(hour % 24)), replicas: None })
        .collect();
    let fitted = fit(&History::new(&coarse).unwrap(), Some(100.0));
    assert_eq!(value(&fitted, Field::HeadroomPercent), Setting::Percent(25));
    assert_eq!(value(&fitted, Field::HoldFor), Setting::Time(Duration::from_secs(3_600)));
}

#[test]
fn an_hour_says_nothing_of_nights() {
    let points: Vec<Point> =
        (0..60_u32).map(|minute| Point { at: f64::from(minute) * 60.0, load: Some(500.0), replicas: None }).collect();
    let history = History::new(&points).unwrap();
    for fitted in fit(&history, Some(100.0)) {
        assert!(
            matches!(fitted.field, Field::HeadroomPercent | Field::Window) || fitted.before == Some(fitted.value),
            "{fitted:?}"
        );
    }
}
