//! The sentences: what is so, with its numbers, and what would end it.

use core::time::Duration;

use floorkeeper_core::{
    Action, Doubt, Failure, Guard, Hold, Notice, Overwritten, Policy, Problem, Timestamp, Trust, Unknown,
};

use super::word;

/// What a guard asks for.
#[must_use]
pub fn guard(guard: Guard) -> &'static str {
    match guard {
        Guard::StaticMinimum => "the minimum that the policy or the scaler sets",
        Guard::LiveDemand => "what the present load needs",
        Guard::RecentPeak => "the highest need within the window",
        Guard::UsualFall => "what this workload's usual falls leave of its recent peak",
        Guard::UsualDay => "what this hour of the week usually needs",
        Guard::Held => "held from the moment that doubt began",
        Guard::Backlog => "the waiting work, drained in the time that the policy sets",
        Guard::SpecChanged => "coming down at halfLife after first sight or an edit",
        Guard::Override => "ordered by a FloorOverride",
        Guard::Peer => "another policy on the same target asks for more",
    }
}

/// What has to happen for this guard to ask for less.
#[must_use]
pub fn falls(guard: Guard) -> &'static str {
    match guard {
        Guard::StaticMinimum => "falls no further: to go lower, lower minReplicas of the policy or of the scaler",
        Guard::LiveDemand => "falls when the load falls",
        Guard::RecentPeak => "falls when the highest load of the window is over and has left the window",
        Guard::UsualFall => "falls when the recent peak has left this workload's memory",
        Guard::UsualDay => "falls when this hour of the week usually needs less",
        Guard::Held => "falls when the doubt is over",
        Guard::Backlog => "falls when the waiting work is done",
        Guard::SpecChanged => "falls by half in each halfLife",
        Guard::Override => "falls when the FloorOverride ends",
        Guard::Peer => "falls when the other policy on the same target asks for less",
    }
}

/// Why the floor is not lowered, and what would let it fall.
#[must_use]
pub fn hold(hold: &Hold, policy: Option<&Policy>) -> String {
    match hold {
        Hold::Unknown { signal, why } => {
            let said = unknown(why);
            match signal {
                Some(place) => {
                    format!("{} {said}; held until it does better or a person decides", self::signal(policy, *place))
                }
                None => format!("no observation at all: {said}; held until there is one or a person decides"),
            }
        }
        Hold::Doubt(reason) => doubt(reason, policy),
        Hold::Pace { next } => format!("the floor falls step by step; the next step may come at {}", moment(*next)),
        Hold::Verifying { from, to } => match policy {
            Some(policy) => {
                let span = duration(policy.verify_for);
                format!("the step from {from} to {to} is watched for {span} before the next")
            }
            None => format!("the step from {from} to {to} is watched before the next"),
        },
        Hold::Frozen { until } => format!("a FloorOverride forbids lowering until {}", moment(*until)),
        Hold::NoTarget => "the target was not seen; held until it is".to_owned(),
        Hold::Fenced { stored, ours } => {
            format!(
                "another floorkeeper has written this floor since (its epoch {stored}, ours {ours}): only it may lower"
            )
        }
    }
}

/// A doubt with its numbers and its end.
#[must_use]
pub fn doubt(doubt: &Doubt, policy: Option<&Policy>) -> String {
    match doubt {
        Doubt::Errors { share, above } => format!(
            "{} of the work fails, more than {}; lowered again once it has been less for {}",
            percent(*share),
            percent(*above),
            window(policy)
        ),
        Doubt::Unready { unready, of } => {
            let window = window(policy);
            format!("{unready} of {of} pods that were ready are not; lowered again once they have been for {window}")
        }
        Doubt::Rollout { until } => {
            format!("a rollout is under way; waited for until it is done, at most until {}", moment(*until))
        }
        Doubt::Dependency { place } => format!(
            "{} is failing, so the load may be wrong; lowered again once it has been well for {}",
            dependency_name(policy, *place),
            window(policy)
        ),
        Doubt::UnusualFall { need, before, since } => {
            let since_text = moment(*since);
            let end = match policy {
                Some(policy) => {
                    format!("; held until {}, then let down slowly", moment(since.plus(policy.fall.hold_for)))
                }
                None => String::new(),
            };
            format!(
                "the need fell from {before} to {need} since {since_text}, deeper than this workload usually falls{end}"
            )
        }
        Doubt::Brake { namespaces, of, until } => format!(
            "{namespaces} of {of} namespaces that read the same source fell at once; none is lowered until {}",
            moment(*until)
        ),
        Doubt::WindowNotFull { have, want } => format!(
            "{have} of the {want} samples that the window of {} needs are in; lowered once it is full",
            window(policy)
        ),
        Doubt::StepHarmful { from, to, until } => {
            format!("the step from {from} to {to} did harm and was taken back; tried again after {}", moment(*until))
        }
        Doubt::Overdue { since } => format!(
            "in doubt since {}, longer than holdAtMost: the known demand is followed down at halfLife",
            moment(*since)
        ),
        Doubt::Settling { until } => format!("the doubt is over; lowered from {} if it stays so", moment(*until)),
    }
}

