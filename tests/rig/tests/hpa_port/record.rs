//! Plays the script on the cluster and writes down what the autoscalers could see, twenty times a second.

use std::fmt::Debug;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use floorkeeper_replay::peers::{Answer, CpuSample, Pod};
use floorkeeper_rig::stages::{BEHAVIOUR, BROKEN};
use floorkeeper_rig::{Behaviour, Cluster, MetricsApi, MetricsApis, Usage};
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod as RealPod;
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::task::JoinSet;

use crate::script::{IDLE, LANES, Lane, METRIC, Step, What, share};

/// What there was to see at one moment; times in seconds since 1970.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) at: f64,
    pub(crate) replicas: u32,
    pub(crate) pods: Vec<Pod>,
    pub(crate) answer: Answer,
}

/// What the world was told, when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) at: f64,
    pub(crate) step: Step,
    /// `None`: to all of them.
    pub(crate) lane: Option<&'static Lane>,
}

pub(crate) struct Recorder<'a> {
    cluster: &'a Cluster,
    apis: &'a MetricsApis,
    pub(crate) began: f64,
    pub(crate) told: Vec<Told>,
    /// One list a lane.
    pub(crate) frames: Vec<Vec<Frame>>,
    pods: Store<RealPod>,
    deployments: Store<Deployment>,
    load: f64,
    answers: bool,
    broken: Vec<String>,
    _watches: JoinSet<()>,
}

impl<'a> Recorder<'a> {
    pub(crate) async fn new(cluster: &'a Cluster, apis: &'a MetricsApis) -> Result<Self> {
        let mut watches = JoinSet::new();
        let pods = watch(&mut watches, Api::<RealPod>::default_namespaced(cluster.client()));
        let deployments = watch(&mut watches, Api::<Deployment>::default_namespaced(cluster.client()));
        pods.wait_until_ready().await?;
        deployments.wait_until_ready().await?;
        Ok(Self {
            cluster,
            apis,
            began: now(),
            told: Vec::new(),
            frames: vec![Vec::new(); LANES.len()],
            pods,
            deployments,
            load: 400.0,
            answers: true,
            broken: Vec::new(),
            _watches: watches,
        })
    }

    /// Goes on until so many seconds after the beginning.
    pub(crate) async fn until(&mut self, seconds: f64) {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while now() < self.began + seconds {
            ticks.tick().await;
            self.frame();
        }
    }

    /// Looks, writes down, and tells the metrics APIs what the pods now use.
    pub(crate) fn frame(&mut self) {
        for (index, lane) in LANES.iter().enumerate() {
            let pods = self.pods(lane);
            let found = self.deployments.get(&ObjectRef::new(lane.name).within("default"));
            let replicas = found.map_or(0, |found| found.spec.replicas.unwrap_or(1));
            let used = share(self.load, pods.iter().filter(|pod| ready_since(pod).0).count());
            self.use_cpu(lane, used);
            let at = now();
            let pods = pods.iter().map(|pod| self.as_port_sees(pod, at, used)).collect();
            let answer = if self.answers { Answer::Value(self.load) } else { Answer::Error };
            let replicas = u32::try_from(replicas).unwrap_or(0);
            self.frames[index].push(Frame { at, replicas, pods, answer });
        }
    }

    fn use_cpu(&self, lane: &Lane, used: f64) {
        let usage = |cpu: f64| Usage { cpu, memory: 1e6 };
        self.apis.set_usage("default", &[("app", lane.name)], usage(used));
        self.apis.set_usage("default", &[("app", lane.name), (BEHAVIOUR, BROKEN)], usage(IDLE));
    }

    pub(crate) async fn take(&mut self, step: Step) -> Result<()> {
        let at = now();
        match step.what {
            What::Load(load) => {
                self.load = load;
                self.apis.set_external("default", METRIC, &[], load);
            }
            What::Empty => self.behave(Behaviour::Empty, false),
            What::Failing => self.behave(Behaviour::Failing(500), false),
            What::Normal => self.behave(Behaviour::Normal, true),
            What::Break => self.break_half().await?,
            What::Heal => self.heal().await?,
            What::Bounds(min, max) => return self.bound(step, min, max).await,
        }
        self.told.push(Told { at, step, lane: None });
        self.frame();
        Ok(())
    }

    fn behave(&mut self, behaviour: Behaviour, answers: bool) {
        self.apis.set_behaviour(MetricsApi::External, behaviour);
        self.apis.set_behaviour(MetricsApi::Resource, behaviour);
        self.answers = answers;
    }

