//! What a running process learns from, minute by minute, and what it does with it.

use std::time::Duration;

use floorkeeper_core::{Event, Mode, Signal, Timestamp};

use crate::learned::told;
use crate::world::World;
use crate::world::history::{CAPACITY, minutes, policy, web, web_target};
use crate::world::source::{Fault, sample};

/// Two weeks of 20 replicas' worth of load (25 with headroom) were told, and its window is full.
fn taught() -> World {
    let mut world = told(&policy(), |_| Some(20.0));
    world.run(minutes(15));
    world
}

/// Minutes of today that something was learned from.
fn learned(world: &World) -> u32 {
    world.engine.learned(&web()).unwrap().days.last().unwrap().minutes
}

/// How many of the next thirty minutes teach.
fn teaching(world: &mut World, fault: Option<Fault>) -> u32 {
    let before = learned(world);
    let end = world.now.plus(minutes(30));
    while world.now < end {
        world.tick_with(|_| fault);
    }
    learned(world) - before
}

#[test]
fn a_window_that_is_not_full_teaches_nothing() {
    let mut world = told(&policy(), |_| Some(20.0));
    let before = learned(&world);
    world.run(minutes(9));
    assert_eq!(learned(&world), before);
    world.run(minutes(10));
    assert_eq!(learned(&world), before + 9);
}

#[test]
fn trouble_teaches_nothing_while_it_lasts() {
    assert_eq!(teaching(&mut taught(), None), 30);
    let mut failing = taught();
    failing.truth(&web()).errors = 0.5;
    let mut unready = taught();
    unready.pods.get_mut(&web_target()).unwrap().broken = 12;
    // It may begin with one tick.
    assert_eq!((teaching(&mut failing, None), teaching(&mut unready, None)), (0, 0));
    assert_eq!(teaching(&mut taught(), Some(Fault::NoErrors)), 0, "it may fail, for all that is known");
}

#[test]
fn another_headroom_makes_other_needs_of_what_was_learned() {
    let mut world = taught();
    let noon = |world: &World| world.engine.learned(&web()).unwrap().days[3].hours[12].unwrap();
    assert!((noon(&world) - 25.0).abs() < 0.05);
    world.edit_policy(&web(), |policy| policy.headroom_percent = 50);
    assert!((noon(&world) - 30.0).abs() < 0.05, "{}", noon(&world));
    // Any other edit leaves it as it is.
    world.edit_policy(&web(), |policy| policy.verify_for = minutes(3));
    assert!((noon(&world) - 30.0).abs() < 0.05);
}

#[test]
fn a_usual_fall_is_followed_without_a_pace() {
    let load = |at: Timestamp| if (at.0 / 3_600_000).is_multiple_of(2) { 20.0 } else { 12.0 };
    let mut world = told(&policy(), |at| Some(load(at)));
    assert_eq!(world.policy(&web()).mode, Mode::Autoscale);
    // At noon it is high; an hour later it falls, as it does every other hour.
    world.truth(&web()).load = 20.0 * CAPACITY;
    world.run(minutes(59));
    assert_eq!(world.store.floor(&web_target()), Some(25));
    world.truth(&web()).load = 12.0 * CAPACITY;
    world.run(minutes(16) + Duration::from_secs(30));
    assert_eq!(
        world.store.floor(&web_target()),
        Some(15),
        "25, 19, 15: a quarter a step, each watched for two minutes"
    );
}

#[test]
fn two_signals_teach_once_both_are_told() {
    let mut world = told(&policy(), |_| None);
    world.edit_policy(&web(), |policy| {
        let another = Signal { name: "queue".into(), ..policy.signals[0].clone() };
        policy.signals.push(another);
    });
    let now = world.now;
    let days = |world: &World| world.engine.learned(&web()).unwrap().days.len();
    for (place, taught) in [(0, false), (1, true)] {
        let past = (0..2 * 288).map(|n| sample(100.0, now.minus(minutes(n * 5)))).rev().collect();
        world.engine.observe(Event::Past(web(), place, past), now);
        assert_eq!(days(&world) > 1, taught, "after {place}");
    }
}
