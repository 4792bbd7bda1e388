//! `floorkeeper run`: the operator itself, in a cluster or outside of one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::controller::{self, Access, LeaseSettings, Settings};
use crate::telemetry::{self, LogFormat};

/// Runs the operator.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Runs the operator: watches ScalingPolicy objects, the workloads that they target and the traffic \
offered to them, and keeps a floor under each workload.\n\n\
Inside a cluster it uses its ServiceAccount; outside, your kubeconfig. SIGTERM and Ctrl-C stop it: writes that are \
under way are finished, floors stay where they are.\n\n\
Of several replicas one leads: it holds a Lease in floorkeeper's own namespace. The others keep their caches warm and \
write nothing; they take over at once when the leader stops, and after --lease-duration when it dies.",
    after_help = "Examples:
  floorkeeper run                                     in a pod, or with the kubeconfig of your shell
  floorkeeper run --kubeconfig ./kind.yaml            another cluster
  floorkeeper run --context prod --log-level debug    another context of your kubeconfig, every decision logged
  floorkeeper run --leader-election                   beside another one, outside of the cluster
  curl localhost:8080/readyz                          what it waits for, if anything"
)]
pub struct Args {
    /// Kubeconfig file. Left out: $KUBECONFIG, ~/.kube/config, then the pod's ServiceAccount.
    #[arg(long, env = "FLOORKEEPER_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig. Left out: its current context.
    #[arg(long, env = "FLOORKEEPER_CONTEXT", value_name = "NAME")]
    context: Option<String>,

    /// floorkeeper's own namespace: Secrets that a MetricSource names are read here, and nowhere else.
    #[arg(long, short, env = "FLOORKEEPER_NAMESPACE", value_name = "NAMESPACE", default_value = "floorkeeper-system")]
    namespace: String,

    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, env = "FLOORKEEPER_LISTEN", value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,

    /// Let one of several replicas write, by a Lease. Left out: yes in a pod, no with a kubeconfig.
    #[arg(long, env = "FLOORKEEPER_LEADER_ELECTION", value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    leader_election: Option<bool>,

    /// Name of the Lease, in floorkeeper's own namespace.
    #[arg(long, env = "FLOORKEEPER_LEASE_NAME", value_name = "NAME", default_value = "floorkeeper")]
    lease_name: String,

    /// Seconds after which a leader that was not heard of is replaced, 3 to 300. A leader stops writing after 56 % of it
    /// without a renewal, so an API server that is away for longer makes it start again.
    #[arg(long, env = "FLOORKEEPER_LEASE_DURATION", value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(3..=300))]
    lease_duration: u64,

    // For tests that can't wait for it: how many seconds a floor outlives its policy, instead of ten minutes.
    #[arg(long, env = "FLOORKEEPER_ADOPTION", value_name = "SECONDS", hide = true)]
    adoption: Option<u64>,

    /// How log lines look.
    #[arg(long, env = "FLOORKEEPER_LOG_FORMAT", value_enum, default_value_t = LogFormat::Auto)]
    log_format: LogFormat,

    /// What is logged: error, warn, info, debug, trace, or a list such as `info,floorkeeper=debug`.
    #[arg(long, env = "FLOORKEEPER_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    log_level: String,
}

impl Args {
    /// Runs until a signal says stop.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self {
            kubeconfig,
            context,
            namespace,
            listen,
            leader_election,
            lease_name,
            lease_duration,
            adoption,
            log_format,
            log_level,
        } = self;
        let alone = kubeconfig.is_some() || context.is_some() || !Path::new(IN_A_POD).exists();
        let lease = leader_election
            .unwrap_or(!alone)
            .then(|| LeaseSettings { name: lease_name, duration: Duration::from_secs(lease_duration) });
        let adoption = adoption.map(Duration::from_secs);
        telemetry::init(log_format, &log_level)
            .with_context(|| format!("--log-level {log_level}: expected a level such as `info`, or a list"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("the asynchronous runtime can't be started")?;
        runtime.block_on(async {
            let client = controller::client(&Access { kubeconfig, context })
                .await
                .context("no access to a cluster (is --kubeconfig or --context right?)")?;
            let listener = TcpListener::bind(listen)
                .await
                .with_context(|| format!("can't listen on {listen}: choose another address with --listen"))?;
            let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            let stop = async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            controller::run(Settings { client, namespace, listener, lease, adoption }, stop).await?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// What a pod has and a shell has not.
const IN_A_POD: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
