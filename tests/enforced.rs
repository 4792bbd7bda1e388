//! floorkeeper with its admission policies on, under its own account: it says truly whether they are in force, it does not
//! fight them, and what a person orders is obeyed through them.

mod stage;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Cluster, HpaTiming, Options, eventually};
use serde_json::{Value, json};

use crate::stage::operator::Operator;
use crate::stage::shop::{Shop, WITHIN, guard};

#[tokio::test(flavor = "multi_thread")]
async fn with_admission_on() -> Result<()> {
    let cluster = Cluster::start(Options { hpa: HpaTiming::scaled(15.0), ..Options::default() }).await?;
    apply(&cluster, "deploy").await?;
    let token = cluster.service_account_token("floorkeeper-system", "floorkeeper").await?;
    let kubeconfig = cluster.kubeconfig_with_token("floorkeeper", &token)?;
    let mut operator = Operator::start_with(&kubeconfig, &cluster, "enforced")?;
    operator.ready().await?;

    let shop = Shop::open(&cluster, "shop").await?;
    shop.policy(guard()).await?;
    shop.says("Enforced", "False", "ByWatch").await?;
    label(&shop, Some("clamp")).await?;
    shop.says("Enforced", "True", "ByAdmission").await?;
    ensure!(shop.get("deployment/web").await?["spec"]["replicas"] == 10, "a trial writes nothing");
    a_clamp_becomes_an_event(&shop).await?;
    a_minimum_that_is_edited_away_is_warned_of_and_put_back(&shop).await.with_context(|| operator.log())?;
    orders_are_obeyed_through_admission(&shop, &operator).await.with_context(|| operator.log())?;
    floorkeeper_as_the_scaler_lowers_through_admission(&cluster).await.with_context(|| operator.log())?;
    a_lower_maximum_is_the_owner_s_new_wish(&cluster).await.with_context(|| operator.log())?;
    enforced_follows_the_label(&shop).await?;
    enforced_follows_the_policies(&shop).await?;

    let (_, metrics) = operator.get("/metrics").await?;
    ensure!(!metrics.contains("outcome=\"Forbidden\""), "none of its writes is beyond its role: {metrics}");
    Ok(())
}

