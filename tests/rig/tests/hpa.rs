//! A real HPA reads the rig's metrics APIs and scales a Deployment by them.

use std::time::Duration;

use anyhow::{Result, ensure};
use floorkeeper_rig::{Behaviour, Cluster, Described, HpaTiming, MetricsApi, MetricsApis, Options, Usage, eventually};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;

const BOUND: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn scales_on_each_api() -> Result<()> {
    let hpa = HpaTiming { downscale_stabilization: Duration::from_secs(2), ..HpaTiming::scaled(15.0) };
    let cluster = Cluster::start(Options { hpa, ..Options::default() }).await?;
    let apis = MetricsApis::start(&cluster).await?;
    let web = Described { api_version: "v1", kind: "Service", resource: "services", name: "web" };
    apis.set_external("default", "queue_depth", &[("queue", "orders")], 50.0);
    apis.set_external("default", "queue_depth", &[("queue", "other")], 1000.0);
    apis.set_custom("default", web, "requests_per_second", 30.0);
    apis.set_usage("default", &[("app", "by-cpu")], Usage { cpu: 0.1, memory: 1e6 });
    for name in ["by-queue", "by-requests", "by-cpu"] {
        cluster.apply(&deployment(name)).await?;
    }
    cluster.apply(HPAS).await?;
    replicas_become(&cluster, "by-queue", 5).await?;
    replicas_become(&cluster, "by-requests", 3).await?;
    replicas_become(&cluster, "by-cpu", 1).await?;

    // Twice the target: another pod for each.
    apis.set_usage("default", &[("app", "by-cpu")], Usage { cpu: 0.2, memory: 1e6 });
    replicas_become(&cluster, "by-cpu", 2).await?;
    apis.set_usage("default", &[("app", "by-cpu")], Usage { cpu: 0.1, memory: 1e6 });

    // An error holds the HPA where it is, a low value doesn't.
    apis.set_behaviour(MetricsApi::External, Behaviour::Failing(500));
    let reason =
        ["get", "hpa", "by-queue", r#"--output=jsonpath={.status.conditions[?(@.type=="ScalingActive")].reason}"#];
    eventually("the HPA sees the error", BOUND, || async {
        let reason = cluster.kubectl(reason).await?;
        ensure!(reason == "FailedGetExternalMetric", "{reason}");
        Ok(())
    })
    .await?;
    apis.set_external("default", "queue_depth", &[("queue", "orders")], 20.0);
    apis.set_custom("default", web, "requests_per_second", 10.0);
    replicas_become(&cluster, "by-requests", 1).await?;
    replicas_become(&cluster, "by-queue", 5).await?;
    apis.set_behaviour(MetricsApi::External, Behaviour::Normal);
    replicas_become(&cluster, "by-queue", 2).await?;

    apis.unregister().await?;
    let registered = cluster.kubectl(["get", "apiservices", "--output=name"]).await?;
    ensure!(!registered.contains("metrics.k8s.io"), "{registered}");
    Ok(())
}

async fn replicas_become(cluster: &Cluster, name: &str, count: i32) -> Result<()> {
    let deployments = Api::<Deployment>::default_namespaced(cluster.client());
    eventually(&format!("{name} has {count} replicas"), BOUND, || async {
        let replicas = deployments.get(name).await?.spec.replicas;
        ensure!(replicas == Some(count), "{replicas:?}");
        Ok(())
    })
    .await
}

fn deployment(name: &str) -> String {
    format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}}}, spec: {{selector: {{matchLabels: {{app: {name}}}}},
        template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{containers: [{{name: c, image: i, resources: {{requests: {{cpu: 100m}}}}}}]}}}}}}}}"
    )
}

const HPAS: &str = "
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: by-queue}, spec: {
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: by-queue}, minReplicas: 1, maxReplicas: 10,
  metrics: [{type: External, external: {metric: {name: queue_depth, selector: {matchLabels: {queue: orders}}}, target: {type: AverageValue, averageValue: 10}}}]}}
---
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: by-requests}, spec: {
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: by-requests}, minReplicas: 1, maxReplicas: 10,
  metrics: [{type: Object, object: {metric: {name: requests_per_second}, describedObject: {apiVersion: v1, kind: Service, name: web}, target: {type: AverageValue, averageValue: 10}}}]}}
---
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: by-cpu}, spec: {
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: by-cpu}, minReplicas: 1, maxReplicas: 2,
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 100}}}]}}
";
