//! What the admission policies cost: the time that a write of a Deployment and of its `scale` takes, by the number of floors
//! in the namespace, without the policies, with them in a namespace that does not ask for them, and with the clamp.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use super::reaction::percentile;
use crate::{Cluster, Options, eventually};

/// One kind of write in one kind of namespace.
#[derive(Debug, Clone)]
pub struct Cost {
    pub write: &'static str,
    pub floors: usize,
    pub place: Place,
    pub millis: Vec<f64>,
}

/// Where it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// No policy is installed.
    Bare,
    /// The policies are there, the namespace has no label.
    Unasked,
    /// `floorkeeper.dev/enforce: clamp`.
    Clamp,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Costs(pub Vec<Cost>);

/// `writes` of each kind, for each number of floors. `deploy`: the directory of the manifests.
///
/// # Errors
/// What could not be started, or a write that did not end as it should.
pub async fn admission_cost(deploy: &Path, floors: &[usize], writes: usize, say: impl Fn(&str)) -> Result<Costs> {
    say("starting a Kubernetes API server");
    let cluster = Cluster::start(Options::api_only()).await?;
    let crds = deploy.join("../crds");
    cluster.kubectl(["apply", "--server-side", "-k", &crds.display().to_string()]).await?;
    cluster.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).await?;
    for count in floors {
        for place in [Place::Unasked, Place::Clamp] {
            let objects = namespace(*count, place);
            cluster.apply(&super::documents(&objects)).await.context("a namespace with its floors")?;
        }
    }
    let client = cluster.client();
    let mut costs = Vec::new();
    for count in floors {
        say(&format!("{count} floors, without policies"));
        let [quiet, _] = names(*count);
        for write in WRITES {
            costs.push(measure(&client, &[(&quiet, Place::Bare)], write, *count, writes).await?);
        }
    }
    let mut costs: Vec<Cost> = costs.into_iter().flatten().collect();

    let admission = deploy.join("admission").display().to_string();
    cluster.kubectl(["apply", "-k", &admission]).await?;
    let kept = names(*floors.iter().max().context("no numbers of floors")?)[1].clone();
    let api = Api::<Deployment>::namespaced(client.clone(), &kept);
    eventually("the policies are in force", IN_FORCE_WITHIN, || async {
        let dry = PatchParams { dry_run: true, ..PatchParams::default() };
        let let_in = api.patch_scale("web", &dry, &Patch::Merge(json!({"spec": {"replicas": 1}}))).await.is_ok();
        ensure!(!let_in, "a write below the floor is let in");
        anyhow::Ok(())
    })
    .await?;
    for count in floors {
        say(&format!("{count} floors, with policies"));
        let [quiet, kept] = names(*count);
        let places = [(&*quiet, Place::Unasked), (&*kept, Place::Clamp)];
        for write in WRITES {
            costs.extend(measure(&client, &places, write, *count, writes).await?);
        }
    }
    Ok(Costs(costs))
}

