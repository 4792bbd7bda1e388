//! What many policies on one shared demand cost: at rest, at a change of the load, at a cold start.

use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams};
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::usage::{Usage, usage};
use super::{documents, guarded, install};
use crate::operator::Operator;
use crate::{Cluster, Exposition, Options, Prometheus, PrometheusOptions};

/// What to measure.
#[derive(Debug, Clone)]
pub struct Scale {
    pub floorkeeper: PathBuf,
    pub policies: usize,
}

/// What it cost.
#[derive(Debug, Clone)]
pub struct Scaled {
    policies: usize,
    /// From its start to `/readyz`, and to the last floor stored for the first time.
    first: (Duration, Duration),
    rest: Rest,
    /// From the change of the load to the first and to the last floor stored, and to the last HPA's minimum.
    change: (Duration, Duration, Duration),
    change_requests: f64,
    /// From a start after kill -9 to `/readyz`, and to the last floor that the load asked for meanwhile.
    restart: (Duration, Duration),
    peak_mb: f64,
}

#[derive(Debug, Clone)]
struct Rest {
    requests_a_second: f64,
    core_percent: f64,
    resident_mb: f64,
    /// By verb and resource, the most frequent first.
    asked: Vec<(String, usize)>,
}

/// Guards `policies` HPAs, a hundred in each namespace, on one demand of one Prometheus. There is no controller manager: HPAs
/// are only objects here, and replicas only numbers.
///
/// # Errors
/// What could not be started or played.
pub async fn scale(scale: &Scale, say: impl Fn(&str)) -> Result<Scaled> {
    say("starting a Kubernetes control plane and Prometheus");
    let cluster = Cluster::start(Options { audit_log: true, ..Options::api_only() }).await?;
    let account = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": super::NAMESPACE}});
    cluster.apply(&account.to_string()).await?;
    let kubeconfig = install(&scale.floorkeeper, &cluster).await?;
    let names = names(scale.policies);
    let edge = Exposition::start().await?;
    set(&edge, &names, 10);
    let prometheus = Prometheus::start(PrometheusOptions::scraping("edge", &[&edge])).await?;
    cluster.apply(&source(&prometheus.url(), "1s").to_string()).await?;
    say(&format!("creating {} Deployments, HPAs and policies", names.len()));
    create(&cluster, &names).await?;
    let mut floors = Floors::open(&cluster);

    say("cold start");
    let begun = Instant::now();
    let mut operator = Operator::start_as(&scale.floorkeeper, &cluster, &kubeconfig)?;
    operator.ready().await?;
    let ready = begun.elapsed();
    floors.all(names.len(), 10).await?;
    let first = (ready, begun.elapsed());
    say(&format!("ready after {ready:.1?}, all floors after {:.1?}; settling", first.1));
    floors.minima(names.len(), 10).await?;
    cluster.apply(&source(&prometheus.url(), "15s").to_string()).await?;
    settle(&cluster, &mut operator).await?;

    say("at rest for five and a half minutes");
    let rest = rest(&cluster, &operator).await?;
    cluster.apply(&source(&prometheus.url(), "1s").to_string()).await?;
    tokio::time::sleep(Duration::from_secs(10)).await;

    say("the load rises");
    let before = requests(&cluster)?.len();
    let risen = Instant::now();
    set(&edge, &names, 12);
    let to_first = floors.some(12).await?.duration_since(risen);
    let to_last = floors.all(names.len(), 12).await?.duration_since(risen);
    let to_minima = floors.minima(names.len(), 12).await?.duration_since(risen);
    settle(&cluster, &mut operator).await?;
    let change_requests = (requests(&cluster)?.len() - before) as f64 / names.len() as f64;
    let peak_mb = usage(operator.pid()?)?.peak_mb;

    say("kill -9, the load rises, and a cold start");
    operator.kill();
    set(&edge, &names, 15);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let begun = Instant::now();
    operator.kill_and_start()?;
    operator.ready().await?;
    let ready = begun.elapsed();
    let restart = (ready, floors.all(names.len(), 15).await?.duration_since(begun));
    let change = (to_first, to_last, to_minima);
    Ok(Scaled { policies: names.len(), first, rest, change, change_requests, restart, peak_mb })
}

/// Namespace and name, a hundred in each namespace.
fn names(policies: usize) -> Vec<(String, String)> {
    (0..policies).map(|place| (format!("team-{:03}", place / 100), format!("web-{:02}", place % 100))).collect()
}