/// Why a signal says nothing: "... is 4m old", to follow the signal's name.
#[must_use]
pub fn unknown(why: &Unknown) -> String {
    match why {
        Unknown::NeverSeen => "has not been heard of yet".to_owned(),
        Unknown::Failed(failure) => format!("got no answer: {}", self::failure(*failure)),
        Unknown::Empty => "came back with no series (which is not zero)".to_owned(),
        Unknown::Several(count) => format!("came back with {count} series where one is expected"),
        Unknown::NotANumber => "is NaN".to_owned(),
        Unknown::Infinite => "is infinite".to_owned(),
        Unknown::Negative => "is negative".to_owned(),
        Unknown::Absurd => "is too large to mean a load".to_owned(),
        Unknown::Partial => "is partial: the source itself said that something is missing".to_owned(),
        Unknown::Stale { age } => format!("is {} old, older than maxAge", duration(*age)),
        Unknown::Future { ahead } => format!("is stamped {} ahead of our clock", duration(*ahead)),
        Unknown::Shrunken { series, highest } => {
            format!("is made of {series} series; {highest} were seen within the last hour")
        }
        Unknown::NoEvidence => "can't show how old or how complete it is".to_owned(),
        Unknown::UnconfirmedZero => "is zero and nothing confirms it".to_owned(),
    }
}

fn failure(failure: Failure) -> String {
    match failure {
        Failure::Unreachable => "the source can't be reached".to_owned(),
        Failure::Timeout => "the source took too long".to_owned(),
        Failure::Status(code) => format!("the source answered with HTTP status {code}"),
        Failure::TooLarge => "the answer passed the size limit".to_owned(),
        Failure::Garbage => "the answer is not in the expected format".to_owned(),
        Failure::Refused => "the source refused the query".to_owned(),
        Failure::NotAllowed => {
            "the MetricSource or its demand does not exist or is not allowed in this namespace".to_owned()
        }
    }
}

/// What is wrong, and what to do about it.
#[must_use]
pub fn problem(problem: Problem, policy: Option<&Policy>) -> String {
    let target = policy
        .map_or_else(|| "the target".to_owned(), |policy| format!("{} {}", policy.target.resource, policy.target.name));
    match problem {
        Problem::TargetNotFound => format!("{target} does not exist: create it or correct spec.targetRef"),
        Problem::ScalerNotFound => {
            format!(
                "nothing scales {target}: create a HorizontalPodAutoscaler or a ScaledObject of KEDA for it, or use mode Autoscale"
            )
        }
        Problem::ScalerExists => format!(
            "{target} is scaled by a HorizontalPodAutoscaler or ScaledObject that is not floorkeeper's: use mode Guard, or delete it"
        ),
        Problem::NotOwner => {
            format!("an older ScalingPolicy owns {target}: the larger floor holds; delete one of the two")
        }
        Problem::BoundsCrossed => {
            "the minimum is above the maximum: lower minReplicas or raise maxReplicas, here or on the scaler".to_owned()
        }
    }
}

