//! The operator as a process, against a real API server: what it writes, what it puts back, what it leaves alone.

mod stage;

use anyhow::{Result, ensure};
use floorkeeper_rig::{Cluster, Exposition, Options, Prometheus, PrometheusOptions, eventually};
use serde_json::{Value, json};

use crate::stage::operator::Operator;
use crate::stage::shop::{Shop, WITHIN, guard};

/// One control plane for all of it: each story has a namespace of its own. No controllers: nobody but the operator (and
/// the story) writes.
#[tokio::test(flavor = "multi_thread")]
async fn floors_on_a_real_api_server() -> Result<()> {
    let mut cluster = Cluster::start(Options::api_only()).await?;
    let mut operator = Operator::start(&cluster, "first")?;
    waits_for_its_kinds(&cluster, &mut operator).await?;

    let guarded = Shop::open(&cluster, "guarded").await?;
    guard_keeps_the_scaler_s_minimum(&guarded).await?;
    writes_below_the_floor_are_undone(&guarded, &operator).await?;
    a_bad_edit_leaves_the_floor(&guarded).await?;
    an_override_is_obeyed_and_ends(&guarded).await?;
    a_policy_that_is_created_again_is_adopted(&guarded).await?;
    observe_writes_nothing_but_status(&Shop::open(&cluster, "observed").await?).await?;
    an_hpa_of_our_own_is_kept(&Shop::open(&cluster, "owned").await?).await?;
    any_scalable_kind_is_kept(&Shop::open(&cluster, "widgets").await?).await?;

    let killed = Shop::open(&cluster, "killed").await?;
    killed.policy(guard()).await?;
    killed.shows("scalingpolicy/web", "/status/floor/replicas", 10).await?;
    operator.kill();
    let mut operator = a_restart_keeps_the_floor(&cluster, &killed).await?;
    operator.ready().await?;
    cluster.restart_api_server().await?;
    let killed = Shop { cluster: &cluster, namespace: "killed" };
    killed.kubectl(&["scale", "deployment/web", "--replicas", "1"]).await?;
    killed.replicas(10).await?;
    let ended = operator.stop().await?;
    ensure!(ended.success(), "SIGTERM ends it with {ended}");
    Ok(())
}

async fn waits_for_its_kinds(cluster: &Cluster, operator: &mut Operator) -> Result<()> {
    eventually("/readyz names the missing kinds", WITHIN, || async {
        let (status, body) = operator.get("/readyz").await?;
        for kind in ["scalingpolicies", "metricsources", "flooroverrides", "floortables"] {
            let line = format!("{kind}.floorkeeper.dev: its CustomResourceDefinition is not installed");
            ensure!(status == 503 && body.contains(&line), "{status} {body}");
        }
        Ok(())
    })
    .await?;
    ensure!(operator.get("/healthz").await?.0 == 200, "a missing CRD is no reason to be restarted");
    let crds = floorkeeper::cli::crds::files()?.into_iter().map(|(_, yaml)| format!("---\n{yaml}"));
    cluster.apply(&crds.collect::<String>()).await?;
    operator.ready().await
}

async fn guard_keeps_the_scaler_s_minimum(shop: &Shop<'_>) -> Result<()> {
    shop.policy(guard()).await?;
    shop.shows("scalingpolicy/web", "/status/floor/replicas", 10).await?;
    shop.says("Ready", "True", "SucceededGetScale").await?;
    shop.says("Trusted", "False", "FailedGetMetrics").await?;
    shop.shows("hpa/web", "/spec/minReplicas", 10).await?;
    shop.shows("floortable/floors", "/spec/floors/deployments.apps~1web/replicas", 10).await?;
    let hpa = shop.get("hpa/web").await?;
    let kept = hpa["metadata"]["annotations"]["floorkeeper.dev/kept"].as_str().unwrap_or_default();
    let kept: Value = serde_json::from_str(kept)?;
    ensure!(kept["original"] == json!({"min": 2, "max": 20}), "{kept}");
    ensure!(hpa["spec"]["maxReplicas"] == 20, "{}", hpa["spec"]);
    Ok(())
}

