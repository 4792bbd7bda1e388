//! The tools for the night, as a person uses them: the real program against a real API server and the real operator.

mod stage;

#[path = "night/gitops.rs"]
mod gitops;
#[path = "night/person.rs"]
mod person;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Cluster, Options};
use serde_json::{Value, json};

use crate::person::{Person, Said};
use crate::stage::operator::Operator;
use crate::stage::shop::{Shop, guard};

/// One night from the first look to the end, in the order in which things happen to a cluster.
#[tokio::test(flavor = "multi_thread")]
async fn a_night_with_the_tools() -> Result<()> {
    let cluster = Cluster::start(Options::api_only()).await?;
    let person = Person::of(&cluster)?;
    before_anything_is_installed(&person).await?;
    let crds = floorkeeper::cli::crds::files()?.into_iter().map(|(_, yaml)| format!("---\n{yaml}"));
    cluster.apply(&crds.collect::<String>()).await?;
    let mut operator = Operator::start(&cluster, "night")?;
    operator.ready().await?;
    let shop = Shop::open(&cluster, "shop").await?;

    adopt_prints_what_can_be_applied(&person, &shop).await?;
    shop.policy(guard()).await?;
    shop.shows("hpa/web", "/spec/minReplicas", 10).await?;
    status_and_explain_say_why(&person).await?;
    an_order_is_given_obeyed_listed_and_ended(&person, &shop).await?;
    doctor_finds_what_is_missing(&person).await?;
    who_may_not_is_told(&cluster).await?;
    kubectl_finds_us(&cluster).await?;

    operator.kill();
    a_dead_floorkeeper_is_told(&cluster, &person, &shop).await?;
    uninstall_gives_everything_back(&cluster, &person, &shop).await
}

async fn before_anything_is_installed(person: &Person) -> Result<()> {
    let said = person.fails(&["status", "-A"]).await?;
    said.has("this cluster has no scalingpolicies: install floorkeeper's kinds with `floorkeeper crds |")?;
    let said = person.fails(&["doctor"]).await?;
    said.has("kinds are not installed")?;
    let nobody = Person { kubeconfig: "/nonexistent/kubeconfig".into() };
    nobody.fails(&["status"]).await?.has("; set KUBECONFIG, or pass --kubeconfig or --context")?;
    let said = person.works(&["uninstall", "--yes"]).await?;
    said.has("Nothing of floorkeeper is in this cluster.")
}

async fn adopt_prints_what_can_be_applied(person: &Person, shop: &Shop<'_>) -> Result<()> {
    let said = person.works(&["adopt", "-n", "shop"]).await?;
    said.has("# HPA web scales Deployment web from 2 to 20")?;
    said.has("# It scales on cpu at 70 %, which tells no capacity.")?;
    let file = shop.cluster.directory().join("adopted.yaml");
    std::fs::write(&file, &said.out)?;
    let file = file.display().to_string();
    person.works(&["check", &file]).await?.has("0 errors")?;
    shop.kubectl(&["apply", "-f", &file]).await?;
    shop.shows("scalingpolicy/web", "/status/floor/replicas", 10).await?;
    shop.shows("hpa/web", "/spec/minReplicas", 2).await?;
    person
        .works(&["adopt", "-n", "shop"])
        .await?
        .has("# ScalingPolicy web is there already; it has seen no load yet")?;
    person.works(&["status", "-n", "shop"]).await?.has("1 policy: 1 Observing")
}

async fn status_and_explain_say_why(person: &Person) -> Result<()> {
    let said = person.works(&["status", "-A"]).await?;
    said.has("NAMESPACE  NAME  STATE  READY")?;
    said.has("why: floorkeeper explain web -n shop")?;
    ensure!(!said.out.contains('\u{1b}'), "no colours into a pipe: {}", said.out);
    let wide = person.works(&["status", "-n", "shop", "-o", "wide"]).await?;
    wide.has("Deployment/web  Guard")?;
    let json: Value = serde_json::from_str(&person.works(&["status", "-A", "-o", "json"]).await?.out)?;
    let policy = &json["policies"][0];
    ensure!(policy["state"] == "Blind" && policy["status"]["floor"]["replicas"] == 10, "{policy}");

    let said = person.works(&["explain", "web", "-n", "shop"]).await?;
    said.has("shop/web  Deployment web, mode Guard")?;
    said.has("floor 10 for ")?;
    said.has("HPA web: 10 to 20 (its owner's minimum: 2)")?;
    said.has("Blind for ")?;
    said.has("floorkeeper override web -n shop --reason WHY --release")?;
    let said = person.fails(&["explain", "wbe", "-n", "shop"]).await?;
    said.has("there is no ScalingPolicy wbe in namespace shop: it has web")
}

