//! Policies come, go, and share a target; a floor outlives them for ten minutes, and never two of them fight.

use std::time::Duration;

use floorkeeper_core::{Event, Mode, Policy, PolicyKey, TargetKey, Write};

use crate::world::cluster::{Hpa, Pods};
use crate::world::history::{CAPACITY, fleet, minutes, policy, web, web_target};
use crate::world::{Api, World};

const OTHER: &str = "other";

/// A guarded workload with an HPA of its own minimum 3, at a load of 16 replicas with headroom.
fn guarded() -> World {
    let mut world = World::new();
    world.add_target(&web_target(), Pods::new("web", 20, Duration::ZERO), Some(Hpa::new(3, 100, Duration::ZERO)));
    world.add_policy(&web(), Policy { depends_on: Vec::new(), ..policy() });
    world.truth(&web()).load = 13.0 * CAPACITY;
    world.run(minutes(90));
    world
}

fn hpa_min(world: &World) -> u32 {
    world.hpas[&web_target()].min
}

#[test]
fn a_deleted_policy_keeps_its_floor_for_ten_minutes_and_gives_the_minimum_back() {
    let mut world = guarded();
    let floor = world.store.floor(&web_target()).unwrap();
    assert_eq!((floor, hpa_min(&world)), (17, 17));
    world.remove_policy(&web());
    world.advance(minutes(10) - Duration::from_secs(1));
    assert_eq!((world.store.floor(&web_target()), hpa_min(&world)), (Some(17), 17), "it may come back");
    world.foreign_scale(&web_target(), 5);
    assert_eq!(world.pods[&web_target()].replicas, 17, "until then it is kept");
    world.advance(Duration::from_secs(1));
    world.settle();
    assert_eq!(hpa_min(&world), 3);
    assert_eq!(world.hpas[&web_target()].kept, None);
    assert_eq!(world.store.row(&web_target()), None, "the row has vanished");
    assert_eq!(world.engine.decisions().count(), 0);
    assert_eq!(world.engine.targets().count(), 0);
    let written = world.wrote.len();
    world.advance(minutes(60));
    assert_eq!(world.wrote.len(), written);
}

#[test]
fn a_policy_that_comes_back_takes_its_floor_over() {
    let mut world = guarded();
    let spec = world.policy(&web()).clone();
    world.remove_policy(&web());
    world.advance(minutes(5));
    world.add_policy(&web(), spec);
    world.truth(&web()).load = 13.0 * CAPACITY;
    let written = world.wrote.len();
    world.run(minutes(30));
    assert_eq!(world.store.floor(&web_target()), Some(17));
    assert_eq!(world.wrote.len(), written, "{:?}", &world.wrote[written..]);
}

#[test]
fn another_policy_on_the_same_target_takes_the_floor_over() {
    let mut world = guarded();
    let spec = world.policy(&web()).clone();
    world.remove_policy(&web());
    world.advance(minutes(5));
    let other = PolicyKey::new("shop", OTHER);
    world.add_policy(&other, spec);
    world.truth(&other).load = 5.0 * CAPACITY;
    world.run(minutes(9));
    assert_eq!(world.store.floor(&web_target()), Some(17), "its window is not full yet");
    assert_eq!(world.store.row(&web_target()).map(|row| row.policy.to_string()).as_deref(), Some(OTHER));
    assert_eq!(hpa_min(&world), 17, "nobody gave the minimum back");
}

#[test]
fn the_younger_of_two_is_deleted_and_the_older_keeps_its_floor() {
    let mut world = guarded();
    let younger = PolicyKey::new("shop", OTHER);
    let created = world.now;
    world.add_policy(&younger, Policy { created, ..world.policy(&web()).clone() });
    world.truth(&younger).load = 24.0 * CAPACITY;
    world.run(minutes(2));
    assert_eq!(world.store.floor(&web_target()), Some(30), "the larger floor holds");
    assert_eq!(world.store.row(&web_target()).map(|row| row.policy.to_string()).as_deref(), Some("web"));
    world.remove_policy(&younger);
    let written = world.wrote.len();
    world.run(minutes(15));
    let floor = world.store.floor(&web_target()).unwrap();
    assert!((17..=30).contains(&floor), "{floor}");
    assert_eq!(hpa_min(&world), floor, "the younger's end gives nothing back");
    assert!(world.wrote.len() - written < 20, "{} writes: they fight", world.wrote.len() - written);
}

