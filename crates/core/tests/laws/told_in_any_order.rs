//! The order in which things are told, and what is told twice or forgotten, decides nothing.

use std::time::Duration;

use floorkeeper_core::{Doubt, Event, Guard, Mode, Notice, Policy, PolicyKey, Problem, Standing, TargetKey, Trust};

use crate::world::World;
use crate::world::cluster::{Hpa, Pods};
use crate::world::history::{CAPACITY, fleet, minutes, policy, shops, web, web_target};

/// A second policy on the same target.
fn other() -> PolicyKey {
    PolicyKey::new("shop", "another")
}

/// Two policies of one target, `other` a minute younger, with the floors of both.
fn two(loads: (f64, f64), edit: impl Fn(&mut Policy)) -> World {
    let mut world = World::new();
    world.add_target(&web_target(), Pods::new("web", 20, Duration::ZERO), Some(Hpa::new(3, 100, Duration::ZERO)));
    let older = Policy { depends_on: Vec::new(), ..policy() };
    let mut younger = Policy { created: older.created.plus(minutes(1)), ..older.clone() };
    edit(&mut younger);
    world.add_policy(&web(), older);
    world.add_policy(&other(), younger);
    world.truth(&web()).load = loads.0 * CAPACITY;
    world.truth(&other()).load = loads.1 * CAPACITY;
    world.run(minutes(90));
    world
}

#[test]
fn the_owner_follows_a_younger_floor_at_once() {
    let mut world = two((8.0, 8.0), |_| {});
    world.truth(&other()).load = 12.0 * CAPACITY;
    world.tick();
    assert_eq!((world.decision(&web()).floor, world.decision(&web()).guard), (15, Guard::Peer));
    assert_eq!(world.decision(&other()).problem, Some(Problem::NotOwner));
}

#[test]
fn of_two_as_old_the_first_name_owns() {
    // "another" comes before "web".
    let world = two((8.0, 12.0), |younger| younger.created = policy().created);
    assert_eq!(world.decision(&web()).problem, Some(Problem::NotOwner));
    assert_eq!(world.decision(&other()).problem, None);
}

#[test]
fn one_that_observes_owns_nothing_and_asks_for_nothing() {
    let world = two((8.0, 30.0), |younger| {
        younger.mode = Mode::Observe;
        younger.created = policy().created.minus(minutes(1));
    });
    assert_eq!((world.decision(&web()).problem, world.decision(&web()).floor), (None, 10));
}

#[test]
fn a_scaler_that_was_seen_before_its_policy_is_known() {
    let mut world = World::new();
    world.add_target(&web_target(), Pods::new("web", 20, Duration::ZERO), Some(Hpa::new(3, 100, Duration::ZERO)));
    let spec = Policy { depends_on: Vec::new(), ..policy() };
    world.engine.observe(Event::Policy(web(), spec.clone().into()), world.now);
    world.tell_all_targets();
    // The policy moves to another target and back: nobody tells of the scaler again.
    world.engine.observe(Event::PolicyGone(web()), world.now);
    world.engine.observe(Event::Policy(web(), spec.into()), world.now);
    world.settle();
    assert_eq!(world.decision(&web()).problem, None);
}

#[test]
fn what_nobody_names_any_more_is_forgotten() {
    let database = TargetKey::new("shop", "statefulsets.apps", "database");
    let mut world = World::new();
    world.add_target(&web_target(), Pods::new("web", 20, Duration::ZERO), Some(Hpa::new(3, 100, Duration::ZERO)));
    let spec = Policy { depends_on: vec![database.clone()], ..policy() };
    world.add_policy(&web(), spec.clone());
    world.engine.observe(Event::Target(database.clone(), None), world.now);
    world.truth(&web()).load = 13.0 * CAPACITY;
    let fails =
        |world: &World| world.decision(&web()).doubts.iter().any(|doubt| matches!(doubt, Doubt::Dependency { .. }));
    world.tick();
    assert!(fails(&world), "it is gone");
    world.edit_policy(&web(), |policy| policy.depends_on.clear());
    world.edit_policy(&web(), |policy| policy.depends_on = vec![database.clone()]);
    world.tick();
    assert!(!fails(&world), "what was known of it is old: it is asked for again");
    // One of two that name it is enough to remember it.
    world.engine.observe(Event::Target(database.clone(), None), world.now);
    world.add_policy(&other(), Policy { mode: Mode::Observe, ..spec });
    world.edit_policy(&web(), |policy| policy.depends_on.clear());
    world.edit_policy(&web(), |policy| policy.depends_on = vec![database.clone()]);
    world.tick();
    assert!(fails(&world), "the other one names it still");
    assert!(world.decision(&web()).problem.is_none(), "the target itself is named by two");
}

#[test]
fn each_namespace_has_its_own_table() {
    let (mut world, fleet) = fleet(["a", "b"]);
    // Somebody of a later epoch has written the second one's row.
    let target = &fleet[1].1;
    let row = Standing { epoch: 7, ..world.store.row(target).unwrap().clone() };
    world.engine.observe(Event::Table { namespace: "b".into(), rows: vec![(target.clone(), row)] }, world.now);
    for (key, _) in &fleet {
        world.truth(key).load = 10.0 * CAPACITY;
    }
    world.run(minutes(60));
    let floors: Vec<_> = fleet.iter().map(|(key, _)| world.decision(key).floor).collect();
    assert_eq!(floors, [13, 17], "only the second one may not be lowered");
}

