//! `rig build`: only build the programs.

use std::process::ExitCode;

use anyhow::Result;
use floorkeeper_rig::Module;

/// Build the programs of the control plane into the cache, and start nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Build {}

impl Build {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        for module in Module::ALL {
            let directory = tokio::task::spawn_blocking(move || module.build()).await??;
            println!("{}", directory.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}
