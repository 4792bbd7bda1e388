//! Watches that go straight to the loop: workloads of one kind, and the HPAs that scale them.

use std::collections::HashMap;
use std::sync::Arc;

use floorkeeper_core::TargetKey;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::core::{DeserializeGuard, DynamicObject};
use kube::{Api, Client, ResourceExt};
use tokio::sync::mpsc;
use tracing::warn;

use super::clock::instant;
use super::input::{Input, KindName, ScalerName, Store};
use super::kinds::Resolved;
use super::vitals::Vitals;
use super::watch::{Id, Seen, watch};
use crate::apply;
use crate::observe;

/// Watches all workloads of a kind until the task is aborted.
pub(super) async fn watch_targets(client: Client, kind: Resolved, vitals: Arc<Vitals>, inputs: mpsc::Sender<Input>) {
    let Resolved { resource, api, paths, .. } = kind;
    let name = Arc::clone(&resource);
    let api: Api<DynamicObject> = Api::all_with(client, &api);
    watch(api, &name, &vitals, inputs, move |seen, out| {
        let heard = instant();
        let key = |Id { namespace, name }| TargetKey { namespace, resource: Arc::clone(&resource), name };
        out.push(match seen {
            Seen::There(id, object) => Input::Target(key(id), Some(observe::target(&resource, &object, &paths)), heard),
            Seen::Gone(id) => Input::Target(key(id), None, heard),
            Seen::Listed => Input::Filled(Store::Targets(Arc::clone(&resource))),
            Seen::Refused => Input::Refused(Store::Targets(Arc::clone(&resource))),
        });
    })
    .await;
}

/// Watches all HPAs until the task is aborted.
pub(super) async fn watch_scalers(client: Client, vitals: Arc<Vitals>, inputs: mpsc::Sender<Input>) {
    let api: Api<DeserializeGuard<HorizontalPodAutoscaler>> = Api::all(client);
    // What each HPA scaled when it was last seen: a deletion does not say, and an edit can change it.
    let mut scaled = HashMap::new();
    watch(api, &Store::Scalers.to_string(), &vitals, inputs, move |seen, out| match seen {
        Seen::There(id, DeserializeGuard(Err(error))) => {
            warn!(namespace = %id.namespace, name = %id.name, %error, "HPA can't be read and is left out");
        }
        Seen::There(id, DeserializeGuard(Ok(hpa))) => {
            let name = scaler_name(&id, &hpa);
            if let Some(before) = scaled.insert(id, name.clone()).filter(|before| *before != name) {
                out.push(Input::Scaler(before, None));
            }
            let kept = apply::kept(hpa.metadata.annotations.as_ref());
            let scaler = observe::scaler(&hpa, kept, owned(&hpa));
            out.push(Input::Scaler(name, Some(scaler)));
        }
        Seen::Gone(id) => {
            if let Some(name) = scaled.remove(&id) {
                out.push(Input::Scaler(name, None));
            }
        }
        Seen::Listed => out.push(Input::Filled(Store::Scalers)),
        Seen::Refused => {}
    })
    .await;
}

fn scaler_name(id: &Id, hpa: &HorizontalPodAutoscaler) -> ScalerName {
    let (api_version, kind, target) = observe::scales(hpa);
    ScalerName {
        namespace: Arc::clone(&id.namespace),
        name: Arc::clone(&id.name),
        scales: KindName::new(api_version, kind),
        target: target.into(),
    }
}

/// Created by floorkeeper: a ScalingPolicy is its owner.
fn owned(hpa: &HorizontalPodAutoscaler) -> bool {
    hpa.owner_references().iter().any(|owner| {
        owner.kind == "ScalingPolicy"
            && owner.api_version.starts_with(crate::api::GROUP)
            && owner.controller == Some(true)
    })
}
