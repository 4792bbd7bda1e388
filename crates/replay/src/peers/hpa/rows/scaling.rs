//! `horizontal_test.go`: whole reconciliations, with the conditions that they leave.

use super::{Is, NOW, pods};
use crate::peers::hpa::history::Recommendation;
use crate::peers::hpa::{
    Behavior, Condition, Controller, Flags, Metric, PodView, Policy, Reading, Reason, Rules, Scene, Spec,
};

use Is::{Deleting, Failed, Fine, Hot, Unready};
use Reason::{
    DesiredWithinRange, FailedGetExternalMetric, FailedGetResourceMetric, NotScaledToZero, ReadyForNewScale,
    ScaleDownStabilized, ScaleUpLimit, ScaledToZero, ScalingDisabled, SucceededGetScale, SucceededRescale,
    TooFewReplicas, TooManyReplicas, ValidMetricFound,
};

/// One reconciliation. `written`: the replicas on `/scale`, or none.
struct Row {
    name: &'static str,
    bounds: (i32, i32),
    replicas: i32,
    status_replicas: i32,
    /// CPU: requests and levels of a pod's containers together.
    requests: &'static [i64],
    levels: &'static [i64],
    is: &'static [Is],
    metrics: Vec<(Metric, Option<&'static [i64]>)>,
    behavior: Option<Behavior>,
    /// Is the controller new, so that what runs becomes its first recommendation?
    new: bool,
    to_zero: bool,
    was_scaled_to_zero: bool,
    written: Option<i32>,
    /// `AbleToScale`, `ScalingActive`, `ScalingLimited`, `ScaledToZero`.
    conditions: Vec<Reason>,
}

fn row(name: &'static str, bounds: (i32, i32), replicas: i32) -> Row {
    Row {
        name,
        bounds,
        replicas,
        status_replicas: replicas,
        requests: &[1_000; 8],
        levels: &[],
        is: &[],
        metrics: vec![],
        behavior: None,
        new: true,
        to_zero: true,
        was_scaled_to_zero: false,
        written: None,
        conditions: vec![],
    }
}

impl Row {
    /// CPU utilization of these pods. Two equal containers a pod: one is enough, the ratio is the same.
    fn cpu(mut self, target: i32, levels: &'static [i64], is: &'static [Is]) -> Self {
        self.metrics.push((Metric::CpuUtilization(target), None));
        (self.levels, self.is) = (levels, is);
        self
    }

    fn requests(self, requests: &'static [i64]) -> Self {
        Self { requests, ..self }
    }

    fn on(mut self, metric: Metric, values: &'static [i64]) -> Self {
        self.metrics.push((metric, Some(values)));
        self
    }

    fn up(self, rules: Rules) -> Self {
        Self { behavior: Some(Behavior { up: rules, down: Rules::default_down() }), ..self }
    }

    fn down(self, rules: Rules) -> Self {
        Self { behavior: Some(Behavior { up: Rules::default_up(), down: rules }), ..self }
    }

    /// With an empty list of recommendations, as upstream's rows that want to see a scale-down.
    fn unstabilized(self) -> Self {
        Self { new: false, ..self }
    }

    fn was_scaled_to_zero(self, gate: bool) -> Self {
        Self { was_scaled_to_zero: true, to_zero: gate, ..self }
    }

    fn writes(self, replicas: i32) -> Self {
        Self { written: Some(replicas), ..self }
    }

    fn says(self, conditions: &[Reason]) -> Self {
        Self { conditions: conditions.to_vec(), ..self }
    }

