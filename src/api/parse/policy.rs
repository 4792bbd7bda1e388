//! A `ScalingPolicy` and its source's defaults, as core's `Policy`.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use floorkeeper_core::{Errors, Mode, Policy, Signal, TargetKey, Timestamp, UnusualFall, ZeroMeans};

use super::{Mistake, Reader, Surroundings};
use crate::api::quantity::QuantityBounds;
use crate::api::{
    self, Demand, DemandErrors, Distrust, MetricSource, ScaleDown, ScalingPolicy, SharedDemand, SignalSpec,
    UnusualFallSpec, WorkloadRef, limits, text,
};

/// Reads a policy, defaults filled in.
///
/// # Errors
/// Every mistake in it, with path and remedy.
pub fn policy(object: &ScalingPolicy, around: &dyn Surroundings) -> Result<Policy, Vec<Mistake>> {
    let spec = &object.spec;
    let mut reader = Reader::default();
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let target = reader.workload("spec.targetRef", namespace, &spec.target_ref, around);
    let mode = reader.mode(spec);
    let (min_replicas, max_replicas) = reader.bounds(spec);

    let no_demand = Demand::default();
    let demand = spec.demand.as_ref().unwrap_or(&no_demand);
    let default_signal = [SignalSpec { name: DEFAULT_SIGNAL.to_owned(), ..SignalSpec::default() }];
    let specs = if demand.signals.is_empty() { &default_signal[..] } else { &demand.signals[..] };
    reader.text("spec.demand.source", demand.source.as_deref(), text::OBJECT_NAME);
    let pace = around.source(source_of(&specs[0], demand));
    let interval = pace.as_ref().and_then(|source| interval(source)).unwrap_or(INTERVAL);
    let resolution = reader.span("spec.demand.resolution", demand.resolution.as_ref(), limits::RESOLUTION);
    let resolution = resolution.unwrap_or(interval).max(interval);
    let signals = reader.signals(demand, specs, spec.mode, resolution, around);

    let no_distrust = Distrust::default();
    let distrust = spec.distrust.as_ref().unwrap_or(&no_distrust);
    let errors = reader.errors(distrust, demand, specs, around);
    let unready = reader.count("spec.distrust.unreadyPercent", distrust.unready_percent, 1, 100);
    let depends_on = distrust.depends_on.iter().enumerate();
    let depends_on = depends_on
        .filter_map(|(i, on)| reader.workload(&format!("spec.distrust.dependsOn[{i}]"), namespace, on, around))
        .collect();
    let fall = reader.fall(distrust.unusual_fall.as_ref());
    let hold = reader.span("spec.distrust.holdAtMost", distrust.hold_at_most.as_ref(), limits::HOLD_AT_MOST);
    let (window, half_life, verify_for) = reader.scale_down(spec.scale_down.as_ref(), resolution);

    let created = object.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_millisecond());
    let policy = Policy {
        target: target.unwrap_or_else(|| TargetKey::new(namespace, "", "")),
        mode,
        min_replicas,
        max_replicas,
        signals,
        headroom_percent: reader
            .count("spec.demand.headroomPercent", demand.headroom_percent, 0, 400)
            .unwrap_or(HEADROOM_PERCENT),
        errors,
        unready_percent: unready.unwrap_or(UNREADY_PERCENT),
        depends_on,
        fall,
        hold_at_most: hold.unwrap_or(HOLD_AT_MOST),
        window,
        half_life,
        verify_for,
        resolution,
        source: source_of(&specs[0], demand).into(),
        created: Timestamp(u64::try_from(created).unwrap_or(0)),
    };
    reader.finish(policy)
}

/// The name of the MetricSource that a signal reads.
fn source_of<'a>(signal: &'a SignalSpec, demand: &'a Demand) -> &'a str {
    signal.source.as_deref().or(demand.source.as_deref()).unwrap_or(DEFAULT_SOURCE)
}

fn interval(source: &MetricSource) -> Option<Duration> {
    limits::INTERVAL.parse(source.spec.interval.as_ref()?).ok()
}

/// The shared demand that a signal reads; `None` for a query of its own, and where the source has none of that name.
fn shared<'a>(signal: &SignalSpec, source: &'a MetricSource) -> Option<&'a SharedDemand> {
    if signal.query.is_some() || signal.metric.is_some() {
        return None;
    }
    match &signal.demand {
        Some(name) => source.spec.demands.iter().find(|demand| demand.name == *name),
        None => source.spec.default_demand(),
    }
}

