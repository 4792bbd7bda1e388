//! What there is of floorkeeper in the cluster.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::ResourceExt as _;
use serde_json::Value;

use super::plan::{Found, Thing};
use crate::api::{self, keda};
use crate::apply;
use crate::cli::heartbeat::NAME;
use crate::cli::reach::Cluster;
use crate::cli::scalers;
use crate::cli::trouble::Trouble;

pub(super) async fn all(cluster: &Cluster) -> anyhow::Result<Found> {
    let home = cluster.home.as_str();
    let mut found = Found::default();
    scalers(cluster, &mut found).await?;
    for (plural, kind) in ADMISSION {
        let path = format!("/apis/admissionregistration.k8s.io/v1/{plural}");
        let things = list(cluster, &path, plural, kind, None, None).await?;
        found.admission.extend(
            things.into_iter().filter(|(thing, ours)| *ours || NAMES.contains(&thing.name.as_str())).map(first),
        );
    }
    for (plural, kind) in WORKLOADS {
        let path = format!("/apis/apps/v1/{plural}");
        let objects = cluster.list_at::<Value>(&path, plural, None, None).await?;
        let marked = objects.items.iter().filter(|object| object["metadata"]["annotations"].get(CLAMPED).is_some());
        found.marked.extend(marked.map(|object| {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
            (thing(&format!("/apis/apps/v1/namespaces/{namespace}/{plural}"), kind, object), CLAMPED)
        }));
    }
    for (group, plural, kind) in AT_HOME {
        let path = format!("/{group}/namespaces/{home}/{plural}");
        let things = list(cluster, &path, plural, kind, Some(home), Some(LABEL)).await?;
        found.installed.extend(things.into_iter().map(first));
    }
    for (group, plural, kind) in IN_THE_CLUSTER {
        let things = list(cluster, &format!("/{group}/{plural}"), plural, kind, None, Some(LABEL)).await?;
        found.installed.extend(things.into_iter().map(first));
    }
    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{home}/leases");
    let leases = list(cluster, &leases, "leases", "Lease", Some(home), None).await?;
    found.installed.extend(leases.into_iter().map(first).filter(|lease| lease.name == NAME));
    // Stopped before all else; gone with what was installed.
    found.deployment = found.installed.iter().find(|thing| thing.kind == "Deployment" && thing.name == NAME).cloned();
    kinds(cluster, &mut found).await?;
    Ok(found)
}

async fn kinds(cluster: &Cluster, found: &mut Found) -> anyhow::Result<()> {
    let installed = list(cluster, CRDS, "customresourcedefinitions", "kind", None, None).await?;
    for crd in api::crds() {
        let Some((thing, _)) = installed.iter().find(|(thing, _)| thing.name == crd.name_any()) else { continue };
        let plural = &crd.spec.names.plural;
        let path = format!("/apis/{}/{}/{plural}", api::GROUP, api::VERSION);
        let count = list(cluster, &path, plural, "object", None, None).await?.len();
        found.kinds.push((thing.clone(), count));
    }
    Ok(())
}

async fn scalers(cluster: &Cluster, found: &mut Found) -> anyhow::Result<()> {
    let hpas = cluster.list::<HorizontalPodAutoscaler>(None).await?;
    for hpa in hpas.items {
        if keda::is_made_by_keda(&hpa.metadata) {
            if hpa.annotations().contains_key(apply::KEPT) {
                found.marked.push((Thing::of_hpa(&hpa), apply::KEPT));
            }
        } else if apply::is_own_hpa(&hpa) || apply::owner_bounds(&hpa).is_some() {
            found.hpas.push(hpa);
        }
    }
    let objects = scalers::scaled_objects(cluster, None).await?.into_iter();
    found.scaled_objects.extend(objects.filter(|object| apply::owner_bounds_of_scaled_object(object).is_some()));
    Ok(())
}

/// Each object, and whether it carries floorkeeper's label. What is not served is not there.
async fn list(
    cluster: &Cluster,
    path: &str,
    plural: &str,
    kind: &'static str,
    namespace: Option<&str>,
    labels: Option<&str>,
) -> anyhow::Result<Vec<(Thing, bool)>> {
    let objects = match cluster.list_at::<Value>(path, plural, namespace, labels).await {
        Ok(objects) => objects.items,
        Err(Trouble::NoSuchKind(_)) => Vec::new(),
        Err(trouble) => return Err(trouble.into()),
    };
    let things = objects.iter().map(|object| {
        let ours = object["metadata"]["labels"]["app.kubernetes.io/part-of"] == NAME;
        (thing(path, kind, object), ours)
    });
    Ok(things.collect())
}

fn thing(path: &str, kind: &'static str, object: &Value) -> Thing {
    let metadata = &object["metadata"];
    let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
    Thing {
        path: path.to_owned(),
        kind,
        namespace: metadata["namespace"].as_str().map(str::to_owned),
        name: text("name"),
        uid: text("uid"),
        version: text("resourceVersion"),
    }
}

fn first((thing, _): (Thing, bool)) -> Thing {
    thing
}

/// Bindings first: without one a policy does nothing.
const ADMISSION: [(&str, &str); 4] = [
    ("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
    ("mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding"),
    ("validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
    ("mutatingadmissionpolicies", "MutatingAdmissionPolicy"),
];

/// deploy/admission, for where its labels were lost on the way.
const NAMES: [&str; 11] = [
    "floorkeeper-floor",
    "floorkeeper-floor-warn",
    "floorkeeper-notice",
    "floorkeeper-clamped",
    "floorkeeper-tables",
    "floorkeeper-histories",
    "floorkeeper-overrides",
    "floorkeeper-hpa-minimum",
    "floorkeeper-scaledobject-minimum",
    "floorkeeper-clamp",
    "floorkeeper-hpa-maximum",
];

const WORKLOADS: [(&str, &str); 2] = [("deployments", "Deployment"), ("statefulsets", "StatefulSet")];

/// What a clamp leaves on a workload.
const CLAMPED: &str = "floorkeeper.dev/clamped";

/// kustomize puts it on everything of deploy/.
const LABEL: &str = "app.kubernetes.io/part-of=floorkeeper";

const AT_HOME: [(&str, &str, &str); 7] = [
    ("apis/apps/v1", "deployments", "Deployment"),
    ("api/v1", "services", "Service"),
    ("apis/policy/v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    ("apis/networking.k8s.io/v1", "networkpolicies", "NetworkPolicy"),
    ("apis/rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding"),
    ("apis/rbac.authorization.k8s.io/v1", "roles", "Role"),
    ("api/v1", "serviceaccounts", "ServiceAccount"),
];

const IN_THE_CLUSTER: [(&str, &str, &str); 5] = [
    ("apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding"),
    ("apis/rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole"),
    ("apis/scheduling.k8s.io/v1", "priorityclasses", "PriorityClass"),
    ("apis/flowcontrol.apiserver.k8s.io/v1", "flowschemas", "FlowSchema"),
    ("apis/flowcontrol.apiserver.k8s.io/v1", "prioritylevelconfigurations", "PriorityLevelConfiguration"),
];

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
