//! Names of the things that the engine is told about.

use core::fmt;
use std::sync::Arc;

/// A `ScalingPolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyKey {
    pub namespace: Arc<str>,
    pub name: Arc<str>,
}

/// A workload: anything with a `scale` subresource, or a thing that a policy depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetKey {
    pub namespace: Arc<str>,
    /// Plural resource and group, as `kubectl` writes it: `deployments.apps`.
    pub resource: Arc<str>,
    pub name: Arc<str>,
}

impl PolicyKey {
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl TargetKey {
    #[must_use]
    pub fn new(namespace: &str, resource: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), resource: resource.into(), name: name.into() }
    }

    /// The key of this target's row in its namespace's `FloorTable`: `deployments.apps/web`.
    #[must_use]
    pub fn row(&self) -> String {
        format!("{}/{}", self.resource, self.name)
    }
}

impl fmt::Display for PolicyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Display for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.resource, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_as_kubectl_writes_them() {
        let target = TargetKey::new("shop", "deployments.apps", "web");
        assert_eq!(
            (target.row(), target.to_string()),
            ("deployments.apps/web".into(), "shop/deployments.apps/web".into())
        );
        assert_eq!(PolicyKey::new("shop", "web").to_string(), "shop/web");
    }
}
