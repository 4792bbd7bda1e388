//! floorkeeper is dead, and everybody tries to go below the floor: the HPA on a signal that lies, kubectl, an apply loop, a
//! script that knows every door (law L8). `FLOORKEEPER_SOAK=1` lasts as long as the night of 5 March, a minute a second.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Cluster, HpaTiming, MetricsApis, Options, eventually};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::{Value, json};

use crate::town::{FLOOR, Town, WITHIN, install};

pub(crate) async fn nothing_goes_below_the_floor() -> Result<()> {
    let soak = std::env::var_os("FLOORKEEPER_SOAK").is_some();
    let lasts = if soak { Duration::from_secs(313) } else { Duration::from_secs(10) };
    let hpa = HpaTiming { downscale_stabilization: Duration::from_secs(1), ..HpaTiming::scaled(60.0) };
    let cluster = Cluster::start(Options { hpa, ..Options::default() }).await?;
    install(&cluster, "deploy").await?;
    crate::own_kinds::no_policy_has_a_type_error(&cluster).await?;
    let apis = MetricsApis::start(&cluster).await?;
    apis.set_external("dead", "requests", &[], 1000.0);
    let town = Town::open(&cluster, "dead", Some("clamp")).await?;
    let owner_s_hpa = hpa_of(2, 20);
    ensure!(town.apply(&owner_s_hpa, &["--server-side"], &[]).await?.done);
    eventually("ten pods are available", WITHIN, || async {
        let web = town.get("deployment/web").await?;
        ensure!(web["status"]["availableReplicas"] == 10, "{}", web["status"]);
        Ok(())
    })
    .await?;
    town.refuses(2, &[]).await?;

    let witness = Witness::default();
    let watching = tokio::spawn(witness.clone().watch(Api::namespaced(cluster.client(), "dead")));
    // The story: the API that the load is measured at has an internal error, and hears a fiftieth of it.
    apis.set_external("dead", "requests", &[], 20.0);
    eventually("the HPA has come down to the floor", WITHIN, || async {
        let replicas = town.replicas().await?;
        ensure!(replicas == u64::from(FLOOR), "{replicas}");
        Ok(())
    })
    .await?;
    let until = tokio::time::Instant::now() + lasts;
    let tried = tokio::try_join!(
        scales(&town, until),
        applies(&town, until),
        knows_every_door(&town, until),
        puts_the_owner_s_bounds_back(&town, &owner_s_hpa, until),
    )?;
    ensure!(tried.0 > 3 && tried.1 > 3 && tried.2 > 8, "hardly anybody tried: {tried:?}");

    // Up is free, with floorkeeper dead too.
    ensure!(town.apply(&owner_s_hpa, &["--server-side", "--force-conflicts"], &[]).await?.done);
    apis.set_external("dead", "requests", &[], 1400.0);
    eventually("the HPA goes on scaling above the floor", WITHIN, || async {
        let replicas = town.replicas().await?;
        ensure!(replicas == 14, "{replicas}");
        Ok(())
    })
    .await?;
    ensure!(!watching.is_finished(), "the witness looked away");
    witness.testify()
}

/// What a watch has seen of the Deployment: every state that it ever had.
#[derive(Clone)]
struct Witness {
    wanted: Arc<AtomicU32>,
    available: Arc<AtomicU32>,
    saw_the_floor: Arc<AtomicBool>,
}

impl Default for Witness {
    fn default() -> Self {
        let most = || Arc::new(AtomicU32::new(u32::MAX));
        Self { wanted: most(), available: most(), saw_the_floor: Arc::default() }
    }
}

impl Witness {
    async fn watch(self, api: Api<Deployment>) {
        // Without a pause between failures it would never let the test end when the API server is gone.
        let mut events = pin!(watcher(api, watcher::Config::default()).default_backoff());
        while let Some(event) = events.next().await {
            let (Ok(Event::Apply(web) | Event::InitApply(web)), count) =
                (event, |n: Option<i32>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or_default())
            else {
                continue;
            };
            let wanted = count(web.spec.replicas);
            self.wanted.fetch_min(wanted, Ordering::Relaxed);
            let available = count(web.status.and_then(|status| status.available_replicas));
            self.available.fetch_min(available, Ordering::Relaxed);
            self.saw_the_floor.fetch_or(wanted == FLOOR, Ordering::Relaxed);
        }
    }

