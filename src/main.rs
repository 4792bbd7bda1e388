//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use floorkeeper::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
