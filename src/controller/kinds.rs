//! Which resource stands behind a kind that a policy names, and where it keeps its replicas.

use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::TargetKey;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::{ApiResource, DynamicObject, GroupVersion, GroupVersionKind};
use kube::discovery::{self, Scope};
use kube::error::DiscoveryError;
use kube::{Api, Client};
use tokio::time::timeout;
use tracing::debug;

use super::input::KindName;
use crate::apply::Kinds;
use crate::observe::Paths;

/// A kind as a policy names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct KindRef {
    pub(super) api_version: Arc<str>,
    pub(super) kind: Arc<str>,
}

/// A kind that the API server serves.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Resolved {
    /// Plural and group: `deployments.apps`.
    pub(super) resource: Arc<str>,
    pub(super) api: ApiResource,
    pub(super) paths: Paths,
    /// It has a `scale` subresource.
    pub(super) scalable: bool,
}

/// Why a kind can't be used. The text stands in a policy's status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unresolved {
    #[error("{0} is being looked up")]
    Pending(KindRef),
    #[error("the cluster does not serve {0}: check apiVersion and kind, or install its CustomResourceDefinition")]
    NotServed(KindRef),
    #[error("{0} is not namespaced: name a workload of the policy's own namespace")]
    ClusterScoped(KindRef),
    #[error("{0} has no scale subresource: name the Deployment, StatefulSet or other scalable workload itself")]
    NotScalable(KindRef),
    #[error("{kind} could not be looked up: {why}; tried again soon")]
    Failed { kind: KindRef, why: String },
}

impl KindRef {
    pub(super) fn new(api_version: &str, kind: &str) -> Self {
        Self { api_version: api_version.into(), kind: kind.into() }
    }

    pub(super) fn name(&self) -> KindName {
        KindName::new(&self.api_version, &self.kind)
    }

    /// Kinds that every cluster has need no question.
    pub(super) fn built_in(&self) -> Option<Resolved> {
        let plural = match (&*self.api_version, &*self.kind) {
            ("apps/v1", "Deployment") => "deployments",
            ("apps/v1", "StatefulSet") => "statefulsets",
            _ => return None,
        };
        let api = ApiResource {
            group: "apps".into(),
            version: "v1".into(),
            api_version: "apps/v1".into(),
            kind: self.kind.to_string(),
            plural: plural.into(),
        };
        Some(Resolved { resource: Kinds::resource(&api).into(), api, paths: Paths::default(), scalable: true })
    }
}

impl std::fmt::Display for KindRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.api_version, self.kind)
    }
}

/// Asks the API server.
pub(super) async fn resolve(client: &Client, kind: &KindRef) -> Result<Resolved, Unresolved> {
    if let Some(resolved) = kind.built_in() {
        return Ok(resolved);
    }
    let not_served = || Unresolved::NotServed(kind.clone());
    let version: GroupVersion = kind.api_version.parse().map_err(|_| not_served())?;
    let gvk = GroupVersionKind { group: version.group, version: version.version, kind: kind.kind.to_string() };
    let failed = |why: String| Unresolved::Failed { kind: kind.clone(), why };
    let answer = timeout(WITHIN, discovery::pinned_kind(client, &gvk)).await.map_err(|_| failed("no answer".into()))?;
    let (api, can) = answer.map_err(|error| match error {
        kube::Error::Discovery(DiscoveryError::MissingKind(_)) => not_served(),
        // A version of a group that does not exist is answered with plain text.
        kube::Error::Api(status) if status.code == 404 => not_served(),
        other => failed(other.to_string()),
    })?;
    if can.scope == Scope::Cluster {
        return Err(Unresolved::ClusterScoped(kind.clone()));
    }
    let scalable = can.subresources.iter().any(|(subresource, _)| subresource.plural == "scale");
    let paths = if scalable { paths(client, &api).await } else { Paths::default() };
    Ok(Resolved { resource: Kinds::resource(&api).into(), api, paths, scalable })
}

/// Where a custom kind keeps its replicas. Without permission to read its definition: where nearly all keep them.
async fn paths(client: &Client, kind: &ApiResource) -> Paths {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = Kinds::resource(kind);
    let definition = match timeout(WITHIN, api.get(&name)).await {
        Ok(Ok(definition)) => definition,
        Ok(Err(error)) => {
            debug!(%name, %error, "definition not read; replicas are looked for in spec.replicas");
            return Paths::default();
        }
        Err(_) => return Paths::default(),
    };
    let version = definition.spec.versions.iter().find(|version| version.name == kind.version);
    let scale = version.and_then(|version| version.subresources.as_ref()?.scale.as_ref());
    scale.and_then(|scale| Paths::parse(&scale.spec_replicas_path)).unwrap_or_default()
}

/// The label selector of a target's pods, as its scale tells it.
pub(super) async fn pods(client: &Client, kind: &ApiResource, target: &TargetKey) -> Option<Arc<str>> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &target.namespace, kind);
    match timeout(WITHIN, api.get_scale(&target.name)).await {
        Ok(Ok(scale)) => scale.status.and_then(|status| status.selector).map(Into::into),
        Ok(Err(error)) => {
            debug!(%target, %error, "the selector of its pods is not known");
            None
        }
        Err(_) => None,
    }
}

/// Discovery is one small answer.
const WITHIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_cluster_has_is_known() {
        let resource = |api_version, kind| KindRef::new(api_version, kind).built_in().map(|kind| kind.resource);
        assert_eq!(resource("apps/v1", "Deployment").as_deref(), Some("deployments.apps"));
        assert_eq!(resource("apps/v1", "StatefulSet").as_deref(), Some("statefulsets.apps"));
        assert_eq!(resource("argoproj.io/v1alpha1", "Rollout"), None);
        assert_eq!(KindRef::new("v1", "ReplicationController").name(), KindName::new("v1", "ReplicationController"));
        assert_eq!(&*KindRef::new("argoproj.io/v1alpha1", "Rollout").name().group, "argoproj.io");
    }
}
