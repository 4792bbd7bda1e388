//! From a policy and a history to a policy that can be applied.

use clap::Parser as _;
use floorkeeper_replay::backtest::{History, Point};

use super::input::{Input, Refused};
use super::*;
use crate::cli::check;

const POLICY: &str = r#"
apiVersion: floorkeeper.dev/v1alpha1
kind: ScalingPolicy
metadata: {name: web, namespace: shop, labels: {team: "yes"}}
spec:
  targetRef: {kind: Deployment, name: web}
  mode: Guard
  demand:
    capacity: "100"
    signals: [{name: edge, demand: edge-requests}]
  distrust:
    errors: {above: "0.05", minRate: "1"}
    dependsOn: [{kind: Deployment, name: "writer"}]
---
apiVersion: floorkeeper.dev/v1alpha1
kind: MetricSource
metadata: {name: default}
spec:
  prometheus: {url: "http://prometheus:9090"}
  demands:
    - name: edge-requests
      default: true
      query: sum by (namespace, deployment) (rate(edge_requests_total[2m]))
      labels: {namespace: namespace, target: deployment}
      errors:
        failed: sum by (namespace, deployment) (rate(edge_requests_total{code=~"5.."}[2m]))
        total: sum by (namespace, deployment) (rate(edge_requests_total[2m]))
"#;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(line: &[&str]) -> Args {
    Line::try_parse_from(["backtest", "--policy", "p.yaml"].iter().chain(line)).unwrap().args
}

fn input(text: &str) -> Input {
    match Input::parse("p.yaml".to_owned(), text) {
        Ok(input) => input,
        Err(Refused::Checked(report)) => panic!("{report}"),
        Err(Refused::Other(error)) => panic!("{error:#}"),
    }
}

/// Three days between 200 and 1000 a second, a dip in them, and what ran.
fn history() -> History {
    let points: Vec<Point> = (0..3 * 1_440_u32)
        .map(|minute| {
            let load = 600.0 - 400.0 * (f64::from(minute) / 1_440.0 * core::f64::consts::TAU).cos();
            let load = if (2_000..2_030).contains(&minute) { load * 0.1 } else { load };
            Point { at: 1.7e9 + f64::from(minute) * 60.0, load: Some(load), replicas: Some(12.0) }
        })
        .collect();
    History::new(&points).unwrap()
}

#[test]
fn the_suggested_policy_passes_check_and_says_the_same() {
    let (input, history) = (input(POLICY), history());
    let outcome = args(&["--trace", "t.csv"]).play(&input, &history).unwrap();
    assert_eq!(check::errors("suggested.yaml", &outcome.yaml), None, "{}", outcome.yaml);
    let source = POLICY.split_once("---\n").unwrap().1;
    let again = self::input(&format!("{}---\n{source}", outcome.yaml));
    let mut wanted = policy::with(&input.policy, &outcome.fitted);
    wanted.created = again.policy.created;
    assert_eq!(again.policy, wanted);
    assert_eq!(again.object.metadata.labels.unwrap()["team"], "yes");
    for fitted in &outcome.fitted {
        let key = fitted.field.path().rsplit('.').next().unwrap();
        let before = outcome.yaml.split(&format!("{key}:")).next().unwrap();
        assert!(before.trim_end().lines().last().unwrap().trim_start().starts_with('#'), "{key} has evidence above it");
    }
}

