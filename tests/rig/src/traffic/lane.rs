//! A lane: one of several equal services in one cluster, and who scales it.

use std::time::Duration;

use floorkeeper_sim::ServiceSpec;
use floorkeeper_sim::scenario::Series;
use serde_json::{Value, json};

use super::schedule::Schedule;
use super::series;
use crate::stages;

/// Who scales a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// An HPA on CPU.
    HpaCpu,
    /// An HPA on the load at the edge, the same signal that floorkeeper reads.
    HpaSameSignal,
    /// floorkeeper in mode Guard of an HPA on CPU.
    Guard,
    /// floorkeeper alone.
    Alone,
}

/// Where a lane is, and who scales it. Each has a namespace of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    pub namespace: String,
    pub keeper: Keeper,
}

impl Keeper {
    /// As a column's title.
    pub fn title(self) -> &'static str {
        match self {
            Self::HpaCpu => "HPA on CPU",
            Self::HpaSameSignal => "HPA on edge load",
            Self::Guard => "floorkeeper + HPA",
            Self::Alone => "floorkeeper",
        }
    }

    /// As a key of the JSON report.
    pub fn key(self) -> &'static str {
        match self {
            Self::HpaCpu => "hpa_cpu",
            Self::HpaSameSignal => "hpa_same_signal",
            Self::Guard => "floorkeeper_guard",
            Self::Alone => "floorkeeper",
        }
    }

    pub fn is_floorkeeper(self) -> bool {
        match self {
            Self::Guard | Self::Alone => true,
            Self::HpaCpu | Self::HpaSameSignal => false,
        }
    }

    pub(super) fn has_hpa(self) -> bool {
        match self {
            Self::HpaCpu | Self::HpaSameSignal | Self::Guard => true,
            Self::Alone => false,
        }
    }
}

impl Lane {
    /// A lane in the namespace that is named after its keeper.
    pub fn new(keeper: Keeper) -> Self {
        let namespace = match keeper {
            Keeper::HpaCpu => "hpa-cpu",
            Keeper::HpaSameSignal => "hpa-edge",
            Keeper::Guard => "guard",
            Keeper::Alone => "alone",
        };
        Self { namespace: namespace.to_owned(), keeper }
    }

    /// One of several lanes with the same keeper.
    pub fn numbered(keeper: Keeper, number: u32) -> Self {
        let Self { namespace, keeper } = Self::new(keeper);
        Self { namespace: format!("{namespace}-{number}"), keeper }
    }

