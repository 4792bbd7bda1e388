//! `floorkeeper adopt`: policies for what scales already, ready to apply.

mod draft;
mod keda;

use std::process::ExitCode;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;

use self::draft::{Draft, Scaled, drafts};
use super::reach::{Cluster, Reach};
use super::scalers;
use super::trouble::Trouble;
use crate::api::{MetricSource, ScalingPolicy};

/// Prints ScalingPolicies for the HPAs and KEDA ScaledObjects of a namespace.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Prints a ScalingPolicy for each HPA and KEDA ScaledObject of a namespace, in mode Observe: applied, it \
decides and reports, and writes nothing. Comments say where each number comes from.\n\n\
A capacity is given where it is known: from what the scaler itself counts on for a replica, or from what floorkeeper has seen \
one replica carry. Run it again some minutes after the first apply: then it prints the policies with the capacity that was \
seen. Only reads; warnings go to standard error.",
    after_help = "Examples:
  floorkeeper adopt -n shop                            look at it
  floorkeeper adopt -n shop | kubectl apply -f -       observe everything that scales in shop
  floorkeeper adopt -n shop > shop.yaml                into Git; floorkeeper check shop.yaml"
)]
pub(super) struct Args {
    #[command(flatten)]
    reach: Reach,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.reach.run(|cluster| async move {
            let text = print(&cluster).await?;
            super::print(text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

async fn print(cluster: &Cluster) -> anyhow::Result<String> {
    let namespace = cluster.namespace.as_str();
    let hpas = cluster.list::<HorizontalPodAutoscaler>(Some(namespace)).await?;
    let objects = scalers::scaled_objects(cluster, Some(namespace)).await.unwrap_or_else(|trouble| {
        eprintln!("warning: ScaledObjects are left out: {trouble}");
        Vec::new()
    });
    let policies = match cluster.list::<ScalingPolicy>(Some(namespace)).await {
        Ok(policies) => policies.items,
        Err(trouble @ Trouble::NoSuchKind(_)) => {
            eprintln!("warning: {trouble}");
            Vec::new()
        }
        Err(trouble) => return Err(trouble.into()),
    };
    let sources = cluster.list::<MetricSource>(None).await.unwrap_or_else(|trouble| {
        eprintln!("warning: no signal is written that needs a MetricSource: {trouble}");
        Default::default()
    });
    let mut scaled: Vec<Scaled> = objects.iter().filter_map(|object| keda::scaled(object, &sources.items)).collect();
    scaled.extend(hpas.items.iter().filter_map(|hpa| draft::scaled(hpa, &sources.items)));
    scaled.sort_by(|a, b| (&a.name, &a.kind).cmp(&(&b.name, &b.kind)));
    Ok(text(&drafts(namespace, &scaled, &policies)?, namespace, super::program()))
}

/// All documents, with what to do with them.
fn text(drafts: &[Draft], namespace: &str, program: &str) -> String {
    if drafts.is_empty() {
        return format!("# nothing scales in namespace {namespace}: it has no HPA and no ScaledObject\n");
    }
    let mut text = format!(
        "# ScalingPolicies for what scales in namespace {namespace}. Mode Observe decides and reports, and writes nothing.\n\
         #   apply:  {program} adopt -n {namespace} | kubectl apply -f -\n\
         #   look:   {program} status -n {namespace}\n\
         #   guard:  once you would want its floors, set mode: Guard (it needs a capacity)\n"
    );
    for draft in drafts {
        text += "---\n";
        text += &draft.text();
    }
    text
}

/// A comment is one line, whatever a name or a query holds.
fn comment(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("# {}\n", line.trim_end())
}

#[cfg(test)]
mod tests;
