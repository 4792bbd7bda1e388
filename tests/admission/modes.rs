//! The label's other values, and no label.

use anyhow::Result;
use floorkeeper_rig::{Cluster, eventually};
use serde_json::json;

use crate::town::{HPA, Town, WITHIN};

pub(crate) async fn deny_lets_a_deploy_in_and_says_so(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "deny", Some("deny")).await?;
    town.refuses(2, &[]).await?;
    // Of everybody: an HPA whose minimum was overwritten stays where it is.
    town.is_refused(2, &HPA).await?;
    let alone =
        town.kubectl(&["patch", "deployment/web", "--type=merge", "--patch={\"spec\":{\"replicas\":2}}"], &[]).await?;
    assert!(!alone.done && alone.aloud.contains("floor of 6"), "replicas alone are an order too: {alone:?}");
    let deploy = town.apply(&town.deployment(2, "web:2"), &["--server-side", "--force-conflicts"], &[]).await?;
    assert!(deploy.done && deploy.aloud.contains("floorkeeper raises them again"), "{deploy:?}");
    assert_eq!((town.image().await?.as_str(), town.replicas().await?), ("web:2", 2));
    cluster.kubectl(["delete", "deployment", "web", "-n", "deny"]).await?;
    let created = town.apply(&town.deployment(1, "web:2"), &[], &[]).await?;
    assert!(created.done && created.aloud.contains("floorkeeper raises them again"), "{created:?}");
    Ok(())
}

pub(crate) async fn warn_refuses_nothing(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "warn", Some("warn")).await?;
    eventually("it warns", WITHIN, || async {
        assert!(town.scale(10, &[]).await?.done);
        let said = town.scale(2, &[]).await?;
        assert!(said.done, "{}", said.aloud);
        anyhow::ensure!(said.aloud.contains("Warning") && said.aloud.contains("floor of 6"), "{said:?}");
        Ok(())
    })
    .await?;
    assert_eq!(town.replicas().await?, 2);
    Ok(())
}

pub(crate) async fn without_the_label_nothing_happens(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "unlabelled", Some("clamp")).await?;
    town.refuses(2, &[]).await?;
    let label = json!({"metadata": {"labels": {"floorkeeper.dev/enforce": null}}}).to_string();
    cluster.kubectl(["patch", "namespace", "unlabelled", "--type=merge", "--patch", &label]).await?;
    eventually("the label is gone from the API server's cache", WITHIN, || async {
        let said = town.scale(2, &[]).await?;
        anyhow::ensure!(said.done && said.aloud.is_empty(), "{said:?}");
        Ok(())
    })
    .await?;
    let said = town.apply(&town.deployment(1, "web:2"), &["--server-side", "--force-conflicts"], &[]).await?;
    assert!(said.done && said.aloud.is_empty(), "{said:?}");
    assert_eq!((town.replicas().await?, town.clamped().await?), (1, None));
    Ok(())
}
