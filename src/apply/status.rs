//! The status of a policy: what was decided, and why, as people read it. Pure.
//!
//! A view and never the store. [`status`] answers with a status only if it says something new: live numbers are on
//! `/metrics`, and a fleet at rest writes nothing.

mod conditions;
mod enforced;
mod learning;
mod news;

use floorkeeper_core::{Action, Decision, Notice, Overwritten, Policy, Reading, SignalView, Timestamp, Trust};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

pub use self::learning::{BackFill, Learning};
use super::enforcement::Enforcement;
use crate::api::{
    ActionKind, BidStatus, DemandStatus, DoubtStatus, FloorStatus, LastAction, OverrideAction, OverrideInForce,
    PriceStatus, Quantity, ReplicasStatus, ScalingPolicy, ScalingPolicyStatus, SignalStatus, Span, TrustLevel,
};
use crate::words;

/// What there is to tell about one policy.
#[derive(Clone, Debug)]
pub struct Told<'a> {
    pub decision: &'a Decision,
    /// The policy as parsed: it names signals, dependencies and durations.
    pub spec: Option<&'a Policy>,
    /// What was done since the status before, the newest first.
    pub actions: &'a [LastAction],
    /// Whether the API server itself keeps the floor.
    pub enforcement: &'a Enforcement,
    /// How far the past is known.
    pub learning: &'a Learning,
    pub now: Timestamp,
}

/// The status to write; `None` if it would say nothing new.
///
/// `before`: the status that stands there, or the one that was written last if the watch has not brought it yet.
#[must_use]
pub fn status(
    policy: &ScalingPolicy,
    before: Option<&ScalingPolicyStatus>,
    told: &Told<'_>,
) -> Option<ScalingPolicyStatus> {
    let decision = told.decision;
    let generation = policy.metadata.generation;
    let hold = decision.hold.as_ref().map(words::hold_reason);
    let next = ScalingPolicyStatus {
        observed_generation: generation,
        why: Some(hold.unwrap_or_else(|| words::guard_reason(decision.guard)).to_owned()),
        floor: Some(FloorStatus {
            replicas: number(decision.floor),
            reason: words::guard_reason(decision.guard).to_owned(),
            since: time(decision.since),
        }),
        replicas: decision
            .replicas
            .map(|current| ReplicasStatus { current: number(current), ready: decision.ready.map(number) }),
        demand: Some(demand(decision, told.spec)),
        bids: bids(decision),
        doubts: doubts(decision, told.spec),
        price: Some(PriceStatus { replicas: number(decision.price), since: decision.price_since.map(time) }),
        learned: Some(learning::learned(told.learning, decision.usual.as_ref())),
        zero_in: Some(Span::from(std::time::Duration::from_secs(decision.zero_in.as_secs()))),
        in_force: decision.in_force.as_ref().map(|force| OverrideInForce {
            name: force.name.to_string(),
            action: ordered(force.action),
            until: time(force.until),
        }),
        last_actions: actions(before, told.actions),
        conditions: conditions::of(policy, before, told),
    };
    news::is_new(before, &next).then_some(next)
}

/// The status of a policy whose spec can't be understood: the last good floor stays, and stays told.
#[must_use]
pub fn refused(
    policy: &ScalingPolicy,
    before: Option<&ScalingPolicyStatus>,
    message: &str,
    now: Timestamp,
) -> Option<ScalingPolicyStatus> {
    let next = ScalingPolicyStatus {
        observed_generation: policy.metadata.generation,
        conditions: conditions::refused(policy, before, message, now),
        ..before.cloned().unwrap_or_default()
    };
    // The message is what the author has to read: here a new one is news.
    let same = before.is_some_and(|before| {
        before.observed_generation == next.observed_generation && before.conditions == next.conditions
    });
    (!same).then_some(next)
}

