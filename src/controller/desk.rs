//! The task that owns the registry: reads what people write, and carries out what follows.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{Event, TargetKey};
use futures::FutureExt;
use kube::core::DeserializeGuard;
use kube::{Api, Client};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use super::clock::now;
use super::input::Input;
use super::keda;
use super::kinds::{self, KindRef};
use super::registry::{Change, Effects, List, Registry};
use super::reports::Reports;
use super::statuses::{self, SourceStatuses};
use super::vitals::Vitals;
use super::watch::{Id, Seen, watch as watch_kind};
use super::workloads;
use crate::api::{FloorOverride, FloorTable, MetricSource, ScalingPolicy, TABLE_NAME};
use crate::apply::{self, Kinds, Tenure};
use crate::observe::{self, Feed, HealthBoard, LookBacks, LookedBack, Observer, SourceConfig, Subscription};

/// What the desk works with.
pub(super) struct Desk {
    pub(super) client: Client,
    /// floorkeeper's own namespace.
    pub(super) namespace: String,
    pub(super) kinds: Arc<Kinds>,
    pub(super) vitals: Arc<Vitals>,
    pub(super) reports: Arc<Reports>,
    pub(super) inputs: mpsc::Sender<Input>,
    /// Whose past is wanted.
    pub(super) look_backs: watch::Receiver<LookBacks>,
    /// Where pasts go.
    pub(super) pasts: mpsc::Sender<LookedBack>,
    /// A standby says nothing.
    pub(super) tenure: Tenure,
}

/// The tasks that the desk has started; dropped with it.
struct Running {
    tasks: JoinSet<()>,
    targets: HashMap<Arc<str>, AbortHandle>,
    changes: mpsc::Sender<Change>,
    sources: watch::Sender<Arc<[Arc<SourceConfig>]>>,
    subscriptions: watch::Sender<Arc<[Arc<Subscription>]>>,
    health: HealthBoard,
    _observer: Observer,
}

impl Desk {
    /// Runs until the loop is gone or the task is aborted.
    pub(super) async fn run(self) {
        let (changes, mut changed) = mpsc::channel(CHANGES_WAITING);
        let mut running = self.start(changes);
        let mut registry = Registry::default();
        let mut statuses = SourceStatuses::default();
        let mut batch = Vec::new();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticks: u32 = 0;
        loop {
            tokio::select! {
                _ = changed.recv_many(&mut batch, BATCH) => {}
                _ = tick.tick() => {
                    ticks = ticks.wrapping_add(1);
                    if ticks.is_multiple_of(LOOKUP_TICKS) {
                        self.look_up(&registry.unresolved(), &mut running);
                        self.look_up_pods(registry.podless(), &mut running);
                    }
                    if ticks.is_multiple_of(SOURCE_TICKS) && self.tenure.holds() {
                        statuses.tell(&self.client, &registry, &running.health, now(), &mut running.tasks);
                    }
                }
            }
            for change in batch.drain(..) {
                registry.take(change);
            }
            if !self.carry_out(registry.settle(now()), &mut running).await {
                return;
            }
            // Tasks that have ended: nobody else asks for them.
            while running.tasks.join_next().now_or_never().flatten().is_some() {}
        }
    }

    fn start(&self, changes: mpsc::Sender<Change>) -> Running {
        let (sources, sources_seen) = watch::channel(Arc::from([]));
        let (subscriptions, subscriptions_seen) = watch::channel(Arc::from([]));
        let (events, observed) = mpsc::channel(OBSERVATIONS_WAITING);
        let feed = Feed {
            sources: sources_seen,
            subscriptions: subscriptions_seen,
            events,
            look_backs: self.look_backs.clone(),
            pasts: self.pasts.clone(),
        };
        let observer = observe::spawn(feed, self.client.clone(), &self.namespace);
        let mut tasks = JoinSet::new();
        tasks.spawn(self.watch_policies(changes.clone()));
        tasks.spawn(self.watch_sources(changes.clone()));
        tasks.spawn(self.watch_overrides(changes.clone()));
        tasks.spawn(self.watch_tables(changes.clone()));
        let (vitals, reports) = (Arc::clone(&self.vitals), Arc::clone(&self.reports));
        tasks.spawn(workloads::watch_scalers(self.client.clone(), vitals, reports, self.inputs.clone()));
        tasks.spawn(keda::watch_scaled_objects(self.client.clone(), self.inputs.clone()));
        tasks.spawn(forward(observed, self.inputs.clone()));
        let health = observer.health.clone();
        Running { tasks, targets: HashMap::new(), changes, sources, subscriptions, health, _observer: observer }
    }

