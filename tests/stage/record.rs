//! An independent eye: what stood in the cluster when, by watches of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures::StreamExt as _;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::task::JoinSet;

/// Every change of a floor, of an HPA's minimum and of a Deployment's replicas, from its start on.
pub(crate) struct Record {
    seen: Arc<Mutex<Seen>>,
    _watches: JoinSet<()>,
}

/// The values of each object's number, and since when; by `deployments in shop`.
pub(crate) type Seen = BTreeMap<String, Vec<(Instant, u32)>>;

impl Record {
    pub(crate) fn start(client: &Client) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let mut watches = JoinSet::new();
        for (api_version, kind, plural, pointer) in WATCHED {
            let (group, version) = api_version.split_once('/').unwrap_or_default();
            let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
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

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came down, when, from where and to where.
    pub(crate) fn lowerings(&self) -> Vec<(String, Instant, u32, u32)> {
        let mut lowerings = Vec::new();
        for (what, values) in &*self.seen() {
            let pairs = values.iter().zip(values.iter().skip(1));
            let down = pairs.filter(|((_, from), (_, to))| to < from);
            lowerings.extend(down.map(|((_, from), (at, to))| (what.clone(), *at, *from, *to)));
        }
        lowerings
    }

    /// All that was seen, in seconds before a moment.
    pub(crate) fn told(&self, moment: Instant) -> BTreeMap<String, Vec<String>> {
        let second = |at: Instant| at.elapsed().as_secs_f64() - moment.elapsed().as_secs_f64();
        let line = |(at, value): &(Instant, u32)| format!("{:.1} s before: {value}", second(*at));
        self.seen().iter().map(|(what, values)| (what.clone(), values.iter().map(line).collect())).collect()
    }
}

/// Kinds, and where their number stands.
const WATCHED: [(&str, &str, &str, &str); 3] = [
    ("apps/v1", "Deployment", "deployments", "/spec/replicas"),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "/spec/minReplicas"),
    ("floorkeeper.dev/v1alpha1", "FloorTable", "floortables", "/spec/floors/deployments.apps~1web/replicas"),
];
