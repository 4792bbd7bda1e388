//! floorkeeper dies before the first fault and stays dead: what keeps its floors then is the API server alone. Seen by a watch
//! of every number of replicas that was ever written.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::core::Status;

use super::cast::Cast;
use super::lane::{Lane, SERVICE};
use crate::{Cluster, Eye};

/// What the floor of a lane did without floorkeeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stood {
    /// As it was in the table when floorkeeper died.
    pub floor: u32,
    /// The fewest replicas after that.
    pub fewest: u32,
    /// For how long there were fewer than the floor.
    pub below: Duration,
}

/// One eye for each lane that floorkeeper keeps.
pub(super) struct Witnesses {
    eyes: Vec<(Lane, Eye)>,
    /// When it died, and the floors of that moment, in the order of the eyes.
    death: Option<(Instant, Vec<u32>)>,
}

impl Witnesses {
    pub(super) fn open(cluster: &Cluster, lanes: &[Lane]) -> Self {
        let kept = lanes.iter().filter(|lane| lane.keeper.is_floorkeeper());
        let eyes = kept.map(|lane| (lane.clone(), Eye::open(cluster.client(), &lane.namespace)));
        Self { eyes: eyes.collect(), death: None }
    }

    /// kill -9, once, and a look at the floors that are left.
    pub(super) async fn bury(&mut self, cast: &Cast) -> Result<()> {
        if self.death.is_some() {
            return Ok(());
        }
        cast.operator.lock().await.as_mut().context("there is no floorkeeper to kill")?.kill();
        let died = Instant::now();
        let kind = GroupVersionKind::gvk("floorkeeper.dev", "v1alpha1", "FloorTable");
        let kind = ApiResource::from_gvk_with_plural(&kind, "floortables");
        let mut floors = Vec::new();
        for (lane, _) in &self.eyes {
            let tables = Api::<DynamicObject>::namespaced_with(cast.client.clone(), &lane.namespace, &kind);
            let table = tables.get("floors").await.with_context(|| format!("floors of {}", lane.namespace))?;
            let row = &table.data["spec"]["floors"][format!("deployments.apps/{SERVICE}")];
            let floor = row["replicas"].as_u64().with_context(|| format!("no floor in {row}"))?;
            floors.push(u32::try_from(floor)?);
        }
        self.death = Some((died, floors));
        Ok(())
    }

    /// `None` for a lane that floorkeeper never kept, and while it lives.
    pub(super) fn testify(&self, lane: &Lane) -> Option<Stood> {
        let (died, floors) = self.death.as_ref()?;
        let ((_, eye), &floor) = self.eyes.iter().zip(floors).find(|((seen, _), _)| seen == lane)?;
        let (fewest, below) = eye.since(SERVICE, *died, floor);
        Some(Stood { floor, fewest, below })
    }
}

/// Installs the admission policies and asks for them in the lanes that floorkeeper keeps. Gives a kubeconfig of floorkeeper's own
/// account: with the policies in force nobody else may write floors.
pub(super) async fn enforce(cluster: &Cluster, lanes: &[Lane]) -> Result<PathBuf> {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    for manifests in ["rbac", "admission"] {
        cluster.kubectl(["apply", "-k", &deploy.join(manifests).display().to_string()]).await?;
    }
    for lane in lanes.iter().filter(|lane| lane.keeper.is_floorkeeper()) {
        cluster.kubectl(["label", "namespace", &lane.namespace, "floorkeeper.dev/enforce=clamp"]).await?;
    }
    let token = cluster.service_account_token("floorkeeper-system", "floorkeeper").await?;
    cluster.kubeconfig_with_token("floorkeeper", &token)
}

/// Whether the API server refused this because of a floor.
pub(super) fn is_refusal(status: &Status) -> bool {
    status.message.contains("floorkeeper-floor")
}

/// Minutes; three seconds at the pace of an edge: the last write of floorkeeper's has landed, and the API server knows the floor.
pub(super) const BEFORE_ONSET: f64 = 1.0;
