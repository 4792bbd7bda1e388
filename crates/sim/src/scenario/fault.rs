//! What can go wrong, by the seam at which it is played.

use serde::{Deserialize, Serialize};

/// One fault, from a minute to a minute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Fault {
    pub from: f64,
    /// `None`: it happens once, at `from`.
    pub to: Option<f64>,
    pub what: What,
}

/// The seam and the fault there.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Load(LoadFault),
    Service(ServiceFault),
    Source(SourceFault),
    Cluster(ClusterFault),
    Operator(OperatorFault),
}

/// Clients offer something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum LoadFault {
    /// The offered load times `factor`, reached over `ramp` minutes. 0: nobody comes.
    Scale {
        factor: f64,
        #[serde(default)]
        ramp: f64,
    },
}

/// The service does something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum ServiceFault {
    /// A share of the requests fails; each failed one costs `errorCpu` of a good one's CPU.
    Errors {
        share: f64,
        #[serde(default)]
        ramp: f64,
        #[serde(default = "whole")]
        error_cpu: f64,
    },
    /// Pods wait for something: they carry `factor` of their capacity.
    Capacity { factor: f64 },
    /// CPU falls or rises for other reasons than requests.
    Cpu {
        factor: f64,
        #[serde(default)]
        ramp: f64,
    },
}

/// A number that a source can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Series {
    /// Requests at the edge proxy: the offered load.
    Edge,
    /// Responses at the edge proxy, by code.
    Errors,
    /// What the service itself counts.
    App,
    /// CPU of the pods.
    Cpu,
}

/// The source says something else than what is. `of` left out: every series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum SourceFault {
    /// The series is gone: an empty answer.
    Absent {
        #[serde(default = "every")]
        of: Vec<Series>,
    },
    /// The series is there and reads 0.
    Zero {
        #[serde(default = "every")]
        of: Vec<Series>,
    },
    /// It reads `factor` times the truth.
    Lie {
        factor: f64,
        #[serde(default = "every")]
        of: Vec<Series>,
    },
    /// `share` of the series that make up a sum are gone.
    Partial {
        share: f64,
        #[serde(default = "every")]
        of: Vec<Series>,
    },
    /// An answer that is no number of requests.
    Odd {
        value: Odd,
        #[serde(default = "every")]
        of: Vec<Series>,
    },
    /// Samples come this late, with the time at which they were taken.
    Delay {
        minutes: f64,
        #[serde(default = "every")]
        of: Vec<Series>,
    },
    /// Samples are stamped this far ahead.
    Future {
        minutes: f64,
        #[serde(default = "every")]
        of: Vec<Series>,
    },
    /// The source does not answer.
    Outage,
    /// The source restarts, with or without what it had stored.
    Restart { empty: bool },
}

/// Answers that are no number of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Odd {
    NaN,
    PlusInfinity,
    MinusInfinity,
    /// 1e308.
    Huge,
    Negative,
    TwoSeries,
    String,
}

/// The cluster does something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum ClusterFault {
    /// A share of the pods is not ready.
    Unready { share: f64 },
    /// A share of the pods turns unready and ready again, every so many seconds.
    Flapping { share: f64, every_seconds: f64 },
    /// New pods do not start.
    StartFailing,
    /// New pods are ready, but no traffic reaches them; of all pods the oldest, which have the traffic, are removed first.
    Unserved,
    /// Somebody writes `spec.replicas`, as a re-applied manifest does.
    ReapplyReplicas { replicas: u32 },
    /// Somebody edits the scaler's `minReplicas`.
    EditMinReplicas { replicas: u32 },
    /// Somebody deletes the scaler.
    ScalerDeleted,
    /// Somebody deletes the policy and creates it again.
    PolicyRecreated,
}

/// floorkeeper, or a person who orders it something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum OperatorFault {
    /// A clean stop and a start.
    Restart,
    /// kill -9 and a start.
    Kill,
    /// A person pins the replicas, until the fault's end.
    Pin { replicas: u32 },
}

impl Fault {
    /// When it is over.
    #[must_use]
    pub fn end(&self) -> f64 {
        self.to.unwrap_or(self.from)
    }

    #[must_use]
    pub fn lasts_at(&self, minute: f64) -> bool {
        self.to.is_some_and(|to| self.from <= minute && minute < to)
    }

