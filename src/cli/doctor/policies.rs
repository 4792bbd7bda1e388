//! Policies that don't protect, or never will.

use std::collections::BTreeMap;

use floorkeeper_core::ScalerKind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;

use super::finding::{Finding, Severity};
use super::look::{Look, name};
use crate::api::conditions::{READY, SCALING_LIMITED, TRUSTED};
use crate::api::{Mode, ScalingPolicy, TrustLevel, keda};
use crate::cli::scalers::Found;

pub(super) fn findings(look: &Look) -> Vec<Finding> {
    let mut findings = broken(look);
    let names = |chosen: &dyn Fn(&ScalingPolicy) -> bool| -> Vec<String> {
        look.policies.iter().filter(|policy| chosen(policy)).map(name).collect()
    };
    let mut add = |severity, check, says: &str, remedy: &str, at: Vec<String>| {
        if !at.is_empty() {
            findings.push(Finding::new(severity, check, says, remedy).at(at));
        }
    };
    add(
        Severity::Problem,
        "Unseen",
        "floorkeeper has never said anything of these policies",
        "is floorkeeper alive, and may it watch ScalingPolicies?",
        names(&|policy| policy.status.is_none() && age(policy.creation_timestamp().map(|at| at.0), look) > SOON),
    );
    add(
        Severity::Problem,
        "Limited",
        "more replicas are needed than the maximum allows: capacity is missing now",
        "raise maxReplicas of the policy or the HPA, or shed load",
        names(&|policy| is(policy, SCALING_LIMITED, "True").is_some()),
    );
    add(
        Severity::Warning,
        "Blind",
        "no signal is known: these floors stay until there is data or a person decides",
        "kubectl floorkeeper explain NAME says which signal, and why",
        names(&|policy| trust(policy) == Some(TrustLevel::Blind)),
    );
    add(
        Severity::Warning,
        "NeverTrusted",
        "for a day or more these policies had no trusted moment since their creation: such a floor never falls",
        "read WHY over the day; a query without evidence or an error share always above its limit are the usual reasons",
        names(&|policy| never_trusted(policy, look)),
    );
    add(
        Severity::Note,
        "Observing",
        "these policies are in mode Observe: they report, and protect nothing",
        "when their floors are what you would want, set mode: Guard",
        names(&|policy| policy.spec.mode == Mode::Observe),
    );
    add(
        Severity::Warning,
        "TwoPolicies",
        "several policies on one target: the oldest owns it, the largest floor holds",
        "delete all but one",
        shared(look),
    );
    add(
        Severity::Note,
        "OwnMinimum",
        "the scaler's own minimum is above what the load needs, so the floor adds nothing at this load",
        "nothing, if that minimum is meant; else lower it on the HPA or ScaledObject and let the floor carry the load",
        own_minimum(look),
    );
    add(
        Severity::Note,
        "Unguarded",
        "HPAs and ScaledObjects that no policy guards",
        "floorkeeper adopt -n NAMESPACE prints policies for them",
        unguarded(look),
    );
    add(
        Severity::Warning,
        "Paused",
        "KEDA is told to pause these ScaledObjects: floors are kept, and nothing scales above them",
        "end the pause (annotations autoscaling.keda.sh/paused*); to hold replicas for a while: floorkeeper override --pin",
        paused(look),
    );
    findings
}

/// One finding for each reason: the message says what to write.
fn broken(look: &Look) -> Vec<Finding> {
    let mut reasons: BTreeMap<&str, (&str, Vec<String>)> = BTreeMap::new();
    for policy in &look.policies {
        let Some(ready) = is(policy, READY, "False") else { continue };
        reasons.entry(&ready.reason).or_insert_with(|| (&ready.message, Vec::new())).1.push(name(policy));
    }
    let findings = reasons.into_iter().map(|(reason, (message, at))| {
        let says = format!("floorkeeper can't do its work ({reason}), the last good floor stays");
        Finding::new(Severity::Problem, "Broken", says, message).at(at)
    });
    findings.collect()
}

fn is<'a>(policy: &'a ScalingPolicy, kind: &str, status: &str) -> Option<&'a Condition> {
    let conditions = &policy.status.as_ref()?.conditions;
    conditions.iter().find(|condition| condition.type_ == kind && condition.status == status)
}

fn trust(policy: &ScalingPolicy) -> Option<TrustLevel> {
    Some(policy.status.as_ref()?.demand.as_ref()?.trust)
}

/// Doubted since it was created, for a day.
fn never_trusted(policy: &ScalingPolicy, look: &Look) -> bool {
    let Some(doubted) = is(policy, TRUSTED, "False") else { return false };
    let Some(created) = policy.creation_timestamp() else { return false };
    let first = doubted.last_transition_time.0.as_second() - created.0.as_second();
    first <= SOON && age(Some(doubted.last_transition_time.0), look) > DAY
}

fn age(at: Option<jiff::Timestamp>, look: &Look) -> i64 {
    at.map_or(0, |at| look.now.as_second() - at.as_second())
}

fn shared(look: &Look) -> Vec<String> {
    let mut targets: BTreeMap<(String, &str, &str), Vec<String>> = BTreeMap::new();
    for policy in &look.policies {
        let target = &policy.spec.target_ref;
        let key = (policy.namespace().unwrap_or_default(), target.kind.as_str(), target.name.as_str());
        targets.entry(key).or_default().push(policy.name_any());
    }
    let shared = targets.into_iter().filter(|(_, policies)| policies.len() > 1);
    shared
        .map(|((namespace, kind, name), policies)| format!("{namespace}/{kind}/{name} ({})", policies.join(", ")))
        .collect()
}

fn own_minimum(look: &Look) -> Vec<String> {
    let guards = look.policies.iter().filter(|policy| policy.spec.mode == Mode::Guard);
    let above = guards.filter_map(|policy| {
        let need = policy.status.as_ref()?.demand.as_ref()?.need?;
        let scaler = look.scalers().find(|scaler| scaler.scales(policy))?;
        let own = scaler.kept.map_or(scaler.bounds.min, |kept| kept.original.min);
        let own = i32::try_from(own).unwrap_or(i32::MAX);
        (own > need).then(|| format!("{} (own minimum {own}, need {need})", name(policy)))
    });
    above.collect()
}

fn unguarded(look: &Look) -> Vec<String> {
    let guarded = |scaler: &Found| look.policies.iter().any(|policy| scaler.scales(policy));
    look.scalers().filter(|scaler| !guarded(scaler)).map(|scaler| scaler.target()).collect()
}

/// Of those that a policy guards.
fn paused(look: &Look) -> Vec<String> {
    let guards = || look.policies.iter().filter(|policy| policy.spec.mode == Mode::Guard);
    let objects = look.scalers().filter(|scaler| scaler.kind == ScalerKind::ScaledObject);
    let paused = objects.filter(|scaler| {
        let annotations = scaler.metadata.annotations.as_ref();
        keda::is_paused(annotations) && guards().any(|policy| scaler.scales(policy))
    });
    paused.map(|scaler| scaler.place()).collect()
}

/// A start takes seconds; what is said later than this is not the first word.
const SOON: i64 = 300;

const DAY: i64 = 24 * 3600;
