//! Which kind stands behind a resource name, so that any scalable kind can be written.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use kube::core::ApiResource;

/// The kinds that targets can have, by plural resource and group as `kubectl` writes it (`deployments.apps`).
///
/// The workloads of `apps/v1` are known from the start; the controller teaches the others when a policy names them.
#[derive(Debug)]
pub struct Kinds(RwLock<HashMap<Arc<str>, ApiResource>>);

impl Default for Kinds {
    fn default() -> Self {
        let known = [("Deployment", "deployments"), ("StatefulSet", "statefulsets"), ("ReplicaSet", "replicasets")];
        let kinds = Self(RwLock::default());
        for (kind, plural) in known {
            kinds.learn(ApiResource {
                group: "apps".into(),
                version: "v1".into(),
                api_version: "apps/v1".into(),
                kind: kind.into(),
                plural: plural.into(),
            });
        }
        kinds
    }
}

impl Kinds {
    /// Adds a kind, or replaces its version.
    pub fn learn(&self, kind: ApiResource) {
        let resource = Self::resource(&kind);
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(resource.into(), kind);
    }

    #[must_use]
    pub fn get(&self, resource: &str) -> Option<ApiResource> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(resource).cloned()
    }

    /// The name under which a kind is kept: `deployments.apps`, or `pods` for the core group.
    #[must_use]
    pub fn resource(kind: &ApiResource) -> String {
        if kind.group.is_empty() { kind.plural.clone() } else { format!("{}.{}", kind.plural, kind.group) }
    }
}
