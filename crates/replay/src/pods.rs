//! The pods of one workload: created and removed as a ReplicaSet does it, ready after a while, or not.

use crate::peers::{CpuSample, Pod};
use crate::sky::Sky;

/// A workload's `spec.replicas` and its pods, the oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Pods {
    wanted: u32,
    pods: Vec<Pod>,
    /// When each could be ready, were the cluster well.
    due: Vec<f64>,
    start_delay: f64,
    /// Seconds since which new pods get no traffic although they are ready.
    unserved_since: Option<f64>,
    oldest_go_first: bool,
    /// Whether the pods must be looked at: some are starting, or the cluster makes some unready.
    unsettled: bool,
    ready: u32,
    due_count: u32,
    /// Counts every change that a watch would tell.
    changes: u64,
}

impl Pods {
    /// All ready for long.
    pub(crate) fn new(replicas: u32, start_delay: f64, now: f64) -> Self {
        let born = now - LONG_AGO;
        let pod = Pod { created: born, ready: true, changed: born, cpu: None };
        Self {
            wanted: replicas,
            pods: vec![pod; replicas as usize],
            due: vec![born; replicas as usize],
            start_delay: start_delay.max(0.0),
            unserved_since: None,
            oldest_go_first: false,
            unsettled: false,
            ready: replicas,
            due_count: replicas,
            changes: 0,
        }
    }

    /// `spec.replicas` is written, and the pods follow.
    pub(crate) fn scale(&mut self, to: u32, now: f64) {
        if to == self.wanted {
            return;
        }
        self.changes += 1;
        self.wanted = to;
        while self.pods.len() < to as usize {
            self.pods.push(Pod { created: now, ready: false, changed: now, cpu: None });
            self.due.push(now + self.start_delay);
            self.unsettled = true;
        }
        while self.pods.len() > to as usize {
            let place = self.first_to_go();
            self.pods.remove(place);
            self.due.remove(place);
        }
        self.count(now);
    }

    /// Time passes: pods become ready, or are made unready.
    pub(crate) fn live(&mut self, sky: &Sky) {
        let now = sky.now;
        (self.unserved_since, self.oldest_go_first) = (sky.unserved_since, sky.oldest_go_first);
        if !self.unsettled && sky.unready <= 0.0 && !sky.start_failing {
            return;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
        let broken = (self.pods.len() as f64 * sky.unready).round() as usize;
        let before = self.ready;
        let mut starting = false;
        for (place, (pod, due)) in self.pods.iter_mut().zip(&self.due).enumerate() {
            let begun = pod.created >= sky.start_failing_since;
            let started = *due <= now && !(sky.start_failing && begun);
            starting |= !started;
            let ready = started && place >= broken;
            if ready != pod.ready {
                (pod.ready, pod.changed) = (ready, now);
            }
        }
        self.unsettled = starting || broken > 0;
        self.count(now);
        if self.ready != before {
            self.changes += 1;
        }
    }

    /// CPU of every pod, as the resource metrics API tells it.
    pub(crate) fn metrics(&mut self, sample: Option<CpuSample>, now: f64) {
        for pod in &mut self.pods {
            pod.cpu = match sample {
                // Two scrapes before there is a rate.
                Some(_) if now - pod.created < FIRST_METRIC => None,
                Some(sample) if pod.ready => Some(sample),
                Some(sample) => Some(CpuSample { share: 0.0, ..sample }),
                None => None,
            };
        }
    }

    pub(crate) fn pods(&self) -> &[Pod] {
        &self.pods
    }

    pub(crate) fn wanted(&self) -> u32 {
        self.wanted
    }

    pub(crate) fn ready(&self) -> u32 {
        self.ready
    }

    /// Pods that were asked for early enough to be ready, were the cluster well: what a scaler answers for.
    pub(crate) fn due(&self) -> u32 {
        self.due_count
    }

    /// Ready pods that traffic reaches.
    pub(crate) fn served(&self) -> u32 {
        match self.unserved_since {
            None => self.ready,
            Some(since) => count(self.pods.iter().filter(|pod| pod.ready && pod.created < since).count()),
        }
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    fn count(&mut self, now: f64) {
        self.ready = count(self.pods.iter().filter(|pod| pod.ready).count());
        self.due_count = count(self.due.iter().filter(|due| **due <= now).count());
    }

    /// Unready before ready, the youngest of each first.
    fn first_to_go(&self) -> usize {
        if self.oldest_go_first {
            return 0;
        }
        self.pods.iter().rposition(|pod| !pod.ready).unwrap_or_else(|| self.pods.len().saturating_sub(1))
    }
}

fn count(pods: usize) -> u32 {
    u32::try_from(pods).unwrap_or(u32::MAX)
}

/// Seconds: older than any start-up rule of any scaler.
const LONG_AGO: f64 = 86_400.0;

/// Seconds from a pod's creation to its first sample in the resource metrics API.
const FIRST_METRIC: f64 = 30.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(now: f64) -> Sky {
        Sky::calm(now, 15.0, 0.0)
    }

    #[test]
    fn pods_start_after_their_delay_and_the_unready_go_first() {
        let mut pods = Pods::new(3, 60.0, 0.0);
        pods.scale(5, 0.0);
        assert_eq!((pods.ready(), pods.due(), pods.wanted()), (3, 3, 5));
        pods.live(&at(45.0));
        assert_eq!(pods.ready(), 3);
        pods.scale(4, 45.0);
        assert_eq!((pods.ready(), pods.pods().len()), (3, 4), "one that starts goes, not one that works");
        pods.live(&at(60.0));
        assert_eq!((pods.ready(), pods.due()), (4, 4));
    }

    #[test]
    fn what_the_cluster_does_to_pods_is_not_a_scaler_s_fault() {
        let mut pods = Pods::new(4, 60.0, 0.0);
        pods.live(&Sky { unready: 1.0, ..at(15.0) });
        assert_eq!((pods.ready(), pods.due()), (0, 4));
        pods.live(&at(30.0));
        assert_eq!(pods.ready(), 4);
        let failing = |now| Sky { start_failing: true, start_failing_since: 20.0, ..at(now) };
        pods.scale(6, 30.0);
        pods.live(&failing(120.0));
        assert_eq!((pods.ready(), pods.due()), (4, 6));
        pods.scale(7, 120.0);
        pods.live(&at(200.0));
        assert_eq!((pods.ready(), pods.due()), (7, 7));
    }

    #[test]
    fn traffic_that_reaches_only_old_pods_goes_with_them() {
        let mut pods = Pods::new(2, 0.0, 0.0);
        let sky = |now| Sky { unserved_since: Some(10.0), oldest_go_first: true, ..at(now) };
        pods.live(&sky(10.0));
        pods.scale(4, 15.0);
        pods.live(&sky(30.0));
        assert_eq!((pods.ready(), pods.served()), (4, 2));
        pods.scale(3, 45.0);
        assert_eq!((pods.ready(), pods.served()), (3, 1));
    }

    #[test]
    fn a_new_pod_has_no_metric_for_a_while() {
        let mut pods = Pods::new(1, 0.0, 0.0);
        pods.scale(2, 100.0);
        let sample = CpuSample { share: 0.5, at: 115.0, window: 15.0 };
        pods.metrics(Some(sample), 115.0);
        assert_eq!((pods.pods()[0].cpu, pods.pods()[1].cpu), (Some(sample), None));
        pods.metrics(None, 200.0);
        assert_eq!(pods.pods()[0].cpu, None);
    }
}
