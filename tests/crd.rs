//! The kinds on a real API server: what their schemas and rules refuse, with which words, and what they accept.

mod kinds;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use floorkeeper_rig::{Cluster, Options, eventually};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_floor_table_is_fenced() -> Result<()> {
    let cluster = installed().await?;
    let table = bases().into_iter().find(|base| base["kind"] == "FloorTable").context("a table")?;
    let api = api_of(&cluster, &table);
    create(&api, &table, false).await?;
    // Each change by itself, one after the other, on a row with replicas 10, epoch 3, seq 17.
    let steps: [(Value, Result<(), &str>); 12] = [
        (json!({"replicas": 12, "epoch": 3, "seq": 17}), Ok(())),
        (json!({"replicas": 12, "epoch": 2, "seq": 99}), Err("stale leader")),
        (json!({"replicas": 99, "epoch": 2, "seq": 99}), Err("stale leader")),
        (json!({"replicas": 11, "epoch": 3, "seq": 17}), Err("a floor falls only with a higher seq")),
        (json!({"replicas": 11, "epoch": 3, "seq": 16}), Err("a floor falls only with a higher seq")),
        (json!({"replicas": 11, "epoch": 3, "seq": 18}), Ok(())),
        (json!({"replicas": 8, "epoch": 4, "seq": 18}), Err("a floor falls only with a higher seq")),
        (json!({"replicas": 8, "epoch": 4, "seq": 19}), Ok(())),
        (json!({"replicas": 20, "epoch": 4, "seq": 0}), Ok(())),
        (json!(null), Err("a floor can vanish only after it was released")),
        (json!({"released": true}), Ok(())),
        (json!(null), Ok(())),
    ];
    for (change, expected) in steps {
        let patch = json!({"spec": {"floors": {"deployments.apps/web": change}}});
        let answer = api.patch("floors", &PatchParams::default(), &Patch::Merge(&patch)).await;
        match (answer, expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(says)) => {
                ensure!(error.to_string().contains(says), "{change}: said {error}, which lacks {says:?}");
            }
            (answer, expected) => anyhow::bail!("{change}: {answer:?}, but expected {expected:?}"),
        }
    }
    // What serde reads back is what was written, to the millisecond.
    create_again(&api, &table).await?;
    let stored: floorkeeper::api::FloorTable = serde_json::from_value(serde_json::to_value(api.get("floors").await?)?)?;
    let written: floorkeeper::api::FloorTable = serde_json::from_value(table)?;
    ensure!(stored.spec == written.spec, "{:?} is not {:?}", stored.spec, written.spec);
    Ok(())
}

async fn create_again(api: &Api<DynamicObject>, table: &Value) -> Result<()> {
    let before = api.get("floors").await?;
    let mut object = object(table)?;
    object.metadata.resource_version = before.metadata.resource_version;
    api.replace("floors", &PostParams::default(), &object).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_is_a_manual_and_nothing_warns() -> Result<()> {
    let cluster = Cluster::start(Options::api_only()).await?;
    let crds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    for name in ["scalingpolicies", "metricsources", "flooroverrides", "floortables", "demandhistories"] {
        let file = crds.join(format!("{name}.yaml")).display().to_string();
        let output = cluster.kubectl_output(&["apply", "--server-side", "-f", &file].map(str::to_owned)).await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success() && said.is_empty(), "applying {name}: {said}");
    }
    let manual = eventually("kubectl explain", BOUND, || async {
        cluster.kubectl(["explain", "scalingpolicy.spec.scaleDown"]).await
    })
    .await?;
    for words in [
        "slowly, with proof, a quarter at most in one step",
        "FloorOverride with",
        "window\t<string>",
        "Default: `10m`",
    ] {
        let manual = manual.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = words.replace('\t', " ");
        ensure!(manual.contains(&words), "the manual lacks {words:?}:\n{manual}");
    }
    // Every field of every kind has a text.
    for kind in ["ScalingPolicy", "MetricSource", "FloorOverride", "FloorTable", "DemandHistory"] {
        let mut silent = Vec::new();
        silent_fields(&kinds::schema(kind)["properties"]["spec"], "spec", &mut silent);
        ensure!(silent.is_empty(), "{kind}: no text for {silent:?}");
    }
    Ok(())
}

