//! Never two leaders, in every order of events; and without the self-fence there are two.

mod explore;

use floorkeeper_model::lease::Leases;

use crate::explore::{counter_example, explore, soak};

#[test]
fn never_two_leaders() {
    explore(Leases::at_the_limit(24, 2), &POSSIBLE);
    let mut swapped = Leases::at_the_limit(24, 2);
    swapped.rates.reverse();
    explore(swapped, &POSSIBLE);
    if soak() {
        explore(Leases::at_the_limit(24, 3), &POSSIBLE);
        explore(Leases { rates: vec![-5, 0, 5], ..Leases::at_the_limit(18, 2) }, &[]);
    }
}

#[test]
fn without_the_self_fence_there_are_two() {
    let model = Leases { self_fence: false, ..Leases::at_the_limit(24, 1) };
    counter_example(model, "never two at once, nor a write of one under way while another leads");
}

#[test]
fn beyond_what_is_promised_for_clocks_there_are_two() {
    let model = Leases { rates: vec![-30, 30], ..Leases::at_the_limit(24, 1) };
    counter_example(model, "never two at once, nor a write of one under way while another leads");
}

const POSSIBLE: [&str; 3] = ["somebody leads", "the lease changes hands", "a sleeper wakes as no leader"];
