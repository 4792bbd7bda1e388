//! A model of one service behind an edge proxy, with what makes incidents dangerous: errors that cost little CPU,
//! pods that collapse beyond their limit, queues, and clients that come back.
//!
//! All rates are a second. With `L` offered by clients, `n` ready pods, `c` capacity a pod (what a pod carries safely)
//! and `e` the share of requests that the service itself fails:
//!
//! ```text
//! retries   r = waiting * (1 - exp(-dt / backoff)) / dt        clients come back after about `backoff`
//! arriving  A = L + r                                          what the edge proxy counts
//! cost      w = (1 - e) + e * errorCpu                         work in one request; a failed one costs little
//! limit     K = n * c * burst / w                              beyond the safe capacity there is some room
//! strain    s = (A + queue / dt) / K
//! done      D = min(A + queue / dt, K)            if s <= 1    collapse: the further beyond, the less gets done
//!               K / (1 + collapse * (s - 1))      if s >  1
//! queue       = min(A * dt + queue - D * dt, n * c * queueSeconds)      the rest is refused
//! failed    F = e * D + refused        served S = (1 - e) * D
//! waiting    += (F * retryShare - r) * dt, at most L * retryLimit * backoff
//! cpu       u = cpuAtCapacity * D * w / (n * c), and cpuAtCapacity * burst where s > 1
//! ```
//!
//! Errors cost less CPU, so a CPU autoscaler removes pods; when the error is repaired the cost returns at once, `s`
//! passes 1, the collapse and the retries keep it there. That is the metastable failure.

use serde::{Deserialize, Serialize};

use crate::number::{amount, share};

/// What a service is like. Scenario files set what matters to them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceSpec {
    /// Load that one pod carries safely, requests a second. The policy and the autoscalers are told this number.
    pub capacity: f64,
    /// Bounds that every autoscaler is given.
    pub min: u32,
    pub max: u32,
    /// Minutes from the creation of a pod until it is ready.
    #[serde(default)]
    pub start_delay: f64,
    /// Room that autoscalers are asked to keep above the load, percent.
    #[serde(default = "defaults::headroom_percent")]
    pub headroom_percent: u32,
    /// CPU of a pod at `capacity`, as a share of its request.
    #[serde(default = "defaults::cpu_at_capacity")]
    pub cpu_at_capacity: f64,
    /// How far beyond `capacity` a pod can go at all.
    #[serde(default = "defaults::burst")]
    pub burst: f64,
    /// How much work is lost beyond that limit.
    #[serde(default = "defaults::collapse")]
    pub collapse: f64,
    /// Seconds of its capacity that a pod queues before it refuses.
    #[serde(default = "defaults::queue_seconds")]
    pub queue_seconds: f64,
    /// Share of failed requests whose client tries again.
    #[serde(default)]
    pub retry_share: f64,
    /// Seconds until it does.
    #[serde(default = "defaults::backoff_seconds")]
    pub backoff_seconds: f64,
    /// Retries never pass this many times the offered load.
    #[serde(default = "defaults::retry_limit")]
    pub retry_limit: f64,
}

/// The state of one running service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    spec: ServiceSpec,
    queue: f64,
    waiting: f64,
}

/// What the world does to the service in this tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inputs {
    /// Requests a second that clients begin.
    pub offered: f64,
    pub ready: u32,
    /// Share of the work that fails by an error of the service or of what it depends on.
    pub error_share: f64,
    /// CPU of a failed request against a good one.
    pub error_cpu: f64,
    /// CPU of every request against usual: below 1 where pods wait for something else.
    pub cpu_factor: f64,
    /// What a pod can carry against usual.
    pub capacity_factor: f64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outputs {
    /// Requests a second at the edge, retries included.
    pub arriving: f64,
    pub served: f64,
    pub failed: f64,
    pub retries: f64,
    /// CPU of each pod as a share of its request.
    pub cpu: f64,
    /// Requests that wait in queues.
    pub backlog: f64,
    /// Arriving work against the limit; above 1 pods collapse.
    pub strain: f64,
}

impl Service {
    #[must_use]
    pub fn new(spec: ServiceSpec) -> Self {
        Self { spec, queue: 0.0, waiting: 0.0 }
    }

