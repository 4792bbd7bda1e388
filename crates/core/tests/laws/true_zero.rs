//! L6: true zero decays, within the time that the decision itself prints, whatever the pods do.

use std::time::Duration;

use floorkeeper_core::{Policy, Timestamp};
use proptest::prelude::*;

use crate::world::history::{Incident, Setup, Tick, cases, histories, setups, web, web_target};
use crate::world::{Api, World};

/// Spans short enough that the end is seen.
fn short() -> impl Strategy<Value = Setup> {
    let spans = (prop_oneof![Just(120_u64), Just(900), Just(3600)], prop_oneof![Just(60_u64), Just(600)]);
    (setups(), spans).prop_map(|(setup, (hold_at_most, half_life))| {
        let (hold_at_most, half_life) = (Duration::from_secs(hold_at_most), Duration::from_secs(half_life));
        Setup { policy: Policy { hold_at_most, half_life, ..setup.policy.clone() }, ..setup }
    })
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn the_floor_is_at_its_minimum_in_time(
        setup in short(),
        history in histories(10),
        weather in prop::collection::vec((0.0_f64..1.0, 0_u32..100, 0_u8..12), 1..60),
    ) {
        let mut world = setup.world();
        for tick in &history {
            let incident = tick.incident.clone();
            let incident = incident.filter(|incident| !matches!(incident, Incident::Api(_) | Incident::Deaf(_)));
            world.play(&Tick { incident, ..tick.clone() });
        }
        world.api = Api::Up;
        // Until then a step down may still be taken back.
        let fall = setup.policy.fall;
        let patience = setup.policy.hold_at_most.max(fall.keep_for).max(fall.hold_for) + setup.policy.window;
        let (mut ticks, mut by) = (0, Timestamp::NEVER);
        let mut zero = |world: &mut World| {
            let (errors, broken_percent, kind) = weather[ticks % weather.len()];
            ticks += 1;
            let incident = match kind {
                0 => Some(Incident::RolloutBegins),
                1 => Some(Incident::RolloutEnds),
                2 => Some(Incident::DependencyFails),
                3 => Some(Incident::DependencyHeals),
                _ => None,
            };
            world.play(&Tick { load: 0.0, errors, broken_percent, fault: None, incident });
        };
        // Each decision above the minimum promises a time; the earliest promise counts.
        while world.now <= by {
            zero(&mut world);
            let decision = world.decision(&web());
            let promised = if decision.floor > decision.min { decision.zero_in } else { patience };
            by = by.min(world.now.plus(promised));
        }
        // There it is, and there it stays.
        for _ in 0..100 {
            let decision = world.decision(&web());
            let stored = world.store.floor(&web_target());
            prop_assert!(decision.floor <= decision.min && stored <= Some(decision.min), "{stored:?}: {decision:?}");
            zero(&mut world);
        }
    }
}
