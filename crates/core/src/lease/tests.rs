use super::*;

const D: u64 = 15_000;

/// The API server's side of one lease.
#[derive(Default)]
struct Store {
    record: Option<Record>,
    version: u64,
}

impl Store {
    fn answer(&mut self, ask: &Ask) -> Answer {
        let claim = match ask {
            Ask::Read => return Answer::Record(self.record.clone()),
            Ask::Write(claim) => claim,
        };
        if self.record.as_ref().map(|record| Arc::clone(&record.version)) != claim.against {
            return Answer::Conflict;
        }
        self.version += 1;
        let version: Arc<str> = self.version.to_string().into();
        self.record = Some(claim.accepted(Arc::clone(&version)));
        Answer::Written(version)
    }
}

fn ms(ms: u64) -> Uptime {
    Uptime(ms)
}

fn candidate(name: &str) -> Election {
    let mut election = Election::new(name.into(), Timing::default(), ms(0));
    election.stand();
    election
}

/// Carries out all that is due at `now`.
fn turn(election: &mut Election, store: &mut Store, now: u64) {
    while let Some(ask) = election.poll(ms(now)) {
        let answer = store.answer(&ask);
        election.answered(answer, ms(now));
    }
}

/// All that is due from one moment to another.
fn watch(election: &mut Election, store: &mut Store, from: u64, to: u64) {
    let mut now = from;
    while now < to {
        turn(election, store, now);
        now = election.next_wake().0.clamp(now + 1, to);
    }
    turn(election, store, to);
}

/// A leader since `D`, the first after nobody.
fn leader(store: &mut Store) -> Election {
    let mut a = candidate("a");
    watch(&mut a, store, 0, D);
    assert!(matches!(a.state(ms(D)), State::Leading { .. }), "{a:?}");
    a
}

fn term(election: &Election, now: u64) -> u64 {
    match election.state(ms(now)) {
        State::Leading { term, .. } => term,
        state => panic!("{state:?}"),
    }
}

#[test]
fn nobody_takes_what_is_not_there_before_it_was_seen_missing_for_long() {
    let mut store = Store::default();
    let mut a = candidate("a");
    watch(&mut a, &mut store, 0, D - 1);
    assert_eq!(a.state(ms(D - 1)), State::Standby);
    turn(&mut a, &mut store, D);
    assert_eq!(term(&a, D), 1);
}

#[test]
fn who_is_not_ready_takes_nothing() {
    let mut store = Store::default();
    let mut a = Election::new("a".into(), Timing::default(), ms(0));
    watch(&mut a, &mut store, 0, 10 * D);
    assert_eq!((a.state(ms(10 * D)), store.record.as_ref().unwrap().holder.clone()), (State::Standby, None));
    a.stand();
    turn(&mut a, &mut store, 10 * D);
    assert_eq!(term(&a, 10 * D), 1, "what it has watched meanwhile counts");
}

#[test]
fn a_leader_renews_and_leads_on() {
    let mut store = Store::default();
    let mut a = leader(&mut store);
    let renewal = u64::try_from(Timing::default().renewal().as_millis()).unwrap();
    for n in 1..20 {
        assert_eq!(a.next_wake(), ms(D + n * renewal));
        turn(&mut a, &mut store, D + n * renewal);
        assert_eq!(term(&a, D + n * renewal), 1);
    }
    assert_eq!(store.record.unwrap().renewals, 19);
}

#[test]
fn a_leader_that_can_t_renew_stops_before_anybody_begins() {
    let mut store = Store::default();
    let mut a = leader(&mut store);
    let mut b = candidate("b");
    turn(&mut b, &mut store, D);
    let mut now = D;
    while matches!(a.state(ms(now)), State::Leading { .. }) {
        now = a.next_wake().0.max(now);
        if a.poll(ms(now)).is_some() {
            a.answered(Answer::Failed, ms(now));
        }
    }
    assert_eq!(now, D + 8_400);
    assert_eq!(a.state(ms(now)), State::Ended(Why::Expired));
    assert_eq!(a.poll(ms(now)), None);
    turn(&mut b, &mut store, 2 * D - 1);
    assert_eq!(b.state(ms(2 * D - 1)), State::Standby);
    turn(&mut b, &mut store, 2 * D);
    assert_eq!(term(&b, 2 * D), 2);
}

#[test]
fn a_leader_that_slept_wakes_up_as_none() {
    let mut store = Store::default();
    let mut a = leader(&mut store);
    assert_eq!(a.state(ms(D + 60_000)), State::Ended(Why::Expired));
    // Not even with an answer that came while it slept.
    let ask = a.poll(ms(D + 2_500)).unwrap();
    a.answered(store.answer(&ask), ms(D + 60_000));
    assert_eq!(a.state(ms(D + 60_000)), State::Ended(Why::Expired), "it counts from when it was sent");
}

