//! What KEDA scales, guarded: its ScaledObject carries the floor, its HPA is left to it.
//!
//! In every run: KEDA's own kinds on a real API server, KEDA itself not there. With `FLOORKEEPER_SOAK=1` its real operator and
//! metrics adapter run too, built from source once (`cargo rig build --keda`).

#[path = "keda/real.rs"]
mod real;
mod stage;

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Cluster, Options, eventually, keda};
use serde_json::{Value, json};

use crate::stage::operator::Operator;
use crate::stage::shop::{Shop, WITHIN, guard};

#[tokio::test(flavor = "multi_thread")]
async fn a_scaled_object_is_guarded() -> Result<()> {
    let cluster = Cluster::start(Options::api_only()).await?;
    let crds = floorkeeper::cli::crds::files()?.into_iter().map(|(_, yaml)| format!("---\n{yaml}"));
    cluster.apply(&crds.collect::<String>()).await?;
    let mut operator = Operator::start(&cluster, "keda")?;
    operator.ready().await?;
    let shop = Shop::open_bare(&cluster, "shop").await?;

    keda_comes_later(&cluster, &shop).await.with_context(|| operator.log())?;
    the_hpa_that_keda_makes_is_left_to_it(&shop).await?;
    what_is_overwritten_is_put_back(&shop).await.with_context(|| operator.log())?;
    it_may_not_idle_below_the_floor(&shop).await.with_context(|| operator.log())?;
    a_pin_is_both_bounds_for_a_while(&shop).await.with_context(|| operator.log())?;
    the_owner_s_own_is_given_back_with_the_guard(&shop).await.with_context(|| operator.log())?;
    keda_goes_and_comes_again(&cluster, &shop, &mut operator).await.with_context(|| operator.log())?;
    operator.kill();
    uninstalled_it_is_as_its_owner_had_it(&shop).await
}

async fn keda_comes_later(cluster: &Cluster, shop: &Shop<'_>) -> Result<()> {
    shop.policy(guard()).await?;
    let message = shop.says("Ready", "False", "ScalerNotFound").await?;
    ensure!(message.contains("ScaledObject"), "{message}");
    keda::install_kinds(cluster).await?;
    object(shop, json!({"minReplicaCount": 2, "maxReplicaCount": 30})).await?;
    shop.shows("scaledobject/web", "/spec/minReplicaCount", 10).await?;
    shop.says("Ready", "True", "SucceededGetScale").await?;
    let object = shop.get("scaledobject/web").await?;
    let kept: Value = serde_json::from_str(object["metadata"]["annotations"][KEPT].as_str().unwrap_or_default())?;
    ensure!(kept["original"] == json!({"min": 2, "max": 30}), "{kept}");
    ensure!(object["spec"]["maxReplicaCount"] == 30 && awake(&object).is_none(), "{object}");
    Ok(())
}

async fn the_hpa_that_keda_makes_is_left_to_it(shop: &Shop<'_>) -> Result<()> {
    as_keda_does(shop, 3).await?;
    let before = shop.get("hpa/keda-hpa-web").await?;
    // Below the floor, and put back: everything before it was seen by then.
    shop.kubectl(&["scale", "deployment/web", "--replicas", "3"]).await?;
    shop.replicas(10).await?;
    ensure!(shop.get("hpa/keda-hpa-web").await? == before, "nothing is written to it");
    Ok(())
}

