//! On an ordinary day a decision allocates nothing. (A count, in a process of its own.)

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use steady::Fleet;

mod steady;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_decision_allocates_nothing() {
    let mut fleet = Fleet::of(100);
    assert_eq!(fleet.decided(), 100);
    for _ in 0..20 {
        let events = fleet.observations();
        let region = Region::new(ALLOCATOR);
        let written = fleet.hear(events);
        let change = region.change();
        assert_eq!(written, 0);
        assert_eq!((change.allocations, change.reallocations), (0, 0), "{change:?}");
    }
    // Woken by time alone, too, once the silence of the source is no news any more.
    for _ in 0..100 {
        fleet.wake();
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..200 {
        assert_eq!(fleet.wake(), 0);
    }
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0), "{change:?}");
}