#[test]
fn the_owner_follows_a_younger_one_at_once() {
    let (mut world, fleet) = fleet(["another", "shop"]);
    let (younger, target) = (PolicyKey::new("shop", OTHER), &fleet[1].1);
    let created = world.now;
    world.add_policy(&younger, Policy { created, ..world.policy(&fleet[1].0).clone() });
    world.truth(&younger).load = 13.0 * CAPACITY;
    world.run(minutes(2));
    world.truth(&younger).load = 24.0 * CAPACITY;
    world.advance(Duration::from_secs(15));
    world.sample(&younger, None);
    world.settle();
    assert_eq!(world.store.floor(target), Some(30), "before the owner's own next tick");
}

#[test]
fn a_policy_that_comes_later_knows_the_scaler_that_was_told_before() {
    let mut world = guarded();
    let later = PolicyKey::new("shop", OTHER);
    let created = world.now;
    let spec = Policy { created, min_replicas: None, max_replicas: None, ..world.policy(&web()).clone() };
    world.engine.observe(Event::Policy(later.clone(), spec.into()), world.now);
    world.engine.poll(world.now);
    assert_eq!((world.decision(&later).min, world.decision(&later).max), (3, 100));
}

#[test]
fn the_older_of_two_is_deleted_and_the_younger_inherits() {
    let mut world = guarded();
    let younger = PolicyKey::new("shop", OTHER);
    let created = world.now;
    world.add_policy(&younger, Policy { created, ..world.policy(&web()).clone() });
    world.truth(&younger).load = 8.0 * CAPACITY;
    world.run(minutes(2));
    world.remove_policy(&web());
    let written = world.wrote.len();
    assert_eq!(world.store.floor(&web_target()), Some(17));
    assert_eq!(world.store.row(&web_target()).map(|row| row.policy.to_string()).as_deref(), Some(OTHER));
    world.run(minutes(12));
    assert!(world.store.floor(&web_target()) >= Some(10));
    assert!(hpa_min(&world) >= 10, "nobody gave the minimum back");
    assert!(world.wrote.len() - written < 20, "{} writes: they fight", world.wrote.len() - written);
}

#[test]
fn a_floor_whose_policy_went_while_nobody_looked_is_given_back() {
    let mut world = guarded();
    world.crash();
    world.forget_policy(&web());
    world.restart(None);
    world.advance(minutes(10) - Duration::from_secs(1));
    assert_eq!((world.store.floor(&web_target()), hpa_min(&world)), (Some(17), 17));
    world.advance(Duration::from_secs(1));
    world.settle();
    assert_eq!((world.store.row(&web_target()), hpa_min(&world)), (None, 3));
}

#[test]
fn a_row_that_was_released_already_only_vanishes() {
    let mut world = guarded();
    world.remove_policy(&web());
    world.advance(minutes(10));
    let row = floorkeeper_core::Standing { released: true, ..floorkeeper_core::Standing::at(17, world.now) };
    // The process died between the two writes.
    world.store.write(&[(web_target(), row)], &[]).unwrap();
    world.crash();
    world.forget_policy(&web());
    world.foreign_scale(&web_target(), 4);
    world.restart(None);
    assert_eq!(world.store.row(&web_target()), None);
    assert_eq!(world.pods[&web_target()].replicas, 4, "a released floor binds nobody");
}

#[test]
fn a_name_that_moves_to_another_target_leaves_the_old_floor_for_ten_minutes() {
    let mut world = guarded();
    let moved = TargetKey::new("shop", "deployments.apps", "web-v2");
    world.add_target(&moved, Pods::new("web-v2", 6, Duration::ZERO), None);
    world.edit_policy(&web(), |policy| policy.target = moved.clone());
    world.tell_all_targets();
    world.run(minutes(5));
    assert_eq!(world.store.floor(&web_target()), Some(17));
    assert_eq!(hpa_min(&world), 17);
    assert!(world.store.floor(&moved) >= Some(6));
    world.run(minutes(6));
    assert_eq!((world.store.row(&web_target()), hpa_min(&world)), (None, 3));
    assert!(world.store.floor(&moved) >= Some(6));
}

