//! Scenarios of the catalogue end to end: a real control plane, a real Prometheus, a real HPA, and floorkeeper itself. Those
//! that matter most; `cargo rig soak` plays all of them.

use std::path::Path;

/// Plays one and wants its pass condition kept.
async fn passes(name: &str) {
    let scenario = floorkeeper_sim::find(name).expect("it is in the catalogue");
    let floorkeeper = Path::new(env!("CARGO_BIN_EXE_floorkeeper"));
    let soaked = floorkeeper_rig::soak::soak(scenario, floorkeeper, |what| println!("{what}")).await;
    let soaked = soaked.unwrap_or_else(|error| panic!("{name} can't be played: {error:#}"));
    println!("{}", soaked.row());
    assert!(soaked.broken().is_empty(), "{name}: {:#?}", soaked.broken());
}

macro_rules! scenarios {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                passes($name).await;
            }
        )*
    };
}

scenarios! {
    the_demand_reads_zero_during_the_error: "S1c",
    every_query_gives_an_empty_answer: "S8",
    a_restart_sees_zeros_first: "S13",
    true_zero_decays: "S19",
}
