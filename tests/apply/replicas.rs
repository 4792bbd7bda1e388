//! `spec.replicas` of any kind.

use anyhow::{Context as _, Result};
use floorkeeper_core::{Outcome, Replicas, TargetKey, Write};
use floorkeeper_rig::{Cluster, eventually};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use serde_json::{Value, json};

use super::Story;

pub(super) async fn raises_and_lowerings(cluster: &Cluster) -> Result<()> {
    let story = Story::begin(cluster, "replicas").await?;
    let api = story.api("apps/v1", "Deployment", "deployments");
    let target = TargetKey::new("replicas", "deployments.apps", "web");
    story.create(&api, workload("apps/v1", "Deployment", 10)).await?;
    let write = |from, to, version: &str| {
        Write::Replicas(Replicas { target: target.clone(), version: version.into(), from, to, undo: true })
    };

    // Somebody scales to 2, somebody to zero: put back, though the version that we know is long outdated.
    for found in [2, 0] {
        scale(&api, found).await?;
        assert_eq!(story.writer.carry_out(&write(found, 6, "1")).await, Outcome::Done);
        assert_eq!(replicas(&api).await?, 6, "from {found}");
    }
    // It moved on since we saw it: still below, then already enough.
    scale(&api, 3).await?;
    assert_eq!(story.writer.carry_out(&write(2, 6, "1")).await, Outcome::Done);
    assert_eq!(replicas(&api).await?, 6);
    scale(&api, 8).await?;
    assert_eq!(story.writer.carry_out(&write(2, 6, "1")).await, Outcome::Unneeded);
    assert_eq!(replicas(&api).await?, 8, "a raise never lowers");
    scale(&api, 0).await?;
    assert_eq!(story.writer.carry_out(&write(2, 6, "1")).await, Outcome::Done);
    assert_eq!(replicas(&api).await?, 6);

    // A lowering goes only against the version that it was decided on.
    let seen = api.get("web").await?.metadata.resource_version.context("version")?;
    api.patch("web", &PatchParams::default(), &Patch::Merge(json!({"metadata": {"labels": {"touched": "yes"}}})))
        .await?;
    assert_eq!(story.writer.carry_out(&write(6, 4, &seen)).await, Outcome::Conflict);
    assert_eq!(replicas(&api).await?, 6);
    let seen = api.get("web").await?.metadata.resource_version.context("version")?;
    assert_eq!(story.writer.carry_out(&write(6, 4, &seen)).await, Outcome::Done);
    assert_eq!(replicas(&api).await?, 4);

    // Gone, or of a kind that nobody knows.
    let gone = |resource| {
        let target = TargetKey::new("replicas", resource, "gone");
        Write::Replicas(Replicas { target, version: "1".into(), from: 1, to: 2, undo: false })
    };
    assert_eq!(story.writer.carry_out(&gone("deployments.apps")).await, Outcome::Failed);
    assert_eq!(story.writer.carry_out(&gone("rockets.example.com")).await, Outcome::Failed);
    Ok(())
}

pub(super) async fn any_scalable_kind(cluster: &Cluster) -> Result<()> {
    let story = Story::begin(cluster, "kinds").await?;
    cluster.apply(&serde_json::to_string(&rollout_crd())?).await?;
    cluster.kubectl(["wait", "--for=condition=Established", "crd", "rollouts.example.com", "--timeout=30s"]).await?;
    story.kinds.learn(ApiResource {
        group: "example.com".into(),
        version: "v1".into(),
        api_version: "example.com/v1".into(),
        kind: "Rollout".into(),
        plural: "rollouts".into(),
    });
    let kinds = [
        ("apps/v1", "StatefulSet", "statefulsets", "statefulsets.apps"),
        ("example.com/v1", "Rollout", "rollouts", "rollouts.example.com"),
    ];
    for (api_version, kind, plural, resource) in kinds {
        let api = story.api(api_version, kind, plural);
        // A kind that is just established may not be served for a moment.
        eventually("the kind is served", std::time::Duration::from_secs(20), || async {
            story.create(&api, workload(api_version, kind, 5)).await.map(drop)
        })
        .await?;
        let target = TargetKey::new("kinds", resource, "web");
        for found in [0, 1] {
            scale(&api, found).await?;
            let write = Replicas { target: target.clone(), version: "1".into(), from: found, to: 5, undo: true };
            assert_eq!(story.writer.carry_out(&Write::Replicas(write)).await, Outcome::Done, "{kind} from {found}");
            assert_eq!(replicas(&api).await?, 5, "{kind} from {found}");
        }
        // Not what was seen: read, then written against the version that was read.
        scale(&api, 0).await?;
        let write = Replicas { target: target.clone(), version: "1".into(), from: 3, to: 5, undo: true };
        assert_eq!(story.writer.carry_out(&Write::Replicas(write)).await, Outcome::Done, "{kind}");
        assert_eq!(replicas(&api).await?, 5, "{kind}");
        let version = api.get("web").await?.metadata.resource_version.context("version")?;
        let write = Replicas { target, version: version.into(), from: 5, to: 4, undo: false };
        assert_eq!(story.writer.carry_out(&Write::Replicas(write)).await, Outcome::Done, "{kind}");
        assert_eq!(replicas(&api).await?, 4, "{kind}");
    }
    Ok(())
}

async fn scale(api: &Api<DynamicObject>, to: u32) -> Result<()> {
    api.patch_scale("web", &PatchParams::default(), &Patch::Merge(json!({"spec": {"replicas": to}}))).await?;
    Ok(())
}

async fn replicas(api: &Api<DynamicObject>) -> Result<u64> {
    api.get("web").await?.data["spec"]["replicas"].as_u64().context("replicas")
}

fn workload(api_version: &str, kind: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web"}]},
            },
        },
    })
}

fn rollout_crd() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "rollouts.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Rollout", "plural": "rollouts", "singular": "rollout"},
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                "subresources": {"scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
            }],
        },
    })
}