#[test]
fn in_whatever_order_they_are_told_a_restart_takes_the_floor_over_as_it_was() {
    for order in 0..6 {
        let mut world = guarded();
        world.crash();
        world.engine = floorkeeper_core::Engine::new(9);
        let now = world.now;
        let mut told = [
            Event::Table { namespace: "shop".into(), rows: world.store.table("shop") },
            Event::Policy(web(), std::sync::Arc::new(world.policy(&web()).clone())),
            Event::Target(web_target(), Some(world.pods[&web_target()].seen())),
        ];
        told.rotate_left(order % 3);
        if order >= 3 {
            told.reverse();
        }
        for event in told {
            world.engine.observe(event, now);
            // Polled in between, too.
            for write in world.engine.poll(now) {
                assert!(matches!(write, Write::Floors { .. }) || order == 99, "{order}: {write:?}");
                world.engine.acknowledged(&write, floorkeeper_core::Outcome::Failed, now);
            }
        }
        assert_eq!(world.decision(&web()).floor, 17, "order {order}, and nothing is told twice");
        world.tell_all_targets();
        world.settle();
        let row = world.store.row(&web_target()).unwrap();
        assert_eq!((row.replicas, row.run_down), (17, None), "order {order}");
        assert_eq!(world.decision(&web()).floor, 17, "order {order}");
    }
}

#[test]
fn the_younger_comes_down_from_the_older_ones_floor_in_steps() {
    let mut world = guarded();
    world.truth(&web()).load = 8.0 * CAPACITY;
    world.run(minutes(120));
    let younger = PolicyKey::new("shop", OTHER);
    let created = world.now;
    world.add_policy(&younger, Policy { created, ..world.policy(&web()).clone() });
    world.truth(&younger).load = 8.0 * CAPACITY;
    world.run(minutes(15));
    // What only the older one reads needs more for a while.
    world.truth(&web()).load = 13.0 * CAPACITY;
    world.run(minutes(5));
    assert_eq!((world.decision(&web()).floor, world.decision(&younger).floor), (17, 10));
    world.remove_policy(&web());
    assert_eq!((world.decision(&younger).floor, world.store.floor(&web_target())), (17, Some(17)));
    world.run(minutes(10));
    let floor = world.store.floor(&web_target()).unwrap();
    assert!((14..17).contains(&floor), "{floor}");
}

#[test]
fn who_has_no_row_of_its_own_comes_down_as_if_it_were_alone() {
    let alone = {
        let mut world = guarded();
        world.truth(&web()).load = 8.0 * CAPACITY;
        world.run(minutes(150));
        world.decision(&web()).floor
    };
    assert_eq!(alone, 10);
    for mode in [Mode::Guard, Mode::Observe] {
        let mut world = guarded();
        let (younger, created) = (PolicyKey::new("shop", OTHER), world.now);
        world.add_policy(&younger, Policy { created, mode, ..world.policy(&web()).clone() });
        world.truth(&younger).load = 8.0 * CAPACITY;
        world.run(minutes(150));
        assert_eq!((world.decision(&web()).floor, world.decision(&younger).floor), (17, alone), "{mode:?}");
    }
}

#[test]
fn who_stands_as_high_already_inherits_nothing() {
    let mut world = guarded();
    let younger = PolicyKey::new("shop", OTHER);
    let created = world.now;
    world.add_policy(&younger, Policy { created, ..world.policy(&web()).clone() });
    world.truth(&younger).load = 13.0 * CAPACITY;
    world.run(minutes(120));
    // Both are about to come down.
    for key in [web(), younger.clone()] {
        world.truth(&key).load = 9.0 * CAPACITY;
    }
    world.run(minutes(12));
    world.remove_policy(&younger);
    let row = world.store.row(&web_target()).unwrap();
    assert_eq!((row.replicas, row.run_down), (17, None));
}

#[test]
fn a_floor_is_given_back_in_its_time_and_tried_again_where_nobody_answers() {
    for api in [Api::Up, Api::Failing] {
        let mut world = guarded();
        // Ten minutes are no whole number of its own ticks.
        world.edit_policy(&web(), |policy| policy.resolution = Duration::from_secs(7));
        world.remove_policy(&web());
        world.api = api;
        world.wait(minutes(10));
        assert_eq!(world.store.row(&web_target()).is_none(), api == Api::Up);
        world.api = Api::Up;
        world.wait(Duration::from_secs(20));
        assert_eq!(world.store.row(&web_target()), None);
    }
}

#[test]
fn a_policy_in_observe_that_is_deleted_leaves_nothing() {
    let mut world = World::new();
    world.add_target(&web_target(), Pods::new("web", 20, Duration::ZERO), None);
    world.add_policy(&web(), Policy { mode: Mode::Observe, ..policy() });
    world.truth(&web()).load = 13.0 * CAPACITY;
    world.run(minutes(5));
    assert_eq!(world.engine.decisions().count(), 1);
    world.remove_policy(&web());
    assert_eq!(world.engine.decisions().count(), 0);
    world.advance(minutes(3));
    assert_eq!(world.engine.next_wake(), floorkeeper_core::Timestamp::NEVER, "nothing wakes it any more");
    assert_eq!(world.wrote, []);
}