    /// How much of a ramp of `minutes` is behind at `minute`: 0 to 1.
    #[must_use]
    pub fn grown(&self, minute: f64, minutes: f64) -> f64 {
        if minutes > 0.0 { crate::number::share((minute - self.from) / minutes) } else { 1.0 }
    }
}

impl What {
    /// Whether growth of the load may go unseen while it lasts.
    #[must_use]
    pub fn hides(&self) -> bool {
        match self {
            Self::Source(SourceFault::Restart { empty }) => *empty,
            Self::Source(SourceFault::Lie { factor, .. }) => *factor < 1.0,
            Self::Source(_) => true,
            Self::Load(LoadFault::Scale { factor, .. }) => *factor < 1.0,
            Self::Operator(_) => true,
            Self::Service(_) | Self::Cluster(_) => false,
        }
    }

    /// `seam.fault`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Load(LoadFault::Scale { .. }) => "load.scale",
            Self::Service(ServiceFault::Errors { .. }) => "service.errors",
            Self::Service(ServiceFault::Capacity { .. }) => "service.capacity",
            Self::Service(ServiceFault::Cpu { .. }) => "service.cpu",
            Self::Source(SourceFault::Absent { .. }) => "source.absent",
            Self::Source(SourceFault::Zero { .. }) => "source.zero",
            Self::Source(SourceFault::Lie { .. }) => "source.lie",
            Self::Source(SourceFault::Partial { .. }) => "source.partial",
            Self::Source(SourceFault::Odd { .. }) => "source.odd",
            Self::Source(SourceFault::Delay { .. }) => "source.delay",
            Self::Source(SourceFault::Future { .. }) => "source.future",
            Self::Source(SourceFault::Outage) => "source.outage",
            Self::Source(SourceFault::Restart { .. }) => "source.restart",
            Self::Cluster(ClusterFault::Unready { .. }) => "cluster.unready",
            Self::Cluster(ClusterFault::Flapping { .. }) => "cluster.flapping",
            Self::Cluster(ClusterFault::StartFailing) => "cluster.startFailing",
            Self::Cluster(ClusterFault::Unserved) => "cluster.unserved",
            Self::Cluster(ClusterFault::ReapplyReplicas { .. }) => "cluster.reapplyReplicas",
            Self::Cluster(ClusterFault::EditMinReplicas { .. }) => "cluster.editMinReplicas",
            Self::Cluster(ClusterFault::ScalerDeleted) => "cluster.scalerDeleted",
            Self::Cluster(ClusterFault::PolicyRecreated) => "cluster.policyRecreated",
            Self::Operator(OperatorFault::Restart) => "operator.restart",
            Self::Operator(OperatorFault::Kill) => "operator.kill",
            Self::Operator(OperatorFault::Pin { .. }) => "operator.pin",
        }
    }
}

/// A fault: exactly one seam, `load`, `service`, `source`, `cluster` or `operator`, and when.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    /// Minutes from minute 0.
    from: f64,
    /// Left out: it happens once, at `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    load: Option<LoadFault>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<ServiceFault>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<SourceFault>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<ClusterFault>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operator: Option<OperatorFault>,
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Fault {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fault".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Written::json_schema(generator)
    }
}

impl TryFrom<Written> for Fault {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written { from, to, load, service, source, cluster, operator } = written;
        let seams = [
            load.map(What::Load),
            service.map(What::Service),
            source.map(What::Source),
            cluster.map(What::Cluster),
            operator.map(What::Operator),
        ];
        let mut seams = seams.into_iter().flatten();
        match (seams.next(), seams.next()) {
            (Some(what), None) => Ok(Self { from, to, what }),
            (None, _) | (Some(_), Some(_)) => {
                Err("a fault names exactly one seam: load, service, source, cluster or operator")
            }
        }
    }
}

impl From<Fault> for Written {
    fn from(fault: Fault) -> Self {
        let Fault { from, to, what } = fault;
        let mut written = Self { from, to, load: None, service: None, source: None, cluster: None, operator: None };
        match what {
            What::Load(fault) => written.load = Some(fault),
            What::Service(fault) => written.service = Some(fault),
            What::Source(fault) => written.source = Some(fault),
            What::Cluster(fault) => written.cluster = Some(fault),
            What::Operator(fault) => written.operator = Some(fault),
        }
        written
    }
}

fn whole() -> f64 {
    1.0
}

fn every() -> Vec<Series> {
    vec![Series::Edge, Series::Errors, Series::App, Series::Cpu]
}
