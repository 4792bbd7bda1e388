//! The bounds of an HPA, ours and its owner's.

use anyhow::{Context as _, Result};
use floorkeeper::api::{Mode, ScalingPolicy, ScalingPolicySpec, Utilization, WorkloadRef};
use floorkeeper::apply::{KEPT, kept, own_hpa_name};
use floorkeeper_core::{Bounds, Kept, Outcome, ScalerBounds, ScalerKind, TargetKey, Write};
use floorkeeper_rig::Cluster;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::Story;

pub(super) async fn the_minimum_is_ours_and_all_else_the_owner_s(cluster: &Cluster) -> Result<()> {
    let story = Story::begin(cluster, "bounds").await?;
    let api = story.api("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
    // One owner applies on the server, the other from the client.
    by_owner(&api, &hpa("server-side", 2, 10), false).await?;
    story.create(&api, hpa("client-side", 2, 10)).await?;

    for name in ["server-side", "client-side"] {
        assert_eq!(story.writer.carry_out(&write("bounds", name, 6, 10, Some(KEPT_AT_6), None)).await, Outcome::Done);
        let now = api.get(name).await?;
        assert_eq!(bounds(&now), (6, 10), "{name}");
        assert_eq!(kept(now.metadata.annotations.as_ref()), Some(KEPT_AT_6), "{name}");
        assert_eq!(ours(&now)?, json!({"f:minReplicas": {}}), "{name}");
        assert_eq!(now.data["spec"]["metrics"][0]["resource"]["name"], "cpu", "{name}");
    }

    // The owner goes on editing what is his.
    let edited = json!({"spec": {"maxReplicas": 12}});
    api.patch("server-side", &PatchParams::default(), &Patch::Merge(edited)).await?;
    let kept_at_7 = Kept { original: Bounds { min: 2, max: 12 }, applied: Bounds { min: 7, max: 12 }, awake: false };
    assert_eq!(
        story.writer.carry_out(&write("bounds", "server-side", 7, 12, Some(kept_at_7), None)).await,
        Outcome::Done
    );
    assert_eq!(bounds(&api.get("server-side").await?), (7, 12));

    // A lowering needs the version that it was decided on.
    let kept_at_4 = Kept { original: Bounds { min: 2, max: 10 }, applied: Bounds { min: 4, max: 10 }, awake: false };
    let stale = write("bounds", "client-side", 4, 10, Some(kept_at_4), Some("1"));
    assert_eq!(story.writer.carry_out(&stale).await, Outcome::Conflict);
    assert_eq!(bounds(&api.get("client-side").await?), (6, 10));
    let version = version(&api, "client-side").await?;
    let fresh = write("bounds", "client-side", 4, 10, Some(kept_at_4), Some(&version));
    assert_eq!(story.writer.carry_out(&fresh).await, Outcome::Done);
    assert_eq!(bounds(&api.get("client-side").await?), (4, 10));

    // Given back: the owner's values, no note, and nobody in the owner's way.
    for (name, max) in [("server-side", 12), ("client-side", 10)] {
        let version = self::version(&api, name).await?;
        assert_eq!(story.writer.carry_out(&write("bounds", name, 2, max, None, Some(&version))).await, Outcome::Done);
        let now = api.get(name).await?;
        assert_eq!(bounds(&now), (2, i64::from(max)), "{name}");
        assert!(!now.metadata.annotations.clone().unwrap_or_default().contains_key(KEPT), "{name}");
        assert!(ours(&now).is_err(), "{name}: {:?}", now.metadata.managed_fields);
    }
    by_owner(&api, &hpa("server-side", 3, 12), false).await.context("the owner meets no conflict")?;
    assert_eq!(bounds(&api.get("server-side").await?), (3, 12));
    Ok(())
}

pub(super) async fn after_a_pin_the_maximum_is_the_owner_s_again(cluster: &Cluster) -> Result<()> {
    let story = Story::begin(cluster, "pin").await?;
    let api = story.api("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
    for (name, then_kept) in [("ends", Some(KEPT_AT_6)), ("goes", None)] {
        by_owner(&api, &hpa(name, 2, 10), false).await?;
        let pinned = Kept { original: Bounds { min: 2, max: 10 }, applied: Bounds { min: 5, max: 5 }, awake: false };
        assert_eq!(story.writer.carry_out(&write("pin", name, 5, 5, Some(pinned), None)).await, Outcome::Done);
        assert_eq!(bounds(&api.get(name).await?), (5, 5));

        // The Pin ends with a floor, or together with the policy.
        let min = then_kept.map_or(2, |kept| kept.applied.min);
        let version = version(&api, name).await?;
        let lowers_from = then_kept.is_none().then_some(version.as_str());
        let ends = write("pin", name, min, 10, then_kept, lowers_from);
        assert_eq!(story.writer.carry_out(&ends).await, Outcome::Done);
        let now = api.get(name).await?;
        assert_eq!(bounds(&now), (i64::from(min), 10));
        match then_kept {
            Some(_) => assert_eq!(ours(&now)?, json!({"f:minReplicas": {}})),
            None => assert!(ours(&now).is_err()),
        }
        let mut max_only = hpa(name, 2, 11);
        max_only["spec"].as_object_mut().context("spec")?.remove("minReplicas");
        by_owner(&api, &max_only, false).await.context("the maximum is free for its owner")?;
    }
    // The next floor leaves the owner's new maximum alone.
    let kept_at_7 = Kept { original: Bounds { min: 2, max: 11 }, applied: Bounds { min: 7, max: 11 }, awake: false };
    assert_eq!(story.writer.carry_out(&write("pin", "ends", 7, 11, Some(kept_at_7), None)).await, Outcome::Done);
    assert_eq!(bounds(&api.get("ends").await?), (7, 11));
    Ok(())
}

pub(super) async fn what_does_not_fit_is_refused(cluster: &Cluster) -> Result<()> {
    let story = Story::begin(cluster, "unfit").await?;
    let api = story.api("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
    by_owner(&api, &hpa("web", 2, 5), false).await?;
    // The owner lowered the maximum below the floor meanwhile: his HPA stays as it is, and valid.
    assert_eq!(story.writer.carry_out(&write("unfit", "web", 6, 10, Some(KEPT_AT_6), None)).await, Outcome::Conflict);
    assert_eq!(bounds(&api.get("web").await?), (2, 5));
    // What is given back is given back to the HPA that was seen, not to one that was edited since.
    assert_eq!(story.writer.carry_out(&write("unfit", "web", 2, 10, None, None)).await, Outcome::Conflict);
    assert_eq!(bounds(&api.get("web").await?), (2, 5));
    // One that is gone is not made anew.
    assert_eq!(story.writer.carry_out(&write("unfit", "gone", 6, 10, Some(KEPT_AT_6), None)).await, Outcome::Failed);
    assert_eq!(story.writer.carry_out(&write("unfit", "gone", 2, 10, None, None)).await, Outcome::Failed);
    assert_eq!(api.list(&kube::api::ListParams::default()).await?.items.len(), 1);
    Ok(())
}

pub(super) async fn our_own_hpa(cluster: &Cluster) -> Result<()> {
    let story = Story::begin(cluster, "own").await?;
    let hpas: Api<HorizontalPodAutoscaler> = Api::namespaced(story.client.clone(), "own");
    let api = story.api("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
    let policies: Api<ScalingPolicy> = Api::namespaced(story.client.clone(), "own");
    let mut policy = policies.create(&PostParams::default(), &policy()).await?;
    let name = own_hpa_name(&policy);
    let start = Bounds { min: 6, max: 10 };

    assert_eq!(story.writer.keep_own_hpa(&policy, start, None).await, Outcome::Done);
    assert_eq!(bounds(&api.get(&name).await?), (6, 10));
    // Its bounds are the policy's alone: no note of others, both numbers at once, and the rest survives it.
    assert_eq!(story.writer.carry_out(&write("own", &name, 8, 12, None, None)).await, Outcome::Done);
    let now = hpas.get(&name).await?;
    assert_eq!((now.spec.min_replicas, now.spec.max_replicas), (Some(8), 12));
    assert_eq!(now.spec.scale_target_ref.name, "web");
    assert_eq!(kept(now.metadata.annotations.as_ref()), None);
    // In line: no write.
    assert_eq!(story.writer.keep_own_hpa(&policy, start, Some(&now)).await, Outcome::Done);
    assert_eq!(hpas.get(&name).await?.metadata.resource_version, now.metadata.resource_version);
    // Another target percentage: the metrics change, the bounds do not.
    policy.spec.utilization[0].target_percent = 50;
    assert_eq!(story.writer.keep_own_hpa(&policy, start, Some(&now)).await, Outcome::Done);
    let now = hpas.get(&name).await?;
    let metric = now.spec.metrics.as_ref().context("metrics")?[0].resource.as_ref().context("resource")?;
    assert_eq!((now.spec.min_replicas, metric.target.average_utilization), (Some(8), Some(50)));
    // And the next bounds leave the metrics alone.
    assert_eq!(story.writer.carry_out(&write("own", &name, 9, 9, None, None)).await, Outcome::Done);
    let now = hpas.get(&name).await?;
    assert_eq!((now.spec.min_replicas, now.spec.metrics.as_ref().map(Vec::len)), (Some(9), Some(1)), "a Pin");

    assert_eq!(story.writer.drop_own_hpa(&policy, &now).await, Outcome::Done);
    assert!(hpas.get_opt(&name).await?.is_none());
    assert_eq!(story.writer.drop_own_hpa(&policy, &now).await, Outcome::Done, "gone is gone");
    Ok(())
}

const KEPT_AT_6: Kept =
    Kept { original: Bounds { min: 2, max: 10 }, applied: Bounds { min: 6, max: 10 }, awake: false };

fn write(namespace: &str, scaler: &str, min: u32, max: u32, kept: Option<Kept>, lowers_from: Option<&str>) -> Write {
    Write::Bounds(ScalerBounds {
        target: TargetKey::new(namespace, "deployments.apps", "web"),
        kind: ScalerKind::HorizontalPodAutoscaler,
        scaler: scaler.into(),
        version: lowers_from.unwrap_or("1").into(),
        bounds: Bounds { min, max },
        kept,
        lowers: lowers_from.is_some(),
        unpins: false,
        undo: false,
    })
}

async fn by_owner(api: &Api<DynamicObject>, hpa: &Value, force: bool) -> Result<()> {
    let params = PatchParams { force, ..PatchParams::apply("owner") };
    let name = hpa["metadata"]["name"].as_str().context("name")?;
    api.patch(name, &params, &Patch::Apply(hpa)).await?;
    Ok(())
}

async fn version(api: &Api<DynamicObject>, name: &str) -> Result<String> {
    api.get(name).await?.metadata.resource_version.context("version")
}

fn bounds(hpa: &DynamicObject) -> (i64, i64) {
    let spec = &hpa.data["spec"];
    (spec["minReplicas"].as_i64().unwrap_or(-1), spec["maxReplicas"].as_i64().unwrap_or(-1))
}

/// The fields of the spec that floorkeeper owns.
fn ours(hpa: &DynamicObject) -> Result<Value> {
    let entries = hpa.metadata.managed_fields.iter().flatten();
    let entry = entries.filter(|entry| entry.manager.as_deref() == Some("floorkeeper")).collect::<Vec<_>>();
    anyhow::ensure!(entry.len() == 1, "{entry:?}");
    Ok(serde_json::to_value(&entry[0].fields_v1)?["f:spec"].clone())
}

fn hpa(name: &str, min: u32, max: u32) -> Value {
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": min,
            "maxReplicas": max,
            "metrics": [{
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
            }],
        },
    })
}

fn policy() -> ScalingPolicy {
    let target_ref = WorkloadRef { api_version: "apps/v1".into(), kind: "Deployment".into(), name: "web".into() };
    let capacity = json!({"capacity": "120"});
    let spec = ScalingPolicySpec {
        target_ref,
        mode: Mode::Autoscale,
        min_replicas: Some(2),
        max_replicas: Some(10),
        demand: serde_json::from_value(capacity).ok(),
        distrust: None,
        scale_down: None,
        utilization: vec![Utilization { resource: "cpu".into(), target_percent: 70 }],
    };
    ScalingPolicy::new("web", spec)
}
