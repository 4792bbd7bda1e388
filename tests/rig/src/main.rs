//! The `rig` program: a real control plane on this machine, from the command line.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cli::run(cli::Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            // Standard output is for what a shell evaluates.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
