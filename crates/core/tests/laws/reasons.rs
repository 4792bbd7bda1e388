//! What is in the way of a decision, by its name and its numbers.

use std::time::Duration;

use floorkeeper_core::{
    Bid, Bounds, Doubt, Event, Guard, Hold, Kept, Mode, Notice, Policy, Problem, Rollout, Signal, Standing, Trust,
    Unknown, Verdict,
};

use crate::story::Story;
use crate::world::World;
use crate::world::cluster::{Hpa, Pods};
use crate::world::history::{CAPACITY, minutes, policy, web, web_target, writer};
use crate::world::source::Fault;

/// Settled at a load of 13 replicas, with a dependency of four pods.
fn settled(edit: impl FnOnce(&mut Policy)) -> World {
    let mut story = Story::begin(17, edit);
    story.world.add_target(&writer(), Pods::new("writer", 4, Duration::ZERO), None);
    story.world.truth(&web()).load = 13.0 * CAPACITY;
    story.world.run(minutes(90));
    story.world.notices.clear();
    story.world
}

fn depends(policy: &mut Policy) {
    policy.depends_on = vec![writer()];
}

fn in_trouble(world: &World) -> bool {
    world.decision(&web()).doubts.iter().any(Doubt::is_trouble)
}

#[test]
fn a_dependency_fails_when_many_of_its_pods_do() {
    let mut world = settled(depends);
    world.pods.get_mut(&writer()).unwrap().broken = 1;
    world.tick();
    assert!(!in_trouble(&world), "one of four is noise");
    world.pods.get_mut(&writer()).unwrap().broken = 2;
    world.tick();
    assert_eq!(world.decision(&web()).doubts, [Doubt::Dependency { place: 0 }]);
    assert_eq!(world.decision(&web()).trust, Trust::Doubtful);
    world.pods.get_mut(&writer()).unwrap().broken = 0;
    world.tick();
    let settling = |doubt: &Doubt| matches!(doubt, Doubt::Settling { .. });
    assert!(world.decision(&web()).doubts.iter().all(settling), "{:?}", world.decision(&web()).doubts);
    world.run(minutes(10));
    assert_eq!(world.decision(&web()).doubts, []);
}

#[test]
fn what_runs_at_the_onset_of_trouble_is_held_and_no_more() {
    let mut world = settled(depends);
    let runs = |world: &mut World, replicas: u32| {
        world.hpas.get_mut(&web_target()).unwrap().wish = replicas;
        world.tick();
        assert_eq!(world.pods[&web_target()].replicas, replicas);
    };
    runs(&mut world, 25);
    world.pods.get_mut(&writer()).unwrap().broken = 2;
    world.tick();
    let held = |world: &World| (world.decision(&web()).floor, world.decision(&web()).guard);
    assert_eq!(held(&world), (25, Guard::Held));
    runs(&mut world, 30);
    assert_eq!(held(&world), (25, Guard::Held), "no ratchet");
}

#[test]
fn a_dependency_that_is_scaled_to_zero_or_gone_fails() {
    let mut world = settled(depends);
    world.foreign_scale(&writer(), 0);
    assert!(in_trouble(&world));
    world.foreign_scale(&writer(), 4);
    world.advance(Duration::from_secs(1));
    world.settle();
    assert!(!in_trouble(&world));
    world.pods.remove(&writer());
    world.engine.observe(Event::Target(writer(), None), world.now);
    world.settle();
    assert!(in_trouble(&world));
}

#[test]
fn a_dependency_that_was_never_told_of_is_no_trouble() {
    let mut story = Story::begin(17, depends);
    story.load(13.0).minutes(12);
    assert!(!in_trouble(&story.world));
}

#[test]
fn unready_pods_are_counted_against_those_that_were_ready() {
    let mut world = settled(|_| {});
    world.pods.get_mut(&web_target()).unwrap().broken = 4;
    world.tick();
    assert!(!in_trouble(&world), "4 of 17 are 23 %");
    world.pods.get_mut(&web_target()).unwrap().broken = 5;
    world.tick();
    assert_eq!(world.decision(&web()).doubts, [Doubt::Unready { unready: 5, of: 17 }]);
}

