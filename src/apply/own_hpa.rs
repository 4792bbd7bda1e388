//! The HPA that floorkeeper creates and owns, for policies with `utilization`.
//!
//! Everything but the bounds is kept by server-side apply under a field manager of its own. The bounds are given at
//! creation and then belong to [`bounds`](super::bounds): the API removes what a manager stops sending, so the two must
//! not share one. The HPA is owned by its policy and goes with it.

use std::time::Instant;

use floorkeeper_core::{Bounds, Outcome};
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget,
    ResourceMetricSource,
};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::ObjectMeta;
use kube::{Api, Resource};
use serde_json::{Value, json};
use tracing::warn;

use super::call::{Trouble, call};
use super::writer::{MANAGER, Writer};
use crate::api::{GROUP, ScalingPolicy, Utilization};
use crate::metrics::What;

/// The HPA that a policy with `utilization` asks for; `None` for any other policy.
///
/// `bounds.min`: the floor of this moment, so that the workload is not scaled below it before the first write.
#[must_use]
pub fn own_hpa(policy: &ScalingPolicy, bounds: Bounds) -> Option<HorizontalPodAutoscaler> {
    if policy.spec.utilization.is_empty() {
        return None;
    }
    let target = &policy.spec.target_ref;
    Some(HorizontalPodAutoscaler {
        metadata: ObjectMeta {
            name: Some(own_hpa_name(policy)),
            namespace: policy.metadata.namespace.clone(),
            owner_references: policy.controller_owner_ref(&()).map(|owner| vec![owner]),
            labels: Some([("app.kubernetes.io/managed-by".to_owned(), MANAGER.to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some(target.api_version.clone()),
                kind: target.kind.clone(),
                name: target.name.clone(),
            },
            // A minimum of zero needs a feature of the API server; the floor is kept by us anyhow.
            min_replicas: Some(number(bounds.min.max(1))),
            max_replicas: number(bounds.max.max(bounds.min).max(1)),
            metrics: Some(policy.spec.utilization.iter().map(metric).collect()),
            behavior: None,
        },
        status: None,
    })
}

/// The name of a policy's own HPA.
#[must_use]
pub fn own_hpa_name(policy: &ScalingPolicy) -> String {
    let mut name = format!("floorkeeper-{}", policy.metadata.name.as_deref().unwrap_or_default());
    name.truncate(NAME_LIMIT);
    name.trim_end_matches(['-', '.']).to_owned()
}

/// Whether an HPA was created by floorkeeper: a `ScalingPolicy` controls it.
#[must_use]
pub fn is_own_hpa(hpa: &HorizontalPodAutoscaler) -> bool {
    is_own(&hpa.metadata)
}

pub(super) fn is_own(metadata: &ObjectMeta) -> bool {
    metadata.owner_references.iter().flatten().any(|owner| {
        owner.controller == Some(true)
            && owner.kind == ScalingPolicy::kind(&())
            && owner.api_version.split('/').next() == Some(GROUP)
    })
}

/// Whether a policy's own HPA is as it should be, its bounds apart.
#[must_use]
pub fn own_hpa_in_line(policy: &ScalingPolicy, bounds: Bounds, present: &HorizontalPodAutoscaler) -> bool {
    own_hpa(policy, bounds).is_none_or(|wanted| in_line(present, &wanted))
}

impl Writer {
    /// Creates the policy's own HPA, or brings everything but its bounds in line. `present`: as last seen; nothing is
    /// written where that is as it should be.
    pub async fn keep_own_hpa(
        &self,
        policy: &ScalingPolicy,
        bounds: Bounds,
        present: Option<&HorizontalPodAutoscaler>,
    ) -> Outcome {
        let Some(wanted) = own_hpa(policy, bounds) else { return Outcome::Done };
        let started = Instant::now();
        let api = self.hpas(policy);
        let ended = match present {
            Some(present) if in_line(present, &wanted) => return Outcome::Done,
            Some(_) => {
                let params = PatchParams::apply(TEMPLATE_MANAGER).force();
                let name = own_hpa_name(policy);
                call(api.patch(&name, &params, &Patch::Apply(without_bounds(&wanted)))).await.map(drop)
            }
            None => {
                let params = PostParams { field_manager: Some(TEMPLATE_MANAGER.to_owned()), ..PostParams::default() };
                call(api.create(&params, &wanted)).await.map(drop)
            }
        };
        self.own_hpa_ended(policy, started, ended)
    }

    /// Deletes the policy's own HPA: the policy no longer asks for one. Replicas stay.
    pub async fn drop_own_hpa(&self, policy: &ScalingPolicy, present: &HorizontalPodAutoscaler) -> Outcome {
        let started = Instant::now();
        let preconditions = Preconditions { uid: present.metadata.uid.clone(), ..Preconditions::default() };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let ended = match call(self.hpas(policy).delete(&own_hpa_name(policy), &params)).await {
            Err(Trouble::NotFound(_)) => Ok(()),
            ended => ended.map(drop),
        };
        self.own_hpa_ended(policy, started, ended)
    }

    fn hpas(&self, policy: &ScalingPolicy) -> Api<HorizontalPodAutoscaler> {
        Api::namespaced(self.client(), policy.metadata.namespace.as_deref().unwrap_or_default())
    }

    fn own_hpa_ended(&self, policy: &ScalingPolicy, started: Instant, ended: Result<(), Trouble>) -> Outcome {
        self.ended(What::OwnHpa, started, &ended);
        match ended {
            Ok(()) => Outcome::Done,
            Err(trouble) => {
                warn!(
                    namespace = policy.metadata.namespace, policy = policy.metadata.name, error = %trouble,
                    "the policy's own HorizontalPodAutoscaler was not written"
                );
                trouble.outcome()
            }
        }
    }
}

fn metric(utilization: &Utilization) -> MetricSpec {
    MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource {
            name: utilization.resource.clone(),
            target: MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: Some(utilization.target_percent),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    }
}

/// What the apply sends: the HPA without the two fields that are not this manager's.
fn without_bounds(hpa: &HorizontalPodAutoscaler) -> Value {
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": hpa.metadata.name,
            "labels": hpa.metadata.labels,
            "ownerReferences": hpa.metadata.owner_references,
        },
        "spec": {
            "scaleTargetRef": hpa.spec.scale_target_ref,
            "metrics": hpa.spec.metrics,
        },
    })
}

