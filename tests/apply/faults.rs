//! What the real API server does not show on demand: conflicts twice over, throttling, garbage, silence.

#![expect(clippy::unwrap_used, reason = "a test's own stage")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use floorkeeper::apply::{Kinds, Writer};
use floorkeeper::metrics::Metrics;
use floorkeeper_core::{
    Bounds, Kept, Outcome, Replicas, ScalerBounds, ScalerKind, Standing, TargetKey, Timestamp, Write,
};
use serde_json::{Value, json};

/// What the API server says next.
#[derive(Clone)]
enum Says {
    Json(StatusCode, Value),
    Text(StatusCode, &'static str),
    Nothing,
}

/// An API server that follows a script, then repeats its last line, and remembers what it was asked.
#[derive(Clone, Default)]
struct Script {
    says: Arc<Mutex<VecDeque<Says>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

struct Stage {
    script: Script,
    metrics: Arc<Metrics>,
    writer: Writer,
}

impl Stage {
    async fn with(says: impl IntoIterator<Item = Says>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let script = Script { says: Arc::new(Mutex::new(says.into_iter().collect())), ..Script::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let router = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut config = kube::Config::new(uri);
        config.default_retry = false;
        let client = kube::Client::try_from(config).unwrap();
        let metrics = Arc::new(Metrics::new());
        let writer = Writer::new(client, Arc::new(Kinds::default()), Arc::clone(&metrics));
        Self { script, metrics, writer }
    }

    fn asked(&self) -> Vec<String> {
        self.script.asked.lock().unwrap().clone()
    }

    fn counted(&self, kind: &str, outcome: &str) -> bool {
        let line = format!(r#"floorkeeper_writes_total{{kind="{kind}",outcome="{outcome}"}} 1"#);
        self.metrics.text().contains(&line)
    }
}

async fn answer(State(script): State<Script>, method: Method, uri: Uri, _body: Bytes) -> Response {
    let last = uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    script.asked.lock().unwrap().push(format!("{method} {last}"));
    let says = {
        let mut says = script.says.lock().unwrap();
        if says.len() > 1 { says.pop_front() } else { says.front().cloned() }
    };
    match says {
        Some(Says::Json(code, body)) => (code, axum::Json(body)).into_response(),
        Some(Says::Text(code, body)) => (code, body).into_response(),
        Some(Says::Nothing) | None => std::future::pending().await,
    }
}

#[tokio::test]
async fn a_raise_reads_and_writes_again_until_it_lands() {
    let stage = Stage::with([error(422, "Invalid"), scale(2), error(409, "Conflict"), scale(3), scale(6)]).await;
    assert_eq!(stage.writer.carry_out(&raise()).await, Outcome::Done);
    assert_eq!(stage.asked(), ["PATCH scale", "GET scale", "PUT scale", "GET scale", "PUT scale"]);
    assert!(stage.counted("Replicas", "Done"));
}

#[tokio::test]
async fn a_raise_is_content_with_enough() {
    let stage = Stage::with([error(409, "Conflict"), scale(6)]).await;
    assert_eq!(stage.writer.carry_out(&raise()).await, Outcome::Unneeded);
    assert_eq!(stage.asked(), ["PATCH scale", "GET scale"]);
}

#[tokio::test]
async fn a_raise_gives_up_on_a_busy_writer() {
    let round = [scale(2), error(409, "Conflict")];
    let says = [error(422, "Invalid")].into_iter().chain((0..50).flat_map(|_| round.clone()));
    let stage = Stage::with(says).await;
    assert_eq!(stage.writer.carry_out(&raise()).await, Outcome::Conflict);
    assert_eq!(stage.asked().len(), 11, "{:?}", stage.asked());
}

#[tokio::test]
async fn a_lowering_is_tried_once() {
    let stage = Stage::with([error(409, "Conflict")]).await;
    let lowering = Write::Replicas(Replicas { target: web(), version: "7".into(), from: 6, to: 5, undo: false });
    assert_eq!(stage.writer.carry_out(&lowering).await, Outcome::Conflict);
    assert_eq!(stage.asked(), ["PUT scale"]);
}

#[tokio::test]
async fn no_trouble_is_retried_behind_the_engine_s_back() {
    let cases = [
        (error(429, "TooManyRequests"), "Throttled"),
        (error(503, "ServiceUnavailable"), "Throttled"),
        (error(403, "Forbidden"), "Forbidden"),
        (error(404, "NotFound"), "NotFound"),
        (Says::Text(StatusCode::INTERNAL_SERVER_ERROR, "<html>oops</html>"), "Failed"),
        (Says::Text(StatusCode::OK, "<html>a captive portal</html>"), "Failed"),
        (Says::Json(StatusCode::OK, json!([1, 2, 3])), "Failed"),
    ];
    for (says, counted) in cases {
        let stage = Stage::with([says]).await;
        assert_eq!(stage.writer.carry_out(&raise()).await, Outcome::Failed, "{counted}");
        assert_eq!(stage.asked(), ["PATCH scale"], "{counted}");
        assert!(stage.counted("Replicas", counted), "{counted}: {}", stage.metrics.text());
    }
}

#[tokio::test]
async fn silence_is_a_failure_not_a_hang() {
    let stage = Stage::with([Says::Nothing]).await;
    assert_eq!(stage.writer.carry_out(&raise()).await, Outcome::Failed);
    assert!(stage.counted("Replicas", "TimedOut"), "{}", stage.metrics.text());
}

#[tokio::test]
async fn two_that_create_the_table_at_once_both_get_their_rows_in() {
    let done = Says::Json(StatusCode::OK, table());
    let stage = Stage::with([error(404, "NotFound"), error(409, "AlreadyExists"), done]).await;
    assert_eq!(stage.writer.carry_out(&floors()).await, Outcome::Done);
    assert_eq!(stage.asked(), ["PATCH floors", "POST floortables", "PATCH floors"]);
}

#[tokio::test]
async fn a_table_that_can_t_be_made_is_a_failure() {
    // The namespace is terminating, or the kind is not installed.
    for code in [403, 404] {
        let stage = Stage::with([error(404, "NotFound"), error(code, "")]).await;
        assert_eq!(stage.writer.carry_out(&floors()).await, Outcome::Failed);
        assert_eq!(stage.asked(), ["PATCH floors", "POST floortables"]);
    }
}

#[tokio::test]
async fn giving_back_is_finished_though_the_scaler_keeps_changing() {
    let hpa = Says::Json(StatusCode::OK, hpa());
    let stage = Stage::with([hpa.clone(), error(409, "Conflict"), hpa.clone(), error(409, "Conflict"), hpa]).await;
    let bounds = Bounds { min: 2, max: 10 };
    let write = ScalerBounds {
        target: web(),
        kind: ScalerKind::HorizontalPodAutoscaler,
        scaler: "web".into(),
        version: "7".into(),
        bounds,
        kept: None::<Kept>,
        lowers: true,
        unpins: false,
        undo: false,
    };
    assert_eq!(stage.writer.carry_out(&Write::Bounds(write)).await, Outcome::Done);
    assert_eq!(stage.asked(), ["PATCH web", "PATCH web", "GET web", "PATCH web", "GET web", "PATCH web"]);
}

fn web() -> TargetKey {
    TargetKey::new("shop", "deployments.apps", "web")
}

fn raise() -> Write {
    Write::Replicas(Replicas { target: web(), version: "7".into(), from: 2, to: 6, undo: true })
}

fn floors() -> Write {
    let standing = Standing {
        policy: "web".into(),
        uid: "u".into(),
        reason: "LiveDemand".into(),
        epoch: 1,
        seq: 1,
        ..Standing::at(6, Timestamp(1_709_602_560_000))
    };
    Write::Floors { namespace: "shop".into(), rows: vec![(web(), standing)], vanish: Vec::new() }
}

fn error(code: u16, reason: &str) -> Says {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": "no",
    });
    Says::Json(StatusCode::from_u16(code).unwrap(), body)
}

fn scale(replicas: u32) -> Says {
    let body = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "8"},
        "spec": {"replicas": replicas},
    });
    Says::Json(StatusCode::OK, body)
}

fn table() -> Value {
    json!({
        "kind": "FloorTable", "apiVersion": "floorkeeper.dev/v1alpha1",
        "metadata": {"name": "floors", "namespace": "shop"}, "spec": {"floors": {}},
    })
}

fn hpa() -> Value {
    json!({
        "kind": "HorizontalPodAutoscaler", "apiVersion": "autoscaling/v2",
        "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "8", "managedFields": [
            {"manager": "floorkeeper", "operation": "Apply", "apiVersion": "autoscaling/v2"},
        ]},
        "spec": {"minReplicas": 2, "maxReplicas": 10},
    })
}
