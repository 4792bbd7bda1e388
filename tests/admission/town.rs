//! A namespace with a Deployment of ten replicas and a floor of six, and kubectl in different hands.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Cluster, eventually};
use serde_json::{Value, json};

pub(crate) const FLOOR: u32 = 6;

/// The account under which floorkeeper runs, with all permissions: what stops it here is admission.
pub(crate) const FLOORKEEPER: [&str; 2] =
    ["--as=system:serviceaccount:floorkeeper-system:floorkeeper", "--as-group=system:masters"];

/// The HPA controller. (It needs the group only because kubectl reads more than the controller does.)
pub(crate) const HPA: [&str; 2] =
    ["--as=system:serviceaccount:kube-system:horizontal-pod-autoscaler", "--as-group=system:masters"];

pub(crate) const GLASS: [&str; 2] = ["--as=floorkeeper.dev:break-glass", "--as-group=floorkeeper.dev:break-glass"];

/// `kubectl apply -k`, and waits until the policies are in force.
pub(crate) async fn install(cluster: &Cluster, kustomization: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(kustomization);
    cluster.kubectl(["apply", "-k", &path.display().to_string()]).await?;
    in_force(cluster, "in-force").await
}

/// The same with a few lines more at the end of deploy/kustomization.yaml, as the manual tells people to write them.
pub(crate) async fn install_changed(cluster: &Cluster, lines: &str) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = cluster.directory().join("manifests");
    for directory in ["crds", "deploy"] {
        copy_into(&root.join(directory), &copy.join(directory))?;
    }
    let kustomization = copy.join("deploy/kustomization.yaml");
    let text = std::fs::read_to_string(&kustomization)?;
    std::fs::write(&kustomization, format!("{text}{lines}\n"))?;
    cluster.kubectl(["apply", "-k", &copy.join("deploy").display().to_string()]).await?;
    in_force(cluster, "in-force-changed").await
}

fn copy_into(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_into(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The API server takes new policies up within a second or so; it finds a kind that came after them later.
pub(crate) async fn in_force(cluster: &Cluster, namespace: &str) -> Result<()> {
    let town = Town::open(cluster, namespace, Some("deny")).await?;
    eventually("the policies are in force", WITHIN, || async {
        let said = town.kubectl(&["scale", "deployment/web", "--replicas=2", "--dry-run=server"], &[]).await?;
        ensure!(!said.done, "it was let in");
        anyhow::Ok(())
    })
    .await?;
    cluster.kubectl(["delete", "namespace", namespace, "--wait=false"]).await.map(drop)
}

/// What kubectl said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) done: bool,
    /// Refusals and warnings.
    pub(crate) aloud: String,
}

pub(crate) struct Town<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) namespace: &'a str,
}

impl<'a> Town<'a> {
    /// `enforce`: the namespace's label.
    pub(crate) async fn open(cluster: &'a Cluster, namespace: &'a str, enforce: Option<&str>) -> Result<Self> {
        let town = Self { cluster, namespace };
        let labels = enforce.map(|enforce| json!({"floorkeeper.dev/enforce": enforce}));
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}});
        let objects = json!({"apiVersion": "v1", "kind": "List",
            "items": [namespace, town.deployment(10, "web:1"), town.table_with(&json!({}))]});
        let said = town.apply(&objects, &["--server-side", "--field-manager=kubectl"], &FLOORKEEPER).await?;
        ensure!(said.done, "{}", said.aloud);
        Ok(town)
    }

    pub(crate) fn deployment(&self, replicas: u32, image: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": self.namespace},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}}}})
    }

    /// Writes the row of `deployments.apps/web`, as floorkeeper does. `row`: what differs from an ordinary one.
    pub(crate) async fn table(&self, row: Value) -> Result<()> {
        let args = ["--server-side", "--field-manager=kubectl"];
        let said = self.apply(&self.table_with(&row), &args, &FLOORKEEPER).await?;
        ensure!(said.done, "{}", said.aloud);
        Ok(())
    }

    fn table_with(&self, row: &Value) -> Value {
        let mut all = json!({"replicas": FLOOR, "policy": "web-policy", "uid": "u", "reason": "UnusualFall", "epoch": 1,
            "seq": 1, "observedAt": "2024-03-05T01:36:00.000Z"});
        for (key, value) in row.as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
        json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "FloorTable",
            "metadata": {"name": "floors", "namespace": self.namespace}, "spec": {"floors": {"deployments.apps/web": all}}})
    }

    /// kubectl in this namespace, by somebody.
    pub(crate) async fn kubectl(&self, args: &[&str], by: &[&str]) -> Result<Said> {
        let args: Vec<String> =
            args.iter().chain(by).chain(&["-n", self.namespace]).map(|arg| (*arg).to_owned()).collect();
        let output = self.cluster.kubectl_output(&args).await?;
        Ok(Said { done: output.status.success(), aloud: String::from_utf8_lossy(&output.stderr).into_owned() })
    }

    pub(crate) async fn apply(&self, manifest: &Value, args: &[&str], by: &[&str]) -> Result<Said> {
        // Several may apply at once.
        let name = format!("{}-{}-{}.json", self.namespace, manifest["kind"].as_str().unwrap_or_default(), args.len());
        let file = self.cluster.directory().join(name);
        std::fs::write(&file, manifest.to_string())?;
        let file = format!("--filename={}", file.display());
        self.kubectl(&[&["apply", &file], args].concat(), by).await
    }

    pub(crate) async fn scale(&self, replicas: u32, by: &[&str]) -> Result<Said> {
        self.kubectl(&["scale", "deployment/web", &format!("--replicas={replicas}")], by).await
    }

    pub(crate) async fn get(&self, what: &str) -> Result<Value> {
        let text = self.cluster.kubectl(["get", "-n", self.namespace, what, "-o", "json"]).await?;
        serde_json::from_str(&text).context("kubectl get -o json")
    }

    pub(crate) async fn replicas(&self) -> Result<u64> {
        let web = self.get("deployment/web").await?;
        web["spec"]["replicas"].as_u64().context("no replicas")
    }

    pub(crate) async fn image(&self) -> Result<String> {
        let web = self.get("deployment/web").await?;
        Ok(web["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default().to_owned())
    }

    /// The note that a clamp leaves on the workload.
    pub(crate) async fn clamped(&self) -> Result<Option<Value>> {
        let web = self.get("deployment/web").await?;
        let note = web["metadata"]["annotations"]["floorkeeper.dev/clamped"].as_str().map(serde_json::from_str);
        Ok(note.transpose()?)
    }

    /// Waits until it is, as a dry run: the API server's caches of labels and tables follow within milliseconds, but a loaded
    /// machine may take its time. Gives the refusal.
    pub(crate) async fn refuses(&self, replicas: u32, by: &[&str]) -> Result<String> {
        eventually(&format!("{replicas} replicas are refused"), WITHIN, || async {
            let asked = format!("--replicas={replicas}");
            let said = self.kubectl(&["scale", "deployment/web", &asked, "--dry-run=server"], by).await?;
            ensure!(!said.done, "it is let in");
            ensure!(said.aloud.contains("floorkeeper-floor"), "{said:?}");
            Ok(said.aloud)
        })
        .await
    }

    /// Not a dry run: the write itself.
    pub(crate) async fn is_refused(&self, replicas: u32, by: &[&str]) -> Result<()> {
        let said = self.scale(replicas, by).await?;
        ensure!(!said.done && said.aloud.contains("floorkeeper-floor"), "{said:?}");
        Ok(())
    }
}

pub(crate) const WITHIN: Duration = Duration::from_secs(60);
