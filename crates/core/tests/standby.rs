//! A standby takes in all that it is told, decides nothing, and begins warm.

#[path = "steady/mod.rs"]
#[expect(dead_code, reason = "shared with the bench and the test of allocations")]
mod steady;

use floorkeeper_core::{
    Doubt, Engine, Event, Outcome, Rollout, Standing, Target, TargetKey, Timestamp, Trust, Write, fence,
};

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

/// The leader raised a floor and died, and the standby's watch hangs: what it knows is old. However often it tries, and
/// whatever it is told of each try, the floor that stands there does not fall. When the watch speaks again, it is taken over.
#[test]
fn a_standby_that_knows_an_old_floor_lowers_nothing() {
    for outcome in [Outcome::Conflict, Outcome::Failed] {
        let mut fleet = Fleet::driven_by(Engine::standby(), 1);
        let web = TargetKey::new("team-0", "deployments.apps", "web-0");
        let row = |replicas, seq| Standing {
            policy: "web-0".into(),
            uid: "u".into(),
            epoch: 4,
            seq,
            ..Standing::at(replicas, Timestamp(0))
        };
        let table = |row| Event::Table { namespace: "team-0".into(), rows: vec![(web.clone(), row)] };
        fleet.engine.observe(table(row(10, 8)), fleet.now);
        let stands = row(16, 9);
        fleet.engine.lead(5);
        let mut tried = 0;
        for second in 0..60 {
            let now = fleet.now.plus(core::time::Duration::from_secs(second));
            for write in fleet.engine.poll(now) {
                if let Write::Floors { rows, .. } = &write {
                    assert!(fence(&stands, &rows[0].1).is_err(), "{:?} takes the place of {stands:?}", rows[0].1);
                    tried += 1;
                }
                fleet.engine.acknowledged(&write, outcome, now);
            }
        }
        assert!(tried > 3, "{tried} tries");
        let now = fleet.now.plus(core::time::Duration::from_secs(60));
        fleet.engine.observe(table(stands.clone()), now);
        let late = now.plus(core::time::Duration::from_secs(20));
        let writes: Vec<_> = fleet.engine.poll(now).into_iter().chain(fleet.engine.poll(late)).collect();
        let Some(Write::Floors { rows, .. }) = writes.iter().find(|write| matches!(write, Write::Floors { .. })) else {
            panic!("{writes:?}")
        };
        assert_eq!((rows[0].1.replicas, rows[0].1.epoch, fence(&stands, &rows[0].1)), (16, 5, Ok(())));
    }
}

/// Scaled to one while nobody watched: what the first sample says is measured against the floor that is stored, not against
/// the one replica that is left, or it would look like a fall.
#[test]
fn the_first_sample_is_measured_against_the_stored_floor() {
    let mut fleet = Fleet::told_to(Engine::standby(), 1);
    let web = TargetKey::new("team-0", "deployments.apps", "web-0");
    let one = Target {
        uid: "u".into(),
        version: "2".into(),
        replicas: 1,
        ready: Some(1),
        rollout: Rollout::Done,
        template: 1,
    };
    fleet.engine.observe(Event::Target(web.clone(), Some(one)), fleet.now);
    let row = Standing { policy: "web-0".into(), uid: "u".into(), epoch: 4, seq: 8, ..Standing::at(10, fleet.now) };
    fleet.engine.observe(Event::Table { namespace: "team-0".into(), rows: vec![(web, row)] }, fleet.now);
    fleet.tick();
    fleet.engine.lead(5);
    fleet.engine.poll(fleet.now);
    let need = fleet.engine.decisions().map(|(_, decision)| decision.need).collect::<Vec<_>>();
    assert_eq!(need, [Some(10)]);
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