fn silent_fields(schema: &Value, path: &str, silent: &mut Vec<String>) {
    if schema["description"].as_str().is_none_or(|text| text.len() < 4) {
        silent.push(path.to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        silent_fields(property, &format!("{path}.{name}"), silent);
    }
    for (name, property) in schema["items"]["properties"].as_object().into_iter().flatten() {
        silent_fields(property, &format!("{path}[].{name}"), silent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_shows_itself_and_null_means_left_out() -> Result<()> {
    let cluster = installed().await?;
    let policy = json!({
        "apiVersion": "floorkeeper.dev/v1alpha1", "kind": "ScalingPolicy", "metadata": {"name": "p"},
        "spec": {"targetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": null, "demand": {"capacity": null}},
    });
    let api = api_of(&cluster, &policy);
    let stored = create(&api, &policy, false).await?;
    ensure!(stored.data["spec"]["minReplicas"].is_null() && stored.data["spec"]["mode"] == "Observe", "{stored:?}");
    ensure!(stored.data["spec"]["targetRef"]["apiVersion"] == "apps/v1", "{stored:?}");
    let status = json!({"status": {
        "observedGeneration": 1, "why": "UnusualFall",
        "floor": {"replicas": 10, "reason": "Held", "since": "2024-03-05T01:36:00Z"},
        "replicas": {"current": 12, "ready": 11},
        "demand": {"load": "812.5", "need": 9, "trust": "Doubtful", "observedAt": "2024-03-05T01:36:00Z",
            "signals": [{"name": "edge", "reading": "Present", "load": "812.5", "need": 9}]},
        "price": {"replicas": 1, "since": "2024-03-05T01:36:00Z"}, "zeroIn": "9h30m",
        "override": {"name": "freeze", "action": "Freeze", "until": "2024-03-06T00:00:00Z"},
        "lastActions": [{"at": "2024-03-05T01:36:00Z", "action": "Undone", "from": 2, "to": 10, "reason": "Overwritten"}],
        "conditions": [{"type": "Ready", "status": "True", "reason": "SucceededGetScale", "message": "",
            "lastTransitionTime": "2024-03-05T01:36:00Z"}],
    }});
    let stored = api.patch_status("p", &PatchParams::default(), &Patch::Merge(&status)).await?;
    ensure!(stored.data["status"] == status["status"], "{} was pruned or changed", stored.data["status"]);
    let typed: floorkeeper::api::ScalingPolicy = serde_json::from_value(serde_json::to_value(&stored)?)?;
    let again = serde_json::to_value(typed.status)?;
    ensure!(again == status["status"], "{again} is not {}", status["status"]);
    let table = cluster.kubectl(["get", "scp"]).await?;
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let header = lines.next().context("a header")?;
    ensure!(header == ["NAME", "TARGET", "MODE", "REPLICAS", "FLOOR", "NEED", "TRUST", "WHY", "AGE"], "{header:?}");
    let row = lines.next().context("a row")?;
    ensure!(row[..8] == ["p", "web", "Observe", "12", "10", "9", "Doubtful", "UnusualFall"], "{row:?}");
    Ok(())
}

async fn installed() -> Result<Cluster> {
    let cluster = Cluster::start(Options::api_only()).await?;
    let crds: Vec<String> =
        floorkeeper::cli::crds::files()?.into_iter().map(|(_, yaml)| format!("---\n{yaml}")).collect();
    cluster.apply(&crds.concat()).await?;
    for kind in ["ScalingPolicy", "MetricSource", "FloorOverride", "FloorTable", "DemandHistory"] {
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
