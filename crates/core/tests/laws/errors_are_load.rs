//! L2: errors are load.

use proptest::prelude::*;

use crate::world::history::{cases, policy, ripe_histories, setups, web, web_target};

/// On both sides of the limit, which is at 5 %, and far from it.
const SHARES: &[f64] = &[0.0, 0.04, 0.06, 0.3, 0.6, 1.0];

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn more_errors_never_give_less(
        setup in setups(),
        mut history in ripe_histories(8),
        shares in (prop::sample::select(SHARES), prop::sample::select(SHARES)),
    ) {
        let mut setup = setup;
        setup.policy.errors = policy().errors;
        let mut last = history.pop().unwrap();
        last.fault = None;
        let mut after = |errors: f64| {
            last.errors = errors;
            let mut world = setup.world();
            for tick in history.iter().chain([&last]) {
                world.play(tick);
            }
            (world.decision(&web()).floor, world.store.floor(&web_target()), world.pods[&web_target()].replicas)
        };
        let fewer = after(shares.0.min(shares.1));
        let more = after(shares.0.max(shares.1));
        prop_assert!(more.0 >= fewer.0, "floor {fewer:?} {more:?}");
        prop_assert!(more.1 >= fewer.1, "stored {fewer:?} {more:?}");
        prop_assert!(more.2 >= fewer.2, "replicas {fewer:?} {more:?}");
    }
}