#[test]
fn a_rollout_is_doubted_until_its_deadline_and_a_paused_one_not_at_all() {
    let mut world = settled(|_| {});
    world.pods.get_mut(&web_target()).unwrap().rollout = Rollout::Progressing { deadline: minutes(10) };
    world.tick();
    let until = world.now.plus(minutes(10));
    assert_eq!(world.decision(&web()).doubts, [Doubt::Rollout { until }]);
    assert_eq!(world.decision(&web()).trust, Trust::Trusted, "it says nothing against the readings");
    world.run(minutes(10) - Duration::from_secs(15));
    assert_eq!(world.decision(&web()).doubts.len(), 1);
    world.tick();
    assert_eq!(world.decision(&web()).doubts, []);
    world.pods.get_mut(&web_target()).unwrap().rollout = Rollout::Paused;
    world.tick();
    assert_eq!(world.decision(&web()).doubts, []);
}

#[test]
fn silence_is_no_information_once_the_last_sample_is_too_old() {
    let mut world = settled(|_| {});
    world.truth(&web()).load = 9.0 * CAPACITY;
    world.run(minutes(20));
    let floor = world.store.floor(&web_target());
    assert!(floor < Some(17), "on its way down");
    world.advance(Duration::from_secs(120));
    assert_eq!(world.decision(&web()).trust, Trust::Doubtful, "the window has a gap");
    world.advance(Duration::from_secs(30));
    let decision = world.decision(&web());
    assert_eq!(decision.trust, Trust::Blind);
    assert!(
        matches!(decision.hold, Some(Hold::Unknown { signal: Some(0), why: Unknown::Stale { age } }) if age > minutes(2)),
        "{decision:?}"
    );
    assert_eq!(decision.need, None);
    assert_eq!(decision.load, None);
    world.advance(minutes(300));
    assert!(world.store.floor(&web_target()) >= floor.map(|floor| floor - 1), "one step was due at most");
}

#[test]
fn what_is_wrong_with_the_surroundings() {
    let problem = |mode, hpa: Option<Hpa>, edit: fn(&mut Policy)| {
        let mut world = World::new();
        world.add_target(&web_target(), Pods::new("web", 5, Duration::ZERO), hpa);
        let mut policy = Policy { mode, depends_on: Vec::new(), ..policy() };
        edit(&mut policy);
        world.add_policy(&web(), policy);
        world.truth(&web()).load = 40.0 * CAPACITY;
        world.tick();
        world.tick();
        (world.decision(&web()).problem, !world.wrote.is_empty(), world.pods[&web_target()].replicas)
    };
    let hpa = || Some(Hpa::new(5, 100, Duration::ZERO));
    let owned = || {
        let mut hpa = Hpa::new(5, 100, Duration::ZERO);
        hpa.owned = true;
        Some(hpa)
    };
    let same = |_: &mut Policy| {};
    assert_eq!(problem(Mode::Guard, hpa(), same), (None, true, 50));
    assert_eq!(
        problem(Mode::Guard, None, same),
        (Some(Problem::ScalerNotFound), true, 50),
        "it is raised all the same"
    );
    assert_eq!(problem(Mode::Autoscale, None, same), (None, true, 50));
    assert_eq!(problem(Mode::Autoscale, hpa(), same), (Some(Problem::ScalerExists), false, 5));
    assert_eq!(problem(Mode::AutoscaleUtilization, hpa(), same), (Some(Problem::ScalerExists), false, 5));
    assert_eq!(problem(Mode::AutoscaleUtilization, owned(), same), (None, true, 50));
    assert_eq!(problem(Mode::Observe, hpa(), same), (None, false, 5));
    let crossed = |policy: &mut Policy| policy.min_replicas = Some(70);
    assert_eq!(problem(Mode::Guard, hpa(), crossed), (Some(Problem::BoundsCrossed), true, 60));
    let equal = |policy: &mut Policy| policy.min_replicas = Some(60);
    assert_eq!(problem(Mode::Guard, hpa(), equal), (None, true, 60));
    let beyond = |policy: &mut Policy| (policy.min_replicas, policy.max_replicas) = (Some(101), None);
    assert_eq!(problem(Mode::Guard, hpa(), beyond), (Some(Problem::BoundsCrossed), true, 100));
}

