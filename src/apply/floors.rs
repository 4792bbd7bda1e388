//! Floors: rows of the one `FloorTable` of a namespace.
//!
//! One merge patch of just the rows that changed, with no resource version in it. The API server applies it to the rows
//! that stand there at that moment and checks the result against them by the table's own fencing rules, so a stale
//! writer is refused however late its write comes, other rows stay as they are, and no read is needed: one round trip.
//! A version would add nothing but conflicts between rows that have nothing to do with each other. Server-side apply
//! would need every row of ours in each write, as a row left out would vanish.
//!
//! One row that is refused takes the others with it. So what is refused is looked at again against what stands there, and
//! the raises among it are written all the same: a raise never waits for who leads.

use std::collections::BTreeMap;

use floorkeeper_core::{Standing, TargetKey, raises};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use serde_json::{Map, Value, json};

use super::call::{Trouble, call};
use super::row::{row, standings};
use super::writer::{MANAGER, Writer};
use crate::api::{FloorTable, FloorTableSpec, TABLE_NAME};

pub(super) async fn write(
    writer: &Writer,
    namespace: &str,
    rows: &[(TargetKey, Standing)],
    vanish: &[TargetKey],
) -> Result<(), Trouble> {
    let api: Api<FloorTable> = Api::namespaced(writer.client(), namespace);
    let patch = patch(rows, vanish)?;
    let ended = match change(&api, &patch).await {
        Err(Trouble::NotFound(_)) if rows.is_empty() => Ok(()),
        Err(Trouble::NotFound(_)) => match create(&api, rows).await {
            // Somebody else created it meanwhile: the same change, to what stands there now.
            Err(Trouble::Conflict(_)) => change(&api, &patch).await,
            ended => ended,
        },
        ended => ended,
    };
    match ended.map_err(fenced) {
        Err(Trouble::Conflict(why)) => raise_all_the_same(&api, rows, vanish, why).await,
        ended => ended,
    }
}

/// Of a refused write the raises.
async fn raise_all_the_same(
    api: &Api<FloorTable>,
    rows: &[(TargetKey, Standing)],
    vanish: &[TargetKey],
    why: String,
) -> Result<(), Trouble> {
    let stands = standings(&call(api.get(TABLE_NAME)).await?);
    let raises = raises(rows, &stands);
    if raises.is_empty() {
        return Err(Trouble::Conflict(why));
    }
    change(api, &patch(&raises, &[])?).await.map_err(fenced)?;
    if raises.len() == rows.len() && vanish.is_empty() { Ok(()) } else { Err(Trouble::Conflict(why)) }
}

async fn change(api: &Api<FloorTable>, patch: &Value) -> Result<(), Trouble> {
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    call(api.patch(TABLE_NAME, &params, &Patch::Merge(patch))).await.map(drop)
}

async fn create(api: &Api<FloorTable>, rows: &[(TargetKey, Standing)]) -> Result<(), Trouble> {
    let floors: BTreeMap<_, _> = rows.iter().map(|(target, standing)| (target.row(), row(standing))).collect();
    let table = FloorTable {
        metadata: ObjectMeta { name: Some(TABLE_NAME.to_owned()), ..ObjectMeta::default() },
        spec: FloorTableSpec { floors },
    };
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    call(api.create(&params, &table)).await.map(drop)
}

fn patch(rows: &[(TargetKey, Standing)], vanish: &[TargetKey]) -> Result<Value, Trouble> {
    let mut floors = Map::new();
    for (target, standing) in rows {
        let row = serde_json::to_value(row(standing)).map_err(|error| Trouble::Other(error.to_string()))?;
        floors.insert(target.row(), whole(row));
    }
    floors.extend(vanish.iter().map(|target| (target.row(), Value::Null)));
    Ok(json!({"spec": {"floors": floors}}))
}

/// A merge patch keeps what it does not name: what a row no longer has is named as null.
fn whole(mut row: Value) -> Value {
    fill(&mut row, &OPTIONAL);
    if let Some(step) = row.get_mut("step") {
        fill(step, &OPTIONAL_IN_STEP);
    }
    row
}

fn fill(object: &mut Value, keys: &[&str]) {
    let Some(object) = object.as_object_mut() else { return };
    for key in keys {
        object.entry(*key).or_insert(Value::Null);
    }
}

/// A fencing rule said no: the store holds something newer.
fn fenced(trouble: Trouble) -> Trouble {
    let Trouble::Invalid(status) = &trouble else { return trouble };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    if causes.into_iter().any(|cause| cause.reason == FENCE) {
        Trouble::Conflict(status.message.clone())
    } else {
        trouble
    }
}

/// The reason that the table's fencing rules give, and only they.
const FENCE: &str = "FieldValueForbidden";

/// What a row may lack; a test compares this with the type.
const OPTIONAL: [&str; 7] = ["doubt", "fall", "fallLimit", "step", "notBefore", "zeroSince", "runDown"];

/// What a row's step may lack.
const OPTIONAL_IN_STEP: [&str; 3] = ["fellAt", "errorsBefore", "strainBefore"];

#[cfg(test)]
mod tests {
    use floorkeeper_core::{Onset, Step, Timestamp};

    use super::*;

    fn bare() -> Standing {
        Standing {
            policy: "web".into(),
            uid: "u".into(),
            reason: "LiveDemand".into(),
            epoch: 1,
            seq: 2,
            ..Standing::at(6, Timestamp(1_709_602_560_000))
        }
    }

    fn full() -> Standing {
        let at = Timestamp(1_709_602_560_000);
        let onset = Some(Onset { since: at, replicas: 9 });
        let step = Step {
            from: 9,
            to: 8,
            at,
            fell_at: Some(at),
            errors_before: Some(1),
            unready_before: 0,
            strain_before: Some(900),
        };
        Standing {
            doubt: onset,
            fall: onset,
            fall_limit: Some(4500),
            step: Some(step),
            not_before: Some(at),
            zero_since: Some(at),
            run_down: onset,
            ..bare()
        }
    }

    fn keys(value: &Value) -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn every_patch_names_every_field_of_a_row() {
        let full_row = serde_json::to_value(row(&full())).unwrap();
        assert_eq!(keys(&whole(serde_json::to_value(row(&bare())).unwrap())), keys(&full_row));
        let mut step = full().step.unwrap();
        (step.fell_at, step.errors_before, step.strain_before) = (None, None, None);
        let short = whole(serde_json::to_value(row(&Standing { step: Some(step), ..full() })).unwrap());
        assert_eq!(keys(&short["step"]), keys(&full_row["step"]));
        assert_eq!(short["step"]["fellAt"], Value::Null);
    }

    #[test]
    fn a_patch_has_the_rows_that_changed_and_nulls_for_those_that_go() {
        let web = TargetKey::new("shop", "deployments.apps", "web");
        let old = TargetKey::new("shop", "deployments.apps", "old");
        let patch = patch(&[(web, bare())], &[old]).unwrap();
        let floors = &patch["spec"]["floors"];
        assert_eq!(keys(floors), ["deployments.apps/old", "deployments.apps/web"]);
        assert_eq!(floors["deployments.apps/old"], Value::Null);
        assert_eq!(floors["deployments.apps/web"]["replicas"], 6);
        assert_eq!(floors["deployments.apps/web"]["observedAt"], "2024-03-05T01:36:00.000Z");
    }
}
