//! `FloorTable`: the floors in force and the standing that must outlive a process. The API server fences it.

use core::fmt;
use std::borrow::Cow;
use std::collections::BTreeMap;

use floorkeeper_core::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The one name that a FloorTable can have.
pub const TABLE_NAME: &str = "floors";

/// The floors of one namespace.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "floorkeeper.dev",
    version = "v1alpha1",
    kind = "FloorTable",
    namespaced,
    category = "floorkeeper",
    derive = "PartialEq",
    doc = "The FloorTable named `floors` holds the floors of a namespace and what floorkeeper must remember about them. floorkeeper alone writes it; admission policies read it. Don't edit it: to change what floorkeeper does, create a FloorOverride. The API server refuses writes of a leader that has been replaced, and any lowering without newer data.",
    validation = Rule::new("self.metadata.name == 'floors'").message("a FloorTable must be named floors"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct FloorTableSpec {
    /// The floors, by workload: `deployments.apps/web`. 2000 at most.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 2000))]
    #[x_kube(validation = Rule::new("oldSelf.all(k, k in self || oldSelf[k].released)")
        .message("a floor can vanish only after it was released: write released: true first")
        .reason(Reason::FieldValueForbidden))]
    #[x_kube(validation = Rule::new("self.all(k, size(k) <= 512)").message("a key is RESOURCE.GROUP/NAME, 512 characters at most"))]
    pub floors: BTreeMap<String, FloorRow>,
}

/// The floor of one workload, and its standing.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.epoch >= oldSelf.epoch")
        .message("stale leader: this floor was written in a later epoch")
        .reason(Reason::FieldValueForbidden),
    validation = Rule::new("self.replicas >= oldSelf.replicas || self.seq > oldSelf.seq")
        .message("a floor falls only with a higher seq: what this lowering was decided on is old")
        .reason(Reason::FieldValueForbidden)
)]
pub struct FloorRow {
    /// The floor.
    #[schemars(range(min = 0))]
    pub replicas: i32,

    /// The policy that owns the workload.
    #[schemars(length(max = 253))]
    pub policy: String,

    /// UID of the workload.
    #[schemars(length(max = 64))]
    pub uid: String,

    /// Who asked for the floor.
    #[schemars(length(max = 64))]
    pub reason: String,

    /// The leadership that wrote the row. It never falls.
    #[schemars(range(min = 0))]
    pub epoch: i64,

    /// Counts the decisions, in every epoch on from the one before: the floor falls only with a higher one.
    #[schemars(range(min = 0))]
    pub seq: i64,

    /// When the newest sample behind the floor was taken.
    pub observed_at: Moment,

    /// Since when the readings are in doubt, and the replicas held from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<RowOnset>,

    /// Since when the fall is unusual, and the need just before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fall: Option<RowOnset>,

    /// The need that would end the fall, in thousandths of a replica, where the workload's own falls are learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub fall_limit: Option<i32>,

    /// The last step down, until it is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<RowStep>,

    /// No step down before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Moment>,

    /// Pause after the last harmful step, milliseconds.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub pause_ms: i64,

    /// Since when every signal is a confirmed zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero_since: Option<Moment>,

    /// From where and since when the floor runs down after first sight, an edit or an override's end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_down: Option<RowOnset>,

    /// The policy is gone: the floor no longer binds, the row may vanish.
    #[serde(default)]
    pub released: bool,
}

/// A moment and the replicas of that moment.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RowOnset {
    /// The moment.
    pub since: Moment,
    /// Replicas, or the need, of that moment.
    #[schemars(range(min = 0))]
    pub replicas: i32,
}

/// A step down under verification.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RowStep {
    /// The floor before.
    #[schemars(range(min = 0))]
    pub from: i32,
    /// The floor after.
    #[schemars(range(min = 0))]
    pub to: i32,
    /// When it was taken.
    pub at: Moment,
    /// When ready pods were first seen below `from`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fell_at: Option<Moment>,
    /// Error share just before, in permille.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub errors_before: Option<i32>,
    /// Pods unready just before.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub unready_before: i32,
    /// Need against ready pods just before, in permille.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub strain_before: Option<i32>,
}

/// A moment to the millisecond, written as people and CEL read it: `2024-03-05T01:36:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0.0).unwrap_or(i64::MAX);
        let at = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{at:.3}")
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let at = jiff::Timestamp::deserialize(deserializer)?;
        // A moment before 1970 can't come from us; the beginning of time is the safe reading: long ago.
        Ok(Self(Timestamp(u64::try_from(at.as_millisecond()).unwrap_or(0))))
    }
}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "maxLength": 35 })
    }
}
