//! What a running process learns from, minute by minute, and what it does with it.

use std::time::Duration;

use floorkeeper_core::{Doubt, Event, Guard, Mode, Signal, Timestamp};

use crate::learned::{NOON, told};
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

/// Crowds that come to a load of eight replicas' worth, and leave: within so many minutes. Whether that is unusual.
fn a_crowd_leaves_within(minutes_: u64) -> bool {
    let mut world = told(&policy(), |_| Some(8.0));
    let (crowd, ordinary) = (28.0, 8.0);
    world.truth(&web()).load = ordinary * CAPACITY;
    world.run(minutes(15));
    world.truth(&web()).load = crowd * CAPACITY;
    world.run(minutes(60));
    for minute in 1..=minutes_ {
        world.truth(&web()).load = (crowd - (crowd - ordinary) * minute as f64 / minutes_ as f64) * CAPACITY;
        world.run(minutes(1));
    }
    world.run(minutes(15));
    let unusual = world.decision(&web()).doubts.iter().any(|doubt| matches!(doubt, Doubt::UnusualFall { .. }));
    assert_eq!(world.store.floor(&web_target()) > Some(20), unusual, "it is held, or let go");
    unusual
}

#[test]
fn a_crowd_that_leaves_slowly_is_over_and_one_that_is_gone_at_once_may_be_lost() {
    assert!(!a_crowd_leaves_within(150));
    assert!(a_crowd_leaves_within(2));
}

#[test]
fn after_a_quieter_day_less_is_usual_but_not_after_an_outage() {
    let hour = |left: f64| {
        let yesterday = |at: Timestamp| at >= NOON.minus(minutes(24 * 60));
        let mut world = told(&policy(), |at| Some(if yesterday(at) { 20.0 * left } else { 20.0 }));
        world.run(minutes(15));
        world.decision(&web()).usual.and_then(|usual| usual.hour).unwrap()
    };
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 0.1, "{found} for {expected}");
    near(hour(1.0), 25.0);
    near(hour(0.75), 0.75 * 25.0);
    // An hour of it is an outage, sixteen were kept for `keepFor` and found true: no day takes more than half.
    near(hour(0.3), 0.5 * 25.0);
}

#[test]
fn a_fall_in_a_quiet_hour_is_kept_at_what_the_hour_needs() {
    let load = |at: Timestamp| if (2..4).contains(&(at.0 % 86_400_000 / 3_600_000)) { 150.0 } else { 12.0 };
    let mut world = told(&policy(), |at| Some(load(at)));
    world.run(minutes(90));
    world.truth(&web()).load = 14.0 * CAPACITY;
    world.run(minutes(30));
    world.truth(&web()).load = 0.0;
    world.run(minutes(60 * 3));
    let decision = world.decision(&web());
    // Eighteen were needed before it. Fifteen are usual at this hour: four fifths of them are kept.
    assert!(matches!(decision.doubts[..], [Doubt::UnusualFall { before: 18, .. }]), "{:?}", decision.doubts);
    assert_eq!((decision.floor, decision.guard), (12, Guard::UsualDay));
}
