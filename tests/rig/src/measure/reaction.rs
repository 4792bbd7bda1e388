//! How long a write below the floor stands: from the event that shows it to the event that shows it undone, in a watch of
//! our own.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{documents, guarded, install};
use crate::operator::Operator;
use crate::{Cluster, Options, eventually};

/// One write below the floor.
#[derive(Debug, Clone)]
pub struct Reaction {
    /// How it was written.
    pub how: &'static str,
    pub stood: Duration,
    /// Pods that were told to end meanwhile.
    pub terminated: usize,
}

/// All of them.
#[derive(Debug, Clone)]
pub struct Reactions {
    pub seen: Vec<Reaction>,
    /// What floorkeeper says of itself, in milliseconds: from its own event to the answer to its own write.
    pub own: Vec<f64>,
}

/// `writes` writes below the floor of a Deployment of ten ready pods, by three ways in turn, each after the last was undone
/// and all pods were ready again.
///
/// # Errors
/// What could not be started or played.
pub async fn reaction(floorkeeper: &Path, writes: usize, say: impl Fn(&str)) -> Result<Reactions> {
    say("starting a Kubernetes control plane");
    let cluster = Cluster::start(Options::default()).await?;
    let kubeconfig = install(floorkeeper, &cluster).await?;
    cluster.apply(&documents(&guarded("default", "web", FLOOR))).await?;
    let mut operator = Operator::start_as(floorkeeper, &cluster, &kubeconfig)?;
    operator.ready().await?;
    let api = Api::<Deployment>::namespaced(cluster.client(), "default");
    let mut sight = Sight::open(&cluster);
    sight.until("ten pods are ready", |now| now.is_whole()).await?;
    eventually("the floor is stored", BOUND, || async {
        let floor =
            cluster.kubectl(["get", "floortable", "floors", "-o", "jsonpath={.spec.floors.*.replicas}"]).await?;
        ensure!(floor == FLOOR.to_string(), "{floor}");
        anyhow::Ok(())
    })
    .await?;

    say("writing below the floor");
    let mut reactions = Vec::with_capacity(writes);
    for round in 0..writes {
        let before = sight.begin();
        let how = write_below(&api, round).await?;
        sight.until("the floor is back", |now| now.undone.is_some()).await?;
        let stood = sight.stood().context("no write was seen")?;
        sight.until("ten pods are ready", |now| now.is_whole()).await?;
        // Never in step with anything that ticks.
        tokio::time::sleep(Duration::from_millis(60 + (round as u64 * 37) % 140)).await;
        let terminated = sight.terminated() - before;
        reactions.push(Reaction { how, stood, terminated });
        if (round + 1) % 50 == 0 {
            say(&format!("{} of {writes}", round + 1));
        }
        operator.check()?;
    }
    Ok(Reactions { seen: reactions, own: own(&cluster)? })
}

fn own(cluster: &Cluster) -> Result<Vec<f64>> {
    let log = std::fs::read_to_string(cluster.directory().join("floorkeeper.log"))?;
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let millis = |line: serde_json::Value| {
        ["/milliseconds", "/fields/milliseconds"].iter().find_map(|place| line.pointer(place)?.as_f64())
    };
    Ok(lines.filter_map(millis).collect())
}

/// The nearest rank: the value that this share of all does not pass. Sorts.
pub(super) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

async fn write_below(api: &Api<Deployment>, round: usize) -> Result<&'static str> {
    let params = PatchParams { field_manager: Some("somebody".into()), ..PatchParams::default() };
    match round % 3 {
        0 => {
            api.patch("web", &params, &Patch::Merge(json!({"spec": {"replicas": 3}}))).await?;
            Ok("merge patch of the Deployment")
        }
        1 => {
            let mut scale = api.get_scale("web").await?;
            scale.metadata.resource_version = None;
            scale.spec.get_or_insert_default().replicas = Some(2);
            api.replace_scale("web", &PostParams::default(), &scale).await?;
            Ok("PUT of /scale")
        }
        _ => {
            api.patch_scale("web", &params, &Patch::Merge(json!({"spec": {"replicas": 0}}))).await?;
            Ok("scale to zero")
        }
    }
}

/// What the watches have seen.
#[derive(Debug, Clone, Default)]
struct Now {
    replicas: u32,
    ready: u32,
    settled: bool,
    below: Option<Instant>,
    undone: Option<Instant>,
}

impl Now {
    fn is_whole(&self) -> bool {
        self.replicas == FLOOR && self.ready == FLOOR && self.settled
    }
}

