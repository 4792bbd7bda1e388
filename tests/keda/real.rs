//! KEDA as it is: its operator scales, its adapter tells the HPA, its Prometheus scaler believes what it reads. Services with
//! a policy beside the same services without one, which show what KEDA does of itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use floorkeeper_rig::keda::Keda;
use floorkeeper_rig::{Cluster, Exposition, Eye, HpaTiming, Options, Prometheus, PrometheusOptions, eventually};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::stage::operator::Operator;
use crate::stage::shop::Shop;

/// S8, S11 and S12 with real KEDA, two minutes and more: `FLOORKEEPER_SOAK=1 cargo test --test keda`.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_below_the_floor_with_real_keda() -> Result<()> {
    if std::env::var_os("FLOORKEEPER_SOAK").is_none_or(|value| value == "0") {
        println!("skipped: set FLOORKEEPER_SOAK=1 to build KEDA once and to play on it for some minutes");
        return Ok(());
    }
    let mut town = Town::open().await?;
    let played = town.play().await;
    played.with_context(|| format!("{}\nfloorkeeper:\n{}", town.keda.logs(), town.operator_log()))
}

struct Town {
    operator: Option<Operator>,
    /// floorkeeper's own kubeconfig: nobody else may write floors.
    account: PathBuf,
    keda: Keda,
    eye: Eye,
    /// Whether the services count their own work, which is what KEDA's triggers read.
    counting: Arc<AtomicBool>,
    prometheus: Prometheus,
    cluster: Cluster,
    _traffic: JoinSet<()>,
}

impl Town {
    async fn open() -> Result<Self> {
        let cluster = Cluster::start(Options { hpa: HpaTiming::scaled(15.0), ..Options::default() }).await?;
        // All of it, its own account and the admission policies too.
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").display().to_string();
        cluster.kubectl(["apply", "-k", &deploy]).await?;
        let edge = Exposition::start().await?;
        let prometheus = Prometheus::start(PrometheusOptions::scraping("edge", &[&edge])).await?;
        let counting = Arc::new(AtomicBool::new(true));
        let mut traffic = JoinSet::new();
        traffic.spawn(carry(edge, Arc::clone(&counting)));
        let keda = Keda::start(&cluster).await?;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
        cluster.apply(&namespace.to_string()).await?;
        let eye = Eye::open(cluster.client(), "shop");
        let token = cluster.service_account_token("floorkeeper-system", "floorkeeper").await?;
        let account = cluster.kubeconfig_with_token("floorkeeper", &token)?;
        let mut operator = Operator::start_with(&account, &cluster, "keda-real")?;
        operator.ready().await?;
        let town =
            Self { operator: Some(operator), account, keda, eye, counting, prometheus, cluster, _traffic: traffic };
        town.settle_down().await?;
        Ok(town)
    }

