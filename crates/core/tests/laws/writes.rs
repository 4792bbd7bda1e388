//! Which writes follow from a floor, what each waits for, and what none of them may touch.

use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{
    Action, Bounds, Engine, Event, Mode, Outcome, Override, Policy, PolicyKey, Problem, Standing, Write,
};

use crate::world::cluster::{Hpa, Pods};
use crate::world::history::{CAPACITY, minutes, policy, web, web_target};
use crate::world::source::Fault;
use crate::world::{Api, World};

/// Settled at a floor of 17, over an HPA with the bounds 3..100, or without one under Autoscale.
fn settled(mode: Mode) -> World {
    let mut world = World::new();
    let hpa = (mode == Mode::Guard).then(|| Hpa::new(3, 100, Duration::ZERO));
    world.add_target(&web_target(), Pods::new("web", 20, Duration::ZERO), hpa);
    world.add_policy(&web(), Policy { mode, depends_on: Vec::new(), ..policy() });
    world.truth(&web()).load = 13.0 * CAPACITY;
    world.run(minutes(120));
    assert_eq!(world.store.floor(&web_target()), Some(17));
    world
}

/// What kinds of writes there are, in their order.
fn kinds(writes: &[Write]) -> Vec<&'static str> {
    let kind = |write: &Write| match write {
        Write::Floors { .. } => "floors",
        Write::Replicas(_) => "replicas",
        Write::Bounds(_) => "bounds",
    };
    writes.iter().map(kind).collect()
}

fn pin(world: &mut World, replicas: u32, span: Duration) {
    let (from, until) = (world.now, world.now.plus(span));
    world.order(&web(), vec![Override { name: "order".into(), action: Action::Pin(replicas), from, until }]);
}

/// Another engine takes over and is told what a watch tells at its start. Nothing is polled yet.
fn next_leader(world: &mut World, epoch: u64) {
    world.engine = Engine::new(epoch);
    world.epoch = epoch;
    world.tell_table(&"shop".into());
    let policy = Arc::new(world.policy(&web()).clone());
    world.engine.observe(Event::Policy(web(), policy), world.now);
    world.tell_all_targets();
}

#[test]
fn a_raise_waits_for_nothing() {
    let mut world = settled(Mode::Guard);
    world.truth(&web()).load = 20.0 * CAPACITY;
    world.advance(Duration::from_secs(15));
    world.sample(&web(), None);
    let writes = world.engine.poll(world.now);
    assert_eq!(kinds(&writes), ["floors", "replicas", "bounds"], "all three at once: {writes:?}");
    assert!(matches!(&writes[2], Write::Bounds(bounds) if !bounds.unpins), "no maximum of ours is taken back");
    // What has landed stands, though no watch has told of it yet; what failed does not.
    for (write, outcome) in writes.iter().zip([Outcome::Done, Outcome::Done, Outcome::Failed]) {
        world.engine.acknowledged(write, outcome, world.now);
    }
    let later = world.now.plus(Duration::from_secs(1));
    let again = world.engine.poll(later);
    assert_eq!(kinds(&again), ["bounds"]);
    world.engine.acknowledged(&again[0], Outcome::Done, later);
    assert_eq!(world.engine.poll(later), []);
}

#[test]
fn a_lower_minimum_waits_for_the_row() {
    let mut world = settled(Mode::Guard);
    pin(&mut world, 9, minutes(60));
    let kinds = kinds(&world.wrote.iter().map(|(_, write, _)| write.clone()).collect::<Vec<_>>());
    assert!(kinds.ends_with(&["floors", "bounds"]), "{kinds:?}");
    let bounds = world.hpas[&web_target()].bounds();
    assert_eq!(bounds, Bounds { min: 9, max: 9 });
}

#[test]
fn a_new_leader_lowers_nothing_before_it_has_claimed_the_floor() {
    let mut world = settled(Mode::Guard);
    // The one before had stored a lower floor, and went before it lowered the scaler's minimum.
    let row = world.store.row(&web_target()).unwrap().clone();
    world.store.write(&[(web_target(), Standing { replicas: 14, seq: row.seq + 1, ..row })], &[]).unwrap();
    next_leader(&mut world, 9);
    let writes = world.engine.poll(world.now);
    assert_eq!(kinds(&writes), ["floors"], "{writes:?}");
    world.engine.acknowledged(&writes[0], Outcome::Done, world.now);
    assert_eq!(kinds(&world.engine.poll(world.now)), ["bounds"]);
}

#[test]
fn a_new_leader_gives_the_maximum_back_without_waiting() {
    let mut world = settled(Mode::Guard);
    pin(&mut world, 3, minutes(60));
    assert_eq!(world.hpas[&web_target()].bounds(), Bounds { min: 3, max: 3 });
    // The order ends while nobody leads. The minimum stays as it is: nothing of this write lowers.
    next_leader(&mut world, 9);
    let writes = world.engine.poll(world.now);
    assert_eq!(kinds(&writes), ["floors", "bounds"], "{writes:?}");
}