#[test]
fn a_policy_that_goes_before_it_took_its_floor_over_gives_the_minimum_back_too() {
    let mut world = guarded();
    world.engine = floorkeeper_core::Engine::new(9);
    let now = world.now;
    let told = [
        Event::Policy(web(), std::sync::Arc::new(world.policy(&web()).clone())),
        Event::Table { namespace: "shop".into(), rows: world.store.table("shop") },
        Event::Scaler(web_target(), Some(world.hpas[&web_target()].seen())),
    ];
    for event in told {
        world.engine.observe(event, now);
    }
    world.settle();
    world.remove_policy(&web());
    world.advance(minutes(10));
    world.settle();
    assert_eq!((world.store.row(&web_target()), hpa_min(&world)), (None, 3));
}

#[test]
fn a_policy_that_only_observes_from_now_on_gives_back_at_once_and_can_keep_again() {
    let mut world = guarded();
    world.edit_policy(&web(), |policy| policy.mode = Mode::Observe);
    assert_eq!((world.store.row(&web_target()), hpa_min(&world)), (None, 3));
    assert_eq!(world.hpas[&web_target()].kept, None);
    let written = world.wrote.len();
    world.run(minutes(30));
    assert_eq!(world.wrote.len(), written, "an observer writes nothing");
    assert_eq!(world.decision(&web()).floor, 17, "it goes on deciding");
    world.edit_policy(&web(), |policy| policy.mode = Mode::Guard);
    assert_eq!((world.store.floor(&web_target()), hpa_min(&world)), (Some(17), 17));
}

#[test]
fn an_observer_beside_a_keeper_gives_nothing_back() {
    let mut world = guarded();
    let observer = PolicyKey::new("shop", OTHER);
    let mode = Mode::Observe;
    world.add_policy(&observer, Policy { mode, ..world.policy(&web()).clone() });
    world.truth(&observer).load = 24.0 * CAPACITY;
    world.run(minutes(15));
    assert_eq!(world.decision(&observer).floor, 30);
    assert_eq!((world.store.floor(&web_target()), hpa_min(&world)), (Some(17), 17));
    world.remove_policy(&observer);
    world.run(minutes(15));
    assert_eq!((world.store.floor(&web_target()), hpa_min(&world)), (Some(17), 17));
}

#[test]
fn of_two_that_took_no_floor_over_yet_one_goes_and_the_other_keeps_the_target() {
    let mut world = guarded();
    let younger = PolicyKey::new("shop", OTHER);
    let spec = world.policy(&web()).clone();
    world.engine = floorkeeper_core::Engine::new(9);
    let now = world.now;
    for key in [web(), younger.clone()] {
        world.engine.observe(Event::Policy(key, spec.clone().into()), now);
    }
    world.tell_table(&"shop".into());
    world.engine.observe(Event::PolicyGone(web()), now);
    world.tell_all_targets();
    world.settle();
    let written = world.wrote.len();
    world.advance(minutes(20));
    world.settle();
    assert_eq!((world.store.floor(&web_target()), hpa_min(&world)), (Some(17), 17));
    let vanished = |write: &Write| matches!(write, Write::Floors { vanish, .. } if !vanish.is_empty());
    assert!(!world.wrote[written..].iter().any(|(_, write, _)| vanished(write)), "nobody gave it back meanwhile");
}

#[test]
fn a_policy_that_comes_back_to_a_released_row_keeps_it() {
    let mut world = guarded();
    let release = |world: &mut World| {
        let row = world.store.row(&web_target()).unwrap().clone();
        let row = floorkeeper_core::Standing { released: true, seq: row.seq + 9, ..row };
        world.store.write(&[(web_target(), row)], &[]).unwrap();
        world.tell_table(&"shop".into());
        world.settle();
    };
    // Released by a leader that saw no policy; then it came back.
    release(&mut world);
    assert_eq!((world.store.floor(&web_target()), hpa_min(&world)), (Some(17), 17));
    // The same while its policy is away for a moment: it has ten minutes of its own.
    let spec = world.policy(&web()).clone();
    world.remove_policy(&web());
    release(&mut world);
    assert_eq!((world.store.floor(&web_target()), hpa_min(&world)), (Some(17), 17));
    world.advance(minutes(5));
    world.add_policy(&web(), spec);
    world.settle();
    assert_eq!((world.store.floor(&web_target()), hpa_min(&world)), (Some(17), 17));
}
