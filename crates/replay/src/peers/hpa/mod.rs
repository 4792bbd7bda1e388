//! The Horizontal Pod Autoscaler, `autoscaling/v2`, as kubernetes v1.37.2 decides.
//!
//! Every room says which file of `pkg/controller/podautoscaler` it follows. Two peers run on it: `hpa-cpu` on the resource
//! metric that most people use, `hpa-load` on the offered load as an external metric, the safest form there is
//! (`averageValue`: no pod count in the formula). What the port leaves out: selectors and several autoscalers on one
//! target, memory and container metrics (the same arithmetic), events, and the rate limit of its queue.

mod calculator;
mod conditions;
mod controller;
mod history;
mod pods;
#[cfg(test)]
mod rows;
mod rules;

pub use calculator::{Metric, Reading, Scene, Tolerances};
pub use conditions::{Condition, Conditions, Reason};
pub use controller::{Controller, Flags, Spec};
pub use pods::{Phase, PodMetric, PodView, ReadyCondition};
pub use rules::{Behavior, Change, Policy, Rules, Select};

use super::go::int64;
use super::{Answer, Peer, Pod, Sight, Signal, Terms};

/// An autoscaler on one metric, with bounds that somebody else may move.
#[derive(Clone, Debug, PartialEq)]
pub struct Hpa {
    controller: Controller,
    on: On,
    /// Room for what is read, kept from sync to sync.
    views: Vec<PodView>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    /// Percent of the request.
    Cpu(i32),
    /// Thousandths a replica.
    Load(i64, Signal),
}

impl Hpa {
    /// `hpa-cpu`: a utilization target with the headroom of `terms` in it.
    #[must_use]
    pub fn on_cpu(terms: &Terms) -> Self {
        Self::with(terms, On::Cpu(terms.cpu_percent()))
    }

    /// `hpa-load`: an external metric with `averageValue: capacity / (1 + headroom)`.
    #[must_use]
    pub fn on_load(terms: &Terms) -> Self {
        Self::with(terms, On::Load(terms.per_replica_milli(), terms.signal))
    }

    fn with(terms: &Terms, on: On) -> Self {
        let spec = Spec { min: count(terms.min), max: count(terms.max), behavior: None };
        Self { controller: Controller::new(spec, Flags::default()), on, views: Vec::new() }
    }

    /// The same autoscaler under other flags and another `behavior`.
    #[must_use]
    pub fn configured(self, flags: Flags, behavior: Option<Behavior>) -> Self {
        let Self { controller, on, views } = self;
        let spec = Spec { behavior, ..controller.spec };
        Self { controller: Controller::new(spec, flags), on, views }
    }

    /// `spec.minReplicas` and `spec.maxReplicas`; the next sync obeys them. `true`: they changed, and upstream would sync at
    /// once (`updateHPA`, feature gate `HPAGeneration`, on by default since 1.37).
    pub fn set_bounds(&mut self, min: u32, max: u32) -> bool {
        let (min, max) = (count(min), count(max));
        let spec = &mut self.controller.spec;
        let changed = (spec.min, spec.max) != (min, max);
        (spec.min, spec.max) = (min, max);
        changed
    }

    /// The bounds that hold now.
    #[must_use]
    pub fn bounds(&self) -> (u32, u32) {
        (unsigned(self.controller.spec.min), unsigned(self.controller.spec.max))
    }

    /// Why it last did what it did.
    #[must_use]
    pub fn conditions(&self) -> &Conditions {
        self.controller.conditions()
    }
}

impl Peer for Hpa {
    fn name(&self) -> &'static str {
        match self.on {
            On::Cpu(_) => "hpa-cpu",
            On::Load(..) => "hpa-load",
        }
    }

    fn period(&self) -> f64 {
        self.controller.flags().sync_period
    }

    fn sync(&mut self, sight: &Sight<'_>) -> Option<u32> {
        let desired = match self.on {
            On::Cpu(target) => {
                self.views.clear();
                self.views.extend(sight.pods.iter().map(PodView::from));
                let scene = scene(sight, &self.views);
                self.controller.reconcile(&scene, &[(Metric::CpuUtilization(target), Reading::Pods(&self.views))])
            }
            On::Load(target, signal) => {
                let value = external(sight, signal);
                let reading =
                    value.as_ref().map_or(Reading::Failed, |value| Reading::Values(std::slice::from_ref(value)));
                self.controller.reconcile(&scene(sight, &[]), &[(Metric::ExternalAverage(target), reading)])
            }
        };
        desired.map(unsigned)
    }
}

/// A pod runs from its creation on; until its first sample it is one without metrics.
impl From<&Pod> for PodView {
    fn from(pod: &Pod) -> Self {
        // `Quantity.MilliValue` rounds up; what is less than a nanocore is the float, not the usage.
        let metric = |share: f64| int64((share * 1_000.0 - 1e-6).ceil());
        Self {
            phase: Phase::Running,
            deleting: false,
            started: Some(pod.created),
            ready: Some(ReadyCondition { status: pod.ready, since: pod.changed }),
            metric: pod.cpu.map(|cpu| PodMetric { value: metric(cpu.share), at: cpu.at, window: cpu.window }),
            request: Some(REQUEST),
        }
    }
}

/// What a controller sees of the target now.
pub(super) fn scene<'a>(sight: &Sight<'_>, pods: &'a [PodView]) -> Scene<'a> {
    let status_replicas = i32::try_from(sight.pods.len()).unwrap_or(i32::MAX);
    Scene { now: sight.now, replicas: count(sight.wanted), status_replicas, pods }
}

/// The metrics API's quantity for a query; `None`: an error, as for an answer without a series.
///
/// prometheus-adapter, `pkg/external-provider/metric_converter.go`, `convertSample`: `int64(value * 1000)`, and no test for
/// NaN or infinity; `externalMetricsClient.GetExternalMetric` refuses an empty list.
fn external(sight: &Sight<'_>, signal: Signal) -> Option<i64> {
    let answer = match signal {
        Signal::Load => sight.load,
        Signal::App => sight.app,
    };
    match answer {
        Answer::Value(value) => Some(int64(value * 1_000.0)),
        Answer::Empty | Answer::Error => None,
    }
}

/// As the API counts replicas.
pub(super) fn count(replicas: u32) -> i32 {
    i32::try_from(replicas).unwrap_or(i32::MAX)
}

pub(super) fn unsigned(replicas: i32) -> u32 {
    u32::try_from(replicas).unwrap_or(0)
}

/// Thousandths of a core that a pod asks for: one core makes a share of the request and a core the same number.
const REQUEST: i64 = 1_000;
