//! L10: one bad sample can't double the fleet.

use proptest::prelude::*;

use crate::world::history::{Incident, Tick, cases, histories, setups, web, web_target};
use crate::world::source::Fault;

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_spike_of_one_tick_at_most_doubles(
        setup in setups(),
        history in histories(10),
        spike in 1.0_f64..100_000.0,
        twice_told in prop::bool::ANY,
    ) {
        let mut setup = setup;
        setup.policy.max_replicas = Some(100_000);
        let mut world = setup.world();
        world.hpas.values_mut().for_each(|hpa| hpa.max = 100_000);
        world.tell_all_targets();
        let calm = |incident: &Incident| !matches!(incident, Incident::Maximum(_) | Incident::Deaf(_));
        for tick in &history {
            world.play(&Tick { incident: tick.incident.clone().filter(calm), ..tick.clone() });
        }
        let quiet = Tick { load: 1.0, errors: 0.0, broken_percent: 0, fault: None, incident: None };
        world.play(&quiet);
        let bad = Tick { load: spike, fault: twice_told.then_some(Fault::Duplicate), ..quiet.clone() };
        world.approach(&bad);
        let stands = world.decision(&web()).floor.max(world.pods[&web_target()].replicas).max(1);
        world.arrive(bad.fault);
        let after = world.decision(&web()).floor;
        prop_assert!(after <= stands * 2, "one sample took {stands} to {after}");
        world.play(&quiet);
        let later = world.decision(&web()).floor;
        prop_assert!(later <= stands * 2, "one sample took {stands} to {later}");
        let replicas = world.pods[&web_target()].replicas;
        prop_assert!(replicas <= stands * 2, "one sample took {stands} to {replicas}");
    }
}