#[test]
fn a_target_that_does_not_exist_is_a_problem_and_its_floor_is_kept() {
    let mut world = settled(|_| {});
    world.engine.observe(Event::Target(web_target(), None), world.now);
    let written = world.wrote.len();
    world.engine.poll(world.now);
    let decision = world.decision(&web());
    assert_eq!((decision.problem, decision.hold), (Some(Problem::TargetNotFound), Some(Hold::NoTarget)));
    assert_eq!((decision.floor, world.wrote.len()), (17, written));
}

#[test]
fn the_younger_policy_is_told_that_it_does_not_own_the_target() {
    let mut world = settled(|_| {});
    let younger = floorkeeper_core::PolicyKey::new("shop", "younger");
    world.add_policy(&younger, Policy { created: world.now, depends_on: Vec::new(), ..policy() });
    world.truth(&younger).load = 20.0 * CAPACITY;
    world.tick();
    world.tick();
    assert_eq!(world.decision(&younger).problem, Some(Problem::NotOwner));
    let owner = world.decision(&web());
    assert_eq!((owner.problem, owner.floor, owner.guard), (None, 25, Guard::Peer));
}

#[test]
fn the_owner_of_the_hpa_keeps_the_say_over_its_bounds() {
    let mut world = settled(|policy| (policy.min_replicas, policy.max_replicas) = (None, None));
    let kept = |original: (u32, u32), applied: (u32, u32)| {
        let bounds = |(min, max)| Bounds { min, max };
        Some(Kept { original: bounds(original), applied: bounds(applied), awake: false })
    };
    assert_eq!(world.hpas[&web_target()].kept, kept((3, 60), (17, 60)));
    // Git applies its own minimum again: it is the owner's wish, and stays under the floor.
    world.hpas.get_mut(&web_target()).unwrap().min = 4;
    world.tell_all_targets();
    world.settle();
    assert_eq!(world.hpas[&web_target()].bounds(), Bounds { min: 17, max: 60 });
    assert_eq!(world.hpas[&web_target()].kept, kept((4, 60), (17, 60)));
    assert!(
        world.notices.iter().any(|(_, _, notice)| matches!(notice, Notice::Overwritten { found: 4, floor: 17, .. }))
    );
    // A higher minimum is the floor's new minimum.
    world.hpas.get_mut(&web_target()).unwrap().min = 21;
    world.tell_all_targets();
    world.tick();
    assert_eq!(world.decision(&web()).min, 21);
    assert_eq!(world.store.floor(&web_target()), Some(21));
    assert_eq!(world.hpas[&web_target()].kept, None, "nothing of ours stands there");
    // A lower maximum is obeyed at the pace of floors.
    world.hpas.get_mut(&web_target()).unwrap().max = 25;
    world.tell_all_targets();
    world.tick();
    assert_eq!(world.decision(&web()).max, 25);
}

#[test]
fn waiting_work_is_drained_in_time() {
    let queue = |policy: &mut Policy| {
        policy.signals = vec![Signal { drain_within: Some(minutes(10)), ..policy.signals[0].clone() }];
    };
    let mut world = settled(queue);
    assert_eq!(world.decision(&web()).floor, 17);
    // 6,000 pieces in ten minutes are ten a second: another replica, with headroom.
    world.truth(&web()).backlog = 6000.0;
    world.tick();
    let decision = world.decision(&web());
    assert_eq!((decision.floor, decision.guard), (18, Guard::Backlog));
    // An empty queue beside no load is a zero; a queue that is not known is not.
    world.truth(&web()).load = 0.0;
    world.tick();
    assert_eq!(world.store.row(&web_target()).unwrap().zero_since, None);
    world.truth(&web()).backlog = 0.0;
    world.tick();
    assert_eq!(world.store.row(&web_target()).unwrap().zero_since, Some(world.now));
    world.tick_with(|_| Some(Fault::Empty));
    let hold = world.decision(&web()).hold;
    assert!(matches!(hold, None | Some(Hold::Unknown { why: Unknown::Empty, .. })), "{hold:?}");
}

