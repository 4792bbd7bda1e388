//! `rig down`: stop what `rig up` started.

use std::process::ExitCode;

use anyhow::Result;
use floorkeeper_rig::Standby;

/// Stop the cluster that `rig up` started; all its data goes.
#[derive(Debug, clap::Args)]
pub(crate) struct Down {}

impl Down {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        match Standby::open()?.stop().await? {
            Some(kept) => eprintln!("The cluster at {} is gone.", kept.server),
            None => eprintln!("No cluster is up."),
        }
        Ok(ExitCode::SUCCESS)
    }
}