/// In turn in each place, so that what disturbs the machine disturbs all of them.
async fn measure(
    client: &Client,
    places: &[(&str, Place)],
    (write, up, down): (&'static str, u32, u32),
    floors: usize,
    writes: usize,
) -> Result<Vec<Cost>> {
    let mut costs: Vec<_> = places
        .iter()
        .map(|(_, place)| Cost { write, floors, place: *place, millis: Vec::with_capacity(writes) })
        .collect();
    for round in 0..writes + WARM_UP {
        for ((namespace, _), cost) in places.iter().zip(&mut costs) {
            let api = Api::<Deployment>::namespaced(client.clone(), namespace);
            // Back to where the next write starts from, unmeasured.
            scale(&api, down).await?;
            let started = Instant::now();
            if write == DEPLOY {
                let template = json!({"metadata": {"annotations": {"round": round.to_string()}}});
                let patch = json!({"spec": {"template": template}});
                api.patch("web", &PatchParams::default(), &Patch::Merge(patch)).await?;
            } else {
                scale(&api, up).await?;
            }
            if round >= WARM_UP {
                cost.millis.push(started.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    Ok(costs)
}

async fn scale(api: &Api<Deployment>, replicas: u32) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    api.patch_scale("web", &PatchParams::default(), &patch).await.map(drop).context("scale")
}

fn names(floors: usize) -> [String; 2] {
    [format!("quiet-{floors}"), format!("kept-{floors}")]
}

/// A namespace with a Deployment and a table; with one floor or more, the Deployment's own is among them.
fn namespace(floors: usize, place: Place) -> [Value; 3] {
    let [quiet, kept] = names(floors);
    let (name, labels) = match place {
        Place::Bare | Place::Unasked => (quiet, json!({})),
        Place::Clamp => (kept, json!({"floorkeeper.dev/enforce": "clamp"})),
    };
    let row = json!({"replicas": 6, "policy": "a-policy-with-a-name", "uid": "0b0f5ab4-5f43-4d0e-b9d3-0c8a7d1f2e3d",
        "reason": "LiveDemand", "epoch": 7, "seq": 1234, "observedAt": "2024-03-05T01:36:00.000Z"});
    let key = |number| {
        if number == 0 { "deployments.apps/web".to_owned() } else { format!("deployments.apps/web-{number:04}") }
    };
    let rows: serde_json::Map<String, Value> = (0..floors).map(|number| (key(number), row.clone())).collect();
    let metadata = json!({"name": "web", "namespace": name});
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web",
        "resources": {"requests": {"cpu": "100m"}}, "env": [{"name": "A", "value": "b"}]}]}});
    [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {"replicas": 10, "selector": {"matchLabels": {"app": "web"}}, "template": template}}),
        json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "FloorTable", "metadata": {"name": "floors", "namespace": name},
            "spec": {"floors": rows}}),
    ]
}

impl fmt::Display for Costs {
    /// A table in Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| write | floors | no policies p50 / p99 ms | no label p50 / p99 ms | clamp p50 / p99 ms | clamp adds p50 ms |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        let clamped = self.0.iter().filter(|cost| cost.place == Place::Clamp);
        for cost in clamped {
            let at = |place, share| {
                let same =
                    |other: &&Cost| other.write == cost.write && other.floors == cost.floors && other.place == place;
                let mut millis = self.0.iter().find(same).map(|cost| cost.millis.clone()).unwrap_or_default();
                percentile(&mut millis, share)
            };
            write!(f, "| {} | {} |", cost.write, cost.floors)?;
            for place in [Place::Bare, Place::Unasked, Place::Clamp] {
                write!(f, " {:.2} / {:.2} |", at(place, 0.5), at(place, 0.99))?;
            }
            writeln!(f, " {:.2} |", at(Place::Clamp, 0.5) - at(Place::Unasked, 0.5))?;
        }
        Ok(())
    }
}

const DEPLOY: &str = "Deployment, a new template";

/// What is written, to how many replicas, and from how many.
const WRITES: [(&str, u32, u32); 3] = [(DEPLOY, 10, 10), ("scale up", 11, 10), ("scale down", 9, 10)];

/// Connections, caches and the API server's own warming up.
const WARM_UP: usize = 20;

const IN_FORCE_WITHIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_compares_with_the_same_write_in_the_namespace_without_a_label() {
        let cost = |write, place, millis| Cost { write, floors: 10, place, millis: vec![millis; 5] };
        let costs = Costs(vec![
            cost(DEPLOY, Place::Bare, 1.0),
            cost(DEPLOY, Place::Unasked, 1.5),
            cost("scale up", Place::Unasked, 9.0),
            cost(DEPLOY, Place::Clamp, 2.0),
        ]);
        let row = "| Deployment, a new template | 10 | 1.00 / 1.00 | 1.50 / 1.50 | 2.00 / 2.00 | 0.50 |";
        assert!(costs.to_string().contains(row), "{costs}");
    }

    #[test]
    fn the_deployment_s_own_floor_is_one_of_them() {
        let [_, _, table] = namespace(3, Place::Clamp);
        let rows = table["spec"]["floors"].as_object().unwrap();
        assert_eq!(rows.len(), 3);
        assert!(rows.contains_key("deployments.apps/web"));
    }
}
