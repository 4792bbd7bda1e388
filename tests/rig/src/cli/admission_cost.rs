//! `rig admission-cost`: what the admission policies add to a write.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use floorkeeper_rig::measure;

/// Write Deployments and their scale again and again, with and without the admission policies, and say how long it took.
#[derive(Debug, clap::Args)]
pub(crate) struct AdmissionCost {
    /// Writes of each kind.
    #[arg(long, default_value_t = 300)]
    writes: usize,
    /// How many floors the namespace holds.
    #[arg(long, value_delimiter = ',', default_value = "0,10,100,1000")]
    floors: Vec<usize>,
    /// The directory of the manifests.
    #[arg(long, value_name = "DIRECTORY", default_value = "deploy")]
    deploy: PathBuf,
}

impl AdmissionCost {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        print!(
            "{}",
            measure::admission_cost(&self.deploy, &self.floors, self.writes, |what| eprintln!("{what}")).await?
        );
        Ok(ExitCode::SUCCESS)
    }
}
