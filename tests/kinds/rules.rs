//! What breaks each CEL rule, found by its place and its message.

use serde_json::{Value, json};

use super::breakages::{Breakage, find, with, without};

/// One breakage (or more) for each rule of this schema node.
pub(crate) fn of(
    schema: &Value,
    kind: &str,
    place: &str,
    bases: &[Value],
    broken: &mut Vec<Breakage>,
    unknown: &mut Vec<String>,
) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let message = rule["message"].as_str().unwrap_or_default();
        let what = format!("{kind} {place}: {message:?}");
        if message.is_empty() {
            unknown.push(format!("{kind} {place}: {} has no message", rule["rule"]));
            continue;
        }
        let mut found = Vec::new();
        if let Some((base, pointer)) = find(bases, place) {
            found.extend(by_value(message).into_iter().map(|value| (with(base, &pointer, value), None)));
        }
        found.extend(by_place(kind, &row_as_star(place), message, bases));
        if found.is_empty() {
            unknown.push(format!("{what}: nothing is known that breaks it"));
        }
        broken.extend(found.into_iter().map(|(object, before)| Breakage {
            what: what.clone(),
            object,
            says: vec![message.to_owned()],
            before,
        }));
    }
}

/// The place with `*` for the key of a row.
fn row_as_star(place: &str) -> String {
    place.split('/').map(|part| if part.contains("~1") { "*" } else { part }).collect::<Vec<_>>().join("/")
}

/// Values that break a rule on one text, whatever the field.
fn by_value(message: &str) -> Vec<Value> {
    let texts: &[&str] = if let Some(bounds) = message.strip_prefix("write a duration from ") {
        match bounds.split(',').next() {
            Some("100ms to 15m") => &["", "12x", "1.5m", "-1m", "5m1h", "99ms", "16m"],
            Some("100ms to 10m") => &["", "12x", "99ms", "11m"],
            Some("100ms to 5m") => &["", "12x", "99ms", "5m1s"],
            Some("1s to 1h") => &["12x", "999ms", "1h1ms"],
            Some("1s to 24h") => &["12x", "999ms", "25h"],
            Some("1s to 168h") => &["12x", "999ms", "168h1s", "7d"],
            Some("0s to 1h") => &["12x", "61m", "99999999h"],
            other => panic!("bounds {other:?}"),
        }
    } else if message.starts_with("write a number above 0, ") {
        &["", "12x", "0", "-1", "0m", "ten"]
    } else if message.starts_with("write a number above 0 and at most 1,") {
        &["12x", "0", "1.01", "1001m", "-0.05"]
    } else if message.starts_with("write a number above 0 and at most 1Gi") {
        &["12x", "0", "2Gi"]
    } else if message.starts_with("write a number, 0 or more") {
        &["12x", "-1"]
    } else if message.starts_with("write the name of an object") {
        &["", "Upper", "-a", "a-", "a_b", "a b"]
    } else if message.starts_with("write a short name") {
        &["", "Upper", "a.b", "-a", "ä"]
    } else if message.starts_with("write the name of a label") {
        &["", "0a", "a-b", "a.b"]
    } else if message.starts_with("write group and version") {
        &["", "apps", "apps/", "apps/1", "/v1", "Apps/v1", "apps/v1beta", "apps/v1/v2"]
    } else if message.starts_with("write a kind") {
        &["", "deployment", "Deploy-ment", "1Deployment"]
    } else if message.starts_with("write cpu or memory") {
        &["gpu", ""]
    } else if message.starts_with("write an http or https URL") {
        &["", "prometheus:9090", "ftp://a", "http://", "http://u:p@a", "http://a/?q=1", "http://a/#b", "/path"]
    } else if message.starts_with("say why the order is given") {
        &["", "  "]
    } else {
        &[]
    };
    texts.iter().map(|text| json!(text)).collect()
}

type Broken = Vec<(Value, Option<Value>)>;

