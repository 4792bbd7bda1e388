//! How long nobody writes when the leader goes: killed, and asked to stop.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::reaction::percentile;
use super::{documents, guarded, install};
use crate::operator::Operator;
use crate::process::Signal;
use crate::{Cluster, Options, eventually};

/// From the signal to the standby's write that puts a floor back, in milliseconds.
#[derive(Debug, Clone)]
pub struct Failovers {
    /// Seconds.
    pub lease: u64,
    pub killed: Vec<f64>,
    pub stopped: Vec<f64>,
}

/// `runs` leaders killed with SIGKILL and as many stopped with SIGTERM, each with a warm standby beside it; right after the
/// signal somebody writes below the floor.
///
/// # Errors
/// What could not be started or played.
pub async fn failover(floorkeeper: &Path, runs: usize, lease: u64, say: impl Fn(&str)) -> Result<Failovers> {
    say("starting a Kubernetes API server");
    let cluster = Cluster::start(Options::api_only()).await?;
    let kubeconfig = install(floorkeeper, &cluster).await?;
    cluster.apply(&documents(&guarded("default", "web", FLOOR))).await?;
    let start = |number: usize| {
        let more = ["--leader-election".to_owned(), "--lease-duration".to_owned(), lease.to_string()];
        Operator::start_as_one_of(floorkeeper, &cluster, &kubeconfig, &format!("floorkeeper-{number}.log"), &more)
    };
    let mut leader = start(0)?;
    leader.ready().await?;
    let api = Api::<Deployment>::namespaced(cluster.client(), "default");
    eventually("the floor is stored", BOUND, || async {
        let floor =
            cluster.kubectl(["get", "floortable", "floors", "-o", "jsonpath={.spec.floors.*.replicas}"]).await?;
        ensure!(floor == FLOOR.to_string(), "{floor}");
        anyhow::Ok(())
    })
    .await?;

    let (mut killed, mut stopped) = (Vec::new(), Vec::new());
    for run in 0..2 * runs {
        let mut standby = start(run + 1)?;
        standby.ready().await?;
        // Never in step with the renewals.
        tokio::time::sleep(Duration::from_millis(500 + (run as u64 * 730) % 2500)).await;
        let began = Instant::now();
        let kills = run % 2 == 0;
        if kills {
            leader.kill();
        } else {
            leader.signal(Signal::Terminate)?;
        }
        let below = Patch::Merge(json!({"spec": {"replicas": 3}}));
        api.patch("web", &PatchParams::default(), &below).await?;
        let took = put_back(&api, began).await?;
        if kills { &mut killed } else { &mut stopped }.push(took.as_secs_f64() * 1e3);
        say(&format!("{}: {took:?}", if kills { "killed" } else { "stopped" }));
        standby.check()?;
        leader = standby;
    }
    Ok(Failovers { lease, killed, stopped })
}

async fn put_back(api: &Api<Deployment>, began: Instant) -> Result<Duration> {
    while began.elapsed() < BOUND {
        let replicas = api.get_scale("web").await?.spec.and_then(|spec| spec.replicas).unwrap_or_default();
        if u32::try_from(replicas).is_ok_and(|replicas| replicas >= FLOOR) {
            return Ok(began.elapsed());
        }
        tokio::time::sleep(LOOK).await;
    }
    bail!("nobody put the floor back within {BOUND:?}")
}

impl fmt::Display for Failovers {
    /// A table in Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| leader, with a lease of {} s | runs | p50 ms | p99 ms | max ms |", self.lease)?;
        writeln!(f, "|---|---|---|---|---|")?;
        for (how, took) in [("killed", &self.killed), ("asked to stop", &self.stopped)] {
            let mut took = took.clone();
            let mut at = |share| percentile(&mut took, share);
            let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
            writeln!(f, "| {how} | {} | {p50:.0} | {p99:.0} | {max:.0} |", took.len())?;
        }
        Ok(())
    }
}

/// The Deployment's replicas, and so its floor.
const FLOOR: u32 = 10;

/// Fine enough beside a hand-over, and little for an API server.
const LOOK: Duration = Duration::from_millis(5);

/// For when something is wrong: several leases.
const BOUND: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_are_told() {
        let table = Failovers { lease: 15, killed: vec![14_000.0], stopped: vec![30.0, 40.0] }.to_string();
        assert!(table.contains("| killed | 1 | 14000 | 14000 | 14000 |"), "{table}");
        assert!(table.contains("| asked to stop | 2 | 30 | 40 | 40 |"), "{table}");
    }
}
