//! What both autoscalers are put through.

use floorkeeper_replay::peers::hpa::{Behavior, Flags, Policy, Rules};
use floorkeeper_replay::peers::{Hpa, Signal, Terms};
use floorkeeper_rig::stages::{BEHAVIOUR, SLOW_START, START_DELAY};
use serde_json::{Value, json};

/// One autoscaler and its Deployment, both of this name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) name: &'static str,
    pub(crate) on_cpu: bool,
    /// With a `behavior` that limits both directions.
    pub(crate) ruled: bool,
}

/// So many seconds after the beginning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) at: u32,
    pub(crate) what: What,
    /// For the report.
    pub(crate) words: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    /// Offered load a second.
    Load(f64),
    /// The metrics APIs answer with an empty list.
    Empty,
    /// They answer 500.
    Failing,
    Normal,
    /// The older half of the pods is unready.
    Break,
    Heal,
    Bounds(u32, u32),
}

pub(crate) const LANES: &[Lane] = &[
    Lane { name: "by-load", on_cpu: false, ruled: false },
    Lane { name: "by-cpu", on_cpu: true, ruled: false },
    Lane { name: "by-rules", on_cpu: false, ruled: true },
];

pub(crate) const STEPS: &[Step] = &[
    Step { at: 0, what: What::Load(400.0), words: "load as before: 400 a second" },
    Step { at: 20, what: What::Load(2_000.0), words: "load rises to 2,000" },
    Step { at: 70, what: What::Load(840.0), words: "load falls to 840" },
    Step { at: 130, what: What::Load(100.0), words: "metrics go missing, load falls to 100 unseen" },
    Step { at: 130, what: What::Empty, words: "" },
    Step { at: 160, what: What::Failing, words: "metrics APIs answer 500" },
    Step { at: 190, what: What::Load(840.0), words: "load is back at 840, then the metrics" },
    Step { at: 191, what: What::Normal, words: "" },
    Step { at: 205, what: What::Break, words: "the older half of the pods is unready" },
    Step { at: 235, what: What::Heal, words: "they are ready again" },
    Step { at: 260, what: What::Bounds(16, 40), words: "minReplicas raised to 16" },
    Step { at: 290, what: What::Bounds(2, 40), words: "minReplicas back to 2" },
    Step { at: 315, what: What::Bounds(2, 6), words: "maxReplicas lowered to 6" },
    Step { at: 335, what: What::Bounds(2, 40), words: "maxReplicas back to 40" },
    Step { at: 360, what: What::Load(0.0), words: "load reads 0" },
];

pub(crate) const END: f64 = 430.0;

/// Replicas in the beginning.
pub(crate) const BEGIN_WITH: i32 = 5;

/// From Running to Ready.
pub(crate) const START: f64 = 4.0;

/// Kubernetes' defaults, 7.5 times as fast.
pub(crate) fn flags() -> Flags {
    Flags {
        sync_period: 2.0,
        downscale_stabilization: 40.0,
        initial_readiness_delay: 4.0,
        cpu_initialization: 40.0,
        ..Flags::default()
    }
}

fn terms() -> Terms {
    Terms {
        capacity: 100.0,
        headroom: 0.25,
        min: 2,
        max: 40,
        cpu_at_capacity: 0.7,
        start_delay: START,
        signal: Signal::Load,
    }
}

/// CPU of a pod as a share of its request, in the thousandths in which the API tells it; never beyond what it can.
pub(crate) fn share(load: f64, ready: usize) -> f64 {
    let Terms { capacity, cpu_at_capacity, .. } = terms();
    let ready = f64::from(u32::try_from(ready).unwrap_or(u32::MAX)).max(1.0);
    ((cpu_at_capacity * load / (ready * capacity)).min(1.3 * cpu_at_capacity) * 1_000.0).round() / 1_000.0
}

/// CPU of an unready pod.
pub(crate) const IDLE: f64 = 0.01;

impl Lane {
    /// The port of this autoscaler.
    pub(crate) fn port(&self) -> Hpa {
        let terms = terms();
        let hpa = if self.on_cpu { Hpa::on_cpu(&terms) } else { Hpa::on_load(&terms) };
        let behavior = self.ruled.then(|| Behavior {
            up: Rules { window: Some(6.0), policies: vec![Policy::pods(3, 4.0)], ..Rules::default_up() },
            down: Rules { window: Some(10.0), policies: vec![Policy::percent(20, 8.0)], ..Rules::default_down() },
        });
        hpa.configured(flags(), behavior)
    }

    pub(crate) fn deployment(&self) -> String {
        let name = self.name;
        let labels = json!({"app": name, BEHAVIOUR: SLOW_START});
        let annotations = json!({START_DELAY: format!("{START}s")});
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {
                "replicas": BEGIN_WITH,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": labels, "annotations": annotations},
                    "spec": {
                        "terminationGracePeriodSeconds": 0,
                        "containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}],
                    },
                },
            },
        })
        .to_string()
    }

    pub(crate) fn hpa(&self) -> String {
        let name = self.name;
        let metric = if self.on_cpu {
            json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 56}}})
        } else {
            let target = json!({"type": "AverageValue", "averageValue": "80"});
            json!({"type": "External", "external": {"metric": {"name": METRIC}, "target": target}})
        };
        let mut hpa = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "minReplicas": 2, "maxReplicas": 40, "metrics": [metric],
            },
        });
        if self.ruled {
            let rules = |window: u32, kind: &str, value: u32, period: u32| -> Value {
                json!({"stabilizationWindowSeconds": window, "policies": [{"type": kind, "value": value, "periodSeconds": period}]})
            };
            hpa["spec"]["behavior"] =
                json!({"scaleUp": rules(6, "Pods", 3, 4), "scaleDown": rules(10, "Percent", 20, 8)});
        }
        hpa.to_string()
    }
}

/// The external metric.
pub(crate) const METRIC: &str = "requests_per_second";