/// What breaks the rules on more than one text.
fn by_place(kind: &str, place: &str, message: &str, bases: &[Value]) -> Broken {
    match kind {
        "ScalingPolicy" => of_policy(place, message, bases),
        "MetricSource" => of_source(place, message, bases),
        "FloorOverride" => of_override(place, message, bases),
        "FloorTable" => of_table(place, message, bases),
        other => panic!("kind {other}"),
    }
}

fn of_policy(place: &str, message: &str, bases: &[Value]) -> Broken {
    let (smallest, full, autoscale) = (&bases[0], &bases[1], &bases[2]);
    let new = |object: Value| (object, None);
    match place {
        "/spec" if message.starts_with("minReplicas is above") => vec![new(with(full, "/spec/minReplicas", json!(61)))],
        "/spec" if message.starts_with("mode Autoscale needs") => vec![new(without(autoscale, "/spec", "maxReplicas"))],
        "/spec" if message.starts_with("utilization is for") => {
            let metrics = json!([{"resource": "cpu", "targetPercent": 70}]);
            vec![
                new(with(full, "/spec/utilization", metrics.clone())),
                new(with(smallest, "/spec/utilization", metrics)),
            ]
        }
        "/spec" if message.starts_with("modes Guard and Autoscale need") => vec![
            new(with(smallest, "/spec/mode", json!("Guard"))),
            new(without(full, "/spec/demand", "capacity")),
            new(without(autoscale, "/spec/demand/signals/0", "capacity")),
            new(without(autoscale, "/spec/demand", "signals")),
        ],
        "/spec/targetRef" => {
            vec![(with(full, "/spec/targetRef/name", json!("other")), Some(full.clone()))]
        }
        "/spec/demand/signals/*" => vec![
            new(with(full, "/spec/demand/signals/0/query", json!("sum(x)"))),
            new(with(full, "/spec/demand/signals/0/metric", json!({"name": "x"}))),
        ],
        "/spec/demand/signals/*/backlog" => {
            vec![new(with(full, "/spec/demand/signals/1/backlog/metric", json!({"name": "x"})))]
        }
        "/spec/distrust/errors" => vec![
            new(without(full, "/spec/distrust/errors", "failed")),
            new(without(full, "/spec/distrust/errors", "total")),
        ],
        "/spec/distrust/unusualFall" => vec![new(with(full, "/spec/distrust/unusualFall/keepFor", json!("59m")))],
        _ => Vec::new(),
    }
}

