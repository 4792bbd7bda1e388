//! Which `FloorOverride`s apply to which policies, and until when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{Action, Override, Timestamp};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::{Selector, SelectorExt};

use crate::api::{FloorOverride, FloorOverrideStatus, OverrideAction, OverrideState};

/// An override whose values can't be wrong.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) order: Override,
    applies: Applies,
    /// What its author has to know.
    message: Option<String>,
}

#[derive(Clone, Debug)]
enum Applies {
    Policy(Arc<str>),
    Selected(Selector),
    Namespace,
    /// What it says can't be understood: it applies to nothing, and says so.
    Nothing,
}

impl Order {
    /// Reads an override. What can't be understood is told in its status, and orders nothing.
    pub(super) fn read(object: &FloorOverride) -> Self {
        let spec = &object.spec;
        let from = object.metadata.creation_timestamp.as_ref().map_or(Timestamp(0), timestamp);
        let mut problems = Vec::new();
        let limit = from.plus(LONGEST);
        let wanted = match (&spec.lasts, &spec.until) {
            (Some(span), _) => match span.parse() {
                Ok(span) => from.plus(span),
                Err(error) => {
                    problems.push(format!("for: {error}"));
                    from
                }
            },
            (None, Some(until)) => timestamp(until),
            (None, None) => {
                problems.push("say how long: for or until".to_owned());
                from
            }
        };
        if wanted > limit {
            problems.push("it ends 7 days after its creation, the longest that an override lasts".to_owned());
        }
        let applies = match (&spec.policy, &spec.selector, spec.whole_namespace) {
            (Some(policy), _, _) => Applies::Policy(policy.as_str().into()),
            (None, Some(selector), _) => match Selector::try_from(selector.clone()) {
                Ok(selector) => Applies::Selected(selector),
                Err(error) => {
                    problems.push(format!("selector: {error}"));
                    Applies::Nothing
                }
            },
            (None, None, true) => Applies::Namespace,
            (None, None, false) => Applies::Nothing,
        };
        let action = match spec.action {
            OverrideAction::Freeze => Action::Freeze,
            OverrideAction::Release => Action::Release,
            // The API server requires `replicas` with Pin; without them, freezing is the careful reading.
            OverrideAction::Pin => {
                spec.replicas.and_then(|count| u32::try_from(count).ok()).map_or(Action::Freeze, Action::Pin)
            }
        };
        let name = object.metadata.name.as_deref().unwrap_or_default().into();
        let order = Override { name, action, from, until: wanted.min(limit) };
        Self { order, applies, message: (!problems.is_empty()).then(|| problems.join("; ")) }
    }

    /// Whether it applies to a policy of its namespace.
    pub(super) fn applies_to(&self, policy: &str, labels: &BTreeMap<String, String>) -> bool {
        match &self.applies {
            Applies::Policy(name) => **name == *policy,
            Applies::Selected(selector) => selector.matches(labels),
            Applies::Namespace => true,
            Applies::Nothing => false,
        }
    }

    pub(super) fn over(&self, now: Timestamp) -> bool {
        self.order.until <= now
    }

    /// `policies`: names of those that it applies to.
    pub(super) fn status(&self, mut policies: Vec<String>, now: Timestamp) -> FloorOverrideStatus {
        let state = if self.over(now) {
            OverrideState::Expired
        } else if policies.is_empty() {
            OverrideState::Pending
        } else {
            OverrideState::InForce
        };
        policies.sort_unstable();
        policies.truncate(POLICIES_LISTED);
        let millis = i64::try_from(self.order.until.0).unwrap_or(i64::MAX);
        let until = jiff::Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_millis(millis)).ok().map(Time);
        FloorOverrideStatus { until, state: Some(state), applied_to: policies, message: self.message.clone() }
    }
}

fn timestamp(time: &Time) -> Timestamp {
    Timestamp(u64::try_from(time.0.as_millisecond()).unwrap_or(0))
}

/// A person's order must not outlive the person's memory of it.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// What the schema allows in `appliedTo`.
const POLICIES_LISTED: usize = 100;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn order(spec: &Value) -> Order {
        let metadata = json!({"name": "o", "namespace": "shop", "creationTimestamp": "2024-03-05T01:00:00Z"});
        let object = json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "FloorOverride", "metadata": metadata, "spec": spec});
        Order::read(&serde_json::from_value(object).unwrap())
    }

    const CREATED: Timestamp = Timestamp(1_709_600_400_000);

    #[test]
    fn actions_and_ends() {
        let day = Duration::from_secs(24 * 3600);
        let cases = [
            (
                json!({"policy": "web", "action": "Freeze", "for": "30m", "reason": "r"}),
                Action::Freeze,
                Duration::from_secs(1800),
            ),
            (
                json!({"policy": "web", "action": "Pin", "replicas": 7, "until": "2024-03-05T02:00:00Z", "reason": "r"}),
                Action::Pin(7),
                Duration::from_secs(3600),
            ),
            (
                json!({"wholeNamespace": true, "action": "Release", "until": "2034-03-05T02:00:00Z", "reason": "r"}),
                Action::Release,
                7 * day,
            ),
            (
                json!({"policy": "web", "action": "Pin", "for": "1h", "reason": "r"}),
                Action::Freeze,
                Duration::from_secs(3600),
            ),
            (
                json!({"policy": "web", "action": "Freeze", "for": "soon", "reason": "r"}),
                Action::Freeze,
                Duration::ZERO,
            ),
        ];
        for (spec, action, lasts) in cases {
            let order = order(&spec).order;
            assert_eq!((order.action, order.from, order.until), (action, CREATED, CREATED.plus(lasts)), "{spec}");
        }
    }

    #[test]
    fn whom_it_applies_to() {
        let labels = BTreeMap::from([("tier".to_owned(), "edge".to_owned())]);
        let select = |selector: Value| json!({"selector": selector, "action": "Freeze", "for": "1h", "reason": "r"});
        let cases = [
            (json!({"policy": "web", "action": "Freeze", "for": "1h", "reason": "r"}), true),
            (json!({"policy": "api", "action": "Freeze", "for": "1h", "reason": "r"}), false),
            (json!({"wholeNamespace": true, "action": "Freeze", "for": "1h", "reason": "r"}), true),
            (json!({"action": "Freeze", "for": "1h", "reason": "r"}), false),
            (select(json!({"matchLabels": {"tier": "edge"}})), true),
            (select(json!({"matchLabels": {"tier": "core"}})), false),
            (select(json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["edge"]}]})), false),
            (select(json!({"matchExpressions": [{"key": "tier", "operator": "Near"}]})), false),
        ];
        for (spec, expected) in cases {
            assert_eq!(order(&spec).applies_to("web", &labels), expected, "{spec}");
        }
    }

    #[test]
    fn status_tells_state_end_and_what_was_changed() {
        let order =
            order(&json!({"policy": "web", "action": "Freeze", "until": "2034-03-05T02:00:00Z", "reason": "r"}));
        let status = |policies: &[&str], now| order.status(policies.iter().map(ToString::to_string).collect(), now);
        assert_eq!(status(&[], CREATED).state, Some(OverrideState::Pending));
        let in_force = status(&["web"], CREATED);
        assert_eq!(in_force.state, Some(OverrideState::InForce));
        assert_eq!(in_force.applied_to, ["web"]);
        assert_eq!(in_force.until.unwrap().0.to_string(), "2024-03-12T01:00:00Z");
        assert!(in_force.message.unwrap().contains("7 days"));
        assert_eq!(status(&["web"], CREATED.plus(LONGEST)).state, Some(OverrideState::Expired));
    }
}
