//! The operator at work under its own account: every permission that `deploy/rbac` grants is used, and no other is asked
//! for.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use floorkeeper_rig::{
    Cluster, Described, Exposition, MetricsApis, Options, Process, Prometheus, PrometheusOptions, Usage, eventually,
    keda,
};
use k8s_openapi::api::rbac::v1::{ClusterRole, Role};
use kube::Api;
use tokio::task::JoinHandle;

use crate::audit::{self, Grant};
use crate::{ACCOUNT, kubectl, path};

/// Granted, and used only where another writer is met in the very moment of a write, which no test can order, or once a day.
const SELDOM: [(&str, &str); 6] = [
    ("get floortables floorkeeper.dev", "a write that was refused is looked at again for its raises"),
    ("get deployments/scale apps", "a raise reads the scale again when its value is not what was seen"),
    ("get statefulsets/scale apps", "the same"),
    ("patch demandhistories floorkeeper.dev", "a history that is there already is written once a day"),
    ("get horizontalpodautoscalers autoscaling", "giving an HPA's bounds back reads it again after a conflict"),
    ("get scaledobjects keda.sh", "the same of a ScaledObject"),
];

#[tokio::test]
async fn nothing_is_forbidden_and_nothing_is_granted_in_vain() -> Result<()> {
    let cluster = Cluster::start(Options { audit_log: true, ..Options::default() }).await?;
    kubectl(&cluster, &["apply", "-k", &path("deploy")]).await?;
    cluster.apply(include_str!("permissions/kinds.yaml")).await?;
    keda::install_kinds(&cluster).await?;
    let apis = MetricsApis::start(&cluster).await?;
    apis.set_external("shop", "queue_rate", &[], 5.0);
    apis.set_custom("shop", SERVICE, "requests", 5.0);
    apis.set_usage("shop", &[("app", "web")], Usage { cpu: 0.1, memory: 1e6 });
    let edge = Exposition::start().await?;
    let prometheus = Prometheus::start(PrometheusOptions::scraping("edge", &[&edge])).await?;
    let _traffic = traffic(edge);

    let mut operator = operator(&cluster).await?;
    let done = at_work(&cluster, &prometheus).await;
    assert_eq!(operator.ended()?, None, "the operator still runs");
    done.with_context(|| format!("the operator's last words:\n{}", last_words(&cluster)))
}

/// One of each thing that the operator does, then its grants against its requests.
async fn at_work(cluster: &Cluster, prometheus: &Prometheus) -> Result<()> {
    let workloads = include_str!("permissions/workloads.yaml");
    eventually("the workloads' kinds are served", BOUND, || cluster.apply(workloads)).await?;
    let policies = include_str!("permissions/policies.yaml").replace("PROMETHEUS", &prometheus.url());
    cluster.apply(&policies).await?;

    // Raised by patch. Guard and the custom kind too: their floors stand once their replicas do.
    for (workload, replicas) in [
        ("deployment/web", 13),
        ("deployment/api", 13),
        ("statefulset/db", 13),
        ("rollout/ring", 13),
        ("deployment/orders", 13),
    ] {
        replicas_become(cluster, workload, |now| now >= replicas).await?;
    }
    let minimum = ["get", "-n", "shop", "scaledobject/orders", "-o", "jsonpath={.spec.minReplicaCount}"];
    eventually("the minimum of the ScaledObject", BOUND, || async {
        let now: i64 = cluster.kubectl(minimum).await?.parse()?;
        ensure!(now >= 13, "{now}");
        Ok(())
    })
    .await?;
    // Put back by patch.
    cluster.kubectl(["scale", "-n", "shop", "deployment/web", "--replicas=1"]).await?;
    replicas_become(cluster, "deployment/web", |now| now >= 13).await?;
    // Lowered by update, on a person's order.
    cluster.apply(include_str!("permissions/pin.yaml")).await?;
    for workload in ["deployment/api", "statefulset/db", "rollout/ring"] {
        replicas_become(cluster, workload, |now| now == 5).await?;
    }
    // Its own HPA comes and goes.
    let own = ["get", "hpa", "-n", "shop", "floorkeeper-own", "-o", "name"];
    eventually("the policy's own HPA is there", BOUND, || cluster.kubectl(own)).await?;
    let without = r#"{"spec": {"utilization": null}}"#;
    cluster.kubectl(["patch", "scp", "-n", "shop", "own", "--type=merge", "-p", without]).await?;
    eventually("the policy's own HPA is gone", BOUND, || async {
        let left = cluster
            .kubectl(["get", "hpa", "-n", "shop", "floorkeeper-own", "--ignore-not-found", "-o", "name"])
            .await?;
        ensure!(left.is_empty(), "{left}");
        Ok(())
    })
    .await?;

    let granted = granted(cluster).await?;
    let allowed = |grant: &Grant| SELDOM.iter().any(|(seldom, _)| *seldom == grant.to_string());
    eventually("every permission is used", BOUND, || async {
        let entries = audit::entries(&fs::read_to_string(cluster.audit_log())?, ACCOUNT);
        let unused = audit::unused(&granted, &entries);
        let unused: Vec<String> = unused.iter().filter(|grant| !allowed(grant)).map(Grant::to_string).collect();
        ensure!(unused.is_empty(), "granted and never used: {unused:?}");
        Ok(())
    })
    .await?;
    let entries = audit::entries(&fs::read_to_string(cluster.audit_log())?, ACCOUNT);
    let forbidden = audit::forbidden(&entries);
    assert!(forbidden.is_empty(), "asked for and not granted: {forbidden:?}");
    for (seldom, why) in SELDOM {
        assert!(granted.iter().any(|grant| grant.to_string() == seldom), "{seldom} ({why}) is no longer granted");
    }
    Ok(())
}

