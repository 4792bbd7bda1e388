//! An independent eye: every number of replicas that was written to a Deployment, by a watch of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::task::JoinSet;

/// The Deployments of a namespace, from its opening on.
pub struct Eye {
    seen: Arc<Mutex<Seen>>,
    _watch: JoinSet<()>,
}

/// Replicas of each, and since when.
type Seen = BTreeMap<String, Vec<(Instant, u32)>>;

impl Eye {
    /// Looks from now on.
    pub fn open(client: Client, namespace: &str) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let (api, into) = (Api::<Deployment>::namespaced(client, namespace), Arc::clone(&seen));
        let mut watch = JoinSet::new();
        watch.spawn(async move {
            let events = watcher(api, watcher::Config::default()).default_backoff().applied_objects();
            let mut events = std::pin::pin!(events);
            while let Some(event) = events.next().await {
                // Watched again after a pause.
                let Ok(deployment) = event else { continue };
                let replicas = deployment.spec.replicas.and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
                let mut seen = into.lock().unwrap_or_else(PoisonError::into_inner);
                let values = seen.entry(deployment.name_any()).or_default();
                if values.last().is_none_or(|(_, last)| *last != replicas) {
                    values.push((Instant::now(), replicas));
                }
            }
        });
        Self { seen, _watch: watch }
    }

    /// What was written last; 0 if nothing was seen.
    pub fn now(&self, name: &str) -> u32 {
        self.all(name).last().map_or(0, |(_, replicas)| *replicas)
    }

    /// The fewest since a moment, what stood at that moment included; and for how long there were fewer than `floor`.
    pub fn since(&self, name: &str, moment: Instant, floor: u32) -> (u32, Duration) {
        let all = self.all(name);
        let ends = all.iter().skip(1).map(|(at, _)| *at).chain([Instant::now()]);
        let spans = all.iter().zip(ends).filter(|(_, end)| *end > moment);
        let mut fewest = u32::MAX;
        let mut below = Duration::ZERO;
        for ((at, replicas), end) in spans {
            fewest = fewest.min(*replicas);
            if *replicas < floor {
                below += end.duration_since((*at).max(moment));
            }
        }
        (fewest, below)
    }

    fn all(&self, name: &str) -> Vec<(Instant, u32)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned().unwrap_or_default()
    }
}
