//! What the engine keeps book of for its shell: whom it wants to hear of, what changed, whose vote counts where.

use std::time::Duration;

use floorkeeper_core::{Notice, Policy, TargetKey, Write};

use crate::world::World;
use crate::world::cluster::{Hpa, Pods};
use crate::world::history::{CAPACITY, fleet, minutes, policy, shops, web, web_target};

/// A guarded workload that depends on another one.
fn guarded() -> (World, TargetKey) {
    let database = TargetKey::new("shop", "statefulsets.apps", "database");
    let mut world = World::new();
    world.add_target(&web_target(), Pods::new("web", 20, Duration::ZERO), Some(Hpa::new(3, 100, Duration::ZERO)));
    world.add_target(&database, Pods::new("database", 2, Duration::ZERO), None);
    world.add_policy(&web(), Policy { depends_on: vec![database.clone()], ..policy() });
    world.truth(&web()).load = 13.0 * CAPACITY;
    world.run(minutes(90));
    (world, database)
}

#[test]
fn it_wants_to_hear_of_targets_and_of_what_they_depend_on() {
    let (world, database) = guarded();
    let mut wanted: Vec<_> = world.engine.targets().cloned().collect();
    wanted.sort();
    assert_eq!(wanted, [web_target(), database]);
}

#[test]
fn a_decision_that_changed_is_told_once() {
    let (mut world, _) = guarded();
    world.changed.clear();
    world.truth(&web()).load = 20.0 * CAPACITY;
    world.tick();
    assert!(world.changed.contains(&web()));
    assert_eq!(world.engine.changed(), [], "told already");
}

#[test]
fn our_own_raises_are_nobodys_overwriting() {
    let (mut world, _) = guarded();
    world.notices.clear();
    for step in 0..5 {
        world.truth(&web()).load = (20.0 + f64::from(step) * 2.0) * CAPACITY;
        world.tick();
        world.tick();
    }
    let raises = world.wrote.iter().filter(|(_, write, _)| matches!(write, Write::Bounds(_))).count();
    assert!(raises >= 5, "{raises}");
    assert_eq!(world.decision(&web()).contested, None);
    let undos = world.notices.iter().filter(|(_, _, notice)| matches!(notice, Notice::Overwritten { .. }));
    assert_eq!(undos.count(), 0);
}

#[test]
fn a_deleted_policy_gives_back_with_one_write() {
    let (mut world, _) = guarded();
    world.remove_policy(&web());
    let before = world.wrote.len();
    world.advance(minutes(11));
    world.settle();
    let bounds = world.wrote[before..].iter().filter(|(_, write, _)| matches!(write, Write::Bounds(_))).count();
    assert_eq!(bounds, 1, "{:?}", &world.wrote[before..]);
}

#[test]
fn a_policy_that_changes_its_source_takes_its_vote_along() {
    let (mut world, fleet) = fleet(shops(9));
    let falls = |world: &mut World, n: usize| world.truth(&fleet[n].0).load = 0.0;
    falls(&mut world, 0);
    world.tick();
    world.edit_policy(&fleet[0].0, |policy| policy.source = "another".into());
    falls(&mut world, 1);
    falls(&mut world, 2);
    world.tick();
    let braked = |world: &World| world.notices.iter().any(|(_, _, notice)| matches!(notice, Notice::BrakeBegan { .. }));
    assert!(!braked(&world), "two of eight are no third");
    falls(&mut world, 3);
    world.tick();
    assert!(braked(&world), "three of eight are");
}
