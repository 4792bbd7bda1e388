//! Lets go of fields without changing them.
//!
//! Dropping a field from our next apply would remove it where we are its only owner. Handing it to another manager would
//! leave that one in the way of the owner's next server-side apply. So our entry in `managedFields` is edited instead:
//! the value stays, nobody owns it, and whoever applies next takes it without a conflict.

use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::{DynamicObject, ResourceExt};
use serde_json::{Value, json};

use crate::apply::call::{Trouble, call};
use crate::apply::kept::KEPT;
use crate::apply::writer::MANAGER;

/// What to let go of.
pub(super) enum Release {
    /// All that we own, and the note.
    Everything,
    /// The maximum alone.
    Maximum,
}

/// Releases, against the version of `object`; reads again where somebody else wrote in between.
pub(super) async fn release(api: &Api<DynamicObject>, object: DynamicObject, what: &Release) -> Result<(), Trouble> {
    let name = object.name_any();
    let mut object = object;
    for _ in 0..TRIES {
        let patch = patch(&object, what)?;
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        match call(api.patch(&name, &params, &Patch::Merge(patch))).await {
            Err(Trouble::Conflict(_)) => object = call(api.get(&name)).await?,
            ended => return ended.map(drop),
        }
    }
    Err(Trouble::Conflict(format!("{name} kept changing while it was given back")))
}

fn patch(object: &DynamicObject, what: &Release) -> Result<Value, Trouble> {
    let entries = serde_json::to_value(object.managed_fields()).map_err(|error| Trouble::Other(error.to_string()))?;
    let Value::Array(entries) = entries else {
        return Err(Trouble::Other("managedFields is not a list".to_owned()));
    };
    let mut entries: Vec<Value> = entries.into_iter().filter_map(|entry| without(entry, what)).collect();
    if entries.is_empty() {
        // An empty list means "unchanged" to the API server; one empty entry means none.
        entries.push(json!({}));
    }
    let mut metadata = json!({"resourceVersion": object.resource_version(), "managedFields": entries});
    if matches!(what, Release::Everything) {
        metadata["annotations"] = json!({KEPT: null});
    }
    Ok(json!({"metadata": metadata}))
}

/// The entry as it is to be; `None` if it is to go.
fn without(mut entry: Value, what: &Release) -> Option<Value> {
    if entry["manager"] != MANAGER || entry["operation"] != "Apply" {
        return Some(entry);
    }
    match what {
        Release::Everything => None,
        Release::Maximum => {
            if let Some(fields) = entry.pointer_mut("/fieldsV1/f:spec").and_then(Value::as_object_mut) {
                for maximum in MAXIMA {
                    fields.remove(maximum);
                }
            }
            Some(entry)
        }
    }
}

/// Of an HPA and of a ScaledObject.
const MAXIMA: [&str; 2] = ["f:maxReplicas", "f:maxReplicaCount"];

/// The HPA controller writes status every few seconds at most; losing to it three times in a row is not expected.
const TRIES: u32 = 4;
