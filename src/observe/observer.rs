//! One loop a source, started and stopped as sources come, change and go.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use floorkeeper_core::{Answer, Event, Failure};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use super::board::Board;
use super::config::SourceConfig;
use super::credentials::{self, Secrets};
use super::health::HealthBoard;
use super::lookback::{LookBacks, LookedBack, Parts};
use super::plan::Reader;
use super::source::Source;
use super::subscription::Subscription;

/// What the observer lives on.
#[derive(Debug)]
pub struct Feed {
    /// Every source, in full, whenever one changes.
    pub sources: watch::Receiver<Arc<[Arc<SourceConfig>]>>,
    /// Every policy's questions, in full, whenever one changes.
    pub subscriptions: watch::Receiver<Arc<[Arc<Subscription>]>>,
    /// Where observations go: `Event::Observed` and `Event::History` only.
    pub events: mpsc::Sender<Event>,
    /// Whose past is wanted now; looked at with every tick.
    pub look_backs: watch::Receiver<LookBacks>,
    /// Where pasts go, and why there is none.
    pub pasts: mpsc::Sender<LookedBack>,
}

/// The running observer. Dropping it stops every loop.
#[derive(Debug)]
pub struct Observer {
    pub health: HealthBoard,
    task: JoinHandle<()>,
}

/// Starts observing: a loop for each source, until the observer is dropped or the receiver of `events` is gone.
///
/// `client` asks the metrics APIs and reads Secrets in `namespace`, floorkeeper's own.
#[must_use]
pub fn spawn(feed: Feed, client: kube::Client, namespace: &str) -> Observer {
    let health = HealthBoard::default();
    let supervisor = Supervisor {
        client,
        namespace: namespace.into(),
        events: feed.events.clone(),
        look_backs: feed.look_backs.clone(),
        pasts: feed.pasts.clone(),
        parts: Parts::default(),
        health: health.clone(),
        board: Board::default(),
        loops: HashMap::new(),
    };
    Observer { health, task: tokio::spawn(supervisor.run(feed)) }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Supervisor {
    client: kube::Client,
    namespace: Arc<str>,
    events: mpsc::Sender<Event>,
    look_backs: watch::Receiver<LookBacks>,
    pasts: mpsc::Sender<LookedBack>,
    parts: Parts,
    health: HealthBoard,
    board: Board,
    loops: HashMap<Arc<str>, Loop>,
}

/// A source's tasks; they end with it.
struct Loop {
    config: Arc<SourceConfig>,
    tasks: JoinSet<()>,
}

impl Supervisor {
    async fn run(mut self, mut feed: Feed) {
        let (forward, subscriptions) = watch::channel::<Arc<[Arc<Subscription>]>>(Arc::from([]));
        let mut ticks = tokio::time::interval(ABSENT_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let sources = Arc::clone(&feed.sources.borrow_and_update());
            let now = Arc::clone(&feed.subscriptions.borrow_and_update());
            if !Arc::ptr_eq(&now, &forward.borrow()) {
                // The board first: no loop may bring an answer that it has no place for.
                self.board.sync(&now);
                forward.send_replace(now);
            }
            self.reconcile(&sources, &subscriptions);
            let asked = Arc::clone(&subscriptions.borrow());
            for event in self.answer_absent(&asked) {
                if self.events.send(event).await.is_err() {
                    return;
                }
            }
            let gone = tokio::select! {
                changed = feed.sources.changed() => changed.is_err(),
                changed = feed.subscriptions.changed() => changed.is_err(),
                _ = ticks.tick() => false,
                () = self.events.closed() => true,
            };
            if gone {
                return;
            }
        }
    }

    /// Starts, restarts and stops loops so that each source has one, with its present settings.
    fn reconcile(&mut self, sources: &[Arc<SourceConfig>], subscriptions: &watch::Receiver<Arc<[Arc<Subscription>]>>) {
        self.loops.retain(|name, _| {
            let stays = sources.iter().any(|config| config.name == *name);
            if !stays {
                self.health.forget(name);
            }
            stays
        });
        for config in sources {
            let runs = self.loops.get_mut(&config.name).is_some_and(|running| running.is_sound(config));
            if !runs {
                let tasks = self.start(config, subscriptions.clone());
                self.loops.insert(Arc::clone(&config.name), Loop { config: Arc::clone(config), tasks });
            }
        }
    }

    fn start(
        &self,
        config: &Arc<SourceConfig>,
        subscriptions: watch::Receiver<Arc<[Arc<Subscription>]>>,
    ) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let (told, secrets) = watch::channel(Secrets::default());
        let names = credentials::named(config);
        if !names.is_empty() {
            let (client, namespace) = (self.client.clone(), Arc::clone(&self.namespace));
            tasks.spawn(async move { credentials::follow(client, &namespace, names, told).await });
        }
        let source = Source {
            config: Arc::clone(config),
            cluster: self.client.clone(),
            board: self.board.clone(),
            health: self.health.clone(),
            events: self.events.clone(),
            look_backs: self.look_backs.clone(),
            pasts: self.pasts.clone(),
            parts: self.parts.clone(),
            subscriptions,
            secrets,
        };
        tasks.spawn(source.run());
        tasks
    }

    /// Questions to sources that do not exist are answered too: a policy must not hear nothing.
    fn answer_absent(&self, subscriptions: &[Arc<Subscription>]) -> Vec<Event> {
        let mut absent: BTreeMap<Arc<str>, Vec<Reader>> = BTreeMap::new();
        for subscription in subscriptions {
            for (place, ask) in subscription.asks().enumerate() {
                if !self.loops.contains_key(&ask.source) {
                    absent.entry(Arc::clone(&ask.source)).or_default().push(Reader::at(subscription, place));
                }
            }
        }
        let mut events = Vec::new();
        for (source, readers) in absent {
            self.board.begin(&source, readers.iter());
            let denied = readers.into_iter().map(|reader| (reader, Answer::Failed(Failure::NotAllowed)));
            events.extend(self.board.put(&source, denied));
        }
        events
    }
}

impl Loop {
    /// Whether the loop runs, with these settings. A task that ended on its own is a bug; its source must not stay mute.
    fn is_sound(&mut self, config: &Arc<SourceConfig>) -> bool {
        if let Some(ended) = self.tasks.try_join_next() {
            tracing::error!(
                source = &*self.config.name,
                ?ended,
                "the loop of a MetricSource ended, it is started again"
            );
            return false;
        }
        self.config == *config
    }
}

/// How often policies hear that their source does not exist: as often as most sources are asked.
const ABSENT_INTERVAL: Duration = Duration::from_secs(15);
