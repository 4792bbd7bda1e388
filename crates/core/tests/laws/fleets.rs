//! Many policies of one source: the brake, and a rise that they share.

use std::time::Duration;

use floorkeeper_core::{Mode, Notice, Policy, PolicyKey, TargetKey};

use crate::world::World;
use crate::world::cluster::{Hpa, Pods};
use crate::world::history::{CAPACITY, fleet, minutes, named, policy, shops};

#[test]
fn nine_namespaces_read_one_source_and_three_of_them_fall() {
    let (mut world, fleet) = fleet(shops(9));
    world.notices.clear();
    // Six fall a little, as in the evening; three fall to nothing.
    for (n, (key, _)) in fleet.iter().enumerate() {
        world.truth(key).load = if n < 3 { 0.0 } else { 10.0 * CAPACITY };
    }
    world.tick();
    assert_eq!(brakes(&world), ["began 3 of 9"], "one alert, not nine");
    world.run(minutes(60) - Duration::from_secs(30));
    for (key, target) in &fleet {
        assert_eq!(world.store.floor(target), Some(17), "{key} is lowered while the brake is on");
    }
    // Telling a policy again, as a watch does that starts anew, lets nothing go.
    let spec = world.policy(&fleet[0].0).clone();
    world.engine.observe(floorkeeper_core::Event::Policy(fleet[0].0.clone(), spec.into()), world.now);
    world.settle();
    assert_eq!(brakes(&world).len(), 1);
    world.run(minutes(30));
    assert_eq!(brakes(&world), ["began 3 of 9", "ended"]);
    for (n, (key, target)) in fleet.iter().enumerate() {
        let floor = world.store.floor(target);
        let expected = if n < 3 { 14 } else { 13 };
        assert_eq!(floor, Some(expected), "{key}: kept at 80 % of its own fall, or where an evening takes it");
    }
}

/// Nine namespaces, settled at a floor of 17; the last three fall to nothing.
fn the_last_three_of_nine_fall() -> (World, Vec<(PolicyKey, TargetKey)>) {
    let (mut world, fleet) = fleet(shops(9));
    world.notices.clear();
    for (key, _) in &fleet[6..] {
        world.truth(key).load = 0.0;
    }
    (world, fleet)
}

