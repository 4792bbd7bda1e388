//! What must hold whatever is played.

mod written;

use floorkeeper_replay::{Play, Played, Runs, Scaler, TICK};
use floorkeeper_sim::scenario::Class;
use floorkeeper_sim::{Scenario, composition};

use written::policy;

#[test]
fn floorkeeper_keeps_every_pass_condition() {
    let keepers = [Scaler::Floorkeeper, Scaler::FloorkeeperGuard];
    let mut broken = Vec::new();
    for scenario in catalogue().into_iter().chain((1..=200).map(composition)) {
        for played in play(&scenario, &keepers) {
            let run = &played.run;
            if run.class == Class::Lying && run.unsafe_minutes > 0.0 && scenario.pass.unsafe_minutes.is_some() {
                broken.push(format!("{} {}: {} unsafe minutes", run.scenario, run.scaler, run.unsafe_minutes));
            }
            broken.extend(played.broken.iter().map(|what| format!("{} {}: {what}", run.scenario, run.scaler)));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn whatever_else_an_incident_could_have_been() {
    let mut broken = Vec::new();
    for variant in catalogue().iter().flat_map(|scenario| scenario.variants().unwrap()) {
        for played in play(&variant, &[Scaler::Floorkeeper]) {
            broken.extend(played.broken.iter().map(|what| format!("{}: {what}", variant.id)));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_oracle_is_never_short() {
    for scenario in catalogue().into_iter().chain((1..=200).map(composition)) {
        for played in play(&scenario, &[Scaler::Oracle]) {
            assert_eq!(played.run.unsafe_minutes, 0.0, "{}", scenario.id);
            let extra = played.run.extra_over_oracle_percent;
            assert!(extra.abs() < 3.0, "{}: its own price is {extra} %", scenario.id);
        }
    }
}

#[test]
fn a_static_peak_is_never_short_without_faults() {
    let calm = catalogue().into_iter().chain((1..=200).map(composition));
    let calm: Vec<_> = calm.filter(|scenario| scenario.class == Class::FaultFree).collect();
    assert!(calm.len() > 10);
    for scenario in calm {
        let [peak, load] = &play(&scenario, &[Scaler::StaticPeak, Scaler::HpaLoad])[..] else { panic!() };
        assert_eq!(peak.run.unsafe_minutes, 0.0, "{}", scenario.id);
        assert!(peak.run.replica_hours >= load.run.replica_hours, "{}", scenario.id);
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let bytes = |seed: u64| {
        let scenario = floorkeeper_sim::find("S13").unwrap().seeded(seed);
        let runs = play(&scenario, &Scaler::ALL).into_iter().map(|played| played.run).collect();
        serde_json::to_string(&Runs { runs }).unwrap()
    };
    assert_eq!(bytes(3), bytes(3));
    assert_ne!(bytes(3), bytes(4));
}

#[test]
fn a_lane_knows_nothing_of_its_neighbours() {
    for name in ["S9", "S12", "S25"] {
        let scenario = floorkeeper_sim::find(name).unwrap();
        for (scaler, beside) in Scaler::ALL.into_iter().zip(play(&scenario, &Scaler::ALL)) {
            assert_eq!(play(&scenario, &[scaler]), [beside], "{name} {scaler}");
        }
    }
}

#[test]
fn the_incidents_are_dangerous() {
    let falls = |name: &str, scaler: Scaler| {
        let scenario = floorkeeper_sim::find(name).unwrap();
        play(&scenario, &[scaler])[0].run.unsafe_minutes
    };
    assert!(falls("S1a", Scaler::HpaCpu) > 300.0, "CPU falls with the errors");
    assert!(falls("S1c", Scaler::HpaLoad) > 300.0, "the demand reads zero");
    assert!(falls("S8", Scaler::Keda) > 20.0, "no series is zero by default");
    assert_eq!(falls("S8", Scaler::KedaNullError), falls("S8", Scaler::HpaLoad), "an error holds");
}

/// Plays a scenario on its own load.
fn play(scenario: &Scenario, scalers: &[Scaler]) -> Vec<Played> {
    let generated = scenario.trace(|path| Err(format!("{path}: embedded scenarios generate their load")));
    let trace = generated.unwrap_or_else(|error| panic!("{error}"));
    let past = scenario.past(14);
    let play = Play {
        scenario,
        trace: &trace,
        past: past.as_ref(),
        trace_name: "generated",
        policy: &policy(),
        policy_name: "defaults",
        seed: 0,
        scalers,
        tick: if scenario.minutes > 4_320 { 60.0 } else { TICK },
        series: false,
    };
    play.play().played
}

/// Every embedded scenario.
fn catalogue() -> Vec<Scenario> {
    let find = |name| floorkeeper_sim::find(name).unwrap_or_else(|error| panic!("{error}"));
    floorkeeper_sim::CATALOGUE.iter().map(|(name, _)| find(name)).collect()
}
