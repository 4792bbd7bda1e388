//! The floor: what is refused, and what never is.

use anyhow::Result;
use floorkeeper_rig::Cluster;
use serde_json::json;

use crate::town::{FLOORKEEPER, Town};

pub(crate) async fn an_explicit_scale_down_is_refused(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "refused", Some("clamp")).await?;
    let said = town.refuses(2, &[]).await?;
    for word in [
        "deployments.apps/web",
        "floor of 6",
        "ScalingPolicy web-policy",
        "UnusualFall",
        "kubectl floorkeeper override",
    ] {
        assert!(said.contains(word), "the refusal names {word}: {said}");
    }
    // A Scale of zero has no `replicas` at all: the rule must not stumble over it.
    for replicas in [2, 0, 5] {
        town.is_refused(replicas, &[]).await?;
    }
    assert_eq!(town.replicas().await?, 10);
    let down_to_it = town.scale(6, &[]).await?;
    assert!(down_to_it.done, "down to the floor is fine: {}", down_to_it.aloud);
    assert_eq!(town.replicas().await?, 6);

    // A StatefulSet is another row of the same table.
    let db = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web", "namespace": "refused"},
        "spec": {"replicas": 9, "serviceName": "web", "selector": {"matchLabels": {"app": "db"}},
        "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "db", "image": "db"}]}}}});
    cluster.apply(&db.to_string()).await?;
    let other = town.kubectl(&["scale", "statefulset/web", "--replicas=1"], &[]).await?;
    assert!(other.done, "the Deployment's floor is not the StatefulSet's: {}", other.aloud);
    Ok(())
}

pub(crate) async fn a_raise_is_never_refused_nor_changed(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "raise", Some("clamp")).await?;
    town.refuses(2, &[]).await?;
    // Below its floor, as after break-glass: a raise that stays below it is a raise all the same.
    let low = town.scale(2, &crate::town::GLASS).await?;
    assert!(low.done, "{}", low.aloud);
    for (replicas, by) in [(3, &[] as &[&str]), (4, &crate::town::HPA), (12, &FLOORKEEPER)] {
        let said = town.scale(replicas, by).await?;
        assert!(said.done && said.aloud.is_empty(), "{replicas}: {}", said.aloud);
        assert_eq!(town.replicas().await?, u64::from(replicas), "as asked for, no more and no less");
    }
    let deploy = town.apply(&town.deployment(30, "web:2"), &["--server-side", "--force-conflicts"], &[]).await?;
    assert!(deploy.done, "{}", deploy.aloud);
    assert_eq!((town.replicas().await?, town.clamped().await?), (30, None));
    Ok(())
}

pub(crate) async fn a_released_floor_and_a_namespace_without_a_table_bind_nobody(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "released", Some("clamp")).await?;
    town.refuses(2, &[]).await?;
    town.table(json!({"released": true, "seq": 2})).await?;
    floorkeeper_rig::eventually("the released floor is let go", crate::town::WITHIN, || async {
        let said = town.scale(2, &[]).await?;
        anyhow::ensure!(said.done, "{}", said.aloud);
        Ok(())
    })
    .await?;
    let deleted = town.kubectl(&["delete", "floortable", "floors"], &FLOORKEEPER).await?;
    assert!(deleted.done, "{}", deleted.aloud);
    let said = town.scale(1, &[]).await?;
    assert!(said.done, "{}", said.aloud);
    Ok(())
}

/// A floorkeeper that has gone wrong, or an old one, meets its own floor; and it is told so, not clamped.
pub(crate) async fn floorkeeper_itself_is_refused_and_never_clamped(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "itself", Some("clamp")).await?;
    town.refuses(2, &FLOORKEEPER).await?;
    town.is_refused(2, &FLOORKEEPER).await?;
    assert_eq!(town.replicas().await?, 10);
    // But for its probe: a dry run under a name of its own.
    let patch =
        ["patch", "deployment/web", "--subresource=scale", "--type=merge", "--patch={\"spec\":{\"replicas\":2}}"];
    let probe = [&patch[..], &["--dry-run=server", "--field-manager=floorkeeper-clamp-probe"]].concat();
    let said = town.kubectl(&probe, &FLOORKEEPER).await?;
    assert!(said.done, "{}", said.aloud);
    let wet = [&patch[..], &["--field-manager=floorkeeper-clamp-probe"]].concat();
    let said = town.kubectl(&wet, &FLOORKEEPER).await?;
    assert!(!said.done, "only a dry run is");
    Ok(())
}
