//! `rig scale`: what thousands of policies cost.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use floorkeeper_rig::measure;

use super::demo::program;

/// Guard many HPAs on one shared demand, and say what that costs: requests, CPU and memory at rest, time from a change of the
/// load to the last floor stored, and from a cold start.
#[derive(Debug, clap::Args)]
pub(crate) struct Scale {
    #[arg(long, default_value_t = 1000)]
    policies: usize,
    /// Measure this program instead of building floorkeeper from the workspace; use a release build.
    #[arg(long, value_name = "PROGRAM")]
    floorkeeper: Option<PathBuf>,
}

impl Scale {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let floorkeeper = program(self.floorkeeper).await?;
        let scale = measure::Scale { floorkeeper, policies: self.policies };
        print!("{}", measure::scale(&scale, |what| eprintln!("{what}")).await?);
        Ok(ExitCode::SUCCESS)
    }
}
