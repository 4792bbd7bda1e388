//! The bounds of a KEDA ScaledObject, ours and its owner's. KEDA's kind is real, KEDA itself is not there.

use anyhow::{Context as _, Result, ensure};
use floorkeeper::apply::{self, KEPT, give_scaled_object_back};
use floorkeeper_core::{Bounds, Kept, Outcome, ScalerBounds, ScalerKind, TargetKey, Write};
use floorkeeper_rig::Cluster;
use kube::ResourceExt as _;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::Story;

const FORCED: &str = "autoscaling.keda.sh/force-activation";

pub(super) async fn the_minimum_is_ours_and_all_else_the_owner_s(cluster: &Cluster) -> Result<()> {
    let (story, api) = begin(cluster, "objects").await?;
    // One owner applies on the server, the other from the client; the third says no bounds at all.
    by_owner(&api, &object("server-side", json!({"minReplicaCount": 2, "maxReplicaCount": 30}))).await?;
    story.create(&api, object("client-side", json!({"minReplicaCount": 2, "maxReplicaCount": 30}))).await?;
    by_owner(&api, &object("bare", json!({}))).await?;

    for (name, owner) in [("server-side", (2, 30)), ("client-side", (2, 30)), ("bare", (0, 100))] {
        let six = note(owner, (6, owner.1), false);
        let raise = write("objects", name, &six, Some(six), None);
        assert_eq!(story.writer.carry_out(&raise).await, Outcome::Done, "{name}");
        let now = api.get(name).await?;
        assert_eq!(now.data["spec"]["minReplicaCount"], 6, "{name}");
        assert_eq!(kept(&now), Some(six), "{name}");
        assert_eq!(ours(&now)?, json!({"f:minReplicaCount": {}}), "{name}");
        assert_eq!(now.annotations().get(FORCED), None, "{name}: nothing of KEDA's that is not needed");

        // A lowering needs the version that it was decided on, and so does giving back.
        let four = note(owner, (4, owner.1), false);
        let stale = write("objects", name, &four, Some(four), Some("1"));
        assert_eq!(story.writer.carry_out(&stale).await, Outcome::Conflict, "{name}");
        let stale = write("objects", name, &note(owner, owner, false), None, Some("1"));
        assert_eq!(story.writer.carry_out(&stale).await, Outcome::Conflict, "{name}");
        assert_eq!(api.get(name).await?.data["spec"]["minReplicaCount"], 6, "{name}");

        let version = version(&api, name).await?;
        let back = write("objects", name, &note(owner, owner, false), None, Some(&version));
        assert_eq!(story.writer.carry_out(&back).await, Outcome::Done, "{name}");
        let now = api.get(name).await?;
        assert_eq!(now.data["spec"]["minReplicaCount"], owner.0, "{name}");
        assert!(!now.annotations().contains_key(KEPT), "{name}");
        assert!(ours(&now).is_err(), "{name}: {:?}", now.metadata.managed_fields);
    }
    assert_eq!(api.get("bare").await?.data["spec"].get("maxReplicaCount"), None, "never written, so never there");
    by_owner(&api, &object("server-side", json!({"minReplicaCount": 3, "maxReplicaCount": 30})))
        .await
        .context("the owner meets no conflict")?;
    // One that is gone is not made anew.
    let gone = note((2, 30), (6, 30), false);
    assert_eq!(story.writer.carry_out(&write("objects", "gone", &gone, Some(gone), None)).await, Outcome::Failed);
    assert!(api.get_opt("gone").await?.is_none());
    Ok(())
}

pub(super) async fn after_a_pin_the_maximum_is_the_owner_s_again(cluster: &Cluster) -> Result<()> {
    let (story, api) = begin(cluster, "objects-pin").await?;
    for (name, ends_with_the_policy) in [("ends", false), ("goes", true)] {
        by_owner(&api, &object(name, json!({"minReplicaCount": 2, "maxReplicaCount": 30}))).await?;
        let pin = note((2, 30), (5, 5), false);
        assert_eq!(story.writer.carry_out(&write("objects-pin", name, &pin, Some(pin), None)).await, Outcome::Done);
        assert_eq!(bounds(&api.get(name).await?), (5, 5));
        let version = version(&api, name).await?;
        let (after, then) = if ends_with_the_policy {
            (note((2, 30), (2, 30), false), None)
        } else {
            let after = note((2, 30), (6, 30), false);
            (after, Some(after))
        };
        let mut ends = write("objects-pin", name, &after, then, Some(&version));
        if let Write::Bounds(bounds) = &mut ends {
            bounds.unpins = true;
        }
        assert_eq!(story.writer.carry_out(&ends).await, Outcome::Done);
        let now = api.get(name).await?;
        assert_eq!(bounds(&now), (i64::from(after.applied.min), 30), "{name}: not KEDA's default of 100");
        match then {
            Some(_) => assert_eq!(ours(&now)?, json!({"f:minReplicaCount": {}})),
            None => assert!(ours(&now).is_err()),
        }
        let max_only = object(name, json!({"maxReplicaCount": 31}));
        by_owner(&api, &max_only).await.context("the maximum is free for its owner")?;
        assert_eq!(bounds(&api.get(name).await?).1, 31);
    }
    Ok(())
}

