//! `floorkeeper completions`: what a shell needs to complete our commands.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

/// Prints a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  source <(floorkeeper completions bash)                            for this shell
  floorkeeper completions zsh > \"${fpath[1]}/_floorkeeper\"          for every zsh
  floorkeeper completions fish > ~/.config/fish/completions/floorkeeper.fish

For `kubectl floorkeeper ...`, names of policies included, link the program beside kubectl-floorkeeper:
  ln -s kubectl-floorkeeper /usr/local/bin/kubectl_complete-floorkeeper")]
pub(crate) struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Args {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let mut command = super::Cli::command();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "floorkeeper", &mut script);
        super::print(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}