impl Reader {
    fn workload(
        &mut self,
        path: &str,
        namespace: &str,
        workload: &WorkloadRef,
        around: &dyn Surroundings,
    ) -> Option<TargetKey> {
        let before = self.mistakes.len();
        self.text(format_args!("{path}.apiVersion"), Some(&workload.api_version), text::API_VERSION);
        self.text(format_args!("{path}.kind"), Some(&workload.kind), text::KIND);
        self.text(format_args!("{path}.name"), Some(&workload.name), text::OBJECT_NAME);
        if self.mistakes.len() > before {
            return None;
        }
        let resource = self.keep(path, around.resource(&workload.api_version, &workload.kind))?;
        Some(TargetKey { namespace: namespace.into(), resource, name: workload.name.as_str().into() })
    }

    fn mode(&mut self, spec: &api::ScalingPolicySpec) -> Mode {
        for (i, metric) in spec.utilization.iter().enumerate() {
            if !matches!(metric.resource.as_str(), "cpu" | "memory") {
                self.mistake(format_args!("spec.utilization[{i}].resource"), "write cpu or memory");
            }
            self.count(format_args!("spec.utilization[{i}].targetPercent"), Some(metric.target_percent), 1, 1000);
        }
        match (spec.mode, spec.utilization.is_empty()) {
            (api::Mode::Autoscale, true) => Mode::Autoscale,
            (api::Mode::Autoscale, false) => Mode::AutoscaleUtilization,
            (mode @ (api::Mode::Observe | api::Mode::Guard), empty) => {
                if !empty {
                    self.mistake(
                        "spec.utilization",
                        "utilization is for mode Autoscale: in Guard and Observe the metrics are those of the HPA that \
                         scales the workload, leave it out",
                    );
                }
                if mode == api::Mode::Guard { Mode::Guard } else { Mode::Observe }
            }
        }
    }

    fn bounds(&mut self, spec: &api::ScalingPolicySpec) -> (Option<u32>, Option<u32>) {
        let min = self.count("spec.minReplicas", spec.min_replicas, 0, MOST_REPLICAS);
        let max = self.count("spec.maxReplicas", spec.max_replicas, 1, MOST_REPLICAS);
        if min.zip(max).is_some_and(|(min, max)| min > max) {
            self.mistake("spec", "minReplicas is above maxReplicas: lower minReplicas or raise maxReplicas");
        }
        if spec.mode == api::Mode::Autoscale && spec.max_replicas.is_none() {
            self.mistake(
                "spec",
                "mode Autoscale needs maxReplicas: no scaler brings one, write the most replicas that you would pay for",
            );
        }
        (min, max)
    }

    fn signals(
        &mut self,
        demand: &Demand,
        specs: &[SignalSpec],
        mode: api::Mode,
        resolution: Duration,
        around: &dyn Surroundings,
    ) -> Vec<Signal> {
        let capacity = self.quantity("spec.demand.capacity", demand.capacity.as_ref(), limits::CAPACITY);
        let max_age = self.span("spec.demand.maxAge", demand.max_age.as_ref(), limits::MAX_AGE);
        if mode != api::Mode::Observe && demand.capacity.is_none() && specs.iter().any(|s| s.capacity.is_none()) {
            self.mistake(
                "spec",
                "modes Guard and Autoscale need demand.capacity (or a capacity on every signal): write the load a second \
                 that one replica carries safely, such as \"120\"; mode Observe estimates it in status",
            );
        }
        let mut names = BTreeSet::new();
        let mut signals = Vec::with_capacity(specs.len());
        for (i, spec) in specs.iter().enumerate() {
            let path = format!("spec.demand.signals[{i}]");
            self.signal_form(&path, spec, &mut names);
            let source = around.source(source_of(spec, demand));
            let shared = source.as_ref().and_then(|source| shared(spec, source));
            let own = self.span(format_args!("{path}.maxAge"), spec.max_age.as_ref(), limits::MAX_AGE);
            let of_source = [
                shared.and_then(|shared| shared.max_age.as_ref()),
                source.as_ref().and_then(|source| source.spec.max_age.as_ref()),
            ];
            let of_source = of_source.into_iter().flatten().find_map(|age| limits::MAX_AGE.parse(age).ok());
            let age = own.or(max_age).or(of_source).unwrap_or_else(|| MAX_AGE.max(resolution * 2));
            if age < resolution {
                let place = if own.is_some() { format!("{path}.maxAge") } else { "spec.demand.maxAge".to_owned() };
                let (age, least) = (api::Span::from(age), api::Span::from(resolution));
                self.mistake(
                    place,
                    format!("{age} is shorter than the distance of two samples ({least}): write {least} or more"),
                );
            }
            let zero = spec.zero_means.or(demand.zero_means).or_else(|| shared.and_then(|shared| shared.zero_means));
            let of_signal = self.quantity(format_args!("{path}.capacity"), spec.capacity.as_ref(), limits::CAPACITY);
            let drain = spec.backlog.as_ref().map(|backlog| &backlog.drain_within);
            signals.push(Signal {
                name: spec.name.as_str().into(),
                capacity: of_signal.or(capacity),
                max_age: age,
                zero: match zero {
                    None => ZeroMeans::Evidence,
                    Some(api::ZeroMeans::Zero) => ZeroMeans::Zero,
                    Some(api::ZeroMeans::Unknown) => ZeroMeans::Unknown,
                },
                drain_within: self.span(format_args!("{path}.backlog.drainWithin"), drain, limits::DRAIN_WITHIN),
            });
        }
        signals
    }

