//! Several replicas of the operator on a real API server: one of them writes, whatever happens to it.

mod stage;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Cluster, Options, Signal, eventually};
use serde_json::{Value, json};

use crate::stage::operator::Operator;
use crate::stage::shop::{Shop, WITHIN, guard};

/// One control plane and one story, told by its leaders one after the other. No controllers: nobody but the operators
/// (and the story) writes.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_writes() -> Result<()> {
    let mut cluster = Cluster::start(Options { audit_log: true, ..Options::api_only() }).await?;
    let crds = floorkeeper::cli::crds::files()?.into_iter().map(|(_, yaml)| format!("---\n{yaml}"));
    cluster.apply(&crds.collect::<String>()).await?;
    let own = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OWN}});
    cluster.apply(&own.to_string()).await?;

    let first = Replica::start(&cluster, "first").await?;
    leads(&cluster, &first, 1).await?;
    let second = Replica::start(&cluster, "second").await?;
    let shop = Shop::open(&cluster, "shop").await?;
    shop.policy(guard()).await?;
    shop.shows("floortable/floors", FLOOR, 10).await?;
    shop.shows("hpa/web", "/spec/minReplicas", 10).await?;
    is_undone(&shop).await?;
    ensure!(second.writes(&cluster)?.is_empty(), "the standby wrote {:?}", second.writes(&cluster)?);
    ensure!(first.writes(&cluster)?.iter().any(|write| write.contains("/floortables/floors")), "who else?");

    // Asked to stop, it gives the lease back.
    let before = epoch(&shop).await?;
    ensure!(first.operator.stop().await?.success(), "SIGTERM is no failure");
    leads(&cluster, &second, 2).await?;
    is_undone(&shop).await?;
    claimed(&shop, before).await?;

    // Killed, it is replaced when its time is over.
    let third = Replica::start(&cluster, "third").await?;
    let before = epoch(&shop).await?;
    second.operator.kill();
    leads(&cluster, &third, 3).await?;
    is_undone(&shop).await?;
    claimed(&shop, before).await?;

    // Its lease deleted, it makes it again and leads on.
    cluster.kubectl(["delete", "lease", "floorkeeper", "-n", OWN]).await?;
    leads(&cluster, &third, 3).await?;
    is_undone(&shop).await?;

    let fourth = Replica::start(&cluster, "fourth").await?;
    a_sleeper_lowers_nothing(&cluster, &shop, third, &fourth).await?;

    a_restored_backup_ends_its_leader(&mut cluster, fourth).await
}

/// Stopped for longer than its lease with an order to lower before its eyes, it wakes up and lowers nothing.
async fn a_sleeper_lowers_nothing(
    cluster: &Cluster,
    shop: &Shop<'_>,
    mut sleeper: Replica,
    other: &Replica,
) -> Result<()> {
    sleeper.operator.signal(Signal::Freeze)?;
    leads(cluster, other, 4).await?;
    let before = sleeper.writes(cluster)?;
    // Both see an order to lower; by the time that the sleeper wakes it is taken back.
    let release = json!({"wholeNamespace": true, "action": "Pin", "replicas": 3, "for": "1h", "reason": "a test"});
    shop.apply("floorkeeper.dev/v1alpha1", "FloorOverride", "three", release).await?;
    shop.shows("floortable/floors", FLOOR, 3).await?;
    shop.kubectl(&["delete", "flooroverride/three"]).await?;
    let ten = json!({"wholeNamespace": true, "action": "Pin", "replicas": 10, "for": "1h", "reason": "a test"});
    shop.apply("floorkeeper.dev/v1alpha1", "FloorOverride", "ten", ten).await?;
    shop.shows("floortable/floors", FLOOR, 10).await?;
    shop.replicas(10).await?;
    sleeper.operator.signal(Signal::Thaw)?;
    let ended = sleeper.operator.ends().await?;
    ensure!(!ended.success(), "{ended}: a lost lease is a failure, for the cluster to start it again");
    let log = sleeper.operator.log();
    // Which it sees first is chance: the clock, the lease, or what the other one wrote.
    let whys =
        ["lease was not renewed in time", "another process holds the lease", "floors of a later leader are stored"];
    ensure!(whys.iter().any(|why| log.contains(why)), "{log}");
    ensure!(sleeper.writes(cluster)? == before, "it wrote {:?}", sleeper.writes(cluster)?);
    shop.shows("floortable/floors", FLOOR, 10).await?;
    shop.shows("hpa/web", "/spec/minReplicas", 10).await
}

