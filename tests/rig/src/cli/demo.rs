//! `cargo demo`: 5 March 2024, replayed and survived.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use floorkeeper_rig::demo;

/// Replay 5 March 2024 on a real cluster: four equal services, scaled by an HPA on CPU, an HPA on the load at the edge,
/// floorkeeper guarding an HPA, and floorkeeper alone.
///
/// Builds what it needs (minutes, the first time), starts a cluster on this machine and plays 01:20-07:10 UTC in about six
/// minutes. The exit code is 1 if a service that floorkeeper keeps had too few replicas at any time.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Demo {
    /// What the signals did (not public, so choose): S1a the CPU fell, S1b the CPU metric was absent, S1c the demand that the
    /// HPAs and the policy read was zero. Any other scenario's name works too.
    #[arg(long, default_value = "S1a", value_name = "NAME")]
    shape: String,
    /// For S1c: whether every series of the demand is there and reads zero, or three of four are gone.
    #[arg(long, value_enum, default_value_t = Coverage::Full)]
    coverage: Coverage,
    /// Print the result as JSON on standard output.
    #[arg(long)]
    json: bool,
    /// Write a picture of the run.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Leave the cluster up for kubectl; `cargo rig down` stops it.
    #[arg(long)]
    keep: bool,
    /// Show this program instead of building floorkeeper from the workspace.
    #[arg(long, value_name = "PROGRAM")]
    floorkeeper: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Coverage {
    Full,
    Lost,
}

impl Demo {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let Self { shape, coverage, json, svg, keep, floorkeeper } = self;
        let shape = match coverage {
            Coverage::Full => shape,
            Coverage::Lost if shape.eq_ignore_ascii_case("S1c") => format!("{shape}-lost"),
            Coverage::Lost => bail!("--coverage lost is for --shape S1c"),
        };
        let scenario = floorkeeper_sim::find(&shape)?;
        let floorkeeper = program(floorkeeper).await?;
        let outcome = tokio::select! {
            outcome = demo::Demo { scenario, floorkeeper, keep }.run() => outcome?,
            // Dropping the demo ends everything that it started.
            _ = tokio::signal::ctrl_c() => bail!("stopped; nothing is left running"),
        };
        eprintln!("{}", outcome.table());
        if let Some(path) = svg {
            std::fs::write(&path, outcome.svg()).with_context(|| format!("{}", path.display()))?;
            eprintln!("picture: {}", path.display());
        }
        if json {
            println!("{}", outcome.json()?);
        }
        Ok(if outcome.is_unsafe() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// The program that is named, else one that is built for it.
pub(super) async fn program(named: Option<PathBuf>) -> Result<PathBuf> {
    match named {
        // A relative path would be looked up where the guard process stands.
        Some(program) => program.canonicalize().with_context(|| format!("{}: no such program", program.display())),
        None => tokio::task::spawn_blocking(build_floorkeeper).await?,
    }
}

/// Builds the floorkeeper program beside this one, in the same profile, and says where it is.
fn build_floorkeeper() -> Result<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let beside = std::env::current_exe()?.parent().context("this program has no directory")?.join("floorkeeper");
    let mut cargo = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "floorkeeper", "--bin", "floorkeeper"]).current_dir(workspace);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    eprintln!("building floorkeeper");
    // Cargo's own words go to standard error, as ours do.
    let status = cargo.stdout(std::process::Stdio::null()).status().context("cargo does not start")?;
    if !status.success() {
        bail!("floorkeeper does not build");
    }
    Ok(beside)
}

const EXAMPLES: &str = "\
Examples:
  cargo demo                                    an internal error, and the CPU falls
  cargo demo --shape S1c --coverage lost     the demand reads zero, and most of its series are gone
  cargo demo --svg demo.svg --json           a picture, and the numbers on standard output
  cargo demo --keep                          leave the cluster up to look around with kubectl";
