//! A Deployment of the port's own: what it asks for becomes pods as on the rig.

use floorkeeper_replay::peers::{Answer, CpuSample, Pod};

use crate::script::{IDLE, START, What, share};

#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) replicas: u32,
    pods: Vec<Kept>,
    load: f64,
    answers: bool,
    pub(crate) bounds: (u32, u32),
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    created: f64,
    broken: bool,
    changed: f64,
    ready: bool,
}

impl Target {
    /// So many pods, ready for a while.
    pub(crate) fn new(pods: &[Pod]) -> Self {
        let kept = |pod: &Pod| Kept { created: pod.created, broken: false, changed: pod.changed, ready: pod.ready };
        let replicas = u32::try_from(pods.len()).unwrap_or(u32::MAX);
        Self { replicas, pods: pods.iter().map(kept).collect(), load: 400.0, answers: true, bounds: (2, 40) }
    }

    pub(crate) fn told(&mut self, what: What, at: f64) {
        self.pass(at);
        match what {
            What::Load(load) => self.load = load,
            What::Empty | What::Failing => self.answers = false,
            What::Normal => self.answers = true,
            What::Bounds(min, max) => self.bounds = (min, max),
            What::Break => {
                let half = self.pods.len() / 2;
                for pod in self.pods.iter_mut().take(half) {
                    (pod.broken, pod.ready, pod.changed) = (true, false, at.floor());
                }
            }
            What::Heal => {
                for pod in self.pods.iter_mut().filter(|pod| pod.broken) {
                    (pod.broken, pod.ready, pod.changed) = (false, true, at.floor());
                }
            }
        }
    }

    pub(crate) fn scale(&mut self, replicas: u32, at: f64) {
        self.replicas = replicas;
        let wanted = replicas as usize;
        // A ReplicaSet lets unready ones go first, then the younger ones.
        while self.pods.len() > wanted {
            let first = self
                .pods
                .iter()
                .enumerate()
                .min_by(|(_, a), (_, b)| a.ready.cmp(&b.ready).then(b.created.total_cmp(&a.created)));
            let Some(index) = first.map(|(index, _)| index) else { break };
            self.pods.remove(index);
        }
        let young = Kept { created: at.floor(), broken: false, changed: at.floor(), ready: false };
        self.pods.resize(wanted, young);
    }

    /// Pods become ready.
    pub(crate) fn pass(&mut self, now: f64) {
        for pod in self.pods.iter_mut().filter(|pod| !pod.ready && !pod.broken) {
            if now >= pod.created + START + STAGES {
                (pod.ready, pod.changed) = (true, (pod.created + START + STAGES).floor());
            }
        }
    }

    pub(crate) fn pods(&self, now: f64) -> Vec<Pod> {
        let used = share(self.load, self.pods.iter().filter(|pod| pod.ready).count());
        let pod = |kept: &Kept| {
            let share = if kept.broken { IDLE } else { used };
            let cpu = self.answers.then_some(CpuSample { share, at: now.floor(), window: 15.0 });
            Pod { created: kept.created, ready: kept.ready, changed: kept.changed, cpu }
        };
        self.pods.iter().map(pod).collect()
    }

    pub(crate) fn answer(&self) -> Answer {
        if self.answers { Answer::Value(self.load) } else { Answer::Error }
    }
}

/// From the write of `/scale` to a Running pod: ReplicaSet, scheduler, kwok, and the whole seconds of its start time.
const STAGES: f64 = 0.7;
