//! What the cluster says, kept up to date by watches: pods, Deployments, HPAs, policies.

use std::fmt::Debug;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, Resource};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::lane::{Lane, SERVICE};

/// Watches the whole cluster until it is dropped.
pub(super) struct Sight {
    pods: Store<Pod>,
    deployments: Store<Deployment>,
    hpas: Store<HorizontalPodAutoscaler>,
    policies: Store<DynamicObject>,
    _watches: JoinSet<()>,
}

/// A pod of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodSeen {
    pub name: String,
    pub ready: bool,
    /// The label that says how it behaves.
    pub behaviour: Option<String>,
}

/// One condition of an HPA or a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConditionSeen {
    pub kind: String,
    pub is_true: bool,
    pub is_false: bool,
    pub reason: String,
    pub message: String,
}

/// The part of a policy's status that is shown.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PolicySeen {
    pub why: Option<String>,
    pub conditions: Vec<Condition>,
}

impl Sight {
    pub(super) async fn open(client: Client) -> Result<Self> {
        let mut watches = JoinSet::new();
        let pods = watch(&mut watches, Api::<Pod>::all(client.clone()), ());
        let deployments = watch(&mut watches, Api::<Deployment>::all(client.clone()), ());
        let hpas = watch(&mut watches, Api::<HorizontalPodAutoscaler>::all(client.clone()), ());
        let policy = policy_resource();
        let policies = watch(&mut watches, Api::<DynamicObject>::all_with(client, &policy), policy);
        pods.wait_until_ready().await.context("pods can't be watched")?;
        deployments.wait_until_ready().await.context("Deployments can't be watched")?;
        hpas.wait_until_ready().await.context("HPAs can't be watched")?;
        Ok(Self { pods, deployments, hpas, policies, _watches: watches })
    }

    /// Pods of a lane that are not being deleted, by name.
    pub(super) fn pods(&self, lane: &Lane) -> Vec<PodSeen> {
        let mut seen: Vec<PodSeen> = self
            .pods
            .state_filter(|pod| {
                pod.metadata.namespace.as_deref() == Some(&lane.namespace) && pod.metadata.deletion_timestamp.is_none()
            })
            .iter()
            .map(|pod| PodSeen {
                name: pod.metadata.name.clone().unwrap_or_default(),
                ready: is_ready(pod),
                behaviour: pod
                    .metadata
                    .labels
                    .as_ref()
                    .and_then(|labels| labels.get(crate::stages::BEHAVIOUR).cloned()),
            })
            .collect();
        seen.sort_by(|a, b| a.name.cmp(&b.name));
        seen
    }

    /// `spec.replicas` of a lane's Deployment.
    pub(super) fn replicas(&self, lane: &Lane) -> u32 {
        let found = self.deployments.get(&ObjectRef::new(SERVICE).within(&lane.namespace));
        found.and_then(|found| u32::try_from(found.spec.replicas.unwrap_or(1)).ok()).unwrap_or(0)
    }

    /// The conditions of the lane's HPA and policy.
    pub(super) fn conditions(&self, lane: &Lane) -> Vec<ConditionSeen> {
        let mut seen = Vec::new();
        if let Some(hpa) = self.hpa(lane) {
            let conditions = hpa.status.as_ref().and_then(|status| status.conditions.as_ref());
            seen.extend(conditions.into_iter().flatten().map(|condition| ConditionSeen {
                kind: condition.type_.clone(),
                is_true: condition.status == "True",
                is_false: condition.status == "False",
                reason: condition.reason.clone().unwrap_or_default(),
                message: condition.message.clone().unwrap_or_default(),
            }));
        }
        if let Some(policy) = self.policy(lane) {
            seen.extend(policy.conditions.into_iter().map(|condition| ConditionSeen {
                is_true: condition.status == "True",
                is_false: condition.status == "False",
                kind: condition.type_,
                reason: condition.reason,
                message: condition.message,
            }));
        }
        seen
    }

    pub(super) fn hpa(&self, lane: &Lane) -> Option<Arc<HorizontalPodAutoscaler>> {
        self.hpas.get(&ObjectRef::new(SERVICE).within(&lane.namespace))
    }

    pub(super) fn policy(&self, lane: &Lane) -> Option<PolicySeen> {
        let reference = ObjectRef::new_with(SERVICE, policy_resource()).within(&lane.namespace);
        let status = self.policies.get(&reference)?.data.get("status")?.clone();
        serde_json::from_value(status).ok()
    }
}

/// `scalingpolicies.floorkeeper.dev`.
pub(super) fn policy_resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("floorkeeper.dev", "v1alpha1", "ScalingPolicy"),
        "scalingpolicies",
    )
}

fn watch<K>(watches: &mut JoinSet<()>, api: Api<K>, kind: K::DynamicType) -> Store<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Clone + Eq + std::hash::Hash + Send + Sync,
{
    let writer = reflector::store::Writer::new(kind);
    let store = writer.as_reader();
    let stream = reflector::reflector(writer, watcher(api, watcher::Config::default())).default_backoff();
    watches.spawn(async move {
        let mut stream = std::pin::pin!(stream);
        while let Some(event) = stream.next().await {
            if let Err(error) = event {
                tracing::debug!(%error, "a watch begins anew");
            }
        }
    });
    store
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    // These fields are optional in some versions of the API's types and plain in others: JSON hides the difference.
    serde_json::to_value(conditions.collect::<Vec<_>>()).is_ok_and(|all| {
        all.as_array().is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == "True"))
    })
}