/// A load for which this many replicas are needed.
fn set(edge: &Exposition, names: &[(String, String)], replicas: u32) {
    let load = f64::from(replicas) * 120.0 / 1.25 - 1.0;
    edge.update(|metrics| {
        for (namespace, name) in names {
            metrics.set("edge_load", &[("namespace", namespace), ("deployment", name)], load);
        }
    });
}

fn source(url: &str, interval: &str) -> Value {
    let demand = json!({"name": "edge", "query": "sum by (namespace, deployment) (edge_load)",
        "labels": {"namespace": "namespace", "target": "deployment"}});
    json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "MetricSource", "metadata": {"name": "default"},
        "spec": {"prometheus": {"url": url}, "interval": interval, "demands": [demand]}})
}

async fn create(cluster: &Cluster, names: &[(String, String)]) -> Result<()> {
    let mut namespaces: Vec<_> = names.iter().map(|(namespace, _)| namespace).collect();
    namespaces.dedup();
    let namespaces: Vec<Value> = namespaces
        .iter()
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .collect();
    cluster.apply(&documents(&namespaces)).await?;
    let kinds = [
        ("apps", "v1", "Deployment", "deployments"),
        ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
        ("floorkeeper.dev", "v1alpha1", "ScalingPolicy", "scalingpolicies"),
    ];
    let objects = names.iter().flat_map(|(namespace, name)| {
        let objects = guarded(namespace, name, 10);
        kinds.into_iter().zip(objects).map(move |(kind, object)| (namespace.clone(), kind, object))
    });
    let create = |(namespace, (group, version, kind, plural), object): (String, _, Value)| {
        let client = cluster.client();
        async move {
            let kind = resource(group, version, kind, plural);
            let api = Api::<DynamicObject>::namespaced_with(client, &namespace, &kind);
            let object = serde_json::from_value(object)?;
            api.create(&PostParams::default(), &object).await?;
            anyhow::Ok(())
        }
    };
    stream::iter(objects).map(create).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(())
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// Floors and minima as watches of our own see them.
struct Floors {
    floors: watch::Sender<HashMap<String, u64>>,
    minima: watch::Sender<HashMap<String, u64>>,
    _watches: JoinSet<()>,
}

impl Floors {
    fn open(cluster: &Cluster) -> Self {
        let (floors, minima) = (watch::Sender::default(), watch::Sender::default());
        let mut watches = JoinSet::new();
        let tables = resource("floorkeeper.dev", "v1alpha1", "FloorTable", "floortables");
        watches.spawn(look(Api::all_with(cluster.client(), &tables), floors.clone(), |place, object, seen| {
            for (row, floor) in object["spec"]["floors"].as_object().into_iter().flatten() {
                seen.insert(format!("{place}/{row}"), floor["replicas"].as_u64().unwrap_or_default());
            }
        }));
        let hpas = resource("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
        watches.spawn(look(Api::all_with(cluster.client(), &hpas), minima.clone(), |place, object, seen| {
            seen.insert(place, object["spec"]["minReplicas"].as_u64().unwrap_or_default());
        }));
        Self { floors, minima, _watches: watches }
    }

    async fn all(&mut self, policies: usize, floor: u64) -> Result<Instant> {
        count(&self.floors, policies, floor).await
    }

    async fn some(&mut self, floor: u64) -> Result<Instant> {
        count(&self.floors, 1, floor).await
    }

    async fn minima(&mut self, policies: usize, floor: u64) -> Result<Instant> {
        count(&self.minima, policies, floor).await
    }
}

async fn look(
    api: Api<DynamicObject>,
    sender: watch::Sender<HashMap<String, u64>>,
    see: fn(String, &Value, &mut HashMap<String, u64>),
) {
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()));
    while let Some(event) = events.next().await {
        let Ok(Event::Apply(object) | Event::InitApply(object)) = event else { continue };
        let place = [object.metadata.namespace, object.metadata.name].map(Option::unwrap_or_default).join("/");
        sender.send_modify(|seen| see(place, &object.data, seen));
    }
}