async fn an_order_is_given_obeyed_listed_and_ended(person: &Person, shop: &Shop<'_>) -> Result<()> {
    person.fails(&["override", "web", "-n", "shop", "--reason", "r"]).await?.has("say what to do: --freeze")?;
    let bad = ["override", "web", "-n", "shop", "--freeze", "--for", "30", "--reason", "r"];
    person.fails(&bad).await?.has("--for \"30\": write a duration")?;
    let pin = ["override", "web", "-n", "shop", "--pin", "12", "--reason", "a test", "--for", "10m"];
    person.works(&[&pin[..], &["--dry-run"]].concat()).await?.has("nothing was ordered")?;
    let said = person.works(&pin).await?;
    said.has("obeyed: Pin 12 until")?;
    shop.replicas(12).await?;
    let said = person.works(&["override", "--list", "-n", "shop"]).await?;
    said.has("Pin 12  web  InForce")?;
    let name = said.out.lines().nth(1).and_then(|line| line.split_whitespace().next()).context("no name")?.to_owned();
    person.works(&["explain", "web", "-n", "shop"]).await?.has(&format!("FloorOverride {name} is in force"))?;
    person.works(&["override", "--end", &name, "-n", "shop"]).await?.has("is over")?;
    shop.shows("scalingpolicy/web", "/status/override", Value::Null).await?;
    person.works(&["override", "--list", "-n", "shop"]).await?.has("no FloorOverrides in namespace shop")
}

async fn doctor_finds_what_is_missing(person: &Person) -> Result<()> {
    let said = person.fails(&["doctor", "-o", "json"]).await?;
    let json: Value = serde_json::from_str(&said.out)?;
    let found: Vec<_> =
        json["findings"].as_array().into_iter().flatten().filter_map(|it| it["check"].as_str()).collect();
    for check in ["NoSource", "Blind", "TablesOpen", "NotInstalled", "ByFloorkeeperAlone"] {
        ensure!(found.contains(&check), "{check} is not among {found:?}");
    }
    Ok(())
}

async fn who_may_not_is_told(cluster: &Cluster) -> Result<()> {
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "guest", "namespace": "default"}});
    cluster.apply(&account.to_string()).await?;
    let token = cluster.service_account_token("default", "guest").await?;
    let guest = Person { kubeconfig: cluster.kubeconfig_with_token("guest", &token)? };
    let said = guest.fails(&["status", "-n", "shop"]).await?;
    said.has("you may not list scalingpolicies in namespace shop: ask for a role that can (floorkeeper-view reads")
}

/// `kubectl floorkeeper`, and what it says of itself then.
async fn kubectl_finds_us(cluster: &Cluster) -> Result<()> {
    let plugins = cluster.directory().join("plugins");
    std::fs::create_dir(&plugins)?;
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_floorkeeper"), plugins.join("kubectl-floorkeeper"))?;
    let mut kubectl = tokio::process::Command::new(cluster.kubectl_path());
    kubectl.env("PATH", &plugins).env("KUBECONFIG", cluster.kubeconfig());
    let help = kubectl.args(["floorkeeper", "status", "--help"]).output().await?;
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    ensure!(help.contains("Usage: kubectl floorkeeper status"), "{help}");
    ensure!(help.contains("  kubectl floorkeeper status -A"), "{help}");
    let mut kubectl = tokio::process::Command::new(cluster.kubectl_path());
    kubectl.env("PATH", &plugins).env("KUBECONFIG", cluster.kubeconfig());
    let said = kubectl.args(["floorkeeper", "status", "-n", "shop"]).output().await?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    ensure!(said.contains("why: kubectl floorkeeper explain web -n shop"), "{said}");
    let completer = plugins.join("kubectl_complete-floorkeeper");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_floorkeeper"), &completer)?;
    let mut completer = tokio::process::Command::new(completer);
    completer.env("KUBECONFIG", cluster.kubeconfig());
    let said = completer.args(["explain", "-n", "shop", "w"]).output().await?;
    ensure!(said.stdout == b"web\n:4\n", "{}", String::from_utf8_lossy(&said.stdout));
    Ok(())
}

