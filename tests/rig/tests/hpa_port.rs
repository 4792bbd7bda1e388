//! The port of the Horizontal Pod Autoscaler (`floorkeeper_replay::peers::hpa`) against the real one: the same inputs, time
//! run 7.5 times as fast, three autoscalers at once. On request only, it takes seven minutes:
//!
//! ```text
//! FLOORKEEPER_SOAK=1 FLOORKEEPER_REPORT=docs/hpa-comparison-DATE.md cargo test -p floorkeeper-rig --test hpa_port
//! ```
//!
//! When the real controller looked is taken from the audit log, so both look at the same moments. Twice it is compared:
//! decision by decision with what the real one saw, and as a whole run in which the port's replicas become its own pods.

#[path = "hpa_port/record.rs"]
mod record;
#[path = "hpa_port/report.rs"]
mod report;
#[path = "hpa_port/script.rs"]
mod script;
#[path = "hpa_port/target.rs"]
mod target;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Cluster, HpaTiming, MetricsApis, Options, eventually};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;

use crate::record::{Recorder, looks};
use crate::report::Comparison;
use crate::script::{BEGIN_WITH, LANES, Lane, STEPS};

#[tokio::test(flavor = "multi_thread")]
async fn the_port_does_what_the_real_one_does() -> Result<()> {
    if std::env::var_os("FLOORKEEPER_SOAK").is_none_or(|value| value == "0") {
        println!("skipped: set FLOORKEEPER_SOAK=1 to compare with a real HPA for seven minutes");
        return Ok(());
    }
    let hpa = HpaTiming {
        sync_period: Duration::from_secs_f64(script::flags().sync_period),
        downscale_stabilization: Duration::from_secs_f64(script::flags().downscale_stabilization),
        initial_readiness_delay: Duration::from_secs_f64(script::flags().initial_readiness_delay),
        cpu_initialization_period: Duration::from_secs_f64(script::flags().cpu_initialization),
    };
    let cluster = Cluster::start(Options { hpa, audit_log: true, ..Options::default() }).await?;
    let apis = MetricsApis::start(&cluster).await?;
    for lane in LANES {
        cluster.apply(&lane.deployment()).await?;
    }
    for lane in LANES {
        all_ready(&cluster, lane).await?;
    }
    let mut recorder = Recorder::new(&cluster, &apis).await?;
    apis.set_external("default", script::METRIC, &[], 400.0);
    recorder.frame();
    for lane in LANES {
        cluster.apply(&lane.hpa()).await?;
    }
    for step in STEPS {
        recorder.until(f64::from(step.at)).await;
        recorder.take(*step).await?;
    }
    recorder.until(script::END).await;

    let mut comparisons = Vec::new();
    for lane in LANES {
        let looks = looks(&cluster.audit_log(), lane.name)?;
        comparisons.push(Comparison::of(lane, &recorder, &looks));
    }
    let report = report::text(&comparisons);
    println!("{report}");
    if let Some(path) = std::env::var_os("FLOORKEEPER_REPORT") {
        // Tests run in their package's directory, people in the workspace's.
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
        std::fs::write(&path, report).with_context(|| format!("{} can't be written", path.display()))?;
    }
    for comparison in &comparisons {
        ensure!(
            comparison.decisions() > 100,
            "{}: the real one looked only {} times",
            comparison.lane.name,
            comparison.decisions()
        );
        ensure!(
            comparison.changes() >= 8,
            "{}: the play moved it only {} times",
            comparison.lane.name,
            comparison.changes()
        );
        ensure!(
            comparison.share_equal() >= 0.98,
            "{}: only {:.3} of the decisions are equal",
            comparison.lane.name,
            comparison.share_equal()
        );
        ensure!(
            comparison.distance() <= 0.03,
            "{}: the runs differ by {:.3}",
            comparison.lane.name,
            comparison.distance()
        );
    }
    Ok(())
}

async fn all_ready(cluster: &Cluster, lane: &Lane) -> Result<()> {
    let deployments = Api::<Deployment>::default_namespaced(cluster.client());
    eventually(&format!("the pods of {} are ready", lane.name), Duration::from_secs(90), || async {
        let status = deployments.get(lane.name).await?.status;
        let ready = status.and_then(|status| status.ready_replicas).unwrap_or(0);
        ensure!(ready == BEGIN_WITH, "{ready}");
        Ok(())
    })
    .await
}
