//! From what was decided to the complete [`Decision`], its news and its next wake-up. Nothing is decided here.

use core::mem::discriminant;
use core::time::Duration;

use crate::decision::{Bid, Decision, Doubt, Guard, Hold, InForce, Notice, Problem, SignalView, Trust, Verdict};
use crate::facts::patience;
use crate::history::Usual;
use crate::judge::ErrorShare;
use crate::policy::Policy;
use crate::signal::{SignalState, whole};
use crate::standing::Standing;
use crate::target::{Action, Override, Target};
use crate::time::Timestamp;

/// What the decision came to.
#[derive(Debug)]
pub(crate) struct Conclusion {
    pub(crate) now: Timestamp,
    pub(crate) bids: Vec<Bid>,
    pub(crate) doubts: Vec<Doubt>,
    pub(crate) guard: Guard,
    pub(crate) verdict: Verdict,
    pub(crate) hold: Option<Hold>,
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// The largest bid, before `maxReplicas`.
    pub(crate) asked: u32,
    pub(crate) need: Option<u32>,
}

/// What else a decision says.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) floor: u32,
    pub(crate) since: Timestamp,
    pub(crate) standing: &'a Standing,
    pub(crate) policy: &'a Policy,
    pub(crate) signals: Vec<SignalView>,
    pub(crate) observed_at: Option<Timestamp>,
    pub(crate) errors: ErrorShare,
    pub(crate) price: u32,
    pub(crate) price_since: Option<Timestamp>,
    pub(crate) in_force: Option<InForce>,
    pub(crate) problem: Option<Problem>,
    pub(crate) target: Option<&'a Target>,
    pub(crate) contested: Option<u32>,
    pub(crate) usual: Option<Usual>,
    pub(crate) stored: bool,
}

pub(crate) fn decision(conclusion: Conclusion, parts: Parts<'_>) -> Decision {
    let Conclusion { now, bids, doubts, guard, verdict, hold, min, max, asked, need } = conclusion;
    let trust = trust(&parts.signals, parts.errors, &doubts);
    let heaviest = parts.signals.iter().max_by_key(|signal| signal.need);
    Decision {
        floor: parts.floor,
        guard,
        since: parts.since,
        verdict,
        trust,
        need,
        load: heaviest.map(|signal| signal.reading.at_least()).filter(|_| need.is_some() || trust != Trust::Blind),
        observed_at: parts.observed_at,
        min,
        max,
        limited: (asked > max && parts.in_force.is_none()).then_some(asked),
        price: parts.price,
        price_since: parts.price_since,
        zero_in: zero_in(parts.floor, min, parts.standing, parts.policy, now),
        in_force: parts.in_force,
        contested: parts.contested,
        usual: parts.usual,
        problem: parts.problem,
        replicas: parts.target.map(|target| target.replicas),
        ready: parts.target.and_then(|target| target.ready),
        stored: parts.stored,
        bids,
        doubts,
        hold,
        signals: parts.signals,
    }
}

/// Every signal as it is now, into `views`.
pub(crate) fn signals(
    views: &mut Vec<SignalView>,
    states: &[SignalState],
    policy: &Policy,
    target: Option<&Target>,
    now: Timestamp,
) {
    views.clear();
    let serving = target.map(|target| target.ready.unwrap_or(target.replicas)).filter(|&ready| ready > 0);
    for (state, signal) in states.iter().zip(&policy.signals) {
        let reading = state.reading(signal, now);
        let known = reading.unknown().is_none();
        views.push(SignalView {
            reading,
            need: (known && signal.capacity.is_some()).then(|| whole(state.level(signal, policy, now))),
            per_replica: serving.filter(|_| known).map(|ready| reading.at_least() / f64::from(ready)),
            at: state.taken_at(),
        });
    }
}

/// A person's order in place of the bids.
pub(crate) fn apply_order(action: Action, min: u32, bids: &mut Vec<Bid>) {
    let replicas = match action {
        Action::Freeze => return,
        Action::Release => min,
        Action::Pin(replicas) => replicas,
    };
    bids.insert(0, Bid { guard: Guard::Override, replicas });
}

/// When time alone may change the decision.
pub(crate) fn wake(
    decision: &Decision,
    standing: &Standing,
    policy: &Policy,
    overrides: &[Override],
    now: Timestamp,
) -> Timestamp {
    let order_ends = overrides.iter().map(|order| order.until).filter(|&until| until > now).min();
    let pending = decision.hold.is_some()
        || !decision.doubts.is_empty()
        || standing.run_down.is_some()
        || standing.fall.is_some();
    let freshness = policy.signals.iter().map(|signal| signal.max_age).min().unwrap_or(policy.resolution);
    let span = if pending { policy.resolution } else { freshness };
    // A resolution of zero would be a busy loop.
    let next = now.plus(span.max(Duration::from_secs(1)));
    order_ends.map_or(next, |ends| ends.min(next))
}

