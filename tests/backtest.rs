//! `floorkeeper backtest` as people run it: against a real Prometheus, and against one that fails half way.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use floorkeeper_rig::{Exposition, Prometheus, PrometheusOptions, eventually};
use serde_json::Value;
use tokio::process::Command;

const POLICY: &str = r#"
apiVersion: floorkeeper.dev/v1alpha1
kind: ScalingPolicy
metadata: {name: web, namespace: shop}
spec:
  targetRef: {kind: Deployment, name: web}
  mode: Guard
  demand: {capacity: "10"}
---
apiVersion: floorkeeper.dev/v1alpha1
kind: MetricSource
metadata: {name: default}
spec:
  prometheus: {url: "http://prometheus:9090"}
  demands:
    - name: edge-requests
      default: true
      query: sum by (namespace, deployment) (rate(edge_requests_total[10s]))
      labels: {namespace: namespace, target: deployment}
"#;

async fn backtest(folder: &Path, line: &[&str]) -> Output {
    tokio::fs::write(folder.join("policy.yaml"), POLICY).await.unwrap();
    Command::new(env!("CARGO_BIN_EXE_floorkeeper"))
        .current_dir(folder)
        .env("XDG_CACHE_HOME", folder)
        .args(["backtest", "--policy", "policy.yaml", "--format", "json"])
        .args(line)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap()
}

fn told(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A folder of its own, gone when dropped.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("backtest-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is in the target directory, and harmless.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_tells_load_and_replicas() {
    let edge = Exposition::start().await.unwrap();
    let prometheus = Prometheus::start(PrometheusOptions::scraping("edge", &[&edge])).await.unwrap();
    let counted = || async {
        // Another workload of the same shared query, far above ours.
        edge.update(|metrics| {
            metrics.add("edge_requests_total", &[("namespace", "shop"), ("deployment", "web")], 20.0);
            metrics.add("edge_requests_total", &[("namespace", "shop"), ("deployment", "api")], 9_000.0);
            let labels = [("namespace", "shop"), ("deployment", "web")];
            metrics.set("kube_deployment_status_replicas_available", &labels, 4.0);
        });
        let age = "max(time() - min_over_time(timestamp(kube_deployment_status_replicas_available)[2m:1s]))";
        match prometheus.value(age).await? {
            Some(age) if age > 33.0 => Ok(()),
            age => anyhow::bail!("samples since {age:?} seconds"),
        }
    };
    eventually("twenty seconds of samples", Duration::from_secs(90), counted).await.unwrap();
    let folder = Folder::new("real");
    let line = ["--prometheus", &prometheus.url(), "--from", "22s", "--step", "1s"];
    let all = told(&backtest(&folder.0, &line).await);
    assert!((2..=4).contains(&all["samples"].as_u64().unwrap()), "{all:#}");
    assert_eq!(all["real"]["lowest_replicas"], 4, "{all:#}");
    let needed = all["runs"].as_array().unwrap().iter().find(|run| run["scaler"] == "oracle").unwrap();
    let hours = needed["replica_hours"].as_f64().unwrap();
    assert!(hours > 0.0 && hours < 20.0, "the load is ours alone, not api's: {all:#}");
    let line = [&line[..], &["--query", "sum(nothing)"]].concat();
    let wrong = backtest(&folder.0, &line).await;
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(!wrong.status.success() && said.contains("sum(nothing)"), "{said}");
}

/// Answers 500 requests a second for every step, but only so many times for the load.
struct Server {
    left: Mutex<u32>,
    asked: Mutex<Vec<String>>,
}

async fn answer(State(server): State<Arc<Server>>, body: Bytes) -> Response {
    let url = reqwest::Url::parse(&format!("http://x/?{}", String::from_utf8_lossy(&body))).unwrap();
    let form: HashMap<String, String> = url.query_pairs().into_owned().collect();
    if form["query"].contains("kube_") {
        return r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#.into_response();
    }
    server.asked.lock().unwrap().push(form["start"].clone());
    let mut left = server.left.lock().unwrap();
    if *left == 0 {
        return StatusCode::FORBIDDEN.into_response();
    }
    *left -= 1;
    let seconds = |name: &str| form[name].parse::<f64>().unwrap() as u64;
    let points = (seconds("start")..=seconds("end")).step_by(3_600).map(|at| format!("[{at},\"50\"]"));
    let points = points.collect::<Vec<_>>().join(",");
    format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{}},"values":[{points}]}}]}}}}"#
    )
    .into_response()
}

#[tokio::test]
async fn what_was_answered_is_not_asked_again() {
    let server = Arc::new(Server { left: Mutex::new(2), asked: Mutex::new(Vec::new()) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/api/v1/query_range", post(answer)).with_state(Arc::clone(&server));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let folder = Folder::new("resume");
    // At an hour a step a piece is sixty days: four of them, and a part.
    let line = ["--prometheus", &url, "--from", "2020-01-01", "--to", "2020-09-01", "--step", "1h"];

    let broken = backtest(&folder.0, &line).await;
    let said = String::from_utf8_lossy(&broken.stderr).into_owned();
    assert!(!broken.status.success() && said.contains("403") && said.contains("--bearer-token-file"), "{said}");
    assert!(said.contains("goes on from there"), "{said}");
    assert_eq!(server.asked.lock().unwrap().len(), 3);

    *server.left.lock().unwrap() = 100;
    server.asked.lock().unwrap().clear();
    let all = told(&backtest(&folder.0, &line).await);
    let asked = server.asked.lock().unwrap().clone();
    assert!((2..=3).contains(&asked.len()), "only what was missing: {asked:?}");
    assert_eq!(all["samples"].as_u64().unwrap(), 244 * 24 + 1);

    server.asked.lock().unwrap().clear();
    told(&backtest(&folder.0, &line).await);
    assert_eq!(server.asked.lock().unwrap().len(), 1, "the piece that is not over yet is asked for again");
}

#[tokio::test]
async fn a_csv_with_a_mistake_has_its_place() {
    let folder = Folder::new("csv");
    std::fs::write(folder.0.join("load.csv"), "time,rps,replicas\n0,5,1\n60,many,1\n").unwrap();
    let output = backtest(&folder.0, &["--trace", "load.csv"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("load.csv:3:4: `many` is no number"), "{said}");
}
