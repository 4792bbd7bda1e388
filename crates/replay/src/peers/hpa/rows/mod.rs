//! Rows of upstream's own test tables: kubernetes v1.37.2, `replica_calculator_test.go` and `horizontal_test.go` of
//! `pkg/controller/podautoscaler`. Each row has the name of the case there; the numbers are theirs.

mod behavior;
mod calculator;
mod groups;
mod peers;
mod scaling;
mod stabilization;

use super::{Phase, PodMetric, PodView, ReadyCondition};

/// `now` of every row.
const NOW: f64 = 10_000.0;

/// `hotCPUCreationTime`; the `coolCPUCreationTime` is old enough to be like the beginning.
const HOT: f64 = NOW;

/// A pod as `buildFakePod` makes it: running, ready for ever, started at the zero time.
fn pod() -> PodView {
    PodView {
        phase: Phase::Running,
        deleting: false,
        started: Some(BEGINNING),
        ready: Some(ReadyCondition { status: true, since: BEGINNING }),
        metric: None,
        request: None,
    }
}

fn sample(value: i64) -> Option<PodMetric> {
    Some(PodMetric { value, at: BEGINNING, window: 60.0 })
}

/// Go's zero time: longer ago than any period.
const BEGINNING: f64 = -1e9;

/// What a row says of a pod beside its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Fine,
    Unready,
    /// Started only now.
    Hot,
    UnreadyHot,
    Pending,
    Failed,
    Deleting,
}

impl Is {
    fn apply(self, pod: &mut PodView) {
        let mut unready = || pod.ready = Some(ReadyCondition { status: false, since: BEGINNING });
        match self {
            Self::Fine => {}
            Self::Unready => unready(),
            Self::Hot => pod.started = Some(HOT),
            Self::UnreadyHot => {
                unready();
                pod.started = Some(HOT);
            }
            Self::Pending => {
                unready();
                pod.phase = Phase::Pending;
            }
            Self::Failed => {
                unready();
                pod.phase = Phase::Failed;
            }
            Self::Deleting => {
                unready();
                pod.deleting = true;
            }
        }
    }
}

/// Pods with these milli-requests and usages; `is` may be shorter than they are many.
fn pods(requests: &[i64], levels: &[i64], is: &[Is]) -> Vec<PodView> {
    let many = requests.len().max(is.len()).max(levels.len());
    (0..many)
        .map(|index| {
            let mut pod = pod();
            pod.request = requests.get(index).copied();
            pod.metric = levels.get(index).and_then(|level| sample(*level));
            is.get(index).copied().unwrap_or(Is::Fine).apply(&mut pod);
            pod
        })
        .collect()
}
