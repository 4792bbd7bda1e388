//! floorkeeper itself: its kinds, its life, its roles and yours.

use kube::ResourceExt as _;
use serde_json::Value;

use super::finding::{Finding, Severity};
use super::look::{Look, Whose};
use crate::api;
use crate::cli::heartbeat::{DEAD, Heart};

pub(super) fn findings(look: &Look) -> Vec<Finding> {
    let mut findings = kinds(look);
    findings.extend(life(look));
    findings.extend(rights(look));
    if let Some(minor) = look.minor.filter(|minor| *minor < VALIDATES) {
        findings.push(Finding::new(
            Severity::Warning,
            "OldKubernetes",
            format!("Kubernetes 1.{minor} has no admission policies: nothing is kept while floorkeeper is dead but minReplicas"),
            "upgrade to 1.36 or later; from 1.30 the API server refuses, from 1.36 it clamps too",
        ));
    }
    if !look.hidden.is_empty() {
        let mut what: Vec<String> = look.hidden.iter().map(ToString::to_string).collect();
        what.sort();
        what.dedup();
        let says = format!("not everything could be looked at: {}", what.join("; "));
        let remedy = "run it again as somebody who may read all of the cluster";
        findings.push(Finding::new(Severity::Warning, "Hidden", says, remedy));
    }
    findings
}

fn kinds(look: &Look) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut missing, mut waiting, mut old) = (Vec::new(), Vec::new(), Vec::new());
    for ours in api::crds() {
        let name = ours.name_any();
        let Some(found) = look.crds.get(&name) else {
            missing.push(name);
            continue;
        };
        let conditions = found["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !conditions.iter().any(|it| it["type"] == "Established" && it["status"] == "True") {
            waiting.push(name);
            continue;
        }
        let schema = |crd: &Value| crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
        let ours = serde_json::to_value(&ours).unwrap_or_default();
        if let Some(field) = lacking(&schema(&ours), &schema(found), "") {
            old.push(format!("{name} (no {field})"));
        }
    }
    let install = "floorkeeper crds | kubectl apply --server-side -f -";
    if !missing.is_empty() && look.hidden.is_empty() {
        let says = "kinds are not installed: floorkeeper can't work without them";
        findings.push(Finding::new(Severity::Problem, "KindMissing", says, install).at(missing));
    }
    if !waiting.is_empty() {
        let says = "kinds are installed and not served";
        let remedy = "kubectl describe crd NAME says why; a name that another kind has taken is the usual reason";
        findings.push(Finding::new(Severity::Problem, "KindNotServed", says, remedy).at(waiting));
    }
    if !old.is_empty() {
        let says = "kinds are older than this floorkeeper: what it writes there is dropped";
        findings.push(Finding::new(Severity::Warning, "KindOld", says, install).at(old));
    }
    findings
}

/// The first field that a schema of ours has and the installed one has not.
fn lacking(ours: &Value, found: &Value, path: &str) -> Option<String> {
    for (name, content) in ours["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let Some(there) = found["properties"].get(name) else { return Some(path) };
        if let Some(field) = lacking(content, there, &path) {
            return Some(field);
        }
    }
    let items = ours.get("items").map(|items| (items, &found["items"]));
    let values = ours.get("additionalProperties").map(|values| (values, &found["additionalProperties"]));
    items.into_iter().chain(values).find_map(|(ours, found)| lacking(ours, found, path))
}

fn life(look: &Look) -> Option<Finding> {
    let says = look.heart.sentence(look.now);
    let home = "kubectl get pods,events -n floorkeeper-system; kubectl apply -k deploy";
    match &look.heart {
        Heart::Beats { .. } => None,
        Heart::Pods { ready, .. } if *ready > 0 => None,
        Heart::Still { .. } | Heart::Pods { .. } => {
            Some(Finding::new(Severity::Problem, "Dead", format!("{says}. {DEAD}"), home))
        }
        Heart::Absent { .. } => Some(Finding::new(Severity::Warning, "NotInstalled", says, home)),
        // Told with all else that could not be looked at.
        Heart::Hidden(trouble) => {
            let says = format!("whether floorkeeper is alive could not be looked at: {trouble}");
            Some(Finding::new(
                Severity::Warning,
                "Hidden",
                says,
                "ask for a role that reads floorkeeper's own namespace",
            ))
        }
    }
}

fn rights(look: &Look) -> Vec<Finding> {
    let lacking = |whose| {
        let found = look.may.iter().filter(move |(who, _, may)| *who == whose && !may);
        found.map(|(_, what, _)| (*what).to_owned()).collect::<Vec<_>>()
    };
    let (theirs, yours) = (lacking(Whose::Floorkeepers), lacking(Whose::Yours));
    let mut findings = Vec::new();
    // No account, no rights: told as what it is.
    let installed = !matches!(look.heart, Heart::Absent { .. });
    if !theirs.is_empty() && installed {
        let says = "floorkeeper's ServiceAccount lacks rights that it needs to";
        findings.push(
            Finding::new(Severity::Problem, "Roles", says, "kubectl apply -k deploy restores its roles").at(theirs),
        );
    }
    if !yours.is_empty() {
        let says = "at night you will want to override a floor, and you may not";
        let remedy = "kubectl create rolebinding on-call-overrides -n NAMESPACE --clusterrole=floorkeeper-override --group=GROUP";
        findings.push(Finding::new(Severity::Note, "YourRoles", says, remedy).at(yours));
    }
    findings
}

/// ValidatingAdmissionPolicy is there from 1.30.
const VALIDATES: u32 = 30;
