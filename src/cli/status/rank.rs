//! Which policy is worst. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::conditions::{CONTESTED, FLOOR_HOLDING, READY, SCALING_LIMITED, TRUSTED};
use crate::api::{Mode, ScalingPolicy, ScalingPolicyStatus, TrustLevel};
use crate::cli::enforced::{Keeper, keeper};

/// How a policy is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// More is needed than the maximum allows: capacity is missing now.
    Limited,
    /// floorkeeper can't do its work for it.
    Broken,
    /// floorkeeper has never said anything of it.
    Unseen,
    Blind,
    Doubtful,
    /// The floor is held above the need, at a price.
    Holding,
    Contested,
    /// A person's order is in force.
    Ordered,
    /// Only floorkeeper keeps the floor, not the API server too.
    Unenforced,
    /// It decides and reports only.
    Observing,
    Fine,
}

impl State {
    pub(super) const ALL: [Self; 11] = [
        Self::Limited,
        Self::Broken,
        Self::Unseen,
        Self::Blind,
        Self::Doubtful,
        Self::Holding,
        Self::Contested,
        Self::Ordered,
        Self::Unenforced,
        Self::Observing,
        Self::Fine,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Limited => "Limited",
            Self::Broken => "Broken",
            Self::Unseen => "Unseen",
            Self::Blind => "Blind",
            Self::Doubtful => "Doubtful",
            Self::Holding => "Holding",
            Self::Contested => "Contested",
            Self::Ordered => "Override",
            Self::Unenforced => "Unenforced",
            Self::Observing => "Observing",
            Self::Fine => "Fine",
        }
    }
}

/// One policy, as its line needs it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ranked<'a> {
    pub(super) policy: &'a ScalingPolicy,
    /// All that is so, the worst first; never empty.
    pub(super) states: Vec<State>,
    /// Since when the worst is so.
    pub(super) since: Option<Time>,
}

impl Ranked<'_> {
    pub(super) fn worst(&self) -> State {
        self.states.first().copied().unwrap_or(State::Fine)
    }

    pub(super) fn price(&self) -> i32 {
        let status = self.policy.status.as_ref();
        status.and_then(|status| status.price.as_ref()).map_or(0, |price| price.replicas)
    }
}

/// Worst first; of two that are alike the dearer, then by name.
pub(super) fn ranked(policies: &[ScalingPolicy]) -> Vec<Ranked<'_>> {
    let mut ranked: Vec<Ranked<'_>> = policies.iter().map(rank).collect();
    ranked.sort_by(|a, b| {
        let name = |it: &Ranked<'_>| (it.policy.metadata.namespace.clone(), it.policy.metadata.name.clone());
        (a.worst(), b.price()).cmp(&(b.worst(), a.price())).then_with(|| name(a).cmp(&name(b)))
    });
    ranked
}

fn rank(policy: &ScalingPolicy) -> Ranked<'_> {
    let Some(status) = policy.status.as_ref().filter(|status| !status.conditions.is_empty()) else {
        let since = policy.metadata.creation_timestamp.clone();
        return Ranked { policy, states: vec![State::Unseen], since };
    };
    let observes = policy.spec.mode == Mode::Observe;
    let mut states: Vec<State> = State::ALL.into_iter().filter(|state| holds(*state, status, observes)).collect();
    if states.is_empty() {
        states.push(State::Fine);
    }
    let since = states.first().and_then(|worst| since(*worst, status));
    Ranked { policy, states, since }
}

/// A policy that only observes protects nothing: whatever it thinks is no reason to get up.
fn holds(state: State, status: &ScalingPolicyStatus, observes: bool) -> bool {
    let is = |kind, value| condition(status, kind).is_some_and(|found| found.status == value);
    let trust = status.demand.as_ref().map(|demand| demand.trust);
    match state {
        State::Observing => observes,
        State::Limited => !observes && is(SCALING_LIMITED, "True"),
        State::Broken => !observes && is(READY, "False"),
        State::Blind => !observes && trust == Some(TrustLevel::Blind),
        State::Doubtful => !observes && trust == Some(TrustLevel::Doubtful),
        State::Holding => {
            let price = status.price.as_ref().map_or(0, |price| price.replicas);
            !observes && is(FLOOR_HOLDING, "True") && price > 0
        }
        State::Contested => !observes && is(CONTESTED, "True"),
        State::Ordered => status.in_force.is_some(),
        State::Unenforced => {
            let (keeper, _) = keeper(status);
            !observes && (keeper == Keeper::Floorkeeper || keeper == Keeper::Astray)
        }
        State::Unseen | State::Fine => false,
    }
}

fn since(state: State, status: &ScalingPolicyStatus) -> Option<Time> {
    let turned = |kind| condition(status, kind).map(|found| found.last_transition_time.clone());
    match state {
        State::Limited => turned(SCALING_LIMITED),
        State::Broken => turned(READY),
        State::Blind | State::Doubtful => turned(TRUSTED),
        State::Holding => turned(FLOOR_HOLDING),
        State::Contested => turned(CONTESTED),
        State::Unenforced | State::Observing | State::Ordered | State::Fine | State::Unseen => {
            status.floor.as_ref().map(|floor| floor.since.clone())
        }
    }
}

pub(super) fn condition<'a>(status: &'a ScalingPolicyStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

/// When floorkeeper last wrote a status: the API server keeps that for each writer.
pub(super) fn written(policy: &ScalingPolicy) -> Option<Timestamp> {
    let entries = policy.metadata.managed_fields.iter().flatten();
    let ours = entries.filter(|entry| entry.subresource.as_deref() == Some("status"));
    ours.filter_map(|entry| entry.time.as_ref()).map(|time| time.0).max()
}
