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
    /// The API server does not know this kind, or does not let us see it. Asked again all the same.
    Refused,
}

/// Watches until the task is aborted or the receiver of `messages` is gone. `say` turns what is seen into messages.
pub(super) async fn watch<K, T>(
    api: Api<K>,
    kind: &str,
    vitals: &Vitals,
    messages: mpsc::Sender<T>,
    say: impl FnMut(Seen<K>, &mut Vec<T>),
) where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    watch_selected(api, kind, watcher::Config::default(), vitals, messages, say).await;
}

/// [`watch`] of what is selected by labels or fields. What no longer has the label is told as gone.
pub(super) async fn watch_selected<K, T>(
    api: Api<K>,
    kind: &str,
    selected: watcher::Config,
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
    let mut said = None;
    let mut events = pin!(watcher(api, selected.timeout(SERVER_ENDS_AFTER)));
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
                let refused = refused(&error);
                match refused {
                    // Asked again every few seconds for as long as it takes: said once.
                    Some(why) if said.replace(why) == Some(why) => {}
                    Some(why) => warn!(kind, "{why}; looked for again every few seconds"),
                    None => {
                        said = None;
                        warn!(kind, %error, pause_ms = pause.as_millis(), "watch failed, tried again after a pause");
                    }
                }
                if refused.is_some() {
                    if refused == Some(MISSING) {
                        vitals.missing(kind);
                    }
                    say(Seen::Refused, &mut out);
                    pause = REFUSED_PAUSE;
                }
                if !send(&messages, &mut out).await {
                    return;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
        }
        said = None;
        pause = FIRST_PAUSE;
        if !send(&messages, &mut out).await {
            return;
        }
    }
}

/// False: the receiver is gone.
async fn send<T>(messages: &mpsc::Sender<T>, out: &mut Vec<T>) -> bool {
    for message in out.drain(..) {
        if messages.send(message).await.is_err() {
            return false;
        }
    }
    true
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

/// Why nothing is to be seen of a kind, if that is for people to change.
fn refused(error: &watcher::Error) -> Option<&'static str> {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))) = error
    else {
        return None;
    };
    match status.code {
        404 => Some(MISSING),
        403 => Some(FORBIDDEN),
        _ => None,
    }
}

const MISSING: &str = "the API server does not know this kind: its CustomResourceDefinition is not installed";

const FORBIDDEN: &str = "the API server does not let floorkeeper list this kind: its role lacks get, list and watch";

/// A watch is renewed this often, seconds: also how long a connection that died silently can go unnoticed.
const SERVER_ENDS_AFTER: u32 = 120;

const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// People act in minutes; a CRD that comes right behind us is found at once all the same.
const REFUSED_PAUSE: Duration = Duration::from_secs(2);

/// An API server that is back, or a CRD that was just installed, is found within this; floors are not put back before.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
