//! Kubernetes before 1.36, which has no MutatingAdmissionPolicy.

use anyhow::Result;
use floorkeeper_rig::{Cluster, Options};

use crate::town::{HPA, Town, install_changed};

pub(crate) async fn on_1_35() -> Result<()> {
    let cluster = Cluster::start(Options { mutating_admission_policy: false, ..Options::api_only() }).await?;
    install_changed(&cluster, "components: [components/before-1.36]").await?;
    let town = Town::open(&cluster, "older", Some("clamp")).await?;
    town.refuses(2, &[]).await?;
    town.is_refused(0, &[]).await?;
    town.is_refused(2, &HPA).await?;
    let alone =
        town.kubectl(&["patch", "deployment/web", "--type=merge", "--patch={\"spec\":{\"replicas\":2}}"], &[]).await?;
    assert!(!alone.done && alone.aloud.contains("floor of 6"), "{alone:?}");
    let deploy = town.apply(&town.deployment(2, "web:2"), &["--server-side", "--force-conflicts"], &[]).await?;
    assert!(deploy.done && deploy.aloud.contains("floorkeeper raises them again"), "a deploy never fails: {deploy:?}");
    assert_eq!((town.image().await?.as_str(), town.replicas().await?), ("web:2", 2));
    assert!(town.scale(4, &[]).await?.done);
    Ok(())
}
