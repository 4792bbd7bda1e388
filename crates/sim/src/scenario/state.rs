//! What the faults that last at a minute add up to.

use super::Scenario;
use super::fault::{ClusterFault, Fault, LoadFault, Odd, OperatorFault, Series, ServiceFault, SourceFault, What};
use crate::number::{amount, share};
use crate::service::Inputs;
use crate::trace::Trace;

/// What a source says about one series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said {
    /// The truth times this.
    pub factor: f64,
    /// Share of the series that are gone; 1: an empty answer.
    pub missing: f64,
    pub odd: Option<Odd>,
    /// Minutes late.
    pub late: f64,
    /// Minutes ahead.
    pub ahead: f64,
}

impl Scenario {
    /// The faults that last at this minute.
    pub fn active(&self, minute: f64) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(move |fault| fault.lasts_at(minute))
    }

    /// The faults that happen once, after `from` and not after `to`.
    pub fn once(&self, from: f64, to: f64) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(move |fault| fault.to.is_none() && fault.from > from && fault.from <= to)
    }

    /// What clients offer: the trace's load under the faults of the load.
    #[must_use]
    pub fn offered(&self, traced: f64, minute: f64) -> f64 {
        self.active(minute).fold(amount(traced), |load, fault| match &fault.what {
            What::Load(LoadFault::Scale { factor, ramp }) => {
                load * amount(1.0 + (amount(*factor) - 1.0) * fault.grown(minute, *ramp))
            }
            What::Service(_) | What::Source(_) | What::Cluster(_) | What::Operator(_) => load,
        })
    }

    /// How much the load of the spans that are hidden from whoever measures it passes what was there before them, at most:
    /// 1.2 is a fifth. A fall of the load hides too what comes back after it. Nobody can know of such growth, so a scenario is
    /// judged where there is little of it. `trace`: seconds from minute 0.
    #[must_use]
    pub fn hidden_growth(&self, trace: &Trace) -> f64 {
        let mut spans: Vec<(f64, f64)> =
            self.faults.iter().filter(|fault| fault.what.hides()).map(|fault| (fault.from, fault.end())).collect();
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut joined: Vec<(f64, f64)> = Vec::new();
        for (from, to) in spans {
            match joined.last_mut() {
                // What is seen between two spans that are near each other is not enough to know anything by.
                Some(last) if from <= last.1 + SETTLED => last.1 = last.1.max(to),
                Some(_) | None => joined.push((from, to)),
            }
        }
        let most = |from: f64, to: f64| {
            let mut most = 0.0_f64;
            let mut minute = from;
            while minute <= to {
                most = most.max(trace.at(minute * 60.0));
                minute += 0.5;
            }
            most
        };
        let growth = |&(from, to): &(f64, f64)| {
            let before = most(from - 5.0, from - 1.0);
            if before > 0.0 { most(from, to + SETTLED) / before } else { 1.0 }
        };
        joined.iter().map(growth).fold(1.0, f64::max)
    }

    /// The service's inputs under the faults of the service.
    #[must_use]
    pub fn inputs(&self, offered: f64, ready: u32, minute: f64) -> Inputs {
        let mut inputs = Inputs::calm(offered, ready);
        for fault in self.active(minute) {
            match &fault.what {
                What::Service(ServiceFault::Errors { share: failed, ramp, error_cpu }) => {
                    inputs.error_share = inputs.error_share.max(share(*failed) * fault.grown(minute, *ramp));
                    inputs.error_cpu = inputs.error_cpu.min(amount(*error_cpu));
                }
                What::Service(ServiceFault::Capacity { factor }) => inputs.capacity_factor *= amount(*factor),
                What::Service(ServiceFault::Cpu { factor, ramp }) => {
                    inputs.cpu_factor *= amount(1.0 + (amount(*factor) - 1.0) * fault.grown(minute, *ramp));
                }
                What::Load(_) | What::Source(_) | What::Cluster(_) | What::Operator(_) => {}
            }
        }
        inputs
    }

    /// What the source says about a series.
    #[must_use]
    pub fn said(&self, series: Series, minute: f64) -> Said {
        let mut said = Said { factor: 1.0, missing: 0.0, odd: None, late: 0.0, ahead: 0.0 };
        for fault in self.active(minute) {
            let What::Source(fault) = &fault.what else { continue };
            match fault {
                SourceFault::Absent { of } if of.contains(&series) => said.missing = 1.0,
                SourceFault::Zero { of } if of.contains(&series) => said.factor = 0.0,
                SourceFault::Lie { factor, of } if of.contains(&series) => said.factor *= amount(*factor),
                SourceFault::Partial { share: gone, of } if of.contains(&series) => {
                    said.missing = said.missing.max(share(*gone));
                }
                SourceFault::Odd { value, of } if of.contains(&series) => said.odd = Some(*value),
                SourceFault::Delay { minutes, of } if of.contains(&series) => said.late = amount(*minutes),
                SourceFault::Future { minutes, of } if of.contains(&series) => said.ahead = amount(*minutes),
                SourceFault::Absent { .. }
                | SourceFault::Zero { .. }
                | SourceFault::Lie { .. }
                | SourceFault::Partial { .. }
                | SourceFault::Odd { .. }
                | SourceFault::Delay { .. }
                | SourceFault::Future { .. }
                | SourceFault::Outage
                | SourceFault::Restart { .. } => {}
            }
        }
        said
    }

    /// The source does not answer.
    #[must_use]
    pub fn source_is_down(&self, minute: f64) -> bool {
        self.active(minute).any(|fault| fault.what == What::Source(SourceFault::Outage))
    }

    /// Share of the pods that are unready now.
    #[must_use]
    pub fn unready_share(&self, minute: f64) -> f64 {
        self.active(minute)
            .map(|fault| match &fault.what {
                What::Cluster(ClusterFault::Unready { share: gone }) => share(*gone),
                What::Cluster(ClusterFault::Flapping { share: gone, every_seconds }) => {
                    let turn = ((minute - fault.from) * 60.0 / amount(*every_seconds).max(1.0)).rem_euclid(2.0);
                    if turn < 1.0 { share(*gone) } else { 0.0 }
                }
                What::Load(_) | What::Service(_) | What::Source(_) | What::Cluster(_) | What::Operator(_) => 0.0,
            })
            .fold(0.0, f64::max)
    }

    /// Since which minute new pods do not start.
    #[must_use]
    pub fn starts_fail_since(&self, minute: f64) -> Option<f64> {
        let failing = self.active(minute).filter(|fault| fault.what == What::Cluster(ClusterFault::StartFailing));
        failing.map(|fault| fault.from).min_by(f64::total_cmp)
    }

    /// Since which minute no traffic reaches new pods.
    #[must_use]
    pub fn unserved_since(&self, minute: f64) -> Option<f64> {
        let unserved = self.active(minute).filter(|fault| fault.what == What::Cluster(ClusterFault::Unserved));
        unserved.map(|fault| fault.from).min_by(f64::total_cmp)
    }

    /// The replicas that a person has pinned.
    #[must_use]
    pub fn pinned(&self, minute: f64) -> Option<u32> {
        self.active(minute).find_map(|fault| match &fault.what {
            What::Operator(OperatorFault::Pin { replicas }) => Some(*replicas),
            What::Load(_) | What::Service(_) | What::Source(_) | What::Cluster(_) | What::Operator(_) => None,
        })
    }
}

/// Minutes after a fault until everything is seen as it is again: a window of a rate, and a pod's start.
const SETTLED: f64 = 6.0;
