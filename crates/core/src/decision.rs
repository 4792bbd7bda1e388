//! The decision about one policy, complete: what the floor is, why, and what would change it.

use core::time::Duration;
use std::sync::Arc;

use crate::history::Usual;
use crate::sample::{Reading, Unknown};
use crate::target::Action;
use crate::time::Timestamp;

/// What was decided about one policy, with the numbers behind it. Status, events, metrics and logs are views of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub floor: u32,
    /// The guard whose bid is the floor.
    pub guard: Guard,
    /// Since when the floor has this value.
    pub since: Timestamp,
    pub verdict: Verdict,
    /// Every guard's bid, the largest first.
    pub bids: Vec<Bid>,
    /// Reasons not to lower now, the gravest first; empty when nothing is in doubt.
    pub doubts: Vec<Doubt>,
    /// Why the floor stays above what the bids alone ask for; `None` when it does not.
    pub hold: Option<Hold>,
    pub trust: Trust,
    /// One for each of the policy's signals, in their order.
    pub signals: Vec<SignalView>,
    /// Replicas that the present load needs, headroom included; `None` while no signal tells.
    pub need: Option<u32>,
    /// Load of the signal that needs most, its unit a second.
    pub load: Option<f64>,
    /// When the newest sample behind `need` was taken.
    pub observed_at: Option<Timestamp>,
    /// The bounds in force: the policy's, or the scaler's own where the policy is silent.
    pub min: u32,
    pub max: u32,
    /// What is needed passes `max`: this many replicas were asked for.
    pub limited: Option<u32>,
    /// Replicas held above what the load alone would ask for, and since when.
    pub price: u32,
    pub price_since: Option<Timestamp>,
    /// The longest that the floor can stay above the minimum from now, if from now on every signal is a confirmed zero.
    pub zero_in: Duration,
    pub in_force: Option<InForce>,
    /// Three or more undos in ten minutes: how many.
    pub contested: Option<u32>,
    /// What this workload's own past says of now; `None` until enough is learned.
    pub usual: Option<Usual>,
    /// What keeps floorkeeper from doing its work for this policy.
    pub problem: Option<Problem>,
    /// `None` while the target was not seen.
    pub replicas: Option<u32>,
    pub ready: Option<u32>,
    /// The floor is in the `FloorTable` (acknowledged).
    pub stored: bool,
}

/// Who asks for replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guard {
    StaticMinimum,
    LiveDemand,
    RecentPeak,
    UsualFall,
    UsualDay,
    Held,
    Backlog,
    SpecChanged,
    Override,
    /// A younger policy on the same target asks for more.
    Peer,
}

impl Guard {
    /// A stable CamelCase word: the reason of a floor in tables, conditions and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StaticMinimum => "StaticMinimum",
            Self::LiveDemand => "LiveDemand",
            Self::RecentPeak => "RecentPeak",
            Self::UsualFall => "UsualFall",
            Self::UsualDay => "UsualDay",
            Self::Held => "Held",
            Self::Backlog => "Backlog",
            Self::SpecChanged => "SpecChanged",
            Self::Override => "Override",
            Self::Peer => "Peer",
        }
    }
}

/// What one guard asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bid {
    pub guard: Guard,
    pub replicas: u32,
}

/// A reason not to lower, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Doubt {
    /// Share of failed work is above the limit.
    Errors {
        share: f64,
        above: f64,
    },
    /// Pods that were ready and are not.
    Unready {
        unready: u32,
        of: u32,
    },
    Rollout {
        until: Timestamp,
    },
    /// A workload that this one depends on is failing (by its place in `dependsOn`).
    Dependency {
        place: usize,
    },
    /// The need fell in a way that this workload does not usually show.
    UnusualFall {
        need: u32,
        before: u32,
        since: Timestamp,
    },
    /// Many workloads of one source fell at once.
    Brake {
        namespaces: u32,
        of: u32,
        until: Timestamp,
    },
    /// Too few samples to speak for the window.
    WindowNotFull {
        have: u32,
        want: u32,
    },
    /// The last step down did harm and was taken back.
    StepHarmful {
        from: u32,
        to: u32,
        until: Timestamp,
    },
    /// An overdue doubt of one of the other kinds: `holdAtMost` has passed, the known demand is followed.
    Overdue {
        since: Timestamp,
    },
    /// A doubt that is over, but not yet for a window.
    Settling {
        until: Timestamp,
    },
}

