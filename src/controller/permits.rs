//! Watches what decides whether the API server keeps floors: the namespaces' label, the admission policies and their
//! bindings, the kind of the tables. By their metadata only.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::{
    MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::enforcement::Change;
use super::vitals::Vitals;
use super::watch::{Id, Seen, watch_selected};

/// Starts all watches; they end when what is returned is dropped.
pub(super) fn watch(client: &Client) -> (JoinSet<()>, mpsc::Receiver<Change>) {
    let (changes, received) = mpsc::channel(CHANGES_WAITING);
    let mut watches = JoinSet::new();
    watches.spawn(labels(client.clone(), changes.clone()));
    let all = watcher::Config::default;
    watches.spawn(policies::<ValidatingAdmissionPolicy>(client.clone(), all(), changes.clone()));
    watches.spawn(policies::<ValidatingAdmissionPolicyBinding>(client.clone(), all(), changes.clone()));
    watches.spawn(policies::<MutatingAdmissionPolicy>(client.clone(), all(), changes.clone()));
    watches.spawn(policies::<MutatingAdmissionPolicyBinding>(client.clone(), all(), changes.clone()));
    let table = all().fields(&format!("metadata.name={TABLES}"));
    watches.spawn(policies::<CustomResourceDefinition>(client.clone(), table, changes));
    (watches, received)
}

async fn labels(client: Client, changes: mpsc::Sender<Change>) {
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(client);
    let labelled = watcher::Config::default().labels(LABEL);
    // Nothing here keeps floorkeeper from being ready.
    let vitals = Vitals::default();
    watch_selected(api, "namespaces", labelled, &vitals, changes, |seen, out| match seen {
        Seen::There(id, namespace) => {
            let label = namespace.labels().get(LABEL).map(|label| label.as_str().into());
            out.push(Change::Label(id.name, label));
        }
        Seen::Gone(id) => out.push(Change::Label(id.name, None)),
        // Not allowed to see them: then none is known to ask for it.
        Seen::Listed | Seen::Refused => out.push(Change::Labelled),
    })
    .await;
}

/// Tells each change of a spec, not of a status, of floorkeeper's own objects.
async fn policies<K>(client: Client, selected: watcher::Config, changes: mpsc::Sender<Change>)
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Send + Sync + 'static,
{
    let kind = K::plural(&());
    let vitals = Vitals::default();
    let refused = Arc::new(Notify::new());
    loop {
        let api: Api<PartialObjectMeta<K>> = Api::all(client.clone());
        let mut known: HashMap<Id, Option<i64>> = HashMap::new();
        let told = Arc::clone(&refused);
        let say = move |seen: Seen<PartialObjectMeta<K>>, out: &mut Vec<Change>| match seen {
            Seen::There(id, object) if ours(&id) => {
                let generation = object.metadata.generation;
                if known.insert(id, generation) != Some(generation) {
                    out.push(Change::Policies);
                }
            }
            Seen::Gone(id) if ours(&id) => {
                known.remove(&id);
                out.push(Change::Policies);
            }
            Seen::There(..) | Seen::Gone(_) | Seen::Listed => {}
            Seen::Refused => told.notify_one(),
        };
        tokio::select! {
            () = watch_selected(api, &kind, selected.clone(), &vitals, changes.clone(), say) => return,
            // Kubernetes before 1.36 has no MutatingAdmissionPolicy, and will not have it tomorrow.
            () = refused.notified() => tokio::time::sleep(REFUSED_PAUSE).await,
        }
    }
}

fn ours(id: &Id) -> bool {
    id.name.starts_with("floorkeeper-") || *id.name == *TABLES
}

/// The label by which a namespace asks for it.
const LABEL: &str = "floorkeeper.dev/enforce";

const TABLES: &str = "floortables.floorkeeper.dev";

/// A cluster is upgraded once in a while.
const REFUSED_PAUSE: Duration = Duration::from_secs(3600);

/// A list of namespaces is read on while these wait.
const CHANGES_WAITING: usize = 256;
