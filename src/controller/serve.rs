//! `/healthz`, `/readyz` and `/metrics`, on one listener.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use super::vitals::Vitals;
use crate::metrics::{CONTENT_TYPE, Metrics};

#[derive(Clone)]
struct Served {
    vitals: Arc<Vitals>,
    metrics: Arc<Metrics>,
}

/// Serves until the task is aborted.
pub(super) async fn serve(listener: TcpListener, vitals: Arc<Vitals>, metrics: Arc<Metrics>) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(text))
        .with_state(Served { vitals, metrics });
    axum::serve(listener, router).await
}

/// A missing CRD or an unreachable API server is no reason to be restarted: this looks at the loop alone.
async fn healthz(State(served): State<Served>) -> impl IntoResponse {
    if served.vitals.alive() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the loop has not turned for 30 s\n")
    }
}

async fn readyz(State(served): State<Served>) -> impl IntoResponse {
    let waiting = served.vitals.waiting();
    if waiting.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for:\n{}\n", waiting.join("\n")))
}

async fn text(State(served): State<Served>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], served.metrics.text())
}
