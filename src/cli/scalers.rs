//! What scales the workloads of a cluster, as the commands look at it: HPAs, and KEDA's ScaledObjects in place of the HPAs
//! that KEDA makes of them.

use floorkeeper_core::{Bounds, Idle, Kept, Scaler, ScalerKind};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;

use super::reach::Cluster;
use super::trouble::Trouble;
use crate::api::{ScalingPolicy, keda};
use crate::apply;
use crate::observe;

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) metadata: ObjectMeta,
    pub(super) kind: ScalerKind,
    /// As it stands there.
    pub(super) bounds: Bounds,
    pub(super) idle: Option<Idle>,
    /// What floorkeeper keeps there.
    pub(super) kept: Option<Kept>,
    /// Of the workload.
    target_kind: String,
    target: String,
}

impl Found {
    /// `None`: KEDA made it.
    pub(super) fn hpa(hpa: &HorizontalPodAutoscaler) -> Option<Self> {
        if keda::is_made_by_keda(&hpa.metadata) {
            return None;
        }
        let kept = apply::kept(hpa.metadata.annotations.as_ref());
        Some(Self::new(&hpa.metadata, &observe::scaler(hpa, kept, false), observe::scales(hpa)))
    }

    /// `None`: it names no workload.
    pub(super) fn scaled_object(object: &DynamicObject) -> Option<Self> {
        let kept = apply::kept(object.metadata.annotations.as_ref());
        let scales = observe::scaled_object_scales(object)?;
        Some(Self::new(&object.metadata, &observe::scaled_object(object, kept), scales))
    }

    fn new(metadata: &ObjectMeta, scaler: &Scaler, (_, kind, name): (&str, &str, &str)) -> Self {
        Self {
            metadata: metadata.clone(),
            kind: scaler.kind,
            bounds: scaler.bounds(),
            idle: scaler.idle,
            kept: scaler.kept,
            target_kind: kind.to_owned(),
            target: name.to_owned(),
        }
    }

    /// Whether it scales a policy's target.
    pub(super) fn scales(&self, policy: &ScalingPolicy) -> bool {
        let target = &policy.spec.target_ref;
        self.metadata.namespace == policy.metadata.namespace
            && self.target_kind == target.kind
            && self.target == target.name
    }

    /// Whether floorkeeper keeps something there.
    pub(super) fn is_kept(&self) -> bool {
        self.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(apply::KEPT))
    }

    /// `ScaledObject web`
    pub(super) fn says(&self) -> String {
        format!("{} {}", self.word(), self.name())
    }

    /// `shop/web`
    pub(super) fn place(&self) -> String {
        format!("{}/{}", self.metadata.namespace.as_deref().unwrap_or_default(), self.name())
    }

    /// `shop/web`, of the workload.
    pub(super) fn target(&self) -> String {
        format!("{}/{}", self.metadata.namespace.as_deref().unwrap_or_default(), self.target)
    }

    /// The field of its minimum.
    pub(super) fn minimum(&self) -> &'static str {
        match self.kind {
            ScalerKind::HorizontalPodAutoscaler => "minReplicas",
            ScalerKind::ScaledObject => "minReplicaCount",
        }
    }

    /// The field of its maximum.
    pub(super) fn maximum(&self) -> &'static str {
        match self.kind {
            ScalerKind::HorizontalPodAutoscaler => "maxReplicas",
            ScalerKind::ScaledObject => "maxReplicaCount",
        }
    }

    /// For `kubectl`.
    pub(super) fn resource(&self) -> &'static str {
        match self.kind {
            ScalerKind::HorizontalPodAutoscaler => "hpa",
            ScalerKind::ScaledObject => "scaledobject",
        }
    }

    pub(super) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    fn word(&self) -> &'static str {
        match self.kind {
            ScalerKind::HorizontalPodAutoscaler => "HPA",
            ScalerKind::ScaledObject => "ScaledObject",
        }
    }
}

/// What scales a policy's target. Who may not look sees none.
pub(super) async fn of(cluster: &Cluster, policy: &ScalingPolicy) -> Option<Found> {
    let namespace = policy.metadata.namespace.as_deref();
    let objects = scaled_objects(cluster, namespace).await.unwrap_or_default();
    let hpas = cluster.list::<HorizontalPodAutoscaler>(namespace).await.unwrap_or_default();
    let all = objects.iter().filter_map(Found::scaled_object).chain(hpas.items.iter().filter_map(Found::hpa));
    all.into_iter().find(|scaler| scaler.scales(policy))
}

/// All ScaledObjects of a namespace, or of the cluster; none where there is no KEDA.
pub(super) async fn scaled_objects(cluster: &Cluster, namespace: Option<&str>) -> Result<Vec<DynamicObject>, Trouble> {
    let kind = keda::scaled_objects();
    let inside = namespace.map_or_else(String::new, |namespace| format!("/namespaces/{namespace}"));
    let path = format!("/apis/{}{inside}/{}", kind.api_version, kind.plural);
    match cluster.list_at::<DynamicObject>(&path, &kind.plural, namespace, None).await {
        Ok(objects) => Ok(objects.items),
        Err(Trouble::NoSuchKind(_)) => Ok(Vec::new()),
        Err(trouble) => Err(trouble),
    }
}
