//! What a GitOps tool does all the time: apply the same manifest again, in each of its ways. docs/gitops.md

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Cluster, Options, eventually};
use serde_json::{Value, json};

use crate::stage::operator::Operator;
use crate::stage::shop::{Shop, WITHIN, guard};

/// How a tool applies: Argo CD by default as `kubectl apply` does, with ServerSideApply=true and Flux by server-side apply.
const WAYS: [&[&str]; 3] = [
    &["apply", "-f"],
    &["apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller", "-f"],
    &["apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller", "-f"],
];

/// Applies of each manifest: one a second is what the busiest tool does; here they come without a pause.
const TIMES: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn applied_again_and_again() -> Result<()> {
    let cluster = Cluster::start(Options::api_only()).await?;
    let crds = floorkeeper::cli::crds::files()?.into_iter().map(|(_, yaml)| format!("---\n{yaml}"));
    cluster.apply(&crds.collect::<String>()).await?;
    let mut operator = Operator::start(&cluster, "gitops")?;
    operator.ready().await?;
    for (at, way) in WAYS.into_iter().enumerate() {
        let namespace = format!("way-{at}");
        let git = Git { shop: Shop::open_bare(&cluster, &namespace).await?, way };
        a_manifest_without_the_minimum_does_not_fight(&git, &operator).await?;
        deleted_and_created_again_the_floor_comes_back(&git).await?;
        a_manifest_with_the_minimum_is_put_back(&git).await?;
    }
    Ok(())
}

/// A repository with an HPA in it, and the tool that applies it.
struct Git<'a> {
    shop: Shop<'a>,
    way: &'static [&'static str],
}

impl Git<'_> {
    async fn apply(&self, minimum: Option<u32>) -> Result<()> {
        let mut spec = json!({"maxReplicas": 20,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}]});
        if let Some(minimum) = minimum {
            spec["minReplicas"] = json!(minimum);
        }
        let manifest = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web", "namespace": self.shop.namespace}, "spec": spec});
        let file = self.shop.cluster.directory().join(format!("{}.json", self.shop.namespace));
        std::fs::write(&file, manifest.to_string())?;
        let file = file.display().to_string();
        self.shop.kubectl(&[self.way, &[&file]].concat()).await.map(drop)
    }
}

/// The recipe: the policy says the minimum, the manifest does not. Nothing is overwritten, so nothing is put back.
async fn a_manifest_without_the_minimum_does_not_fight(git: &Git<'_>, operator: &Operator) -> Result<()> {
    git.apply(None).await?;
    let mut policy = guard();
    policy["minReplicas"] = json!(2);
    git.shop.policy(policy).await?;
    git.shop.shows("hpa/web", "/spec/minReplicas", 10).await?;
    let before = undone(operator).await?;
    for _ in 0..TIMES {
        git.apply(None).await?;
        let hpa = git.shop.get("hpa/web").await?;
        ensure!(hpa["spec"]["minReplicas"] == 10, "{:?} took the floor away: {}", git.way, hpa["spec"]);
        ensure!(hpa["metadata"]["annotations"].get("floorkeeper.dev/kept").is_some(), "{}", hpa["metadata"]);
    }
    ensure!(undone(operator).await? == before, "there was something to put back");
    git.shop.says("Contested", "False", "NoOtherWriter").await.map(drop)
}

/// Argo CD's Replace=true, a renamed Kustomization, a pruned and restored branch.
async fn deleted_and_created_again_the_floor_comes_back(git: &Git<'_>) -> Result<()> {
    git.shop.kubectl(&["delete", "hpa/web"]).await?;
    git.apply(None).await?;
    git.shop.shows("hpa/web", "/spec/minReplicas", 10).await?;
    let policy = git.shop.get("scalingpolicy/web").await?;
    git.shop.kubectl(&["delete", "scp/web"]).await?;
    git.shop.policy(policy["spec"].clone()).await?;
    git.shop.shows("scalingpolicy/web", "/status/floor/replicas", 10).await?;
    git.shop.shows("hpa/web", "/spec/minReplicas", 10).await
}

/// Without the recipe: each apply takes the minimum away, floorkeeper puts it back and says who it was.
async fn a_manifest_with_the_minimum_is_put_back(git: &Git<'_>) -> Result<()> {
    for _ in 0..TIMES {
        git.apply(Some(2)).await?;
        git.shop.shows("hpa/web", "/spec/minReplicas", 10).await?;
        git.shop.replicas(10).await?;
    }
    git.shop.says("Contested", "True", "OtherWriter").await?;
    let said = eventually("doctor names the manifest", WITHIN, || async {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_floorkeeper"))
            .args(["doctor", "-o", "json"])
            .env("KUBECONFIG", git.shop.cluster.kubeconfig())
            .output()
            .await?;
        let findings: Value = serde_json::from_slice(&output.stdout)?;
        let all = findings["findings"].as_array().context("no findings")?.clone();
        let contested = all.into_iter().find(|finding| finding["check"] == "Contested");
        contested.context("nothing is contested")
    })
    .await?;
    ensure!(said["at"].to_string().contains(git.shop.namespace), "{said}");
    Ok(())
}

/// Minimums of scalers that were put back so far.
async fn undone(operator: &Operator) -> Result<String> {
    let (_, metrics) = operator.get("/metrics").await?;
    let line = metrics.lines().find(|line| line.starts_with("floorkeeper_undos_total{what=\"ScalerMinimum\"}"));
    Ok(line.unwrap_or("none").to_owned())
}
