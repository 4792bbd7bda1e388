//! All that floorkeeper may have a hand in, without what differs from one life to the next for no reason of its own: times,
//! versions, counts of writes, the namespace's name.

use anyhow::Result;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

/// Each object of the life, by its kind; null where there is none.
pub(crate) async fn read(client: &Client, namespace: &str) -> Result<Value> {
    let mut state = json!({});
    for (group, version, kind, plural, name) in OBJECTS {
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource);
        let object = api.get_opt(name).await?.map(serde_json::to_value).transpose()?;
        state[format!("{plural}/{name}")] = object.map_or(Value::Null, |object| masked(kind, object));
    }
    Ok(serde_json::from_str(&state.to_string().replace(namespace, "NAMESPACE"))?)
}

fn masked(kind: &str, mut object: Value) -> Value {
    object["metadata"] = metadata(&object["metadata"]);
    match kind {
        // Live numbers are not written for their own sake: how many pods were ready is what the last word happens to say.
        "ScalingPolicy" => {
            let status = object["status"].take();
            object["status"] = json!({
                "floor": {"replicas": status["floor"]["replicas"], "reason": status["floor"]["reason"]},
                "replicas": status["replicas"]["current"], "why": status["why"], "override": status["override"],
                "need": status["demand"]["need"], "trust": status["demand"]["trust"],
                "conditions": conditions(&status["conditions"]),
            });
        }
        "FloorTable" => {
            // Which of a row's optional fields were ever written is what is left out below.
            object["metadata"]["managedFields"].take();
            for (_, row) in object["spec"]["floors"].as_object_mut().into_iter().flatten() {
                // What remains of a step that is over, and who asked for the floor: as of the last write that was needed.
                for key in ["epoch", "seq", "observedAt", "uid", "reason", "step", "notBefore"] {
                    row.as_object_mut().map(|row| row.remove(key));
                }
                for onset in ["doubt", "fall", "runDown"] {
                    if let Some(onset) = row.get_mut(onset).and_then(Value::as_object_mut) {
                        onset.remove("since");
                    }
                }
            }
        }
        _ => {
            object["status"].take();
        }
    }
    object
}

fn metadata(metadata: &Value) -> Value {
    let mut fields: Vec<Value> = metadata["managedFields"].as_array().cloned().unwrap_or_default();
    for entry in &mut fields {
        entry.as_object_mut().map(|entry| entry.remove("time"));
        // Named by the owner's UID; the owners stand below.
        entry.pointer_mut("/fieldsV1/f:metadata/f:ownerReferences").map(Value::take);
    }
    // What is owned in a status changes with what it happens to tell; a manager that owns nothing is none.
    fields.retain(|entry| entry["subresource"] != "status" && entry["fieldsV1"] != json!({}));
    fields.sort_by_key(Value::to_string);
    let mut owners = metadata["ownerReferences"].clone();
    for owner in owners.as_array_mut().into_iter().flatten() {
        owner.as_object_mut().map(|owner| owner.remove("uid"));
    }
    json!({"name": metadata["name"], "labels": metadata["labels"], "annotations": metadata["annotations"],
        "finalizers": metadata["finalizers"], "ownerReferences": owners, "managedFields": fields})
}

fn conditions(conditions: &Value) -> Value {
    let told = |it: &Value| json!([it["type"], it["status"], it["reason"], it["observedGeneration"]]);
    conditions.as_array().into_iter().flatten().map(told).collect()
}

/// Where two states differ, line by line.
pub(crate) fn difference(wanted: &Value, found: &Value) -> Option<String> {
    let mut lines = Vec::new();
    differ("", wanted, found, &mut lines);
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn differ(path: &str, wanted: &Value, found: &Value, lines: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(left), Value::Object(right)) => {
            for key in left.keys().chain(right.keys().filter(|key| !left.contains_key(*key))) {
                differ(&format!("{path}/{key}"), &wanted[key], &found[key], lines);
            }
        }
        _ if wanted == found => {}
        _ => lines.push(format!("{path}: undisturbed {wanted}, here {found}")),
    }
}

const OBJECTS: [(&str, &str, &str, &str, &str); 5] = [
    ("floorkeeper.dev", "v1alpha1", "ScalingPolicy", "scalingpolicies", "web"),
    ("floorkeeper.dev", "v1alpha1", "FloorTable", "floortables", "floors"),
    ("apps", "v1", "Deployment", "deployments", "web"),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "web"),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "floorkeeper-web"),
];

#[test]
fn a_difference_is_seen_and_said() {
    let state = |floor: u32, epoch: u32| {
        let row = json!({"replicas": floor, "epoch": epoch, "doubt": {"since": epoch, "replicas": 3}});
        masked("FloorTable", json!({"metadata": {"name": "floors", "uid": epoch}, "spec": {"floors": {"web": row}}}))
    };
    assert_eq!(difference(&state(6, 1), &state(6, 2)), None);
    assert_eq!(
        difference(&state(6, 1), &state(7, 1)).as_deref(),
        Some("/spec/floors/web/replicas: undisturbed 6, here 7")
    );
}