    fn check(&self) {
        let name = self.name;
        let spec = Spec { min: self.bounds.0, max: self.bounds.1, behavior: self.behavior.clone() };
        let flags = Flags {
            cpu_initialization: 120.0,
            initial_readiness_delay: 10.0,
            scale_to_zero: self.to_zero,
            ..Flags::default()
        };
        let mut controller = Controller::new(spec, flags);
        if !self.new {
            controller.history.seed(self.replicas, NOW);
            controller.history.recommendations.clear();
        }
        if self.was_scaled_to_zero {
            controller.conditions.scaled_to_zero = Condition::when(true, ScaledToZero);
        }
        let all = pods(self.requests, self.levels, self.is);
        let many = usize::try_from(self.status_replicas).unwrap().max(self.is.len()).max(self.levels.len());
        let pods: &[PodView] = &all[..many.min(all.len())];
        let reading = |values: &Option<&'static [i64]>| match values {
            None if self.levels.is_empty() => Reading::Failed,
            None => Reading::Pods(pods),
            Some([]) => Reading::Failed,
            Some(values) => Reading::Values(values),
        };
        let metrics: Vec<_> = self.metrics.iter().map(|(metric, values)| (*metric, reading(values))).collect();
        let scene = Scene { now: NOW, replicas: self.replicas, status_replicas: self.status_replicas, pods };

        assert_eq!(controller.reconcile(&scene, &metrics), self.written, "{name}");
        let seen = controller.conditions();
        let of = [seen.able_to_scale, seen.scaling_active, seen.scaling_limited, seen.scaled_to_zero];
        for reason in &self.conditions {
            assert!(of.iter().flatten().any(|seen| seen.reason == *reason), "{name}: {reason:?} in {seen:?}");
        }
        let limited = seen.scaling_limited.is_some_and(|limited| limited.status);
        assert_eq!(limited, self.conditions.iter().any(|reason| LIMITS.contains(reason)), "{name}: {seen:?}");
    }
}

const LIMITS: [Reason; 3] = [TooFewReplicas, TooManyReplicas, ScaleUpLimit];
const OK: &[Reason] = &[SucceededRescale, ValidMetricFound, DesiredWithinRange, NotScaledToZero];
const UP: &[i64] = &[300, 500, 700];
const DOWN: &[i64] = &[100, 300, 500, 250, 250];

/// `TestScaleCPU`.
#[test]
fn scale_cpu() {
    let (narrow, two) = ((2, 6), &[Fine, Fine, Failed, Failed]);
    for row in [
        row("scale up", narrow, 3).cpu(30, UP, &[]).writes(5),
        row("scale up with unready pods results in less scale", narrow, 3).cpu(30, UP, &[Unready]).writes(4),
        row("scale up with hot cpu pods results in less scale", narrow, 3).cpu(30, UP, &[Hot]).writes(4),
        row("scale up ignores failed pods", narrow, 2).cpu(30, &[500, 700], two).writes(4),
        row("scale up ignores deletion pods", narrow, 2)
            .cpu(30, &[500, 700], &[Fine, Fine, Deleting, Deleting])
            .writes(4),
        row("scale down", narrow, 5).cpu(50, DOWN, &[]).unstabilized().writes(3),
        row("scale down includes unready pods", narrow, 5)
            .cpu(50, DOWN, &[Fine, Fine, Fine, Unready, Unready])
            .unstabilized()
            .writes(2),
        row("scale down ignores hot cpu pods", narrow, 5)
            .cpu(50, DOWN, &[Fine, Fine, Fine, Hot, Hot])
            .unstabilized()
            .writes(2),
    ] {
        row.says(OK).check();
    }
    row("no scale up when all unready pods bring utilization within target", narrow, 3)
        .cpu(30, &[400, 500, 700], &[Fine, Unready, Unready])
        .says(&[ReadyForNewScale, ValidMetricFound, DesiredWithinRange])
        .check();
}

