//! Virtual time against real time: S1a under an HPA on CPU and one on the offered load, in `floorkeeper replay` and on the rig,
//! with the same service model but real pods, real HPAs and a real Prometheus. On request only, it takes eight minutes:
//!
//! ```text
//! FLOORKEEPER_SOAK=1 FLOORKEEPER_REPORT=docs/replay-on-rig-DATE.md cargo test --test replay_on_rig
//! ```

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::traffic::{Keeper, Lane, LaneReport, Playbill, Player, Stage};
use serde_json::Value;

const SCENARIO: &str = "S1a";
const LANES: [(Keeper, &str); 2] = [(Keeper::HpaCpu, "hpa-cpu"), (Keeper::HpaSameSignal, "hpa-load")];

/// What one side saw of one scaler.
struct Side {
    unsafe_minutes: f64,
    unmet_percent: f64,
    replica_hours: f64,
    /// Minute, replicas.
    replicas: Vec<(f64, f64)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_tells_what_the_rig_shows() -> Result<()> {
    if std::env::var_os("FLOORKEEPER_SOAK").is_none_or(|value| value == "0") {
        println!("skipped: set FLOORKEEPER_SOAK=1 to play {SCENARIO} in real time for eight minutes");
        return Ok(());
    }
    let virtual_time = replayed()?;
    let scenario = floorkeeper_sim::find(SCENARIO)?;
    let minutes = f64::from(scenario.minutes);
    let playbill = Playbill {
        scenario,
        lanes: LANES.iter().map(|(keeper, _)| Lane::new(*keeper)).collect(),
        budget: Duration::from_secs(360),
        floorkeeper: None,
        enforced: false,
        dies: false,
    };
    let stage = Stage::build(playbill, |what| println!("{what}")).await?;
    let mut player = Player::warm(stage, |what| println!("{what}")).await?;
    let (mut frames, mut offered) = (vec![Vec::new(); LANES.len()], Vec::new());
    let reports = player
        .play(|frame| {
            offered.push((frame.minute, frame.offered));
            for (seen, lane) in frames.iter_mut().zip(&frame.lanes) {
                seen.push((frame.minute, f64::from(lane.replicas)));
            }
        })
        .await?;
    let real: Vec<Side> = reports.iter().zip(frames).map(|(report, replicas)| on_the_rig(report, replicas)).collect();

    let load = distance(&virtual_time.offered, &offered, minutes);
    let text = text(&virtual_time.sides, &real, load, minutes);
    println!("{text}");
    if let Some(path) = std::env::var_os("FLOORKEEPER_REPORT") {
        std::fs::write(&path, &text).with_context(|| format!("{} can't be written", Path::new(&path).display()))?;
    }
    ensure!(load < 0.02, "the two were not offered the same load: {load:.3} apart");
    for ((ours, theirs), (_, name)) in virtual_time.sides.iter().zip(&real).zip(&LANES) {
        let apart = distance(&ours.replicas, &theirs.replicas, minutes);
        ensure!(apart < 0.10, "{name}: replicas are {apart:.3} apart");
        let unsafe_apart = (ours.unsafe_minutes - theirs.unsafe_minutes).abs();
        ensure!(unsafe_apart <= 0.05 * minutes, "{name}: unsafe minutes are {unsafe_apart:.1} apart");
        ensure!((lowest(ours) - lowest(theirs)).abs() <= 1.0, "{name}: {} and {}", lowest(ours), lowest(theirs));
    }
    Ok(())
}

struct VirtualTime {
    sides: Vec<Side>,
    offered: Vec<(f64, f64)>,
}

/// What the program says, as anybody would ask it.
fn replayed() -> Result<VirtualTime> {
    let names = LANES.map(|(_, name)| name).join(",");
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_floorkeeper"))
        .args(["replay", SCENARIO, "--policy", "minimal", "--scaler", &names, "--format", "json", "--series"])
        .output()?;
    let json: Value = serde_json::from_slice(&out.stdout)
        .with_context(|| format!("not JSON; it said {}", String::from_utf8_lossy(&out.stderr)))?;
    let series = &json["series"][0];
    let step = series["step_minutes"].as_f64().context("no step in the series")?;
    let points = |values: &Value| -> Vec<(f64, f64)> {
        let values = values.as_array().into_iter().flatten().filter_map(Value::as_f64);
        (0_u32..).zip(values).map(|(tick, value)| (f64::from(tick) * step, value)).collect()
    };
    let find = |list: &Value, name: &str| -> Result<Value> {
        let found = list.as_array().into_iter().flatten().find(|one| one["scaler"] == name);
        found.cloned().with_context(|| format!("no {name} in {list}"))
    };
    let sides = LANES.iter().map(|(_, name)| {
        let run = find(&json["runs"], name)?;
        let number = |key: &str| run[key].as_f64().with_context(|| format!("{name} has no {key}"));
        Ok(Side {
            unsafe_minutes: number("unsafe_minutes")?,
            unmet_percent: number("unmet_percent")?,
            replica_hours: number("replica_hours")?,
            replicas: points(&find(&series["scalers"], name)?["replicas"]),
        })
    });
    Ok(VirtualTime { sides: sides.collect::<Result<_>>()?, offered: points(&series["offered"]) })
}

fn on_the_rig(run: &LaneReport, replicas: Vec<(f64, f64)>) -> Side {
    let report = &run.report;
    Side {
        unsafe_minutes: report.unsafe_minutes,
        unmet_percent: report.unmet_percent,
        replica_hours: report.replica_hours,
        replicas,
    }
}

/// The area between two curves, as a share of what is below the second.
fn distance(ours: &[(f64, f64)], theirs: &[(f64, f64)], minutes: f64) -> f64 {
    let (mut apart, mut all, mut minute) = (0.0, 0.0, 0.0);
    while minute < minutes {
        let (a, b) = (at(ours, minute), at(theirs, minute));
        apart += (a - b).abs();
        all += b;
        minute += 0.25;
    }
    apart / f64::max(all, f64::MIN_POSITIVE)
}

fn at(points: &[(f64, f64)], minute: f64) -> f64 {
    let after = points.partition_point(|(since, _)| *since <= minute);
    points.get(after.saturating_sub(1)).map_or(0.0, |(_, value)| *value)
}

fn lowest(side: &Side) -> f64 {
    side.replicas.iter().map(|(_, replicas)| *replicas).fold(f64::INFINITY, f64::min)
}

fn text(ours: &[Side], theirs: &[Side], load: f64, minutes: f64) -> String {
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let mut text = format!(
        "{}\nThe load itself is {:.2} % apart.\n\n\
         | scaler | | unsafe minutes | unmet load, % | lowest replicas | replica-hours | replicas apart |\n\
         |---|---|---:|---:|---:|---:|---:|\n",
        INTRODUCTION.replace("@DATE", &date),
        load * 100.0
    );
    for ((ours, theirs), (_, name)) in ours.iter().zip(theirs).zip(&LANES) {
        let apart = distance(&ours.replicas, &theirs.replicas, minutes) * 100.0;
        for (side, of, apart) in [("replay", ours, format!("{apart:.1} %")), ("rig", theirs, String::new())] {
            let Side { unsafe_minutes, unmet_percent, replica_hours, replicas: _ } = of;
            let lowest = lowest(of);
            let _ = writeln!(
                text,
                "| {name} | {side} | {unsafe_minutes:.1} | {unmet_percent:.1} | {lowest} | {replica_hours:.1} | {apart} |"
            );
        }
    }
    text.push_str("\nReplicas, every ten minutes and at the edges of the fault:\n\n| minute |");
    for (_, name) in &LANES {
        let _ = write!(text, " {name} replay | {name} rig |");
    }
    text.push_str("\n|---:|---:|---:|---:|---:|\n");
    let mut minute = 0.0;
    while minute < minutes {
        let _ = write!(text, "| {minute:.0} |");
        for (ours, theirs) in ours.iter().zip(theirs) {
            let _ = write!(text, " {} | {} |", at(&ours.replicas, minute), at(&theirs.replicas, minute));
        }
        text.push('\n');
        minute += if (10.0..40.0).contains(&minute) || (320.0..350.0).contains(&minute) { 2.0 } else { 10.0 };
    }
    text
}

const INTRODUCTION: &str = "\
# Replay against the rig, @DATE

S1a, the incident of 5 March 2024, played twice: by `floorkeeper replay` in virtual time, and on the rig in six minutes of
real time with real HPAs, a real Prometheus and simulated pods. The model of the service is the same code in both; what is
compared is everything around it: pods that start, CPU and rates on their way to an autoscaler, the autoscalers themselves.
*Replicas apart*: the area between the two curves, as a share of what is below the rig's.

```sh
FLOORKEEPER_SOAK=1 FLOORKEEPER_REPORT=docs/replay-on-rig-@DATE.md cargo test --test replay_on_rig
```
";