async fn what_is_overwritten_is_put_back(shop: &Shop<'_>) -> Result<()> {
    patch(shop, json!({"spec": {"minReplicaCount": 1}})).await?;
    shop.shows("scaledobject/web", "/spec/minReplicaCount", 10).await?;
    let kept = shop.get("scaledobject/web").await?["metadata"]["annotations"][KEPT].to_string();
    ensure!(kept.contains(r#"\"original\":{\"min\":1,"#), "it is its owner's new wish: {kept}");
    // What the manifest does not say, no apply takes away.
    for _ in 0..3 {
        object(shop, json!({"maxReplicaCount": 30})).await?;
        ensure!(shop.get("scaledobject/web").await?["spec"]["minReplicaCount"] == 10, "the floor was taken away");
    }
    patch(shop, json!({"metadata": {"annotations": {KEPT: null}}, "spec": {"minReplicaCount": null}})).await?;
    shop.shows("scaledobject/web", "/spec/minReplicaCount", 10).await
}

async fn it_may_not_idle_below_the_floor(shop: &Shop<'_>) -> Result<()> {
    for lets_it_sleep in [json!({"spec": {"idleReplicaCount": 0}}), json!({"metadata": {"annotations": {AWAKE: null}}})]
    {
        patch(shop, lets_it_sleep).await?;
        eventually("it is kept awake", WITHIN, || async {
            let object = shop.get("scaledobject/web").await?;
            ensure!(awake(&object) == Some("true"), "{}", object["metadata"]["annotations"]);
            Ok(())
        })
        .await?;
    }
    shop.shows("scaledobject/web", "/spec/minReplicaCount", 10).await
}

async fn a_pin_is_both_bounds_for_a_while(shop: &Shop<'_>) -> Result<()> {
    let pin = json!({"policy": "web", "action": "Pin", "replicas": 12, "for": "3s", "reason": "a test"});
    shop.apply("floorkeeper.dev/v1alpha1", "FloorOverride", "pin", pin).await?;
    shop.shows("scaledobject/web", "/spec/maxReplicaCount", 12).await?;
    shop.shows("scaledobject/web", "/spec/minReplicaCount", 12).await?;
    shop.shows("flooroverride/pin", "/status/state", "Expired").await?;
    shop.shows("scaledobject/web", "/spec/maxReplicaCount", 30).await?;
    // And is its owner's again: he meets no conflict.
    object(shop, json!({"maxReplicaCount": 31})).await?;
    shop.shows("scaledobject/web", "/spec/maxReplicaCount", 31).await
}

async fn the_owner_s_own_is_given_back_with_the_guard(shop: &Shop<'_>) -> Result<()> {
    patch(shop, json!({"spec": {"minReplicaCount": 4}})).await?;
    let mode = |mode: &str| json!({"spec": {"mode": mode}}).to_string();
    eventually("its new wish is kept", WITHIN, || async {
        let kept = shop.get("scaledobject/web").await?["metadata"]["annotations"][KEPT].to_string();
        ensure!(kept.contains(r#"\"original\":{\"min\":4,"#), "{kept}");
        Ok(())
    })
    .await?;
    shop.kubectl(&["patch", "scp/web", "--type=merge", "-p", &mode("Observe")]).await?;
    eventually("it is given back", WITHIN, || async {
        let object = shop.get("scaledobject/web").await?;
        ensure!(object["spec"]["minReplicaCount"] == 4 && object["spec"]["idleReplicaCount"] == 0, "{object}");
        ensure!(
            awake(&object).is_none() && object["metadata"]["annotations"][KEPT].is_null(),
            "{}",
            object["metadata"]
        );
        Ok(())
    })
    .await?;
    shop.kubectl(&["patch", "scp/web", "--type=merge", "-p", &mode("Guard")]).await?;
    eventually("and guarded again", WITHIN, || async {
        let object = shop.get("scaledobject/web").await?;
        ensure!(awake(&object) == Some("true"), "{}", object["metadata"]);
        Ok(())
    })
    .await
}

/// With the kind all of its objects are gone; nothing else is in trouble.
async fn keda_goes_and_comes_again(cluster: &Cluster, shop: &Shop<'_>, operator: &mut Operator) -> Result<()> {
    cluster.kubectl(["delete", "crd/scaledobjects.keda.sh", "--timeout=30s"]).await?;
    shop.kubectl(&["delete", "hpa/keda-hpa-web", "--ignore-not-found"]).await?;
    shop.says("Ready", "False", "ScalerNotFound").await?;
    operator.ready().await?;
    shop.kubectl(&["scale", "deployment/web", "--replicas", "3"]).await?;
    let floor = shop.get("scp/web").await?["status"]["floor"]["replicas"].as_u64().context("no floor")?;
    shop.replicas(u32::try_from(floor)?).await?;
    keda::install_kinds(cluster).await?;
    eventually("the kind is served", WITHIN, || object(shop, json!({"minReplicaCount": 2, "maxReplicaCount": 30})))
        .await?;
    shop.shows("scaledobject/web", "/spec/minReplicaCount", floor).await?;
    as_keda_does(shop, 10).await
}

async fn uninstalled_it_is_as_its_owner_had_it(shop: &Shop<'_>) -> Result<()> {
    let object = shop.get("scaledobject/web").await?;
    ensure!(!object["metadata"]["annotations"][KEPT].is_null(), "dead, it leaves the floor where it is: {object}");
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_floorkeeper"))
        .args(["uninstall", "--yes"])
        .env("KUBECONFIG", shop.cluster.kubeconfig())
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let line = format!("ScaledObject shop/web: {} to 30 becomes 2 to 30", object["spec"]["minReplicaCount"]);
    ensure!(said.contains(&line), "{line:?} is not in {said}");
    let object = shop.get("scaledobject/web").await?;
    ensure!(object["spec"]["minReplicaCount"] == 2 && object["spec"]["maxReplicaCount"] == 30, "{object}");
    ensure!(object["metadata"]["annotations"][KEPT].is_null(), "{}", object["metadata"]);
    let hpa = shop.get("hpa/keda-hpa-web").await?;
    ensure!(hpa["metadata"]["annotations"][KEPT].is_null() && hpa["spec"]["minReplicas"] == 10, "{hpa}");
    Ok(())
}

/// What a manifest says.
async fn object(shop: &Shop<'_>, mut spec: Value) -> Result<()> {
    spec["scaleTargetRef"] = json!({"name": "web"});
    spec["triggers"] = json!([{"type": "prometheus", "metadata":
        {"serverAddress": "http://prometheus:9090", "query": "sum(rate(orders_total[2m]))", "threshold": "100"}}]);
    shop.apply("keda.sh/v1alpha1", "ScaledObject", "web", spec).await
}

/// The HPA of a ScaledObject: KEDA copies all annotations to it, ours too.
async fn as_keda_does(shop: &Shop<'_>, minimum: u32) -> Result<()> {
    let object = shop.get("scaledobject/web").await?;
    let owner = json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "web",
        "uid": object["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true});
    let metric = json!({"type": "External", "external": {"metric": {"name": "s0-prometheus"},
        "target": {"type": "AverageValue", "averageValue": "100"}}});
    let hpa = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "keda-hpa-web", "namespace": shop.namespace, "ownerReferences": [owner],
            "annotations": {KEPT: object["metadata"]["annotations"][KEPT]}},
        "spec": {"minReplicas": minimum, "maxReplicas": 30, "metrics": [metric],
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
    shop.cluster.apply(&hpa.to_string()).await.map(drop)
}

async fn patch(shop: &Shop<'_>, patch: Value) -> Result<()> {
    shop.kubectl(&["patch", "scaledobject/web", "--type=merge", "-p", &patch.to_string()]).await.map(drop)
}

fn awake(object: &Value) -> Option<&str> {
    object["metadata"]["annotations"][AWAKE].as_str()
}

const KEPT: &str = "floorkeeper.dev/kept";

const AWAKE: &str = "autoscaling.keda.sh/force-activation";