/// What the trust means for the floor.
#[must_use]
pub fn trust(trust: Trust) -> &'static str {
    match trust {
        Trust::Trusted => "every signal is known and nothing is in doubt",
        Trust::Doubtful => "the signals are in doubt or known in part: the floor may rise, not fall",
        Trust::Blind => "no signal is known: the floor stays until there is data or a person decides",
    }
}

/// What happened, for an event's note and a log line.
#[must_use]
pub fn notice(notice: &Notice, policy: Option<&Policy>) -> String {
    match notice {
        Notice::Raised { from, to, guard } => format!("Floor raised from {from} to {to}: {}", self::guard(*guard)),
        Notice::Lowered { from, to } => format!("Floor lowered from {from} to {to}"),
        Notice::Held { floor, hold } => format!("Floor held at {floor}: {}", self::hold(hold, policy)),
        Notice::HoldEnded { floor } => format!("The hold at {floor} is over"),
        Notice::Overwritten { what: Overwritten::Replicas, found, floor } => {
            format!("Somebody set replicas to {found}, below the floor of {floor}; put back")
        }
        Notice::Overwritten { what: Overwritten::ScalerMinimum, found, floor } => {
            format!("Somebody set the scaler's minReplicas to {found}, below the floor of {floor}; put back")
        }
        Notice::Clamped { asked, kept, by } => format!(
            "{by} asked for {asked} replicas, the API server kept {kept}: the floor; leave spec.replicas out of the manifest"
        ),
        Notice::Contested { undos } => {
            format!(
                "{undos} writes below the floor were put back within ten minutes: find the other writer, or order a FloorOverride"
            )
        }
        Notice::StepUndone { from, to } => format!("The step from {from} to {to} did harm; {from} put back"),
        Notice::Limited { wanted, max } => {
            format!("{wanted} replicas are needed, maxReplicas is {max}: raise maxReplicas or shed load")
        }
        Notice::TrustChanged { from, to } => {
            format!("{} after {}: {}", word::trust_word(*to), word::trust_word(*from), trust(*to))
        }
        Notice::OverrideBegan(force) => {
            format!("FloorOverride {}: {} until {}", force.name, action(force.action), moment(force.until))
        }
        Notice::OverrideEnded(force) => format!("FloorOverride {} ({}) is over", force.name, action(force.action)),
        Notice::BrakeBegan { source, namespaces, of } => format!(
            "{namespaces} of {of} namespaces that read MetricSource {source} fell at once: none of them is lowered; look at the source first"
        ),
        Notice::BrakeEnded { source } => format!("The readers of MetricSource {source} may be lowered again"),
        Notice::SharedRise { source, policies } => {
            format!(
                "{policies} policies that read MetricSource {source} rose at once: if that is not traffic, look at the source"
            )
        }
    }
}

fn action(action: Action) -> String {
    match action {
        Action::Freeze => "Freeze, no lowering".to_owned(),
        Action::Release => "Release, the static minimum only".to_owned(),
        Action::Pin(replicas) => format!("Pin at {replicas}"),
    }
}

/// A moment as people and machines read it: `2024-03-05T01:36:00Z`.
#[must_use]
pub fn moment(at: Timestamp) -> String {
    i64::try_from(at.0 / 1000)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| "never".to_owned(), |at| at.to_string())
}

/// A length of time in whole seconds: `1h`, `2m30s`, `0s`.
#[must_use]
pub fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    let parts = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let text: String =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A number with three significant digits at most: enough to read, too coarse to flicker.
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    let size = value.abs();
    if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

fn window(policy: Option<&Policy>) -> String {
    policy.map_or_else(|| "a window".to_owned(), |policy| duration(policy.window))
}

/// A signal by its place in the policy: its name, where the policy is at hand.
#[must_use]
pub fn signal(policy: Option<&Policy>, place: usize) -> String {
    policy
        .and_then(|policy| policy.signals.get(place))
        .map_or_else(|| format!("signal {}", place + 1), |signal| format!("signal \"{}\"", signal.name))
}

fn dependency_name(policy: Option<&Policy>, place: usize) -> String {
    policy
        .and_then(|policy| policy.depends_on.get(place))
        .map_or_else(|| format!("dependency {}", place + 1), |target| format!("{} {}", target.resource, target.name))
}
