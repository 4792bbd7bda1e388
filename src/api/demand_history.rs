//! `DemandHistory`: what a workload's own past has taught, so that no restart forgets it.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Moment;

/// What floorkeeper has learned of one workload.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "floorkeeper.dev",
    version = "v1alpha1",
    kind = "DemandHistory",
    plural = "demandhistories",
    namespaced,
    shortname = "dh",
    category = "floorkeeper",
    derive = "PartialEq",
    doc = "A DemandHistory holds what floorkeeper has learned of the workload of the ScalingPolicy of the same name: how deep its load usually falls, and what each hour needed, day by day for two weeks. floorkeeper alone writes it, once a day at most, and reads it when it starts; it goes with its policy. Don't edit it: numbers that are not the workload's own take its protection away. `kubectl floorkeeper explain POLICY --history` draws it.",
    printcolumn(
        name = "Days",
        type_ = "integer",
        json_path = ".spec.known.days",
        description = "Days before the last one that at least half is known of: three make a limit."
    ),
    printcolumn(
        name = "Within Hour",
        type_ = "integer",
        json_path = ".spec.known.withinHourPercent",
        description = "What is usually left at least, within an hour, of the hour's peak, in percent."
    ),
    printcolumn(
        name = "Until",
        type_ = "date",
        json_path = ".spec.until",
        description = "How long ago the time ends that it tells of."
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct DemandHistorySpec {
    /// What needs were reckoned by, one for each signal of the policy, in their order. After another capacity or headroom the
    /// needs below are converted, where one factor does it; with other signals nothing below is used.
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["signal".into()]))]
    pub reckoned_by: Vec<Reckoning>,

    /// The source was asked for the past from this moment on. Absent: it has not told its past (yet); after a restart it is
    /// asked for two weeks then, otherwise only for what is missing since `until`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Moment>,

    /// Everything that was seen before this moment is in here.
    pub until: Moment,

    /// What follows from the days, as of when this was written.
    pub known: Known,

    /// What the places of `lows` and `suspects` are measured over: how long the peak is remembered that load fell from, and
    /// last the same hour of other days. Separated by spaces.
    #[schemars(length(max = 128))]
    pub spans: String,

    /// The last two weeks and today, in UTC, oldest first. Days that nothing is known of are left out.
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["date".into()]))]
    pub days: Vec<HistoryDay>,
}

/// What needs of one signal were reckoned by.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Reckoning {
    /// Name of the signal.
    #[schemars(length(max = 63))]
    pub signal: String,
    /// Load that one replica carries with its headroom.
    #[schemars(length(max = 32))]
    pub carries: String,
}

/// What follows from the days.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Known {
    /// Days before the last one that at least half is known of.
    #[schemars(range(min = 0, max = 32))]
    pub days: i32,
    /// What is usually left at least, within an hour, of the hour's peak, in percent. Absent: not known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub within_hour_percent: Option<i32>,
}

/// One day, in UTC.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HistoryDay {
    /// The day: `2024-03-05`.
    #[schemars(length(max = 10))]
    pub date: String,

    /// Minutes that were known.
    #[schemars(range(min = 0, max = 1440))]
    pub minutes: i32,

    /// The deepest usual falls: what was left of the peak of each of `spans`, in percent, separated by spaces. `-`: no peak of
    /// that day mattered.
    #[schemars(length(max = 128))]
    pub lows: String,

    /// The same since the onset of unusual falls: it teaches only once three days show it. Absent: there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub suspects: Option<String>,

    /// What each hour needed on the mean, in replicas, from midnight on, separated by spaces. `-`: not known. With `?`: an
    /// unusual fall lasted, and the number counts only once three days show it.
    #[schemars(length(max = 256))]
    pub hours: String,
}
