//! A lane: one scaler with workloads of its own under the same sky, measured and judged.

use floorkeeper_core::{Decision, Policy};
use floorkeeper_sim::scenario::{Broken, ClusterFault, Fault, Judge, OperatorFault, SourceFault, What};
use floorkeeper_sim::{Measure, Moment, Report, Scenario, Trace};

use crate::guarded::Guarded;
use crate::keeper::Keeper;
use crate::peers::{self, Hpa, Peer, Sight, Terms};
use crate::pipeline::timestamp;
use crate::play::wanted;
use crate::scaler::Scaler;
use crate::sky::Sky;
use crate::workload::Workload;

/// One scaler, running.
pub(crate) struct Lane {
    pub(crate) scaler: Scaler,
    workloads: Vec<Workload>,
    hand: Hand,
    epoch: f64,
    measure: Measure,
    pub(crate) judge: Judge,
    onset: f64,
}

/// Who writes `spec.replicas`.
enum Hand {
    Floorkeeper(Box<Keeper>),
    Hpa(Box<Guarded>),
    /// Any other peer; when it looks again, and what it was told.
    Peer {
        peer: Option<Box<dyn Peer>>,
        next: f64,
        terms: Terms,
    },
}

impl Lane {
    pub(crate) fn new(scaler: Scaler, scenario: &Scenario, policy: &Policy, replicas: u32, start: f64) -> Self {
        let epoch = scenario.start();
        let remembers = scenario.faults.iter().any(|fault| {
            matches!(
                fault.what,
                What::Source(SourceFault::Delay { .. }) | What::Operator(OperatorFault::Kill | OperatorFault::Restart)
            )
        });
        let copies = if scaler.is_floorkeeper() { scenario.copies } else { 1 };
        let spec = &scenario.service;
        let terms = Terms::from(spec);
        let workload = Workload::new(spec, replicas, start, epoch, remembers);
        let workloads = vec![workload; copies as usize];
        let hand = match scaler {
            Scaler::Floorkeeper | Scaler::FloorkeeperGuard => {
                let guard = scaler == Scaler::FloorkeeperGuard;
                let guarded = (0..copies).map(|_| guard.then(|| Guarded::new(Hpa::on_cpu(&terms))));
                let mut keeper = Keeper::new(policy, guarded.collect(), true);
                keeper.begin(&workloads, start);
                Hand::Floorkeeper(Box::new(keeper))
            }
            Scaler::HpaCpu => Hand::Hpa(Box::new(Guarded::new(Hpa::on_cpu(&terms)))),
            Scaler::HpaLoad => Hand::Hpa(Box::new(Guarded::new(Hpa::on_load(&terms)))),
            Scaler::Keda
            | Scaler::KedaNullError
            | Scaler::KedaFallback
            | Scaler::KedaFallbackCurrentIfHigher
            | Scaler::Tortoise
            | Scaler::Estafette
            | Scaler::StaticPeak
            | Scaler::Oracle => Hand::Peer { peer: peers::peer(scaler.name(), &terms), next: f64::MIN, terms },
        };
        let onset = scenario.fault_span().map_or(0.0, |(from, _)| from);
        let measure = Measure::new(spec.capacity);
        Self { scaler, workloads, hand, epoch, measure, judge: Judge::new(scenario), onset }
    }

    /// The days before, which were like any: what each hour needed stood.
    pub(crate) fn remember(&mut self, scenario: &Scenario, past: &Trace) {
        let peer = match &mut self.hand {
            Hand::Peer { peer: Some(peer), .. } => peer,
            Hand::Floorkeeper(keeper) => {
                let at = |time: f64| timestamp(self.epoch + time);
                return keeper.remember(past.points().iter().map(|&(time, load)| (at(time), load)).collect());
            }
            Hand::Peer { peer: None, .. } | Hand::Hpa(_) => return,
        };
        let mut hour = f64::NEG_INFINITY;
        for &(time, load) in past.points() {
            if time >= hour + 3_600.0 {
                hour = time;
                peer.remember(self.epoch + time, wanted(scenario, load));
            }
        }
    }

    /// One tick, with what happens once in it.
    pub(crate) fn step(&mut self, sky: &Sky, once: &[&Fault], base: &Sight<'_>) {
        let cpu = !matches!(self.scaler, Scaler::Floorkeeper);
        for workload in &mut self.workloads {
            workload.begin(sky, cpu);
        }
        for fault in once {
            self.happen(fault, sky);
        }
        match &mut self.hand {
            Hand::Floorkeeper(keeper) => keeper.step(&mut self.workloads, sky, base),
            Hand::Hpa(hpa) => {
                for workload in &mut self.workloads {
                    if let Some(to) = hpa.sync(workload, sky, base) {
                        workload.pods.scale(to, sky.now);
                    }
                }
            }
            Hand::Peer { peer, next, .. } => {
                if let (Some(workload), Some(peer)) = (self.workloads.first_mut(), peer)
                    && sky.now >= *next
                {
                    *next = sky.now + peer.period();
                    if let Some(to) = peer.sync(&workload.sight(sky, base)) {
                        workload.pods.scale(to, sky.now);
                    }
                }
            }
        }
        if sky.now >= 0.0 {
            self.measure(sky);
        }
        for workload in &mut self.workloads {
            workload.end(sky);
        }
    }

    pub(crate) fn replicas(&self) -> u32 {
        self.workloads.first().map_or(0, |workload| workload.pods.wanted())
    }

