//! A standby takes in all that it is told, decides nothing, and begins warm.

#[path = "steady/mod.rs"]
#[expect(dead_code, reason = "shared with the bench and the test of allocations")]
mod steady;

use floorkeeper_core::{Doubt, Engine, Event, Outcome, Standing, TargetKey, Timestamp, Trust, Write};

use self::steady::Fleet;

#[test]
fn a_standby_writes_nothing_and_leads_with_full_windows() {
    let mut fleet = Fleet::driven_by(Engine::standby(), 3);
    for _ in 0..40 {
        assert_eq!(fleet.tick(), 0, "a standby wrote");
    }
    assert_eq!((fleet.decided(), fleet.engine.changed().len(), fleet.engine.notices().len()), (0, 0, 0));
    assert!(fleet.engine.next_wake() > fleet.now, "it has nothing to wake up for");

    // What the leader has stored meanwhile, and its last word before it goes.
    let now = fleet.now;
    let row = |name: &str| {
        let standing = Standing { policy: name.into(), uid: "u".into(), epoch: 4, seq: 9, ..Standing::at(10, now) };
        (TargetKey::new("team-0", "deployments.apps", name), standing)
    };
    let rows = vec![row("web-0"), row("web-1"), row("web-2")];
    fleet.engine.observe(Event::Table { namespace: "team-0".into(), rows }, now);
    assert_eq!(fleet.engine.poll(now), []);

    fleet.engine.lead(5);
    let writes = fleet.engine.poll(now);
    let Some(Write::Floors { rows, .. }) = writes.first() else { panic!("{writes:?}") };
    let claims: Vec<_> = rows.iter().map(|(_, row)| (row.replicas, row.epoch)).collect();
    assert_eq!(claims, [(10, 5); 3], "each floor is claimed as it stands");
    assert_eq!(fleet.decided(), 3);
    for (key, decision) in fleet.engine.decisions() {
        assert_eq!(decision.trust, Trust::Trusted, "{key}");
        let cold = decision.doubts.iter().any(|doubt| matches!(doubt, Doubt::WindowNotFull { .. }));
        assert!(!cold, "{key}: {:?}", decision.doubts);
    }

    // Claimed once: the leader rests from then on.
    for write in writes {
        fleet.engine.acknowledged(&write, Outcome::Done, now);
    }
    let again = fleet.engine.poll(now);
    assert!(!again.iter().any(|write| matches!(write, Write::Floors { .. })), "{again:?}");
}

/// A standby that has seen the leader release a row.
fn released() -> (Engine, TargetKey, Timestamp) {
    let (mut engine, now) = (Engine::standby(), Timestamp(1_709_600_400_000));
    let web = TargetKey::new("shop", "deployments.apps", "web");
    let row = Standing { policy: "web".into(), epoch: 1, seq: 1, ..Standing::at(6, now) };
    engine.observe(table(vec![(web.clone(), row.clone())]), now);
    assert_eq!(engine.targets().count(), 1, "an orphan is looked after");
    engine.observe(table(vec![(web.clone(), Standing { released: true, seq: 2, ..row })]), now);
    (engine, web, now)
}

fn table(rows: Vec<(TargetKey, Standing)>) -> Event {
    Event::Table { namespace: "shop".into(), rows }
}

/// What the leader gave back while the standby listened is not held once more.
#[test]
fn what_was_given_back_is_gone() {
    let (mut engine, _, now) = released();
    engine.observe(table(Vec::new()), now);
    engine.lead(2);
    assert_eq!((engine.poll(now), engine.targets().count()), (Vec::new(), 0));
}

/// The leader waited for the policy already: the next one finishes what it has begun.
#[test]
fn what_was_released_vanishes_when_the_standby_leads() {
    let (mut engine, web, now) = released();
    engine.lead(2);
    let writes = engine.poll(now);
    assert!(
        matches!(&writes[..], [Write::Floors { rows, vanish, .. }] if rows.is_empty() && *vanish == [web]),
        "{writes:?}"
    );
}
