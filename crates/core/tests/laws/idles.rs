//! A scaler that goes below its own minimum when its triggers are quiet (KEDA's `idleReplicaCount`): the minimum alone is no
//! floor there.

use floorkeeper_core::{Bounds, Idle, Kept, Notice, ScalerBounds, ScalerKind, Write};

use crate::story::Story;
use crate::world::World;
use crate::world::cluster::Hpa;
use crate::world::history::{CAPACITY, minutes, web, web_target};
use crate::world::source::Fault;

const OWNER: Bounds = Bounds { min: 3, max: 60 };

/// A ScaledObject of 3 to 60, and of none when it is quiet, under a load of 13 replicas.
fn settled() -> World {
    let mut story = Story::begin(17, |_| {});
    let hpa = object(&mut story.world);
    (hpa.kind, hpa.idle) = (ScalerKind::ScaledObject, Some(Idle { replicas: 0, awake: false }));
    story.world.tell_all_targets();
    story.world.truth(&web()).load = 13.0 * CAPACITY;
    story.world.run(minutes(90));
    story.world.notices.clear();
    story.world
}

fn object(world: &mut World) -> &mut Hpa {
    world.hpas.get_mut(&web_target()).unwrap()
}

#[test]
fn it_is_kept_awake_above_its_idle_count_and_may_sleep_when_there_is_nothing_to_do() {
    let mut world = settled();
    let applied = Bounds { min: 17, ..OWNER };
    assert_eq!(object(&mut world).kept, Some(Kept { original: OWNER, applied, awake: true }));
    // Its triggers read nothing, and so does the source: it would sleep if it could.
    object(&mut world).wish = 0;
    for _ in 0..200 {
        world.tick_with(|_| Some(Fault::Empty));
        assert_eq!(world.pods[&web_target()].replicas, 17);
    }
    // A true zero: the floor comes down, past its minimum, and then it sleeps.
    world.truth(&web()).load = 0.0;
    let (mut awake, end) = (0, world.now.plus(minutes(48 * 60)));
    while world.pods[&web_target()].replicas > 0 {
        world.tick();
        let floor = world.store.floor(&web_target()).unwrap();
        assert!(world.pods[&web_target()].replicas >= floor);
        let object = object(&mut world);
        assert!(object.min >= OWNER.min, "its own minimum is never lowered");
        awake += u32::from(floor < OWNER.min && object.idle.unwrap().awake);
        assert!(world.decision(&web()).floor < 18);
        assert!(world.now < end, "it never sleeps: {:?}", world.decision(&web()));
    }
    assert!(awake > 0, "between its idle count and its minimum it is kept awake, though the minimum is its owner's");
    assert_eq!(world.decision(&web()).min, 0);
    assert_eq!((object(&mut world).bounds(), object(&mut world).kept), (OWNER, None), "nothing of ours stands there");
    // And is woken by the first load.
    world.truth(&web()).load = 2.0 * CAPACITY;
    world.run(minutes(2));
    assert!(object(&mut world).idle.unwrap().awake);
    assert!(world.pods[&web_target()].replicas >= 2);
}

#[test]
fn who_lets_it_sleep_again_is_told_and_undone() {
    let mut world = settled();
    object(&mut world).idle = Some(Idle { replicas: 0, awake: false });
    world.tell_all_targets();
    world.settle();
    assert!(object(&mut world).idle.unwrap().awake);
    let told = |notice: &Notice| matches!(notice, Notice::Overwritten { found: 0, floor: 17, .. });
    assert!(world.notices.iter().any(|(_, _, notice)| told(notice)), "{:?}", world.notices);
}

#[test]
fn it_may_not_sleep_before_a_floor_that_low_is_stored() {
    let mut world = settled();
    object(&mut world).wish = 0;
    world.truth(&web()).load = 0.0;
    let (mut slept, end) = (false, world.now.plus(minutes(48 * 60)));
    while !slept {
        world.tick();
        slept = !object(&mut world).idle.unwrap().awake;
        let stored = world.store.floor(&web_target()).unwrap();
        assert!(!slept || stored == 0, "it may sleep, and {stored} is the stored floor");
        assert!(world.now < end);
    }
    assert!(last_bounds(&world).lowers, "it is a lowering though the minimum stays");
}

#[test]
fn to_raise_one_that_is_kept_awake_lowers_nothing() {
    let mut world = settled();
    world.truth(&web()).load = 20.0 * CAPACITY;
    world.tick();
    assert_eq!((object(&mut world).min, last_bounds(&world).lowers), (25, false));
}

/// The last write of its bounds.
fn last_bounds(world: &World) -> &ScalerBounds {
    let bounds = world.wrote.iter().rev().find_map(|(_, write, _)| match write {
        Write::Bounds(bounds) => Some(bounds),
        Write::Floors { .. } | Write::Replicas(_) => None,
    });
    bounds.unwrap()
}

#[test]
fn an_owner_who_says_a_minimum_in_the_policy_is_believed() {
    let mut story = Story::begin(17, |policy| policy.min_replicas = Some(5));
    object(&mut story.world).idle = Some(Idle { replicas: 0, awake: false });
    story.world.tell_all_targets();
    story.world.truth(&web()).load = 0.0;
    story.world.run(minutes(24 * 60));
    assert_eq!(story.world.store.floor(&web_target()), Some(5));
    assert!(object(&mut story.world).idle.unwrap().awake);
}
