//! Everything that the checks look at, read once. What may not be read is remembered as such.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PostParams;
use kube::core::{DynamicObject, Request};
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use crate::api::{MetricSource, ScalingPolicy};
use crate::cli::heartbeat::{Heart, NAME};
use crate::cli::orders::ENFORCE;
use crate::cli::reach::{Cluster, Listed};
use crate::cli::scalers::{self, Found};
use crate::cli::trouble::Trouble;

/// The cluster, as far as this person may see it.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// Minor version of Kubernetes 1.
    pub(super) minor: Option<u32>,
    pub(super) heart: Heart,
    /// Our definitions by name, as they are installed.
    pub(super) crds: BTreeMap<String, Value>,
    /// Names of admission policies and bindings of ours; `None`: not to be seen, or not served.
    pub(super) validating: Option<Admission>,
    pub(super) mutating: Option<Admission>,
    /// Each namespace and what it asks the API server to do.
    pub(super) namespaces: Option<BTreeMap<String, Option<String>>>,
    /// Aggregated APIs and whether they answer.
    pub(super) api_services: BTreeMap<String, bool>,
    pub(super) sources: Vec<MetricSource>,
    pub(super) policies: Vec<ScalingPolicy>,
    pub(super) hpas: Vec<HorizontalPodAutoscaler>,
    /// KEDA's.
    pub(super) scaled_objects: Vec<DynamicObject>,
    /// Those that policies target.
    pub(super) deployments: Vec<Deployment>,
    /// What somebody may do, and whether they may.
    pub(super) may: Vec<(Whose, &'static str, bool)>,
    /// What could not be read.
    pub(super) hidden: Vec<Trouble>,
    pub(super) now: Timestamp,
}

/// Policies and bindings of one kind of admission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Admission {
    pub(super) policies: Vec<String>,
    pub(super) bindings: Vec<String>,
}

/// Who may or may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Yours,
    Floorkeepers,
}

impl Look {
    pub(super) async fn at(cluster: &Cluster) -> anyhow::Result<Self> {
        let mut hidden = Vec::new();
        let version: Value = cluster.send(plain("/version"), "read the version").await?;
        let minor = version["minor"].as_str().map(|minor| minor.trim_end_matches(|c: char| !c.is_ascii_digit()));
        let mut crds = BTreeMap::new();
        for crd in crate::api::crds() {
            let name = crd.name_any();
            match cluster.send::<Value>(plain(&format!("{CRDS}/{name}")), "get customresourcedefinitions").await {
                Ok(found) => drop(crds.insert(name, found)),
                Err(Trouble::NotFound) => {}
                Err(trouble @ Trouble::NoAnswer { .. }) => return Err(trouble.into()),
                Err(trouble) => hidden.push(trouble),
            }
        }
        let namespaces = seen(cluster.list::<Namespace>(None).await, &mut hidden);
        let sources = seen(cluster.list::<MetricSource>(None).await, &mut hidden).unwrap_or_default();
        let policies = seen(cluster.list::<ScalingPolicy>(None).await, &mut hidden).unwrap_or_default();
        let hpas = seen(cluster.list::<HorizontalPodAutoscaler>(None).await, &mut hidden).unwrap_or_default();
        let scaled_objects = scalers::scaled_objects(cluster, None).await.unwrap_or_else(|trouble| {
            hidden.push(trouble);
            Vec::new()
        });
        let services = seen(cluster.list_at::<Value>(API_SERVICES, "apiservices", None, None).await, &mut hidden);
        let heart = Heart::listen(cluster).await;
        let may = rights(cluster, !scaled_objects.is_empty(), &mut hidden).await;
        Ok(Self {
            minor: minor.and_then(|minor| minor.parse().ok()),
            heart,
            crds,
            validating: admission(cluster, "validating", &mut hidden).await,
            mutating: admission(cluster, "mutating", &mut hidden).await,
            namespaces: namespaces
                .map(|found| found.into_iter().map(|it| (it.name_any(), it.labels().get(ENFORCE).cloned())).collect()),
            api_services: services.unwrap_or_default().iter().filter_map(service).collect(),
            deployments: deployments(cluster, &policies).await,
            sources,
            policies,
            hpas,
            scaled_objects,
            may,
            hidden,
            now: cluster.now(),
        })
    }

    /// Everything that scales something.
    pub(super) fn scalers(&self) -> impl Iterator<Item = Found> {
        let objects = self.scaled_objects.iter().filter_map(Found::scaled_object);
        objects.chain(self.hpas.iter().filter_map(Found::hpa))
    }
}

fn seen<K>(listed: Result<Listed<K>, Trouble>, hidden: &mut Vec<Trouble>) -> Option<Vec<K>> {
    match listed {
        Ok(listed) => Some(listed.items),
        // A missing kind is a finding of its own.
        Err(Trouble::NoSuchKind(_)) => Some(Vec::new()),
        Err(trouble) => {
            hidden.push(trouble);
            None
        }
    }
}

