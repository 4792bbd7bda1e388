//! The `rig` program: a real control plane on this machine, from the command line.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    // Warnings of the library; `RUST_LOG=debug` for more.
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match cli::run(cli::Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            // Standard output is for what a shell evaluates.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
