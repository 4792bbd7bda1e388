//! Kubernetes before 1.36, which has no MutatingAdmissionPolicy.

use anyhow::Result;
use floorkeeper_rig::{Cluster, Options};

use crate::town::{HPA, Town, in_force};

pub(crate) async fn on_1_35() -> Result<()> {
    let cluster = Cluster::start(Options { mutating_admission_policy: false, ..Options::api_only() }).await?;
    install(&cluster).await?;
    let town = Town::open(&cluster, "older", Some("clamp")).await?;
    town.refuses(2, &[]).await?;
    town.refuses(0, &[]).await?;
    town.refuses(2, &HPA).await?;
    let alone =
        town.kubectl(&["patch", "deployment/web", "--type=merge", "--patch={\"spec\":{\"replicas\":2}}"], &[]).await?;
    assert!(!alone.done && alone.aloud.contains("floor of 6"), "{alone:?}");
    let deploy = town.apply(&town.deployment(2, "web:2"), &["--server-side", "--force-conflicts"], &[]).await?;
    assert!(deploy.done && deploy.aloud.contains("floorkeeper raises them again"), "a deploy never fails: {deploy:?}");
    assert_eq!((town.image().await?.as_str(), town.replicas().await?), ("web:2", 2));
    assert!(town.scale(4, &[]).await?.done);
    Ok(())
}

/// The kustomization with the component that the manual names, beside the repository's own files.
async fn install(cluster: &Cluster) -> Result<()> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = cluster.directory().join("manifests");
    for directory in ["crds", "deploy"] {
        copy_into(&root.join(directory), &copy.join(directory))?;
    }
    let kustomization = copy.join("deploy/kustomization.yaml");
    let text = std::fs::read_to_string(&kustomization)?;
    std::fs::write(&kustomization, format!("{text}components: [components/before-1.36]\n"))?;
    cluster.kubectl(["apply", "-k", &copy.join("deploy").display().to_string()]).await?;
    in_force(cluster).await
}

fn copy_into(from: &std::path::Path, to: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_into(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
