//! Files in, problems out.

use super::*;

fn problems(texts: &[&str]) -> Vec<String> {
    let texts: Vec<(String, String)> =
        texts.iter().enumerate().map(|(i, text)| (format!("f{i}.yaml"), (*text).to_owned())).collect();
    let reports = check(&texts);
    let summary = Summary::of(&reports);
    let text = report::text(&reports, &summary, false);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.pop();
    lines
}

const SOURCE: &str = r#"
apiVersion: floorkeeper.dev/v1alpha1
kind: MetricSource
metadata: {name: default}
spec:
  prometheus: {url: "http://prometheus:9090"}
  allowedNamespaces: [events]
  demands:
    - name: edge
      query: sum by (namespace, deployment) (rate(edge_requests_total[2m]))
      labels: {namespace: namespace, target: deployment}
      errors:
        failed: sum by (namespace, deployment) (rate(edge_requests_total{code=~"5.."}[2m]))
        total: sum by (namespace, deployment) (rate(edge_requests_total[2m]))
"#;

#[test]
fn the_smallest_policy_with_its_source_is_clean() {
    let policy = "apiVersion: floorkeeper.dev/v1alpha1\nkind: ScalingPolicy\nmetadata: {name: p, namespace: events}\nspec:\n  targetRef: {kind: Deployment, name: events-api}\n  mode: Guard\n  demand: {capacity: \"120\"}\n";
    assert_eq!(problems(&[SOURCE, policy]), Vec::<String>::new());
    let alone = problems(&[policy]);
    assert!(alone.len() == 1 && alone[0].contains("nothing tells of failed work"), "{alone:?}");
}

#[test]
fn every_problem_has_file_line_column_and_field() {
    let policy = r#"
apiVersion: floorkeeper.dev/v1alpha1
kind: ScalingPolicy
metadata: {name: p, namespace: other}
spec:
  targetRef: {kind: Deployment, name: events-api}
  mode: guard
  minreplicas: 3
  maxReplicas: 100001
  demand:
    capacity: 120
    signals:
      - name: edge
        demand: egde
      - name: own
        query: sum(rate(requests_total{job="events-api"}[2m])) or vector(0)
  scaleDown:
    window: ten minutes
"#;
    let found = problems(&[SOURCE, policy]);
    for expected in [
        "f1.yaml:7:3: error: spec.mode: \"guard\" is unknown: write one of Observe, Guard, Autoscale",
        "f1.yaml:8:3: error: spec.minreplicas: there is no field of this name: did you mean \"minReplicas\"?",
        "f1.yaml:9:3: error: spec.maxReplicas: 100001 is too large: write 100000 or less",
        "f1.yaml:11:5: error: spec.demand.capacity: 120 is a number, not a text: write it in quotes: \"120\"",
    ] {
        assert!(found.iter().any(|line| line.starts_with(expected)), "{found:#?} lacks {expected}");
    }
    // What can't be told of a broken object is told once it can be read.
    let readable = policy.replace("mode: guard", "mode: Guard").replace("capacity: 120", "capacity: \"12x\"");
    let found = problems(&[SOURCE, &readable]);
    for expected in [
        "f1.yaml:11:5: error: spec.demand.capacity: \"12x\": write a number above 0, such as \"120\"",
        "f1.yaml:13:9: error: spec.demand.signals[0]: MetricSource default does not allow policies of this namespace",
        "f1.yaml:14:9: error: spec.demand.signals[0].demand: MetricSource default has no demand \"egde\": it has edge",
        "f1.yaml:16:9: error: spec.demand.signals[1].query: MetricSource default has inlineQueries: false",
        "f1.yaml:16:9: warning: spec.demand.signals[1].query: `or vector(...)` makes missing data a number",
        "f1.yaml:16:9: warning: spec.demand.signals[1].query: the label job=\"events-api\" says",
        "f1.yaml:18:5: error: spec.scaleDown.window: \"ten minutes\": write a duration from 1s to 24h, such as \"10m\"",
    ] {
        assert!(found.iter().any(|line| line.starts_with(expected)), "{found:#?} lacks {expected}");
    }
}

#[test]
fn other_kinds_are_passed_over_and_unknown_ones_of_ours_are_not() {
    assert_eq!(
        problems(&["apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", "", "just text\n"]),
        Vec::<String>::new()
    );
    let found = problems(&["apiVersion: floorkeeper.dev/v1\nkind: ScalePolicy\n"]);
    assert!(found.iter().any(|line| line.contains("kind: \"ScalePolicy\" is unknown")), "{found:?}");
    assert!(found.iter().any(|line| line.contains("write floorkeeper.dev/v1alpha1")), "{found:?}");
}

#[test]
fn broken_yaml_is_an_error_with_its_line() {
    let found = problems(&["a: 1\nb: [1\n"]);
    assert!(found.len() == 1 && found[0].contains("error: this is no YAML"), "{found:?}");
}
