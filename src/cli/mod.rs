//! The command line: one file or folder a subcommand.

mod adopt;
mod ago;
mod backtest;
mod check;
mod complete;
mod completions;
pub mod crds;
mod doctor;
mod enforced;
mod explain;
mod heartbeat;
mod orders;
mod reach;
pub mod replay;
pub mod run;
mod scalers;
mod status;
mod terminal;
mod trouble;
mod uninstall;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use serde_json::Value;

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
    Status(status::Args),
    Explain(explain::Args),
    Override(orders::Args),
    Doctor(doctor::Args),
    Adopt(adopt::Args),
    Uninstall(uninstall::Args),
    Check(check::Args),
    Replay(replay::Args),
    Backtest(backtest::Args),
    Crds(crds::Args),
    Completions(completions::Args),
}

impl Cli {
    /// Reads the arguments of this process; ends it where they are wrong, or ask for help.
    #[must_use]
    pub fn read() -> Self {
        if is_called(complete::FILE) {
            let words: Vec<String> =
                std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
            complete::answer(&words);
            std::process::exit(0);
        }
        let mut command = named(Self::command(), program());
        let matches = command.get_matches_mut();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
    }

    /// Carries the chosen command out.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Run(args) => args.run(),
            Command::Status(args) => args.run(),
            Command::Explain(args) => args.run(),
            Command::Override(args) => args.run(),
            Command::Doctor(args) => args.run(),
            Command::Adopt(args) => args.run(),
            Command::Uninstall(args) => args.run(),
            Command::Check(args) => args.run(),
            Command::Replay(args) => args.run(),
            Command::Backtest(args) => args.run(),
            Command::Crds(args) => args.run(),
            Command::Completions(args) => args.run(),
        }
    }
}

/// How the person called us: as a plugin of kubectl (a file named `kubectl-floorkeeper`), or by our own name.
fn program() -> &'static str {
    if is_called(PLUGIN_FILE) { PLUGIN } else { NAME }
}

fn is_called(file: &str) -> bool {
    let called: Option<OsString> = std::env::args_os().next();
    called.is_some_and(|path| Path::new(&path).file_stem().is_some_and(|name| name == file))
}

/// Usage and examples by the name that the person used.
fn named(command: clap::Command, program: &'static str) -> clap::Command {
    if program == NAME {
        return command;
    }
    command.bin_name(program).mut_subcommands(|command| {
        let examples = command.get_after_help().map(|text| text.to_string());
        match examples {
            Some(examples) => command.after_help(examples.replace("floorkeeper ", "kubectl floorkeeper ")),
            None => command,
        }
    })
}

/// Writes to standard output. A reader that has gone away (`| head`) is no error.
fn print(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// JSON for machines that people read too.
fn pretty(value: &Value) -> anyhow::Result<String> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}

const NAME: &str = "floorkeeper";
const PLUGIN: &str = "kubectl floorkeeper";

/// kubectl looks for plugins under this name.
const PLUGIN_FILE: &str = "kubectl-floorkeeper";