#[test]
fn a_vote_is_taken_back_when_its_fall_is_over() {
    let (mut world, fleet) = fleet(shops(6));
    for (key, _) in &fleet {
        world.truth(key).load = 0.0;
        world.run(minutes(3));
        assert!(!world.decision(key).doubts.is_empty(), "{key} falls");
        world.truth(key).load = 13.0 * CAPACITY;
        world.run(minutes(12));
    }
    assert!(!world.notices.iter().any(|(_, _, notice)| matches!(notice, Notice::BrakeBegan { .. })));
}

#[test]
fn a_row_that_has_vanished_is_no_past() {
    let mut world = World::new();
    world.add_target(&web_target(), Pods::new("web", 20, Duration::ZERO), Some(Hpa::new(3, 100, Duration::ZERO)));
    let spec = Policy { depends_on: Vec::new(), ..policy() };
    world.add_policy(&web(), spec.clone());
    world.truth(&web()).load = 13.0 * CAPACITY;
    world.run(minutes(90));
    assert_eq!(world.store.floor(&web_target()), Some(17));
    world.remove_policy(&web());
    world.advance(minutes(11));
    world.settle();
    assert_eq!(world.store.row(&web_target()), None);
    world.foreign_scale(&web_target(), 5);
    // The table is not told of again: what the engine keeps of it is what it wrote.
    world.engine.observe(Event::Policy(web(), spec.into()), world.now);
    world.tell_all_targets();
    world.settle();
    assert_eq!(world.decision(&web()).floor, 5);
}

/// A settled policy, edited; whether its window must fill again, and whether what was learned is still there.
fn after(edit: impl FnOnce(&mut Policy)) -> (bool, bool) {
    let mut world = World::new();
    world.add_target(&web_target(), Pods::new("web", 20, Duration::ZERO), Some(Hpa::new(3, 100, Duration::ZERO)));
    world.add_policy(&web(), Policy { depends_on: Vec::new(), ..policy() });
    world.truth(&web()).load = 13.0 * CAPACITY;
    world.run(minutes(90));
    world.edit_policy(&web(), edit);
    world.tick();
    let window = |doubt: &Doubt| matches!(doubt, Doubt::WindowNotFull { .. });
    let learned = world.engine.learned(&web()).unwrap();
    let doubts = &world.decision(&web()).doubts;
    (doubts.iter().any(window), learned.days.iter().any(|day| day.minutes > 30))
}

#[test]
fn an_edit_throws_away_what_speaks_no_more_and_nothing_else() {
    assert_eq!(after(|_| {}), (false, true));
    assert_eq!(after(|policy| policy.half_life = minutes(30)), (false, true));
    assert_eq!(after(|policy| policy.headroom_percent = 50), (false, true), "needs are reckoned anew");
    assert_eq!(after(|policy| policy.resolution = Duration::from_secs(10)), (true, true));
    assert_eq!(after(|policy| policy.window = minutes(5)), (true, true));
    assert_eq!(after(|policy| policy.signals[0].capacity = Some(5.0)), (true, true));
    assert_eq!(after(|policy| policy.signals[0].name = "requests".into()), (true, false), "another thing is measured");
}

#[test]
fn errors_that_are_judged_by_another_limit_are_asked_for_first() {
    for (edited, trust) in [(true, Trust::Doubtful), (false, Trust::Trusted)] {
        let mut world = two((8.0, 8.0), |_| {});
        world.edit_policy(&web(), |policy| match &mut policy.errors {
            Some(errors) if edited => errors.above = 0.2,
            _ => policy.half_life = minutes(30),
        });
        assert_eq!(world.decision(&web()).trust, trust);
    }
}

#[test]
fn the_larger_floor_of_a_policy_that_goes_is_taken_over_and_runs_down() {
    let mut world = two((8.0, 16.0), |_| {});
    assert_eq!(world.decision(&web()).floor, 20);
    world.remove_policy(&other());
    let floors = [0, 30, 90].map(|later| {
        world.run(minutes(later));
        world.decision(&web()).floor
    });
    assert_eq!((floors[0], floors[2]), (20, 10));
    assert!((13..=15).contains(&floors[1]), "half an hour at a halving an hour: {floors:?}");
    // A smaller one changes nothing: nothing runs down.
    let mut world = two((8.0, 4.0), |_| {});
    world.remove_policy(&other());
    assert_eq!((world.decision(&web()).floor, world.store.row(&web_target()).unwrap().run_down), (10, None));
}

#[test]
fn a_row_that_another_leader_raised_is_taken_over_and_an_old_one_is_not() {
    // Taken over, it comes down as any floor does: by a quarter.
    for (seq, floor) in [(500, 19), (0, 17)] {
        let mut world = World::new();
        world.add_target(&web_target(), Pods::new("web", 20, Duration::ZERO), Some(Hpa::new(3, 100, Duration::ZERO)));
        world.add_policy(&web(), Policy { depends_on: Vec::new(), ..policy() });
        world.truth(&web()).load = 13.0 * CAPACITY;
        world.run(minutes(90));
        let row = Standing { replicas: 25, seq, ..world.store.row(&web_target()).unwrap().clone() };
        world.engine.observe(Event::Table { namespace: "shop".into(), rows: vec![(web_target(), row)] }, world.now);
        world.engine.poll(world.now);
        assert_eq!(world.decision(&web()).floor, floor, "count {seq}");
    }
}