    /// False: the loop is gone.
    async fn carry_out(&self, effects: Effects, running: &mut Running) -> bool {
        let Effects { inputs, lookups, pods, starts, stops, sources, subscriptions, abouts, problems, orders } =
            effects;
        for (policy, about) in abouts {
            self.reports.object(policy, about);
        }
        for (policy, problem) in problems {
            match &problem {
                Some(problem) => warn!(%policy, %problem, "policy is not understood; what was understood before stays"),
                None => info!(%policy, "policy is understood again"),
            }
            self.reports.problem(policy, problem);
        }
        for input in inputs {
            if self.inputs.send(input).await.is_err() {
                return false;
            }
        }
        for resource in stops {
            if let Some(watch) = running.targets.remove(&resource) {
                info!(kind = %resource, "watch stopped: no policy names this kind any more");
                watch.abort();
            }
        }
        for kind in starts {
            self.kinds.learn(kind.api.clone());
            let (client, vitals, inputs) = (self.client.clone(), Arc::clone(&self.vitals), self.inputs.clone());
            let resource = Arc::clone(&kind.resource);
            let task = running.tasks.spawn(workloads::watch_targets(client, kind, vitals, inputs));
            running.targets.insert(resource, task);
        }
        self.look_up(&lookups, running);
        self.look_up_pods(pods, running);
        if let Some(sources) = sources {
            running.sources.send_replace(sources);
        }
        if let Some(subscriptions) = subscriptions {
            running.subscriptions.send_replace(subscriptions);
        }
        // What a standby leaves unsaid is asked again for as long as it is not seen.
        for (id, status) in orders.into_iter().filter(|_| self.tenure.holds()) {
            running.tasks.spawn(statuses::write_override(self.client.clone(), id, status));
        }
        true
    }

    fn look_up(&self, kinds: &[KindRef], running: &mut Running) {
        for kind in kinds {
            let (client, changes, kind) = (self.client.clone(), running.changes.clone(), kind.clone());
            running.tasks.spawn(async move {
                let resolved = kinds::resolve(&client, &kind).await;
                // The desk is gone: nobody is left to tell.
                let _ = changes.send(Change::Resolved(kind, resolved)).await;
            });
        }
    }

    fn look_up_pods(&self, targets: Vec<TargetKey>, running: &mut Running) {
        for target in targets {
            let Some(kind) = self.kinds.get(&target.resource) else { continue };
            let (client, changes) = (self.client.clone(), running.changes.clone());
            running.tasks.spawn(async move {
                let selector = kinds::pods(&client, &kind, &target).await;
                // The desk is gone: nobody is left to tell.
                let _ = changes.send(Change::Pods(target, selector)).await;
            });
        }
    }

    fn watch_policies(&self, changes: mpsc::Sender<Change>) -> impl Future<Output = ()> + Send + use<> {
        let api: Api<DeserializeGuard<ScalingPolicy>> = Api::all(self.client.clone());
        self.watch("scalingpolicies.floorkeeper.dev", api, changes, |seen, out| {
            out.push(match seen {
                Seen::There(id, object) => match readable("ScalingPolicy", &id, object) {
                    Some(object) => Change::Policy(id, Some(object)),
                    None => return,
                },
                Seen::Gone(id) => Change::Policy(id, None),
                Seen::Listed => Change::Listed(List::Policies),
                Seen::Refused => return,
            });
        })
    }

