//! Objects that must be accepted, and for every bound and rule of their schemas one that must be refused.
//!
//! The schema itself is walked: a bound or rule for which no breakage is known fails the test that asks for them.

mod breakages;
mod rules;

use floorkeeper::api;
use serde_json::Value;

pub(crate) use breakages::{Breakage, breakages};

/// Every object that must be accepted.
pub(crate) fn bases() -> Vec<Value> {
    serde_saphyr::from_multiple(include_str!("bases.yaml")).expect("the bases are YAML")
}

/// The schema of a kind's object.
pub(crate) fn schema(kind: &str) -> Value {
    let crd = api::crds().into_iter().find(|crd| crd.spec.names.kind == kind).expect("a kind of ours");
    let schema = crd.spec.versions[0].schema.clone().expect("a schema").open_api_v3_schema.expect("a schema");
    serde_json::to_value(schema).expect("a schema is JSON")
}
