use core::slice::from_ref;

use super::*;
use crate::decision::InForce;
use crate::policy::tests::policy;
use crate::sample::{Reading, Unknown};

const NOW: Timestamp = Timestamp(1_709_600_400_000);

/// Settled at ten, all is well.
fn settled() -> Decision {
    Decision {
        floor: 10,
        guard: Guard::LiveDemand,
        since: NOW,
        verdict: Verdict::Steady,
        bids: Vec::new(),
        doubts: Vec::new(),
        hold: None,
        trust: Trust::Trusted,
        signals: vec![SignalView {
            reading: Reading::Present(80.0),
            need: Some(10),
            per_replica: Some(8.0),
            at: Some(NOW),
        }],
        need: Some(10),
        load: Some(80.0),
        observed_at: Some(NOW),
        min: 2,
        max: 40,
        limited: None,
        price: 0,
        price_since: None,
        zero_in: Duration::from_secs(9),
        in_force: None,
        contested: None,
        usual: None,
        problem: None,
        replicas: Some(10),
        ready: Some(10),
        stored: true,
    }
}

fn told(last: &Decision, next: &Decision) -> (bool, Vec<Notice>) {
    let mut notices = Vec::new();
    (news(Some(last), next, &mut notices), notices)
}

fn unknown(why: Unknown) -> SignalView {
    SignalView { reading: Reading::Unknown { why, at_least: 0.0 }, need: None, per_replica: None, at: None }
}

fn usual(days: u32, limit: f64) -> Option<Usual> {
    Some(Usual {
        days,
        quiet: false,
        limit,
        recent: 9.0,
        unusual: false,
        before: 9.0,
        hour: None,
        within_an_hour: None,
    })
}

type Change = fn(&mut Decision);

#[test]
fn each_of_these_by_itself_is_news() {
    let in_force = InForce { name: "drill".into(), action: Action::Release, until: NOW };
    let rows: [(&str, Change); 17] = [
        ("floor", |next| next.floor = 11),
        ("guard", |next| next.guard = Guard::RecentPeak),
        ("trust", |next| next.trust = Trust::Blind),
        ("replicas", |next| next.replicas = Some(11)),
        ("ready", |next| next.ready = None),
        ("minimum", |next| next.min = 3),
        ("maximum", |next| next.max = 41),
        ("limited", |next| next.limited = Some(50)),
        ("price", |next| next.price = 1),
        ("contested", |next| next.contested = Some(3)),
        ("learned", |next| next.usual = usual(3, 5.0)),
        ("problem", |next| next.problem = Some(Problem::NotOwner)),
        ("stored", |next| next.stored = false),
        ("hold", |next| next.hold = Some(Hold::NoTarget)),
        ("doubts", |next| next.doubts = vec![Doubt::Dependency { place: 0 }]),
        ("a signal", |next| next.signals = vec![unknown(Unknown::Empty)]),
        ("one signal more", |next| next.signals.push(unknown(Unknown::Empty))),
    ];
    for (what, change) in rows {
        let mut next = settled();
        change(&mut next);
        assert!(told(&settled(), &next).0, "{what} is new");
        assert!(told(&next, &settled()).0, "{what} is over");
        assert!(!told(&next, &next.clone()).0, "{what} is as it was");
    }
    assert!(told(&settled(), &Decision { in_force: Some(in_force), ..settled() }).0);
    assert!(news(None, &settled(), &mut Vec::new()), "the first decision is");
}

#[test]
fn numbers_that_move_all_the_time_are_no_news() {
    let before = Decision {
        limited: Some(50),
        price: 3,
        usual: usual(3, 5.0),
        hold: Some(Hold::Unknown { signal: Some(0), why: Unknown::Empty }),
        doubts: vec![Doubt::UnusualFall { need: 2, before: 10, since: NOW }],
        signals: vec![unknown(Unknown::Several(2))],
        ..settled()
    };
    let after = Decision {
        need: Some(9),
        load: Some(71.0),
        observed_at: None,
        zero_in: Duration::ZERO,
        limited: Some(51),
        price: 4,
        usual: usual(3, 6.0),
        hold: Some(Hold::Unknown { signal: Some(1), why: Unknown::NotANumber }),
        doubts: vec![Doubt::UnusualFall { need: 3, before: 10, since: NOW }],
        signals: vec![unknown(Unknown::Several(3))],
        ..before.clone()
    };
    assert_eq!(told(&before, &after), (false, Vec::new()));
    let why = Decision { signals: vec![unknown(Unknown::Empty)], ..after.clone() };
    assert!(told(&after, &why).0, "another reason is");
}

