use serde_json::{Value, json};

use super::*;
use crate::cli::orders::answer::Answer;
use crate::cli::scalers::Found;

fn now() -> Timestamp {
    "2024-03-05T03:50:00Z".parse().unwrap()
}

fn order(spec: &Value, status: &Value) -> FloorOverride {
    serde_json::from_value(json!({
        "apiVersion": "floorkeeper.dev/v1alpha1", "kind": "FloorOverride",
        "metadata": {"name": "web-x7k2p", "namespace": "shop"}, "spec": spec, "status": status,
    }))
    .unwrap()
}

fn policy(floor: i32, in_force: Option<&str>) -> ScalingPolicy {
    let until = "2024-03-05T04:20:00Z";
    let in_force = in_force.map(|name| json!({"name": name, "action": "Release", "until": until}));
    serde_json::from_value(json!({
        "apiVersion": "floorkeeper.dev/v1alpha1", "kind": "ScalingPolicy", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"targetRef": {"kind": "Deployment", "name": "web"}, "mode": "Guard"},
        "status": {"floor": {"replicas": floor, "reason": "Override", "since": until}, "replicas": {"current": 40},
            "override": in_force},
    }))
    .unwrap()
}

fn release() -> FloorOverride {
    let spec = json!({"policy": "web", "action": "Release", "for": "30m", "reason": "r"});
    order(&spec, &json!({"state": "InForce", "until": "2024-03-05T04:20:00Z", "appliedTo": ["web"]}))
}

