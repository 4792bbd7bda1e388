//! Public traces, where the machine has them: set FLOORKEEPER_TRACES to their directory.

mod written;

use std::path::PathBuf;

use floorkeeper_replay::{Play, Scaler};
use floorkeeper_sim::Trace;

/// The text of a trace, or `None` with a message.
fn read(name: &str) -> Option<Trace> {
    let Some(directory) = std::env::var_os("FLOORKEEPER_TRACES") else {
        eprintln!("skipped: FLOORKEEPER_TRACES does not name the directory of {name}");
        return None;
    };
    let path = PathBuf::from(directory).join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(Trace::from_csv(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

#[test]
fn the_world_cup_without_faults() {
    let Some(trace) = read("worldcup98.csv") else { return };
    let scenario = floorkeeper_sim::Scenario {
        starts: "1998-06-09T00:00:00Z".to_owned(),
        minutes: 50_400,
        ..floorkeeper_sim::find("week").unwrap()
    };
    let trace = trace.with_peak(4_500.0);
    let start = trace.start();
    let trace = Trace::from_points(trace.points().iter().map(|&(time, load)| (time - start, load))).unwrap();
    let play = Play {
        scenario: &scenario,
        trace: &trace,
        past: None,
        trace_name: "worldcup98",
        policy: &written::policy(),
        policy_name: "defaults",
        seed: 0,
        scalers: &Scaler::ALL,
        tick: 60.0,
        series: false,
    };
    let played = play.play().played;
    let of = |scaler: Scaler| &played.iter().find(|played| played.run.scaler == scaler.name()).unwrap().run;
    for played in &played {
        let run = &played.run;
        println!("{:32} {:8.1} unsafe +{:.1} %", run.scaler, run.unsafe_minutes, run.extra_over_oracle_percent);
    }
    assert_eq!(of(Scaler::Oracle).unsafe_minutes, 0.0);
    assert!(of(Scaler::Floorkeeper).unsafe_minutes <= of(Scaler::HpaLoad).unsafe_minutes);
    assert!(of(Scaler::Floorkeeper).replica_hours < of(Scaler::StaticPeak).replica_hours / 2.0);
}
