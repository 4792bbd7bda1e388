use floorkeeper_core::{LearnedDay, Mode, Signal, TargetKey, UnusualFall, ZeroMeans};
use serde_json::json;

use super::*;
use crate::apply::history_spec;

/// 2024-03-05, 12:00.
const NOON: Timestamp = Timestamp(1_709_640_000_000);
const TODAY: u32 = 19_787;

fn key() -> PolicyKey {
    PolicyKey::new("shop", "web")
}

fn object(uid: &str) -> Arc<ScalingPolicy> {
    let object = json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "ScalingPolicy",
        "metadata": {"name": "web", "namespace": "shop", "uid": uid},
        "spec": {"targetRef": {"kind": "Deployment", "name": "web"}}});
    Arc::new(serde_json::from_value(object).unwrap())
}

fn spec(capacity: Option<f64>) -> Arc<Policy> {
    let hour = Duration::from_secs(3600);
    let signal = Signal {
        name: "edge".into(),
        capacity,
        max_age: Duration::from_secs(120),
        zero: ZeroMeans::Evidence,
        drain_within: None,
    };
    Arc::new(Policy {
        target: TargetKey::new("shop", "deployments.apps", "web"),
        mode: Mode::Guard,
        min_replicas: None,
        max_replicas: None,
        signals: vec![signal],
        headroom_percent: 25,
        errors: None,
        unready_percent: 25,
        depends_on: Vec::new(),
        fall: UnusualFall {
            hold_for: hour,
            keep_percent: 80,
            keep_for: hour * 8,
            until_learned_percent: 50,
            usual_days: UnusualFall::USUAL_DAYS,
        },
        hold_at_most: hour * 24,
        window: Duration::from_secs(600),
        half_life: hour,
        verify_for: Duration::from_secs(120),
        resolution: Duration::from_secs(15),
        source: "default".into(),
        created: Timestamp(0),
    })
}

fn stored(uid: &str, from: Option<Timestamp>, until: Timestamp) -> Stored {
    let day = LearnedDay {
        day: TODAY - 1,
        minutes: 1440,
        lows: [Some(0.5); LearnedDay::SPANS.len()],
        suspects: [None; LearnedDay::SPANS.len()],
        hours: [Some(3.0); 24],
        doubtful: 0,
    };
    let learned = Learned { reckoned_by: vec![96.0], days: vec![day] };
    let mut history = DemandHistory::new("web", history_spec(&learned, &["edge"], None, from, until));
    let owner = json!([{"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "ScalingPolicy", "name": "web", "uid": uid,
        "controller": true}]);
    history.metadata.owner_references = Some(serde_json::from_value(owner).unwrap());
    history.metadata.resource_version = Some("7".to_owned());
    Stored::readable(history)
}

fn book(stored: Option<Stored>) -> Book {
    let mut book = Book { stored, ..Book::default() };
    book.is(object("u1"), NOON);
    assert!(!book.decided(&spec(Some(120.0))));
    book
}

fn ago(hours: u64) -> Timestamp {
    NOON.minus(HOUR * u32::try_from(hours).unwrap())
}

#[test]
fn it_begins_once_with_two_weeks_where_nothing_is_stored() {
    let mut book = book(None);
    let beginning = book.begin(&key(), false, NOON).unwrap();
    assert_eq!(beginning, Beginning { learned: None, look_back: Some(NOON.minus(TWO_WEEKS)) });
    assert_eq!(book.begin(&key(), false, NOON), None);
    assert_eq!(book.over(), Ok(None));
    let at = soon(&key(), 1, NOON);
    assert!(at >= NOON.plus(SETTLED) && at <= NOON.plus(SETTLED + EACH));
    book.looked_back(NOON.minus(TWO_WEEKS), at);
    assert_eq!((book.due, book.from), (Some(at), Some(NOON.minus(TWO_WEEKS))), "stored soon, the first time");
}