async fn a_dead_floorkeeper_is_told(cluster: &Cluster, person: &Person, shop: &Shop<'_>) -> Result<()> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "floorkeeper-system"}});
    cluster.apply(&namespace.to_string()).await?;
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "floorkeeper", "namespace": "floorkeeper-system"},
        "spec": {"holderIdentity": "fk-1", "leaseDurationSeconds": 15, "renewTime": "2024-03-05T01:36:00.000000Z"}});
    cluster.apply(&lease.to_string()).await?;
    let said = person.works(&["status", "-n", "shop"]).await?;
    said.has("floorkeeper is DEAD: its lease was not renewed for ")?;
    person.works(&["explain", "web", "-n", "shop"]).await?.has("(the status was written ")?;
    person.fails(&["doctor"]).await?.has("floorkeeper is DEAD")?;
    let release = ["override", "web", "-n", "shop", "--release", "--reason", "a test", "--wait", "1s"];
    let said = person.fails(&release).await?;
    said.has("NOT obeyed within 1s")?;
    said.has("What holds now: HPA web keeps")?;
    let way = r#"kubectl patch hpa web -n shop --type=merge -p '{"spec":{"minReplicas":2}}'"#;
    said.has(way)?;
    // Who floorkeeper put back once is the owner again, as soon as nobody is there to do it.
    shop.kubectl(&["get", "flooroverrides", "-o", "name"]).await.map(drop)
}

async fn uninstall_gives_everything_back(cluster: &Cluster, person: &Person, shop: &Shop<'_>) -> Result<()> {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    cluster.kubectl(["apply", "-k", &deploy.display().to_string()]).await?;
    let before = shop.get("deployment/web").await?;
    let said = person.works(&["uninstall", "--dry-run"]).await?;
    said.has("1. stop it, so that nothing is put back")?;
    said.has("becomes 2 to 20")?;
    said.has("scalingpolicies.floorkeeper.dev with 1 object")?;
    said.has("Nothing was changed.")?;
    person.fails(&["uninstall"]).await?.has("nobody is there to ask: pass --yes")?;
    shop.shows(
        "hpa/web",
        "/metadata/annotations/floorkeeper.dev~1kept",
        shop.get("hpa/web").await?["metadata"]["annotations"]["floorkeeper.dev/kept"].clone(),
    )
    .await?;

    // Interrupted at whatever it is doing by then, and done again.
    person.interrupted(&["uninstall", "--yes"], 4).await?;
    person.interrupted(&["uninstall", "--yes"], 16).await?;
    let said = person.works(&["uninstall", "--yes"]).await?;
    said.has("floorkeeper is out of the cluster. Left: namespace floorkeeper-system")?;
    let hpa = shop.get("hpa/web").await?;
    ensure!(hpa["spec"]["minReplicas"] == 2 && hpa["spec"]["maxReplicas"] == 20, "{}", hpa["spec"]);
    ensure!(hpa["metadata"]["annotations"].get("floorkeeper.dev/kept").is_none(), "{}", hpa["metadata"]);
    let managed = shop.kubectl(&["get", "hpa/web", "-o", "json", "--show-managed-fields"]).await?;
    ensure!(!managed.contains("\"floorkeeper\""), "floorkeeper still owns a field: {managed}");
    let after = shop.get("deployment/web").await?;
    ensure!(after["spec"] == before["spec"], "the workload stays as it was");
    for what in [
        "crd",
        "validatingadmissionpolicy",
        "validatingadmissionpolicybinding",
        "mutatingadmissionpolicy",
        "mutatingadmissionpolicybinding",
    ] {
        let left = cluster.kubectl(["get", what, "-o", "name"]).await?;
        ensure!(!left.contains("floorkeeper"), "{what}: {left}");
    }
    let left = cluster.kubectl(["get", "clusterroles,clusterrolebindings,priorityclasses", "-o", "name"]).await?;
    ensure!(!left.contains("floorkeeper"), "{left}");
    person.works(&["uninstall", "--yes"]).await?.has("Nothing of floorkeeper is in this cluster.")
}

#[test]
fn a_table_is_read_by_its_words() {
    let said = Said { out: "NAME      STATE\nweb       Blind\n".to_owned(), err: String::new() };
    assert!(said.has("web  Blind").is_ok() && said.has("web Fine").is_err());
}
