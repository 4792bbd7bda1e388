//! What floorkeeper promises, in every order of events; and what breaks when one of its rules is taken away.

mod explore;

use floorkeeper_core::Action;
use floorkeeper_model::cluster::{Cluster, Happening, How};

use crate::explore::{counter_example, explore, soak};

#[test]
fn every_promise_in_every_order() {
    explore(Cluster::all(6, 1, 1), &[]);
    explore(Cluster::all(8, 2, 0), &[]);
    explore(Cluster::all(4, 2, 1), &[]);
    if soak() {
        explore(Cluster::all(6, 2, 1), &POSSIBLE);
        explore(Cluster::all(7, 3, 0), &POSSIBLE[..1]);
        explore(Cluster::all(5, 1, 2), &[]);
    }
}

/// A write of a leader that is gone lands when another has begun.
#[test]
fn without_the_epoch_rule_a_late_write_lowers() {
    let model =
        Cluster { ill: vec![How::Late], around: vec![Happening::Load(1)], sleeps: false, ..Cluster::all(8, 2, 1) };
    explore(model.clone(), &POSSIBLE);
    counter_example(Cluster { epoch_rule: false, ..model }, "no lowering by a leader whose time is over");
}

/// A leader that slept through its lease obeys an order that is not its to obey: the one after it has the lease, and did not
/// get to write in its own epoch yet.
#[test]
fn without_the_self_fence_a_sleeper_lowers() {
    let model = Cluster {
        ill: vec![How::Late],
        around: vec![Happening::Order(Action::Pin(1))],
        crashes: false,
        ..Cluster::all(7, 2, 1)
    };
    explore(model.clone(), &[]);
    counter_example(Cluster { self_fence: false, ..model }, "no lowering without a current lease and a proof");
}

/// The pods that a step left do worse, and the next step is taken all the same. (Where pods are brittle the floor does not
/// come down to the need, so nothing settles there.)
#[test]
fn without_the_verify_step_harm_goes_on() {
    let model = Cluster {
        brittle_below: 4,
        settles: false,
        around: vec![Happening::Load(4), Happening::Load(1)],
        ..Cluster::all(16, 0, 2)
    };
    explore(model.clone(), &[]);
    counter_example(Cluster { verify: false, ..model }, "no step after one that does harm");
}

const POSSIBLE: [&str; 2] = ["leadership changes hands", "a write of a leader before lands late"];