/// True if the decision tells people something new; and what is worth an event.
pub(crate) fn news(last: Option<&Decision>, next: &Decision, notices: &mut Vec<Notice>) -> bool {
    match next.verdict {
        Verdict::Raised { from } => notices.push(Notice::Raised { from, to: next.floor, guard: next.guard }),
        Verdict::Lowered { from } => notices.push(Notice::Lowered { from, to: next.floor }),
        Verdict::Steady | Verdict::Held => {}
    }
    let grave = |decision: &Decision| decision.hold.filter(is_grave);
    let was_grave = last.and_then(grave);
    match (was_grave, grave(next)) {
        (None, Some(hold)) => notices.push(Notice::Held { floor: next.floor, hold }),
        (Some(was), Some(hold)) if kind(&was) != kind(&hold) => {
            notices.push(Notice::Held { floor: next.floor, hold });
        }
        (Some(_), None) => notices.push(Notice::HoldEnded { floor: next.floor }),
        (Some(_), Some(_)) | (None, None) => {}
    }
    if let Some(wanted) = next.limited
        && last.is_none_or(|last| last.limited.is_none())
    {
        notices.push(Notice::Limited { wanted, max: next.max });
    }
    let Some(last) = last else { return true };
    if last.trust != next.trust {
        notices.push(Notice::TrustChanged { from: last.trust, to: next.trust });
    }
    // Live numbers (load, need, price) are on /metrics: by themselves they are no news.
    last.floor != next.floor
        || last.guard != next.guard
        || last.trust != next.trust
        || last.replicas != next.replicas
        || last.ready != next.ready
        || (last.min, last.max) != (next.min, next.max)
        || last.limited.is_some() != next.limited.is_some()
        || (last.price > 0) != (next.price > 0)
        || last.in_force != next.in_force
        || last.contested != next.contested
        || last.usual.map(|usual| usual.days) != next.usual.map(|usual| usual.days)
        || last.problem != next.problem
        || last.stored != next.stored
        || last.hold.as_ref().map(kind) != next.hold.as_ref().map(kind)
        || !last.doubts.iter().map(discriminant).eq(next.doubts.iter().map(discriminant))
        || !same_signals(last, next)
}

fn same_signals(last: &Decision, next: &Decision) -> bool {
    let what =
        |signal: &SignalView| (discriminant(&signal.reading), signal.reading.unknown().map(|why| discriminant(&why)));
    last.signals.iter().map(what).eq(next.signals.iter().map(what))
}

/// Holds of one kind are one hold, whatever their numbers.
fn kind(hold: &Hold) -> impl PartialEq + use<> {
    let inner = match hold {
        Hold::Doubt(doubt) => Some(discriminant(doubt)),
        Hold::Unknown { .. }
        | Hold::Pace { .. }
        | Hold::Verifying { .. }
        | Hold::Frozen { .. }
        | Hold::NoTarget
        | Hold::Fenced { .. } => None,
    };
    (discriminant(hold), inner)
}

/// Not the ordinary way down.
fn is_grave(hold: &Hold) -> bool {
    match hold {
        Hold::Unknown { .. } | Hold::Frozen { .. } | Hold::NoTarget | Hold::Fenced { .. } => true,
        Hold::Doubt(doubt) => !doubt.is_ordinary(),
        Hold::Pace { .. } | Hold::Verifying { .. } => false,
    }
}

fn trust(signals: &[SignalView], errors: ErrorShare, doubts: &[Doubt]) -> Trust {
    let unknown = signals.iter().filter(|signal| signal.reading.unknown().is_some()).count();
    if unknown == signals.len() {
        return Trust::Blind;
    }
    let partly = unknown > 0 || matches!(errors, ErrorShare::Unknown(_));
    if partly || doubts.iter().any(|doubt| !doubt.is_ordinary()) { Trust::Doubtful } else { Trust::Trusted }
}

/// T of law L6: patience, a window, and the halvings from the floor to the minimum.
fn zero_in(floor: u32, min: u32, standing: &Standing, policy: &Policy, now: Timestamp) -> Duration {
    if floor <= min {
        return Duration::ZERO;
    }
    let waited = standing.zero_since.map_or(Duration::ZERO, |since| now.since(since));
    let halvings = (f64::from(floor) / f64::from(min.max(1))).log2() + 1.0;
    let decay = Duration::try_from_secs_f64(policy.half_life.as_secs_f64() * halvings).unwrap_or(Duration::MAX);
    patience(policy)
        .saturating_sub(waited)
        .saturating_add(policy.window)
        .saturating_add(decay)
        .saturating_add(policy.resolution.saturating_mul(SLACK_TICKS))
}

/// A quarter at most a tick, from a large floor, and the tick in which zero was first seen.
const SLACK_TICKS: u32 = 60;

#[cfg(test)]
mod tests;
