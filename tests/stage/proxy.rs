//! Between the operator and the API server: forwards, or does to a request what API servers and the networks before them
//! do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use floorkeeper_rig::Cluster;
use futures::{StreamExt as _, stream};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    Forwarded,
    Conflict,
    Throttled,
    Error,
    /// It is carried out, but long after the client has given up.
    Late,
    /// It is carried out, and the client is told of an error.
    Denied,
    /// It is carried out, and the answer breaks off in the middle.
    Truncated,
}

/// What is done with each request.
pub(crate) trait Manner: Clone + Send + Sync + 'static {
    fn answer(self, way: Way, request: Request<Body>) -> impl Future<Output = Response> + Send;
}

/// A server in front of the cluster's; it ends when dropped.
pub(crate) struct Proxy {
    kubeconfig: PathBuf,
    server: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(cluster: &Cluster, manner: impl Manner) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}]});
        let kubeconfig = cluster.directory().join(format!("proxy-{}.kubeconfig", address.port()));
        tokio::fs::write(&kubeconfig, config.to_string()).await?;
        let way = Way { client: cluster.client() };
        let router =
            Router::new().fallback(|State((way, manner)): State<(Way, _)>, request: Request<Body>| async move {
                Manner::answer(manner, way, request).await
            });
        let router = router.with_state((way, manner));
        let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { kubeconfig, server })
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// To the API server.
#[derive(Clone)]
pub(crate) struct Way {
    client: kube::Client,
}

impl Way {
    pub(crate) async fn carry(self, fate: Fate, request: Request<Body>) -> Response {
        match fate {
            Fate::Forwarded => self.forward(request).await,
            Fate::Conflict => said(StatusCode::CONFLICT, "Conflict"),
            Fate::Throttled => {
                let mut answer = said(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests");
                answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                answer
            }
            Fate::Error => said(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
            Fate::Late => {
                // In a task of its own: the client hangs up long before, and the server carries it out all the same.
                let late = tokio::spawn(async move {
                    tokio::time::sleep(LATE).await;
                    self.forward(request).await
                });
                late.await.unwrap_or_else(failed)
            }
            Fate::Denied => {
                self.forward(request).await;
                said(StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
            }
            Fate::Truncated => truncated(self.forward(request).await).await,
        }
    }

    pub(crate) async fn forward(&self, request: Request<Body>) -> Response {
        self.send(request).await.unwrap_or_else(failed)
    }

    async fn send(&self, request: Request<Body>) -> Result<Response> {
        let (mut parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 16 << 20).await?;
        // These are for this connection, not for the next one.
        for name in [header::HOST, header::CONNECTION, header::AUTHORIZATION, header::ACCEPT_ENCODING] {
            parts.headers.remove(name);
        }
        parts.uri = parts.uri.path_and_query().context("a path")?.as_str().parse()?;
        let answer = self.client.send(Request::from_parts(parts, kube::client::Body::from(body.to_vec()))).await?;
        Ok(answer.map(Body::new))
    }
}

/// The first half of the first piece, and then the connection breaks.
async fn truncated(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let first = body.into_data_stream().next().await.and_then(Result::ok).unwrap_or_default();
    let half = first.slice(..first.len() / 2);
    let pieces: [Result<Bytes, std::io::Error>; 2] =
        [Ok(half), Err(std::io::Error::new(std::io::ErrorKind::ConnectionReset, "cut"))];
    Response::from_parts(parts, Body::from_stream(stream::iter(pieces)))
}

fn said(code: StatusCode, reason: &str) -> Response {
    let status = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason,
        "message": "the proxy says so", "code": code.as_u16()});
    (code, axum::Json(status)).into_response()
}

fn failed(error: impl std::fmt::Display) -> Response {
    (StatusCode::BAD_GATEWAY, error.to_string()).into_response()
}

/// Beyond the patience of every call.
const LATE: Duration = Duration::from_secs(7);
