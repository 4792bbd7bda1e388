//! L7: a person wins, visibly and for a while.

use std::time::Duration;

use floorkeeper_core::{Action, Bounds, InForce, Mode, Notice, Override};
use proptest::prelude::*;

use crate::story::Story;
use crate::world::history::{Tick, cases, histories, setups, web, web_target};
use crate::world::{Api, World};

/// After a history, with an API server that answers.
fn ready(world: &mut World, history: &[Tick]) {
    for tick in history {
        world.play(tick);
    }
    world.api = Api::Up;
    world.deaf = false;
    world.advance(Duration::from_secs(15));
    world.settle();
}

fn told(world: &World, began: bool, order: &InForce) -> bool {
    world.notices.iter().any(|(_, _, notice)| match notice {
        Notice::OverrideBegan(told) => began && told == order,
        Notice::OverrideEnded(told) => !began && told == order,
        _ => false,
    })
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn an_order_is_obeyed_at_once_and_expires(
        setup in setups(),
        history in histories(10),
        pin in 0_u32..60,
        action in prop_oneof![Just(Action::Freeze), Just(Action::Release), Just(Action::Pin(0))],
        seconds in 1_u64..1200,
        load in 0.0_f64..50.0,
    ) {
        let mut world = setup.world();
        ready(&mut world, &history);
        let action = if let Action::Pin(_) = action { Action::Pin(pin) } else { action };
        let until = world.now.plus(Duration::from_secs(seconds));
        let order = InForce { name: "order".into(), action, until };
        let (before, replicas) = (world.store.floor(&web_target()).unwrap(), world.pods[&web_target()].replicas);
        world.order(&web(), vec![Override { name: "order".into(), action, from: world.now, until }]);

        let (min, max) = (world.decision(&web()).min, world.decision(&web()).max);
        let check = |world: &World| {
            let (stored, pods) = (world.store.floor(&web_target()).unwrap(), &world.pods[&web_target()]);
            let decision = world.decision(&web());
            prop_assert_eq!(decision.in_force.as_ref(), Some(&order));
            match action {
                Action::Freeze => prop_assert!(stored >= before.max(replicas.min(max)), "{stored} {before} {replicas}"),
                Action::Release => prop_assert_eq!(stored, min),
                Action::Pin(pin) => {
                    prop_assert_eq!(stored, pin);
                    if setup.policy.mode == Mode::Autoscale {
                        prop_assert_eq!(pods.replicas, pin);
                    } else {
                        let bounds = Bounds { min: pin.max(1), max: pin.max(1) };
                        prop_assert_eq!(world.hpas[&web_target()].bounds(), bounds);
                        prop_assert!(pods.replicas >= pin);
                    }
                }
            }
            Ok(())
        };
        check(&world)?;
        prop_assert!(told(&world, true, &order), "{:?}", world.notices);
        let tick = Tick { load, errors: 0.0, broken_percent: 0, fault: None, incident: None };
        while world.now.plus(setup.policy.resolution) < until {
            world.play(&tick);
            check(&world)?;
        }

        // It ends by itself, at its time, without any event.
        prop_assert!(!told(&world, false, &order));
        let rest = until.since(world.now);
        world.advance(rest);
        world.settle();
        prop_assert_eq!(world.decision(&web()).in_force.as_ref(), None);
        prop_assert!(told(&world, false, &order), "{:?}", world.notices);
        world.play(&tick);
        world.play(&tick);
        let need = ((load * 1.25 - 1e-9).ceil() as u32).min(max);
        prop_assert!(world.store.floor(&web_target()) >= Some(need), "need {need}: {:?}", world.decision(&web()));
        prop_assert!(world.pods[&web_target()].replicas >= need);
        // What was pinned high comes down as all floors do.
        if let Action::Pin(pin) = action {
            let floor = world.store.floor(&web_target()).unwrap();
            prop_assert!(floor >= pin.saturating_sub((pin / 4).max(1)), "{pin} to {floor} in one tick");
        }
    }

    #[test]
    fn an_order_taken_back_ends_at_once(setup in setups(), history in histories(6), pin in 0_u32..60) {
        let mut world = setup.world();
        ready(&mut world, &history);
        let until = world.now.plus(Duration::from_secs(86_400));
        let action = Action::Pin(pin);
        world.order(&web(), vec![Override { name: "order".into(), action, from: world.now, until }]);
        prop_assert_eq!(world.store.floor(&web_target()), Some(pin));
        world.order(&web(), Vec::new());
        let decision = world.decision(&web());
        prop_assert_eq!(decision.in_force.as_ref(), None);
        let ended = told(&world, false, &InForce { name: "order".into(), action, until });
        prop_assert!(ended, "{:?}", world.notices);
        if setup.policy.mode == Mode::Guard {
            prop_assert!(world.hpas[&web_target()].max > pin.max(1) || world.hpas[&web_target()].max == 100);
        }
    }
}

#[test]
fn a_released_service_is_still_scaled_by_its_need() {
    let mut story = Story::settled(|policy| {
        policy.mode = Mode::Autoscale;
        (policy.min_replicas, policy.max_replicas) = (Some(2), Some(30));
    });
    let (from, until) = (story.world.now, story.world.now.plus(Duration::from_secs(7200)));
    story.world.order(&web(), vec![Override { name: "drill".into(), action: Action::Release, from, until }]);
    story.load(20.0).minutes(2);
    assert_eq!((story.world.store.floor(&web_target()), story.world.pods[&web_target()].replicas), (Some(2), 25));
    story.load(50.0).minutes(2);
    assert_eq!(story.world.pods[&web_target()].replicas, 30, "inside the maximum");
    story.load(4.0).minutes(60);
    assert_eq!((story.world.store.floor(&web_target()), story.world.pods[&web_target()].replicas), (Some(2), 5));
}