#[test]
fn given_back_it_is_taken_at_once() {
    let mut store = Store::default();
    let mut a = leader(&mut store);
    let mut b = candidate("b");
    turn(&mut b, &mut store, D);
    a.resign();
    assert_eq!(a.state(ms(D + 1)), State::Standby, "no write begins any more");
    turn(&mut a, &mut store, D + 1);
    assert_eq!(a.state(ms(D + 1)), State::Ended(Why::Resigned));
    b.hint(ms(D + 2));
    turn(&mut b, &mut store, D + 2);
    assert_eq!(term(&b, D + 2), 2);
    let mut never = candidate("c");
    never.resign();
    assert_eq!(never.state(ms(0)), State::Ended(Why::Resigned));
}

#[test]
fn a_release_that_fails_is_not_tried_again() {
    let mut a = leader(&mut Store::default());
    a.resign();
    assert!(matches!(a.poll(ms(D)), Some(Ask::Write(Claim { holder: None, .. }))));
    a.answered(Answer::Failed, ms(D + 10));
    assert_eq!(a.state(ms(D + 10)), State::Ended(Why::Resigned));
}

#[test]
fn a_renewal_that_landed_unheard_is_found_by_the_next() {
    let mut store = Store::default();
    let mut a = leader(&mut store);
    let ask = a.poll(ms(D + 2_500)).unwrap();
    assert!(matches!(store.answer(&ask), Answer::Written(_)));
    a.answered(Answer::Failed, ms(D + 5_000));
    turn(&mut a, &mut store, D + 5_500);
    assert_eq!(a.state(ms(D + 5_500)), State::Leading { term: 1, until: ms(D + 5_500 + 8_400) });
}

#[test]
fn a_claim_that_landed_unheard_is_not_trusted() {
    let mut store = Store::default();
    let mut a = candidate("a");
    watch(&mut a, &mut store, 0, D - 1);
    let ask = a.poll(ms(D)).unwrap();
    assert!(matches!(store.answer(&ask), Answer::Written(_)));
    a.answered(Answer::Failed, ms(D + 100));
    assert_eq!(a.state(ms(D + 100)), State::Standby);
    watch(&mut a, &mut store, D + 600, 2 * D + 599);
    assert_eq!(a.state(ms(2 * D + 599)), State::Standby);
    turn(&mut a, &mut store, 2 * D + 600);
    assert_eq!(term(&a, 2 * D + 600), 2);
}

#[test]
fn a_lease_that_was_deleted_is_made_again_by_its_leader() {
    let mut store = Store::default();
    let mut a = leader(&mut store);
    let mut b = candidate("b");
    turn(&mut b, &mut store, D);
    store.record = None;
    turn(&mut b, &mut store, D + 1_000);
    turn(&mut a, &mut store, D + 2_500);
    turn(&mut b, &mut store, D + 2_600);
    assert_eq!((term(&a, D + 2_500), b.state(ms(D + 2_600))), (1, State::Standby));
    // Deleted for good: the standby goes on counting from what it had seen.
    store.record = None;
    watch(&mut b, &mut store, D + 6_000, D + 6_000 + D);
    assert_eq!(term(&b, D + 6_000 + D), 2);
}

/// Found by the model checker: it was missing, there, and missing again while a standby slept.
#[test]
fn a_sleeper_does_not_take_what_was_there_while_it_slept() {
    let mut store = Store::default();
    let mut b = candidate("b");
    turn(&mut b, &mut store, 0);
    let a = leader(&mut store);
    store.record = None;
    turn(&mut b, &mut store, D + 100);
    assert_eq!((term(&a, D + 100), b.state(ms(D + 100))), (1, State::Standby));
    watch(&mut b, &mut store, D + 100, 2 * D + 100);
    assert_eq!(term(&b, 2 * D + 100), 1);
}

#[test]
fn a_lease_made_by_hand_under_a_leader_is_nobody_s_at_first() {
    let mut store = Store::default();
    let mut a = leader(&mut store);
    let mut b = candidate("b");
    turn(&mut b, &mut store, D);
    let blank = Record { holder: None, transitions: 0, renewals: 0, duration: Duration::ZERO, version: "x".into() };
    store.record = Some(blank);
    turn(&mut b, &mut store, D + 2_400);
    assert_eq!(b.state(ms(D + 2_400)), State::Standby);
    turn(&mut a, &mut store, D + 2_500);
    assert_eq!(term(&a, D + 2_500), 1, "it is still ours to write");
    turn(&mut b, &mut store, D + 5_000);
    assert_eq!(b.state(ms(D + 5_000)), State::Standby);
}

#[test]
fn a_past_that_came_back_ends_everybody() {
    let mut store = Store::default();
    let mut a = leader(&mut store);
    turn(&mut a, &mut store, D + 2_500);
    let backup = store.record.clone();
    turn(&mut a, &mut store, D + 5_000);
    let mut b = candidate("b");
    turn(&mut b, &mut store, D + 5_000);
    store.record = backup;
    turn(&mut b, &mut store, D + 7_500);
    assert_eq!(b.state(ms(D + 7_500)), State::Ended(Why::PastCameBack));
    turn(&mut a, &mut store, D + 7_500);
    assert_eq!(a.state(ms(D + 7_500)), State::Ended(Why::PastCameBack));
}