fn in_line(present: &HorizontalPodAutoscaler, wanted: &HorizontalPodAutoscaler) -> bool {
    present.spec.scale_target_ref == wanted.spec.scale_target_ref
        && present.spec.metrics == wanted.spec.metrics
        && present.metadata.owner_references == wanted.metadata.owner_references
        && is_own_hpa(present)
}

fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Not [`MANAGER`], under which the bounds are applied.
const TEMPLATE_MANAGER: &str = "floorkeeper-template";

/// The API's limit on names. A policy's name may be as long; two that differ only in their last letters would share an
/// HPA name, and the second is told `ScalerExists`.
const NAME_LIMIT: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Mode, ScalingPolicySpec, WorkloadRef};

    fn policy(utilization: Vec<Utilization>) -> ScalingPolicy {
        let target_ref = WorkloadRef { api_version: "apps/v1".into(), kind: "Deployment".into(), name: "web".into() };
        let spec = ScalingPolicySpec {
            target_ref,
            mode: Mode::Autoscale,
            min_replicas: Some(2),
            max_replicas: Some(10),
            demand: None,
            distrust: None,
            scale_down: None,
            utilization,
        };
        let mut policy = ScalingPolicy::new("web", spec);
        policy.metadata.namespace = Some("shop".into());
        policy.metadata.uid = Some("u-1".into());
        policy
    }

    fn cpu() -> Vec<Utilization> {
        vec![Utilization { resource: "cpu".into(), target_percent: 70 }]
    }

    #[test]
    fn without_utilization_there_is_none() {
        assert_eq!(own_hpa(&policy(Vec::new()), Bounds { min: 2, max: 10 }), None);
    }

    #[test]
    fn it_starts_at_the_floor_and_is_owned_by_its_policy() {
        let hpa = own_hpa(&policy(cpu()), Bounds { min: 6, max: 10 }).unwrap();
        let spec = &hpa.spec;
        assert_eq!((spec.min_replicas, spec.max_replicas), (Some(6), 10));
        assert_eq!(spec.scale_target_ref.name, "web");
        let resource = spec.metrics.as_ref().unwrap()[0].resource.as_ref().unwrap();
        assert_eq!((resource.name.as_str(), resource.target.average_utilization), ("cpu", Some(70)));
        assert!(is_own_hpa(&hpa));
        assert_eq!(hpa.metadata.name.as_deref(), Some("floorkeeper-web"));
    }

    #[test]
    fn a_floor_of_zero_or_above_the_maximum_stays_valid() {
        let spec = |bounds| own_hpa(&policy(cpu()), bounds).unwrap().spec;
        assert_eq!(spec(Bounds { min: 0, max: 0 }).min_replicas, Some(1));
        assert_eq!(spec(Bounds { min: 7, max: 5 }).max_replicas, 7);
    }

    #[test]
    fn what_is_applied_later_has_no_bounds() {
        let hpa = own_hpa(&policy(cpu()), Bounds { min: 6, max: 10 }).unwrap();
        let sent = without_bounds(&hpa);
        let keys: Vec<_> = sent["spec"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["metrics", "scaleTargetRef"]);
        assert!(in_line(&hpa, &hpa));
        let other = own_hpa(
            &policy(vec![Utilization { resource: "cpu".into(), target_percent: 60 }]),
            Bounds { min: 6, max: 10 },
        );
        assert!(!in_line(&hpa, &other.unwrap()));
    }

    #[test]
    fn anybody_else_s_hpa_is_not_ours() {
        let mut hpa = own_hpa(&policy(cpu()), Bounds { min: 6, max: 10 }).unwrap();
        hpa.metadata.owner_references = None;
        assert!(!is_own_hpa(&hpa));
    }

    #[test]
    fn a_long_name_is_cut_to_a_valid_one() {
        let mut long = policy(cpu());
        long.metadata.name = Some(format!("{}-{}", "a".repeat(240), "b".repeat(12)));
        let name = own_hpa_name(&long);
        assert!(name.len() <= NAME_LIMIT && !name.ends_with('-'), "{name}");
    }
}
