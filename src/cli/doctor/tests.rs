use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::look::{Admission, Whose};
use super::*;
use crate::api::{self, ScalingPolicy};
use crate::cli::heartbeat::Heart;
use crate::cli::trouble::Trouble;
use kube::ResourceExt as _;

const SINCE: &str = "2024-03-05T01:36:00Z";

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// A cluster where nothing is wrong.
fn sound() -> Look {
    let established = json!([{"type": "Established", "status": "True"}]);
    let crds = api::crds().into_iter().map(|crd| {
        let mut value = serde_json::to_value(&crd).unwrap();
        value["status"] = json!({"conditions": established});
        (crd.name_any(), value)
    });
    let admission = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        Some(Admission { policies: names.clone(), bindings: names })
    };
    let source = json!({"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "MetricSource", "metadata": {"name": "default"},
        "spec": {"prometheus": {"url": "http://prometheus:9090"}, "demands": [{"name": "edge", "query": "x",
            "errors": {"failed": "y", "total": "z"}}]},
        "status": {"conditions": [condition("Ready", "True", "Answering")]}});
    Look {
        minor: Some(37),
        heart: Heart::Pods { ready: 1, of: 1 },
        crds: crds.collect(),
        validating: admission(&["floorkeeper-floor", "floorkeeper-tables"]),
        mutating: admission(&["floorkeeper-clamp"]),
        namespaces: Some([("shop".to_owned(), Some("clamp".to_owned())), ("default".to_owned(), None)].into()),
        api_services: BTreeMap::new(),
        sources: vec![read(source)],
        policies: vec![policy("web", "Guard")],
        hpas: vec![read(hpa(4))],
        scaled_objects: Vec::new(),
        deployments: Vec::new(),
        may: vec![(Whose::Floorkeepers, "write FloorTables", true), (Whose::Yours, "create FloorOverrides here", true)],
        hidden: Vec::new(),
        now: "2024-03-07T03:50:00Z".parse().unwrap(),
    }
}

fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": format!("{reason} says what to write"), "lastTransitionTime": SINCE})
}

fn policy(name: &str, mode: &str) -> ScalingPolicy {
    let conditions = ["Ready", "Trusted", "Enforced"].map(|kind| condition(kind, "True", "Fine"));
    read(json!({
        "apiVersion": "floorkeeper.dev/v1alpha1", "kind": "ScalingPolicy",
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": SINCE},
        "spec": {"targetRef": {"kind": "Deployment", "name": "web"}, "mode": mode},
        "status": {"demand": {"need": 4, "trust": "Trusted"}, "conditions": conditions},
    }))
}

