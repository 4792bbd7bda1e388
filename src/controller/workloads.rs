//! Watches that go straight to the loop: workloads of one kind, and the HPAs that scale them.

use std::collections::HashMap;
use std::sync::Arc;

use floorkeeper_core::{PolicyKey, ScalerKind, TargetKey};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::core::{DeserializeGuard, DynamicObject};
use kube::{Api, Client, ResourceExt};
use tokio::sync::mpsc;
use tracing::warn;

use super::clock::instant;
use super::input::{Input, KindName, ScalerName, Store};
use super::kinds::Resolved;
use super::reports::Reports;
use super::vitals::Vitals;
use super::watch::{Id, Seen, watch};
use crate::api::keda;
use crate::apply;
use crate::observe;

/// Watches all workloads of a kind until the task is aborted.
pub(super) async fn watch_targets(client: Client, kind: Resolved, vitals: Arc<Vitals>, inputs: mpsc::Sender<Input>) {
    let Resolved { resource, api, paths, .. } = kind;
    let name = Arc::clone(&resource);
    let api: Api<DynamicObject> = Api::all_with(client, &api);
    // The notes of clamps that were told, of the few workloads that have one.
    let mut notes: HashMap<Id, String> = HashMap::new();
    watch(api, &name, &vitals, inputs, move |seen, out| {
        let heard = instant();
        let key = |Id { namespace, name }| TargetKey { namespace, resource: Arc::clone(&resource), name };
        if let Some((id, asked, kept, by)) = new_clamp(&seen, &mut notes) {
            out.push(Input::Clamped(key(id), asked, kept, by));
        }
        out.push(match seen {
            Seen::There(id, object) => Input::Target(key(id), Some(observe::target(&resource, &object, &paths)), heard),
            Seen::Gone(id) => Input::Target(key(id), None, heard),
            Seen::Listed => Input::Filled(Store::Targets(Arc::clone(&resource))),
            Seen::Refused => Input::Refused(Store::Targets(Arc::clone(&resource))),
        });
    })
    .await;
}

/// The note of a clamp, if it was not there before. The note is the API server's, but anybody may write one: what can't be
/// read is left alone.
fn new_clamp(seen: &Seen<DynamicObject>, notes: &mut HashMap<Id, String>) -> Option<(Id, u32, u32, Arc<str>)> {
    #[derive(serde::Deserialize)]
    struct Note {
        asked: u32,
        kept: u32,
        by: String,
    }
    match seen {
        Seen::There(id, object) => {
            let Some(text) = object.annotations().get(CLAMPED) else {
                notes.remove(id);
                return None;
            };
            if notes.get(id) == Some(text) {
                return None;
            }
            notes.insert(id.clone(), text.clone());
            let Note { asked, kept, by } = serde_json::from_str(text).ok()?;
            Some((id.clone(), asked, kept, by.into()))
        }
        Seen::Gone(id) => {
            notes.remove(id);
            None
        }
        Seen::Listed | Seen::Refused => None,
    }
}

/// Watches all HPAs until the task is aborted.
///
/// Those that KEDA makes are left out: their ScaledObject is the scaler. Those that floorkeeper created are told to `reports` in full, before the loop hears of them: who keeps them compares
/// them with what they should be.
pub(super) async fn watch_scalers(
    client: Client,
    vitals: Arc<Vitals>,
    reports: Arc<Reports>,
    inputs: mpsc::Sender<Input>,
) {
    let api: Api<DeserializeGuard<HorizontalPodAutoscaler>> = Api::all(client);
    // What each HPA scaled when it was last seen: a deletion does not say, and an edit can change it.
    let mut scaled = HashMap::new();
    let mut own: HashMap<Id, PolicyKey> = HashMap::new();
    watch(api, &STORE.to_string(), &vitals, inputs, move |seen, out| match seen {
        Seen::There(id, DeserializeGuard(Err(error))) => {
            warn!(namespace = %id.namespace, name = %id.name, %error, "HPA can't be read and is left out");
        }
        Seen::There(id, DeserializeGuard(Ok(hpa))) if keda::is_made_by_keda(&hpa.metadata) => {
            // It may have been somebody else's: KEDA takes HPAs over.
            if let Some(name) = scaled.remove(&id) {
                out.push(Input::Scaler(name, None));
            }
        }
        Seen::There(id, DeserializeGuard(Ok(hpa))) => {
            let name = scaler_name(&id, &hpa);
            if let Some(before) = scaled.insert(id.clone(), name.clone()).filter(|before| *before != name) {
                out.push(Input::Scaler(before, None));
            }
            let kept = apply::kept(hpa.metadata.annotations.as_ref());
            let owner = apply::is_own_hpa(&hpa).then(|| owner(&hpa)).flatten();
            let scaler = observe::scaler(&hpa, kept, owner.is_some());
            if let Some(policy) = owner {
                own.insert(id, policy.clone());
                reports.own_hpa(policy, Some(Arc::new(hpa)));
            } else if let Some(policy) = own.remove(&id) {
                reports.own_hpa(policy, None);
            }
            out.push(Input::Scaler(name, Some(scaler)));
        }
        Seen::Gone(id) => {
            if let Some(policy) = own.remove(&id) {
                reports.own_hpa(policy, None);
            }
            if let Some(name) = scaled.remove(&id) {
                out.push(Input::Scaler(name, None));
            }
        }
        Seen::Listed => out.push(Input::Filled(STORE)),
        Seen::Refused => {}
    })
    .await;
}

fn scaler_name(id: &Id, hpa: &HorizontalPodAutoscaler) -> ScalerName {
    let (api_version, kind, target) = observe::scales(hpa);
    ScalerName {
        namespace: Arc::clone(&id.namespace),
        kind: ScalerKind::HorizontalPodAutoscaler,
        name: Arc::clone(&id.name),
        scales: KindName::new(api_version, kind),
        target: target.into(),
    }
}

/// The policy that an HPA of our own belongs to.
fn owner(hpa: &HorizontalPodAutoscaler) -> Option<PolicyKey> {
    let owner = hpa.owner_references().iter().find(|owner| owner.controller == Some(true))?;
    Some(PolicyKey::new(hpa.metadata.namespace.as_deref()?, &owner.name))
}

const STORE: Store = Store::Scalers(ScalerKind::HorizontalPodAutoscaler);

/// The annotation that deploy/admission/clamp.yaml sets.
const CLAMPED: &str = "floorkeeper.dev/clamped";