/// Why a floor stays above the bids.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hold {
    /// No information (the signal by its place in the policy; `None`: no observation at all).
    Unknown {
        signal: Option<usize>,
        why: Unknown,
    },
    Doubt(Doubt),
    /// `halfLife` allows the next step then.
    Pace {
        next: Timestamp,
    },
    /// The last step is still being watched.
    Verifying {
        from: u32,
        to: u32,
    },
    /// An override forbids lowering.
    Frozen {
        until: Timestamp,
    },
    /// The target was not seen.
    NoTarget,
    /// A newer leader has written this floor: only it may lower.
    Fenced {
        stored: u64,
        ours: u64,
    },
}

/// How far the readings can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Every signal known, nothing in doubt.
    Trusted,
    /// Known, but in doubt, or known in part.
    Doubtful,
    /// No signal known: only data or a person ends this hold.
    Blind,
}

/// What this decision did to the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Steady,
    Raised {
        from: u32,
    },
    Lowered {
        from: u32,
    },
    /// The bids ask for less; see `Decision::hold`.
    Held,
}

/// One signal, as judged.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalView {
    pub reading: Reading,
    /// Replicas that this signal alone needs, headroom included; `None` while unknown or without capacity.
    pub need: Option<u32>,
    /// Load that one replica carries now: an estimate for `capacity` while none is set.
    pub per_replica: Option<f64>,
    pub at: Option<Timestamp>,
}

/// The override in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    pub name: Arc<str>,
    pub action: Action,
    pub until: Timestamp,
}

/// What is wrong with a policy's surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    TargetNotFound,
    /// Guard without a scaler that scales the target.
    ScalerNotFound,
    /// Autoscale where a scaler exists that is not ours.
    ScalerExists,
    /// An older policy owns the target.
    NotOwner,
    /// A minimum above the maximum (a scaler's own bounds against the policy's).
    BoundsCrossed,
}

/// Something worth an event, a counter and a log line, once.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    Raised {
        from: u32,
        to: u32,
        guard: Guard,
    },
    Lowered {
        from: u32,
        to: u32,
    },
    /// A hold began (not repeated while it lasts for the same kind of reason).
    Held {
        floor: u32,
        hold: Hold,
    },
    /// A hold ended.
    HoldEnded {
        floor: u32,
    },
    /// Somebody wrote below the floor; it is put back.
    Overwritten {
        what: Overwritten,
        found: u32,
        floor: u32,
    },
    /// A write below the floor was raised to it by the API server itself. `by`: who wrote.
    Clamped {
        asked: u32,
        kept: u32,
        by: Arc<str>,
    },
    Contested {
        undos: u32,
    },
    /// A step down did harm and was taken back.
    StepUndone {
        from: u32,
        to: u32,
    },
    Limited {
        wanted: u32,
        max: u32,
    },
    TrustChanged {
        from: Trust,
        to: Trust,
    },
    OverrideBegan(InForce),
    OverrideEnded(InForce),
    /// Many workloads of one source fell at once; one notice a source, on the first policy concerned.
    BrakeBegan {
        source: Arc<str>,
        namespaces: u32,
        of: u32,
    },
    BrakeEnded {
        source: Arc<str>,
    },
    /// A rise that many policies of one source share.
    SharedRise {
        source: Arc<str>,
        policies: u32,
    },
}

/// What somebody overwrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Overwritten {
    Replicas,
    ScalerMinimum,
}