fn hpa(min: u32) -> Value {
    let kept = format!(r#"{{"original":{{"min":{min},"max":60}},"applied":{{"min":40,"max":60}}}}"#);
    json!({"metadata": {"name": "web", "namespace": "shop", "annotations": {"floorkeeper.dev/kept": kept}},
        "spec": {"minReplicas": 40, "maxReplicas": 60, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}})
}

/// Severity and check of every finding.
fn found(look: &Look) -> Vec<(Severity, &'static str)> {
    examine(look).into_iter().map(|finding| (finding.severity, finding.check)).collect()
}

#[test]
fn a_sound_cluster_has_no_findings() {
    assert_eq!(examine(&sound()), []);
}

#[test]
fn each_check_bites_and_alone() {
    type Break = fn(&mut Look);
    let cases: [(Break, Severity, &str); 28] = [
        (|look| drop(look.crds.pop_first()), Severity::Problem, "KindMissing"),
        (|look| look.crds.values_mut().for_each(|crd| crd["status"] = Value::Null), Severity::Problem, "KindNotServed"),
        (
            |look| {
                let crd = look.crds.get_mut("scalingpolicies.floorkeeper.dev").unwrap();
                let status = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"];
                status["properties"].as_object_mut().unwrap().remove("bids");
            },
            Severity::Warning,
            "KindOld",
        ),
        (|look| look.heart = Heart::Pods { ready: 0, of: 1 }, Severity::Problem, "Dead"),
        (|look| look.heart = Heart::Absent { home: "a".to_owned() }, Severity::Warning, "NotInstalled"),
        (|look| look.may[0].2 = false, Severity::Problem, "Roles"),
        (|look| look.may[1].2 = false, Severity::Note, "YourRoles"),
        (|look| look.hidden.push(Trouble::Forbidden("list namespaces".to_owned())), Severity::Warning, "Hidden"),
        (|look| look.minor = Some(29), Severity::Warning, "OldKubernetes"),
        (
            |look| drop(look.namespaces.as_mut().unwrap().insert("default".to_owned(), Some("clmap".to_owned()))),
            Severity::Problem,
            "EnforceUnknown",
        ),
        (
            |look| look.validating.as_mut().unwrap().bindings.retain(|name| name != "floorkeeper-floor"),
            Severity::Problem,
            "EnforceMissing",
        ),
        (|look| look.mutating = None, Severity::Warning, "NoClamp"),
        (
            |look| look.validating.as_mut().unwrap().policies.retain(|name| name != "floorkeeper-tables"),
            Severity::Warning,
            "TablesOpen",
        ),
        (
            |look| {
                let conditions = &mut look.policies[0].status.as_mut().unwrap().conditions;
                conditions[2].reason = "PolicyMissing".to_owned();
            },
            Severity::Warning,
            "NotEnforced",
        ),
        (
            |look| drop(look.namespaces.as_mut().unwrap().insert("shop".to_owned(), None)),
            Severity::Note,
            "ByFloorkeeperAlone",
        ),
        (|look| look.sources.clear(), Severity::Problem, "NoSource"),
        (
            |look| look.sources[0].status.as_mut().unwrap().conditions[0].status = "False".to_owned(),
            Severity::Problem,
            "SourceDown",
        ),
        (|look| look.sources[0].spec.demands[0].errors = None, Severity::Warning, "NoErrors"),
        (|look| status(look, "Ready", "False"), Severity::Problem, "Broken"),
        (|look| look.policies[0].status = None, Severity::Problem, "Unseen"),
        (|look| status(look, "Trusted", "False"), Severity::Warning, "NeverTrusted"),
        (|look| look.policies.push(policy("web2", "Guard")), Severity::Warning, "TwoPolicies"),
        (|look| look.hpas = vec![read(hpa(5))], Severity::Note, "OwnMinimum"),
        (
            |look| {
                let mut other = hpa(1);
                other["spec"]["scaleTargetRef"]["name"] = json!("api");
                look.hpas.push(read(other));
            },
            Severity::Note,
            "Unguarded",
        ),
        (
            |look| {
                let mut hpa = hpa(4);
                hpa["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
                    json!(r#"{"spec":{"minReplicas":2}}"#);
                hpa["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = json!("shop");
                look.hpas = vec![read(hpa)];
            },
            Severity::Warning,
            "MinimumInManifest",
        ),
        (
            |look| {
                let applied =
                    json!({"kubectl.kubernetes.io/last-applied-configuration": r#"{"spec":{"minReplicaCount":2}}"#});
                by_keda(look, &applied);
            },
            Severity::Warning,
            "MinimumInManifest",
        ),
        (|look| by_keda(look, &json!({"autoscaling.keda.sh/paused": "true"})), Severity::Warning, "Paused"),
        (
            |look| {
                by_keda(look, &json!({}));
                look.scaled_objects[0].data["spec"]["scaleTargetRef"]["name"] = json!("api");
                look.policies.clear();
            },
            Severity::Note,
            "Unguarded",
        ),
    ];
    for (breaks, severity, check) in cases {
        let mut look = sound();
        breaks(&mut look);
        assert_eq!(found(&look), [(severity, check)], "{:#?}", examine(&look));
    }
}

/// Web is scaled by KEDA, with the HPA that KEDA makes of it.
fn by_keda(look: &mut Look, annotations: &Value) {
    let mut made = hpa(4);
    made["metadata"]["ownerReferences"] = json!([{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "web", "uid": "u", "controller": true}]);
    look.hpas = vec![read(made)];
    let mut annotations = annotations.clone();
    annotations["floorkeeper.dev/kept"] = json!(r#"{"original":{"min":0,"max":60},"applied":{"min":4,"max":60}}"#);
    look.scaled_objects = vec![read(json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": {"name": "web", "namespace": "shop", "annotations": annotations},
        "spec": {"scaleTargetRef": {"name": "web"}, "minReplicaCount": 4, "maxReplicaCount": 60}}))];
}

fn status(look: &mut Look, kind: &str, value: &str) {
    let conditions = &mut look.policies[0].status.as_mut().unwrap().conditions;
    let found = conditions.iter_mut().find(|condition| condition.type_ == kind).unwrap();
    found.status = value.to_owned();
}

#[test]
fn who_owns_the_field_is_named() {
    let mut look = sound();
    let fields = json!({"f:spec": {"f:minReplicas": {}}});
    let entry =
        |manager: &str| json!({"manager": manager, "operation": "Apply", "fieldsV1": fields, "fieldsType": "FieldsV1"});
    let mut hpa = hpa(4);
    hpa["metadata"]["managedFields"] = json!([entry("floorkeeper"), entry("kustomize-controller")]);
    look.hpas = vec![read(hpa)];
    let deployment = json!({"metadata": {"name": "web", "namespace": "shop", "managedFields": [
        {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]},
        "spec": {"selector": {}, "template": {}}});
    look.deployments = vec![read(deployment)];
    let at: Vec<String> = examine(&look).into_iter().flat_map(|finding| finding.at).collect();
    assert_eq!(at, ["shop/web (kustomize-controller)", "shop/web (argocd-controller)"]);
}

#[test]
fn the_page() {
    let mut look = sound();
    look.heart = Heart::Pods { ready: 0, of: 1 };
    look.policies[0].spec.mode = api::Mode::Observe;
    let terminal = Terminal { size: Some((100, 24)), colours: false };
    let expected = "\
problem  floorkeeper is DEAD: none of the 1 pods of its Deployment is ready. Floors stand where they
         are: in the minReplicas of the HPAs, which go on scaling above them. Nobody raises a floor,
         lowers one, or undoes a write below it; what you read here is what floorkeeper knew last
         (Dead)
         -> kubectl get pods,events -n floorkeeper-system; kubectl apply -k deploy
note     these policies are in mode Observe: they report, and protect nothing: shop/web (Observing)
         -> when their floors are what you would want, set mode: Guard
1 problem, 0 warnings, 1 note; 1 policy looked at
";
    assert_eq!(finding::text(&examine(&look), 1, terminal), expected);
    let json = finding::json(&examine(&look));
    assert_eq!(json["findings"][1]["check"], "Observing");
    assert_eq!(json["findings"][1]["at"], json!(["shop/web"]));
}