    async fn break_half(&mut self) -> Result<()> {
        for lane in LANES {
            let pods = self.pods(lane);
            let names = pods.iter().take(pods.len() / 2).filter_map(|pod| pod.metadata.name.clone());
            self.broken.extend(names);
        }
        self.label(Some(BROKEN)).await
    }

    async fn heal(&mut self) -> Result<()> {
        // Before any of them is back: nobody shall read a full pod where there is half the work.
        for lane in LANES {
            self.use_cpu(lane, share(self.load, self.pods(lane).len()));
        }
        self.label(None).await?;
        self.broken.clear();
        Ok(())
    }

    /// Those that have gone meanwhile need no label.
    async fn label(&self, behaviour: Option<&str>) -> Result<()> {
        let pods = Api::<RealPod>::default_namespaced(self.cluster.client());
        let patch = Patch::Merge(json!({"metadata": {"labels": {BEHAVIOUR: behaviour}}}));
        for name in &self.broken {
            match pods.patch(name, &PatchParams::default(), &patch).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The controller looks at once, so the moment is the one before the write, and each has its own.
    async fn bound(&mut self, step: Step, min: u32, max: u32) -> Result<()> {
        let hpas = Api::<HorizontalPodAutoscaler>::default_namespaced(self.cluster.client());
        let patch = Patch::Merge(json!({"spec": {"minReplicas": min, "maxReplicas": max}}));
        for lane in LANES {
            self.told.push(Told { at: now(), step, lane: Some(lane) });
            hpas.patch(lane.name, &PatchParams::default(), &patch).await?;
        }
        Ok(())
    }

    /// Pods that are not being deleted, oldest first.
    fn pods(&self, lane: &Lane) -> Vec<Arc<RealPod>> {
        let mut pods = self.pods.state_filter(|pod| {
            let label = pod.metadata.labels.as_ref().and_then(|labels| labels.get("app"));
            label.is_some_and(|app| app == lane.name) && pod.metadata.deletion_timestamp.is_none()
        });
        pods.sort_by_key(|pod| (pod.metadata.creation_timestamp.clone().map(|time| time.0), pod.metadata.name.clone()));
        pods
    }

    fn as_port_sees(&self, pod: &RealPod, at: f64, used: f64) -> Pod {
        let started = pod.status.as_ref().and_then(|status| status.start_time.as_ref()).map_or(at, |time| unix(time.0));
        let (ready, changed) = ready_since(pod);
        let broken = pod.metadata.name.as_ref().is_some_and(|name| self.broken.contains(name));
        let share = if broken { IDLE } else { used };
        let runs = pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
        // The rig's metrics API stamps whole seconds and says 15 s.
        let cpu = (self.answers && runs).then_some(CpuSample { share, at: at.floor(), window: 15.0 });
        Pod { created: started, ready, changed: changed.unwrap_or(started), cpu }
    }
}

/// When the real controller looked at this autoscaler: it reads `/scale` first of all.
pub(crate) fn looks(audit_log: &Path, name: &str) -> Result<Vec<f64>> {
    let mut looks = Vec::new();
    for line in BufReader::new(std::fs::File::open(audit_log)?).lines() {
        let event: serde_json::Value = serde_json::from_str(&line?)?;
        let of = &event["objectRef"];
        let is_look = event["verb"] == "get"
            && of["subresource"] == "scale"
            && of["name"] == name
            && event["user"]["username"].as_str().is_some_and(|user| user.ends_with(":horizontal-pod-autoscaler"));
        if is_look {
            let at = event["requestReceivedTimestamp"].as_str().context("an audit event without a time")?;
            looks.push(unix(at.parse()?));
        }
    }
    looks.sort_by(f64::total_cmp);
    Ok(looks)
}

fn watch<K>(watches: &mut JoinSet<()>, api: Api<K>) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let writer = reflector::store::Writer::new(());
    let store = writer.as_reader();
    let stream = reflector::reflector(writer, watcher(api, watcher::Config::default())).default_backoff();
    watches.spawn(async move {
        let mut stream = std::pin::pin!(stream);
        while stream.next().await.is_some() {}
    });
    store
}

fn ready_since(pod: &RealPod) -> (bool, Option<f64>) {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.into_iter().find(|condition| condition.type_ == "Ready");
    let changed = ready.and_then(|ready| ready.last_transition_time.as_ref()).map(|time| unix(time.0));
    (ready.is_some_and(|ready| ready.status == "True"), changed)
}

fn now() -> f64 {
    unix(Timestamp::now())
}

fn unix(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}
