//! `kubectl apply -k deploy` on a real API server, and the operator under the account that it makes: the audit log shows
//! no missing permission and no unused one.

#[path = "deploy/alerts.rs"]
mod alerts;
#[path = "deploy/audit.rs"]
mod audit;
#[path = "deploy/permissions.rs"]
mod permissions;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use floorkeeper_rig::{Cluster, Options, eventually};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Api;

const ACCOUNT: &str = "system:serviceaccount:floorkeeper-system:floorkeeper";

/// Runs kubectl on a path of the repository, and refuses any warning: deprecated fields, unknown ones, pods that would
/// not be let in.
async fn kubectl(cluster: &Cluster, args: &[&str]) -> Result<String> {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let output = cluster.kubectl_output(&args).await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success() && said.trim().is_empty(), "kubectl {}: {said}", args.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}

fn path(inside: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(inside).display().to_string()
}

#[tokio::test]
async fn the_manifests_land_and_land_again() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let deploy = path("deploy");

    kubectl(&cluster, &["apply", "-k", &deploy]).await?;
    kubectl(&cluster, &["apply", "-f", &path("deploy/components/api-priority/flowschema.yaml")]).await?;

    // The pod is let in under the strictest level of pod security, with its priority class and its account.
    kubectl(&cluster, &["rollout", "status", "-n", "floorkeeper-system", "deployment/floorkeeper", "--timeout=50s"])
        .await?;

    let roles = Api::<ClusterRole>::all(cluster.client());
    let filled = || async {
        let role = roles.get("floorkeeper-targets").await?;
        let rules = role.rules.filter(|rules| !rules.is_empty()).context("no rules yet")?;
        anyhow::Ok(rules)
    };
    let before = eventually("the targets' role is filled in", BOUND, filled).await?;

    let again = kubectl(&cluster, &["apply", "-k", &deploy]).await?;
    // The selector of a disruption budget is replaced, not merged, so kubectl calls it configured each time.
    let settled = |line: &&str| line.ends_with(" unchanged") || line.starts_with("poddisruptionbudget");
    let changed: Vec<&str> = again.lines().filter(|line| !settled(line)).collect();
    assert!(changed.is_empty() && !again.is_empty(), "a second apply changes nothing: {changed:?}");
    assert_eq!(filled().await?, before, "not for a moment without the targets' rules");
    Ok(())
}

#[tokio::test]
async fn each_may_do_what_is_theirs_and_no_more() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    kubectl(&cluster, &["apply", "-k", &path("deploy")]).await?;
    for (name, role, user) in
        [("viewer", "view", "vera"), ("editor", "edit", "eddie"), ("on-call", "floorkeeper-override", "olga")]
    {
        kubectl(
            &cluster,
            &[
                "create",
                "rolebinding",
                name,
                "-n",
                "default",
                &format!("--clusterrole={role}"),
                &format!("--user={user}"),
            ],
        )
        .await?;
    }

    let (own, shop) = ("floorkeeper-system", "default");
    for (user, verb, resource, namespace, expected) in [
        (ACCOUNT, "update", "deployments.apps/scale", shop, "yes"),
        (ACCOUNT, "patch", "deployments.apps", shop, "no"),
        (ACCOUNT, "delete", "pods", shop, "no"),
        (ACCOUNT, "list", "secrets", own, "yes"),
        (ACCOUNT, "list", "secrets", shop, "no"),
        (ACCOUNT, "update", "scalingpolicies.floorkeeper.dev", shop, "no"),
        ("vera", "get", "scalingpolicies.floorkeeper.dev", shop, "yes"),
        ("vera", "list", "floortables.floorkeeper.dev", shop, "yes"),
        ("vera", "create", "scalingpolicies.floorkeeper.dev", shop, "no"),
        ("eddie", "create", "scalingpolicies.floorkeeper.dev", shop, "yes"),
        ("eddie", "create", "flooroverrides.floorkeeper.dev", shop, "no"),
        ("eddie", "patch", "floortables.floorkeeper.dev", shop, "no"),
        ("vera", "get", "demandhistories.floorkeeper.dev", shop, "yes"),
        ("eddie", "patch", "demandhistories.floorkeeper.dev", shop, "no"),
        ("eddie", "patch", "scalingpolicies.floorkeeper.dev/status", shop, "no"),
        ("olga", "create", "flooroverrides.floorkeeper.dev", shop, "yes"),
        ("olga", "patch", "flooroverrides.floorkeeper.dev", shop, "no"),
    ] {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let mut args = vec!["auth", "can-i", verb, resource, "-n", namespace, "--as", user];
        let subresource = format!("--subresource={subresource}");
        if subresource != "--subresource=" {
            args.push(&subresource);
        }
        let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
        // Aggregation takes a moment.
        eventually("the answer is as expected", BOUND, || async {
            let output = cluster.kubectl_output(&args).await?;
            let answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            ensure!(answer == expected, "{user} {verb} {resource}: {answer}, expected {expected}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Controllers of an idle machine need a second; a busy one may need many.
const BOUND: std::time::Duration = std::time::Duration::from_secs(30);