#[test]
fn only_what_is_missing_since_the_last_write_is_asked_for() {
    let from = ago(24 * 10);
    let mut book = book(Some(stored("u1", Some(from), ago(5))));
    let beginning = book.begin(&key(), false, NOON).unwrap();
    assert_eq!(beginning.learned.unwrap().days.len(), 1);
    // The day before the write, for its peaks, with the memory of the window and an hour on top.
    assert_eq!(beginning.look_back, Some(ago(5 + 24 + 1 + 1)));
    let daily = book.due;
    book.looked_back(ago(31), NOON);
    assert_eq!((book.from, book.due), (Some(from), daily), "no early write");
    assert_eq!(book.over(), Ok(Some("7")));
    assert_eq!(book.learning(), Learning { past: BackFill::Known, note: None });
}

#[test]
fn without_a_told_past_the_source_is_asked_for_all_of_it() {
    let mut book = book(Some(stored("u1", None, ago(1))));
    let beginning = book.begin(&key(), false, NOON).unwrap();
    assert_eq!(beginning.look_back, Some(NOON.minus(TWO_WEEKS)));
    assert!(beginning.learned.is_some());
}

#[test]
fn what_is_not_ours_or_damaged_is_not_read() {
    let mut foreign = book(Some(stored("u0", Some(ago(300)), ago(1))));
    assert_eq!(foreign.begin(&key(), false, NOON).unwrap().learned, None);
    assert_eq!(foreign.over(), Err(()));
    assert!(foreign.learning().note.unwrap().contains("delete it"));

    let future = NOON.plus(DAY);
    let mut damaged = book(Some(stored("u1", Some(ago(300)), future)));
    let beginning = damaged.begin(&key(), false, NOON).unwrap();
    assert_eq!((beginning.learned, beginning.look_back), (None, Some(NOON.minus(TWO_WEEKS))));
    assert_eq!(damaged.over(), Ok(Some("7")), "it is ours to write anew");
    assert!(damaged.learning().note.unwrap().contains("lies in the future"));
    damaged.written(&key(), Some("8".to_owned()), NOON);
    assert_eq!(damaged.learning().note, None);
}

#[test]
fn an_edit_that_makes_other_needs_asks_anew() {
    let mut book = book(Some(stored("u1", Some(ago(300)), ago(1))));
    book.begin(&key(), false, NOON).unwrap();
    assert!(!book.decided(&spec(Some(120.0))));
    assert!(book.decided(&spec(Some(60.0))));
    let beginning = book.begin(&key(), true, NOON).unwrap();
    assert_eq!(beginning, Beginning { learned: None, look_back: Some(NOON.minus(TWO_WEEKS)) });
    assert!(book.decided(&spec(None)));
    assert_eq!(book.begin(&key(), true, NOON).unwrap().look_back, None);
    assert_eq!(book.past, BackFill::NoCapacity);
}

#[test]
fn it_is_written_once_a_day_at_a_moment_of_its_own() {
    let mut book = book(None);
    book.begin(&key(), false, NOON).unwrap();
    let first = book.due.unwrap();
    assert!(first > NOON && first <= NOON.plus(DAY));
    book.written(&key(), Some("8".to_owned()), first);
    assert_eq!(book.due, Some(first.plus(DAY)));
    // Soon after it was known for the first time the moment of its own may be near: the next day will do.
    book.written(&key(), Some("9".to_owned()), first.minus(HOUR));
    assert_eq!(book.due, Some(first.plus(DAY)));
    let phases: std::collections::HashSet<_> =
        (0..100).map(|n| daily(&PolicyKey::new("shop", &format!("p{n}")), NOON).0 / 3_600_000).collect();
    assert!(phases.len() > 15, "spread over the day: {phases:?}");
    book.written(&key(), None, NOON);
    assert_eq!(book.due, Some(NOON.plus(FIRST_PAUSE)));
    book.written(&key(), None, NOON);
    assert_eq!(book.due, Some(NOON.plus(FIRST_PAUSE * 2)), "what fails is tried ever more rarely");
}

#[test]
fn a_policy_created_anew_gets_a_history_of_its_own() {
    let mut book = book(Some(stored("u1", Some(ago(300)), ago(1))));
    book.begin(&key(), false, NOON).unwrap();
    book.is(object("u2"), NOON.plus(HOUR));
    assert_eq!((book.due, book.over()), (Some(NOON.plus(HOUR)), Err(())), "the old one is being collected");
    book.stored = None;
    assert_eq!(book.over(), Ok(None));
}
