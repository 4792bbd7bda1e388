//! `floorkeeper explain`: why this floor, now, and what would let it fall.

mod history;
mod show;

use std::process::ExitCode;

use anyhow::bail;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use serde_json::json;

use self::show::Story;
use super::heartbeat::Heart;
use super::reach::{Cluster, Reach};
use super::scalers::{self, Found};
use super::terminal::Terminal;
use crate::api::{DemandHistory, FloorRow, FloorTable, ScalingPolicy, TABLE_NAME};

/// Says why a policy's floor stands where it stands, now.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Says why a policy's floor stands where it stands, now: what each guard asks for, what is in doubt, what \
would have to happen for the floor to fall, since when, at what price, what floorkeeper did last, and the command that \
overrides it.\n\n\
It reads what floorkeeper left in the API server, so it also answers while floorkeeper is dead, and then says so. Only \
reads. Exit code 0, or 1 where there is no such policy.",
    after_help = "Examples:
  floorkeeper explain web -n shop
  floorkeeper explain web -n shop --history    what each hour of the last two weeks needed, and how deep load falls
  floorkeeper explain web -n shop -o json"
)]
pub(super) struct Args {
    /// Name of the policy.
    #[arg(value_name = "POLICY")]
    name: String,

    /// Draws what its workload's own past has taught, instead.
    #[arg(long)]
    history: bool,

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
        let Self { name, history, output, reach } = self;
        reach.run(|cluster| async move {
            let text = look(&cluster, &name, history, output).await?;
            super::print(text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

async fn look(cluster: &Cluster, name: &str, history: bool, output: Option<Output>) -> anyhow::Result<String> {
    let namespace = cluster.namespace.as_str();
    let Some(policy) = cluster.find::<ScalingPolicy>(name, Some(namespace)).await? else {
        bail!("{}", missing(cluster, name).await);
    };
    if history && output.is_none() {
        let stored = cluster.find::<DemandHistory>(name, Some(namespace)).await?;
        return Ok(history::picture(stored.as_ref(), name, cluster.now(), Terminal::here()));
    }
    // The rest helps to understand; who may not read it still gets the status.
    let table = cluster.find::<FloorTable>(TABLE_NAME, Some(namespace)).await.ok().flatten();
    let row = table.and_then(|table| row(table, &policy));
    let objects = scalers::scaled_objects(cluster, Some(namespace)).await.unwrap_or_default();
    let object = objects.into_iter().find(|object| of(Found::scaled_object(object), &policy).is_some());
    let hpas = cluster.list::<HorizontalPodAutoscaler>(Some(namespace)).await.unwrap_or_default();
    let hpa = hpas.items.into_iter().find(|hpa| of(Found::hpa(hpa), &policy).is_some());
    let heart = Heart::listen(cluster).await;
    if output == Some(Output::Json) {
        let history = cluster.find::<DemandHistory>(name, Some(namespace)).await.ok().flatten();
        return super::pretty(&json!({
            "floorkeeper": {"alive": heart.alive(), "says": heart.sentence(cluster.now())},
            "policy": policy, "row": row, "hpa": hpa, "scaledObject": object,
            "history": history.map(|history| history.spec),
        }));
    }
    let scaler = object.as_ref().and_then(Found::scaled_object).or_else(|| hpa.as_ref().and_then(Found::hpa));
    let story = Story {
        policy: &policy,
        row: row.as_ref(),
        scaler: scaler.as_ref(),
        heart: &heart,
        now: cluster.now(),
        terminal: Terminal::here(),
        program: super::program(),
    };
    Ok(story.text())
}

/// The row of the policy's target, by kind and name: the plural of a kind is not known here, and need not be.
fn row(table: FloorTable, policy: &ScalingPolicy) -> Option<FloorRow> {
    let target = &policy.spec.target_ref;
    let start = target.kind.to_lowercase();
    let mut rows = table.spec.floors.into_iter().filter(|(key, row)| {
        let named = key.split_once('/').is_some_and(|(kind, name)| name == target.name && kind.starts_with(&start));
        named && !row.released
    });
    rows.next().map(|(_, row)| row)
}

fn of(scaler: Option<Found>, policy: &ScalingPolicy) -> Option<Found> {
    scaler.filter(|scaler| scaler.scales(policy))
}

/// Names what there is instead.
pub(super) async fn missing(cluster: &Cluster, name: &str) -> String {
    let namespace = &cluster.namespace;
    let there = cluster.list::<ScalingPolicy>(Some(namespace)).await.unwrap_or_default();
    let mut names: Vec<String> = there.items.into_iter().filter_map(|policy| policy.metadata.name).collect();
    let left = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let there = match (names.is_empty(), left) {
        (true, _) => "it has none; `-n NAMESPACE` looks in another one".to_owned(),
        (false, 0) => format!("it has {}", names.join(", ")),
        (false, left) => format!("it has {} and {left} more", names.join(", ")),
    };
    format!("there is no ScalingPolicy {name} in namespace {namespace}: {there}")
}

/// Enough to see a slip of the pen.
const NAMED: usize = 10;

#[cfg(test)]
mod tests;
