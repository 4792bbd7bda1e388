//! L2: errors are load.

use floorkeeper_core::Doubt;
use proptest::prelude::*;

use crate::story::Story;
use crate::world::history::{cases, minutes, policy, ripe_histories, setups, web, web_target};

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

#[test]
fn errors_that_last_for_hold_at_most_hold_no_more_and_the_known_demand_is_followed() {
    let mut story = Story::settled(|policy| policy.hold_at_most = minutes(120));
    story.errors(0.5).load(8.0).minutes(119);
    assert_eq!(story.world.store.floor(&web_target()), Some(17));
    story.minutes(2);
    let doubts = &story.world.decision(&web()).doubts;
    assert!(doubts.iter().any(|doubt| matches!(doubt, Doubt::Overdue { .. })), "{doubts:?}");
    story.minutes(30);
    let floor = story.world.store.floor(&web_target()).unwrap();
    assert!((11..=14).contains(&floor), "half an hour later, at a halving an hour: {floor}");
    story.minutes(60);
    assert_eq!(story.world.store.floor(&web_target()), Some(10), "as much as is needed");
}

#[test]
fn a_share_at_the_limit_is_no_doubt_yet() {
    let mut story = Story::settled(|_| {});
    story.errors(0.05).minutes(1);
    assert_eq!(story.world.decision(&web()).doubts, []);
    story.errors(0.051).minutes(1);
    assert!(matches!(story.world.decision(&web()).doubts[..], [Doubt::Errors { .. }]));
}