#[test]
fn holds_and_limits_begin_and_end_once() {
    let doubted = |doubt| Decision { hold: Some(Hold::Doubt(doubt)), ..settled() };
    let errors = |share| doubted(Doubt::Errors { share, above: 0.05 });
    let rollout = doubted(Doubt::Rollout { until: NOW });
    let held = |next: &Decision| vec![Notice::Held { floor: 10, hold: next.hold.unwrap() }];
    let ended = || vec![Notice::HoldEnded { floor: 10 }];
    assert_eq!(told(&settled(), &errors(0.1)).1, held(&errors(0.1)));
    assert_eq!(told(&errors(0.1), &errors(0.2)).1, [], "the same with other numbers");
    let unready = doubted(Doubt::Unready { unready: 2, of: 9 });
    assert_eq!(told(&errors(0.1), &unready).1, held(&unready));
    assert_eq!(told(&errors(0.1), &settled()).1, ended());
    assert_eq!(told(&settled(), &rollout).1, [], "ordinary business");
    assert_eq!(told(&errors(0.1), &rollout).1, ended());
    let limited = |wanted| Decision { limited: Some(wanted), ..settled() };
    assert_eq!(told(&settled(), &limited(50)).1, [Notice::Limited { wanted: 50, max: 40 }]);
    assert_eq!(told(&limited(50), &limited(51)).1, []);
    let mut first = Vec::new();
    news(None, &limited(50), &mut first);
    assert_eq!(first, [Notice::Limited { wanted: 50, max: 40 }]);
}

#[test]
fn it_looks_again_when_time_alone_may_change_something() {
    let standing = Standing::at(10, NOW);
    let after = |decision: &Decision, standing: &Standing, orders: &[Override]| {
        wake(decision, standing, &policy(), orders, NOW).since(NOW).as_secs()
    };
    assert_eq!(after(&settled(), &standing, &[]), 120, "when a reading grows old");
    let onset = Some(crate::standing::Onset { since: NOW, replicas: 10 });
    for pending in [
        after(&Decision { hold: Some(Hold::NoTarget), ..settled() }, &standing, &[]),
        after(&Decision { doubts: vec![Doubt::Dependency { place: 0 }], ..settled() }, &standing, &[]),
        after(&settled(), &Standing { run_down: onset, ..standing.clone() }, &[]),
        after(&settled(), &Standing { fall: onset, ..standing.clone() }, &[]),
    ] {
        assert_eq!(pending, 15, "at the next tick");
    }
    let order = |seconds: u64| {
        let until = Timestamp(NOW.0 + seconds * 1000);
        Override { name: "drill".into(), action: Action::Freeze, from: NOW, until }
    };
    assert_eq!(after(&settled(), &standing, &[order(90), order(7), order(0)]), 7, "when an order ends");
    assert_eq!(after(&settled(), &standing, &[order(500)]), 120);
    let busy = Policy { resolution: Duration::ZERO, ..policy() };
    let held = Decision { hold: Some(Hold::NoTarget), ..settled() };
    assert_eq!(wake(&held, &standing, &busy, &[], NOW).since(NOW).as_secs(), 1, "never at once");
}

#[test]
fn the_time_to_zero_is_patience_and_a_window_and_the_halvings() {
    // A day's patience, ten minutes, an hour a halving and one more, and a quarter of an hour.
    let hours = |hours: u64| Duration::from_secs(hours * 3600 + 600 + 900);
    let standing = Standing::at(10, NOW);
    let zero_in = |floor, min, standing: &Standing| zero_in(floor, min, standing, &policy(), NOW);
    assert_eq!(zero_in(16, 2, &standing), hours(24 + 4));
    assert_eq!(zero_in(16, 1, &standing), hours(24 + 5));
    assert_eq!(zero_in(16, 0, &standing), hours(24 + 5));
    assert_eq!(zero_in(2, 2, &standing), Duration::ZERO);
    let waited = Standing { zero_since: Some(NOW.minus(Duration::from_secs(5 * 3600))), ..standing.clone() };
    assert_eq!(zero_in(16, 2, &waited), hours(19 + 4));
    let long = Standing { zero_since: Some(NOW.minus(Duration::from_secs(99 * 3600))), ..standing };
    assert_eq!(zero_in(16, 2, &long), hours(4));
}

#[test]
fn trust_is_lost_in_part_or_whole() {
    let known = settled().signals.remove(0);
    let blind = || unknown(Unknown::Empty);
    let of = |signals: &[SignalView], errors| trust(signals, errors, &[]);
    assert_eq!(of(&[known.clone(), known.clone()], ErrorShare::NotJudged), Trust::Trusted);
    assert_eq!(of(&[known.clone(), blind()], ErrorShare::NotJudged), Trust::Doubtful);
    assert_eq!(of(&[blind(), blind()], ErrorShare::NotJudged), Trust::Blind);
    assert_eq!(of(&[], ErrorShare::NotJudged), Trust::Blind);
    assert_eq!(of(from_ref(&known), ErrorShare::Unknown(Unknown::Empty)), Trust::Doubtful);
    let doubted = |doubt| trust(from_ref(&known), ErrorShare::Judged(0.0), &[doubt]);
    assert_eq!(doubted(Doubt::Rollout { until: NOW }), Trust::Trusted);
    assert_eq!(doubted(Doubt::Dependency { place: 0 }), Trust::Doubtful);
}