/// What was told of the brake, in its order.
fn brakes(world: &World) -> Vec<String> {
    let told = world.notices.iter().filter_map(|(_, _, notice)| match notice {
        Notice::BrakeBegan { namespaces, of, .. } => Some(format!("began {namespaces} of {of}")),
        Notice::BrakeEnded { .. } => Some("ended".to_owned()),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_brake_ends_in_its_time_whoever_is_looked_at_first() {
    let (mut world, fleet) = the_last_three_of_nine_fall();
    for (key, _) in &fleet[..6] {
        world.truth(key).load = 10.0 * CAPACITY;
    }
    world.run(minutes(90));
    assert_eq!(brakes(&world), ["began 3 of 9", "ended"], "the same falls trip it once");
    for (key, target) in &fleet[..6] {
        assert_eq!(world.store.floor(target), Some(13), "{key} follows its evening again");
    }
}

#[test]
fn the_end_of_a_brake_is_told_where_the_loads_are_back_since_long() {
    let (mut world, fleet) = the_last_three_of_nine_fall();
    world.run(minutes(5));
    for (key, _) in &fleet[6..] {
        world.truth(key).load = 13.0 * CAPACITY;
    }
    world.run(minutes(50));
    assert_eq!(brakes(&world), ["began 3 of 9"]);
    world.run(minutes(10));
    assert_eq!(brakes(&world), ["began 3 of 9", "ended"]);
}

#[test]
fn a_fall_that_is_counted_already_counts_again_when_fewer_read_the_source() {
    let (mut world, fleet) = fleet(shops(10));
    for (key, _) in &fleet[..3] {
        world.truth(key).load = 0.0;
    }
    world.run(minutes(1));
    assert_eq!(brakes(&world), [""; 0], "three of ten are no third");
    world.remove_policy(&fleet[9].0);
    world.tick();
    assert_eq!(brakes(&world), ["began 3 of 9"], "three of nine are");
}

#[test]
fn who_is_gone_has_no_vote() {
    let (mut world, fleet) = the_last_three_of_nine_fall();
    // Another policy in the namespace of one that falls: the namespace stays, its vote goes.
    let (key, target) = (PolicyKey::new("shop-8", "api"), TargetKey::new("shop-8", "deployments.apps", "api"));
    world.add_target(&target, Pods::new("api", 17, Duration::ZERO), Some(Hpa::new(3, 60, Duration::ZERO)));
    world.add_policy(&key, Policy { target, depends_on: Vec::new(), ..policy() });
    world.truth(&key).load = 13.0 * CAPACITY;
    world.truth(&fleet[6].0).load = 13.0 * CAPACITY;
    world.truth(&fleet[7].0).load = 13.0 * CAPACITY;
    world.run(minutes(1));
    world.remove_policy(&fleet[8].0);
    world.truth(&fleet[6].0).load = 0.0;
    world.truth(&fleet[7].0).load = 0.0;
    world.run(minutes(1));
    assert_eq!(brakes(&world), [""; 0]);
}

#[test]
fn two_of_nine_fall_and_nobody_else_is_held() {
    let (mut world, fleet) = fleet(shops(9));
    for (n, (key, _)) in fleet.iter().enumerate() {
        world.truth(key).load = if n < 2 { 0.0 } else { 10.0 * CAPACITY };
    }
    world.run(minutes(45));
    for (n, (key, target)) in fleet.iter().enumerate() {
        let floor = world.store.floor(target).unwrap();
        assert_eq!(floor == 17, n < 2, "{key} stands at {floor}");
    }
    assert!(!world.notices.iter().any(|(_, _, notice)| matches!(notice, Notice::BrakeBegan { .. })));
}

#[test]
fn a_rise_that_many_share_is_told_once() {
    let mut world = World::new();
    let fleet: Vec<_> = shops(12).map(|namespace| named(&namespace)).collect();
    for (key, target) in &fleet {
        world.add_target(target, Pods::new("web", 4, Duration::ZERO), None);
        let mode = Mode::Autoscale;
        world.add_policy(key, Policy { target: target.clone(), depends_on: Vec::new(), mode, ..policy() });
        world.truth(key).load = 3.0 * CAPACITY;
    }
    // One that reads another source rises as steeply, and one in the fleet by less than twice.
    let (lone, small) = (&fleet[0].0, &fleet[1].0);
    world.edit_policy(lone, |policy| policy.source = "another".into());
    world.run(minutes(15));
    world.notices.clear();
    for (key, _) in &fleet {
        world.truth(key).load = if key == small { 4.0 } else { 40.0 } * CAPACITY;
    }
    world.tick();
    world.tick();
    for (key, steep) in [(lone, true), (small, false)] {
        let own = world.notices.iter().filter(|(_, of, notice)| {
            of == key && matches!(notice, Notice::Raised { from, to, .. } if (*to > from * 2) == steep)
        });
        assert_eq!(own.count(), 1, "{key} is told for itself");
    }
    world.notices.retain(|(_, key, _)| key != lone && key != small);
    let shared: Vec<_> = world.notices.iter().map(|(_, _, notice)| notice).collect();
    let steep = |notice: &&&Notice| matches!(notice, Notice::Raised { from, to, .. } if *to > from * 2);
    assert_eq!(shared.iter().filter(steep).count(), 0, "{shared:?}");
    let told = shared.iter().filter(|notice| matches!(notice, Notice::SharedRise { policies: 10, .. })).count();
    assert_eq!(told, 1, "{shared:?}");
    for (key, target) in &fleet {
        assert_eq!(world.pods[target].replicas, if key == small { 5 } else { 50 });
    }
}

#[test]
fn a_fall_votes_for_as_long_as_it_is_held() {
    let tick = Duration::from_secs(15);
    for (later, trips) in [(minutes(60) - tick, true), (minutes(60), false)] {
        let (mut world, fleet) = fleet(shops(9));
        world.notices.clear();
        for (key, _) in &fleet[..2] {
            world.truth(key).load = 0.0;
        }
        world.tick();
        world.run(later - tick);
        world.truth(&fleet[2].0).load = 0.0;
        world.tick();
        assert_eq!(!brakes(&world).is_empty(), trips, "the third falls {later:?} later");
    }
}
