//! `rig failover`: how long nobody writes when the leader goes.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use floorkeeper_rig::measure;

use super::demo::program;

/// Kill and stop the leader of two replicas again and again, and say how long it takes until the other one writes.
#[derive(Debug, clap::Args)]
pub(crate) struct Failover {
    #[arg(long, default_value_t = 20)]
    runs: usize,
    /// Seconds, as `floorkeeper run --lease-duration`.
    #[arg(long, default_value_t = 15)]
    lease_duration: u64,
    /// Measure this program instead of building floorkeeper from the workspace; use a release build.
    #[arg(long, value_name = "PROGRAM")]
    floorkeeper: Option<PathBuf>,
}

impl Failover {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let floorkeeper = program(self.floorkeeper).await?;
        let said = measure::failover(&floorkeeper, self.runs, self.lease_duration, |what| eprintln!("{what}")).await?;
        print!("{said}");
        Ok(ExitCode::SUCCESS)
    }
}