    /// The namespace and the Deployment with so many replicas.
    pub(super) fn workload(&self, spec: &ServiceSpec, replicas: u32, schedule: &Schedule) -> Vec<Value> {
        let start_delay = schedule.short(Duration::from_secs_f64(spec.start_delay.max(0.0) * 60.0));
        let labels = json!({"app": SERVICE, stages::BEHAVIOUR: stages::SLOW_START});
        let annotations = json!({stages::START_DELAY: format!("{}ms", start_delay.as_millis().max(1))});
        let requests = json!({"cpu": format!("{CPU_REQUEST_MILLIS}m"), "memory": "64Mi"});
        vec![
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}),
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": SERVICE, "namespace": self.namespace},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": {"app": SERVICE}},
                    "template": {
                        "metadata": {"labels": labels, "annotations": annotations},
                        "spec": {
                            "terminationGracePeriodSeconds": 0,
                            "containers": [{"name": "api", "image": "events-api", "resources": {"requests": requests}}],
                        },
                    },
                },
            }),
        ]
    }

    /// What scales it: HPA, ScalingPolicy, or both.
    pub(super) fn scalers(&self, spec: &ServiceSpec, demands: &[Series], schedule: &Schedule) -> Vec<Value> {
        let mut objects = Vec::new();
        if self.keeper.has_hpa() {
            objects.push(self.hpa(spec, schedule));
        }
        if self.keeper.is_floorkeeper() {
            objects.push(self.policy(spec, demands, schedule));
        }
        objects
    }

    fn hpa(&self, spec: &ServiceSpec, schedule: &Schedule) -> Value {
        let headroom = 1.0 + f64::from(spec.headroom_percent) / 100.0;
        let metric = match self.keeper {
            Keeper::HpaSameSignal => json!({
                "type": "External",
                "external": {
                    "metric": {"name": EDGE_METRIC, "selector": {"matchLabels": {"deployment": SERVICE}}},
                    "target": {"type": "AverageValue", "averageValue": format!("{}m", (spec.capacity / headroom * 1000.0).round())},
                },
            }),
            Keeper::HpaCpu | Keeper::Guard | Keeper::Alone => json!({
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": (spec.cpu_at_capacity * 100.0 / headroom).round()},
                },
            }),
        };
        // Kubernetes' own defaults, scaled as the policy's durations are.
        let seconds = |real: u64| schedule.short(Duration::from_secs(real)).as_secs().max(1);
        let percent = json!({"type": "Percent", "value": 100, "periodSeconds": seconds(15)});
        let pods = json!({"type": "Pods", "value": 4, "periodSeconds": seconds(15)});
        json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": SERVICE, "namespace": self.namespace},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": SERVICE},
                "minReplicas": spec.min,
                "maxReplicas": spec.max,
                "metrics": [metric],
                "behavior": {
                    "scaleDown": {"stabilizationWindowSeconds": seconds(300), "policies": [percent.clone()]},
                    "scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [percent, pods]},
                },
            },
        })
    }

    fn policy(&self, spec: &ServiceSpec, demands: &[Series], schedule: &Schedule) -> Value {
        let mode = if self.keeper == Keeper::Guard { "Guard" } else { "Autoscale" };
        let short = |minutes: u64| span(schedule.short(Duration::from_secs(60 * minutes)));
        let long = |hours: u64| span(schedule.long(Duration::from_secs(3600 * hours)));
        let signals: Vec<Value> = demands.iter().map(|series| signal(*series)).collect();
        let mut policy = json!({
            "apiVersion": "floorkeeper.dev/v1alpha1", "kind": "ScalingPolicy",
            "metadata": {"name": SERVICE, "namespace": self.namespace},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": SERVICE},
                "mode": mode,
                "demand": {
                    "capacity": format!("{}", spec.capacity),
                    "headroomPercent": spec.headroom_percent,
                    "signals": signals,
                },
                // The defaults of every policy, scaled.
                "distrust": {"unusualFall": {"holdFor": long(1), "keepFor": long(8)}, "holdAtMost": long(24)},
                "scaleDown": {"window": short(10), "halfLife": span(schedule.calm(Duration::from_secs(3600))), "verifyFor": short(2)},
            },
        });
        // An HPA says the bounds itself, and who edits them there edits them for both.
        if self.keeper == Keeper::Alone {
            policy["spec"]["minReplicas"] = json!(spec.min);
            policy["spec"]["maxReplicas"] = json!(spec.max);
        }
        policy
    }
}

fn signal(series: Series) -> Value {
    match series {
        Series::App => json!({"name": "app", "demand": APP_DEMAND}),
        Series::Edge | Series::Errors | Series::Cpu => json!({"name": "edge", "demand": EDGE_DEMAND}),
    }
}

/// The MetricSource `default`: the cluster's Prometheus, asked at `url`.
pub(super) fn metric_source(url: &str, schedule: &Schedule) -> Value {
    let window = span(rate_window(schedule));
    let sum = |selector: &str| format!("sum by (namespace, deployment) (rate({selector}[{window}]))");
    let labels = json!({"namespace": "namespace", "target": "deployment"});
    let errors =
        json!({"failed": sum(&format!("{}{{code=~\"5..\"}}", series::RESPONSES)), "total": sum(series::RESPONSES)});
    json!({
        "apiVersion": "floorkeeper.dev/v1alpha1", "kind": "MetricSource",
        "metadata": {"name": "default"},
        "spec": {
            "prometheus": {"url": url},
            "interval": span(sync_period(schedule)),
            "maxAge": span(schedule.short(Duration::from_secs(120))),
            "demands": [
                {"name": EDGE_DEMAND, "default": true, "query": sum(series::REQUESTS), "labels": labels, "errors": errors},
                {"name": APP_DEMAND, "query": sum(series::HANDLED), "labels": labels},
            ],
        },
    })
}

