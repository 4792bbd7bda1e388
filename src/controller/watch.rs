//! One watch: listed, kept up to date, and listed anew when the API server says so.
//!
//! What a watch may miss, a deletion while it was broken, is found by comparing the new list with what was known.

use std::collections::HashSet;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::vitals::Vitals;

/// An object by its names; the namespace is empty for cluster-scoped kinds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id {
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
}

/// What a watch has to say.
#[derive(Debug)]
pub(super) enum Seen<K> {
    There(Id, K),
    Gone(Id),
    /// Everything that exists was told.
    Listed,
}

/// Watches until the task is aborted or the receiver of `messages` is gone. `say` turns what is seen into messages.
pub(super) async fn watch<K, T>(
    api: Api<K>,
    kind: &str,
    vitals: &Vitals,
    messages: mpsc::Sender<T>,
    mut say: impl FnMut(Seen<K>, &mut Vec<T>),
) where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    info!(kind, "watch started");
    let mut known: HashSet<Id> = HashSet::new();
    let mut listed: HashSet<Id> = HashSet::new();
    let mut pause = FIRST_PAUSE;
    let mut out = Vec::new();
    let mut events = pin!(watcher(api, watcher::Config::default().timeout(SERVER_ENDS_AFTER)));
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => {
                listed.clear();
                continue;
            }
            Ok(Event::InitApply(object)) => {
                let id = Id::of(&object);
                listed.insert(id.clone());
                known.insert(id.clone());
                say(Seen::There(id, object), &mut out);
            }
            Ok(Event::InitDone) => {
                for gone in known.extract_if(|id| !listed.contains(id)) {
                    say(Seen::Gone(gone), &mut out);
                }
                listed = HashSet::new();
                vitals.found(kind);
                say(Seen::Listed, &mut out);
            }
            Ok(Event::Apply(object)) => {
                let id = Id::of(&object);
                known.insert(id.clone());
                say(Seen::There(id, object), &mut out);
            }
            Ok(Event::Delete(object)) => {
                let id = Id::of(&object);
                known.remove(&id);
                say(Seen::Gone(id), &mut out);
            }
            Err(error) => {
                if unknown_kind(&error) {
                    vitals.missing(kind);
                }
                warn!(kind, %error, pause_ms = pause.as_millis(), "watch failed, tried again after a pause");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
        }
        pause = FIRST_PAUSE;
        for message in out.drain(..) {
            if messages.send(message).await.is_err() {
                return;
            }
        }
    }
}

impl Id {
    fn of(object: &impl Resource) -> Self {
        let meta = object.meta();
        Self {
            namespace: meta.namespace.as_deref().unwrap_or_default().into(),
            name: meta.name.as_deref().unwrap_or_default().into(),
        }
    }
}

fn unknown_kind(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.is_not_found(),
        _ => false,
    }
}

/// A watch is renewed this often, seconds: also how long a connection that died silently can go unnoticed.
const SERVER_ENDS_AFTER: u32 = 120;

const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// An API server that is back, or a CRD that was just installed, is found within this; floors are not put back before.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
