//! `floorkeeper status`: all policies on one screen, worst first.

mod rank;
mod show;

use std::process::ExitCode;

use anyhow::Context as _;

use self::rank::ranked;
use self::show::Page;
use super::heartbeat::Heart;
use super::reach::{Cluster, Reach};
use super::terminal::Terminal;
use crate::api::ScalingPolicy;

/// Shows all policies, worst first.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Shows all policies on one screen, worst first: Limited (more is needed than the maximum allows), Broken, \
Unseen, Blind, Doubtful, Holding (at a price), Contested, Override (a person's order is in force), Unenforced (floorkeeper \
alone keeps the floor, not the API server too), Observing, Fine.\n\n\
READY is ready pods of replicas; PRICE is replicas above what the load alone would ask for. Where more is shown than fits \
the screen, those that are well are left out; into a pipe goes everything. Only reads. Exit code 0, however things are.",
    after_help = "Examples:
  floorkeeper status -A                       the whole cluster
  floorkeeper status -n shop -o wide          target, mode, load and more of one namespace
  floorkeeper status -A -o json | jq -r '.policies[] | select(.state == \"Blind\") | .name'"
)]
pub(super) struct Args {
    /// All namespaces.
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    all_namespaces: bool,

    /// Wide: more columns. Json: for machines.
    #[arg(long, short, value_enum, value_name = "FORMAT")]
    output: Option<Output>,

    #[command(flatten)]
    reach: Reach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Wide,
    Json,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { all_namespaces, output, reach } = self;
        reach.run(|cluster| async move {
            let text = look(&cluster, all_namespaces, output).await?;
            super::print(text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

async fn look(cluster: &Cluster, everywhere: bool, output: Option<Output>) -> anyhow::Result<String> {
    let namespace = (!everywhere).then_some(cluster.namespace.as_str());
    let policies = cluster.list::<ScalingPolicy>(namespace).await?;
    let heart = Heart::listen(cluster).await;
    let ranked = ranked(&policies.items);
    let page = Page {
        heart: &heart,
        ranked: &ranked,
        namespace,
        wide: output == Some(Output::Wide),
        now: cluster.now(),
        terminal: Terminal::here(),
        program: super::program(),
    };
    if policies.unreadable > 0 || policies.cut {
        let what = if policies.cut { "there are more than are shown" } else { "some can't be read and are left out" };
        eprintln!("warning: of the ScalingPolicies {what} ({} unreadable)", policies.unreadable);
    }
    Ok(match output {
        Some(Output::Json) => super::pretty(&page.json()).context("the answer can't be written as JSON")?,
        Some(Output::Wide) | None => page.text(),
    })
}

#[cfg(test)]
mod tests;
