//! L5: a restart adds no decrease.

use std::time::Duration;

use floorkeeper_core::{Doubt, Mode, Timestamp};
use proptest::prelude::*;

use crate::story::Story;
use crate::world::history::{
    Incident, Setup, Tick, cases, histories, minutes, ripe_histories, setups, web, web_target,
};
use crate::world::{START, World};

/// Floor and replicas after each tick.
fn trail(world: &World) -> (Timestamp, u32, u32) {
    (world.now, world.store.floor(&web_target()).unwrap_or(0), world.pods[&web_target()].replicas)
}

fn undisturbed(setup: &Setup, history: &[Tick]) -> Vec<(Timestamp, u32, u32)> {
    let mut world = setup.world();
    let mut seen = vec![trail(&world)];
    for tick in history {
        world.play(tick);
        seen.push(trail(&world));
    }
    seen
}

/// Foreign writes race with a floorkeeper that is not there: they are another law's affair.
fn calm(history: Vec<Tick>) -> Vec<Tick> {
    let calm = |incident: &Incident| {
        !matches!(incident, Incident::Deaf(_) | Incident::Api(_) | Incident::ForeignWrite(_) | Incident::Maximum(_))
    };
    history.into_iter().map(|tick| Tick { incident: tick.incident.filter(calm), ..tick }).collect()
}

/// An unusual fall that ended within the hour is seen again by a process that reads the hour anew, and held again.
/// That is no decrease, but it shifts the falls after it; policies that keep for an hour know no such shift.
fn remembering() -> impl Strategy<Value = Setup> {
    setups().prop_map(|mut setup| {
        setup.policy.fall.keep_for += HOUR;
        setup
    })
}

const HOUR: Duration = Duration::from_secs(3600);

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn with_back_fill_nothing_falls_that_would_not_have_fallen(
        setup in remembering(),
        history in histories(16),
        crashes in prop::collection::vec((0.1_f64..1.0, 0_usize..6), 1..3),
    ) {
        let mut history = calm(history);
        let mut crashes: Vec<_> =
            crashes.iter().map(|&(place, ticks)| ((place * history.len() as f64) as usize, ticks)).collect();
        crashes.sort_unstable();
        // What nobody saw and no source can tell is lost: while nobody looks, all goes on as it was.
        for &(place, ticks) in crashes.iter().filter(|(place, _)| *place > 0) {
            for n in place..(place + ticks).min(history.len()) {
                history[n] = Tick { incident: None, fault: None, ..history[n - 1].clone() };
            }
        }
        let expected = undisturbed(&setup, &history);
        let mut world = setup.world();
        let mut back_at = None;
        let longest = Duration::from_secs(6 * 15);
        let mut seen = Vec::new();
        for (n, tick) in history.iter().enumerate() {
            if let Some(&(_, ticks)) = crashes.iter().find(|(place, _)| *place == n) {
                world.crash();
                back_at = back_at.max(Some(n + ticks));
            }
            if back_at.is_some_and(|back_at| n >= back_at) {
                world.restart(Some(HOUR + HOUR / 20));
                back_at = None;
            }
            world.play(tick);
            seen.push(trail(&world));
        }
        let span = setup.policy.window + longest + setup.policy.resolution;
        // Steps are `verifyFor` apart; those of the two runs need not fall on the same ticks.
        let step = setup.policy.verify_for + setup.policy.resolution;
        let end = expected.last().map_or(START, |(at, ..)| *at);
        for (at, floor, replicas) in seen.iter().filter(|(at, ..)| at.plus(step) <= end) {
            let recent = expected.iter().filter(|(then, ..)| *then <= at.plus(step) && at.since(*then) <= span);
            let (lowest, fewest) = recent.fold((u32::MAX, u32::MAX), |(floor, replicas), (_, f, r)| {
                (floor.min(*f), replicas.min(*r))
            });
            let near = |trail: &[(Timestamp, u32, u32)]| {
                let near = trail.iter().filter(|(then, ..)| then.since(*at).max(at.since(*then)) <= span);
                near.map(|(then, floor, _)| (then.since(START).as_secs(), *floor)).collect::<Vec<_>>()
            };
            let (with, without) = (near(&seen), near(&expected));
            // While one run watches its last step the other may take its next: so far is the pace ahead by then.
            let ahead = (-step.as_secs_f64() / setup.policy.half_life.as_secs_f64()).exp2();
            let allowed = (f64::from(lowest) * ahead).floor() as u32;
            prop_assert!(*floor >= allowed, "floor {floor} at {at}, undisturbed {lowest}: {with:?} {without:?}");
            // Under guard it is the HPA that lowers, in its own time.
            let ours = setup.policy.mode == Mode::Autoscale;
            let allowed = (f64::from(fewest) * ahead).floor() as u32;
            prop_assert!(!ours || *replicas >= allowed, "replicas {replicas} at {at}, undisturbed {fewest}");
        }
    }

    #[test]
    fn without_the_past_nothing_falls_for_a_window(
        setup in setups(),
        history in ripe_histories(6),
        after in histories(3),
    ) {
        let mut world = setup.world();
        for tick in &calm(history) {
            world.play(tick);
        }
        let floor = world.store.floor(&web_target());
        world.crash();
        world.restart(None);
        let began = world.now;
        for tick in &calm(after) {
            world.play(tick);
            if world.now.since(began) + setup.policy.resolution >= setup.policy.window {
                break;
            }
            let now = world.store.floor(&web_target());
            prop_assert!(now >= floor, "{floor:?} fell to {now:?} after {:?}", world.now.since(began));
        }
    }

    #[test]
    fn in_the_middle_of_trouble_nothing_falls(setup in setups(), trouble in 0_u8..3, share in 30_u32..100) {
        let mut setup = setup;
        setup.policy.errors = crate::world::history::policy().errors;
        setup.replicas = setup.replicas.max(8);
        let mut world = setup.world();
        let busy = Tick { load: 6.0, errors: 0.0, broken_percent: 0, fault: None, incident: None };
        for _ in 0..8 {
            world.play(&busy);
        }
        let broken = match trouble {
            0 => Tick { broken_percent: share, ..busy },
            1 => Tick { errors: f64::from(share) / 100.0, ..busy },
            _ => Tick { incident: Some(Incident::DependencyFails), ..busy },
        };
        // What the trouble makes of the load is a lie.
        let idle = Tick { load: 0.2, ..broken.clone() };
        world.play(&broken);
        world.play(&idle);
        let floor = world.store.floor(&web_target());
        world.crash();
        world.restart(Some(HOUR));
        let until = world.now.plus(minutes(40));
        while world.now < until {
            world.play(&idle);
            let now = world.store.floor(&web_target());
            prop_assert!(now >= floor, "{floor:?} fell to {now:?}: {:?}", world.decision(&web()));
        }
    }
}

#[test]
fn a_window_is_full_from_the_start_where_the_past_is_told() {
    for (past, full) in [(Some(HOUR), true), (None, false)] {
        let mut world = Story::settled(|_| {}).world;
        world.crash();
        world.restart(past);
        world.tick();
        let doubts = &world.decision(&web()).doubts;
        let cold = doubts.iter().any(|doubt| matches!(doubt, Doubt::WindowNotFull { .. }));
        assert_eq!(cold, !full, "{doubts:?}");
    }
}
