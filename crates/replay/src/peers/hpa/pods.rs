//! Which pods count: those whose numbers can be used, those not ready yet, those without numbers.
//!
//! kubernetes v1.37.2, `pkg/controller/podautoscaler/replica_calculator.go`, `groupPods` and `calculateRequests`.

/// What the calculation sees of one pod.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PodView {
    pub phase: Phase,
    /// Has it a deletion timestamp?
    pub deleting: bool,
    /// Seconds; `None`: no start time yet.
    pub started: Option<f64>,
    /// `None`: no Ready condition yet.
    pub ready: Option<ReadyCondition>,
    /// `None`: the metrics API has nothing for this pod.
    pub metric: Option<PodMetric>,
    /// What the pod asked for of the resource, in thousandths; `None`: a container asks for nothing.
    pub request: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Pending,
    Running,
    Failed,
}

/// The pod's Ready condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReadyCondition {
    pub status: bool,
    /// Seconds at its last transition.
    pub since: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PodMetric {
    /// Thousandths.
    pub value: i64,
    /// Seconds of the sample.
    pub at: f64,
    /// Seconds that it averages.
    pub window: f64,
}

/// Sums over the pods of one kind: enough for every later step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) pods: i64,
    /// Sum of their metrics.
    pub(super) value: i64,
    /// Sum of their requests.
    pub(super) request: i64,
}

/// The pods of a target, sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    /// Their metrics count.
    pub(super) counted: Group,
    pub(super) unready: Group,
    pub(super) missing: Group,
    /// Failed or being deleted.
    pub(super) ignored: Group,
    /// Does every pod have a request?
    pub(super) requests_known: bool,
}

/// When a pod's CPU says something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Readiness {
    /// Seconds now.
    pub(super) now: f64,
    pub(super) cpu_initialization: f64,
    pub(super) initial_readiness_delay: f64,
}

impl Groups {
    /// `readiness`: only where the metric is CPU.
    pub(super) fn of(pods: &[PodView], readiness: Option<&Readiness>) -> Self {
        let mut groups = Self { requests_known: true, ..Self::default() };
        for pod in pods {
            let group = match (pod.phase, pod.metric) {
                _ if pod.deleting => &mut groups.ignored,
                (Phase::Failed, _) => &mut groups.ignored,
                (Phase::Pending, _) => &mut groups.unready,
                (Phase::Running, None) => &mut groups.missing,
                (Phase::Running, Some(metric)) if readiness.is_some_and(|rule| rule.unready(pod, &metric)) => {
                    &mut groups.unready
                }
                (Phase::Running, Some(_)) => &mut groups.counted,
            };
            group.pods += 1;
            group.value = group.value.saturating_add(pod.metric.map_or(0, |metric| metric.value));
            group.request = group.request.saturating_add(pod.request.unwrap_or(0));
            groups.requests_known &= pod.request.is_some();
        }
        groups
    }
}

impl Readiness {
    /// Young pods: not ready, or sampled before a whole window had passed since they became it. Older ones: only those
    /// that have never been ready. A pod that was ready and is not any more counts, however little it does.
    fn unready(&self, pod: &PodView, metric: &PodMetric) -> bool {
        let (Some(condition), Some(started)) = (pod.ready, pod.started) else { return true };
        if started + self.cpu_initialization > self.now {
            !condition.status || metric.at < condition.since + metric.window
        } else {
            !condition.status && started + self.initial_readiness_delay > condition.since
        }
    }
}