    #[must_use]
    pub fn spec(&self) -> &ServiceSpec {
        &self.spec
    }

    /// `seconds` pass.
    pub fn step(&mut self, inputs: &Inputs, seconds: f64) -> Outputs {
        let dt = amount(seconds).clamp(SHORTEST, LONGEST);
        let offered = amount(inputs.offered);
        let pods = f64::from(inputs.ready);
        let carried = pods * amount(self.spec.capacity) * amount(inputs.capacity_factor);
        let errors = share(inputs.error_share);
        let cost = ((1.0 - errors) + errors * amount(inputs.error_cpu)).max(CHEAPEST);
        let burst = amount(self.spec.burst).max(1.0);
        let backoff = amount(self.spec.backoff_seconds).max(SHORTEST);

        let retries = self.waiting * (1.0 - (-dt / backoff).exp()) / dt;
        let arriving = offered + retries;
        let asked = arriving + self.queue / dt;
        let limit = carried * burst / cost;
        let strain =
            if limit > 0.0 { (asked / limit).min(HOPELESS) } else { f64::from(u8::from(asked > 0.0)) * HOPELESS };
        let done = if strain <= 1.0 { asked } else { limit / (1.0 + amount(self.spec.collapse) * (strain - 1.0)) };

        let left = (asked - done).max(0.0) * dt;
        self.queue = left.min(carried * amount(self.spec.queue_seconds));
        let refused = (left - self.queue).max(0.0) / dt;
        let failed = errors * done + refused;
        let most = offered * amount(self.spec.retry_limit) * backoff;
        self.waiting = amount(self.waiting + (failed * share(self.spec.retry_share) - retries) * dt).min(most);

        let busy = if strain > 1.0 { burst } else { done * cost / (pods * amount(self.spec.capacity)).max(SHORTEST) };
        let cpu = if inputs.ready == 0 { 0.0 } else { amount(self.spec.cpu_at_capacity) * busy.min(burst) };
        Outputs {
            arriving,
            served: (1.0 - errors) * done,
            failed,
            retries,
            cpu: cpu * amount(inputs.cpu_factor),
            backlog: self.queue,
            strain,
        }
    }
}

impl Inputs {
    /// A service without faults.
    #[must_use]
    pub fn calm(offered: f64, ready: u32) -> Self {
        Self { offered, ready, error_share: 0.0, error_cpu: 1.0, cpu_factor: 1.0, capacity_factor: 1.0 }
    }
}

mod defaults {
    /// The policy's own default.
    pub(super) fn headroom_percent() -> u32 {
        25
    }
    /// Requests sized so that a pod at its safe capacity uses most, not all, of what it asked for.
    pub(super) fn cpu_at_capacity() -> f64 {
        0.7
    }
    /// A load test usually ends a third above the capacity that people dare to plan with.
    pub(super) fn burst() -> f64 {
        1.3
    }
    /// At twice its limit a pod does two thirds of it.
    pub(super) fn collapse() -> f64 {
        0.5
    }
    /// A proxy's usual patience.
    pub(super) fn queue_seconds() -> f64 {
        2.0
    }
    pub(super) fn backoff_seconds() -> f64 {
        30.0
    }
    /// Clients that try three times.
    pub(super) fn retry_limit() -> f64 {
        2.0
    }
}

/// Ticks shorter than a millisecond or longer than a day are a player's mistake; the model stays finite.
const SHORTEST: f64 = 1e-3;
const LONGEST: f64 = 86_400.0;

/// Even an immediate failure costs something.
const CHEAPEST: f64 = 1e-3;

