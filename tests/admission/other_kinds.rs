//! Kinds that the manual says how to add.

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Cluster, eventually};
use serde_json::{Value, json};

use crate::town::{FLOORKEEPER, HPA, Said, Town, WITHIN};

/// The patch for Argo Rollouts, word by word from the manual, on a kind that has what matters of a Rollout.
pub(crate) async fn argo_rollouts_by_the_manual_s_patch(cluster: &Cluster) -> Result<()> {
    let manual = include_str!("../../docs/enforcement.md");
    let patch = manual.split("```yaml\npatches:").nth(1).and_then(|rest| rest.split("```").next());
    let patch = patch.context("the manual has no patch for Rollouts")?;
    crate::town::install_changed(cluster, &format!("patches:{patch}")).await?;
    let preserve = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "rollouts.argoproj.io"}, "spec": {"group": "argoproj.io", "scope": "Namespaced",
        "names": {"plural": "rollouts", "singular": "rollout", "kind": "Rollout"},
        "versions": [{"name": "v1alpha1", "served": true, "storage": true,
            "subresources": {"scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": preserve}}}}]}});
    cluster.apply(&crd.to_string()).await?;
    cluster.kubectl(["wait", "--for=condition=Established", "crd/rollouts.argoproj.io", "--timeout=30s"]).await?;

    let town = Town::open(cluster, "rollouts", Some("clamp")).await?;
    let row = json!({"replicas": 6, "policy": "web", "uid": "u", "reason": "LiveDemand", "epoch": 1, "seq": 1,
        "observedAt": "2024-03-05T01:36:00.000Z"});
    let table = json!({"spec": {"floors": {"rollouts.argoproj.io/ring": row}}}).to_string();
    let said = town.kubectl(&["patch", "floortable/floors", "--type=merge", "--patch", &table], &FLOORKEEPER).await?;
    assert!(said.done, "{}", said.aloud);
    // The API server opens a new kind's resource a moment after it calls it established.
    eventually("a Rollout is created", WITHIN, || async {
        let said = apply(&town, 10, "ring:1").await?;
        ensure!(said.done, "{}", said.aloud);
        Ok(())
    })
    .await?;

    eventually("an order below the floor is refused", WITHIN, || async {
        let said = town.kubectl(&["scale", "rollout/ring", "--replicas=2", "--dry-run=server"], &[]).await?;
        ensure!(!said.done && said.aloud.contains("rollouts.argoproj.io/ring has a floor of 6"), "{said:?}");
        Ok(())
    })
    .await?;
    // The API server can't mutate the Scale of a custom kind.
    let said = town.kubectl(&["scale", "rollout/ring", "--replicas=2"], &HPA).await?;
    assert!(!said.done && said.aloud.contains("floor of 6"), "{said:?}");
    // It knows how to mutate a new kind only when it has read its schema.
    eventually("a deploy is clamped", WITHIN, || async {
        let up = apply(&town, 10, "ring:1").await?;
        ensure!(up.done, "{}", up.aloud);
        let said = apply(&town, 1, "ring:2").await?;
        ensure!(said.done && said.aloud.contains("raised to it"), "{said:?}");
        Ok(())
    })
    .await?;
    let ring = town.get("rollout/ring").await?;
    assert_eq!((&ring["spec"]["replicas"], &ring["spec"]["template"]["image"]), (&json!(6), &json!("ring:2")));
    Ok(())
}

async fn apply(town: &Town<'_>, replicas: u32, image: &str) -> Result<Said> {
    let rollout: Value = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "ring"},
        "spec": {"replicas": replicas, "template": {"image": image}}});
    town.apply(&rollout, &["--server-side", "--force-conflicts"], &[]).await
}
