//! Secrets that sources name, from floorkeeper's own namespace and nowhere else, kept up to date by watches.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::sync::watch;

use super::config::{Auth, Kind, SecretKey, SourceConfig};

/// The contents of the Secrets that one source names, as they are now.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Secrets(BTreeMap<Arc<str>, BTreeMap<String, ByteString>>);

impl Secrets {
    /// The value of a key; `None` where the Secret or the key is not there.
    pub(super) fn get(&self, key: &SecretKey) -> Option<&[u8]> {
        self.0.get(&key.secret)?.get(&*key.key).map(|value| value.0.as_slice())
    }

    /// Whether a Secret is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Known beforehand, without a cluster: Secret, key, value.
    pub(super) fn of(values: &[(&str, &str, &[u8])]) -> Self {
        let mut all = Self::default();
        for (secret, key, value) in values {
            all.0.entry((*secret).into()).or_default().insert((*key).to_owned(), ByteString(value.to_vec()));
        }
        all
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Names of the Secrets that a source needs.
pub(super) fn named(config: &SourceConfig) -> BTreeSet<Arc<str>> {
    let Kind::Prometheus(server) = &config.kind else { return BTreeSet::new() };
    let auth: Vec<&SecretKey> = match &server.auth {
        Auth::None => Vec::new(),
        Auth::Bearer(token) => vec![token],
        Auth::Basic { username, password } => vec![username, password],
    };
    let client = server.tls.client.iter().flat_map(|client| [&client.certificate, &client.key]);
    let keys = auth.into_iter().chain(&server.tls.ca).chain(client);
    keys.map(|key| Arc::clone(&key.secret)).collect()
}

/// Keeps `secrets` equal to what the API server has of `names`, for as long as somebody listens.
///
/// One watch a name, limited to it: the role needs `get`, `list` and `watch` on Secrets of this namespace. Returns at
/// once if there is nothing to watch.
pub(super) async fn follow(
    client: Client,
    namespace: &str,
    names: BTreeSet<Arc<str>>,
    secrets: watch::Sender<Secrets>,
) {
    let api: Api<Secret> = Api::namespaced(client, namespace);
    let watches = names.into_iter().map(|name| {
        let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
        watcher(api.clone(), only).default_backoff().map(move |event| (Arc::clone(&name), event)).boxed()
    });
    let mut events = futures::stream::select_all(watches);
    // A name that is listed and not there has no event of its own between `Init` and `InitDone`.
    let mut listed = BTreeSet::new();
    loop {
        let (name, event) = tokio::select! {
            () = secrets.closed() => return,
            next = events.next() => match next {
                Some(next) => next,
                None => return,
            },
        };
        match event {
            Ok(watcher::Event::Init) => drop(listed.remove(&name)),
            Ok(watcher::Event::InitApply(secret)) => {
                listed.insert(Arc::clone(&name));
                put(&secrets, name, secret.data);
            }
            Ok(watcher::Event::Apply(secret)) => put(&secrets, name, secret.data),
            Ok(watcher::Event::InitDone) if listed.contains(&name) => {}
            Ok(watcher::Event::InitDone | watcher::Event::Delete(_)) => put(&secrets, name, None),
            Err(error) => {
                tracing::warn!(secret = &*name, %error, "a Secret that a MetricSource names can't be watched")
            }
        }
    }
}

fn put(secrets: &watch::Sender<Secrets>, name: Arc<str>, data: Option<BTreeMap<String, ByteString>>) {
    secrets.send_if_modified(|all| match data {
        Some(data) if all.0.get(&name) == Some(&data) => false,
        Some(data) => {
            all.0.insert(name, data);
            true
        }
        None => all.0.remove(&name).is_some(),
    });
}
