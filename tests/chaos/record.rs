//! An independent eye: what stood in the cluster when, by watches of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::StreamExt as _;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::task::JoinSet;

use crate::load::{GUARDED, Load, WINDOW};

/// Every change of a floor, of an HPA's minimum and of a Deployment's replicas, from its start on.
pub(crate) struct Record {
    seen: Arc<Mutex<Seen>>,
    _watches: JoinSet<()>,
}

/// The values of each object's number, and since when.
type Seen = BTreeMap<String, Vec<(Instant, u32)>>;

impl Record {
    pub(crate) fn start(client: &Client) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let mut watches = JoinSet::new();
        for (api_version, kind, plural, pointer) in WATCHED {
            let (group, version) = api_version.split_once('/').unwrap_or_default();
            let kind = ApiResource {
                group: group.into(),
                version: version.into(),
                api_version: api_version.into(),
                kind: kind.into(),
                plural: plural.into(),
            };
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
            let seen = Arc::clone(&seen);
            watches.spawn(async move {
                let events = watcher(api, watcher::Config::default()).default_backoff().applied_objects();
                let mut events = std::pin::pin!(events);
                while let Some(event) = events.next().await {
                    // What can't be watched now is watched again: a fault of the play, not of the record.
                    let Ok(object) = event else { continue };
                    let Some(value) = object.data.pointer(pointer).and_then(serde_json::Value::as_u64) else {
                        continue;
                    };
                    let key = format!("{plural} in {}", object.namespace().unwrap_or_default());
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    let values = seen.entry(key).or_default();
                    let value = u32::try_from(value).unwrap_or(u32::MAX);
                    if values.last().is_none_or(|(_, last)| *last != value) {
                        values.push((Instant::now(), value));
                    }
                }
            });
        }
        Self { seen, _watches: watches }
    }

    /// Law L5 as it can be seen from outside: whatever came down stayed at what the load of the last window needed, dead
    /// operators and blind ones included. Gives how often something came down.
    pub(crate) fn kept_to_the_window(&self, load: &Load) -> Result<usize> {
        let mut lowerings = 0;
        for (what, at, from, to) in self.lowerings() {
            // In Guard the scaler lowers them, and may for a moment do so by a minimum that was just raised.
            if what == format!("deployments in {GUARDED}") {
                continue;
            }
            lowerings += 1;
            // The last sample of a peak is up to a scrape older than its end, and the operator learns of a rise a scrape, an
            // interval and a loaded machine later.
            let needed = load.needed(at - WINDOW + Duration::from_millis(1500), at - Duration::from_secs(4));
            // A lowering that the way held back lands when its time is over. Its version or sequence refuses it where a raise
            // was written meanwhile; where what stood was high enough, none was. Then it is put back as soon as it is seen.
            if self.put_back(&what, at, needed) {
                continue;
            }
            ensure!(to >= needed, "{what}: from {from} to {to}, and the window needed {needed}\n{:#?}", self.told(at));
        }
        Ok(lowerings)
    }

    /// What came down at `at` was at `needed` again in a second.
    fn put_back(&self, what: &str, at: Instant, needed: u32) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let values = seen.get(what).map(Vec::as_slice).unwrap_or_default();
        let mut next = values.iter().skip_while(|(since, _)| *since <= at);
        next.next().is_some_and(|(since, value)| *since - at < Duration::from_secs(1) && *value >= needed)
    }

    /// What came down between two moments.
    pub(crate) fn lowered(&self, from: Instant, to: Instant) -> Vec<String> {
        let within = self.lowerings().into_iter().filter(|(_, at, ..)| (from..to).contains(at));
        within.map(|(what, at, from, to)| format!("{what}: {from} to {to} at {:?}", at.elapsed())).collect()
    }

    fn lowerings(&self) -> Vec<(String, Instant, u32, u32)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lowerings = Vec::new();
        for (what, values) in &*seen {
            let pairs = values.iter().zip(values.iter().skip(1));
            lowerings.extend(
                pairs
                    .filter(|((_, from), (_, to))| to < from)
                    .map(|((_, from), (at, to))| (what.clone(), *at, *from, *to)),
            );
        }
        lowerings
    }

    /// All that was seen, in seconds before a moment.
    fn told(&self, moment: Instant) -> BTreeMap<String, Vec<String>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let second = |at: Instant| at.elapsed().as_secs_f64() - moment.elapsed().as_secs_f64();
        let line = |(at, value): &(Instant, u32)| format!("{:.1} s before: {value}", second(*at));
        seen.iter().map(|(what, values)| (what.clone(), values.iter().map(line).collect())).collect()
    }
}

/// Kinds, and where their number stands.
const WATCHED: [(&str, &str, &str, &str); 3] = [
    ("apps/v1", "Deployment", "deployments", "/spec/replicas"),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "/spec/minReplicas"),
    ("floorkeeper.dev/v1alpha1", "FloorTable", "floortables", "/spec/floors/deployments.apps~1web/replicas"),
];
