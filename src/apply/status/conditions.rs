//! The conditions of a policy: typed reasons, messages with the numbers and with what would end the state.
//!
//! kstatus reads them rightly: `Ready` always, `Stalled` only when nothing but an edit by a person helps. A source
//! outage while holding is `Ready=True`, `Trusted=False`: the floor stands, which is what it is for.

use std::time::Duration;

use floorkeeper_core::{Decision, Problem, Reading, Timestamp, Trust, Unknown};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Told, enforced, time};
use crate::api::conditions::{
    CONTESTED, FLOOR_HOLDING, READY, SCALING_LIMITED, TRUSTED, contested, holding, limited, ready, trusted,
};
use crate::api::{Mode, ScalingPolicy, ScalingPolicyStatus};
use crate::words;

/// What one condition says.
pub(super) struct Says {
    pub(super) kind: &'static str,
    pub(super) status: &'static str,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

pub(super) fn of(policy: &ScalingPolicy, before: Option<&ScalingPolicyStatus>, told: &Told<'_>) -> Vec<Condition> {
    let said = [
        Some(ready(policy, before, told)),
        Some(trust(told)),
        Some(hold(told)),
        Some(limit(told.decision)),
        Some(enforced::says(policy.spec.mode, told.enforcement)),
        Some(contest(told.decision)),
        stalled(told),
    ];
    said.into_iter().flatten().map(|says| condition(says, policy, before, told.now)).collect()
}

/// All that was said before, with `Ready` and `Stalled` telling what is wrong with the spec.
pub(super) fn refused(
    policy: &ScalingPolicy,
    before: Option<&ScalingPolicyStatus>,
    message: &str,
    now: Timestamp,
) -> Vec<Condition> {
    let says = |kind, status| Says { kind, status, reason: ready::INVALID_SPEC, message: message.to_owned() };
    let mut conditions = vec![condition(says(READY, FALSE), policy, before, now)];
    let others = before.map(|before| before.conditions.as_slice()).unwrap_or_default();
    conditions.extend(others.iter().filter(|old| old.type_ != READY && old.type_ != STALLED).cloned());
    conditions.push(condition(says(STALLED, TRUE), policy, before, now));
    conditions
}

fn ready(policy: &ScalingPolicy, before: Option<&ScalingPolicyStatus>, told: &Told<'_>) -> Says {
    let decision = told.decision;
    let says = |status, reason, message| Says { kind: READY, status, reason, message };
    if let Some(problem) = decision.problem {
        return says(FALSE, words::problem_reason(problem), words::problem(problem, told.spec));
    }
    let target = &policy.spec.target_ref;
    let target = format!("{} {}", target.kind, target.name);
    let Some(replicas) = decision.replicas else {
        return says(FALSE, ready::PENDING, format!("{target} was not seen yet"));
    };
    let floor = decision.floor;
    let standing = format!("{target} has {replicas} replicas, its floor is {floor}");
    match policy.spec.mode {
        Mode::Observe => {
            return says(TRUE, ready::SUCCEEDED, format!("{standing}; mode Observe decides and reports only"));
        }
        Mode::Guard | Mode::Autoscale => {}
    }
    if decision.stored {
        return says(TRUE, ready::SUCCEEDED, standing);
    }
    let was_ready = before.is_some_and(|before| {
        before.conditions.iter().any(|condition| condition.type_ == READY && condition.status == TRUE)
    });
    if told.now.since(decision.since) >= STORED_WITHIN {
        let since = words::moment(decision.since);
        let message = format!(
            "the floor of {floor} could not be stored in the FloorTable since {since}; see floorkeeper's log and \
             floorkeeper_writes_total, it tries again by itself"
        );
        return says(FALSE, ready::FAILED_UPDATE_FLOOR, message);
    }
    if was_ready {
        says(TRUE, ready::SUCCEEDED, standing)
    } else {
        says(FALSE, ready::PENDING, format!("the floor of {floor} is being stored"))
    }
}

fn trust(told: &Told<'_>) -> Says {
    let decision = told.decision;
    let means = words::trust(decision.trust);
    let (status, reason) = match decision.trust {
        Trust::Trusted => (TRUE, trusted::EVIDENCE_COMPLETE),
        Trust::Doubtful => (FALSE, doubtful(decision)),
        Trust::Blind => (FALSE, unknown(decision).unwrap_or(trusted::NO_OBSERVATION)),
    };
    let mut message = means.to_owned();
    for (place, view) in decision.signals.iter().enumerate() {
        if let Reading::Unknown { why, .. } = &view.reading {
            message = format!("{message}; {} {}", words::signal(told.spec, place), words::unknown(why));
        }
    }
    for doubt in &decision.doubts {
        message = format!("{message}; {}", words::doubt(doubt, told.spec));
    }
    Says { kind: TRUSTED, status, reason, message }
}

fn doubtful(decision: &Decision) -> &'static str {
    let doubt = decision.doubts.first().map(words::doubt_reason);
    doubt.or_else(|| unknown(decision)).unwrap_or(trusted::NO_OBSERVATION)
}

