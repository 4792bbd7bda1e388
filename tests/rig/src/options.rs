//! What a cluster is to be like.

use std::time::Duration;

/// The default is the full control plane with one simulated node.
///
/// ```
/// use floorkeeper_rig::{HpaTiming, Options};
///
/// // Only etcd and the API server: enough for CRDs, admission and `/scale`.
/// let small = Options::api_only();
/// // Everything, with three nodes and an HPA that acts each second.
/// let fast = Options { nodes: 3, hpa: HpaTiming::scaled(15.0), ..Options::default() };
/// assert!(!small.controllers && fast.controllers);
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    /// Run the controller manager (with the HPA) and the scheduler. Without them no pod is ever made, and no namespace or
    /// dependent is ever swept.
    pub controllers: bool,
    /// Simulated nodes, each with room for any number of pods; 0 starts no kwok.
    pub nodes: u32,
    /// How fast the HPA's time runs.
    pub hpa: HpaTiming,
    /// Write who did what to [`Cluster::audit_log`](crate::Cluster::audit_log), one JSON object a line.
    pub audit_log: bool,
    /// `false` gives a control plane as of 1.35, which doesn't serve MutatingAdmissionPolicy.
    pub mutating_admission_policy: bool,
}

impl Options {
    /// Only etcd and the API server, in 300 MB where all of it takes 520. What controllers do doesn't happen: pods are refused in a
    /// namespace that has no `default` ServiceAccount, and the aggregated roles `view`, `edit` and `admin` are empty.
    pub fn api_only() -> Self {
        Self { controllers: false, nodes: 0, ..Self::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            controllers: true,
            nodes: 1,
            hpa: HpaTiming::default(),
            audit_log: false,
            mutating_admission_policy: true,
        }
    }
}

/// The HPA controller's flags. The default is Kubernetes' own.
#[derive(Debug, Clone, PartialEq)]
pub struct HpaTiming {
    /// `--horizontal-pod-autoscaler-sync-period`
    pub sync_period: Duration,
    /// `--horizontal-pod-autoscaler-downscale-stabilization`
    pub downscale_stabilization: Duration,
    /// `--horizontal-pod-autoscaler-initial-readiness-delay`
    pub initial_readiness_delay: Duration,
    /// `--horizontal-pod-autoscaler-cpu-initialization-period`
    pub cpu_initialization_period: Duration,
}

impl HpaTiming {
    /// Kubernetes' own durations, `speed` times as fast; the sync period never below a second, the API's own grain.
    pub fn scaled(speed: f64) -> Self {
        let speed = if speed.is_finite() { speed.max(1.0) } else { 1.0 };
        let normal = Self::default();
        Self {
            sync_period: normal.sync_period.div_f64(speed).max(Duration::from_secs(1)),
            downscale_stabilization: normal.downscale_stabilization.div_f64(speed),
            initial_readiness_delay: normal.initial_readiness_delay.div_f64(speed),
            cpu_initialization_period: normal.cpu_initialization_period.div_f64(speed),
        }
    }
}

impl Default for HpaTiming {
    fn default() -> Self {
        Self {
            sync_period: Duration::from_secs(15),
            downscale_stabilization: Duration::from_secs(300),
            initial_readiness_delay: Duration::from_secs(30),
            cpu_initialization_period: Duration::from_secs(300),
        }
    }
}
