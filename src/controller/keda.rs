//! KEDA's ScaledObjects, for as long as the cluster has that kind: without KEDA this is one watch that says nothing.

use std::collections::HashMap;
use std::sync::Arc;

use floorkeeper_core::ScalerKind;
use futures::future::join;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio::sync::mpsc;
use tracing::info;

use super::input::{Input, KindName, ScalerName, Store};
use super::vitals::Vitals;
use super::watch::{Id, Seen, watch, watch_selected};
use crate::api::keda;
use crate::apply;
use crate::observe;

/// Watches all ScaledObjects until the task is aborted.
pub(super) async fn watch_scaled_objects(client: Client, inputs: mpsc::Sender<Input>) {
    let (told, served) = mpsc::channel(CHANGES_WAITING);
    join(watch_definition(client.clone(), told), follow(client, served, inputs)).await;
}

/// Tells whether the kind is installed, at first and whenever that changes.
async fn watch_definition(client: Client, told: mpsc::Sender<bool>) {
    let api: Api<PartialObjectMeta<CustomResourceDefinition>> = Api::all(client);
    let one = watcher::Config::default().fields(&format!("metadata.name={}", keda::DEFINITION));
    // Nothing of KEDA keeps floorkeeper from being ready.
    let vitals = Vitals::default();
    let (mut there, mut said) = (false, None);
    watch_selected(api, "the definition of ScaledObjects", one, &vitals, told, |seen, out| {
        match seen {
            Seen::There(..) => there = true,
            Seen::Gone(_) => there = false,
            Seen::Listed => {}
            // Not to be seen: as good as not there, and the log has said why.
            Seen::Refused => there = false,
        }
        if said.replace(there) != Some(there) {
            out.push(there);
        }
    })
    .await;
}

/// Watches while the kind is served; when it goes, all of its objects are gone.
async fn follow(client: Client, mut served: mpsc::Receiver<bool>, inputs: mpsc::Sender<Input>) {
    let mut scaled: HashMap<Id, ScalerName> = HashMap::new();
    let vitals = Vitals::default();
    loop {
        match served.recv().await {
            Some(true) => {}
            Some(false) => {
                if inputs.send(Input::Refused(STORE)).await.is_err() {
                    return;
                }
                continue;
            }
            None => return,
        }
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &keda::scaled_objects());
        tokio::select! {
            // The loop is gone.
            () = watch(api, keda::DEFINITION, &vitals, inputs.clone(), |seen, out| tell(seen, &mut scaled, out)) => return,
            _ = served.recv() => info!(kind = keda::DEFINITION, "watch stopped: the kind is gone"),
        }
        let gone = scaled.drain().map(|(_, name)| Input::Scaler(name, None));
        // It may have gone before it was listed: nobody waits for that any longer.
        for input in gone.chain([Input::Refused(STORE)]) {
            if inputs.send(input).await.is_err() {
                return;
            }
        }
    }
}

/// `scaled`: what each scaled when it was last seen; a deletion does not say, and an edit can change it.
fn tell(seen: Seen<DynamicObject>, scaled: &mut HashMap<Id, ScalerName>, out: &mut Vec<Input>) {
    match seen {
        Seen::There(id, object) => {
            let name = scaler_name(&id, &object);
            let before = match &name {
                Some(name) => scaled.insert(id, name.clone()),
                None => scaled.remove(&id),
            };
            if let Some(before) = before.filter(|before| name.as_ref() != Some(before)) {
                out.push(Input::Scaler(before, None));
            }
            if let Some(name) = name {
                let kept = apply::kept(object.metadata.annotations.as_ref());
                out.push(Input::Scaler(name, Some(observe::scaled_object(&object, kept))));
            }
        }
        Seen::Gone(id) => {
            if let Some(name) = scaled.remove(&id) {
                out.push(Input::Scaler(name, None));
            }
        }
        Seen::Listed => out.push(Input::Filled(STORE)),
        Seen::Refused => out.push(Input::Refused(STORE)),
    }
}

/// `None`: it names nothing.
fn scaler_name(id: &Id, object: &DynamicObject) -> Option<ScalerName> {
    let (api_version, kind, target) = observe::scaled_object_scales(object)?;
    Some(ScalerName {
        namespace: Arc::clone(&id.namespace),
        kind: ScalerKind::ScaledObject,
        name: Arc::clone(&id.name),
        scales: KindName::new(api_version, kind),
        target: target.into(),
    })
}

const STORE: Store = Store::Scalers(ScalerKind::ScaledObject);

/// Installed and removed by people.
const CHANGES_WAITING: usize = 4;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn seen(target: &Value) -> Seen<DynamicObject> {
        let object = json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
            "metadata": {"name": "orders", "namespace": "shop"}, "spec": {"scaleTargetRef": target, "minReplicaCount": 2}});
        Seen::There(id(), serde_json::from_value(object).unwrap())
    }

    fn id() -> Id {
        Id { namespace: "shop".into(), name: "orders".into() }
    }

    /// What each input says: the target, and the minimum if it is there.
    fn said(out: &[Input]) -> Vec<(String, Option<u32>)> {
        let say = |input: &Input| match input {
            Input::Scaler(name, scaler) => (name.target.to_string(), scaler.as_ref().map(|scaler| scaler.min)),
            other => panic!("{other:?}"),
        };
        out.iter().map(say).collect()
    }

    #[test]
    fn one_that_turns_to_another_workload_leaves_the_first() {
        let (mut scaled, mut out) = (HashMap::new(), Vec::new());
        tell(seen(&json!({"name": "web"})), &mut scaled, &mut out);
        tell(seen(&json!({"name": "web"})), &mut scaled, &mut out);
        assert_eq!(said(&out), [("web".to_owned(), Some(2)), ("web".to_owned(), Some(2))]);
        out.clear();
        tell(seen(&json!({"name": "api"})), &mut scaled, &mut out);
        assert_eq!(said(&out), [("web".to_owned(), None), ("api".to_owned(), Some(2))]);
        out.clear();
        tell(seen(&json!({})), &mut scaled, &mut out);
        tell(Seen::Gone(id()), &mut scaled, &mut out);
        assert_eq!(said(&out), [("api".to_owned(), None)]);
    }
}