pub(super) async fn one_that_idles_is_kept_awake(cluster: &Cluster) -> Result<()> {
    let (story, api) = begin(cluster, "objects-idle").await?;
    let spec = json!({"minReplicaCount": 3, "maxReplicaCount": 30, "idleReplicaCount": 0});
    by_owner(&api, &object("idles", spec)).await?;
    // The floor is below its own minimum: nothing but its sleep has to be kept away.
    let awake = note((3, 30), (3, 30), true);
    let wakes = write("objects-idle", "idles", &awake, Some(awake), None);
    assert_eq!(story.writer.carry_out(&wakes).await, Outcome::Done);
    let now = api.get("idles").await?;
    assert_eq!(now.annotations().get(FORCED).map(String::as_str), Some("true"));
    assert_eq!((kept(&now), now.data["spec"]["idleReplicaCount"].as_u64()), (Some(awake), Some(0)));

    let version = version(&api, "idles").await?;
    let sleeps = write("objects-idle", "idles", &awake, None, Some(&version));
    assert_eq!(story.writer.carry_out(&sleeps).await, Outcome::Done);
    let now = api.get("idles").await?;
    assert_eq!((now.annotations().get(FORCED), bounds(&now)), (None, (3, 30)), "it may sleep again");

    // By a person's command, floorkeeper being stopped: the same, and a Pin's maximum with it.
    let pin = note((3, 30), (9, 9), true);
    let pins = write("objects-idle", "idles", &pin, Some(pin), None);
    assert_eq!(story.writer.carry_out(&pins).await, Outcome::Done);
    let now = api.get("idles").await?;
    assert_eq!((bounds(&now), now.annotations().contains_key(FORCED)), ((9, 9), true));
    for given_back in [true, false] {
        let now = api.get("idles").await?;
        let done = give_scaled_object_back(&story.client, &now).await.map_err(anyhow::Error::msg)?;
        ensure!(done == given_back, "the second time there is nothing to do");
    }
    let now = api.get("idles").await?;
    assert_eq!((bounds(&now), now.annotations().get(FORCED), now.annotations().get(KEPT)), ((3, 30), None, None));
    assert!(ours(&now).is_err());
    Ok(())
}

async fn begin(cluster: &Cluster, namespace: &str) -> Result<(Story, Api<DynamicObject>)> {
    let story = Story::begin(cluster, namespace).await?;
    let api = story.api("keda.sh/v1alpha1", "ScaledObject", "scaledobjects");
    Ok((story, api))
}

fn note(original: (u32, u32), applied: (u32, u32), awake: bool) -> Kept {
    let bounds = |(min, max)| Bounds { min, max };
    Kept { original: bounds(original), applied: bounds(applied), awake }
}

/// Writes what `bounds` says is applied; `kept`: and that it is ours.
fn write(namespace: &str, scaler: &str, bounds: &Kept, kept: Option<Kept>, lowers_from: Option<&str>) -> Write {
    Write::Bounds(ScalerBounds {
        target: TargetKey::new(namespace, "deployments.apps", "web"),
        kind: ScalerKind::ScaledObject,
        scaler: scaler.into(),
        version: lowers_from.unwrap_or("1").into(),
        bounds: bounds.applied,
        kept,
        lowers: lowers_from.is_some(),
        unpins: false,
        undo: false,
    })
}

async fn by_owner(api: &Api<DynamicObject>, object: &Value) -> Result<()> {
    let name = object["metadata"]["name"].as_str().context("name")?;
    api.patch(name, &PatchParams::apply("owner"), &Patch::Apply(object)).await?;
    Ok(())
}

async fn version(api: &Api<DynamicObject>, name: &str) -> Result<String> {
    api.get(name).await?.metadata.resource_version.context("version")
}

fn kept(object: &DynamicObject) -> Option<Kept> {
    apply::kept(object.metadata.annotations.as_ref())
}

fn bounds(object: &DynamicObject) -> (i64, i64) {
    let spec = &object.data["spec"];
    (spec["minReplicaCount"].as_i64().unwrap_or(-1), spec["maxReplicaCount"].as_i64().unwrap_or(-1))
}

/// The fields of the spec that floorkeeper owns.
fn ours(object: &DynamicObject) -> Result<Value> {
    let entries = object.metadata.managed_fields.iter().flatten();
    let entry = entries.filter(|entry| entry.manager.as_deref() == Some("floorkeeper")).collect::<Vec<_>>();
    ensure!(entry.len() == 1, "{entry:?}");
    Ok(serde_json::to_value(&entry[0].fields_v1)?["f:spec"].clone())
}

fn object(name: &str, bounds: Value) -> Value {
    let trigger = json!({"type": "prometheus", "metadata":
        {"serverAddress": "http://prometheus:9090", "query": "sum(rate(orders_total[2m]))", "threshold": "100"}});
    let mut spec = bounds;
    spec["scaleTargetRef"] = json!({"name": "web"});
    spec["triggers"] = json!([trigger]);
    json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": name}, "spec": spec})
}