    /// In service, were the cluster well.
    pub(crate) fn ready(&self) -> u32 {
        self.workloads.first().map_or(0, |workload| workload.pods.due())
    }

    /// floorkeeper's last decision.
    pub(crate) fn decision(&self) -> Option<&Decision> {
        match &self.hand {
            Hand::Floorkeeper(keeper) => keeper.decision(),
            Hand::Hpa(_) | Hand::Peer { .. } => None,
        }
    }

    pub(crate) fn report(&self) -> Report {
        self.measure.report()
    }

    /// What of the pass condition is broken. Alarms are asked of floorkeeper only: no peer has any.
    pub(crate) fn broken(&self) -> Vec<Broken> {
        let alarms = match &self.hand {
            Hand::Floorkeeper(keeper) => Some(keeper.alarms() as usize),
            Hand::Hpa(_) | Hand::Peer { .. } => None,
        };
        self.judge.broken(&self.report(), alarms)
    }

    fn measure(&mut self, sky: &Sky) {
        let Some(workload) = self.workloads.first() else { return };
        let moment = Moment {
            minute: sky.minute,
            lasts: sky.lasts / 60.0,
            offered: sky.answerable,
            ready: workload.pods.due(),
            replicas: workload.pods.wanted(),
        };
        self.measure.add(&moment);
        self.judge.see(&moment);
        if let Hand::Floorkeeper(keeper) = &self.hand
            && keeper.alarms() > 0
            && sky.minute > self.onset
        {
            self.measure.alarm(sky.minute);
        }
    }

    fn happen(&mut self, fault: &Fault, sky: &Sky) {
        match &fault.what {
            What::Source(SourceFault::Restart { empty }) => {
                if *empty {
                    self.workloads.iter_mut().for_each(|workload| workload.pipeline.lose());
                }
            }
            What::Cluster(ClusterFault::ReapplyReplicas { replicas }) => match &self.hand {
                Hand::Floorkeeper(keeper) => {
                    for (place, workload) in self.workloads.iter_mut().enumerate() {
                        keeper.foreign_scale(place, workload, *replicas, sky.now);
                    }
                }
                // The oracle knows of that too.
                Hand::Peer { .. } if self.scaler == Scaler::Oracle => {}
                Hand::Hpa(_) | Hand::Peer { .. } => {
                    self.workloads.iter_mut().for_each(|workload| workload.pods.scale(*replicas, sky.now));
                }
            },
            What::Cluster(ClusterFault::EditMinReplicas { replicas }) => match &mut self.hand {
                Hand::Floorkeeper(keeper) => keeper.edit_minimum(*replicas, timestamp(self.epoch + sky.now)),
                Hand::Hpa(hpa) => hpa.edit_minimum(*replicas),
                Hand::Peer { .. } if self.scaler == Scaler::Oracle => {}
                Hand::Peer { peer, terms, .. } => {
                    terms.min = *replicas;
                    *peer = peers::peer(self.scaler.name(), terms);
                }
            },
            What::Cluster(ClusterFault::ScalerDeleted) => {
                if let Hand::Floorkeeper(keeper) = &mut self.hand {
                    keeper.delete_scaler();
                }
            }
            What::Cluster(ClusterFault::PolicyRecreated) => match &mut self.hand {
                Hand::Floorkeeper(keeper) => keeper.recreate(timestamp(self.epoch + sky.now)),
                Hand::Hpa(hpa) => hpa.restart(sky.now),
                Hand::Peer { peer, terms, .. } => *peer = peers::peer(self.scaler.name(), terms),
            },
            What::Operator(OperatorFault::Kill) => self.die(sky, TAKEOVER),
            What::Operator(OperatorFault::Restart) => self.die(sky, HANDOVER),
            What::Operator(OperatorFault::Pin { replicas }) => {
                let now = timestamp(self.epoch + sky.now);
                let until = timestamp(self.epoch + fault.end() * 60.0);
                match &mut self.hand {
                    Hand::Floorkeeper(keeper) => keeper.pin(*replicas, now, until),
                    Hand::Hpa(_) | Hand::Peer { .. } => {
                        self.workloads.iter_mut().for_each(|workload| workload.pods.scale(*replicas, sky.now));
                    }
                }
            }
            What::Load(_)
            | What::Service(_)
            | What::Source(_)
            | What::Cluster(
                ClusterFault::Unready { .. }
                | ClusterFault::Flapping { .. }
                | ClusterFault::StartFailing
                | ClusterFault::Unserved,
            ) => {}
        }
    }

    /// floorkeeper's process ends. A peer keeps nothing but what its port keeps: it starts anew.
    fn die(&mut self, sky: &Sky, seconds: f64) {
        match &mut self.hand {
            Hand::Floorkeeper(keeper) => keeper.die(sky.now, seconds),
            Hand::Hpa(hpa) => hpa.restart(sky.now + seconds),
            Hand::Peer { .. } if self.scaler == Scaler::Oracle => {}
            Hand::Peer { peer, next, terms } => {
                *peer = peers::peer(self.scaler.name(), terms);
                *next = sky.now + seconds;
            }
        }
    }
}

/// Seconds until another process has the lease of one that was killed, and has read what it needs.
const TAKEOVER: f64 = 20.0;

/// Seconds from a clean stop, which gives the lease back, to the next process.
const HANDOVER: f64 = 5.0;
