//! HPAs and ScaledObjects: warned of, never refused, never made invalid.

use anyhow::{Result, ensure};
use floorkeeper_rig::{Cluster, eventually};
use serde_json::{Value, json};

use crate::town::{FLOORKEEPER, Town, WITHIN};

fn hpa(min: u32, max: u32, target: &str) -> Value {
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"minReplicas": min, "maxReplicas": max,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}}})
}

pub(crate) async fn a_minimum_below_the_floor_is_warned_of(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "minimum", Some("clamp")).await?;
    town.refuses(2, &[]).await?;
    for (min, max, target, warned) in [
        (2, 20, "web", true),
        (6, 20, "web", false),
        (5, 20, "web", true),
        // As high as it can be.
        (4, 4, "web", false),
        (1, 20, "other", false),
    ] {
        let said = town.apply(&hpa(min, max, target), &[], &[]).await?;
        assert!(said.done, "{}", said.aloud);
        assert_eq!(said.aloud.contains("below the floor of 6"), warned, "{min} to {max} of {target}: {said:?}");
    }
    // Who edits something else is left alone, and so is floorkeeper.
    assert!(town.apply(&hpa(3, 20, "web"), &[], &FLOORKEEPER).await?.aloud.is_empty());
    let said = town.kubectl(&["annotate", "hpa/web", "team=shop"], &[]).await?;
    assert!(said.done && said.aloud.is_empty(), "{said:?}");

    // KEDA's kind, as far as it matters here.
    let preserve = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "scaledobjects.keda.sh"}, "spec": {"group": "keda.sh", "scope": "Namespaced",
        "names": {"plural": "scaledobjects", "singular": "scaledobject", "kind": "ScaledObject"},
        "versions": [{"name": "v1alpha1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
            {"type": "object", "properties": {"spec": preserve}}}}]}});
    cluster.apply(&crd.to_string()).await?;
    cluster.kubectl(["wait", "--for=condition=Established", "crd/scaledobjects.keda.sh", "--timeout=30s"]).await?;
    let scaled = |spec: Value| json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "web"}, "spec": spec});
    eventually("a ScaledObject is warned of", WITHIN, || async {
        let said = town.apply(&scaled(json!({"scaleTargetRef": {"name": "web"}})), &[], &[]).await?;
        let deleted = town.kubectl(&["delete", "scaledobject", "web"], &[]).await?;
        ensure!(
            said.done && deleted.done && said.aloud.contains("minReplicaCount 0 is below the floor of 6"),
            "{said:?}"
        );
        Ok(())
    })
    .await?;
    let said = town.apply(&scaled(json!({"minReplicaCount": 6, "scaleTargetRef": {"name": "web"}})), &[], &[]).await?;
    assert!(said.done && said.aloud.is_empty(), "{said:?}");
    Ok(())
}

/// The owner edits the maximum alone, below the minimum that floorkeeper has put there.
pub(crate) async fn a_maximum_below_our_minimum_takes_it_along(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "maximum", None).await?;
    let note = r#"{"original":{"min":2,"max":20},"applied":{"min":6,"max":20}}"#;
    let mut ours = hpa(6, 20, "web");
    ours["metadata"]["annotations"] = json!({"floorkeeper.dev/kept": note});
    assert!(town.apply(&ours, &["--server-side"], &FLOORKEEPER).await?.done);
    let edit = async |max: u32| {
        let patch = format!("--patch={{\"spec\":{{\"maxReplicas\":{max}}}}}");
        town.kubectl(&["patch", "hpa/web", "--type=merge", &patch], &[]).await
    };
    let bounds = async || -> Result<(Value, Value, Value)> {
        let hpa = town.get("hpa/web").await?;
        let note = hpa["metadata"]["annotations"]["floorkeeper.dev/kept"].as_str().unwrap_or_default().to_owned();
        Ok((hpa["spec"]["minReplicas"].clone(), hpa["spec"]["maxReplicas"].clone(), serde_json::from_str(&note)?))
    };

    assert!(edit(4).await?.done);
    // What was applied follows too, or floorkeeper would take the 4 for a new wish of the owner's.
    let kept = json!({"original": {"min": 2, "max": 20}, "applied": {"min": 4, "max": 20}});
    assert_eq!(bounds().await?, (json!(4), json!(4), kept));
    // Below the owner's own minimum it is invalid, as it would be without floorkeeper.
    let said = edit(1).await?;
    assert!(!said.done && said.aloud.contains("minReplicas"), "{said:?}");
    // A minimum that is not ours is not touched.
    let theirs = town
        .kubectl(&["patch", "hpa/web", "--type=merge", "--patch={\"spec\":{\"minReplicas\":3,\"maxReplicas\":9}}"], &[])
        .await?;
    assert!(theirs.done, "{theirs:?}");
    let said = edit(2).await?;
    assert!(!said.done, "{said:?}");
    Ok(())
}