    fn watch_sources(&self, changes: mpsc::Sender<Change>) -> impl Future<Output = ()> + Send + use<> {
        let api: Api<DeserializeGuard<MetricSource>> = Api::all(self.client.clone());
        self.watch("metricsources.floorkeeper.dev", api, changes, |seen, out| {
            out.push(match seen {
                Seen::There(id, object) => match readable("MetricSource", &id, object) {
                    Some(object) => Change::Source(id.name, Some(object)),
                    None => return,
                },
                Seen::Gone(id) => Change::Source(id.name, None),
                Seen::Listed => Change::Listed(List::Sources),
                Seen::Refused => return,
            });
        })
    }

    fn watch_overrides(&self, changes: mpsc::Sender<Change>) -> impl Future<Output = ()> + Send + use<> {
        let api: Api<DeserializeGuard<FloorOverride>> = Api::all(self.client.clone());
        self.watch("flooroverrides.floorkeeper.dev", api, changes, |seen, out| {
            out.push(match seen {
                Seen::There(id, object) => match readable("FloorOverride", &id, object) {
                    Some(object) => Change::Override(id, Some(object)),
                    None => return,
                },
                Seen::Gone(id) => Change::Override(id, None),
                Seen::Listed => Change::Listed(List::Overrides),
                Seen::Refused => return,
            });
        })
    }

    fn watch_tables(&self, changes: mpsc::Sender<Change>) -> impl Future<Output = ()> + Send + use<> {
        let api: Api<FloorTable> = Api::all(self.client.clone());
        self.watch("floortables.floorkeeper.dev", api, changes, |seen, out| match seen {
            Seen::There(id, table) if &*id.name == TABLE_NAME => {
                out.push(Change::Table(id.namespace, apply::standings(&table)));
            }
            Seen::Gone(id) if &*id.name == TABLE_NAME => out.push(Change::Table(id.namespace, Vec::new())),
            Seen::There(..) | Seen::Gone(_) | Seen::Refused => {}
            Seen::Listed => out.push(Change::Listed(List::Tables)),
        })
    }

    fn watch<K, S>(
        &self,
        kind: &'static str,
        api: Api<K>,
        changes: mpsc::Sender<Change>,
        say: S,
    ) -> impl Future<Output = ()> + Send + use<K, S>
    where
        K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
        S: FnMut(Seen<K>, &mut Vec<Change>) + Send + 'static,
    {
        let vitals = Arc::clone(&self.vitals);
        async move { watch_kind(api, kind, &vitals, changes, say).await }
    }
}

/// An object that another version of floorkeeper wrote must not stop the others from being read.
fn readable<K>(kind: &str, id: &Id, object: DeserializeGuard<K>) -> Option<Box<K>> {
    match object.0 {
        Ok(object) => Some(Box::new(object)),
        Err(error) => {
            warn!(kind, namespace = %id.namespace, name = %id.name, %error, "object can't be read and is left out");
            None
        }
    }
}

/// Observations on their way to the loop.
async fn forward(mut observed: mpsc::Receiver<Event>, inputs: mpsc::Sender<Input>) {
    while let Some(event) = observed.recv().await {
        let input = match event {
            Event::Observed(policy, observation) => Input::Observed(policy, observation),
            Event::History(policy, place, samples) => Input::History(policy, place, samples),
            // Sources tell of nothing else.
            Event::Policy(..)
            | Event::PolicyGone(_)
            | Event::Target(..)
            | Event::Scaler(..)
            | Event::Overrides(..)
            | Event::Learned(..)
            | Event::Past(..)
            | Event::Table { .. } => continue,
        };
        if inputs.send(input).await.is_err() {
            return;
        }
    }
}

/// Changes read ahead of the registry.
const CHANGES_WAITING: usize = 1024;

/// Observations read ahead of the loop; a source that is ahead waits here, not in the loop.
const OBSERVATIONS_WAITING: usize = 1024;

/// Changes taken together: what follows from them is worked out once.
const BATCH: usize = 1024;

/// Ends of overrides are told this exactly. (The engine itself obeys them to the millisecond.)
const TICK: Duration = Duration::from_secs(1);

/// Kinds that were not found are looked up again this often: a CRD that comes later is used within ten seconds.
const LOOKUP_TICKS: u32 = 10;

/// The state of sources is compared with what their status says this often.
const SOURCE_TICKS: u32 = 5;
