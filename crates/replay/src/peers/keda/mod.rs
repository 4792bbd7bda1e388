//! KEDA: a Prometheus trigger on a load, an HPA behind it, and a hand of its own between zero and one.
//!
//! kedacore/keda 8b4f083 (2.21, unreleased). The same query runs twice: every polling interval for the activity, and for
//! every sync of the HPA through KEDA's metrics server (`useCachedMetrics` is false by default), and both count failures.
//! What the port leaves out: other triggers, scaling modifiers, pausing, several triggers.

mod executor;
mod fallback;
mod prometheus;
#[cfg(test)]
mod rows;

pub use fallback::{Fallback, FallbackBehavior, Target};

use executor::{Activity, Executor};
use fallback::{Given, Health};
use prometheus::QueryFailed;

use super::hpa::{Controller, Flags, Metric, PodView, Reading, Spec, count, scene, unsigned};
use super::{Peer, Sight, Signal, Terms};

/// `ScaledObject.spec`, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaledObject {
    /// `minReplicaCount`; with 0 the HPA keeps one and KEDA itself goes to zero.
    pub min: i32,
    /// `maxReplicaCount`.
    pub max: i32,
    /// `idleReplicaCount`.
    pub idle: Option<i32>,
    /// Seconds, `pollingInterval`.
    pub polling: f64,
    /// Seconds without activity before zero, `cooldownPeriod`.
    pub cooldown: f64,
    pub initial_cooldown: f64,
    pub threshold: Target,
    /// `activationThreshold` of the trigger.
    pub activation: f64,
    /// `ignoreNullValues` of the trigger.
    pub ignore_null_values: bool,
    pub fallback: Option<Fallback>,
}

/// One of KEDA's four forms in the tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Keda {
    name: &'static str,
    object: ScaledObject,
    signal: Signal,
    controller: Controller,
    executor: Executor,
    health: Health,
    /// Room for the pods, whose readiness a `Value` target needs.
    views: Vec<PodView>,
    /// When the triggers are polled next; `None`: at once.
    next_poll: Option<f64>,
}

impl ScaledObject {
    /// Everything by default, with a threshold that keeps the headroom of `terms`.
    #[must_use]
    pub fn new(terms: &Terms) -> Self {
        Self {
            min: count(terms.min),
            max: count(terms.max),
            idle: None,
            polling: 30.0,
            cooldown: 300.0,
            initial_cooldown: 0.0,
            threshold: Target::AverageValue(terms.per_replica_milli()),
            activation: 0.0,
            ignore_null_values: true,
            fallback: None,
        }
    }
}

impl Keda {
    /// `keda`: everything by default.
    #[must_use]
    pub fn new(terms: &Terms) -> Self {
        Self::with("keda", terms, ScaledObject::new(terms))
    }

    /// `keda-null-error`: `ignoreNullValues: "false"`.
    #[must_use]
    pub fn null_is_an_error(terms: &Terms) -> Self {
        let object = ScaledObject { ignore_null_values: false, ..ScaledObject::new(terms) };
        Self::with("keda-null-error", terms, object)
    }

    /// `keda-fallback`: nulls are errors and three failures in a row lead to a fixed number of replicas.
    #[must_use]
    pub fn falls_back(terms: &Terms) -> Self {
        Self::with("keda-fallback", terms, Self::with_fallback(terms, FallbackBehavior::Static))
    }

    /// `keda-fallback-current-if-higher`: the same, never below what runs.
    #[must_use]
    pub fn falls_back_to_the_higher(terms: &Terms) -> Self {
        let object = Self::with_fallback(terms, FallbackBehavior::CurrentReplicasIfHigher);
        Self::with("keda-fallback-current-if-higher", terms, object)
    }

    /// Under any name, with any object.
    #[must_use]
    pub fn with(name: &'static str, terms: &Terms, object: ScaledObject) -> Self {
        // `GetHPAMinReplicas`: the HPA is given one where the object says zero.
        let spec = Spec { min: object.min.max(1), max: object.max, behavior: None };
        Self {
            name,
            object,
            signal: terms.signal,
            controller: Controller::new(spec, Flags::default()),
            executor: Executor::default(),
            health: Health::default(),
            views: Vec::new(),
            next_poll: None,
        }
    }

    fn with_fallback(terms: &Terms, behavior: FallbackBehavior) -> ScaledObject {
        let replicas = count(terms.min.midpoint(terms.max));
        let fallback = Some(Fallback { failure_threshold: FAILURES, replicas, behavior });
        ScaledObject { ignore_null_values: false, fallback, ..ScaledObject::new(terms) }
    }

    /// One query, with the fallback where it has failed too often; and whether it says that there is work.
    fn ask(&mut self, sight: &Sight<'_>, current: i32) -> (Result<Given, QueryFailed>, bool) {
        let answer = match self.signal {
            Signal::Load => sight.load,
            Signal::App => sight.app,
        };
        let value = prometheus::value(answer, self.object.ignore_null_values);
        let active = value.is_ok_and(|value| value > self.object.activation);
        let ready = i32::try_from(sight.pods.iter().filter(|pod| pod.ready).count()).unwrap_or(i32::MAX);
        let Self { object: ScaledObject { threshold, fallback, .. }, .. } = *self;
        (self.health.given(value.map(prometheus::quantity), fallback.as_ref(), threshold, (current, ready)), active)
    }

    /// `checkScalers`.
    fn poll(&mut self, sight: &Sight<'_>) -> Option<i32> {
        if self.next_poll.is_some_and(|next| sight.now < next) {
            return None;
        }
        if self.next_poll.is_none() {
            self.executor.created = sight.now;
        }
        self.next_poll = Some(sight.now + self.object.polling);
        let current = count(sight.wanted);
        let (given, active) = self.ask(sight, current);
        let activity = match given {
            Ok(Given { quantity: _, fallback }) => Activity { active: active || fallback, error: false },
            Err(QueryFailed) => Activity { active: false, error: true },
        };
        self.executor.request(&self.object, activity, current, sight.now)
    }
}

impl Peer for Keda {
    fn name(&self) -> &'static str {
        self.name
    }

    fn period(&self) -> f64 {
        self.controller.flags().sync_period
    }

    fn sync(&mut self, sight: &Sight<'_>) -> Option<u32> {
        let polled = self.poll(sight);
        let replicas = polled.unwrap_or_else(|| count(sight.wanted));
        // At zero the HPA is off and asks for nothing.
        let given = if replicas == 0 { Err(QueryFailed) } else { self.ask(sight, replicas).0 };
        let quantity = given.map(|given| given.quantity);
        let reading = quantity.as_ref().map_or(Reading::Failed, |value| Reading::Values(std::slice::from_ref(value)));
        self.views.clear();
        let metric = match self.object.threshold {
            Target::AverageValue(target) => Metric::ExternalAverage(target),
            Target::Value(target) => {
                self.views.extend(sight.pods.iter().map(PodView::from));
                Metric::ExternalValue(target)
            }
        };
        let scene = super::hpa::Scene { replicas, ..scene(sight, &self.views) };
        let desired = self.controller.reconcile(&scene, &[(metric, reading)]);
        desired.or(polled).map(unsigned)
    }
}

/// As in KEDA's own documentation of `fallback`.
const FAILURES: i32 = 3;