#[test]
fn an_edit_of_a_label_costs_one_read() {
    let mut store = Store::default();
    let mut a = leader(&mut store);
    store.record.as_mut().unwrap().version = "edited".into();
    turn(&mut a, &mut store, D + 2_500);
    assert_eq!(term(&a, D + 2_500), 1);
}

#[test]
fn somebody_else_s_name_in_it_ends_the_leader() {
    for (transitions, why) in [(0, Why::PastCameBack), (1, Why::Taken), (2, Why::Taken)] {
        let mut store = Store::default();
        let mut a = leader(&mut store);
        let record = store.record.as_mut().unwrap();
        (record.holder, record.version, record.transitions) = (Some("b".into()), "b".into(), transitions);
        turn(&mut a, &mut store, D + 2_500);
        assert_eq!(a.state(ms(D + 2_500)), State::Ended(why), "term {transitions}");
    }
}

#[test]
fn a_standby_waits_as_long_as_the_holder_asks_for() {
    let mut store = Store::default();
    let held =
        |duration| Record { holder: Some("old".into()), transitions: 7, renewals: 3, duration, version: "1".into() };
    store.record = Some(held(Duration::from_secs(60)));
    let mut a = candidate("a");
    turn(&mut a, &mut store, 0);
    turn(&mut a, &mut store, 59_999);
    assert_eq!(a.state(ms(59_999)), State::Standby);
    turn(&mut a, &mut store, 60_000);
    assert_eq!(term(&a, 60_000), 8);
    let mut store = Store { record: Some(held(Duration::MAX)), version: 9 };
    let mut b = candidate("b");
    turn(&mut b, &mut store, 0);
    turn(&mut b, &mut store, 300_000);
    assert_eq!(term(&b, 300_000), 8, "not for ever, whatever it says");
}

#[test]
fn answers_that_nobody_waits_for_say_nothing() {
    let mut a = candidate("a");
    let before = a.clone();
    for answer in [Answer::Record(None), Answer::Written("1".into()), Answer::Conflict, Answer::Failed] {
        a.answered(answer, ms(9));
        assert_eq!(a, before);
    }
    // Nor does one of the wrong kind.
    assert_eq!(a.poll(ms(9)), Some(Ask::Read));
    a.answered(Answer::Written("1".into()), ms(9));
    assert_eq!(a.state(ms(9)), State::Standby);
}

#[test]
fn the_end_of_time_is_no_panic() {
    let mut store = Store::default();
    let mut a = candidate("a");
    turn(&mut a, &mut store, u64::MAX - 1);
    turn(&mut a, &mut store, u64::MAX);
    assert_eq!(a.next_wake(), ms(u64::MAX));
}

#[test]
fn it_wakes_when_something_is_due_and_not_before() {
    let mut store = Store::default();
    let mut a = candidate("a");
    assert_eq!(a.next_wake(), ms(0), "first it looks");
    let ask = a.poll(ms(0)).unwrap();
    assert_eq!(a.next_wake(), ms(u64::MAX), "the answer wakes it");
    a.answered(store.answer(&ask), ms(0));
    assert_eq!(a.next_wake(), ms(0), "what is missing is made at once");
    assert!(a.poll(ms(10)).is_some());
    a.answered(Answer::Failed, ms(10));
    assert_eq!(a.next_wake(), ms(510), "after a pause it looks again: who knows what has landed");

    let renewed = |holder: Option<&str>| Record {
        holder: holder.map(Into::into),
        transitions: 7,
        renewals: 3,
        duration: Duration::from_millis(D),
        version: "1".into(),
    };
    let mut reads = |election: &mut Election, holder, now| {
        store.record = Some(renewed(holder));
        let ask = election.poll(ms(now)).unwrap();
        election.answered(store.answer(&ask), ms(now));
        election.next_wake()
    };
    assert_eq!(reads(&mut candidate("b"), Some("old"), 100), ms(2_600), "of a held one it reads on");
    assert_eq!(reads(&mut candidate("b"), None, 100), ms(100), "one that was given back is taken at once");
    let mut unready = Election::new("b".into(), Timing::default(), ms(0));
    assert_eq!(reads(&mut unready, None, 100), ms(2_600), "but not by one that is not ready");
    assert_eq!(unready.transitions(), 7);

    let mut leader = leader(&mut Store::default());
    assert_eq!((leader.next_wake(), leader.transitions()), (ms(D + 2_500), 1));
    assert!(leader.poll(ms(D + 2_500)).is_some());
    assert_eq!(leader.next_wake(), ms(D + 8_400), "without an answer it leads no longer than this");
    leader.answered(Answer::Failed, ms(D + 2_600));
    leader.resign();
    assert_eq!(leader.next_wake(), ms(0), "it is given back at once");
}
