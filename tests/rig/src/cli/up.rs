//! `rig up`: a cluster that stays.

use std::process::ExitCode;

use anyhow::{Result, bail};
use floorkeeper_rig::{Cluster, HpaTiming, Options, Standby};

/// Start a cluster and leave it running in the background.
///
/// Prints shell commands that point kubectl at it, to be evaluated: eval "$(cargo rig up)".
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Up {
    /// Number of simulated nodes; each takes any number of pods.
    #[arg(long, default_value_t = 1, value_name = "N")]
    nodes: u32,
    /// Only etcd and the API server: for CRDs, admission policies and RBAC. No pod ever starts.
    #[arg(long, conflicts_with_all = ["nodes", "hpa_speed"])]
    api_only: bool,
    /// Let the HPA's time run this much faster: sync period, stabilisation window, start-up periods.
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    hpa_speed: f64,
    /// A control plane as of Kubernetes 1.35, which doesn't serve MutatingAdmissionPolicy.
    #[arg(long)]
    without_mutating_admission_policy: bool,
    /// Write an audit log into the cluster's directory.
    #[arg(long)]
    audit_log: bool,
}

impl Up {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let mut standby = Standby::open()?;
        if let Some(kept) = standby.running().await? {
            bail!(
                "a cluster is already up at {} (export KUBECONFIG={}); stop it with `cargo rig down` first",
                kept.server,
                kept.kubeconfig.display()
            );
        }
        if !(self.hpa_speed.is_finite() && self.hpa_speed >= 1.0) {
            bail!("--hpa-speed {}: give a number of 1 or more", self.hpa_speed);
        }
        let options = Options {
            controllers: !self.api_only,
            nodes: if self.api_only { 0 } else { self.nodes },
            hpa: HpaTiming::scaled(self.hpa_speed),
            audit_log: self.audit_log,
            mutating_admission_policy: !self.without_mutating_admission_policy,
        };
        let started = std::time::Instant::now();
        let cluster = Cluster::start(options).await?;
        let kept = standby.keep(cluster, None)?;
        eprintln!(
            "A cluster is up at {} after {:.1} s. Stop it with `cargo rig down`.",
            kept.server,
            started.elapsed().as_secs_f32()
        );
        println!("export KUBECONFIG={}", kept.kubeconfig.display());
        println!("alias kubectl={}", kept.kubectl.display());
        Ok(ExitCode::SUCCESS)
    }
}

const EXAMPLES: &str = "\
Examples:
  eval \"$(cargo rig up)\" && kubectl get nodes
  cargo rig up --nodes 3 --hpa-speed 15     the HPA syncs each second, its window is 20 s";
