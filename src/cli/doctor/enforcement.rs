//! What the API server itself keeps, with floorkeeper dead.

use kube::ResourceExt as _;

use super::finding::{Finding, Severity};
use super::look::{Admission, Look, name};
use crate::api::{Mode, ScalingPolicy};
use crate::cli::enforced::{Keeper, keeper};

pub(super) fn findings(look: &Look) -> Vec<Finding> {
    let Some(namespaces) = &look.namespaces else { return Vec::new() };
    let asking = |modes: &[&str]| -> Vec<String> {
        let asking = namespaces.iter().filter(|(_, how)| how.as_deref().is_some_and(|how| modes.contains(&how)));
        asking.map(|(namespace, _)| namespace.clone()).collect()
    };
    let mut findings = Vec::new();
    let odd: Vec<String> = namespaces
        .iter()
        .filter_map(|(namespace, how)| Some((namespace, how.as_deref()?)))
        .filter(|(_, how)| !MODES.contains(how))
        .map(|(namespace, how)| format!("{namespace} ({how})"))
        .collect();
    if !odd.is_empty() {
        let says = "namespaces ask for an enforcement that does not exist, so nothing is enforced there";
        let remedy = "kubectl label namespace NAME --overwrite floorkeeper.dev/enforce=clamp (or deny, or warn)";
        findings.push(Finding::new(Severity::Problem, "EnforceUnknown", says, remedy).at(odd));
    }
    findings.extend(missing(look.validating.as_ref(), FLOOR, asking(&MODES)));
    match &look.mutating {
        Some(mutating) => findings.extend(missing(Some(mutating), CLAMP, asking(&["clamp"]))),
        None if !asking(&["clamp"]).is_empty() => {
            let says = "this Kubernetes has no MutatingAdmissionPolicy (1.36 and later have): deploys with a stale replica count \
                        are let in with a warning instead of clamped";
            let remedy = "upgrade, or ask for deny; floorkeeper raises such deploys again while it lives";
            findings.push(Finding::new(Severity::Warning, "NoClamp", says, remedy).at(asking(&["clamp"])));
        }
        None => {}
    }
    if let Some(validating) = &look.validating
        && !look.crds.is_empty()
        && !stands(validating, TABLES)
    {
        let says = "FloorTables are open: whoever may edit them decides what the API server enforces";
        findings.push(Finding::new(Severity::Warning, "TablesOpen", says, APPLY).at(vec![TABLES.to_owned()]));
    }
    findings.extend(policies(look, |namespace| namespaces.get(namespace).is_some_and(Option::is_some)));
    findings
}

fn missing(admission: Option<&Admission>, wanted: &str, namespaces: Vec<String>) -> Option<Finding> {
    if namespaces.is_empty() || admission.is_some_and(|admission| stands(admission, wanted)) {
        return None;
    }
    let says = format!(
        "namespaces ask the API server to keep floors, and the admission policy {wanted} or its binding is missing"
    );
    Some(Finding::new(Severity::Problem, "EnforceMissing", says, APPLY).at(namespaces))
}

fn stands(admission: &Admission, name: &str) -> bool {
    admission.policies.iter().any(|found| found == name) && admission.bindings.iter().any(|found| found == name)
}

/// What the policies themselves say of it: floorkeeper has tried.
fn policies(look: &Look, asks: impl Fn(&str) -> bool) -> Vec<Finding> {
    let writing = look.policies.iter().filter(|policy| policy.spec.mode != Mode::Observe);
    let (asking, others): (Vec<&ScalingPolicy>, Vec<&ScalingPolicy>) =
        writing.partition(|policy| asks(&policy.namespace().unwrap_or_default()));
    let mut findings = Vec::new();
    let unkept: Vec<String> = asking
        .iter()
        .filter_map(|policy| Some((policy, keeper(policy.status.as_ref()?))))
        .filter(|(_, (keeper, _))| *keeper == Keeper::Astray)
        .map(|(policy, (_, reason))| format!("{} ({reason})", name(policy)))
        .collect();
    if !unkept.is_empty() {
        let says = "the namespace asks for enforcement, and floorkeeper's dry run finds none";
        let remedy =
            "kubectl describe scp NAME, condition Enforced; a kind installed after its policy is enforced 20 s later";
        findings.push(Finding::new(Severity::Warning, "NotEnforced", says, remedy).at(unkept));
    }
    if !others.is_empty() {
        let says = "floorkeeper alone keeps these floors: with floorkeeper dead, a write below them lands";
        let remedy = "kubectl label namespace NAME floorkeeper.dev/enforce=clamp (docs/enforcement.md)";
        let mut namespaces: Vec<String> = others.iter().map(|policy| policy.namespace().unwrap_or_default()).collect();
        namespaces.dedup();
        findings.push(Finding::new(Severity::Note, "ByFloorkeeperAlone", says, remedy).at(namespaces));
    }
    findings
}

const MODES: [&str; 3] = ["clamp", "deny", "warn"];

/// Names of the admission policies, and of their bindings.
const FLOOR: &str = "floorkeeper-floor";
const CLAMP: &str = "floorkeeper-clamp";
const TABLES: &str = "floorkeeper-tables";

const APPLY: &str = "kubectl apply -k deploy/admission";