#[test]
fn every_form_tells_the_same_numbers() {
    let (input, history) = (input(POLICY), history());
    let outcome = args(&["--trace", "t.csv"]).play(&input, &history).unwrap();
    let (table, page) = (table::render(&outcome), page::render(&outcome));
    let all: serde_json::Value = serde_json::from_str(&json::render(&outcome).unwrap()).unwrap();
    let ours = all["runs"].as_array().unwrap().iter().find(|run| run["scaler"] == "floorkeeper").unwrap();
    let hours = format!("{:.1}", ours["replica_hours"].as_f64().unwrap());
    assert!(table.contains(&hours) && page.contains(&hours), "{hours} in\n{table}");
    assert!(table.contains("real") && table.contains("floorkeeper would have held"), "{table}");
    assert!(page.contains(r#"class="line l-real""#) && page.contains("Suggested policy"));
    assert_eq!(all["suggestions"].as_array().unwrap().len(), outcome.fitted.len());
    assert_eq!(all["suggested_policy"].as_str().unwrap(), outcome.yaml);
    assert_eq!(all["real"]["lowest_replicas"], 12);
}

#[test]
fn a_policy_is_refused_as_check_refuses_it() {
    let wrong = POLICY.replace("mode: Guard", "mode: guard");
    let Err(Refused::Checked(report)) = Input::parse("p.yaml".to_owned(), &wrong) else { panic!("it was taken") };
    assert!(report.starts_with("p.yaml:7:9: error: spec.mode") || report.contains(":7:"), "{report}");
    let two = format!("{POLICY}\n---\n{}", POLICY.replace("name: web,", "name: api,"));
    let Err(Refused::Other(error)) = Input::parse("p.yaml".to_owned(), &two) else { panic!("it was taken") };
    assert!(error.to_string().contains("one ScalingPolicy"), "{error}");
}

#[test]
fn without_any_capacity_it_says_what_to_give() {
    let text = POLICY.replace("mode: Guard", "mode: Observe").replace("    capacity: \"100\"\n", "");
    let input = input(&text);
    let history = history();
    let with = args(&["--trace", "t.csv"]).play(&input, &history).unwrap();
    assert!(with.assumed[0].contains("estimate"), "{:?}", with.assumed);
    let points: Vec<Point> = history.points().iter().map(|point| Point { replicas: None, ..*point }).collect();
    let alone = History::new(&points).unwrap();
    let error = args(&["--trace", "t.csv"]).play(&input, &alone).err().unwrap();
    assert!(error.to_string().contains("--capacity"), "{error}");
    assert!(args(&["--trace", "t.csv", "--capacity", "90"]).play(&input, &alone).is_ok());
}

#[test]
fn the_shared_query_is_narrowed_to_this_workload() {
    let args = args(&["--prometheus", "http://localhost:9090", "--from", "14d"]);
    let query = args.server.load(&input(POLICY)).unwrap();
    assert!(query.contains(r#""namespace", "shop""#) && query.contains(r#""deployment", "web""#), "{query}");
    assert!(query.starts_with("(sum by (namespace, deployment) (rate(edge_requests_total[2m]))) and on"), "{query}");
    let replicas = args.server.replicas(&input(POLICY)).unwrap().unwrap();
    assert_eq!(replicas, r#"max(kube_deployment_status_replicas_available{namespace="shop",deployment="web"})"#);
    let alone = POLICY.split("---").next().unwrap();
    let error = args.server.load(&input(alone)).unwrap_err().to_string();
    assert!(error.contains("MetricSource") && error.contains("--query"), "{error}");
}

#[test]
fn times_are_read_as_people_write_them() {
    let range = |from: &str, to: &str| {
        args(&["--prometheus", "http://localhost:9090", "--from", from, "--to", to]).server.range(1_700_000_000)
    };
    let two_weeks = range("14d", "0m").unwrap();
    assert_eq!((two_weeks.to - two_weeks.from, two_weeks.to % 60), (14 * 86_400, 0));
    assert_eq!(range("2023-11-01", "2023-11-02T00:00:00Z").unwrap().from, 1_698_796_800);
    for (from, to, says) in [
        ("soon", "0m", "--from soon"),
        ("1d", "2d", "two steps"),
        ("2023-11-20", "2023-11-21", "in the past"),
        ("200000d", "0m", "longer --step"),
    ] {
        let error = range(from, to).unwrap_err().to_string();
        assert!(error.contains(says), "{from} {to}: {error}");
    }
}