/// Why the first unknown signal says nothing. HPA's word where a metric can't be had.
fn unknown(decision: &Decision) -> Option<&'static str> {
    decision.signals.iter().find_map(|view| match &view.reading {
        Reading::Unknown { why: Unknown::Failed(_), .. } => Some(trusted::FAILED_GET_METRICS),
        Reading::Unknown { why, .. } => Some(words::unknown_reason(why)),
        Reading::Present(_) | Reading::ConfirmedZero => None,
    })
}

fn hold(told: &Told<'_>) -> Says {
    let decision = told.decision;
    match &decision.hold {
        Some(hold) => {
            let asked = match decision.need {
                Some(need) => format!("the present load needs {need}"),
                None => "the present need is not known".to_owned(),
            };
            Says {
                kind: FLOOR_HOLDING,
                status: TRUE,
                reason: words::hold_reason(hold),
                message: format!("held at {}, {asked}: {}", decision.floor, words::hold(hold, told.spec)),
            }
        }
        None => Says {
            kind: FLOOR_HOLDING,
            status: FALSE,
            reason: holding::READY_FOR_NEW_SCALE,
            message: format!("the floor of {} is {}", decision.floor, words::guard(decision.guard)),
        },
    }
}

fn limit(decision: &Decision) -> Says {
    let Decision { min, max, .. } = decision;
    match decision.limited {
        Some(wanted) => Says {
            kind: SCALING_LIMITED,
            status: TRUE,
            reason: limited::TOO_MANY_REPLICAS,
            message: format!("{wanted} replicas are needed, the maximum is {max}: raise maxReplicas or shed load"),
        },
        None => Says {
            kind: SCALING_LIMITED,
            status: FALSE,
            reason: limited::DESIRED_WITHIN_RANGE,
            message: format!("what is needed lies within {min} and {max}"),
        },
    }
}

fn contest(decision: &Decision) -> Says {
    match decision.contested {
        Some(undos) => Says {
            kind: CONTESTED,
            status: TRUE,
            reason: contested::OTHER_WRITER,
            message: format!(
                "{undos} writes below the floor were put back within ten minutes: find the other writer (the target's \
                 managedFields name it), or order a FloorOverride"
            ),
        },
        None => Says {
            kind: CONTESTED,
            status: FALSE,
            reason: contested::NONE,
            message: "nobody else writes below the floor".to_owned(),
        },
    }
}

/// Absent while fine, as kstatus wants it.
fn stalled(told: &Told<'_>) -> Option<Says> {
    let problem = told.decision.problem?;
    match problem {
        Problem::ScalerExists | Problem::NotOwner | Problem::BoundsCrossed => Some(Says {
            kind: STALLED,
            status: TRUE,
            reason: words::problem_reason(problem),
            message: words::problem(problem, told.spec),
        }),
        // What is missing may still be created: waiting, not stalled.
        Problem::TargetNotFound | Problem::ScalerNotFound => None,
    }
}

fn condition(says: Says, policy: &ScalingPolicy, before: Option<&ScalingPolicyStatus>, now: Timestamp) -> Condition {
    let Says { kind, status, reason, mut message } = says;
    let old = before.and_then(|before| before.conditions.iter().find(|old| old.type_ == kind));
    let since = old.filter(|old| old.status == status).map(|old| old.last_transition_time.clone());
    if message.len() > MESSAGE_LIMIT {
        let mut end = MESSAGE_LIMIT;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
    }
    Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: policy.metadata.generation,
        last_transition_time: since.unwrap_or_else(|| time(now)),
    }
}

pub(super) const TRUE: &str = "True";
pub(super) const FALSE: &str = "False";
pub(super) const UNKNOWN: &str = "Unknown";

/// kstatus' word for "only an edit helps".
const STALLED: &str = "Stalled";

/// A store that answers takes milliseconds; after this long it is worth telling.
const STORED_WITHIN: Duration = Duration::from_secs(30);

/// Far below the API's 32 kB: eight signals and all doubts fit, and `kubectl describe` stays readable.
const MESSAGE_LIMIT: usize = 2048;