async fn admission(cluster: &Cluster, kind: &str, hidden: &mut Vec<Trouble>) -> Option<Admission> {
    let mut names = Vec::new();
    for what in ["policies", "policybindings"] {
        let plural = format!("{kind}admission{what}");
        let path = format!("/apis/admissionregistration.k8s.io/v1/{plural}");
        match cluster.list_at::<Value>(&path, &plural, None, None).await {
            Ok(listed) => names.push(
                listed
                    .items
                    .iter()
                    .filter_map(|item| item["metadata"]["name"].as_str())
                    .filter(|name| name.starts_with("floorkeeper-"))
                    .map(str::to_owned)
                    .collect::<Vec<_>>(),
            ),
            // Not served: an older Kubernetes.
            Err(Trouble::NoSuchKind(_)) => return None,
            Err(trouble) => {
                hidden.push(trouble);
                return None;
            }
        }
    }
    let bindings = names.pop().unwrap_or_default();
    Some(Admission { policies: names.pop().unwrap_or_default(), bindings })
}

fn service(item: &Value) -> Option<(String, bool)> {
    let name = item["metadata"]["name"].as_str()?.to_owned();
    let conditions = item["status"]["conditions"].as_array()?;
    let available = conditions.iter().any(|it| it["type"] == "Available" && it["status"] == "True");
    Some((name, available))
}

async fn deployments(cluster: &Cluster, policies: &[ScalingPolicy]) -> Vec<Deployment> {
    let mut found = Vec::new();
    let targets = policies.iter().filter(|policy| policy.spec.target_ref.kind == "Deployment");
    for policy in targets.take(DEPLOYMENTS) {
        let namespace = policy.namespace();
        if let Ok(deployment) = cluster.find(&policy.spec.target_ref.name, namespace.as_deref()).await {
            found.extend(deployment);
        }
    }
    found
}

/// What you may do, and what floorkeeper may: the API server is asked, nothing is tried.
async fn rights(cluster: &Cluster, keda: bool, hidden: &mut Vec<Trouble>) -> Vec<(Whose, &'static str, bool)> {
    let mut rights = Vec::new();
    let account = format!("system:serviceaccount:{}:{NAME}", cluster.home);
    let keda = if keda { NEEDED_WITH_KEDA } else { &[] };
    for (what, verb, group, resource, subresource) in NEEDED.iter().chain(keda) {
        let attributes = json!({"verb": verb, "group": group, "resource": resource, "subresource": subresource});
        let spec = json!({"user": account, "resourceAttributes": attributes});
        match review(cluster, "subjectaccessreviews", "SubjectAccessReview", spec).await {
            Ok(allowed) => rights.push((Whose::Floorkeepers, *what, allowed)),
            Err(trouble) => {
                hidden.push(trouble);
                break;
            }
        }
    }
    let attributes = json!({"verb": "create", "group": crate::api::GROUP, "resource": "flooroverrides", "namespace": cluster.namespace});
    let spec = json!({"resourceAttributes": attributes});
    if let Ok(allowed) = review(cluster, "selfsubjectaccessreviews", "SelfSubjectAccessReview", spec).await {
        rights.push((Whose::Yours, "create FloorOverrides here", allowed));
    }
    rights
}

async fn review(cluster: &Cluster, plural: &str, kind: &str, spec: Value) -> Result<bool, Trouble> {
    let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}).to_string().into_bytes();
    let request = Request::new(format!("/apis/authorization.k8s.io/v1/{plural}")).create(&PostParams::default(), body);
    let answer: Value = cluster.send(request, &format!("create {plural}")).await?;
    Ok(answer["status"]["allowed"] == true)
}

fn plain(path: &str) -> Result<axum::http::Request<Vec<u8>>, kube::core::request::Error> {
    axum::http::Request::get(path).body(Vec::new()).map_err(kube::core::request::Error::BuildRequest)
}

/// What floorkeeper can't do its work without: what, verb, group, resource, subresource.
const NEEDED: &[(&str, &str, &str, &str, &str)] = &[
    ("watch ScalingPolicies", "watch", "floorkeeper.dev", "scalingpolicies", ""),
    ("write FloorTables", "patch", "floorkeeper.dev", "floortables", ""),
    ("write DemandHistories", "patch", "floorkeeper.dev", "demandhistories", ""),
    ("write the status of ScalingPolicies", "patch", "floorkeeper.dev", "scalingpolicies", "status"),
    ("watch HPAs", "watch", "autoscaling", "horizontalpodautoscalers", ""),
    ("write minReplicas of HPAs", "patch", "autoscaling", "horizontalpodautoscalers", ""),
    ("watch Deployments", "watch", "apps", "deployments", ""),
    ("scale Deployments", "update", "apps", "deployments", "scale"),
];

/// And what more, where KEDA scales something.
const NEEDED_WITH_KEDA: &[(&str, &str, &str, &str, &str)] = &[
    ("watch ScaledObjects", "watch", "keda.sh", "scaledobjects", ""),
    ("write minReplicaCount of ScaledObjects", "patch", "keda.sh", "scaledobjects", ""),
];

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

const API_SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";

/// Each is a read of its own: a fleet is judged by a sample.
const DEPLOYMENTS: usize = 200;

/// What a finding calls a policy: `shop/web`.
pub(super) fn name(policy: &ScalingPolicy) -> String {
    format!("{}/{}", policy.namespace().unwrap_or_default(), policy.meta().name.as_deref().unwrap_or_default())
}