/// A leader whose cluster went back in time knows nothing any more: it ends. The next one begins with what is there.
async fn a_restored_backup_ends_its_leader(cluster: &mut Cluster, before: Replica) -> Result<()> {
    // With a lease that outlives an API server that is away for some seconds.
    let mut leader = Replica::start_for(cluster, "fifth", "15").await?;
    ensure!(before.operator.stop().await?.success(), "SIGTERM is no failure");
    leads(cluster, &leader, 5).await?;
    let backup = cluster.back_up_etcd().await?;
    let shop = Shop { cluster, namespace: "shop" };
    let pin = json!({"policy": "web", "action": "Pin", "replicas": 14, "for": "1h", "reason": "after the backup"});
    shop.apply("floorkeeper.dev/v1alpha1", "FloorOverride", "later", pin).await?;
    shop.shows("floortable/floors", FLOOR, 14).await?;
    // Renewed since, as any lease is after some seconds.
    let renewals = |lease: &Value| lease["metadata"]["annotations"]["floorkeeper.dev/renewals"].clone();
    let first = renewals(&lease(cluster).await?);
    eventually("the lease is renewed", WITHIN, || async {
        ensure!(renewals(&lease(cluster).await?) != first, "not yet");
        Ok(())
    })
    .await?;

    cluster.restore_etcd(&backup).await?;
    let ended = leader.operator.ends().await?;
    ensure!(!ended.success(), "{ended}");
    let log = leader.operator.log();
    ensure!(log.contains("a backup of etcd") || log.contains("was not renewed in time"), "{log}");

    let next = Replica::start(cluster, "sixth").await?;
    leads(cluster, &next, 6).await?;
    let shop = Shop { cluster, namespace: "shop" };
    is_undone(&shop).await?;
    // A raise is not refused, and neither is a lowering of who leads.
    for replicas in [12, 4] {
        let pin = json!({"policy": "web", "action": "Pin", "replicas": replicas, "for": "1h", "reason": "a test"});
        shop.apply("floorkeeper.dev/v1alpha1", "FloorOverride", &format!("pin-{replicas}"), pin).await?;
        shop.shows("floortable/floors", FLOOR, replicas).await?;
        shop.shows("hpa/web", "/spec/minReplicas", replicas).await?;
        shop.kubectl(&["delete", "flooroverride", &format!("pin-{replicas}")]).await?;
    }
    Ok(())
}

/// One process, as an account of its own: the audit log tells them apart.
struct Replica {
    operator: Operator,
    account: String,
}

impl Replica {
    async fn start(cluster: &Cluster, name: &str) -> Result<Self> {
        Self::start_for(cluster, name, "6").await
    }

    /// `lease`: its duration in seconds.
    async fn start_for(cluster: &Cluster, name: &str, lease: &str) -> Result<Self> {
        let metadata = json!({"name": name, "namespace": OWN});
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
        let subject = json!({"kind": "ServiceAccount", "name": name, "namespace": OWN});
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"});
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": name}, "roleRef": role, "subjects": [subject]});
        cluster.apply(&format!("{account}\n---\n{binding}")).await?;
        let kubeconfig: PathBuf =
            cluster.kubeconfig_with_token(name, &cluster.service_account_token(OWN, name).await?)?;
        let flags = ["--leader-election", "--lease-duration", lease];
        let mut operator = Operator::start_like(&kubeconfig, cluster, name, &flags)?;
        operator.ready().await?;
        Ok(Self { operator, account: format!("system:serviceaccount:{OWN}:{name}") })
    }

    /// All writes that it has sent so far, refused ones too; those to the lease are left out.
    fn writes(&self, cluster: &Cluster) -> Result<Vec<String>> {
        let log = std::fs::read_to_string(cluster.audit_log())?;
        let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let own = entries.filter(|entry| entry["user"]["username"] == self.account.as_str());
        let writes =
            own.filter(|entry| !["get", "list", "watch"].contains(&entry["verb"].as_str().unwrap_or_default()));
        let named = writes.map(|entry| format!("{} {}", entry["verb"], entry["requestURI"]));
        Ok(named.filter(|write| !write.contains("/leases")).collect())
    }
}

async fn lease(cluster: &Cluster) -> Result<Value> {
    Ok(serde_json::from_str(&cluster.kubectl(["get", "lease", "floorkeeper", "-n", OWN, "-o", "json"]).await?)?)
}

/// Waits until this one leads, in this term.
async fn leads(cluster: &Cluster, replica: &Replica, term: u64) -> Result<()> {
    eventually(&format!("{} leads in term {term}", replica.account), WITHIN, || async {
        let (_, metrics) = replica.operator.get("/metrics").await?;
        ensure!(metrics.contains("\nfloorkeeper_leader 1\n"), "it does not say so");
        ensure!(metrics.contains(&format!("\nfloorkeeper_lease_transitions {term}\n")), "of another term");
        let spec = lease(cluster).await?["spec"].clone();
        ensure!(spec["leaseTransitions"] == term && spec["holderIdentity"] != "", "{spec}");
        Ok(())
    })
    .await
    .with_context(|| replica.operator.log())
}

/// A write below the floor of ten is put back, by whoever leads.
async fn is_undone(shop: &Shop<'_>) -> Result<()> {
    shop.kubectl(&["scale", "deployment/web", "--replicas", "3"]).await?;
    shop.replicas(10).await
}

/// The floor has been written in a later epoch than `before`, so nothing of that one can lower it any more.
async fn claimed(shop: &Shop<'_>, before: u64) -> Result<()> {
    eventually("the floor is claimed", WITHIN, || async {
        let now = epoch(shop).await?;
        ensure!(now > before, "epoch {now}, and {before} before");
        Ok(())
    })
    .await
}

async fn epoch(shop: &Shop<'_>) -> Result<u64> {
    let table = shop.get("floortable/floors").await?;
    table["spec"]["floors"]["deployments.apps/web"]["epoch"].as_u64().context("an epoch")
}

const OWN: &str = "floorkeeper-system";

const FLOOR: &str = "/spec/floors/deployments.apps~1web/replicas";