/// The entry of `status.lastActions` for a notice, if it tells of something that was done.
#[must_use]
pub fn action(notice: &Notice, at: Timestamp) -> Option<LastAction> {
    let (action, from, to) = match notice {
        Notice::Raised { from, to, .. } => (ActionKind::Raised, *from, *to),
        Notice::Lowered { from, to } => (ActionKind::Lowered, *from, *to),
        Notice::Overwritten { what: Overwritten::Replicas | Overwritten::ScalerMinimum, found, floor } => {
            (ActionKind::Undone, *found, *floor)
        }
        Notice::StepUndone { from, to } => (ActionKind::TakenBack, *to, *from),
        Notice::Clamped { .. }
        | Notice::Held { .. }
        | Notice::HoldEnded { .. }
        | Notice::Contested { .. }
        | Notice::Limited { .. }
        | Notice::TrustChanged { .. }
        | Notice::OverrideBegan(_)
        | Notice::OverrideEnded(_)
        | Notice::BrakeBegan { .. }
        | Notice::BrakeEnded { .. }
        | Notice::SharedRise { .. } => return None,
    };
    let reason = match notice {
        Notice::Raised { guard, .. } => words::guard_reason(*guard),
        other => words::notice_reason(other),
    };
    Some(LastAction { at: time(at), action, from: number(from), to: number(to), reason: reason.to_owned() })
}

fn demand(decision: &Decision, spec: Option<&Policy>) -> DemandStatus {
    let signals = decision.signals.iter().enumerate();
    DemandStatus {
        load: decision.load.map(quantity),
        need: decision.need.map(number),
        trust: match decision.trust {
            Trust::Trusted => TrustLevel::Trusted,
            Trust::Doubtful => TrustLevel::Doubtful,
            Trust::Blind => TrustLevel::Blind,
        },
        observed_at: decision.observed_at.map(time),
        signals: signals.map(|(place, view)| signal(place, view, spec)).collect(),
    }
}

/// Guards that ask for nothing say nothing.
fn bids(decision: &Decision) -> Vec<BidStatus> {
    let asking = decision.bids.iter().filter(|bid| bid.replicas > 0).take(REASONS);
    asking
        .map(|bid| BidStatus { guard: words::guard_reason(bid.guard).to_owned(), replicas: number(bid.replicas) })
        .collect()
}

fn doubts(decision: &Decision, spec: Option<&Policy>) -> Vec<DoubtStatus> {
    let doubts = decision.doubts.iter().take(REASONS);
    doubts
        .map(|doubt| DoubtStatus { reason: words::doubt_reason(doubt).to_owned(), says: words::doubt(doubt, spec) })
        .collect()
}

fn signal(place: usize, view: &SignalView, spec: Option<&Policy>) -> SignalStatus {
    let named = spec.and_then(|spec| spec.signals.get(place));
    let (reading, why, load) = match view.reading {
        Reading::Present(load) => ("Present", None, Some(load)),
        Reading::ConfirmedZero => ("ConfirmedZero", None, Some(0.0)),
        Reading::Unknown { why, at_least } => {
            let text = format!("{}: it {}", words::unknown_reason(&why), words::unknown(&why));
            ("Unknown", Some(text), (at_least > 0.0).then_some(at_least))
        }
    };
    let estimate = if named.is_some_and(|signal| signal.capacity.is_some()) { None } else { view.per_replica };
    SignalStatus {
        name: named.map_or_else(|| format!("signal-{}", place + 1), |signal| signal.name.to_string()),
        reading: reading.to_owned(),
        why,
        load: load.map(quantity),
        need: view.need.map(number),
        capacity_estimate: estimate.map(quantity),
        observed_at: view.at.map(time),
    }
}

fn actions(before: Option<&ScalingPolicyStatus>, fresh: &[LastAction]) -> Vec<LastAction> {
    let old = before.map(|before| before.last_actions.as_slice()).unwrap_or_default();
    fresh.iter().chain(old).take(ACTIONS).cloned().collect()
}

fn ordered(action: Action) -> OverrideAction {
    match action {
        Action::Freeze => OverrideAction::Freeze,
        Action::Release => OverrideAction::Release,
        Action::Pin(_) => OverrideAction::Pin,
    }
}

/// Whole seconds, as the API server stores them: or each comparison would see a change.
fn time(at: Timestamp) -> Time {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    Time(jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX))
}

fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Three significant digits: a status is read, not computed with.
fn quantity(value: f64) -> Quantity {
    if !value.is_normal() {
        return Quantity::rounded(0.0);
    }
    let scale = 10_f64.powf(2.0 - value.abs().log10().floor());
    Quantity::rounded((value * scale).round() / scale)
}

/// The limit that the schema sets on `status.bids` and `status.doubts`: more than there are guards, or doubts.
const REASONS: usize = 16;

/// The limit that the schema sets on `status.lastActions`.
const ACTIONS: usize = 10;

#[cfg(test)]
mod tests;
