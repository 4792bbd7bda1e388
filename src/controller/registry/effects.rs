//! What follows from a change, to be carried out by the task that owns the registry.

use std::collections::BTreeSet;
use std::sync::Arc;

use floorkeeper_core::{PolicyKey, TargetKey};

use crate::api::{FloorOverrideStatus, ScalingPolicy, ScalingPolicyStatus};
use crate::controller::input::{Input, Store};
use crate::controller::kinds::{KindRef, Resolved};
use crate::controller::watch::Id;
use crate::observe::{SourceConfig, Subscription};

/// What follows from a change.
#[derive(Debug, Default)]
pub(in crate::controller) struct Effects {
    /// For the loop, in this order.
    pub(in crate::controller) inputs: Vec<Input>,
    /// Kinds to look up.
    pub(in crate::controller) lookups: Vec<KindRef>,
    /// Targets whose pods' selector is to be looked up.
    pub(in crate::controller) pods: Vec<TargetKey>,
    /// Kinds to watch from now on.
    pub(in crate::controller) starts: Vec<Resolved>,
    /// Resources to watch no longer.
    pub(in crate::controller) stops: BTreeSet<Arc<str>>,
    /// All sources, if one changed.
    pub(in crate::controller) sources: Option<Arc<[Arc<SourceConfig>]>>,
    /// All questions, if one changed.
    pub(in crate::controller) subscriptions: Option<Arc<[Arc<Subscription>]>>,
    /// Policies as objects; `None`: gone.
    pub(in crate::controller) abouts: Vec<(PolicyKey, Option<About>)>,
    /// Policies that can't be understood, and what to write; `None`: understood again.
    pub(in crate::controller) problems: Vec<(PolicyKey, Option<Arc<str>>)>,
    /// Overrides whose status says something new.
    pub(in crate::controller) orders: Vec<(Id, FloorOverrideStatus)>,
}

/// A policy as an object, for its status.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::controller) struct About {
    pub(in crate::controller) object: Arc<ScalingPolicy>,
    pub(in crate::controller) status: Option<Arc<ScalingPolicyStatus>>,
}

impl Effects {
    /// Puts the inputs in an order in which each finds what it refers to; of one sort, as they came.
    pub(super) fn sort(&mut self) {
        self.inputs.sort_by_key(|input| match input {
            Input::Table { .. } => 0,
            Input::Filled(Store::Tables) => 1,
            Input::Kind(..) | Input::Awaited(_) => 2,
            Input::PolicyGone(_) => 3,
            Input::Policy(..) => 4,
            Input::Overrides(..) => 5,
            Input::Filled(Store::Policies | Store::Scalers(_) | Store::Targets(_)) => 6,
            Input::Dropped(_) => 7,
            Input::Observed(..)
            | Input::History(..)
            | Input::Learned(..)
            | Input::Past(..)
            | Input::Recall(..)
            | Input::Target(..)
            | Input::Clamped(..)
            | Input::Scaler(..)
            | Input::Wrote(..)
            | Input::Elected(_)
            | Input::Refused(_) => 8,
        });
    }
}
