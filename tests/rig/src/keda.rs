//! KEDA, from its own sources.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::binaries::Module;
use crate::cluster::Cluster;

/// Installs KEDA's own CustomResourceDefinitions, and waits until they are served. Nothing of KEDA runs: who creates a
/// ScaledObject finds what the API server does with one, and no more.
pub async fn install_kinds(cluster: &Cluster) -> Result<()> {
    let definitions = tokio::task::spawn_blocking(definitions).await??;
    cluster.apply(&definitions).await?;
    cluster.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).await.map(drop)
}

/// All of `keda.sh`, as they come with the sources.
fn definitions() -> Result<String> {
    let bases = Module::Keda.source()?.join("config/crd/bases");
    let mut text = String::new();
    for name in KINDS {
        let file = bases.join(format!("keda.sh_{name}.yaml"));
        text += &read(&file)?;
        text += "\n";
    }
    Ok(text)
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))
}

/// The operator watches them all. (Those of `eventing.keda.sh` are another story.)
const KINDS: [&str; 4] = ["scaledobjects", "scaledjobs", "triggerauthentications", "clustertriggerauthentications"];
