//! A world at rest: what does not change is not written.

use std::time::Duration;

use proptest::prelude::*;

use crate::world::Api;
use crate::world::history::{Tick, cases, histories, setups, web};

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn constant_inputs_write_nothing_after_a_while(setup in setups(), history in histories(8), load in 0.0_f64..50.0) {
        let mut setup = setup;
        setup.policy.hold_at_most = Duration::from_secs(600);
        let mut world = setup.world();
        for tick in &history {
            world.play(tick);
        }
        (world.api, world.deaf) = (Api::Up, false);
        let tick = Tick { load, errors: 0.0, broken_percent: 0, fault: None, incident: None };
        // Every hold has an end, and ten half-lives leave nothing of any floor.
        let mut rest = Duration::from_secs(12 * 3600);
        while !rest.is_zero() {
            world.play(&tick);
            rest = rest.saturating_sub(setup.policy.resolution);
            if rest.as_secs().is_multiple_of(7200) {
                // An HPA that scaled down is seen doing so.
                world.tell_all_targets();
            }
        }
        world.wrote.clear();
        world.notices.clear();
        world.changed.clear();
        for _ in 0..400 {
            world.play(&tick);
        }
        prop_assert!(world.wrote.is_empty(), "{:?}", world.wrote);
        prop_assert!(world.notices.is_empty(), "{:?}", world.notices);
        prop_assert!(world.changed.is_empty(), "{:?}", world.decision(&web()));
    }
}