/// How an adapter for the HPA would ask for the load of one namespace's service.
pub(super) fn adapter_query(schedule: &Schedule) -> String {
    format!("sum by (namespace) (rate({}[{}]))", series::REQUESTS, span(rate_window(schedule)))
}

/// 15 s of Kubernetes and of Prometheus.
pub(super) fn sync_period(schedule: &Schedule) -> Duration {
    schedule.short(Duration::from_secs(15))
}

/// `[2m]` in everybody's queries.
fn rate_window(schedule: &Schedule) -> Duration {
    schedule.short(Duration::from_secs(120))
}

/// As Prometheus and floorkeeper write durations, to the tenth of a second.
fn span(duration: Duration) -> String {
    let millis = (duration.as_millis() / 100).max(1) * 100;
    let (seconds, rest) = (millis / 1000, millis % 1000);
    match (seconds, rest) {
        (0, rest) => format!("{rest}ms"),
        (seconds, 0) => format!("{seconds}s"),
        (seconds, rest) => format!("{seconds}s{rest}ms"),
    }
}

/// The Deployment (and HPA, and policy) of every lane.
pub const SERVICE: &str = "events-api";

/// The HPA's metric in `external.metrics.k8s.io`.
pub(super) const EDGE_METRIC: &str = "edge_requests_per_second";

/// CPU that a pod requests.
pub(super) const CPU_REQUEST_MILLIS: u32 = 500;

const EDGE_DEMAND: &str = "edge-requests";
const APP_DEMAND: &str = "app-requests";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_prometheus_and_floorkeeper_read_them() {
        let written = [750, 6_000, 6_250, 90_000, 1].map(|millis| span(Duration::from_millis(millis)));
        assert_eq!(written, ["700ms", "6s", "6s200ms", "90s", "100ms"]);
    }

    #[test]
    fn both_hpas_and_the_policy_keep_the_same_headroom() {
        let scenario = floorkeeper_sim::find("S1a").unwrap();
        let schedule = Schedule::new(&scenario, Duration::from_secs(330));
        let of = |keeper| Lane::new(keeper).scalers(&scenario.service, &scenario.demands, &schedule);
        let cpu = &of(Keeper::HpaCpu)[0]["spec"]["metrics"][0]["resource"]["target"];
        assert_eq!(cpu["averageUtilization"], 56.0, "70 % of the request at capacity, with 25 % headroom");
        assert_eq!(of(Keeper::HpaSameSignal)[0]["spec"]["metrics"][0]["external"]["target"]["averageValue"], "96000m");
        assert_eq!(of(Keeper::Alone)[0]["spec"]["demand"]["headroomPercent"], 25);
        assert_eq!(of(Keeper::Alone)[0]["spec"]["minReplicas"], 4);
        let guard = of(Keeper::Guard);
        assert_eq!(
            guard.iter().map(|object| object["kind"].as_str().unwrap()).collect::<Vec<_>>(),
            ["HorizontalPodAutoscaler", "ScalingPolicy"]
        );
        assert_eq!(
            guard[0]["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"], 15,
            "five minutes, twenty times as fast"
        );
        assert_eq!(guard[1]["spec"]["scaleDown"]["window"], "30s");
        assert!(guard[0]["spec"]["minReplicas"] == 4 && guard[1]["spec"].get("minReplicas").is_none());
    }
}
