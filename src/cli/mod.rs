//! The command line: one file a subcommand.

mod check;
mod completions;
pub mod crds;
pub mod replay;
pub mod run;

use std::io::Write;
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
    Check(check::Args),
    Replay(replay::Args),
    Crds(crds::Args),
    Completions(completions::Args),
}

impl Cli {
    /// Carries the chosen command out.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Run(args) => args.run(),
            Command::Check(args) => args.run(),
            Command::Replay(args) => args.run(),
            Command::Crds(args) => args.run(),
            Command::Completions(args) => args.run(),
        }
    }
}

/// Writes to standard output. A reader that has gone away (`| head`) is no error.
fn print(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}
