//! `rig soak`: every scenario end to end, and the report of it.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use floorkeeper_rig::soak;

use super::demo::program;

/// Play scenarios against floorkeeper on this machine, one after the other, and write a report.
///
/// Takes about an hour. The exit code is 1 if a scenario's pass condition is broken.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Soak {
    /// Scenarios to play; if none is named, those whose faults the real parts can show in minutes. `floorkeeper replay` plays
    /// all.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Where the report goes; printed on standard output if left out.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Play against this program instead of building floorkeeper from the workspace.
    #[arg(long, value_name = "PROGRAM")]
    floorkeeper: Option<PathBuf>,
    /// Kill floorkeeper before the first fault, with its admission policies in force, and judge by the floor alone.
    #[arg(long)]
    dead: bool,
}

impl Soak {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let Self { names, report, floorkeeper, dead } = self;
        let usual: &[&str] = if dead { &OUTLIVED } else { &USUAL };
        let names = if names.is_empty() { usual.iter().map(|&name| name.to_owned()).collect() } else { names };
        let scenarios = names.iter().map(|name| floorkeeper_sim::find(name)).collect::<Result<Vec<_>, _>>()?;
        let floorkeeper = program(floorkeeper).await?;
        let (mut rows, mut failed) = (Vec::new(), false);
        for scenario in scenarios {
            let id = scenario.id.clone();
            eprintln!("{id}: {}", scenario.title);
            let say = |what: &str| eprintln!("  {what}");
            let played = if dead {
                let outlived = soak::outlive(scenario, &floorkeeper, say).await;
                outlived.map(|outlived| (outlived.row(), outlived.broken()))
            } else {
                let soaked = soak::soak(scenario, &floorkeeper, say).await;
                soaked.map(|soaked| (soaked.row(), soaked.broken()))
            };
            let row = match played {
                Ok((row, broken)) => {
                    failed |= !broken.is_empty();
                    row
                }
                // The others are still worth playing.
                Err(error) => {
                    failed = true;
                    format!("| {id} | | | | | | **not played**: {} |", format!("{error:#}").replace(['\n', '|'], " "))
                }
            };
            eprintln!("{row}");
            rows.push(row);
            let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
            let text = if dead { soak::dead_report } else { soak::report };
            let text = text(&rows, &date, &machine(), &commit());
            match &report {
                // After each: an hour is long.
                Some(path) => std::fs::write(path, text).with_context(|| format!("{}", path.display()))?,
                None if rows.len() == names.len() => print!("{text}"),
                None => {}
            }
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// Cores and memory, as far as this machine tells.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        total.split_whitespace().next()?.parse::<u64>().ok()
    });
    match memory {
        Some(kib) => format!("{cores} cores, {} GiB", (kib + (1 << 19)) >> 20),
        None => format!("{cores} cores"),
    }
}

fn commit() -> String {
    let git =
        Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    git.ok().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// Without those that last days, or are about arithmetic alone.
const USUAL: [&str; 20] = [
    "S1a", "S1b", "S1c", "S1c-lost", "S2", "S5", "S6", "S8", "S9", "S10", "S11", "S12", "S13", "S14", "S16", "S18",
    "S19", "S20", "S24", "S25",
];

/// Those in which somebody writes fewer replicas, or a lower minimum, or is told of less load.
const OUTLIVED: [&str; 9] = ["S1a", "S5", "S6", "S11", "S12", "S13", "S16", "S18", "S24"];

const EXAMPLES: &str = "\
Examples:
  cargo rig soak                                  the usual ones, the report on standard output
  cargo rig soak --report docs/soak-2026-11.md    the same, the report into a file, written after each
  cargo rig soak S8 S13                           two of them
  cargo rig soak --dead                           what the API server keeps by itself";
