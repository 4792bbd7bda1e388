//! Between the operator and the API server: forwards, and fails a share of the requests in the ways that API servers and
//! the networks before them do.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use floorkeeper_rig::Cluster;
use futures::{StreamExt as _, stream};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::seed::Seed;

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
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

/// A server in front of the cluster's; it ends when dropped.
pub(crate) struct Proxy {
    shared: Shared,
    kubeconfig: PathBuf,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    client: kube::Client,
    book: Arc<Mutex<Book>>,
}

/// What was asked, and what is to become of what is asked next.
struct Book {
    seed: Seed,
    /// Of a hundred requests, how many fare ill.
    percent: u64,
    asked: Vec<(Instant, String, Fate)>,
}

impl Proxy {
    pub(crate) async fn start(cluster: &Cluster, seed: Seed) -> Result<Self> {
        let book = Book { seed, percent: 0, asked: Vec::new() };
        let shared = Shared { client: cluster.client(), book: Arc::new(Mutex::new(book)) };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = format!("http://{}", listener.local_addr()?);
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": server}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}]});
        let kubeconfig = cluster.directory().join("proxy.kubeconfig");
        tokio::fs::write(&kubeconfig, config.to_string()).await?;
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { shared, kubeconfig, server })
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// From now on `percent` of the requests fare ill.
    pub(crate) fn fail(&self, percent: u64) {
        self.shared.lock().percent = percent;
    }

    /// How many requests there were, how many of them fared ill, and the most in one second.
    pub(crate) fn tally(&self) -> (usize, usize, usize) {
        let book = self.shared.lock();
        let ill = book.asked.iter().filter(|(_, _, fate)| *fate != Fate::Forwarded).count();
        let within = |at: Instant| {
            let later = book.asked.iter().skip_while(|(other, ..)| *other < at);
            later.take_while(|(other, ..)| *other < at + Duration::from_secs(1)).count()
        };
        (book.asked.len(), ill, book.asked.iter().map(|(at, ..)| within(*at)).max().unwrap_or_default())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fate(&self, method: &Method, path: &str) -> Fate {
        let mut book = self.lock();
        let percent = book.percent;
        let ill = book.seed.below(100) < percent;
        let fates = [Fate::Throttled, Fate::Error, Fate::Late, Fate::Denied, Fate::Truncated, Fate::Conflict];
        // A read meets no conflict.
        let choices = if *method == Method::GET { 5 } else { 6 };
        let choice = usize::try_from(book.seed.below(choices)).unwrap_or_default();
        let fate = if ill { fates[choice] } else { Fate::Forwarded };
        book.asked.push((Instant::now(), format!("{method} {path}"), fate));
        fate
    }
}

async fn answer(State(shared): State<Shared>, request: Request<Body>) -> Response {
    let fate = shared.fate(request.method(), request.uri().path());
    match fate {
        Fate::Forwarded => forward(shared.client, request).await.unwrap_or_else(failed),
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
                forward(shared.client, request).await.unwrap_or_else(failed)
            });
            late.await.unwrap_or_else(failed)
        }
        Fate::Denied => match forward(shared.client, request).await {
            Ok(_) => said(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
            Err(error) => failed(error),
        },
        Fate::Truncated => match forward(shared.client, request).await {
            Ok(answer) => truncated(answer).await,
            Err(error) => failed(error),
        },
    }
}

async fn forward(client: kube::Client, request: Request<Body>) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 16 << 20).await?;
    // These are for this connection, not for the next one.
    for name in [header::HOST, header::CONNECTION, header::AUTHORIZATION, header::ACCEPT_ENCODING] {
        parts.headers.remove(name);
    }
    parts.uri = parts.uri.path_and_query().context("a path")?.as_str().parse()?;
    let answer = client.send(Request::from_parts(parts, kube::client::Body::from(body.to_vec()))).await?;
    Ok(answer.map(Body::new))
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
