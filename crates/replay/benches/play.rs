//! Decisions a second in virtual time: one incident, and 35 days in steps of a minute, with every scaler.
//!
//! ```text
//! cargo bench -p floorkeeper-replay
//! ```
//!
//! The goal: 35 days of all scalers in a second on one core.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use floorkeeper_replay::{Play, Scaler, TICK};
use floorkeeper_sim::Scenario;

#[path = "../tests/written/mod.rs"]
mod written;

fn plays(criterion: &mut Criterion) {
    // The catalogue's own files are read by the tests.
    let Ok(incident) = floorkeeper_sim::find("S1a") else { return };
    let Ok(week) = floorkeeper_sim::find("week") else { return };
    let days = Scenario { minutes: 35 * 1_440, ..week };
    for (name, scenario, tick) in [("incident", incident, TICK), ("35_days", days, 60.0)] {
        let Ok(trace) = scenario.trace(|_| Err(String::new())) else { return };
        let mut group = criterion.benchmark_group(name);
        let ticks = f64::from(scenario.minutes) * 60.0 / tick;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let decisions = ticks as u64 * Scaler::ALL.len() as u64;
        group.throughput(Throughput::Elements(decisions)).sample_size(10);
        let policy = written::policy();
        let play = |scalers| Play {
            scenario: &scenario,
            trace: &trace,
            past: None,
            trace_name: "generated",
            policy: &policy,
            policy_name: "defaults",
            seed: 0,
            scalers,
            tick,
            series: false,
        };
        group.bench_function("all", |bencher| bencher.iter(|| play(&Scaler::ALL).play()));
        group.finish();
    }
}

criterion_group!(benches, plays);
criterion_main!(benches);
