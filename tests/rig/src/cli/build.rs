//! `rig build`: only build the programs.

use std::process::ExitCode;

use anyhow::Result;
use floorkeeper_rig::Module;

/// Build the programs of the control plane into the cache, and start nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Build {
    /// Build KEDA's operator and metrics adapter too; only the soak of KEDA needs them.
    #[arg(long)]
    keda: bool,
}

impl Build {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let keda = self.keda.then_some(Module::Keda);
        for module in Module::ALL.into_iter().chain(keda) {
            let directory = tokio::task::spawn_blocking(move || module.build()).await??;
            println!("{}", directory.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}
