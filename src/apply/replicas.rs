//! `spec.replicas`, by the `scale` subresource of any kind.
//!
//! A raise is conditional on the *value* that was seen, not on the resource version: a JSON patch that tests
//! `/spec/replicas` and replaces it, in one round trip. A workload's version moves with every status update, and
//! right after a foreign write its controller is busy with just those; a write against the version would lose that race
//! most of the time and pay three round trips. If the value is not what was seen, the scale is read and written against
//! its version, unless the target has enough by then. A lowering is never patched: it is one PUT against the version
//! that the decision was made on.

use floorkeeper_core::{Outcome, Replicas};
use k8s_openapi::api::autoscaling::v1::{Scale, ScaleSpec};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{DynamicObject, ObjectMeta};
use serde_json::json;
use tracing::debug;

use super::call::{Trouble, call};
use super::writer::{MANAGER, Writer};

pub(super) async fn write(writer: &Writer, write: &Replicas) -> Result<Outcome, Trouble> {
    let api = writer.target(&write.target)?;
    if write.to > write.from { raise(&api, write).await } else { lower(&api, write).await }
}

async fn raise(api: &Api<DynamicObject>, write: &Replicas) -> Result<Outcome, Trouble> {
    match patch(api, write).await {
        Ok(()) => return Ok(Outcome::Done),
        // Another value than the one seen, or a form of the object that the patch does not fit: read, then write.
        Err(trouble @ (Trouble::Conflict(_) | Trouble::Invalid(_))) => {
            debug!(target = %write.target, error = %trouble, "replicas moved since they were seen; reading them");
        }
        Err(trouble) => return Err(trouble),
    }
    let mut last = Trouble::Conflict("replicas kept changing".to_owned());
    for _ in 0..TRIES {
        let seen = call(api.get_scale(&write.target.name)).await?;
        if replicas(&seen) >= i64::from(write.to) {
            return Ok(Outcome::Unneeded);
        }
        let version = seen.metadata.resource_version.unwrap_or_default();
        match put(api, write, &version).await {
            Err(trouble @ Trouble::Conflict(_)) => last = trouble,
            ended => return ended.map(|()| Outcome::Done),
        }
    }
    Err(last)
}

async fn lower(api: &Api<DynamicObject>, write: &Replicas) -> Result<Outcome, Trouble> {
    put(api, write, &write.version).await.map(|()| Outcome::Done)
}

async fn patch(api: &Api<DynamicObject>, write: &Replicas) -> Result<(), Trouble> {
    // The API server leaves a zero out of the object: absent is tested as null.
    let seen = if write.from == 0 { json!(null) } else { json!(write.from) };
    let steps = json!([
        {"op": "test", "path": "/spec/replicas", "value": seen},
        {"op": "add", "path": "/spec/replicas", "value": write.to},
    ]);
    let steps = serde_json::from_value(steps).map_err(|error| Trouble::Other(error.to_string()))?;
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    call(api.patch_scale(&write.target.name, &params, &Patch::Json::<()>(steps))).await.map(drop)
}

async fn put(api: &Api<DynamicObject>, write: &Replicas, version: &str) -> Result<(), Trouble> {
    let Ok(to) = i32::try_from(write.to) else {
        return Err(Trouble::Other(format!("{} is no replica count", write.to)));
    };
    let scale = Scale {
        metadata: ObjectMeta {
            name: Some(write.target.name.to_string()),
            namespace: Some(write.target.namespace.to_string()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(ScaleSpec { replicas: Some(to) }),
        status: None,
    };
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    call(api.replace_scale(&write.target.name, &params, &scale)).await.map(drop)
}

fn replicas(scale: &Scale) -> i64 {
    scale.spec.as_ref().and_then(|spec| spec.replicas).map_or(0, i64::from)
}

/// Each try loses only to a write that landed between our read and our write; a handful in a row is a busy writer, and
/// the engine decides again on fresh data.
const TRIES: u32 = 5;