async fn writes_below_the_floor_are_undone(shop: &Shop<'_>, operator: &Operator) -> Result<()> {
    for below in ["3", "0", "9"] {
        shop.kubectl(&["scale", "deployment/web", "--replicas", below]).await?;
        shop.replicas(10).await?;
    }
    shop.kubectl(&["patch", "hpa/web", "--type=merge", "-p", r#"{"spec":{"minReplicas":1}}"#]).await?;
    shop.shows("hpa/web", "/spec/minReplicas", 10).await?;
    // Up is free.
    shop.kubectl(&["scale", "deployment/web", "--replicas", "15"]).await?;
    shop.shows("scalingpolicy/web", "/status/replicas/current", 15).await?;
    shop.replicas(15).await?;
    let (_, metrics) = operator.get("/metrics").await?;
    let undone = metrics.lines().find(|line| line.starts_with("floorkeeper_undos_total{what=\"Replicas\"}"));
    ensure!(undone.is_some_and(|line| line.ends_with(" 3")), "{undone:?}");
    let events = shop.kubectl(&["get", "events.events.k8s.io", "-o", "jsonpath={.items[*].reason}"]).await?;
    ensure!(events.contains("FloorOverwritten"), "{events}");
    Ok(())
}

async fn a_bad_edit_leaves_the_floor(shop: &Shop<'_>) -> Result<()> {
    let mut bad = guard();
    // Refused by no rule of the API server: only the parse sees that it is shorter than two intervals.
    bad["scaleDown"] = json!({"window": "1s"});
    shop.policy(bad).await?;
    let message = shop.says("Ready", "False", "InvalidSpec").await?;
    ensure!(message.contains("spec.scaleDown.window") && message.contains("30s"), "{message}");
    shop.kubectl(&["scale", "deployment/web", "--replicas", "3"]).await?;
    shop.replicas(10).await?;
    shop.kubectl(&["patch", "scp/web", "--type=merge", "-p", r#"{"spec":{"scaleDown":null}}"#]).await?;
    shop.says("Ready", "True", "SucceededGetScale").await?;
    Ok(())
}

async fn an_override_is_obeyed_and_ends(shop: &Shop<'_>) -> Result<()> {
    let pin = json!({"policy": "web", "action": "Pin", "replicas": 12, "for": "3s", "reason": "a test"});
    shop.apply("floorkeeper.dev/v1alpha1", "FloorOverride", "pin", pin).await?;
    shop.shows("flooroverride/pin", "/status/state", "InForce").await?;
    shop.replicas(12).await?;
    shop.shows("flooroverride/pin", "/status/state", "Expired").await?;
    let release = json!({"wholeNamespace": true, "action": "Release", "for": "1h", "reason": "a test"});
    shop.apply("floorkeeper.dev/v1alpha1", "FloorOverride", "release", release).await?;
    shop.shows("scalingpolicy/web", "/status/floor/replicas", 1).await?;
    shop.shows("scalingpolicy/web", "/status/override/name", "release").await?;
    shop.kubectl(&["scale", "deployment/web", "--replicas", "4"]).await?;
    shop.shows("scalingpolicy/web", "/status/replicas/current", 4).await?;
    shop.kubectl(&["delete", "flooroverride/release"]).await?;
    shop.shows("scalingpolicy/web", "/status/override", Value::Null).await
}

async fn a_policy_that_is_created_again_is_adopted(shop: &Shop<'_>) -> Result<()> {
    shop.kubectl(&["scale", "deployment/web", "--replicas", "8"]).await?;
    let freeze = json!({"policy": "web", "action": "Pin", "replicas": 8, "for": "2s", "reason": "a floor of eight"});
    shop.apply("floorkeeper.dev/v1alpha1", "FloorOverride", "eight", freeze).await?;
    shop.shows("flooroverride/eight", "/status/state", "Expired").await?;
    shop.kubectl(&["delete", "scp/web"]).await?;
    // Its floor stays for ten minutes: the row is there, and so is the scaler's minimum.
    shop.shows("floortable/floors", "/spec/floors/deployments.apps~1web/released", false).await?;
    shop.policy(guard()).await?;
    shop.shows("scalingpolicy/web", "/status/floor/replicas", 8).await?;
    shop.kubectl(&["scale", "deployment/web", "--replicas", "2"]).await?;
    shop.replicas(8).await
}

async fn observe_writes_nothing_but_status(shop: &Shop<'_>) -> Result<()> {
    let before = (shop.get("deployment/web").await?, shop.get("hpa/web").await?);
    shop.policy(json!({"targetRef": {"kind": "Deployment", "name": "web"}})).await?;
    shop.shows("scalingpolicy/web", "/status/floor/replicas", 10).await?;
    shop.kubectl(&["scale", "deployment/web", "--replicas", "4"]).await?;
    shop.shows("scalingpolicy/web", "/status/replicas/current", 4).await?;
    let after = (shop.get("deployment/web").await?, shop.get("hpa/web").await?);
    ensure!(after.0["spec"]["replicas"] == 4, "{}", after.0["spec"]["replicas"]);
    ensure!(after.1 == before.1, "the HPA was written");
    ensure!(shop.get("floortable/floors").await.is_err(), "a table was written");
    Ok(())
}

async fn an_hpa_of_our_own_is_kept(shop: &Shop<'_>) -> Result<()> {
    let own = "hpa/floorkeeper-web";
    let mut spec = guard();
    spec["mode"] = json!("Autoscale");
    spec["maxReplicas"] = json!(20);
    spec["utilization"] = json!([{"resource": "cpu", "targetPercent": 60}]);
    shop.policy(spec.clone()).await?;
    shop.says("Ready", "False", "ScalerExists").await?;
    ensure!(shop.get(own).await.is_err(), "two HPAs would scale one workload");
    shop.kubectl(&["delete", "hpa/web"]).await?;
    shop.shows(own, "/spec/minReplicas", 10).await?;
    shop.says("Ready", "True", "SucceededGetScale").await?;
    shop.kubectl(&["delete", own]).await?;
    shop.shows(own, "/spec/maxReplicas", 20).await?;
    spec["utilization"] = json!([{"resource": "cpu", "targetPercent": 80}]);
    shop.policy(spec.clone()).await?;
    shop.shows(own, "/spec/metrics/0/resource/target/averageUtilization", 80).await?;
    shop.kubectl(&["patch", "scp/web", "--type=json", "-p", r#"[{"op": "remove", "path": "/spec/utilization"}]"#])
        .await?;
    eventually("the HPA goes", WITHIN, || async {
        ensure!(shop.get(own).await.is_err(), "it is still there");
        Ok(())
    })
    .await?;
    shop.replicas(10).await
}

/// A kind whose CustomResourceDefinition comes after the policy, and that keeps its replicas at a path of its own.
async fn any_scalable_kind_is_kept(shop: &Shop<'_>) -> Result<()> {
    let widget = json!({"apiVersion": "example.dev/v1", "kind": "Widget", "name": "web"});
    let spec = json!({"targetRef": widget, "mode": "Autoscale", "maxReplicas": 20, "demand": {"capacity": "120"}});
    shop.policy(spec).await?;
    let message = shop.says("Ready", "False", "InvalidSpec").await?;
    ensure!(message.contains("install its CustomResourceDefinition"), "{message}");
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let scale = json!({"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"});
    let version = json!({"name": "v1", "served": true, "storage": true, "subresources": {"status": {}, "scale": scale},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": open, "status": open}}}});
    let names = json!({"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"});
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.dev"},
        "spec": {"group": "example.dev", "scope": "Namespaced", "names": names, "versions": [version]}});
    shop.cluster.apply(&crd.to_string()).await?;
    eventually("a widget can be made", WITHIN, || shop.apply("example.dev/v1", "Widget", "web", json!({"size": 6})))
        .await?;
    shop.shows("scalingpolicy/web", "/status/floor/replicas", 6).await?;
    shop.kubectl(&["scale", "widget/web", "--replicas", "1"]).await?;
    shop.shows("widget/web", "/spec/size", 6).await
}

/// Scaled down while the operator is dead: its next start puts the floor back.
async fn a_restart_keeps_the_floor(cluster: &Cluster, shop: &Shop<'_>) -> Result<Operator> {
    shop.kubectl(&["scale", "deployment/web", "--replicas", "2"]).await?;
    let operator = Operator::start(cluster, "second")?;
    shop.replicas(10).await?;
    shop.shows("floortable/floors", "/spec/floors/deployments.apps~1web/replicas", 10).await?;
    Ok(operator)
}

/// The whole way: edge metrics, Prometheus, a shared demand, need, floor, replicas and the HPA's minimum.
#[tokio::test(flavor = "multi_thread")]
async fn demand_raises_the_floor() -> Result<()> {
    let cluster = Cluster::start(Options::api_only()).await?;
    let crds = floorkeeper::cli::crds::files()?.into_iter().map(|(_, yaml)| format!("---\n{yaml}"));
    cluster.apply(&crds.collect::<String>()).await?;
    let edge = Exposition::start().await?;
    let labels = [("namespace", "shop"), ("deployment", "web")];
    edge.update(|metrics| metrics.set("edge_load", &labels, 600.0));
    let prometheus = Prometheus::start(PrometheusOptions::scraping("edge", &[&edge])).await?;
    let source = json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "MetricSource", "metadata": {"name": "default"},
        "spec": {"prometheus": {"url": prometheus.url()}, "interval": "500ms", "maxAge": "30s", "demands": [
            {"name": "edge", "query": "sum by (namespace, deployment) (edge_load)",
             "labels": {"namespace": "namespace", "target": "deployment"}}]}});
    cluster.apply(&source.to_string()).await?;
    let mut operator = Operator::start(&cluster, "demand")?;
    operator.ready().await?;

    let shop = Shop::open(&cluster, "shop").await?;
    shop.policy(guard()).await?;
    // 600 / s with a quarter of headroom, 120 for each replica.
    shop.shows("scalingpolicy/web", "/status/demand/need", 7).await?;
    shop.shows("scalingpolicy/web", "/status/floor/replicas", 10).await?;
    edge.update(|metrics| metrics.set("edge_load", &labels, 1200.0));
    shop.shows("scalingpolicy/web", "/status/floor/replicas", 13).await?;
    shop.replicas(13).await?;
    shop.shows("hpa/web", "/spec/minReplicas", 13).await?;
    let source = Shop { cluster: &cluster, namespace: "default" };
    source.shows("metricsource/default", "/status/conditions/0/status", "True").await?;
    source.shows("metricsource/default", "/status/policies", 1).await?;
    drop(prometheus);
    source.shows("metricsource/default", "/status/conditions/0/reason", "Unreachable").await?;
    let message = shop.says("Trusted", "False", "FailedGetMetrics").await?;
    ensure!(message.contains("can't be reached"), "{message}");
    shop.replicas(13).await
}
