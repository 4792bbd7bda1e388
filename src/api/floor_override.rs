//! `FloorOverride`: a person's order, visible and for a while.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Span, limits, text};

/// The order. It can't be changed: delete it and create another one.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "floorkeeper.dev",
    version = "v1alpha1",
    kind = "FloorOverride",
    namespaced,
    shortname = "fo",
    category = "floorkeeper",
    status = "FloorOverrideStatus",
    derive = "PartialEq",
    doc = "A FloorOverride is a person's order to floorkeeper: it is obeyed at once, recorded, and ends by itself after 7 days at most. Where several apply to one policy, Pin comes before Release and Release before Freeze; of two of a kind the newest. To end one early, delete it.",
    printcolumn(name = "Action", type_ = "string", json_path = ".spec.action", description = "What it orders."),
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".spec.replicas", description = "For a Pin."),
    printcolumn(name = "Policy", type_ = "string", json_path = ".spec.policy", description = "The policy it names."),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state", description = "Whether it is obeyed."),
    printcolumn(name = "Until", type_ = "string", json_path = ".status.until", description = "When it ends."),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason", description = "Why it was given."),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self == oldSelf")
        .message("an override can't be changed: delete it and create another one")
        .reason(Reason::FieldValueForbidden),
    validation = Rule::new("[has(self.policy), has(self.selector), has(self.wholeNamespace) && self.wholeNamespace].filter(x, x).size() == 1")
        .message("say what it applies to, exactly one of: policy (a name), selector (labels of policies), wholeNamespace: true"),
    validation = Rule::new("(self.action == 'Pin') == has(self.replicas)")
        .message("Pin needs replicas, Freeze and Release must not have them"),
    validation = Rule::new("has(self.until) != has(self.for)")
        .message("say how long: for (such as 30m) or until (a time), exactly one of them")
)]
pub struct FloorOverrideSpec {
    /// The policy it applies to, in the same namespace. One of `policy`, `selector` and `wholeNamespace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = text::OBJECT_NAME.rule())]
    pub policy: Option<String>,

    /// The policies it applies to, by their labels, those that come later too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)")
        .message("an empty selector would choose every policy: write labels, or wholeNamespace: true"))]
    #[schemars(schema_with = "selector_schema")]
    pub selector: Option<LabelSelector>,

    /// It applies to every policy of the namespace. Default: false.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub whole_namespace: bool,

    /// What to do.
    ///
    /// `Freeze`: nothing is lowered; raising goes on. `Pin`: exactly `replicas`, floor and ceiling at once, above
    /// `minReplicas` and `maxReplicas` of the policy too. `Release`: the floor is `minReplicas` and nothing else, as if
    /// nothing were known: use it to come down at once.
    pub action: OverrideAction,

    /// The replicas of a Pin: required with `Pin`, refused otherwise. From 0 to 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub replicas: Option<i32>,

    /// How long it is obeyed, from its creation. Either this or `until`. From 1s to 168h (7 days).
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = limits::OVERRIDE_LASTS.rule())]
    pub lasts: Option<Span>,

    /// Until when it is obeyed. Either this or `for`. A time later than 7 days after creation, or in the past, is refused by
    /// the admission policy `floorkeeper-overrides`; where that is not installed, floorkeeper ends the override 7 days after
    /// its creation, `status.until` says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,

    /// Why the order is given: for those who find it at night. Required, 512 characters at most.
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new("self.trim() != ''").message("say why the order is given, for those who find it at night"))]
    pub reason: String,
}

/// What an override orders.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OverrideAction {
    Freeze,
    Release,
    Pin,
}

/// What became of the order.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct FloorOverrideStatus {
    /// When it ends: `until`, or the creation plus `for`; 7 days after the creation at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,

    /// `Pending` (nothing matches yet), `InForce` or `Expired`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<OverrideState>,

    /// The policies that obey it. 100 at most are listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub applied_to: Vec<String>,

    /// What there is to say, such as an end that was brought forward to 7 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Whether an override is obeyed.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OverrideState {
    Pending,
    InForce,
    Expired,
}

// The upstream schema of a selector has no bounds, without which the API server finds the rules above too dear.
fn selector_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "properties": {
            "matchLabels": {
                "type": "object",
                "description": "Labels and their values; all must match.",
                "maxProperties": 16,
                "additionalProperties": { "type": "string", "maxLength": 63 }
            },
            "matchExpressions": {
                "type": "array",
                "description": "Conditions on labels; all must hold.",
                "maxItems": 16,
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": { "type": "string", "maxLength": 317, "description": "The label." },
                        "operator": {
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                            "description": "In and NotIn need values, Exists and DoesNotExist have none."
                        },
                        "values": {
                            "type": "array",
                            "description": "The values for In and NotIn.",
                            "maxItems": 64,
                            "items": { "type": "string", "maxLength": 63 }
                        }
                    }
                }
            }
        }
    })
}
