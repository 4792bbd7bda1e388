//! What an autoscaler says about itself, in a few words.

use serde_json::Value;

use super::lane::{Keeper, Lane};
use super::sight::Sight;

pub(super) fn of(sight: &Sight, lane: &Lane) -> String {
    match lane.keeper {
        Keeper::Guard | Keeper::Alone => sight.policy(lane).and_then(|policy| policy.why).unwrap_or_default(),
        Keeper::HpaCpu | Keeper::HpaSameSignal => hpa(sight, lane),
    }
}

/// The condition that is an alarm, or the metric as the HPA sees it.
fn hpa(sight: &Sight, lane: &Lane) -> String {
    if let Some(alarm) = sight.conditions(lane).iter().find(|one| one.is_false && one.kind != "ScalingLimited") {
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
            let now = current["external"]["current"]["averageValue"].as_str()?;
            let wanted = target["external"]["target"]["averageValue"].as_str()?;
            Some(format!("load {now}/pod, wants {wanted}"))
        }
        _ => None,
    }
}

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
    }
}
