//! Plays the faults of the cluster and of floorkeeper: writes to the API server, restarts, kills.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use floorkeeper_sim::scenario::{ClusterFault, Fault, OperatorFault, Series, SourceFault, What};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::sync::{Mutex, RwLock};

use super::dead;
use super::lane::{Lane, SERVICE};
use super::schedule::Schedule;
use super::sight::{PodSeen, policy_resource};
use crate::operator::Operator;
use crate::{Data, Prometheus, stages};

/// Everything that a fault can be played on.
#[derive(Clone)]
pub(super) struct Cast {
    pub client: Client,
    pub prometheus: Arc<RwLock<Prometheus>>,
    pub operator: Arc<Mutex<Option<Operator>>>,
    /// The API server enforces its floors.
    pub enforced: bool,
    /// floorkeeper is dead when faults happen.
    pub dies: bool,
}

/// Whether the rig can play this fault.
pub(super) fn can_play(what: &What) -> bool {
    match what {
        What::Load(_) | What::Service(_) => true,
        What::Source(fault) => match fault {
            // CPU comes from pods: all of them or none.
            SourceFault::Partial { of, .. } => !of.contains(&Series::Cpu),
            SourceFault::Absent { .. }
            | SourceFault::Zero { .. }
            | SourceFault::Lie { .. }
            | SourceFault::Odd { .. }
            | SourceFault::Outage
            | SourceFault::Restart { .. } => true,
            // A real Prometheus stamps samples itself.
            SourceFault::Delay { .. } | SourceFault::Future { .. } => false,
        },
        What::Cluster(fault) => match fault {
            ClusterFault::Unready { .. }
            | ClusterFault::Flapping { .. }
            | ClusterFault::ReapplyReplicas { .. }
            | ClusterFault::EditMinReplicas { .. }
            | ClusterFault::ScalerDeleted
            | ClusterFault::PolicyRecreated => true,
            // New pods would have to be made otherwise before they are created.
            ClusterFault::StartFailing => false,
            // Traffic is shared among the ready pods.
            ClusterFault::Unserved => false,
        },
        What::Operator(fault) => match fault {
            OperatorFault::Restart | OperatorFault::Kill | OperatorFault::Pin { .. } => true,
        },
    }
}

impl Cast {
    /// What happens once, to all lanes.
    pub(super) async fn once(&self, fault: &Fault, lanes: &[Lane]) -> Result<()> {
        match &fault.what {
            What::Source(SourceFault::Restart { empty }) => {
                let data = if *empty { Data::Lost } else { Data::Kept };
                self.prometheus.write().await.restart(data).await
            }
            What::Operator(OperatorFault::Kill | OperatorFault::Restart) if self.dies => Ok(()),
            What::Operator(OperatorFault::Kill) => match self.operator.lock().await.as_mut() {
                Some(operator) => operator.kill_and_start(),
                None => bail!("there is no floorkeeper to kill"),
            },
            What::Operator(OperatorFault::Restart) => match self.operator.lock().await.as_mut() {
                Some(operator) => operator.stop_and_start().await,
                None => bail!("there is no floorkeeper to restart"),
            },
            What::Cluster(fault) => {
                for lane in lanes {
                    self.cluster(fault, lane).await.with_context(|| format!("namespace {}", lane.namespace))?;
                }
                Ok(())
            }
            What::Load(_) | What::Service(_) | What::Source(_) | What::Operator(_) => Ok(()),
        }
    }

    async fn cluster(&self, fault: &ClusterFault, lane: &Lane) -> Result<()> {
        match fault {
            ClusterFault::ReapplyReplicas { replicas } => {
                let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
                match self.deployments(lane).patch(SERVICE, &PatchParams::default(), &patch).await {
                    Err(kube::Error::Api(status)) if self.enforced && dead::is_refusal(&status) => {}
                    outcome => outcome.map(drop)?,
                }
            }
            ClusterFault::EditMinReplicas { replicas } => {
                let patch = Patch::Merge(json!({"spec": {"minReplicas": replicas}}));
                // Where no scaler is, the minimum is the policy's own.
                if lane.keeper.has_hpa() {
                    self.hpas(lane).patch(SERVICE, &PatchParams::default(), &patch).await?;
                } else {
                    self.policies(lane).patch(SERVICE, &PatchParams::default(), &patch).await?;
                }
            }
            ClusterFault::ScalerDeleted if lane.keeper.has_hpa() => {
                self.hpas(lane).delete(SERVICE, &DeleteParams::default()).await?;
            }
            ClusterFault::PolicyRecreated if lane.keeper.is_floorkeeper() => {
                let policies = self.policies(lane);
                let mut policy = policies.get(SERVICE).await?;
                policies.delete(SERVICE, &DeleteParams::default()).await?;
                policy.metadata = kube::core::ObjectMeta { name: Some(SERVICE.to_owned()), ..Default::default() };
                policies.create(&PostParams::default(), &policy).await?;
            }
            ClusterFault::PolicyRecreated
            | ClusterFault::ScalerDeleted
            | ClusterFault::Unready { .. }
            | ClusterFault::Flapping { .. }
            | ClusterFault::StartFailing
            | ClusterFault::Unserved => {}
        }
        Ok(())
    }

