//! Everything that a play needs, started and warm: cluster, Prometheus, edge, metrics APIs, floorkeeper, the lanes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use floorkeeper_sim::Scenario;
use serde_json::{Value, json};
use tokio::sync::{Mutex, RwLock};
use tokio::task::JoinHandle;

use super::adapter;
use super::cast::{self, Cast};
use super::dead::{self, Witnesses};
use super::lane::{self, Lane};
use super::schedule::{EDGE_SPEED, Schedule};
use super::sight::Sight;
use super::source::SourceProxy;
use crate::operator::Operator;
use crate::{Cluster, Exposition, HpaTiming, Kept, MetricsApis, Options, Prometheus, PrometheusOptions, Standby};

/// A scenario's stage. Everything on it is gone when it is dropped.
pub struct Stage {
    pub(super) scenario: Scenario,
    pub(super) schedule: Schedule,
    pub(super) lanes: Vec<Lane>,
    pub(super) sight: Sight,
    pub(super) edge: Exposition,
    pub(super) proxy: SourceProxy,
    pub(super) apis: Arc<MetricsApis>,
    pub(super) cast: Cast,
    /// Where floorkeeper is to die.
    pub(super) witnesses: Option<Witnesses>,
    adapter: JoinHandle<()>,
    cluster: Cluster,
}

/// What is played, and how fast.
#[derive(Debug, Clone)]
pub struct Playbill {
    pub scenario: Scenario,
    pub lanes: Vec<Lane>,
    /// About how long the play may take, without the start.
    pub budget: Duration,
    /// The floorkeeper program, where a lane needs it.
    pub floorkeeper: Option<PathBuf>,
    /// The API server enforces its floors: the admission policies are installed, and every namespace under it asks for them.
    pub enforced: bool,
    /// It dies a minute before the first fault and stays dead.
    pub dies: bool,
}

impl Stage {
    /// Starts everything but what scales the lanes. `say` is told what is being done.
    ///
    /// # Errors
    /// A fault that the rig can't play is refused before anything starts.
    pub async fn build(playbill: Playbill, say: impl Fn(&str)) -> Result<Self> {
        let Playbill { scenario, lanes, budget, floorkeeper, enforced, dies } = playbill;
        scenario.playable(cast::can_play)?;
        if floorkeeper.is_none() && lanes.iter().any(|lane| lane.keeper.is_floorkeeper()) {
            bail!("a lane that floorkeeper keeps needs the floorkeeper program");
        }
        let schedule = Schedule::new(&scenario, budget);

        say("starting a Kubernetes control plane and Prometheus");
        let options = Options { hpa: HpaTiming::scaled(EDGE_SPEED), ..Options::default() };
        let cluster = Cluster::start(options).await.context("the cluster does not start")?;
        let edge = Exposition::start().await?;
        let mut scraping = PrometheusOptions::scraping("edge", &[&edge]);
        scraping.interval = lane::sync_period(&schedule);
        // Prometheus' five minutes, scaled.
        scraping.flags =
            vec![format!("--query.lookback-delta={}ms", schedule.short(Duration::from_secs(300)).as_millis())];
        let prometheus = Prometheus::start(scraping).await.context("Prometheus does not start")?;
        let proxy = SourceProxy::start(&prometheus.url()).await?;
        let prometheus = Arc::new(RwLock::new(prometheus));
        let apis = Arc::new(MetricsApis::start(&cluster).await.context("the metrics APIs do not start")?);
        let adapter = tokio::spawn(adapter::run(prometheus.clone(), apis.clone(), schedule.clone(), lanes.clone()));

        say("starting the services");
        let trace = scenario.trace(|path| std::fs::read_to_string(path).map_err(|error| error.to_string()))?;
        let replicas = replicas_for(&scenario, trace.at(0.0));
        let workloads: Vec<Value> =
            lanes.iter().flat_map(|lane| lane.workload(&scenario.service, replicas, &schedule)).collect();
        cluster.apply(&documents(&workloads)).await?;
        let operator = match floorkeeper {
            Some(program) => {
                say("installing floorkeeper");
                let kubeconfig = install(&program, &cluster, &lane::metric_source(proxy.url(), &schedule)).await?;
                let kubeconfig = if enforced { dead::enforce(&cluster, &lanes).await? } else { kubeconfig };
                Some(Operator::start_as(&program, &cluster, &kubeconfig)?)
            }
            None => None,
        };
        let sight = Sight::open(cluster.client()).await?;
        let operator = Arc::new(Mutex::new(operator));
        let cast = Cast { client: cluster.client(), prometheus, operator, enforced, dies };
        let witnesses = dies.then(|| Witnesses::open(&cluster, &lanes));
        Ok(Self { scenario, schedule, lanes, sight, edge, proxy, apis, cast, witnesses, adapter, cluster })
    }

    /// Creates the HPAs and policies.
    pub(super) async fn install_scalers(&self) -> Result<()> {
        let Self { scenario, schedule, lanes, .. } = self;
        let scalers: Vec<Value> =
            lanes.iter().flat_map(|lane| lane.scalers(&scenario.service, &scenario.demands, schedule)).collect();
        self.cluster.apply(&documents(&scalers)).await.context("an HPA or a policy is refused")?;
        Ok(())
    }

    /// An error if a program that must run has ended.
    pub(super) async fn check(&self) -> Result<()> {
        self.cast.operator.lock().await.as_mut().map_or(Ok(()), Operator::check)
    }

    /// The cluster that everything happens on.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Which minute is played when.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Leaves the cluster, Prometheus and floorkeeper up after this program, for kubectl; the traffic ends.
    pub async fn keep(self) -> Result<Kept> {
        let Self { adapter, cast, cluster, .. } = self;
        let Cast { prometheus, operator, client: _, enforced: _, dies: _ } = cast;
        adapter.abort();
        // It was told to end: how is of no interest, only that it has let go of Prometheus.
        let _ = adapter.await;
        let mut standby = Standby::open()?;
        if let Some(operator) = operator.lock().await.take() {
            operator.keep(&standby.make_stop_file()?)?;
        }
        standby.keep(cluster, Arc::try_unwrap(prometheus).ok().map(RwLock::into_inner))
    }
}

/// Its kinds and its source. Gives the kubeconfig with which it runs, the admin's.
async fn install(program: &Path, cluster: &Cluster, source: &Value) -> Result<PathBuf> {
    let crds = tokio::process::Command::new(program).arg("crds").kill_on_drop(true).output().await;
    let crds = crds.with_context(|| format!("{} does not start", program.display()))?;
    if !crds.status.success() {
        bail!("`floorkeeper crds` failed: {}", String::from_utf8_lossy(&crds.stderr).trim());
    }
    cluster.apply(&String::from_utf8_lossy(&crds.stdout)).await.context("the CRDs are refused")?;
    cluster.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).await?;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "floorkeeper-system"}});
    cluster.apply(&documents(&[namespace, source.clone()])).await.context("the MetricSource is refused")?;
    Ok(cluster.kubeconfig())
}

/// Replicas that carry this load with the service's headroom.
pub(super) fn replicas_for(scenario: &Scenario, load: f64) -> u32 {
    let headroom = 1.0 + f64::from(scenario.service.headroom_percent) / 100.0;
    let need = floorkeeper_sim::Measure::new(scenario.service.capacity).need(load * headroom);
    need.clamp(scenario.service.min, scenario.service.max)
}

fn documents(objects: &[Value]) -> String {
    objects.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")
}
