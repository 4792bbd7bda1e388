//! Nobody is locked in: the way out works with floorkeeper dead, and what is broken lets writes pass.

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Cluster, eventually};
use serde_json::json;

use crate::town::{GLASS, Town, WITHIN};

/// Taken from the refusal word by word and run by somebody on call, who holds nothing but the role for it.
pub(crate) async fn the_command_of_the_refusal_works(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "glass", Some("clamp")).await?;
    let said = town.refuses(2, &[]).await?;
    let command = said.split("With floorkeeper down: kubectl ").nth(1).context("no command in the refusal")?;
    let command: Vec<&str> = command.split_whitespace().collect();
    assert_eq!(command.first(), Some(&"scale"), "{said}");

    let outcome = run_as_olga(cluster, &command).await?;
    assert!(!outcome.0 && outcome.1.contains("impersonate"), "nobody may just say so: {}", outcome.1);
    let role = "--clusterrole=floorkeeper-break-glass";
    cluster.kubectl(["create", "clusterrolebinding", "olga", role, "--serviceaccount=glass:olga"]).await?;
    eventually("it is done", WITHIN, || async {
        let outcome = run_as_olga(cluster, &command).await?;
        ensure!(outcome.0, "{}", outcome.1);
        Ok(())
    })
    .await?;
    assert_eq!(town.replicas().await?, 2);
    Ok(())
}

async fn run_as_olga(cluster: &Cluster, command: &[&str]) -> Result<(bool, String)> {
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "olga", "namespace": "glass"}});
    cluster.apply(&account.to_string()).await?;
    let token = cluster.service_account_token("glass", "olga").await?;
    let kubeconfig = format!("--kubeconfig={}", cluster.kubeconfig_with_token("olga", &token)?.display());
    let args: Vec<String> = command.iter().chain([&kubeconfig.as_str()]).map(|arg| (*arg).to_owned()).collect();
    let output = cluster.kubectl_output(&args).await?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

pub(crate) async fn break_glass_passes_the_clamp_too(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "glass-deploy", Some("clamp")).await?;
    town.refuses(2, &[]).await?;
    let by = [GLASS[0], GLASS[1], "--as-group=system:masters"];
    let said = town.apply(&town.deployment(2, "web:2"), &["--server-side", "--force-conflicts"], &by).await?;
    assert!(said.done && said.aloud.is_empty(), "{said:?}");
    assert_eq!((town.replicas().await?, town.clamped().await?), (2, None));
    Ok(())
}

/// cluster-admin holds every verb there is, and is refused all the same.
pub(crate) async fn it_takes_intent_not_permission(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "intent", Some("clamp")).await?;
    for by in [
        &[] as &[&str],
        &["--as=system:serviceaccount:argocd:argocd-application-controller", "--as-group=system:masters"],
    ] {
        town.refuses(2, by).await?;
        town.is_refused(2, by).await?;
    }
    Ok(())
}

pub(crate) async fn a_terminating_namespace_is_let_go(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "ending", Some("clamp")).await?;
    town.refuses(2, &[]).await?;
    // No namespace controller runs here: it stays Terminating for as long as we look.
    cluster.kubectl(["delete", "namespace", "ending", "--wait=false"]).await?;
    eventually("the floor no longer binds", WITHIN, || async {
        let said = town.scale(2, &[]).await?;
        ensure!(said.done && said.aloud.is_empty(), "{said:?}");
        Ok(())
    })
    .await?;
    let said =
        town.kubectl(&["patch", "deployment/web", "--type=merge", "--patch={\"spec\":{\"replicas\":1}}"], &[]).await?;
    assert!(said.done && said.aloud.is_empty(), "{said:?}");
    assert_eq!(town.replicas().await?, 1);
    let said = town.kubectl(&["delete", "floortable", "floors"], &[]).await?;
    assert!(said.done, "its table goes with it: {}", said.aloud);
    Ok(())
}

/// The trap of `failurePolicy: Fail`: with the CRD gone, every write of every workload would be refused, raises included.
pub(crate) async fn a_missing_kind_lets_writes_pass(cluster: &mut Cluster) -> Result<()> {
    let town = Town::open(cluster, "missing", Some("clamp")).await?;
    town.refuses(2, &[]).await?;
    cluster.kubectl(["delete", "crd", "floortables.floorkeeper.dev", "--wait=false"]).await?;
    eventually("the CRD is gone", WITHIN, || async {
        let left =
            cluster.kubectl(["get", "crd", "floortables.floorkeeper.dev", "--ignore-not-found", "-o", "name"]).await?;
        ensure!(left.is_empty(), "{left}");
        Ok(())
    })
    .await?;
    cluster.restart_api_server().await?;
    let town = Town { cluster, namespace: "missing" };
    for replicas in [12, 2] {
        let said = town.scale(replicas, &[]).await?;
        assert!(said.done, "{}", said.aloud);
        assert_eq!(town.replicas().await?, u64::from(replicas));
    }
    let said = town.apply(&town.deployment(1, "web:2"), &["--server-side", "--force-conflicts"], &[]).await?;
    assert!(said.done, "{}", said.aloud);
    Ok(())
}