fn of_source(place: &str, message: &str, bases: &[Value]) -> Broken {
    let (prometheus, basic, keda) = (&bases[0], &bases[1], &bases[2]);
    let new = |object: Value| (object, None);
    let demand = "/spec/demands/0";
    match place {
        "/spec" if message.starts_with("write prometheus") => {
            vec![new(without(basic, "/spec", "prometheus")), new(with(basic, "/spec/metricsApi", json!("External")))]
        }
        "/spec" if message.starts_with("only one of the demands") => {
            vec![new(with(prometheus, "/spec/demands/1/default", json!(true)))]
        }
        "/spec" if message.starts_with("with prometheus every demand") => vec![
            new(with(&without(keda, "/spec", "metricsApi"), "/spec/prometheus", json!({"url": "http://a"}))),
            new(with(&without(prometheus, "/spec", "prometheus"), "/spec/metricsApi", json!("External"))),
        ],
        "/spec/allowedNamespaces" => ["", "Upper", "a*b", "-a"]
            .into_iter()
            .map(|name| new(with(basic, "/spec/allowedNamespaces/0", json!(name))))
            .collect(),
        "/spec/prometheus/headers" => ["Authorization", "cookie", "X Y", "X:Y"]
            .into_iter()
            .map(|name| new(with(prometheus, "/spec/prometheus/headers", json!({name: "x"}))))
            .collect(),
        "/spec/prometheus/queryParameters" => ["query", "time", "step"]
            .into_iter()
            .map(|name| new(with(prometheus, "/spec/prometheus/queryParameters", json!({name: "x"}))))
            .collect(),
        "/spec/prometheus/auth" if message.starts_with("write bearer, basic or tls") => {
            vec![new(with(basic, "/spec/prometheus/auth", json!({})))]
        }
        "/spec/prometheus/auth" => {
            vec![new(with(prometheus, "/spec/prometheus/auth/basic", json!({"secret": "x"})))]
        }
        "/spec/prometheus/tls" => {
            vec![new(with(prometheus, "/spec/prometheus/tls/insecureSkipVerify", json!(true)))]
        }
        "/spec/demands/*" if message.starts_with("write query") => vec![
            new(with(prometheus, &format!("{demand}/metric"), json!({"name": "x"}))),
            new(without(prometheus, demand, "query")),
        ],
        "/spec/demands/*" => vec![new(without(prometheus, demand, "labels"))],
        "/spec/demands/*/errors" => vec![
            new(without(prometheus, &format!("{demand}/errors"), "failed")),
            new(without(keda, &format!("{demand}/errors"), "totalMetric")),
            new(with(prometheus, &format!("{demand}/errors/totalMetric"), json!({"name": "x"}))),
        ],
        "/spec/demands/*/backlog" => vec![
            new(with(prometheus, &format!("{demand}/backlog"), json!({}))),
            new(with(prometheus, &format!("{demand}/backlog/metric"), json!({"name": "x"}))),
        ],
        _ => Vec::new(),
    }
}

fn of_override(place: &str, message: &str, bases: &[Value]) -> Broken {
    let (pin, freeze, release) = (&bases[0], &bases[1], &bases[2]);
    let new = |object: Value| (object, None);
    match place {
        "/spec" if message.starts_with("an override can't be changed") => vec![
            (with(pin, "/spec/replicas", json!(31)), Some(pin.clone())),
            (with(pin, "/spec/for", json!("31m")), Some(pin.clone())),
        ],
        "/spec" if message.starts_with("say what it applies to") => vec![
            new(without(pin, "/spec", "policy")),
            new(with(pin, "/spec/wholeNamespace", json!(true))),
            new(with(release, "/spec/wholeNamespace", json!(false))),
            new(with(freeze, "/spec/policy", json!("x"))),
        ],
        "/spec" if message.starts_with("Pin needs replicas") => {
            vec![new(without(pin, "/spec", "replicas")), new(with(freeze, "/spec/replicas", json!(3)))]
        }
        "/spec" if message.starts_with("say how long") => {
            vec![new(without(pin, "/spec", "for")), new(with(freeze, "/spec/for", json!("30m")))]
        }
        "/spec/selector" => vec![
            new(with(freeze, "/spec/selector", json!({}))),
            new(with(freeze, "/spec/selector", json!({"matchLabels": {}}))),
        ],
        _ => Vec::new(),
    }
}

fn of_table(place: &str, message: &str, bases: &[Value]) -> Broken {
    let table = &bases[0];
    let row = "/spec/floors/deployments.apps~1web";
    let change = |field: &str, value: Value| (with(table, &format!("{row}/{field}"), value), Some(table.clone()));
    match place {
        "" => vec![(with(table, "/metadata/name", json!("others")), None)],
        "/spec/floors" if message.starts_with("a floor can vanish") => {
            vec![(with(table, "/spec/floors", json!({})), Some(table.clone()))]
        }
        "/spec/floors" => {
            let row = table.pointer(row).expect("the row is there").clone();
            let key = format!("deployments.apps/{}", "a".repeat(512));
            vec![(with(table, "/spec/floors", json!({key: row})), None)]
        }
        "/spec/floors/*" if message.starts_with("stale leader") => vec![change("epoch", json!(2))],
        "/spec/floors/*" => vec![change("replicas", json!(9))],
        _ => Vec::new(),
    }
}
