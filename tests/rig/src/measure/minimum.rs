//! How long an overwritten `minReplicas` stands: from the answer to the foreign write until a read shows it put back.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::reaction::percentile;
use super::{documents, guarded, install};
use crate::operator::Operator;
use crate::{Cluster, Options};

/// `writes` times somebody sets the minimum of a guarded HPA to 2; a line of a table in Markdown.
///
/// # Errors
/// What could not be started or played.
pub async fn minimum(floorkeeper: &Path, writes: usize, say: impl Fn(&str)) -> Result<String> {
    say("starting a Kubernetes API server");
    let cluster = Cluster::start(Options::api_only()).await?;
    let kubeconfig = install(floorkeeper, &cluster).await?;
    cluster.apply(&documents(&guarded("default", "web", FLOOR))).await?;
    let mut operator = Operator::start_as(floorkeeper, &cluster, &kubeconfig)?;
    operator.ready().await?;
    let api = Api::<HorizontalPodAutoscaler>::namespaced(cluster.client(), "default");
    put_back(&api, None).await?;
    say("overwriting the minimum");
    let mut stood = Vec::with_capacity(writes);
    for round in 0..writes {
        let params = PatchParams { field_manager: Some("somebody".into()), ..PatchParams::default() };
        let written = api.patch("web", &params, &Patch::Merge(json!({"spec": {"minReplicas": 2}}))).await?;
        let answered = Instant::now();
        ensure!(written.spec.min_replicas == Some(2), "the write did not land: {:?}", written.spec.min_replicas);
        put_back(&api, written.metadata.resource_version).await?;
        stood.push(answered.elapsed().as_secs_f64() * 1e3);
        // Never in step with anything that ticks.
        tokio::time::sleep(Duration::from_millis(40 + (round as u64 * 37) % 140)).await;
        operator.check()?;
    }
    let mut at = |share| percentile(&mut stood, share);
    let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
    Ok(format!("| minReplicas of the HPA overwritten | {writes} | {p50:.1} | {p99:.1} | {max:.1} | | |\n"))
}

/// Waits until the minimum is the floor, in another version than this one.
async fn put_back(api: &Api<HorizontalPodAutoscaler>, overwritten: Option<String>) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < BOUND {
        let seen = api.get("web").await?;
        if seen.metadata.resource_version != overwritten && seen.spec.min_replicas == Some(FLOOR as i32) {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    bail!("nobody put the minimum back within {BOUND:?}")
}

/// The Deployment's replicas, and so its floor.
const FLOOR: u32 = 10;

/// Fine enough beside what is measured, and little for an API server.
const LOOK: Duration = Duration::from_millis(2);

/// For when something is wrong.
const BOUND: Duration = Duration::from_secs(60);
