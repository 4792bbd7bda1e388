//! KEDA, from its own sources: its kinds alone, or its operator and its metrics adapter as programs beside the control plane.

mod install;
mod running;

use anyhow::Result;

use crate::binaries::Module;
use crate::cluster::Cluster;

pub use self::running::Keda;

/// Installs KEDA's own CustomResourceDefinitions, and waits until they are served. Nothing of KEDA runs: who creates a
/// ScaledObject finds what the API server does with one, and no more.
pub async fn install_kinds(cluster: &Cluster) -> Result<()> {
    let source = tokio::task::spawn_blocking(|| Module::Keda.source()).await??;
    install::kinds(cluster, &source).await
}