    /// A person pins the replicas of all lanes that floorkeeper keeps, for as long as the fault lasts.
    pub(super) async fn pin(&self, replicas: u32, lasts: Duration, lanes: &[Lane]) -> Result<()> {
        let kind = GroupVersionKind::gvk("floorkeeper.dev", "v1alpha1", "FloorOverride");
        let kind = ApiResource::from_gvk_with_plural(&kind, "flooroverrides");
        // It counts from its creation, which the API server stamps in whole seconds, rounded down.
        let seconds = lasts.as_secs() + 1;
        for lane in lanes.iter().filter(|lane| lane.keeper.is_floorkeeper()) {
            let pin: DynamicObject = serde_json::from_value(json!({
                "apiVersion": "floorkeeper.dev/v1alpha1", "kind": "FloorOverride",
                "metadata": {"name": "by-hand"},
                "spec": {
                    "policy": SERVICE, "action": "Pin", "replicas": replicas, "for": format!("{seconds}s"),
                    "reason": "the scenario says so",
                },
            }))?;
            Api::namespaced_with(self.client.clone(), &lane.namespace, &kind)
                .create(&PostParams::default(), &pin)
                .await?;
        }
        Ok(())
    }

    /// Gives one pod another behaviour.
    pub(super) async fn behave(&self, lane: &Lane, pod: &str, behaviour: &str, beat: Duration) -> Result<()> {
        let beat = format!("{}ms", beat.as_millis().max(1));
        let patch = Patch::Merge(json!({"metadata": {
            "labels": {stages::BEHAVIOUR: behaviour},
            "annotations": {stages::READY_FOR: beat, stages::UNREADY_FOR: beat},
        }}));
        let pods = Api::<Pod>::namespaced(self.client.clone(), &lane.namespace);
        match pods.patch(pod, &PatchParams::default(), &patch).await {
            // It was removed meanwhile.
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            outcome => Ok(outcome.map(drop)?),
        }
    }

    fn deployments(&self, lane: &Lane) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), &lane.namespace)
    }

    fn policies(&self, lane: &Lane) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &lane.namespace, &policy_resource())
    }

    fn hpas(&self, lane: &Lane) -> Api<HorizontalPodAutoscaler> {
        Api::namespaced(self.client.clone(), &lane.namespace)
    }
}

/// How the pods should behave at a minute: the behaviour for the first so many of them, and its beat.
pub(super) fn behaviour(faults: impl Iterator<Item = Fault>, schedule: &Schedule) -> (f64, &'static str, Duration) {
    let mut wanted = (0.0, stages::SLOW_START, Duration::from_secs(1));
    for fault in faults {
        match fault.what {
            What::Cluster(ClusterFault::Unready { share }) => wanted = (share, stages::BROKEN, wanted.2),
            What::Cluster(ClusterFault::Flapping { share, every_seconds }) => {
                wanted = (share, stages::FLAPPING, schedule.short(Duration::from_secs_f64(every_seconds.max(1.0))));
            }
            What::Cluster(_) | What::Load(_) | What::Service(_) | What::Source(_) | What::Operator(_) => {}
        }
    }
    wanted
}

/// The pods whose behaviour must change so that `share` of them behave so, and the others as they started.
pub(super) fn changes(pods: &[PodSeen], share: f64, behaviour: &'static str) -> Vec<(String, &'static str)> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count"
    )]
    let count = (pods.len() as f64 * share.clamp(0.0, 1.0)).round() as usize;
    let wanted = |place: usize| if place < count { behaviour } else { stages::SLOW_START };
    let wrong = pods.iter().enumerate().filter(|(place, pod)| pod.behaviour.as_deref() != Some(wanted(*place)));
    wrong.map(|(place, pod)| (pod.name.clone(), wanted(place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_rig_cannot_play_is_known() {
        let refused = floorkeeper_sim::CATALOGUE
            .iter()
            .filter(|(name, _)| floorkeeper_sim::find(name).unwrap().playable(can_play).is_err());
        let refused: Vec<&str> = refused.map(|(name, _)| *name).collect();
        assert_eq!(refused, ["S3", "S4", "S22"], "pods that do not start or get no traffic, samples stamped otherwise");
    }

    #[test]
    fn half_of_the_pods_change_and_change_back() {
        let pod = |name: &str, behaviour: &str| PodSeen {
            name: name.to_owned(),
            ready: true,
            behaviour: Some(behaviour.to_owned()),
        };
        let calm = [pod("a", stages::SLOW_START), pod("b", stages::SLOW_START)];
        assert_eq!(changes(&calm, 0.5, stages::BROKEN), [("a".to_owned(), stages::BROKEN)]);
        let broken = [pod("a", stages::BROKEN), pod("b", stages::SLOW_START)];
        assert_eq!(changes(&broken, 0.5, stages::BROKEN), []);
        assert_eq!(changes(&broken, 0.0, stages::BROKEN), [("a".to_owned(), stages::SLOW_START)]);
    }
}
