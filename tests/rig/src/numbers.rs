//! Every number that was ever written to a field of some kinds, and when, by watches of their own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures::StreamExt as _;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::task::JoinSet;

/// A kind, and where its number stands.
#[derive(Debug, Clone, Copy)]
pub struct Number {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    /// A JSON pointer.
    pub pointer: &'static str,
}

/// The object that a number stands in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Whose {
    pub plural: &'static str,
    pub namespace: String,
    pub name: String,
}

/// The values of each, and since when.
pub type Seen = BTreeMap<Whose, Vec<(Instant, u32)>>;

/// What was seen so far; it looks until it is dropped.
#[derive(Debug)]
pub struct Numbers {
    seen: Arc<Mutex<Seen>>,
    _watches: JoinSet<()>,
}

impl Number {
    /// Of each Deployment.
    pub const REPLICAS: Self =
        Self { api_version: "apps/v1", kind: "Deployment", plural: "deployments", pointer: "/spec/replicas" };
}

impl Numbers {
    /// Looks from now on, in one namespace or in all of them.
    pub fn watch(client: &Client, namespace: Option<&str>, numbers: &[Number]) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let mut watches = JoinSet::new();
        for number in numbers {
            let (group, version) = number.api_version.split_once('/').unwrap_or(("", number.api_version));
            let kind = GroupVersionKind::gvk(group, version, number.kind);
            let kind = ApiResource::from_gvk_with_plural(&kind, number.plural);
            let api = match namespace {
                Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind),
                None => Api::all_with(client.clone(), &kind),
            };
            watches.spawn(look(api, *number, Arc::clone(&seen)));
        }
        Self { seen, _watches: watches }
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{} in {}", self.plural, self.name, self.namespace)
    }
}

async fn look(api: Api<DynamicObject>, number: Number, seen: Arc<Mutex<Seen>>) {
    let events = watcher(api, watcher::Config::default()).default_backoff().applied_objects();
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        // Watched again after a pause.
        let Ok(object) = event else { continue };
        let Some(value) = object.data.pointer(number.pointer).and_then(serde_json::Value::as_u64) else { continue };
        let value = u32::try_from(value).unwrap_or(u32::MAX);
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let values = seen.entry(Whose { plural: number.plural, namespace, name }).or_default();
        if values.last().is_none_or(|(_, last)| *last != value) {
            values.push((Instant::now(), value));
        }
    }
}