#[test]
fn where_nothing_is_needed_only_the_minimum_bids() {
    let mut story = Story::begin(3, |policy| policy.signals[0].drain_within = Some(minutes(10)));
    story.minutes(15);
    let decision = story.world.decision(&web());
    assert_eq!(decision.bids, [Bid { guard: Guard::StaticMinimum, replicas: 3 }]);
    assert_eq!(decision.need, Some(0), "that is known");
}

#[test]
fn what_is_known_in_part_is_needed_at_least() {
    let mut world = settled(|_| {});
    world.tick_with(|_| Some(Fault::Partial));
    let decision = world.decision(&web());
    assert_eq!((decision.trust, decision.need), (Trust::Blind, Some(9)));
}

#[test]
fn since_when_a_floor_stands_and_for_whom() {
    let mut world = settled(|_| {});
    let before = world.decision(&web()).since;
    world.run(minutes(5));
    assert_eq!(world.decision(&web()).since, before);
    world.truth(&web()).load = 20.0 * CAPACITY;
    world.tick();
    let row = world.store.row(&web_target()).unwrap();
    assert_eq!((world.decision(&web()).since, row.observed_at, &*row.reason), (world.now, world.now, "LiveDemand"));
}

#[test]
fn the_last_step_down_waits_for_nothing_more() {
    let mut world = settled(|policy| {
        policy.mode = Mode::Observe;
        (policy.min_replicas, policy.max_replicas) = (Some(2), Some(60));
    });
    // One replica less: it is all that is wanted.
    world.truth(&web()).load = 12.5 * CAPACITY;
    while world.decision(&web()).floor > 16 {
        world.sample(&web(), None);
        world.settle();
        world.wait(Duration::from_secs(15));
    }
    let decision = world.decision(&web());
    assert_eq!((decision.verdict, decision.hold), (Verdict::Lowered { from: 17 }, None));
}

#[test]
fn a_target_that_is_gone_falls_no_deeper() {
    let mut world = settled(|_| {});
    let pods = world.pods.remove(&web_target()).unwrap();
    world.engine.observe(Event::Target(web_target(), None), world.now);
    world.truth(&web()).load = 0.0;
    world.hpas.clear();
    world.run(minutes(20));
    world.pods.insert(web_target(), pods);
    world.tick();
    let doubts = &world.decision(&web()).doubts;
    assert!(
        doubts.iter().any(|doubt| matches!(doubt, Doubt::UnusualFall { since, .. } if *since == world.now)),
        "{doubts:?}"
    );
}

#[test]
fn a_newer_leader_alone_may_lower() {
    let mut world = settled(|_| {});
    let row = Standing { epoch: 9, seq: 500, ..world.store.row(&web_target()).unwrap().clone() };
    world.store.write(&[(web_target(), Standing { replicas: 20, ..row })], &[]).unwrap();
    world.tell_table(&"shop".into());
    world.settle();
    let decision = world.decision(&web());
    assert_eq!((decision.floor, decision.hold), (20, Some(Hold::Fenced { stored: 9, ours: 1 })));
    world.truth(&web()).load = 20.0 * CAPACITY;
    world.tick();
    let row = world.store.row(&web_target()).unwrap();
    assert_eq!((row.replicas, row.epoch), (25, 9), "a raise is never refused");
    world.truth(&web()).load = 13.0 * CAPACITY;
    world.run(minutes(120));
    assert_eq!(world.store.floor(&web_target()), Some(25));
    // The old one is gone, the new one takes over.
    world.crash();
    world.restart(None);
    world.run(minutes(120));
    assert_eq!(world.store.floor(&web_target()), Some(17));
}

