//! The `rig` program: a real control plane on this machine, from the command line.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // Warnings of our own; a client that lost the cluster that we just stopped is no news. `RUST_LOG=debug` for more.
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,kube_client=off,kube_runtime=off"));
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