#[test]
fn a_pin_where_floorkeeper_is_the_scaler_is_the_number_of_replicas() {
    for (mut world, replicas) in [5, 17, 25].map(|replicas| (settled(Mode::Autoscale), replicas)) {
        pin(&mut world, replicas, minutes(60));
        assert_eq!(world.pods[&web_target()].replicas, replicas);
    }
}

#[test]
fn only_the_end_of_a_pin_takes_its_maximum_back() {
    let mut world = settled(Mode::Guard);
    let mut unpins = |span: Duration| {
        pin(&mut world, 9, span);
        world.advance(span);
        world.settle();
        let bounds = world.wrote.drain(..).filter_map(|(_, write, _)| match write {
            Write::Bounds(bounds) => Some((bounds.bounds.max, bounds.unpins)),
            Write::Floors { .. } | Write::Replicas(_) => None,
        });
        bounds.collect::<Vec<_>>()
    };
    unpins(Duration::ZERO);
    assert_eq!(unpins(minutes(1)), [(9, false), (100, true)]);
}

#[test]
fn a_table_that_stays_behind_is_believed_after_ten_seconds() {
    let mut world = settled(Mode::Guard);
    let row = world.store.row(&web_target()).unwrap().clone();
    let behind = |world: &mut World, api| {
        world.api = api;
        let rows = vec![(web_target(), Standing { replicas: 9, seq: row.seq - 1, ..row.clone() })];
        world.engine.observe(Event::Table { namespace: "shop".into(), rows }, world.now);
        world.settle();
    };
    behind(&mut world, Api::Up);
    assert_eq!(world.engine.next_wake(), world.now.plus(Duration::from_secs(10)));
    world.advance(Duration::from_secs(10));
    let (_, write, _) = world.wrote.last().unwrap();
    assert!(matches!(write, Write::Floors { rows, .. } if rows[0].1.replicas == 17), "what stands is told once more");
    // At that moment a write of its own waits for its next try.
    world.truth(&web()).load = 20.0 * CAPACITY;
    world.advance(Duration::from_secs(15));
    world.sample(&web(), None);
    behind(&mut world, Api::Failing);
    world.advance(Duration::from_secs(14));
    behind(&mut world, Api::Up);
    world.advance(Duration::from_secs(20));
    assert_eq!(world.store.floor(&web_target()), Some(25));
}

#[test]
fn nothing_is_written_before_the_target_was_seen() {
    let mut world = settled(Mode::Guard);
    let policy = Arc::new(world.policy(&web()).clone());
    world.engine = Engine::new(9);
    world.tell_table(&"shop".into());
    world.engine.observe(Event::Policy(web(), policy), world.now);
    assert_eq!(world.engine.poll(world.now), []);
    world.tell_all_targets();
    assert_eq!(kinds(&world.engine.poll(world.now)), ["floors"]);
}

#[test]
fn replicas_above_the_floor_are_lowered_only_with_a_proof() {
    let mut world = settled(Mode::Autoscale);
    let blind = |world: &mut World| world.tick_with(|_| Some(Fault::Empty));
    blind(&mut world);
    world.foreign_scale(&web_target(), 25);
    (0..80).for_each(|_| blind(&mut world));
    assert_eq!(world.pods[&web_target()].replicas, 25, "nothing is known");
    world.truth(&web()).errors = 0.5;
    world.run(minutes(30));
    assert_eq!(world.pods[&web_target()].replicas, 25, "half of the work fails");
    world.truth(&web()).errors = 0.0;
    world.run(minutes(120));
    assert_eq!(world.pods[&web_target()].replicas, 17);
}

#[test]
fn a_pin_at_zero_under_guard_is_written_to_the_replicas_once() {
    let mut world = settled(Mode::Guard);
    let before = world.wrote.len();
    pin(&mut world, 0, minutes(60));
    world.run(minutes(30));
    assert_eq!(world.pods[&web_target()].replicas, 0);
    assert_eq!(world.hpas[&web_target()].bounds(), Bounds { min: 1, max: 1 }, "an HPA knows no zero");
    let writes: Vec<_> = world.wrote[before..].iter().map(|(_, write, _)| write.clone()).collect();
    assert_eq!(kinds(&writes).iter().filter(|kind| **kind == "replicas").count(), 1, "{writes:?}");
    let place = |wanted: &str| kinds(&writes).iter().position(|kind| *kind == wanted);
    assert!(place("floors") < place("replicas"), "the row first: {writes:?}");
}

#[test]
fn the_bounds_of_our_own_hpa_are_the_floor_and_the_policys_maximum() {
    let mut world = World::new();
    let mut hpa = Hpa::new(5, 40, Duration::ZERO);
    hpa.owned = true;
    world.add_target(&web_target(), Pods::new("web", 5, Duration::ZERO), Some(hpa));
    let spec = Policy { mode: Mode::AutoscaleUtilization, depends_on: Vec::new(), ..policy() };
    world.add_policy(&web(), spec);
    world.truth(&web()).load = 13.0 * CAPACITY;
    world.run(minutes(1));
    assert_eq!(world.hpas[&web_target()].bounds(), Bounds { min: 17, max: 60 });
    assert_eq!(world.hpas[&web_target()].kept, None, "there is no owner to give anything back to");
}

