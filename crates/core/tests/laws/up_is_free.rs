//! L3: up is free. Whatever is doubted, unknown or frozen, what the load needs stands after two ticks.

use floorkeeper_core::Action;
use proptest::prelude::*;

use crate::world::Api;
use crate::world::history::{Incident, Tick, cases, histories, orders, setups, web, web_target};

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn the_need_stands_after_two_ticks(
        setup in setups(),
        mut history in histories(12),
        order in prop::option::of(orders()),
        load in 0.0_f64..80.0,
        errors in 0.0_f64..1.0,
        broken_percent in 0_u32..100,
    ) {
        if let Some(tick) = history.last_mut() {
            tick.incident = order.clone();
        }
        let mut world = setup.world();
        for tick in &history {
            world.play(tick);
        }
        world.api = Api::Up;
        world.deaf = false;
        world.tell_all_targets();
        let tick = Tick { load, errors, broken_percent, fault: None, incident: None };
        world.play(&tick);
        world.play(&tick);

        let decision = world.decision(&web());
        let action = decision.in_force.as_ref().map(|order| order.action);
        // A Pin is a ceiling too; a Release asks for the static minimum.
        prop_assume!(!matches!(action, Some(Action::Pin(_) | Action::Release)));
        let need = ((load * 1.25 - 1e-9).ceil() as u32).min(decision.max);
        let (stored, replicas) = (world.store.floor(&web_target()), world.pods[&web_target()].replicas);
        prop_assert!(decision.floor >= need, "floor {} need {need}: {decision:?}", decision.floor);
        prop_assert!(stored >= Some(need), "stored {stored:?} need {need}: {decision:?}");
        prop_assert!(replicas >= need, "replicas {replicas} need {need}: {decision:?}");
    }

    #[test]
    fn a_partial_answer_raises_all_the_same(setup in setups(), history in histories(8), load in 0.0_f64..80.0) {
        let mut world = setup.world();
        let up = |tick: &Tick| Tick {
            incident: tick.incident.clone().filter(|incident| !matches!(incident, Incident::Api(_) | Incident::Deaf(_))),
            ..tick.clone()
        };
        for tick in &history {
            world.play(&up(tick));
        }
        let fault = Some(crate::world::source::Fault::Partial);
        let tick = Tick { load, errors: 0.0, broken_percent: 0, fault, incident: None };
        world.play(&tick);
        world.play(&tick);
        let decision = world.decision(&web());
        // Half is missing; what is there is needed.
        let need = ((load / 2.0 * 1.25 - 1e-9).ceil() as u32).min(decision.max);
        prop_assert!(world.pods[&web_target()].replicas >= need, "need {need}: {decision:?}");
    }
}
