//! The command line: one file a subcommand.

pub mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An internal error can't scale your service below what its traffic needs.
#[derive(Debug, Parser)]
#[command(name = "floorkeeper", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
}

impl Cli {
    /// Carries the chosen command out.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Run(args) => args.run(),
        }
    }
}