#[test]
fn a_policy_that_never_kept_its_target_leaves_nothing_when_it_goes() {
    for mode in [Mode::AutoscaleUtilization, Mode::Autoscale] {
        let mut world = World::new();
        let mut hpa = Hpa::new(3, 100, Duration::ZERO);
        hpa.wish = 20;
        world.add_target(&web_target(), Pods::new("web", 20, Duration::ZERO), Some(hpa));
        world.add_policy(&web(), Policy { mode, depends_on: Vec::new(), ..policy() });
        world.truth(&web()).load = 13.0 * CAPACITY;
        world.run(minutes(20));
        assert_eq!(world.decision(&web()).problem, Some(Problem::ScalerExists));
        world.remove_policy(&web());
        // What its HPA does now is nobody's business but its owner's.
        world.foreign_scale(&web_target(), 4);
        world.advance(minutes(11));
        world.settle();
        assert_eq!(world.wrote, [], "{mode:?}");
        assert_eq!(world.engine.targets().count(), 0, "{mode:?}");
    }
}

#[test]
fn an_hpa_that_came_later_and_is_not_ours_keeps_its_bounds() {
    let mut world = World::new();
    let mut hpa = Hpa::new(5, 40, Duration::ZERO);
    hpa.owned = true;
    world.add_target(&web_target(), Pods::new("web", 5, Duration::ZERO), Some(hpa));
    world.add_policy(&web(), Policy { mode: Mode::AutoscaleUtilization, depends_on: Vec::new(), ..policy() });
    world.truth(&web()).load = 13.0 * CAPACITY;
    world.run(minutes(1));
    world.hpas.insert(web_target(), Hpa::new(3, 30, Duration::ZERO));
    world.tell_all_targets();
    world.settle();
    assert_eq!(world.decision(&web()).problem, Some(Problem::ScalerExists));
    world.remove_policy(&web());
    world.advance(minutes(11));
    world.settle();
    assert_eq!(world.hpas[&web_target()].bounds(), Bounds { min: 3, max: 30 });
    assert_eq!(world.store.row(&web_target()), None);
}

#[test]
fn an_old_leader_lowers_nothing_whoever_orders_it_and_adds_what_it_knows() {
    let mut world = settled(Mode::Guard);
    let row = Standing { epoch: 9, seq: 500, ..world.store.row(&web_target()).unwrap().clone() };
    world.store.write(&[(web_target(), row)], &[]).unwrap();
    world.tell_table(&"shop".into());
    world.settle();
    // The onset of trouble changes the row and not the floor: in the epoch that stands there it is not refused.
    world.truth(&web()).errors = 0.5;
    world.tick();
    let stored = world.store.row(&web_target()).unwrap();
    assert_eq!((stored.replicas, stored.epoch, stored.doubt.is_some()), (17, 9, true));
    // A person's order is the next leader's to obey.
    pin(&mut world, 5, minutes(60));
    world.run(minutes(5));
    assert_eq!(world.store.floor(&web_target()), Some(17));
    assert_eq!(world.hpas[&web_target()].min, 17);
}

#[test]
fn every_row_is_newer_than_the_one_before_it() {
    let mut world = settled(Mode::Guard);
    let old = world.store.row(&web_target()).unwrap().clone();
    // From now on it only observes; nobody leads when that is told.
    next_leader(&mut world, 9);
    let spec = Policy { mode: Mode::Observe, ..world.policy(&web()).clone() };
    world.engine.observe(Event::Policy(web(), spec.into()), world.now);
    let mut rows = vec![old];
    for _ in 0..4 {
        for write in world.engine.poll(world.now) {
            world.engine.acknowledged(&write, Outcome::Done, world.now);
            if let Write::Floors { rows: written, .. } = &write {
                rows.extend(written.iter().map(|(_, row)| row.clone()));
            }
            if let Write::Bounds(bounds) = &write {
                world.hpas.get_mut(&web_target()).unwrap().write(bounds.bounds, bounds.kept);
            }
        }
        world.tell_all_targets();
    }
    assert!(rows.last().is_some_and(|row| row.released), "{rows:?}");
    assert!(rows.is_sorted_by_key(|row| (row.epoch, row.seq)), "{rows:?}");
    assert_eq!(rows.last().map(|row| row.epoch), Some(9), "no late write of the one before lands after it");
    assert!(rows.windows(2).all(|two| two[0].seq < two[1].seq), "{rows:?}");
}

/// Another policy on the same target.
fn other() -> PolicyKey {
    PolicyKey::new("shop", "other")
}

#[test]
fn what_was_written_is_known_without_being_told() {
    let mut world = settled(Mode::Guard);
    let spec = world.policy(&web()).clone();
    world.remove_policy(&web());
    world.pods.get_mut(&web_target()).unwrap().replicas = 5;
    world.tell_all_targets();
    // No table is told: the floor that this engine itself has written is what the next policy takes over.
    world.engine.observe(Event::Policy(other(), spec.into()), world.now);
    world.engine.poll(world.now);
    assert_eq!(world.decision(&other()).floor, 17);
}
