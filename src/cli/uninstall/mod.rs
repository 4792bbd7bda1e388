//! `floorkeeper uninstall`: out of the cluster in order, everything given back.

mod act;
mod find;
mod plan;

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::bail;

use self::plan::{Stage, Step, plan, text};
use super::heartbeat::Heart;
use super::reach::{Cluster, Reach};
use super::terminal::{Terminal, Tone};

/// Takes floorkeeper out of the cluster, and gives everything back.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Takes floorkeeper out of the cluster, in order: stops it; removes its admission policies and bindings; gives \
every HPA and ScaledObject its owner's bounds back; removes its annotations; removes what was installed with it; removes its kinds last, and \
with them all policies, overrides and floors.\n\n\
It says what it is about to do and asks. Interrupted, or failed half-way, it is safe to run again: it looks at what is still \
there. Replicas are not written, but from then on the scalers alone decide. Not removed: floorkeeper's namespace with its \
Secrets, and labels that you gave to namespaces.\n\n\
Exit code: 0 done (or nothing to do), 1 something is left, or you said no.",
    after_help = "Examples:
  floorkeeper uninstall --dry-run     say what would be done
  floorkeeper uninstall               ask, then do it
  floorkeeper uninstall --yes         in a script"
)]
pub(super) struct Args {
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,

    /// Don't ask.
    #[arg(long, short)]
    yes: bool,

    #[command(flatten)]
    reach: Reach,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { dry_run, yes, reach } = self;
        reach.run(|cluster| async move { go(&cluster, dry_run, yes).await })
    }
}

async fn go(cluster: &Cluster, dry_run: bool, yes: bool) -> anyhow::Result<ExitCode> {
    let found = find::all(cluster).await?;
    let steps = plan(found);
    let terminal = Terminal::here();
    super::print(text(&steps, terminal).as_bytes())?;
    if steps.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let heart = Heart::listen(cluster).await;
    let stops = steps.iter().any(|step| step.stage == Stage::Stop);
    if !stops && let Heart::Beats { .. } = heart {
        let sentence = heart.sentence(cluster.now());
        bail!(
            "{sentence}, and not in the Deployment that could be stopped here: stop it first, or it puts everything back"
        );
    }
    if dry_run {
        super::print(b"Nothing was changed.\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    if !yes && !agreed()? {
        super::print(b"Nothing was changed.\n")?;
        return Ok(ExitCode::FAILURE);
    }
    carry_out(cluster, &steps, terminal).await
}

/// A failure ends it where the next stage would rest on this one.
async fn carry_out(cluster: &Cluster, steps: &[Step], terminal: Terminal) -> anyhow::Result<ExitCode> {
    let mut failed: Option<Stage> = None;
    for step in steps {
        if failed.is_some_and(|stage| stage < step.stage) {
            break;
        }
        match act::act(cluster, step).await {
            Ok(()) => super::print(format!("{}  {}\n", terminal.paint(Tone::Good, "done"), step.says).as_bytes())?,
            Err(why) => {
                failed.get_or_insert(step.stage);
                super::print(format!("{}  {}: {why}\n", terminal.paint(Tone::Bad, "FAILED"), step.says).as_bytes())?;
            }
        }
    }
    if failed.is_some() {
        let said =
            "Not done: what comes after was left alone. Correct what failed and run it again; it goes on from there.\n";
        super::print(said.as_bytes())?;
        return Ok(ExitCode::FAILURE);
    }
    let said = format!(
        "floorkeeper is out of the cluster. Left: namespace {} with its Secrets, and the label floorkeeper.dev/enforce of \
         namespaces; both are yours to remove.\n",
        cluster.home
    );
    super::print(terminal.wrapped(&said, 0).as_bytes())?;
    super::print(b"\n")?;
    Ok(ExitCode::SUCCESS)
}

fn agreed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody is there to ask: pass --yes if you mean it, or --dry-run to look");
    }
    let mut out = std::io::stdout().lock();
    out.write_all(b"Type yes to go on: ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

#[cfg(test)]
mod tests;