/// `TestReplicaLimits`, `TestUpscaleCap`, `TestUpscaleCapGreaterThanMaxReplicas`.
#[test]
fn replica_limits() {
    let mixed: &[i64] = &[900, 1_000, 1_100];
    let eightfold = || Rules { policies: vec![Policy::percent(700, 60.0)], ..Rules::default_up() };
    let capped = |name, max| row(name, (1, max), 3).requests(&[100; 3]).cpu(10, &[100, 200, 300], &[]).up(eightfold());
    for row in [
        row("scale down clamped to min replicas", (2, 5), 3)
            .requests(mixed)
            .cpu(90, &[10, 95, 10], &[])
            .unstabilized()
            .writes(2)
            .says(&[TooFewReplicas, NotScaledToZero]),
        row("scale down to zero when min replicas is zero", (0, 5), 3)
            .requests(mixed)
            .cpu(90, &[0, 0, 0], &[])
            .unstabilized()
            .writes(0)
            .says(&[DesiredWithinRange, NotScaledToZero]),
        row("scale down clamped to min when desired is zero", (2, 5), 3)
            .requests(mixed)
            .cpu(90, &[0, 0, 0], &[])
            .unstabilized()
            .writes(2)
            .says(&[TooFewReplicas, NotScaledToZero]),
        row("no scaling when spec replicas is zero", (3, 5), 0)
            .cpu(90, &[], &[])
            .says(&[SucceededGetScale, ScalingDisabled]),
        row("scale up to min when below min replicas", (3, 5), 2)
            .cpu(90, &[], &[])
            .writes(3)
            .says(&[SucceededRescale, NotScaledToZero]),
        row("scale down to max when above max replicas", (3, 5), 10)
            .cpu(90, &[], &[])
            .writes(5)
            .says(&[SucceededRescale, NotScaledToZero]),
        row("scale up clamped to max replicas", (2, 5), 3)
            .requests(mixed)
            .cpu(90, &[8_000, 9_500, 1_000], &[])
            .writes(5)
            .says(&[SucceededRescale, TooManyReplicas, NotScaledToZero]),
        row("scale up to min immediately even with recent scale time", (2, 6), 1)
            .cpu(80, &[0; 4], &[])
            .writes(2)
            .says(&[SucceededRescale]),
        row("scale down to max immediately even with recent scale time", (2, 5), 6)
            .requests(mixed)
            .cpu(50, &[8_000, 9_500, 1_000], &[])
            .writes(5)
            .says(&[SucceededRescale]),
        capped("TestUpscaleCap", 100).writes(24).says(&[SucceededRescale, ScaleUpLimit]),
        capped("TestUpscaleCapGreaterThanMaxReplicas", 20).writes(20).says(&[SucceededRescale, TooManyReplicas]),
    ] {
        row.check();
    }
}