#[test]
fn holds_and_limits_are_told_once() {
    let mut world = settled(|_| {});
    let told =
        |world: &World, what: fn(&Notice) -> bool| world.notices.iter().filter(|(_, _, notice)| what(notice)).count();
    let held = |notice: &Notice| matches!(notice, Notice::Held { floor: 17, hold: Hold::Unknown { .. } });
    let ended = |notice: &Notice| matches!(notice, Notice::HoldEnded { .. });
    for _ in 0..80 {
        world.tick_with(|_| Some(Fault::Empty));
    }
    assert_eq!((told(&world, held), told(&world, ended)), (1, 0));
    let blind = |notice: &Notice| matches!(notice, Notice::TrustChanged { from: Trust::Trusted, to: Trust::Blind });
    assert_eq!(told(&world, blind), 1);
    world.run(minutes(15));
    assert_eq!((told(&world, held), told(&world, ended)), (1, 1));
    world.truth(&web()).load = 60.0 * CAPACITY;
    world.run(minutes(5));
    assert_eq!(told(&world, |notice| matches!(notice, Notice::Limited { wanted: 75, max: 60 })), 1);
}

#[test]
fn the_price_is_what_is_held_above_the_need() {
    let mut world = settled(|_| {});
    assert_eq!((world.decision(&web()).price, world.decision(&web()).price_since), (0, None));
    world.truth(&web()).load = 9.0 * CAPACITY;
    world.tick();
    let since = world.now;
    world.run(minutes(5));
    let decision = world.decision(&web());
    assert_eq!((decision.price, decision.price_since), (17 - 12, Some(since)));
    assert_eq!((decision.need, decision.load), (Some(12), Some(90.0)));
    // Blind, the last need known is what the price is counted against.
    world.tick_with(|_| Some(Fault::Empty));
    assert_eq!((world.decision(&web()).price, world.decision(&web()).price_since), (5, Some(since)));
}

#[test]
fn without_a_table_only_observe_decides() {
    for (mode, decided) in [(Mode::Observe, true), (Mode::Guard, false)] {
        let mut engine = floorkeeper_core::Engine::new(1);
        let now = crate::world::START;
        let policy = Policy { mode, depends_on: Vec::new(), ..policy() };
        engine.observe(Event::Policy(web(), policy.into()), now);
        engine.observe(Event::Target(web_target(), Some(Pods::new("web", 7, Duration::ZERO).seen())), now);
        assert_eq!(engine.poll(now), []);
        let floor = engine.decision(&web()).map(|decision| decision.floor);
        assert_eq!(floor == Some(7), decided, "{mode:?}: {floor:?}");
    }
}

#[test]
fn an_estimate_of_what_one_replica_carries_where_no_capacity_is_given() {
    let mut world = settled(|policy| {
        policy.mode = Mode::Observe;
        policy.signals[0].capacity = None;
    });
    world.tick();
    let decision = world.decision(&web());
    assert_eq!(decision.signals[0].need, None);
    assert_eq!(decision.signals[0].per_replica, Some(130.0 / 17.0));
    assert_eq!(decision.need, None, "without a capacity a load says nothing about replicas");
    assert_eq!(decision.load, Some(130.0), "but it is known");
    world.pods.get_mut(&web_target()).unwrap().broken = 17;
    world.tick();
    assert_eq!(world.decision(&web()).signals[0].per_replica, None, "nobody carries it");
}

#[test]
fn who_needs_no_more_than_the_minimum_loses_nothing_by_a_fall() {
    for (min, falls) in [(16, true), (17, false)] {
        let mut world = settled(|policy| policy.min_replicas = Some(min));
        world.truth(&web()).load = 2.0 * CAPACITY;
        world.run(minutes(2));
        let fall = |doubt: &Doubt| matches!(doubt, Doubt::UnusualFall { .. });
        assert_eq!(world.decision(&web()).doubts.iter().any(fall), falls, "a minimum of {min}");
    }
}
