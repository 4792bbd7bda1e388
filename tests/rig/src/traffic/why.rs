//! What an autoscaler says about itself, in a few words.

use serde_json::Value;

use super::lane::{Keeper, Lane};
use super::sight::{PolicySeen, Sight};

pub(super) fn of(sight: &Sight, lane: &Lane) -> String {
    match lane.keeper {
        Keeper::Guard | Keeper::Alone => policy(&sight.policy(lane).unwrap_or_default()),
        Keeper::HpaCpu | Keeper::HpaSameSignal => hpa(sight, lane),
    }
}

/// Its word for the floor, and what is wrong with what it reads.
fn policy(policy: &PolicySeen) -> String {
    let word = policy.why.as_deref().unwrap_or_default();
    let doubt = policy.conditions.iter().find(|condition| condition.type_ == "Trusted" && condition.status == "False");
    doubt.map_or_else(|| word.to_owned(), |doubt| format!("{word}: {}", reason(&doubt.message)))
}

/// The part of a message that says what is wrong: after what that means in general, where there are several.
fn reason(message: &str) -> &str {
    let mut parts = message.split("; ");
    let first = parts.next().unwrap_or_default();
    parts.next().unwrap_or(first)
}

/// The condition that is an alarm, or the metric as the HPA sees it.
fn hpa(sight: &Sight, lane: &Lane) -> String {
    if let Some(alarm) =
        sight.conditions(lane).iter().find(|one| one.is_false && HPA_ALARMS.contains(&one.kind.as_str()))
    {
        return alarm.reason.clone();
    }
    let Some(hpa) = sight.hpa(lane) else { return "no HPA".to_owned() };
    let Ok(hpa) = serde_json::to_value(&*hpa) else { return String::new() };
    let (target, current) = (&hpa["spec"]["metrics"][0], &hpa["status"]["currentMetrics"][0]);
    metric(target, current).unwrap_or_else(|| "no metric yet".to_owned())
}

fn metric(target: &Value, current: &Value) -> Option<String> {
    match current["type"].as_str()? {
        "Resource" => {
            let now = current["resource"]["current"]["averageUtilization"].as_i64()?;
            Some(format!("CPU {now}%, wants {}%", target["resource"]["target"]["averageUtilization"]))
        }
        "External" => {
            let now = quantity(current["external"]["current"]["averageValue"].as_str()?)?;
            let wanted = quantity(target["external"]["target"]["averageValue"].as_str()?)?;
            Some(format!("{now:.0}/s a pod, wants {wanted:.0}"))
        }
        _ => None,
    }
}

/// A quantity as the HPA writes it: `96`, or `92639m`.
fn quantity(text: &str) -> Option<f64> {
    match text.strip_suffix('m') {
        Some(millis) => millis.parse::<f64>().ok().map(|millis| millis / 1000.0),
        None => text.parse().ok(),
    }
}

/// What an HPA says when it can't do its work; its other conditions are False on any good day.
pub(super) const HPA_ALARMS: [&str; 2] = ["AbleToScale", "ScalingActive"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metrics_are_said_in_a_few_words() {
        let target = json!({"type": "Resource", "resource": {"target": {"averageUtilization": 56}}});
        let current = json!({"type": "Resource", "resource": {"current": {"averageUtilization": 6}}});
        assert_eq!(metric(&target, &current), Some("CPU 6%, wants 56%".to_owned()));
        assert_eq!(metric(&target, &json!(null)), None);
        let target = json!({"type": "External", "external": {"target": {"averageValue": "96"}}});
        let current = json!({"type": "External", "external": {"current": {"averageValue": "92639m"}}});
        assert_eq!(metric(&target, &current), Some("93/s a pod, wants 96".to_owned()));
        let seen = json!({"why": "Held", "conditions": [
            {"type": "Trusted", "status": "False", "reason": "ErrorsHigh", "message": "in doubt; all fail; and more", "lastTransitionTime": "2024-03-05T01:36:00Z"},
        ]});
        assert_eq!(policy(&serde_json::from_value(seen).unwrap()), "Held: all fail");
    }
}
