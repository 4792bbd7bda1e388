//! L1: no information, no scale-down.

use floorkeeper_core::Mode;
use proptest::prelude::*;

use crate::world::World;
use crate::world::history::{Setup, Tick, cases, ripe_histories, setups, web, web_target};
use crate::world::source::Fault;

/// What floorkeeper holds: the floor that it decided, the one that it stored, and the replicas.
#[derive(Clone, Copy, Debug)]
struct Out {
    floor: u32,
    stored: u32,
    replicas: u32,
}

fn out(world: &World) -> Out {
    let replicas = world.pods[&web_target()].replicas;
    Out { floor: world.decision(&web()).floor, stored: world.store.floor(&web_target()).unwrap_or(0), replicas }
}

/// Before and after the last tick.
fn around(setup: &Setup, history: &[Tick], last: &Tick) -> (Out, Out) {
    let mut world = setup.world();
    for tick in history {
        world.play(tick);
    }
    world.approach(last);
    let before = out(&world);
    world.arrive(last.fault);
    (before, out(&world))
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn an_unknown_tick_never_ends_below_the_previous_floor(
        setup in setups(),
        mut history in ripe_histories(8),
        fault in prop::sample::select(Fault::ALL.to_vec()),
    ) {
        prop_assume!(fault.blinds(&setup.policy));
        let mut last = history.pop().unwrap();
        last.fault = None;
        let (before, present) = around(&setup, &history, &last);
        last.fault = Some(fault);
        let (_, unknown) = around(&setup, &history, &last);
        let all = (before, present, unknown);
        prop_assert!(unknown.floor >= before.floor.min(present.floor), "{all:?}");
        prop_assert!(unknown.stored >= before.stored.min(present.stored), "{all:?}");
        prop_assert!(unknown.replicas >= before.replicas.min(present.replicas), "{all:?}");
        // Stronger than the law: without information nothing at all comes down.
        prop_assert!(unknown.floor >= before.floor && unknown.stored >= before.stored, "{all:?}");
        prop_assert!(setup.policy.mode == Mode::Guard || unknown.replicas >= before.replicas, "{all:?}");
    }

    #[test]
    fn nothing_falls_while_nothing_is_known(
        setup in setups(),
        history in ripe_histories(6),
        faults in prop::collection::vec(prop::sample::select(Fault::ALL.to_vec()), 1..80),
    ) {
        let mut world = setup.world();
        for tick in &history {
            world.play(tick);
        }
        let dark = Tick { load: 0.0, errors: 0.0, broken_percent: 0, fault: Some(Fault::Timeout), incident: None };
        world.play(&dark);
        let mut before = out(&world);
        let blind = |fault: &Fault| *fault == Fault::Drop || fault.blinds(&setup.policy);
        for fault in faults.into_iter().filter(blind) {
            world.play(&Tick { fault: Some(fault), ..dark.clone() });
            let now = out(&world);
            prop_assert!(now.floor >= before.floor && now.stored >= before.stored, "{fault:?}: {before:?} {now:?}");
            before = now;
        }
    }
}