/// Strain of a service without any pod; nothing is worse.
const HOPELESS: f64 = 1e6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec() -> ServiceSpec {
        ServiceSpec {
            capacity: 100.0,
            min: 2,
            max: 50,
            start_delay: 1.0,
            headroom_percent: 25,
            cpu_at_capacity: 0.7,
            burst: 1.3,
            collapse: 0.5,
            queue_seconds: 0.0,
            retry_share: 0.0,
            backoff_seconds: 10.0,
            retry_limit: 2.0,
        }
    }

    #[test]
    fn a_calm_service_serves_what_is_offered() {
        let out = Service::new(spec()).step(&Inputs::calm(800.0, 10), 1.0);
        assert_eq!((out.arriving, out.served, out.failed), (800.0, 800.0, 0.0));
        assert!((out.cpu - 0.56).abs() < 1e-9, "{}", out.cpu);
    }

    #[test]
    fn errors_cost_less_cpu_so_a_broken_service_looks_idle() {
        let broken = Inputs { error_share: 1.0, error_cpu: 0.1, ..Inputs::calm(800.0, 10) };
        let out = Service::new(spec()).step(&broken, 1.0);
        assert_eq!((out.served, out.failed), (0.0, 800.0));
        assert!((out.cpu - 0.056).abs() < 1e-9, "{}", out.cpu);
    }

    #[test]
    fn beyond_its_limit_a_service_does_less_than_its_limit_and_its_cpu_is_pinned() {
        let out = Service::new(spec()).step(&Inputs::calm(1_000.0, 2), 1.0);
        assert!(out.served < 2.0 * 100.0 * 1.3 && out.strain > 3.0, "{out:?}");
        assert!((out.served + out.failed - 1_000.0).abs() < 1e-9);
        assert!((out.cpu - 0.91).abs() < 1e-9, "{}", out.cpu);
    }

    #[test]
    fn clients_come_back_and_their_retries_keep_a_small_service_down() {
        let mut service = Service::new(ServiceSpec { retry_share: 1.0, ..spec() });
        for _ in 0..60 {
            service.step(&Inputs::calm(500.0, 3), 1.0);
        }
        let small = service.step(&Inputs::calm(390.0, 3), 1.0);
        assert!(small.retries > 100.0 && small.strain > 1.0, "390 a second fit 3 pods, the retries do not: {small:?}");
        for _ in 0..120 {
            service.step(&Inputs::calm(390.0, 30), 1.0);
        }
        assert!(service.step(&Inputs::calm(390.0, 30), 1.0).retries < 1.0, "with enough pods the wave ends");
    }

    #[test]
    fn a_queue_drains() {
        let mut service = Service::new(ServiceSpec { queue_seconds: 5.0, ..spec() });
        assert!(service.step(&Inputs::calm(1_400.0, 10), 1.0).backlog > 0.0);
        for _ in 0..10 {
            service.step(&Inputs::calm(500.0, 10), 1.0);
        }
        assert_eq!(service.step(&Inputs::calm(500.0, 10), 1.0).backlog, 0.0);
    }

    proptest! {
        #[test]
        fn any_input_gives_finite_numbers_that_are_not_negative(
            steps in proptest::collection::vec((any::<[f64; 5]>(), any::<u32>(), any::<f64>()), 1..8), numbers: [f64; 8],
        ) {
            let [capacity, cpu_at_capacity, burst, collapse, queue_seconds, retry_share, backoff_seconds, retry_limit] = numbers;
            let any_spec = ServiceSpec {
                capacity, cpu_at_capacity, burst, collapse, queue_seconds, retry_share, backoff_seconds, retry_limit, ..spec()
            };
            let mut service = Service::new(any_spec);
            for ([offered, error_share, error_cpu, cpu_factor, capacity_factor], ready, dt) in steps {
                let inputs = Inputs { offered, ready, error_share, error_cpu, cpu_factor, capacity_factor };
                let out = service.step(&inputs, dt);
                for number in [out.arriving, out.served, out.failed, out.retries, out.cpu, out.backlog, out.strain] {
                    prop_assert!(number.is_finite() && number >= 0.0, "{out:?}");
                }
            }
        }

        #[test]
        fn what_arrives_is_served_failed_or_queued(offered in 0.0..5_000.0_f64, ready in 0_u32..50, errors in 0.0..1.0_f64) {
            let inputs = Inputs { error_share: errors, error_cpu: 0.2, ..Inputs::calm(offered, ready) };
            let out = Service::new(spec()).step(&inputs, 1.0);
            prop_assert!((out.served + out.failed + out.backlog - offered).abs() < 1e-6, "{out:?}");
        }
    }
}