    fn testify(&self) -> Result<()> {
        let (wanted, available) = (self.wanted.load(Ordering::Relaxed), self.available.load(Ordering::Relaxed));
        ensure!(self.saw_the_floor.load(Ordering::Relaxed), "the witness saw nothing");
        ensure!(wanted >= FLOOR, "replicas were at {wanted}, below the floor of {FLOOR}");
        ensure!(available >= FLOOR, "{available} pods were available, fewer than the floor of {FLOOR}");
        Ok(())
    }
}

/// A person who does not give up.
async fn scales(town: &Town<'_>, until: tokio::time::Instant) -> Result<u32> {
    let mut tried = 0;
    while tokio::time::Instant::now() < until {
        let said = town.scale(tried % 6, &[]).await?;
        ensure!(!said.done && said.aloud.contains("floorkeeper-floor"), "{said:?}");
        tried += 1;
    }
    Ok(tried)
}

/// A GitOps controller with a stale manifest, in two ways.
async fn applies(town: &Town<'_>, until: tokio::time::Instant) -> Result<u32> {
    let stale = town.deployment(2, "web:1");
    let mut tried = 0;
    while tokio::time::Instant::now() < until {
        let way: &[&str] = if tried % 2 == 0 {
            &["--server-side", "--force-conflicts", "--field-manager=gitops"]
        } else {
            &["--overwrite"]
        };
        let said = town.apply(&stale, way, &[]).await?;
        ensure!(said.done, "a deploy never fails: {said:?}");
        tried += 1;
    }
    Ok(tried)
}

/// Each way there is to write a number of replicas, and the ways to what forbids it.
async fn knows_every_door(town: &Town<'_>, until: tokio::time::Instant) -> Result<u32> {
    let scale = "--subresource=scale";
    let zero = r#"--patch={"spec":{"replicas":0}}"#;
    let op = r#"--patch=[{"op":"replace","path":"/spec/replicas","value":1}]"#;
    let gone = r#"--patch=[{"op":"remove","path":"/spec/replicas"}]"#;
    let low = r#"--patch={"spec":{"floors":{"deployments.apps/web":{"replicas":0,"seq":99}}}}"#;
    let released = r#"--patch={"spec":{"floors":{"deployments.apps/web":{"released":true}}}}"#;
    let hpa = r#"--patch={"spec":{"minReplicas":1,"maxReplicas":1}}"#;
    let doors: [&[&str]; 9] = [
        &["patch", "deployment/web", "--type=merge", zero],
        &["patch", "deployment/web", "--type=json", op],
        &["patch", "deployment/web", "--type=json", gone],
        &["patch", "deployment/web", "--type=merge", scale, zero],
        &["patch", "deployment/web", "--type=json", scale, op],
        &["patch", "floortable/floors", "--type=merge", low],
        &["patch", "floortable/floors", "--type=merge", released],
        &["delete", "floortable/floors", "--wait=false"],
        // Its own controller then wants one replica, at once.
        &["patch", "hpa/web", "--type=merge", hpa],
    ];
    let mut tried = 0;
    while tokio::time::Instant::now() < until || tried < 9 {
        for door in doors {
            town.kubectl(door, &[]).await.with_context(|| door.join(" "))?;
            tried += 1;
        }
    }
    Ok(tried)
}

async fn puts_the_owner_s_bounds_back(town: &Town<'_>, hpa: &Value, until: tokio::time::Instant) -> Result<()> {
    while tokio::time::Instant::now() < until {
        ensure!(town.apply(hpa, &["--server-side", "--force-conflicts"], &[]).await?.done);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    Ok(())
}

fn hpa_of(min: u32, max: u32) -> Value {
    let metric = json!({"type": "External", "external": {"metric": {"name": "requests"},
        "target": {"type": "AverageValue", "averageValue": "100"}}});
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"minReplicas": min, "maxReplicas": max, "metrics": [metric],
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}})
}
