//! `floorkeeper doctor`: what is missing or dangerous in this cluster, and what to do about it.

mod enforcement;
mod finding;
mod gitops;
mod installation;
mod look;
mod policies;
mod sources;

use std::process::ExitCode;

use self::finding::{Finding, Severity};
use self::look::Look;
use super::reach::Reach;
use super::terminal::Terminal;

/// Looks for what is missing or dangerous in this cluster.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Looks for what is missing or dangerous in this cluster: floorkeeper itself, its kinds, its roles and yours, \
what the API server enforces, metric sources, policies, and manifests that fight for minReplicas. Every finding says where, \
and what to do.\n\n\
Problems are what does not protect now; warnings what will not, one day; notes what you should know. Only reads. Exit code: \
0 no problem, 1 a problem (with --strict a warning too).",
    after_help = "Examples:
  floorkeeper doctor                   the whole cluster
  floorkeeper doctor --strict          in a pipeline: warnings fail too
  floorkeeper doctor -o json | jq '.findings[] | select(.severity == \"problem\")'"
)]
pub(super) struct Args {
    /// Warnings count as problems.
    #[arg(long)]
    strict: bool,

    /// Json: for machines.
    #[arg(long, short, value_enum, value_name = "FORMAT")]
    output: Option<Output>,

    #[command(flatten)]
    reach: Reach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Json,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { strict, output, reach } = self;
        reach.run(|cluster| async move {
            let look = Look::at(&cluster).await?;
            let findings = examine(&look);
            let text = match output {
                Some(Output::Json) => super::pretty(&finding::json(&findings))?,
                None => finding::text(&findings, look.policies.len(), Terminal::here()),
            };
            super::print(text.as_bytes())?;
            let worst = findings.iter().map(|finding| finding.severity).min();
            let failed = match worst {
                Some(Severity::Problem) => true,
                Some(Severity::Warning) => strict,
                Some(Severity::Note) | None => false,
            };
            Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        })
    }
}

/// Every finding, the gravest first.
fn examine(look: &Look) -> Vec<Finding> {
    let rooms =
        [installation::findings, enforcement::findings, sources::findings, policies::findings, gitops::findings];
    let mut findings: Vec<Finding> = rooms.iter().flat_map(|room| room(look)).collect();
    findings.sort_by(|a, b| (a.severity, a.check).cmp(&(b.severity, b.check)));
    findings
}

#[cfg(test)]
mod tests;