fn way(enforced: bool) -> Way {
    let hpa = json!({"metadata": {"name": "web", "annotations": {
        "floorkeeper.dev/kept": r#"{"original":{"min":2,"max":60},"applied":{"min":40,"max":60}}"#}},
        "spec": {"minReplicas": 40, "maxReplicas": 60, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}});
    Way { scaler: Found::hpa(&serde_json::from_value(hpa).unwrap()), enforced }
}

fn told(order: &FloorOverride, after: &ScalingPolicy, obeyed: bool, heart: &Heart, way: &Way) -> String {
    let before = policy(40, None);
    Answer {
        order,
        before: Some(&before),
        policy: Some(after),
        obeyed,
        waited: Duration::from_secs(15),
        heart,
        way: Some(way),
        now: now(),
        terminal: Terminal { size: Some((120, 24)), colours: false },
        program: "floorkeeper",
    }
    .text()
}

#[test]
fn an_order_that_is_obeyed() {
    let alive = Heart::Pods { ready: 1, of: 1 };
    let text = told(&release(), &policy(2, Some("web-x7k2p")), true, &alive, &way(false));
    let expected = "\
obeyed: Release until 04:20:00Z (for 30m)
  floor 40 before, 2 now, 40 replicas
  replicas come down when the HPA says so, by its own metrics
  end it: floorkeeper override --end web-x7k2p -n shop
";
    assert_eq!(text, expected);
    let text = told(&release(), &policy(40, Some("pin-1")), true, &alive, &way(false));
    assert!(text.contains("FloorOverride pin-1 comes first"), "{text}");
}

#[test]
fn nobody_is_there_to_obey() {
    let dead = Heart::Pods { ready: 0, of: 1 };
    let text = told(&release(), &policy(40, None), false, &dead, &way(false));
    let expected = "\
NOT obeyed within 15s
  floorkeeper is DEAD: none of the 1 pods of its Deployment is ready.
  Floors stand where they are: in the minReplicas of the HPAs, which go on scaling above them. Nobody raises a
  floor, lowers one, or undoes a write below it; what you read here is what floorkeeper knew last.
  The order stays, and is obeyed when floorkeeper is back, unless it has ended by then.
  What holds now: HPA web keeps 40 replicas at least and 60 at most.
  The way out by hand:
    kubectl patch hpa web -n shop --type=merge -p '{\"spec\":{\"minReplicas\":2}}'
";
    assert_eq!(text, expected);
    let text = told(&release(), &policy(40, None), false, &dead, &way(true));
    let command = "kubectl scale deployment/web -n shop --replicas=2 --as=floorkeeper.dev:break-glass --as-group=floorkeeper.dev:break-glass";
    assert!(text.contains(command), "{text}");
    let object = json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "web", "annotations": {
        "autoscaling.keda.sh/force-activation": "true",
        "floorkeeper.dev/kept": r#"{"original":{"min":3,"max":60},"applied":{"min":40,"max":60},"awake":true}"#}},
        "spec": {"minReplicaCount": 40, "maxReplicaCount": 60, "idleReplicaCount": 0, "scaleTargetRef": {"name": "web"}}});
    let keda = Way { scaler: Found::scaled_object(&serde_json::from_value(object).unwrap()), enforced: false };
    let text = told(&release(), &policy(40, None), false, &dead, &keda);
    let way_out = "\
  What holds now: ScaledObject web keeps 40 replicas at least and 60 at most.
  The way out by hand:
    kubectl patch scaledobject web -n shop --type=merge -p '{\"spec\":{\"minReplicaCount\":3}}'
    kubectl annotate scaledobject web -n shop autoscaling.keda.sh/force-activation-
";
    assert!(text.ends_with(way_out), "{text}");
    let pin =
        order(&json!({"policy": "web", "action": "Pin", "replicas": 70, "for": "30m", "reason": "r"}), &Value::Null);
    let text = told(&pin, &policy(40, None), false, &dead, &way(false));
    assert!(text.contains(r#"-p '{"spec":{"minReplicas":70,"maxReplicas":70}}'"#), "{text}");
    assert!(text.contains("kubectl scale deployment/web -n shop --replicas=70\n"), "{text}");
    let freeze = order(&json!({"policy": "web", "action": "Freeze", "for": "30m", "reason": "r"}), &Value::Null);
    let text = told(&freeze, &policy(40, None), false, &dead, &way(false));
    assert!(text.contains("what you ordered is so") && !text.contains("kubectl"), "{text}");
}

#[test]
fn it_lives_and_does_not_obey() {
    let text = told(&release(), &policy(40, None), false, &Heart::Pods { ready: 1, of: 1 }, &way(false));
    assert!(text.contains("It lives and does not obey") && !text.contains("by hand"), "{text}");
}

#[test]
fn orders_in_force_come_first() {
    let spec = |action: &str| json!({"policy": "web", "action": action, "for": "30m", "reason": "traffic moved"});
    let mut pin = spec("Pin");
    pin["replicas"] = json!(7);
    let mut whole = spec("Freeze");
    whole["wholeNamespace"] = json!(true);
    whole["policy"] = Value::Null;
    let orders = vec![
        order(&pin, &json!({"state": "Expired", "until": "2024-03-05T03:00:00Z"})),
        order(&whole, &Value::Null),
        release(),
    ];
    let expected = "\
NAME       ACTION   POLICY       STATE    LEFT  REASON
web-x7k2p  Release  web          InForce  30m   r
web-x7k2p  Freeze   (namespace)  Unseen   -     traffic moved
web-x7k2p  Pin 7    web          Expired  0s    traffic moved
";
    assert_eq!(list::text(orders, "shop", now(), Terminal::default()), expected);
    assert_eq!(list::text(Vec::new(), "shop", now(), Terminal::default()), "no FloorOverrides in namespace shop\n");
}

#[test]
fn a_selector_is_labels() {
    let labels = list::selector("tier=edge,team==a").unwrap().match_labels.unwrap();
    assert_eq!(
        labels.into_iter().collect::<Vec<_>>(),
        [("team".to_owned(), "a".to_owned()), ("tier".to_owned(), "edge".to_owned())]
    );
    for wrong in ["tier", "tier!=edge", ""] {
        assert!(list::selector(wrong).is_err(), "{wrong}");
    }
}