/// Waits until this many are at `value`; gives the moment.
async fn count(sender: &watch::Sender<HashMap<String, u64>>, wanted: usize, value: u64) -> Result<Instant> {
    let end = Instant::now() + BOUND;
    loop {
        let found = sender.borrow().values().filter(|found| **found == value).count();
        let now = Instant::now();
        if found >= wanted {
            return Ok(now);
        }
        if now > end {
            bail!("waited {BOUND:?} in vain: {found} of {wanted} at {value}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// floorkeeper's requests so far, as the API server has logged them.
fn requests(cluster: &Cluster) -> Result<Vec<String>> {
    let log = BufReader::new(std::fs::File::open(cluster.audit_log())?);
    let mut asked = Vec::new();
    for line in log.lines() {
        let line = line?;
        // The line is read as JSON only where it can be ours.
        if !line.contains(USER) {
            continue;
        }
        let Ok(entry) = serde_json::from_str::<Value>(&line) else { continue };
        // A watch is logged when it begins and when it ends; a request of somebody else may name our user.
        if entry["user"]["username"] == USER && entry["stage"] != "ResponseStarted" {
            let object = &entry["objectRef"];
            let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let subresource = object["subresource"].as_str().map_or_else(String::new, |name| format!("/{name}"));
            asked.push(format!("{} {}{subresource}", word(&entry["verb"]), word(&object["resource"])));
        }
    }
    Ok(asked)
}

/// Until ten seconds bring hardly a request any more: statuses and events have been said.
async fn settle(cluster: &Cluster, operator: &mut Operator) -> Result<()> {
    let end = Instant::now() + BOUND;
    let mut before = requests(cluster)?.len();
    loop {
        tokio::time::sleep(Duration::from_secs(10)).await;
        operator.check()?;
        let now = requests(cluster)?.len();
        if now - before <= 20 || Instant::now() > end {
            return Ok(());
        }
        before = now;
    }
}

async fn rest(cluster: &Cluster, operator: &Operator) -> Result<Rest> {
    let (pid, requests_before, begun) = (operator.pid()?, requests(cluster)?.len(), Instant::now());
    let before = usage(pid)?;
    tokio::time::sleep(REST).await;
    let Usage { cpu_seconds, resident_mb, peak_mb: _ } = usage(pid)?;
    let seconds = begun.elapsed().as_secs_f64();
    let requests = requests(cluster)?.split_off(requests_before);
    let requests_a_second = requests.len() as f64 / seconds;
    let mut asked = HashMap::<String, usize>::new();
    for request in requests {
        *asked.entry(request).or_default() += 1;
    }
    let mut asked: Vec<_> = asked.into_iter().collect();
    asked.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    let core_percent = (cpu_seconds - before.cpu_seconds) / seconds * 100.0;
    Ok(Rest { requests_a_second, core_percent, resident_mb, asked })
}

impl fmt::Display for Scaled {
    /// A table in Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = Duration::as_secs_f64;
        let Self { policies, first, rest, change, change_requests, restart, peak_mb } = self;
        let asked: Vec<_> = rest.asked.iter().map(|(what, times)| format!("{times} {what}")).collect();
        writeln!(f, "| {policies} policies | |")?;
        writeln!(f, "|---|---|")?;
        writeln!(f, "| first start: ready | {:.1} s |", seconds(&first.0))?;
        writeln!(f, "| first start: last floor stored | {:.1} s |", seconds(&first.1))?;
        writeln!(f, "| at rest: API requests a second | {:.2} ({}) |", rest.requests_a_second, asked.join(", "))?;
        writeln!(f, "| at rest: share of a core | {:.1} % |", rest.core_percent)?;
        writeln!(f, "| at rest: resident memory | {:.0} MB |", rest.resident_mb)?;
        writeln!(
            f,
            "| change of the load (scraped and asked each second): first floor stored | {:.1} s |",
            seconds(&change.0)
        )?;
        writeln!(f, "| change of the load: last floor stored | {:.1} s |", seconds(&change.1))?;
        writeln!(f, "| change of the load: last HPA minimum | {:.1} s |", seconds(&change.2))?;
        writeln!(f, "| change of the load: API requests a policy | {change_requests:.2} |")?;
        writeln!(f, "| start after kill -9: ready | {:.1} s |", seconds(&restart.0))?;
        writeln!(f, "| start after kill -9: last floor stored | {:.1} s |", seconds(&restart.1))?;
        writeln!(f, "| peak memory | {peak_mb:.0} MB |")
    }
}

const USER: &str = "system:serviceaccount:floorkeeper-system:floorkeeper";

/// Enough to keep the API server busy.
const AT_ONCE: usize = 32;

/// Longer than the watches live, so that their renewals are among what is counted.
const REST: Duration = Duration::from_secs(330);

/// For when something is wrong.
const BOUND: Duration = Duration::from_secs(300);