/// `TestMetricsEdgeCases`, `TestScaleWithOneInvalidMetric`, `TestScaleUpOneMetricEmpty`, `TestNoScaleDownOneMetricEmpty`,
/// `TestScaleDownStabilizeInitialSize`, `TestConditionFailedGetMetrics`.
#[test]
fn missing_and_failing_metrics() {
    let failing: &[i64] = &[];
    for row in [
        row("superfluous metrics reported", (2, 6), 4)
            .requests(&[1_000; 4])
            .cpu(100, &[4_000, 9_500, 3_000, 7_000], &[])
            .writes(6)
            .says(&[SucceededRescale, ValidMetricFound, TooManyReplicas]),
        row("missing metrics from some pods", (2, 6), 4).cpu(100, &[400, 95], &[]).unstabilized().writes(3).says(OK),
        row("empty metrics from all pods", (2, 6), 4)
            .cpu(100, &[], &[])
            .says(&[SucceededGetScale, FailedGetResourceMetric]),
        row("empty CPU requests", (1, 5), 1)
            .requests(&[])
            .cpu(100, &[200], &[])
            .says(&[SucceededGetScale, FailedGetResourceMetric]),
        Row { status_replicas: 5, ..row("more replicas than spec no scale", (1, 8), 4) }
            .cpu(50, &[500; 5], &[])
            .says(&[ReadyForNewScale, ValidMetricFound, DesiredWithinRange]),
        row("scale up with one invalid metric", (2, 6), 3)
            .cpu(30, &[300, 400, 500], &[])
            .on(Metric::ExternalValue(100), failing)
            .writes(4)
            .says(OK),
        row("TestScaleUpOneMetricEmpty", (2, 6), 3)
            .on(Metric::ExternalValue(100), failing)
            .cpu(30, &[300, 400, 500], &[])
            .writes(4)
            .says(OK),
        row("TestNoScaleDownOneMetricEmpty", (2, 6), 5)
            .on(Metric::ExternalValue(1_000), failing)
            .cpu(50, DOWN, &[])
            .unstabilized()
            .says(&[SucceededGetScale, FailedGetExternalMetric]),
        row("from zero with invalid metric, HPAScaleToZero enabled", (0, 6), 0)
            .cpu(30, &[300, 400, 500], &[])
            .on(Metric::ExternalValue(100), failing)
            .says(&[SucceededGetScale, ScalingDisabled]),
        row("TestScaleDownStabilizeInitialSize", (2, 6), 5).cpu(50, DOWN, &[]).says(&[
            ScaleDownStabilized,
            ValidMetricFound,
            DesiredWithinRange,
        ]),
        row("TestConditionFailedGetMetrics: external", (2, 6), 3)
            .on(Metric::ExternalAverage(2_222), failing)
            .says(&[SucceededGetScale, FailedGetExternalMetric]),
    ] {
        row.check();
    }
}

/// `TestScaleUpCM`, `TestScaleUpCMObject`, `TestScaleDownCM`, `TestTolerance`: values that no pod has.
#[test]
fn object_and_external_metrics() {
    use Metric::{ExternalAverage, ExternalValue, ObjectAverage, ObjectValue};
    let ready = &[ReadyForNewScale, ValidMetricFound, DesiredWithinRange];
    for row in [
        row("scale up external metric with value target", (2, 6), 3).on(ExternalValue(6_666), &[8_600]).writes(4),
        row("scale up external metric with per-pod average value target", (2, 6), 3)
            .on(ExternalAverage(2_222), &[8_600])
            .writes(4),
        row("scale down object metric with value target", (2, 6), 5)
            .on(ObjectValue(20_000), &[12_000])
            .unstabilized()
            .writes(3),
        row("scale down per-pod object metric with average value target", (2, 6), 5)
            .on(ObjectAverage(20_000), &[60_000])
            .unstabilized()
            .writes(3),
        row("scale down external metric with value target", (2, 6), 5)
            .on(ExternalValue(14_400), &[8_600])
            .unstabilized()
            .writes(3),
        row("scale down per-pod external metric with average value target", (2, 6), 5)
            .on(ExternalAverage(3_000), &[8_600])
            .unstabilized()
            .writes(3),
    ] {
        row.says(OK).check();
    }
    for row in [
        row("object metric with value target within tolerance", (1, 5), 3).on(ObjectValue(20_000), &[20_050]),
        row("external metric with value target within tolerance", (2, 6), 4).on(ExternalValue(8_666), &[8_600]),
        row("per-pod object metric with average value target within tolerance", (2, 6), 4)
            .on(ObjectAverage(2_200), &[8_600]),
        row("per-pod external metric with average value target within tolerance", (2, 6), 4)
            .on(ExternalAverage(2_200), &[8_600]),
    ] {
        row.says(ready).check();
    }
}

