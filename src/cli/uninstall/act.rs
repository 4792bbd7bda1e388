//! Carries one step out. Done already is done.

use std::time::Duration;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, GetParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::core::{DynamicObject, Request};
use serde_json::{Value, json};

use super::plan::{Act, Stage, Step, Thing};
use crate::api::keda;
use crate::apply;
use crate::cli::reach::Cluster;
use crate::cli::trouble::Trouble;

pub(super) async fn act(cluster: &Cluster, step: &Step) -> Result<(), String> {
    match &step.act {
        Act::Stop(thing) => stop(cluster, thing).await,
        Act::Delete(thing) => {
            delete(cluster, thing).await.map_err(|trouble| trouble.to_string())?;
            if step.stage == Stage::Kinds { gone(cluster, thing).await } else { Ok(()) }
        }
        Act::GiveBack(hpa) => give_back(cluster, hpa).await,
        Act::GiveObjectBack(object) => give_object_back(cluster, object).await,
        Act::Unmark(thing, annotation) => {
            let body = json!({"metadata": {"annotations": {*annotation: null}}});
            patch(cluster, thing, "", &body).await.map_err(|trouble| trouble.to_string())
        }
    }
}

/// Zero replicas, and no pod left: one that is ending may still write.
async fn stop(cluster: &Cluster, thing: &Thing) -> Result<(), String> {
    let said = |trouble: Trouble| trouble.to_string();
    patch(cluster, thing, "/scale", &json!({"spec": {"replicas": 0}})).await.map_err(said)?;
    let pods = format!("/api/v1/namespaces/{}/pods", thing.namespace.as_deref().unwrap_or_default());
    let mut left = STOPS_WITHIN;
    loop {
        let pods =
            cluster.list_at::<Value>(&pods, "pods", thing.namespace.as_deref(), Some(PODS)).await.map_err(said)?;
        if pods.items.is_empty() {
            return Ok(());
        }
        if left.is_zero() {
            return Err(format!("{} pods are still there after {} s", pods.items.len(), STOPS_WITHIN.as_secs()));
        }
        tokio::time::sleep(PAUSE).await;
        left = left.saturating_sub(PAUSE);
    }
}

async fn give_back(cluster: &Cluster, hpa: &HorizontalPodAutoscaler) -> Result<(), String> {
    let (name, namespace) = (hpa.name_any(), hpa.namespace());
    persist(async || match cluster.find::<HorizontalPodAutoscaler>(&name, namespace.as_deref()).await? {
        Some(now) => Ok(apply::give_hpa_back(&cluster.client(), &now).await),
        None => Ok(Ok(false)),
    })
    .await
}

async fn give_object_back(cluster: &Cluster, object: &DynamicObject) -> Result<(), String> {
    let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let kind = keda::scaled_objects();
    let path = format!("/apis/{}/namespaces/{namespace}/{}", kind.api_version, kind.plural);
    persist(async || {
        let request = Request::new(&*path).get(&name, &GetParams::default());
        match cluster.send(request, &format!("get scaledobjects in namespace {namespace}")).await {
            Ok(now) => Ok(apply::give_scaled_object_back(&cluster.client(), &now).await),
            Err(Trouble::NotFound | Trouble::NoSuchKind(_)) => Ok(Ok(false)),
            Err(trouble) => Err(trouble),
        }
    })
    .await
}

/// The controllers of scalers write status all the time: against the version of this moment, some times. What keeps the
/// scaler from being seen is final.
async fn persist(attempt: impl AsyncFn() -> Result<Result<bool, String>, Trouble>) -> Result<(), String> {
    let mut told = String::new();
    for _ in 0..TRIES {
        match attempt().await.map_err(|trouble| trouble.to_string())? {
            Ok(_) => return Ok(()),
            Err(why) => told = why,
        }
    }
    Err(told)
}

async fn delete(cluster: &Cluster, thing: &Thing) -> Result<(), Trouble> {
    let params = DeleteParams {
        preconditions: Some(Preconditions { uid: Some(thing.uid.clone()), ..Preconditions::default() }),
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    let request = Request::new(&*thing.path).delete(&thing.name, &params);
    match cluster.send::<Value>(request, &format!("delete {}", thing.says())).await {
        Ok(_) | Err(Trouble::NotFound) => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

/// A kind ends when its last object has: only then may it be installed again.
async fn gone(cluster: &Cluster, thing: &Thing) -> Result<(), String> {
    let mut left = STOPS_WITHIN;
    loop {
        let request = Request::new(&*thing.path).get(&thing.name, &GetParams::default());
        match cluster.send::<Value>(request, &format!("get {}", thing.says())).await {
            Err(Trouble::NotFound) => return Ok(()),
            Ok(_) if left.is_zero() => return Err(format!("still there after {} s", STOPS_WITHIN.as_secs())),
            Ok(_) => {}
            Err(trouble) => return Err(trouble.to_string()),
        }
        tokio::time::sleep(PAUSE).await;
        left = left.saturating_sub(PAUSE);
    }
}

/// On the object that was seen, and no other.
async fn patch(cluster: &Cluster, thing: &Thing, subresource: &str, body: &Value) -> Result<(), Trouble> {
    let mut body = body.clone();
    body["metadata"]["uid"] = json!(thing.uid);
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let request = Request::new(&*thing.path);
    let request = match subresource.strip_prefix('/') {
        Some(subresource) => request.patch_subresource(subresource, &thing.name, &params, &Patch::Merge(&body)),
        None => request.patch(&thing.name, &params, &Patch::Merge(&body)),
    };
    match cluster.send::<Value>(request, &format!("patch {}", thing.says())).await {
        Ok(_) | Err(Trouble::NotFound) => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

/// floorkeeper's own pods, and nobody else's.
const PODS: &str = "app.kubernetes.io/name=floorkeeper,app.kubernetes.io/component=operator";

/// Under whose name it is written.
const MANAGER: &str = "floorkeeper-uninstall";

/// Four times the pods' own grace.
const STOPS_WITHIN: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(500);

const TRIES: usize = 4;
