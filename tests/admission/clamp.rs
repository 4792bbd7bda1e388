//! The clamp: what is raised to the floor instead of being refused.

use anyhow::Result;
use floorkeeper_rig::Cluster;
use serde_json::json;

use crate::town::{GLASS, HPA, Town};

pub(crate) async fn a_deploy_with_stale_replicas_rolls_out_and_keeps_the_floor(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "deploy", Some("clamp")).await?;
    town.refuses(2, &[]).await?;
    let stale = |image| town.deployment(2, image);

    let client_side = town.apply(&stale("web:2"), &[], &[]).await?;
    assert!(client_side.done, "{}", client_side.aloud);
    assert_eq!((town.image().await?.as_str(), town.replicas().await?), ("web:2", 6));

    let ways: [(&str, &[&str]); 2] = [
        ("web:3", &["--server-side", "--force-conflicts"]),
        ("web:4", &["--server-side", "--field-manager=argocd", "--force-conflicts"]),
    ];
    for (image, way) in ways {
        let up = town.scale(10, &[]).await?;
        assert!(up.done, "{}", up.aloud);
        let said = town.apply(&stale(image), way, &[]).await?;
        assert!(said.done, "{}", said.aloud);
        assert_eq!((town.image().await?.as_str(), town.replicas().await?), (image, 6), "{way:?}");
    }

    // An apply loop with nothing new changes nothing: the same answer, the same object. In another second the API server
    // may note in `managedFields` when the clamp was last asked for.
    let same = async || -> Result<_> {
        let deployment = town.get("deployment/web").await?;
        let metadata = &deployment["metadata"];
        Ok(["generation", "annotations", "labels"].map(|field| metadata[field].clone()))
    };
    let before = same().await?;
    for _ in 0..3 {
        assert!(town.apply(&stale("web:4"), &["--server-side", "--field-manager=argocd"], &[]).await?.done);
    }
    assert_eq!(same().await?, before);

    // `kubectl replace`, a patch of the object, an edit.
    for (args, image) in [
        (vec!["set", "image", "deployment/web", "web=web:5"], "web:5"),
        (vec!["patch", "deployment/web", "--type=merge", "--patch={\"spec\":{\"replicas\":0}}"], "web:5"),
    ] {
        let said = town.kubectl(&args, &[]).await?;
        assert!(said.done, "{}", said.aloud);
        assert_eq!((town.image().await?.as_str(), town.replicas().await?), (image, 6));
    }
    Ok(())
}

pub(crate) async fn a_workload_created_again_starts_at_its_floor(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "created", Some("clamp")).await?;
    town.refuses(2, &[]).await?;
    cluster.kubectl(["delete", "deployment", "web", "-n", "created"]).await?;
    let said = town.apply(&town.deployment(1, "web:2"), &[], &[]).await?;
    assert!(said.done && said.aloud.contains("raised to it"), "{said:?}");
    assert_eq!(town.replicas().await?, 6);
    cluster.kubectl(["delete", "deployment", "web", "-n", "created"]).await?;
    let said = town.apply(&town.deployment(8, "web:2"), &[], &[]).await?;
    assert!(said.done && said.aloud.is_empty(), "above the floor it is as asked for: {said:?}");
    assert_eq!(town.replicas().await?, 8);
    // Another workload has no floor.
    let mut other = town.deployment(1, "api");
    other["metadata"]["name"] = json!("api");
    let said = town.apply(&other, &[], &[]).await?;
    assert!(said.done && said.aloud.is_empty(), "{said:?}");
    Ok(())
}

pub(crate) async fn what_the_scalers_write_is_clamped(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "scaler", Some("clamp")).await?;
    town.refuses(2, &[]).await?;
    let keda = ["--as=system:serviceaccount:keda:keda-operator", "--as-group=system:masters"];
    let manager = ["--as=system:kube-controller-manager", "--as-group=system:masters"];
    for (by, asked) in [(&HPA[..], 2), (&keda[..], 0), (&manager[..], 5)] {
        let up = town.scale(10, &[]).await?;
        assert!(up.done, "{}", up.aloud);
        let said = town.scale(asked, by).await?;
        assert!(said.done, "{by:?}: {}", said.aloud);
        assert_eq!(town.replicas().await?, 6, "{by:?}");
    }
    let said = town.scale(7, &HPA).await?;
    assert!(said.done, "{}", said.aloud);
    let said = town.scale(6, &HPA).await?;
    assert!(said.done && town.replicas().await? == 6, "down to the floor as asked for");
    Ok(())
}

pub(crate) async fn a_clamp_keeps_and_never_raises(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "keeps", Some("clamp")).await?;
    town.refuses(2, &[]).await?;
    assert!(town.scale(4, &GLASS).await?.done);
    let said = town.scale(1, &HPA).await?;
    assert!(said.done, "{}", said.aloud);
    assert_eq!(town.replicas().await?, 4, "below the floor already: it stays where it is");
    let said = town.apply(&town.deployment(3, "web:2"), &["--server-side", "--force-conflicts"], &[]).await?;
    assert!(said.done, "{}", said.aloud);
    assert_eq!((town.image().await?.as_str(), town.replicas().await?), ("web:2", 4));
    Ok(())
}

pub(crate) async fn a_clamp_is_never_silent(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "silent", Some("clamp")).await?;
    town.refuses(2, &[]).await?;
    let by = ["--as=ann\"e\\", "--as-group=system:masters"];
    for _ in 0..2 {
        let said = town.apply(&town.deployment(2, "web:2"), &["--server-side", "--force-conflicts"], &by).await?;
        for word in ["Warning", "the floor of deployments.apps/web", "web-policy", "raised to it"] {
            assert!(said.aloud.contains(word), "told each time: {said:?}");
        }
        assert_eq!(town.clamped().await?, Some(json!({"asked": 2, "kept": 6, "by": "anne", "policy": "web-policy"})));
    }
    // The next write that brings enough takes the note along, and is told nothing.
    let said = town.kubectl(&["set", "image", "deployment/web", "web=web:3"], &[]).await?;
    assert!(said.done && said.aloud.is_empty(), "{said:?}");
    assert_eq!(town.clamped().await?, None);
    Ok(())
}