/// The end of the operator's log: why it did not do what was waited for.
fn last_words(cluster: &Cluster) -> String {
    let log = fs::read_to_string(cluster.directory().join("floorkeeper.log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// The binary, as the account that the manifests make.
async fn operator(cluster: &Cluster) -> Result<Process> {
    let token = cluster.service_account_token("floorkeeper-system", "floorkeeper").await?;
    let kubeconfig = cluster.kubeconfig_with_token("floorkeeper", &token)?;
    let kubeconfig = kubeconfig.display().to_string();
    let args = ["run", "--listen", "127.0.0.1:0", "--leader-election", "--kubeconfig", &kubeconfig].map(str::to_owned);
    let log = cluster.directory().join("floorkeeper.log");
    Process::start("floorkeeper", env!("CARGO_BIN_EXE_floorkeeper").as_ref(), &args, &[], &log)
}

/// A hundred requests a second for each workload, for as long as the test runs.
fn traffic(edge: Exposition) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        loop {
            tick.tick().await;
            edge.update(|metrics| {
                for workload in ["web", "api", "db", "ring", "own", "orders"] {
                    metrics.add("edge_requests_total", &[("namespace", "shop"), ("workload", workload)], 10.0);
                }
            });
        }
    })
}

async fn replicas_become(cluster: &Cluster, workload: &str, wanted: impl Fn(i64) -> bool) -> Result<()> {
    let path = if workload.starts_with("rollout") { "jsonpath={.spec.size}" } else { "jsonpath={.spec.replicas}" };
    eventually(&format!("replicas of {workload}"), BOUND, || async {
        let now: i64 = cluster.kubectl(["get", "-n", "shop", workload, "-o", path]).await?.parse()?;
        ensure!(wanted(now), "{now}");
        Ok(())
    })
    .await
}

/// What the roles of `deploy/rbac` grant to the operator, read back from the API server.
async fn granted(cluster: &Cluster) -> Result<Vec<Grant>> {
    let roles = Api::<ClusterRole>::all(cluster.client());
    let mut granted = Vec::new();
    for name in ["floorkeeper", "floorkeeper-target-workloads", "floorkeeper-metrics-apis"] {
        granted.extend(audit::grants(&roles.get(name).await?.rules.unwrap_or_default(), None));
    }
    let namespace = "floorkeeper-system";
    for name in ["floorkeeper-secrets", "floorkeeper-lease"] {
        let role = Api::<Role>::namespaced(cluster.client(), namespace).get(name).await?;
        granted.extend(audit::grants(&role.rules.unwrap_or_default(), Some(namespace)));
    }
    Ok(granted)
}

const SERVICE: Described<'_> = Described { api_version: "v1", kind: "Service", resource: "services", name: "web" };

/// Many times what an idle machine needs.
const BOUND: Duration = Duration::from_secs(120);
