//! One workload's pods and the HPA that scales it.

use std::collections::VecDeque;
use std::time::Duration;

use floorkeeper_core::{Bounds, Idle, Kept, Rollout, Scaler, ScalerKind, Target, Timestamp};

/// A workload in the cluster.
#[derive(Clone, Debug)]
pub(crate) struct Pods {
    uid: String,
    version: u64,
    pub replicas: u32,
    ready: u32,
    /// Pods that become ready then.
    starting: VecDeque<Timestamp>,
    /// How many of the pods that should be ready are not.
    pub broken: u32,
    pub rollout: Rollout,
    pub template: u64,
    start_delay: Duration,
}

impl Pods {
    pub(crate) fn new(uid: &str, replicas: u32, start_delay: Duration) -> Self {
        Self {
            uid: uid.to_owned(),
            version: 1,
            replicas,
            ready: replicas,
            starting: VecDeque::new(),
            broken: 0,
            rollout: Rollout::Done,
            template: 1,
            start_delay,
        }
    }

    /// `spec.replicas` is written.
    pub(crate) fn scale(&mut self, to: u32, now: Timestamp) {
        self.version += 1;
        let running = self.ready + self.starting.len() as u32;
        for _ in running..to {
            self.starting.push_back(now.plus(self.start_delay));
        }
        // Pods that start are the first to go.
        for _ in to..running {
            if self.starting.pop_back().is_none() {
                self.ready -= 1;
            }
        }
        self.replicas = to;
    }

    /// Time passes: pods become ready.
    pub(crate) fn live(&mut self, now: Timestamp) {
        while self.starting.front().is_some_and(|&at| at <= now) {
            self.starting.pop_front();
            self.ready += 1;
            self.version += 1;
        }
    }

    pub(crate) fn ready(&self) -> u32 {
        self.ready.saturating_sub(self.broken)
    }

    pub(crate) fn version(&self) -> String {
        format!("{}-{}", self.uid, self.version)
    }

    pub(crate) fn seen(&self) -> Target {
        Target {
            uid: self.uid.as_str().into(),
            version: self.version().into(),
            replicas: self.replicas,
            ready: Some(self.ready()),
            rollout: self.rollout,
            template: self.template,
        }
    }
}

/// The autoscaler under guard: raises to its minimum at once, follows its own wish above it.
#[derive(Clone, Debug)]
pub(crate) struct Hpa {
    version: u64,
    pub min: u32,
    pub max: u32,
    pub kept: Option<Kept>,
    /// What its own metrics ask for.
    pub wish: u32,
    stabilisation: Duration,
    wishes: VecDeque<(Timestamp, u32)>,
    pub owned: bool,
    pub kind: ScalerKind,
    /// A ScaledObject's: while it wishes for nothing it scales to this, unless it is kept awake.
    pub idle: Option<Idle>,
}

impl Hpa {
    pub(crate) fn new(min: u32, max: u32, stabilisation: Duration) -> Self {
        Self {
            version: 1,
            min,
            max,
            kept: None,
            wish: min,
            stabilisation,
            wishes: VecDeque::new(),
            owned: false,
            kind: ScalerKind::HorizontalPodAutoscaler,
            idle: None,
        }
    }

    pub(crate) fn write(&mut self, bounds: Bounds, kept: Option<Kept>) {
        self.version += 1;
        (self.min, self.max, self.kept) = (bounds.min, bounds.max, kept);
        if let Some(idle) = &mut self.idle {
            idle.awake = kept.is_some_and(|kept| kept.awake);
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { min: self.min, max: self.max }
    }

    /// What it sets the replicas to; `None` where it changes nothing.
    pub(crate) fn sync(&mut self, replicas: u32, now: Timestamp) -> Option<u32> {
        if let Some(idle) = self.idle.filter(|idle| !idle.awake && self.wish == 0) {
            return (replicas > idle.replicas).then_some(idle.replicas);
        }
        while self.wishes.front().is_some_and(|&(at, _)| now.since(at) > self.stabilisation) {
            self.wishes.pop_front();
        }
        self.wishes.push_back((now, self.wish));
        if replicas == 0 {
            // An HPA leaves what was scaled to zero alone.
            return None;
        }
        let highest = self.wishes.iter().map(|&(_, wish)| wish).max().unwrap_or(self.wish);
        let wanted = if self.wish > replicas { self.wish } else { highest.min(replicas) };
        let to = wanted.max(self.min).min(self.max);
        (to != replicas).then_some(to)
    }

    pub(crate) fn version(&self) -> String {
        format!("h{}", self.version)
    }

    pub(crate) fn seen(&self) -> Scaler {
        Scaler {
            kind: self.kind,
            name: "web".into(),
            uid: "hpa".into(),
            version: self.version().into(),
            min: self.min,
            max: self.max,
            idle: self.idle,
            kept: self.kept,
            owned: self.owned,
        }
    }
}
