//! Arguments in, exit code out.

use std::process::ExitCode;

use floorkeeper::cli::Cli;

fn main() -> ExitCode {
    Cli::read().run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
