use serde_json::json;

use super::plan::{Act, Found, Thing};
use super::*;

fn thing(kind: &'static str, namespace: Option<&str>, name: &str) -> Thing {
    Thing { kind, namespace: namespace.map(str::to_owned), name: name.to_owned(), ..Thing::default() }
}

fn found() -> Found {
    let hpa = |name: &str, note: Option<&str>, owners: serde_json::Value| {
        let annotations = note.map(|note| json!({"floorkeeper.dev/kept": note}));
        let hpa = json!({"metadata": {"name": name, "namespace": "shop", "annotations": annotations, "ownerReferences": owners},
            "spec": {"minReplicas": 40, "maxReplicas": 60, "scaleTargetRef": {"kind": "Deployment", "name": name}}});
        serde_json::from_value(hpa).unwrap()
    };
    let note = r#"{"original":{"min":2,"max":60},"applied":{"min":40,"max":60}}"#;
    let owner = json!([{"apiVersion": "floorkeeper.dev/v1alpha1", "kind": "ScalingPolicy", "name": "api", "uid": "u", "controller": true}]);
    let object = json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "spec": {"minReplicaCount": 40},
        "metadata": {"name": "orders", "namespace": "shop", "annotations": {
            "floorkeeper.dev/kept": r#"{"original":{"min":0,"max":100},"applied":{"min":40,"max":100}}"#}}});
    let object = serde_json::from_value(object).unwrap();
    let operator = thing("Deployment", Some("floorkeeper-system"), "floorkeeper");
    Found {
        deployment: Some(operator.clone()),
        admission: vec![thing("ValidatingAdmissionPolicyBinding", None, "floorkeeper-floor")],
        hpas: vec![hpa("web", Some(note), json!(null)), hpa("floorkeeper-api", None, owner)],
        scaled_objects: vec![object],
        marked: vec![
            (thing("Deployment", Some("shop"), "web"), "floorkeeper.dev/clamped"),
            (thing("HPA", Some("shop"), "keda-hpa-orders"), "floorkeeper.dev/kept"),
        ],
        installed: vec![operator],
        kinds: vec![(thing("kind", None, "scalingpolicies.floorkeeper.dev"), 2)],
    }
}

#[test]
fn the_plan_in_its_order() {
    let steps = plan(found());
    assert!(steps.is_sorted_by_key(|step| step.stage), "each stage rests on those before it");
    let expected = "\
This takes floorkeeper out of the cluster, in this order:
1. stop it, so that nothing is put back
     Deployment floorkeeper-system/floorkeeper to 0 replicas
2. admission policies and their bindings go: the API server keeps no floor any more
     ValidatingAdmissionPolicyBinding floorkeeper-floor
3. scalers get their owner's bounds back: from then on they alone decide, replicas may fall
     HPA shop/web: 40 to 60 becomes 2 to 60
     HPA shop/floorkeeper-api: floorkeeper made it, it goes; replicas stay
     ScaledObject shop/orders: 40 to 100 becomes 0 to 100
4. annotations on workloads, and on HPAs that KEDA copied them to, go
     Deployment shop/web
     HPA shop/keda-hpa-orders
5. what was installed with it goes
     Deployment floorkeeper-system/floorkeeper
6. kinds go, and all policies, overrides, sources and floors with them
     scalingpolicies.floorkeeper.dev with 2 objects
";
    assert_eq!(text(&steps, Terminal::default()), expected);
    assert!(matches!(steps.last().unwrap().act, Act::Delete(_)));
}

#[test]
fn nothing_left_is_nothing_to_do() {
    let steps = plan(Found::default());
    assert_eq!(text(&steps, Terminal::default()), "Nothing of floorkeeper is in this cluster.\n");
}