struct Sight {
    now: watch::Sender<Now>,
    ended: Arc<Mutex<HashSet<String>>>,
    _watches: JoinSet<()>,
}

impl Sight {
    fn open(cluster: &Cluster) -> Self {
        let now = watch::Sender::new(Now::default());
        let ended = Arc::<Mutex<HashSet<String>>>::default();
        let mut watches = JoinSet::new();
        let api = Api::<Deployment>::namespaced(cluster.client(), "default");
        let seen = now.clone();
        watches.spawn(async move {
            let mut events = std::pin::pin!(watcher(api, watcher::Config::default()));
            while let Some(event) = events.next().await {
                let at = Instant::now();
                if let Ok(Event::Apply(object) | Event::InitApply(object)) = event {
                    seen.send_modify(|now| now.see(&object, at));
                }
            }
        });
        let api = Api::<Pod>::namespaced(cluster.client(), "default");
        let gone = Arc::clone(&ended);
        watches.spawn(async move {
            let mut events = std::pin::pin!(watcher(api, watcher::Config::default()));
            while let Some(event) = events.next().await {
                let ending = match event {
                    Ok(Event::Apply(pod)) if pod.metadata.deletion_timestamp.is_some() => pod.metadata.uid,
                    Ok(Event::Delete(pod)) => pod.metadata.uid,
                    Ok(_) | Err(_) => None,
                };
                gone.lock().unwrap_or_else(PoisonError::into_inner).extend(ending);
            }
        });
        Self { now, ended, _watches: watches }
    }

    /// Forgets the last write; gives how many pods were ended so far.
    fn begin(&mut self) -> usize {
        self.now.send_modify(|now| (now.below, now.undone) = (None, None));
        self.terminated()
    }

    async fn until(&mut self, what: &str, reached: impl FnMut(&Now) -> bool) -> Result<()> {
        let mut changes = self.now.subscribe();
        let waited = tokio::time::timeout(BOUND, changes.wait_for(reached)).await.map(|seen| seen.map(drop));
        waited.with_context(|| format!("waited in vain: {what}. {:?}", *self.now.borrow()))??;
        Ok(())
    }

    fn stood(&self) -> Option<Duration> {
        let now = self.now.borrow();
        Some(now.undone?.duration_since(now.below?))
    }

    fn terminated(&self) -> usize {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Now {
    fn see(&mut self, object: &Deployment, at: Instant) {
        self.replicas = object.spec.replicas.and_then(|replicas| u32::try_from(replicas).ok()).unwrap_or_default();
        let status = object.status.clone().unwrap_or_default();
        self.ready = status.ready_replicas.and_then(|ready| u32::try_from(ready).ok()).unwrap_or_default();
        self.settled =
            status.observed_generation == object.metadata.generation && status.replicas == Some(FLOOR as i32);
        if self.replicas < FLOOR {
            self.below.get_or_insert(at);
        } else if self.below.is_some() {
            self.undone.get_or_insert(at);
        }
    }
}

impl fmt::Display for Reactions {
    /// A table in Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| write below the floor | writes | p50 ms | p99 ms | max ms | pods terminated | writes that cost a pod |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        let mut ways: Vec<_> = self.seen.iter().map(|one| one.how).take(3).collect();
        ways.push("all");
        for way in ways {
            let of: Vec<_> = self.seen.iter().filter(|one| way == "all" || one.how == way).collect();
            let mut stood: Vec<f64> = of.iter().map(|one| one.stood.as_secs_f64() * 1e3).collect();
            let mut at = |share| percentile(&mut stood, share);
            let terminated: usize = of.iter().map(|one| one.terminated).sum();
            let costly = of.iter().filter(|one| one.terminated > 0).count();
            let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
            writeln!(f, "| {way} | {} | {p50:.1} | {p99:.1} | {max:.1} | {terminated} | {costly} |", of.len())?;
        }
        let mut own = self.own.clone();
        let mut at = |share| percentile(&mut own, share);
        let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
        writeln!(f, "| floorkeeper's own part | {} | {p50:.1} | {p99:.1} | {max:.1} | | |", self.own.len())
    }
}

/// The Deployment's replicas, and so its floor.
const FLOOR: u32 = 10;

/// For when something is wrong.
const BOUND: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_the_nearest_rank() {
        let one =
            |millis| Reaction { how: "PUT", stood: Duration::from_millis(millis), terminated: (millis % 2) as usize };
        let table = Reactions { seen: (1..=200).map(one).collect(), own: vec![2.0] }.to_string();
        assert!(table.contains("| all | 200 | 100.0 | 198.0 | 200.0 | 100 | 100 |"), "{table}");
    }
}