/// `TestScaleDownCM` and `TestScaleToZeroBehavior`: to zero and back.
#[test]
fn scale_to_zero() {
    use Metric::{ExternalValue, ObjectValue};
    for row in [
        row("scale down to zero object metric with HPAScaleToZero enabled", (0, 6), 5)
            .on(ObjectValue(20_000), &[0])
            .unstabilized()
            .writes(0)
            .says(&[SucceededRescale, ScaledToZero]),
        row("scale down to zero external metric with HPAScaleToZero enabled", (0, 6), 5)
            .on(ExternalValue(14_400), &[0])
            .unstabilized()
            .writes(0)
            .says(&[SucceededRescale, ScaledToZero]),
        row("from zero without condition, HPAScaleToZero enabled", (0, 6), 0)
            .on(ObjectValue(15_000), &[20_000])
            .says(&[SucceededGetScale, ScalingDisabled]),
        row("minReplicas increased with ScaledToZero condition, HPAScaleToZero enabled", (2, 6), 0)
            .on(ObjectValue(15_000), &[10_000])
            .was_scaled_to_zero(true)
            .writes(2)
            .says(&[SucceededRescale, ValidMetricFound, TooFewReplicas, NotScaledToZero]),
        row("minReplicas increased with ScaledToZero condition, HPAScaleToZero disabled", (2, 6), 0)
            .on(ObjectValue(15_000), &[10_000])
            .was_scaled_to_zero(false)
            .says(&[SucceededGetScale, ScalingDisabled]),
        // Not in upstream's table: with behavior the limits do not know the minimum on the way up.
        row("minReplicas increased with ScaledToZero condition and behavior", (2, 6), 0)
            .on(ObjectValue(15_000), &[10_000])
            .up(Rules::default_up())
            .was_scaled_to_zero(true)
            .writes(2)
            .says(&[SucceededRescale, ValidMetricFound, NotScaledToZero]),
        row("stale ScaledToZero condition cleared on normal rescale, HPAScaleToZero enabled", (1, 6), 3)
            .cpu(30, UP, &[])
            .was_scaled_to_zero(true)
            .writes(5)
            .says(OK),
        row("manual scale to zero disables HPA, HPAScaleToZero enabled", (1, 6), 0)
            .cpu(50, &[], &[])
            .says(&[SucceededGetScale, ScalingDisabled]),
    ] {
        row.check();
    }
}

/// `TestConfigurableTolerance`.
#[test]
fn configurable_tolerance() {
    let mixed: &[i64] = &[900, 1_000, 1_100];
    let near: &[i64] = &[1_010, 1_030, 1_020];
    let up = Rules { tolerance: Some(0.01), ..Rules::default_up() };
    let down = Rules { tolerance: Some(0.9), ..Rules::default_down() };
    row("scaling up because of a 1% configurable tolerance", (1, 5), 3)
        .requests(mixed)
        .cpu(100, near, &[])
        .up(up)
        .writes(4)
        .says(OK)
        .check();
    row("no scale-down because of a 90% configurable tolerance", (1, 5), 3)
        .cpu(100, &[300; 3], &[])
        .down(down)
        .says(&[ReadyForNewScale, DesiredWithinRange])
        .check();
    row("no scaling because of the large default tolerance", (1, 5), 3)
        .requests(mixed)
        .cpu(100, near, &[])
        .says(&[ReadyForNewScale, DesiredWithinRange])
        .check();
}

/// `TestStabilizeDownscale`: what was recommended ten minutes ago is forgotten, a minute ago is not.
#[test]
fn stabilize_downscale() {
    let mut controller = Controller::new(Spec { min: 1, max: 5, behavior: None }, Flags::default());
    controller.history.seed(4, NOW);
    controller.history.recommendations =
        [(10, 600.0), (4, 60.0)].map(|(replicas, ago)| Recommendation { replicas, at: NOW - ago }).to_vec();
    let pods = pods(&[100; 3], &[50; 3], &[]);
    let scene = Scene { now: NOW, replicas: 4, status_replicas: 4, pods: &pods };
    let metrics = [(Metric::CpuUtilization(100), Reading::Pods(&pods))];
    assert_eq!(controller.reconcile(&scene, &metrics), None);
    assert_eq!(controller.conditions().able_to_scale, Condition::when(true, ScaleDownStabilized));
}
