//! An independent eye: what stood in the cluster when, and what came down.

use std::collections::BTreeMap;
use std::sync::MutexGuard;
use std::time::Instant;

use floorkeeper_rig::{Number, Numbers, Seen, Whose};
use kube::Client;

/// Every change of a floor, of an HPA's minimum and of a Deployment's replicas, from its start on.
pub(crate) struct Record(Numbers);

impl Record {
    pub(crate) fn start(client: &Client) -> Self {
        Self(Numbers::watch(client, None, &NUMBERS))
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.seen()
    }

    /// What came down, when, from where and to where.
    pub(crate) fn lowerings(&self) -> Vec<(Whose, Instant, u32, u32)> {
        let mut lowerings = Vec::new();
        for (whose, values) in &*self.seen() {
            let pairs = values.iter().zip(values.iter().skip(1));
            let down = pairs.filter(|((_, from), (_, to))| to < from);
            lowerings.extend(down.map(|((_, from), (at, to))| (whose.clone(), *at, *from, *to)));
        }
        lowerings
    }

    /// All that was seen in a namespace (in each, without one), in seconds before a moment.
    pub(crate) fn told(&self, namespace: Option<&str>, moment: Instant) -> BTreeMap<String, Vec<String>> {
        let second = |at: Instant| at.elapsed().as_secs_f64() - moment.elapsed().as_secs_f64();
        let line = |(at, value): &(Instant, u32)| format!("{:.1} s before: {value}", second(*at));
        let seen = self.seen();
        let here = seen.iter().filter(|(whose, _)| namespace.is_none_or(|namespace| whose.namespace == namespace));
        here.map(|(whose, values)| (whose.to_string(), values.iter().map(line).collect())).collect()
    }
}

const NUMBERS: [Number; 3] = [
    Number::REPLICAS,
    Number {
        api_version: "autoscaling/v2",
        kind: "HorizontalPodAutoscaler",
        plural: "horizontalpodautoscalers",
        pointer: "/spec/minReplicas",
    },
    Number {
        api_version: "floorkeeper.dev/v1alpha1",
        kind: "FloorTable",
        plural: "floortables",
        pointer: "/spec/floors/deployments.apps~1web/replicas",
    },
];