/// Not silent: the API server raised a deploy's replicas, and the policy tells who had asked for fewer.
async fn a_clamp_becomes_an_event(shop: &Shop<'_>) -> Result<()> {
    let patch = r#"{"spec":{"replicas":2,"template":{"metadata":{"annotations":{"release":"2"}}}}}"#;
    shop.kubectl(&["patch", "deployment/web", "--type=merge", "-p", patch]).await?;
    shop.replicas(10).await?;
    eventually("an event tells of the clamp", WITHIN, || async {
        let text = shop.kubectl(&["get", "events.events.k8s.io", "-o", "json"]).await?;
        let events: Value = serde_json::from_str(&text)?;
        let notes: Vec<String> = events["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|event| event["reason"] == "WriteClamped" && event["regarding"]["kind"] == "ScalingPolicy")
            .map(|event| event["note"].to_string())
            .collect();
        ensure!(notes.iter().any(|note| note.contains("admin asked for 2") && note.contains("kept 10")), "{notes:?}");
        Ok(())
    })
    .await
}

/// A person edits the HPA's minimum at peak: warned at once, told of in an event, and nothing falls. (The HPA here has no metric
/// that it can read; what one does that wants fewer is in `cargo rig soak S6`.)
async fn a_minimum_that_is_edited_away_is_warned_of_and_put_back(shop: &Shop<'_>) -> Result<()> {
    shop.shows("hpa/web", "/spec/minReplicas", 10).await?;
    let edit = ["-n", "shop", "patch", "hpa/web", "--type=merge", "-p", r#"{"spec":{"minReplicas":1}}"#];
    let said = shop.cluster.kubectl_output(&edit.map(str::to_owned)).await?;
    let warned = String::from_utf8_lossy(&said.stderr).into_owned();
    ensure!(said.status.success() && warned.contains("below the floor of 10"), "{warned}");
    shop.shows("hpa/web", "/spec/minReplicas", 10).await?;
    eventually("an event tells of the edit", WITHIN, || async {
        let notes = shop.kubectl(&["get", "events.events.k8s.io", "-o", "jsonpath={.items[*].note}"]).await?;
        ensure!(
            notes.contains("Somebody set the scaler's minReplicas to 1, below the floor of 10; put back"),
            "{notes}"
        );
        Ok(())
    })
    .await?;
    ensure!(shop.get("deployment/web").await?["spec"]["replicas"] == 10, "replicas fell");
    // The owner's wish, and from now on what is given back to him.
    shop.kubectl(&["patch", "hpa/web", "--type=merge", "-p", r#"{"spec":{"minReplicas":2}}"#]).await?;
    shop.shows("hpa/web", "/spec/minReplicas", 10).await
}

/// Freeze for the namespace, a Pin by labels above it, a Release by name between them; each begins and ends in its turn, and
/// the HPA has its owner's bounds again at the end.
async fn orders_are_obeyed_through_admission(shop: &Shop<'_>, operator: &Operator) -> Result<()> {
    shop.kubectl(&["label", "scp/web", "tier=edge"]).await?;
    order(shop, "freeze", json!({"wholeNamespace": true, "action": "Freeze", "for": "1h"})).await?;
    shop.shows("scalingpolicy/web", "/status/override/name", "freeze").await?;
    order(shop, "release", json!({"policy": "web", "action": "Release", "for": "1h"})).await?;
    shop.shows("scalingpolicy/web", "/status/override/name", "release").await?;
    shop.shows("scalingpolicy/web", "/status/floor/replicas", 2).await?;
    let pin = json!({"selector": {"matchLabels": {"tier": "edge"}}, "action": "Pin", "replicas": 5, "for": "1h"});
    order(shop, "pin", pin).await?;
    // By the HPA, whose maximum is below what there is: floorkeeper lowers nothing here.
    shop.replicas(5).await?;
    shop.shows("hpa/web", "/spec/minReplicas", 5).await?;
    shop.shows("hpa/web", "/spec/maxReplicas", 5).await?;
    shop.shows("flooroverride/pin", "/status/appliedTo/0", "web").await?;
    // A Pin is a floor too.
    let below = shop.kubectl(&["scale", "deployment/web", "--replicas=4"]).await;
    ensure!(below.is_err(), "4 replicas were let in under a Pin at 5");

    shop.kubectl(&["delete", "flooroverride", "pin"]).await?;
    shop.shows("scalingpolicy/web", "/status/override/name", "release").await?;
    shop.shows("hpa/web", "/spec/maxReplicas", 20).await?;
    shop.kubectl(&["delete", "flooroverride", "release"]).await?;
    shop.shows("scalingpolicy/web", "/status/override/name", "freeze").await?;
    shop.kubectl(&["delete", "flooroverride", "freeze"]).await?;
    shop.shows("scalingpolicy/web", "/status/override", Value::Null).await?;

    let reasons = shop.kubectl(&["get", "events.events.k8s.io", "-o", "jsonpath={.items[*].reason}"]).await?;
    ensure!(reasons.contains("OverrideBegan") && reasons.contains("OverrideEnded"), "{reasons}");
    let (_, metrics) = operator.get("/metrics").await?;
    for reason in ["OverrideBegan", "OverrideEnded", "WriteClamped"] {
        let line = format!("floorkeeper_notices_total{{reason=\"{reason}\"}}");
        ensure!(metrics.contains(&line), "{line} is not counted");
    }
    Ok(())
}

/// The table first, then the scale, whatever the API server's cache of the table still says.
async fn floorkeeper_as_the_scaler_lowers_through_admission(cluster: &Cluster) -> Result<()> {
    let alone = Shop::open(cluster, "alone").await?;
    alone.kubectl(&["delete", "hpa", "web"]).await?;
    label(&alone, Some("clamp")).await?;
    let spec = json!({"targetRef": {"kind": "Deployment", "name": "web"}, "mode": "Autoscale", "maxReplicas": 20,
        "demand": {"capacity": "120"}});
    alone.policy(spec).await?;
    alone.shows("floortable/floors", "/spec/floors/deployments.apps~1web/replicas", 10).await?;
    for (name, replicas) in [("down", 4), ("up", 15), ("zero", 0)] {
        order(&alone, name, json!({"policy": "web", "action": "Pin", "replicas": replicas, "for": "1h"})).await?;
        alone.replicas(replicas).await?;
        alone.kubectl(&["delete", "flooroverride", name]).await?;
    }
    Ok(())
}

/// Below the minimum that floorkeeper has put there: the edit lands, and the minimum that goes along is not taken for the owner's.
async fn a_lower_maximum_is_the_owner_s_new_wish(cluster: &Cluster) -> Result<()> {
    let shop = Shop::open(cluster, "edited").await?;
    shop.policy(guard()).await?;
    shop.shows("hpa/web", "/spec/minReplicas", 10).await?;
    shop.kubectl(&["patch", "hpa/web", "--type=merge", "-p", r#"{"spec":{"maxReplicas":8}}"#]).await?;
    eventually("the owner's bounds are known", WITHIN, || async {
        let hpa = shop.get("hpa/web").await?;
        let kept = hpa["metadata"]["annotations"]["floorkeeper.dev/kept"].as_str().unwrap_or_default();
        let kept: Value = serde_json::from_str(kept)?;
        ensure!(kept["original"] == json!({"min": 2, "max": 8}), "{hpa}");
        Ok(())
    })
    .await
}

async fn enforced_follows_the_label(shop: &Shop<'_>) -> Result<()> {
    for (value, status, reason) in [
        (Some("deny"), "False", "DenyOnly"),
        (Some("warn"), "False", "WarnOnly"),
        (Some("clmap"), "False", "LabelNotUnderstood"),
        (None, "False", "ByWatch"),
        (Some("clamp"), "True", "ByAdmission"),
    ] {
        label(shop, value).await?;
        shop.says("Enforced", status, reason).await?;
    }
    Ok(())
}

/// What is installed is not what is in force: it is tried.
async fn enforced_follows_the_policies(shop: &Shop<'_>) -> Result<()> {
    let delete = async |kind: &str, name: &str| shop.cluster.kubectl(["delete", kind, name]).await;
    delete("mutatingadmissionpolicybinding", "floorkeeper-clamp").await?;
    let message = shop.says("Enforced", "False", "Partial").await?;
    ensure!(message.contains("floorkeeper-clamp") && message.contains("kubectl apply -k deploy"), "{message}");
    delete("validatingadmissionpolicy", "floorkeeper-floor").await?;
    shop.says("Enforced", "False", "PolicyMissing").await?;
    apply(shop.cluster, "deploy/admission").await?;
    shop.says("Enforced", "True", "ByAdmission").await.map(drop)
}

async fn order(shop: &Shop<'_>, name: &str, mut spec: Value) -> Result<()> {
    spec["reason"] = json!("a test");
    shop.apply("floorkeeper.dev/v1alpha1", "FloorOverride", name, spec).await
}

async fn label(shop: &Shop<'_>, value: Option<&str>) -> Result<()> {
    let patch = json!({"metadata": {"labels": {"floorkeeper.dev/enforce": value}}}).to_string();
    shop.cluster.kubectl(["patch", "namespace", shop.namespace, "--type=merge", "-p", &patch]).await.map(drop)
}

async fn apply(cluster: &Cluster, kustomization: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(kustomization).display().to_string();
    cluster.kubectl(["apply", "-k", &path]).await.map(drop)
}