    fn signal_form<'a>(&mut self, path: &str, spec: &'a SignalSpec, names: &mut BTreeSet<&'a str>) {
        self.text(format_args!("{path}.name"), Some(&spec.name), text::SHORT_NAME);
        self.text(format_args!("{path}.source"), spec.source.as_deref(), text::OBJECT_NAME);
        self.text(format_args!("{path}.demand"), spec.demand.as_deref(), text::SHORT_NAME);
        if !names.insert(&spec.name) {
            self.mistake(
                format_args!("{path}.name"),
                format!("{:?} is there twice: give each its own name", spec.name),
            );
        }
        let ways = [spec.demand.is_some(), spec.query.is_some(), spec.metric.is_some()];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            self.mistake(
                path,
                "write one of demand (a shared query of the source), query (PromQL) and metric (a Kubernetes metrics API), \
                 or none for the source's default demand",
            );
        }
        if spec.backlog.as_ref().is_some_and(|backlog| backlog.query.is_some() && backlog.metric.is_some()) {
            self.mistake(
                format_args!("{path}.backlog"),
                "write query (PromQL) or metric (a Kubernetes metrics API), not both; neither for the backlog of the \
                 source's demand",
            );
        }
    }

    /// The limits of the check on errors; `None` where nothing tells of errors, or where the share can't pass the limit.
    fn errors(
        &mut self,
        distrust: &Distrust,
        demand: &Demand,
        specs: &[SignalSpec],
        around: &dyn Surroundings,
    ) -> Option<Errors> {
        let own = distrust.errors.as_ref();
        let path = "spec.distrust.errors";
        if own.is_some_and(|errors| errors.failed.is_some() != errors.total.is_some()) {
            self.mistake(
                path,
                "write failed and total together: the share is failed / total; leave both out for the errors that the \
                 source keeps with its demand",
            );
        }
        self.text("spec.distrust.errors.source", own.and_then(|errors| errors.source.as_deref()), text::OBJECT_NAME);
        let above = own.and_then(|errors| errors.above.as_ref());
        let above = self.quantity("spec.distrust.errors.above", above, limits::ERRORS_ABOVE);
        let min_rate = own.and_then(|errors| errors.min_rate.as_ref());
        let min_rate = self.quantity("spec.distrust.errors.minRate", min_rate, limits::MIN_RATE);
        let queries = own.is_some_and(|errors| errors.failed.is_some());
        let companion = companion(demand, specs, around);
        if !queries && companion.is_none() {
            return None;
        }
        let companion = companion.unwrap_or_default();
        let of_source = |value: &Option<api::Quantity>, bounds: QuantityBounds| {
            value.as_ref().and_then(|value| bounds.parse(value).ok())
        };
        let above = above.or_else(|| of_source(&companion.above, limits::ERRORS_ABOVE)).unwrap_or(ERRORS_ABOVE);
        let min_rate = min_rate.or_else(|| of_source(&companion.min_rate, limits::MIN_RATE)).unwrap_or(MIN_RATE);
        (above < 1.0).then_some(Errors { above, min_rate })
    }

    fn fall(&mut self, spec: Option<&UnusualFallSpec>) -> UnusualFall {
        let none = UnusualFallSpec::default();
        let spec = spec.unwrap_or(&none);
        let path = "spec.distrust.unusualFall";
        let hold_for = self.span(format_args!("{path}.holdFor"), spec.hold_for.as_ref(), limits::HOLD_FOR);
        let keep_for = self.span(format_args!("{path}.keepFor"), spec.keep_for.as_ref(), limits::KEEP_FOR);
        if hold_for.zip(keep_for).is_some_and(|(hold_for, keep_for)| keep_for < hold_for) {
            self.mistake(
                path,
                "keepFor counts from the onset of the fall, as holdFor does: write a keepFor that is not shorter than \
                 holdFor",
            );
        }
        let hold_for = hold_for.unwrap_or_else(|| keep_for.map_or(HOLD_FOR, |keep_for| keep_for.min(HOLD_FOR)));
        let keep_percent = self.count(format_args!("{path}.keepPercent"), spec.keep_percent, 0, 100);
        let until_learned = spec.until_learned_percent;
        let until_learned = self.count(format_args!("{path}.untilLearnedPercent"), until_learned, 1, 100);
        UnusualFall {
            hold_for,
            keep_percent: keep_percent.unwrap_or(KEEP_PERCENT),
            keep_for: keep_for.unwrap_or(KEEP_FOR).max(hold_for),
            until_learned_percent: until_learned.unwrap_or(UNTIL_LEARNED_PERCENT),
            usual_days: UnusualFall::USUAL_DAYS,
        }
    }

    fn scale_down(&mut self, spec: Option<&ScaleDown>, resolution: Duration) -> (Duration, Duration, Duration) {
        let none = ScaleDown::default();
        let spec = spec.unwrap_or(&none);
        let window = self.span("spec.scaleDown.window", spec.window.as_ref(), limits::WINDOW).unwrap_or(WINDOW);
        if window < resolution * 2 {
            let (window, least) = (api::Span::from(window), api::Span::from(resolution * 2));
            self.mistake(
                "spec.scaleDown.window",
                format!("{window} is shorter than two intervals of the source: write {least} or more"),
            );
        }
        let half_life = self.span("spec.scaleDown.halfLife", spec.half_life.as_ref(), limits::HALF_LIFE);
        let verify_for = self.span("spec.scaleDown.verifyFor", spec.verify_for.as_ref(), limits::VERIFY_FOR);
        (window, half_life.unwrap_or(HALF_LIFE), verify_for.unwrap_or(VERIFY_FOR))
    }
}

