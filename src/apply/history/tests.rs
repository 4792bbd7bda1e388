use proptest::prelude::*;

use super::*;

/// 2024-03-05, 12:00.
const NOON: Timestamp = Timestamp(1_709_640_000_000);
const TODAY: u32 = 19_787;

fn day(number: u32) -> LearnedDay {
    let mut hours = [Some(12.5); 24];
    (hours[3], hours[4], hours[5]) = (None, Some(0.0), Some(1234.5678));
    LearnedDay {
        day: number,
        minutes: 1440,
        lows: [Some(0.625), Some(0.335), None, Some(0.0), Some(1.0), Some(0.5), Some(0.7), Some(0.9)],
        suspects: [None; 8],
        hours,
        doubtful: 0,
    }
}

fn spec_of(days: Vec<LearnedDay>) -> DemandHistorySpec {
    let learned = Learned { reckoned_by: vec![96.0], days };
    history_spec(&learned, &["edge"], Some(0.551), None, NOON)
}

#[test]
fn it_is_read_by_people() {
    let mut unusual = day(TODAY);
    unusual.suspects[1] = Some(0.02);
    unusual.doubtful = 1 << 2 | 1 << 3;
    let spec = spec_of(vec![day(TODAY - 1), unusual]);
    assert_eq!(spec.spans, "30m 1h 3h 6h 12h 24h 10m otherDays");
    assert_eq!(spec.known, Known { days: 1, within_hour_percent: Some(55) });
    assert_eq!(spec.reckoned_by, [Reckoning { signal: "edge".into(), carries: "96".into() }]);
    let [before, last] = &spec.days[..] else { panic!("{spec:?}") };
    assert_eq!((before.date.as_str(), before.minutes), ("2024-03-04", 1440));
    assert_eq!(before.lows, "62.5 33.5 - 0 100 50 70 90");
    assert_eq!(before.suspects, None);
    assert!(before.hours.starts_with("12.5 12.5 12.5 - 0 1235 12.5 "), "{}", before.hours);
    assert_eq!(last.suspects.as_deref(), Some("- 2 - - - - - -"));
    assert!(last.hours.starts_with("12.5 12.5 12.5? -? 0 "), "{}", last.hours);
}

proptest! {
    #[test]
    fn what_is_stored_is_read_and_stored_again_as_it_was(
        seed in prop::collection::vec((0_u32..=200, prop::option::of(0.0_f64..1e5)), 24),
        doubtful in 0_u32..1 << 24,
        carries in 1e-9_f64..1e12,
    ) {
        let mut hours = [None; 24];
        let mut lows = [None; 8];
        for (place, (share, need)) in seed.iter().enumerate() {
            hours[place] = *need;
            if let Some(low) = lows.get_mut(place) {
                *low = (share % 7 != 0).then_some(f64::from(*share as f32 / 200.0));
            }
        }
        let learned_day = LearnedDay { hours, lows, suspects: lows, doubtful, ..day(TODAY) };
        let learned_once = Learned { reckoned_by: vec![carries], days: vec![learned_day] };
        let spec = history_spec(&learned_once, &["edge"], None, Some(Timestamp(0)), NOON);
        let (signals, read) = learned(&spec, NOON).unwrap();
        prop_assert_eq!(signals, ["edge"]);
        prop_assert!((read.reckoned_by[0] / carries - 1.0).abs() < 1e-7);
        prop_assert_eq!(read.days[0].doubtful, doubtful);
        for (own, other) in read.days[0].lows.iter().zip(&lows) {
            let (Some(own), Some(other)) = (own, other) else { prop_assert_eq!(own, other); continue };
            prop_assert!(*own >= other - 1e-6 && *own <= other + 2e-4, "{} as {}", other, own);
        }
        for (own, other) in read.days[0].hours.iter().zip(&hours) {
            let (Some(own), Some(other)) = (own, other) else { prop_assert_eq!(own, other); continue };
            prop_assert!((own - other).abs() <= other * 5.1e-4 + 1e-6, "{} as {}", other, own);
        }
        let again = history_spec(&read, &["edge"], None, Some(Timestamp(0)), NOON);
        prop_assert_eq!(again, spec);
    }

    #[test]
    fn whatever_stands_there_is_read_or_refused(
        text in "[-0-9?. eInfNa]{0,40}", date in "[-0-9]{0,12}", until in any::<u64>(), spans in "[0-9mh ]{0,20}",
    ) {
        let mut spec = spec_of(vec![day(TODAY)]);
        spec.until = Moment(Timestamp(until));
        spec.spans = spans;
        for field in 0..5 {
            let mut damaged = spec.clone();
            match field {
                0 => damaged.days[0].lows = text.clone(),
                1 => damaged.days[0].suspects = Some(text.clone()),
                2 => damaged.days[0].hours = text.clone(),
                3 => damaged.days[0].date = date.clone(),
                _ => damaged.reckoned_by[0].carries = text.clone(),
            }
            let _ = learned(&damaged, NOON);
        }
    }
}

#[test]
fn damage_is_named() {
    let refused = |change: &dyn Fn(&mut DemandHistorySpec)| {
        let mut spec = spec_of(vec![day(TODAY)]);
        change(&mut spec);
        learned(&spec, NOON).unwrap_err().to_string()
    };
    assert_eq!(refused(&|spec| spec.until = Moment(NOON.plus(CLOCKS_APART * 2))), "spec.until lies in the future");
    assert_eq!(
        refused(&|spec| spec.days[0].date = "2024-03-06".into()),
        "spec.days: \"2024-03-06\" is no day before spec.until"
    );
    assert_eq!(
        refused(&|spec| spec.reckoned_by[0].carries = "-3".into()),
        "spec.reckonedBy: \"-3\" is no load above zero"
    );
    assert_eq!(
        refused(&|spec| spec.days[0].hours = "1 2 3".into()),
        "spec.days of 2024-03-05: hours has 3 places where 24 are expected"
    );
    assert_eq!(
        refused(&|spec| spec.days[0].lows = "1 2 3 4 NaN 6 7 8".into()),
        "spec.days of 2024-03-05: lows has \"NaN\" where a number is expected"
    );
    assert_eq!(
        refused(&|spec| spec.days[0].lows = "1 2 3 4 101 6 7 8".into()),
        "spec.days of 2024-03-05: lows has \"101\" where a number is expected"
    );
}

#[test]
fn spans_of_another_version_are_matched_by_name() {
    let mut spec = spec_of(vec![day(TODAY)]);
    spec.spans = "2h 1h".to_owned();
    spec.days[0].lows = "10 20".to_owned();
    let (_, read) = learned(&spec, NOON).unwrap();
    assert_eq!(read.days[0].lows, [None, Some(0.2), None, None, None, None, None, None]);
}

#[test]
fn only_the_policy_s_own_history_is_its_history() {
    let mut policy = ScalingPolicy::new(
        "web",
        serde_json::from_value(serde_json::json!({"targetRef": {"kind": "Deployment", "name": "web"}})).unwrap(),
    );
    policy.metadata.uid = Some("u1".to_owned());
    let mut history = DemandHistory::new("web", spec_of(Vec::new()));
    assert_eq!(history_owner(&history.metadata), None);
    history.metadata.owner_references = Some(vec![owned_by(&policy)]);
    assert_eq!(history_owner(&history.metadata), Some("u1"));
}
