//! floorkeeper's own kinds.

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Cluster, eventually};
use serde_json::{Value, json};

use crate::town::{FLOORKEEPER, GLASS, Town, WITHIN};

pub(crate) async fn tables_are_closed_to_all_others(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "tables", None).await?;
    let lower = r#"--patch={"spec":{"floors":{"deployments.apps/web":{"replicas":1,"seq":9}}}}"#;
    let patch = ["patch", "floortable/floors", "--type=merge", lower];
    let delete = ["delete", "floortable/floors", "--wait=false"];
    let argo = ["--as=system:serviceaccount:argocd:argocd", "--as-group=system:masters"];
    for by in [&[] as &[&str], &argo] {
        for args in [&patch[..], &delete[..]] {
            let said = town.kubectl(args, by).await?;
            assert!(!said.done && said.aloud.contains("written by floorkeeper alone"), "{by:?} {args:?}: {said:?}");
        }
    }
    let mut second = json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "FloorTable", "metadata": {"name": "floors"},
        "spec": {"floors": {}}});
    second["metadata"]["namespace"] = json!("default");
    let said = Town { cluster, namespace: "default" }.apply(&second, &[], &[]).await?;
    assert!(!said.done && said.aloud.contains("written by floorkeeper alone"), "a new one: {said:?}");

    let said = town.kubectl(&patch, &FLOORKEEPER).await?;
    assert!(said.done, "{}", said.aloud);
    // The way out with floorkeeper dead: the floor is released, the fencing rules still hold.
    let release = r#"--patch={"spec":{"floors":{"deployments.apps/web":{"released":true}}}}"#;
    let said = town.kubectl(&["patch", "floortable/floors", "--type=merge", release], &GLASS).await?;
    assert!(said.done, "{}", said.aloud);
    let stale = r#"--patch={"spec":{"floors":{"deployments.apps/web":{"epoch":0}}}}"#;
    let said = town.kubectl(&["patch", "floortable/floors", "--type=merge", stale], &GLASS).await?;
    assert!(!said.done && said.aloud.contains("stale leader"), "{said:?}");
    Ok(())
}

pub(crate) async fn histories_are_floorkeeper_s(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "histories", None).await?;
    let spec =
        json!({"reckonedBy": [], "until": "2024-03-05T01:36:00Z", "known": {"days": 0}, "spans": "1h", "days": []});
    let history = json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "DemandHistory", "metadata": {"name": "web"},
        "spec": spec});
    let said = town.apply(&history, &[], &[]).await?;
    assert!(!said.done && said.aloud.contains("written by floorkeeper alone"), "{said:?}");
    let said = town.apply(&history, &[], &FLOORKEEPER).await?;
    assert!(said.done, "{}", said.aloud);
    let edit = ["patch", "demandhistory/web", "--type=merge", r#"--patch={"spec":{"known":{"days":14}}}"#];
    let said = town.kubectl(&edit, &[]).await?;
    assert!(!said.done && said.aloud.contains("delete this one"), "{said:?}");
    // To forget is allowed.
    let said = town.kubectl(&["delete", "demandhistory/web"], &[]).await?;
    assert!(said.done, "{}", said.aloud);
    Ok(())
}

pub(crate) async fn an_override_lasts_seven_days_at_most(cluster: &Cluster) -> Result<()> {
    let town = Town::open(cluster, "until", None).await?;
    let at = |hours: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        json!(format!("{at:.0}"))
    };
    let order = |name: &str, ends: Value| {
        let mut spec = json!({"policy": "web", "action": "Freeze", "reason": "a test"});
        for (key, value) in ends.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "FloorOverride", "metadata": {"name": name}, "spec": spec})
    };
    let too_long = town.apply(&order("long", json!({"until": at(170)})), &[], &[]).await?;
    assert!(!too_long.done && too_long.aloud.contains("7 days at most"), "{too_long:?}");
    let over = town.apply(&order("over", json!({"until": at(-1)})), &[], &[]).await?;
    assert!(!over.done && over.aloud.contains("would end before it begins"), "{over:?}");
    let offset = town.apply(&order("offset", json!({"until": "2099-01-01T00:00:00+02:00"})), &[], &[]).await?;
    assert!(!offset.done, "another way to write a time: {offset:?}");
    for (name, ends) in [("week", json!({"until": at(167)})), ("for", json!({"for": "168h"}))] {
        let said = town.apply(&order(name, ends), &[], &[]).await?;
        assert!(said.done, "{}", said.aloud);
    }
    Ok(())
}

pub(crate) async fn nothing_stands_in_the_way_when_it_is_broken(cluster: &Cluster) -> Result<()> {
    for kind in ["validatingadmissionpolicies", "mutatingadmissionpolicies"] {
        for policy in policies(cluster, kind).await? {
            assert_eq!(policy["spec"]["failurePolicy"], "Ignore", "{}", policy["metadata"]["name"]);
        }
    }
    Ok(())
}

/// An expression that fails where it is evaluated lets the write pass, without a word: the API server's own type check is
/// where such a mistake shows. It needs the controller manager.
pub(crate) async fn no_policy_has_a_type_error(cluster: &Cluster) -> Result<()> {
    eventually("every policy was checked", WITHIN, || async {
        for policy in policies(cluster, "validatingadmissionpolicies").await? {
            let name = policy["metadata"]["name"].clone();
            let checked = policy.pointer("/status/typeChecking").with_context(|| format!("{name}: not yet"))?;
            assert!(checked.get("expressionWarnings").is_none(), "{name}: {checked}");
        }
        anyhow::Ok(())
    })
    .await
}

async fn policies(cluster: &Cluster, kind: &str) -> Result<Vec<Value>> {
    let text = cluster.kubectl(["get", kind, "-l", "app.kubernetes.io/part-of=floorkeeper", "-o", "json"]).await?;
    let list: Value = serde_json::from_str(&text)?;
    let items = list["items"].as_array().cloned().unwrap_or_default();
    ensure!(!items.is_empty(), "no {kind}");
    Ok(items)
}