/// The errors that a source keeps with the first shared demand which the policy reads.
fn companion(demand: &Demand, specs: &[SignalSpec], around: &dyn Surroundings) -> Option<DemandErrors> {
    specs.iter().find_map(|spec| {
        let source: Arc<MetricSource> = around.source(source_of(spec, demand))?;
        shared(spec, &source)?.errors.clone()
    })
}

/// What a policy reads that names no source.
const DEFAULT_SOURCE: &str = "default";

/// Name of the signal of a policy that names none.
const DEFAULT_SIGNAL: &str = "demand";

/// The bound of the schema: far above any workload, far below what overflows.
const MOST_REPLICAS: u32 = 100_000;

/// A quarter more than now: what a busy minute brings before pods are up.
const HEADROOM_PERCENT: u32 = 25;

/// The pace of HPA and of most scrapes.
const INTERVAL: Duration = Duration::from_secs(15);

/// Eight samples at the default pace: slow scrapes and one lost do not blind us.
const MAX_AGE: Duration = Duration::from_secs(120);

/// One pod in four: more than a rolling update takes away by default.
const UNREADY_PERCENT: u32 = 25;

/// One failure in twenty: above what clients do wrong by themselves.
const ERRORS_ABOVE: f64 = 0.05;

/// Under one request a second a single failure is a large share.
const MIN_RATE: f64 = 1.0;

/// A day: a working day and a night, in which somebody looks.
const HOLD_AT_MOST: Duration = Duration::from_secs(24 * 3600);

/// With these three, at least the need was kept (median) after 45 and after 313 minutes of outage in simulation, at
/// 7.5 % more than an HPA.
const HOLD_FOR: Duration = Duration::from_secs(3600);
const KEEP_PERCENT: u32 = 80;
const KEEP_FOR: Duration = Duration::from_secs(8 * 3600);

/// Half of the last hour's peak: an ordinary evening does not fall as fast.
const UNTIL_LEARNED_PERCENT: u32 = 50;

/// Twice HPA's stabilisation window.
const WINDOW: Duration = Duration::from_secs(600);

/// A night from peak to valley is a few half-lives.
const HALF_LIFE: Duration = Duration::from_secs(3600);

/// Long enough for two scrapes of errors after the pods are gone.
const VERIFY_FOR: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests;
