//! The kinds on a real API server: what their schemas and rules refuse, with which words, and what they accept.

mod kinds;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use floorkeeper_rig::{Cluster, Options, eventually};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use kinds::{Breakage, bases, breakages};

#[test]
fn every_bound_and_rule_has_a_breakage() {
    let (broken, unknown) = breakages();
    assert!(unknown.is_empty(), "say in tests/kinds what breaks these:\n{}", unknown.join("\n"));
    assert!(broken.len() > 300, "only {} breakages: was the schema walked?", broken.len());
}

#[test]
fn committed_definitions_are_what_the_types_say() {
    for (name, yaml) in floorkeeper::cli::crds::files().unwrap() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crds").join(&name);
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == yaml, "crds/{name} is not what the types say: cargo run -- crds --dir crds, then commit");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_refuses_what_it_must() -> Result<()> {
    let cluster = installed().await?;
    for base in bases() {
        let api = api_of(&cluster, &base);
        create(&api, &base, true).await.with_context(|| format!("refused, but must be accepted: {base}"))?;
    }
    let mut faults = Vec::new();
    for breakage in breakages().0 {
        if let Err(fault) = refused(&cluster, &breakage).await {
            faults.push(format!("{}: {fault:#}", breakage.what));
        }
    }
    ensure!(faults.is_empty(), "{} of the breakages:\n{}", faults.len(), faults.join("\n"));
    Ok(())
}

async fn installed() -> Result<Cluster> {
    let cluster = Cluster::start(Options::api_only()).await?;
    let crds: Vec<String> =
        floorkeeper::cli::crds::files()?.into_iter().map(|(_, yaml)| format!("---\n{yaml}")).collect();
    cluster.apply(&crds.concat()).await?;
    for kind in ["ScalingPolicy", "MetricSource", "FloorOverride", "FloorTable"] {
        let api = api_of(&cluster, &json!({"kind": kind}));
        eventually(kind, BOUND, || async { api.list(&Default::default()).await }).await?;
    }
    Ok(cluster)
}

/// Creates (or changes) the object and checks that the API server says why not.
async fn refused(cluster: &Cluster, breakage: &Breakage) -> Result<()> {
    let api = api_of(cluster, &breakage.object);
    let answer = match &breakage.before {
        None => create(&api, &breakage.object, true).await,
        Some(before) => {
            let stored = create(&api, before, false).await?;
            let mut object = object(&breakage.object)?;
            object.metadata.resource_version = stored.metadata.resource_version;
            let name = object.metadata.name.clone().context("a name")?;
            let answer = api.replace(&name, &PostParams::default(), &object).await.map_err(Into::into);
            api.delete(&name, &DeleteParams::default()).await?;
            answer
        }
    };
    let said = match answer {
        Ok(_) => anyhow::bail!("accepted: {}", breakage.object),
        Err(error) => format!("{error:#}"),
    };
    for says in &breakage.says {
        // The API server quotes quotes.
        ensure!(said.replace("\\\"", "\"").contains(says), "said {said:?}, which lacks {says:?}");
    }
    Ok(())
}

async fn create(api: &Api<DynamicObject>, value: &Value, dry_run: bool) -> Result<DynamicObject> {
    Ok(api.create(&PostParams { dry_run, ..PostParams::default() }, &object(value)?).await?)
}

fn object(value: &Value) -> Result<DynamicObject> {
    Ok(serde_json::from_value(value.clone())?)
}

fn api_of(cluster: &Cluster, value: &Value) -> Api<DynamicObject> {
    let kind = value["kind"].as_str().expect("a kind");
    let gvk = GroupVersionKind::gvk(floorkeeper::api::GROUP, floorkeeper::api::VERSION, kind);
    let resource = ApiResource::from_gvk(&gvk);
    if kind == "MetricSource" {
        Api::all_with(cluster.client(), &resource)
    } else {
        Api::namespaced_with(cluster.client(), "default", &resource)
    }
}

const BOUND: Duration = Duration::from_secs(30);
