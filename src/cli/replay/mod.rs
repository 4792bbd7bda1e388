//! `floorkeeper replay`: scenarios in virtual time against floorkeeper's own engine and its peers.

pub mod policies;

use std::process::ExitCode;

use anyhow::Context as _;
use floorkeeper_replay::{Play, Runs, Scaler, TICK};
use floorkeeper_sim::{CATALOGUE, Scenario};

/// Plays incidents in virtual time, against floorkeeper and against other autoscalers.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  floorkeeper replay                       everything
  floorkeeper replay S1a S8 --format json  two incidents, for a program to read")]
pub struct Args {
    /// Names of embedded scenarios, or files of your own. None: all embedded ones.
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
}

impl Args {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { scenarios } = self;
        let names: Vec<String> = match scenarios.is_empty() {
            true => CATALOGUE.iter().map(|(name, _)| (*name).to_owned()).collect(),
            false => scenarios,
        };
        let policies = policies::committed()?;
        let mut runs = Runs::default();
        for name in names {
            let scenario = floorkeeper_sim::find(&name)?;
            let trace = scenario.trace(|path| std::fs::read_to_string(path).map_err(|error| error.to_string()))?;
            for named in &policies {
                let play = play(&scenario, &trace, named);
                for played in play.play().played {
                    for broken in &played.broken {
                        eprintln!("{name} {} {}: {broken}", named.name, played.run.scaler);
                    }
                    runs.runs.push(played.run);
                }
            }
        }
        let text = serde_json::to_string_pretty(&runs).context("the runs can't be written as JSON")?;
        super::print(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn play<'a>(scenario: &'a Scenario, trace: &'a floorkeeper_sim::Trace, named: &'a policies::Named) -> Play<'a> {
    Play {
        scenario,
        trace,
        trace_name: "generated",
        policy: &named.policy,
        policy_name: &named.name,
        seed: 0,
        scalers: &Scaler::ALL,
        tick: TICK,
        series: false,
    }
}