    /// Sources, services, and what scales them.
    async fn settle_down(&self) -> Result<()> {
        let demand = json!({"name": "edge", "default": true, "labels": {"namespace": "namespace", "target": "workload"},
            "query": "sum by (namespace, workload) (rate(edge_requests_total[10s]))"});
        let source = json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "MetricSource", "metadata": {"name": "default"},
            "spec": {"prometheus": {"url": self.prometheus.url()}, "interval": "1s", "demands": [demand]}});
        self.cluster.apply(&source.to_string()).await?;
        let shop = self.shop();
        let fallback = json!({"failureThreshold": 1, "replicas": 5});
        for (name, own) in [
            ("bare", json!({})),
            ("web", json!({})),
            ("idle", json!({"minReplicaCount": 2, "idleReplicaCount": 0})),
            ("bare-fallback", json!({"minReplicaCount": 2, "fallback": fallback})),
            ("fallback", json!({"minReplicaCount": 2, "fallback": fallback})),
        ] {
            let container = json!({"name": "c", "image": "c"});
            let labels = json!({"app": name});
            let deployment = json!({"replicas": 2, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}});
            shop.apply("apps/v1", "Deployment", name, deployment).await?;
            self.object(name, own).await?;
            if GUARDED.contains(&name) {
                let policy = json!({"targetRef": {"kind": "Deployment", "name": name}, "mode": "Guard",
                    "demand": {"capacity": "10"}});
                shop.apply("floorkeeper.dev/v1alpha1", "ScalingPolicy", name, policy).await?;
            }
        }
        Ok(())
    }

    async fn object(&self, name: &str, mut spec: Value) -> Result<()> {
        let query = format!("sum(rate(app_requests_total{{workload=\"{name}\"}}[10s]))");
        let trigger = json!({"type": "prometheus", "metadata":
            {"serverAddress": self.prometheus.url(), "query": query, "threshold": "10"}});
        spec["scaleTargetRef"] = json!({"name": name});
        spec["triggers"] = json!([trigger]);
        (spec["pollingInterval"], spec["cooldownPeriod"]) = (json!(1), json!(2));
        spec["maxReplicaCount"] = json!(30);
        self.shop().apply("keda.sh/v1alpha1", "ScaledObject", name, spec).await
    }

    async fn play(&mut self) -> Result<()> {
        self.keda_scales_and_floors_stand().await.context("at first")?;
        self.the_metric_reads_zero().await.context("S8")?;
        self.the_metric_fails().await.context("S11")?;
        self.floorkeeper_is_dead().await.context("dead")?;
        self.objects_are_made_again().await.context("S12")?;
        self.dead_with_admission_on().await.context("dead, admission on")
    }

    async fn keda_scales_and_floors_stand(&self) -> Result<()> {
        for name in ["bare", "bare-fallback"] {
            self.becomes(name, |replicas| (8..=12).contains(&replicas)).await?;
        }
        for name in GUARDED {
            self.becomes(name, |replicas| replicas >= FLOOR).await?;
            self.carries_the_floor(&format!("hpa/keda-hpa-{name}"), "/spec/minReplicas").await?;
        }
        let idle = self.shop().get("scaledobject/idle").await?;
        ensure!(idle["metadata"]["annotations"]["autoscaling.keda.sh/force-activation"] == "true", "{idle}");
        Ok(())
    }

    /// The services answer and count nothing: KEDA takes them for idle. Without a policy they go, all of them.
    async fn the_metric_reads_zero(&self) -> Result<()> {
        let begun = self.counts(false);
        self.becomes("bare", |replicas| replicas == 0).await?;
        self.becomes("bare-fallback", |replicas| replicas <= 2).await?;
        self.kept_since("S8, the metric reads zero", begun)
    }

    /// Prometheus is gone: KEDA's fallback is five, whatever was needed; floorkeeper knows nothing either.
    async fn the_metric_fails(&mut self) -> Result<()> {
        self.counts(true);
        for name in ["bare", "bare-fallback"] {
            self.becomes(name, |replicas| replicas >= 8).await?;
        }
        let begun = Instant::now();
        self.prometheus.stop();
        self.becomes("bare-fallback", |replicas| replicas == 5).await?;
        self.kept_since("S11, the metric fails", begun)?;
        self.prometheus.resume().await
    }

    /// Nobody puts anything back now.
    async fn floorkeeper_is_dead(&mut self) -> Result<()> {
        self.counts(true);
        self.becomes("bare", |replicas| replicas >= 8).await?;
        self.operator.take().context("an operator")?.kill();
        let begun = self.counts(false);
        self.becomes("bare", |replicas| replicas == 0).await?;
        // KEDA starts again and makes up its mind anew.
        self.keda.stop();
        self.keda.resume().await?;
        self.becomes("bare-fallback", |replicas| replicas <= 2).await?;
        self.kept_since("floorkeeper dead, the metric reads zero", begun)?;
        for name in GUARDED {
            self.carries_the_floor(&format!("scaledobject/{name}"), "/spec/minReplicaCount").await?;
        }
        Ok(())
    }

    /// A tool prunes the ScaledObject and applies it again, while its metric reads zero; then a stale manifest.
    async fn objects_are_made_again(&mut self) -> Result<()> {
        let mut operator = Operator::start_with(&self.account, &self.cluster, "keda-again")?;
        operator.ready().await?;
        self.operator = Some(operator);
        let begun = Instant::now();
        let shop = self.shop();
        shop.kubectl(&["delete", "scaledobject/web", "--timeout=60s"]).await?;
        self.object("web", json!({})).await?;
        self.carries_the_floor("scaledobject/web", "/spec/minReplicaCount").await?;
        self.carries_the_floor("hpa/keda-hpa-web", "/spec/minReplicas").await?;
        let scaled = Instant::now();
        shop.kubectl(&["scale", "deployment/web", "--replicas=2"]).await?;
        eventually("two replicas were seen", WITHIN, || async {
            let (fewest, _) = self.eye.since("web", scaled, FLOOR);
            ensure!(fewest <= 2, "{fewest}");
            Ok(())
        })
        .await?;
        self.becomes("web", |replicas| replicas >= FLOOR).await?;
        let (fewest, below) = self.eye.since("web", begun, FLOOR);
        println!("S12, made again and scaled to 2: {fewest} at the fewest, below {FLOOR} for {} ms", below.as_millis());
        ensure!(below < Duration::from_secs(10), "below the floor for {below:?}");
        Ok(())
    }

    /// The same tool and the same lie, and nobody but the API server to answer. The HPA that KEDA makes has a minimum of one.
    async fn dead_with_admission_on(&mut self) -> Result<()> {
        self.counts(true);
        self.becomes("bare", |replicas| replicas >= 8).await?;
        self.cluster.kubectl(["label", "namespace", "shop", "floorkeeper.dev/enforce=clamp"]).await?;
        let shop = self.shop();
        let order = ["scale", "deployment/web", "--replicas=2", "--dry-run=server"];
        eventually("an order below the floor is refused", WITHIN, || async {
            match shop.kubectl(&order).await {
                Ok(_) => bail!("it was let in"),
                Err(refusal) => {
                    ensure!(format!("{refusal:#}").contains("floorkeeper-floor"), "{refusal:#}");
                    Ok(())
                }
            }
        })
        .await?;
        self.operator.take().context("an operator")?.kill();
        let begun = self.counts(false);
        let shop = self.shop();
        for name in GUARDED {
            shop.kubectl(&["delete", &format!("scaledobject/{name}"), "--timeout=60s"]).await?;
            self.object(name, json!({"minReplicaCount": 0})).await?;
        }
        self.becomes("bare", |replicas| replicas == 0).await?;
        // KEDA has had its way with what nobody guards; as few were asked for where a floor is.
        for name in GUARDED {
            eventually(&format!("the HPA of {name} wants one replica"), WITHIN, || async {
                let hpa = shop.get(&format!("hpa/keda-hpa-{name}")).await?;
                let wants = hpa["status"]["desiredReplicas"].as_u64();
                ensure!(hpa["spec"]["minReplicas"] == 1 && wants == Some(1), "{hpa}");
                Ok(())
            })
            .await?;
        }
        self.kept_since("floorkeeper dead, admission on, all made again", begun)
    }

    fn counts(&self, counting: bool) -> Instant {
        self.counting.store(counting, Ordering::Relaxed);
        Instant::now()
    }

    fn kept_since(&self, what: &str, begun: Instant) -> Result<()> {
        for name in GUARDED {
            let (fewest, below) = self.eye.since(name, begun, FLOOR);
            println!("{what}: {name} had {fewest} at the fewest, below {FLOOR} for {} ms", below.as_millis());
            ensure!(fewest >= FLOOR, "{name} went down to {fewest}");
        }
        let bare = ["bare", "bare-fallback"].map(|name| self.eye.since(name, begun, FLOOR).0);
        println!("{what}: without a policy {bare:?} at the fewest");
        Ok(())
    }

    async fn carries_the_floor(&self, what: &str, pointer: &str) -> Result<()> {
        eventually(&format!("{what} carries the floor"), WITHIN, || async {
            let object = self.shop().get(what).await?;
            let found = object.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
            ensure!(found >= FLOOR.into(), "{found}");
            Ok(())
        })
        .await
    }

    async fn becomes(&self, name: &str, wanted: impl Fn(u32) -> bool) -> Result<()> {
        eventually(&format!("replicas of {name}"), WITHIN, || async {
            let now = self.eye.now(name);
            ensure!(wanted(now), "{now}");
            Ok(())
        })
        .await
    }

    fn shop(&self) -> Shop<'_> {
        Shop { cluster: &self.cluster, namespace: "shop" }
    }

    fn operator_log(&self) -> String {
        self.operator.as_ref().map_or_else(String::new, Operator::log)
    }
}

/// A hundred requests a second for each, at the edge; the services count them too, for as long as they do.
async fn carry(edge: Exposition, counting: Arc<AtomicBool>) {
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
        edge.update(|metrics| {
            for name in ["bare", "web", "idle", "bare-fallback", "fallback"] {
                let labels = [("namespace", "shop"), ("workload", name)];
                metrics.add("edge_requests_total", &labels, 10.0);
                metrics.add("app_requests_total", &labels, if counting.load(Ordering::Relaxed) { 10.0 } else { 0.0 });
            }
        });
    }
}

const GUARDED: [&str; 3] = ["web", "idle", "fallback"];

/// A hundred a second and a quarter more, ten to a replica.
const FLOOR: u32 = 13;

/// KEDA's cooldown, the HPA's stabilisation, and a machine that has more to do.
const WITHIN: Duration = Duration::from_secs(180);
