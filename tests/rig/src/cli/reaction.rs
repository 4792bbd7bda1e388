//! `rig reaction`: how long a write below the floor stands.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use floorkeeper_rig::measure;

use super::demo::program;

/// Write below a floor again and again, in three ways, and say how long each write stood and how many pods it cost; then
/// overwrite the HPA's minimum as often.
#[derive(Debug, clap::Args)]
pub(crate) struct Reaction {
    #[arg(long, default_value_t = 210)]
    writes: usize,
    /// Measure this program instead of building floorkeeper from the workspace; use a release build.
    #[arg(long, value_name = "PROGRAM")]
    floorkeeper: Option<PathBuf>,
}

impl Reaction {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let floorkeeper = program(self.floorkeeper).await?;
        print!("{}", measure::reaction(&floorkeeper, self.writes, |what| eprintln!("{what}")).await?);
        print!("{}", measure::minimum(&floorkeeper, self.writes, |what| eprintln!("{what}")).await?);
        Ok(ExitCode::SUCCESS)
    }
}
