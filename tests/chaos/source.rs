//! Between the operator and Prometheus: a source that is well, or ill in one of the ways that sources are.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How the source answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// A gigabyte of an answer that begins well.
    Gigabyte,
    /// A quarter of a gigabyte in a few hundred kilobytes.
    Bomb,
    Garbage,
    NaN,
    /// Twice the series that were asked for.
    Several,
    Warning,
    /// A byte each 100 ms.
    Drip,
    Nothing,
    ServerError,
}

/// A server that forwards to Prometheus; it ends when dropped.
pub(crate) struct Source {
    pub(crate) url: String,
    mood: Arc<Mutex<Mood>>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    mood: Arc<Mutex<Mood>>,
    upstream: String,
    client: reqwest::Client,
    bomb: Bytes,
}

impl Source {
    pub(crate) async fn start(upstream: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let mood = Arc::new(Mutex::new(Mood::Well));
        let client = reqwest::Client::builder().no_proxy().build()?;
        let shared = Shared { mood: Arc::clone(&mood), upstream: upstream.to_owned(), client, bomb: bomb().await? };
        let router = Router::new().fallback(answer).with_state(shared);
        let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { url, mood, server })
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Shared>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mood = *shared.mood.lock().unwrap_or_else(PoisonError::into_inner);
    let json = [(header::CONTENT_TYPE, "application/json")];
    match mood {
        Mood::Well | Mood::NaN | Mood::Several | Mood::Warning => match forward(&shared, &uri, &headers, body).await {
            Ok(mut told) => {
                change(&mut told, mood);
                (json, told.to_string()).into_response()
            }
            Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
        },
        Mood::Gigabyte => {
            let first = stream::once(async { Bytes::from_static(BEGINNING.as_bytes()) });
            let mebibyte = Bytes::from(vec![b' '; 1 << 20]);
            let rest = stream::iter((0..1024).map(move |_| mebibyte.clone()));
            (json, Body::from_stream(first.chain(rest).map(Ok::<_, Infallible>))).into_response()
        }
        Mood::Bomb => {
            let headers = [(header::CONTENT_TYPE, "application/json"), (header::CONTENT_ENCODING, "gzip")];
            (headers, shared.bomb).into_response()
        }
        Mood::Garbage => (json, "<html>\u{0}\u{1}{\"status\":\"succ").into_response(),
        Mood::Drip => {
            let drops = stream::iter(BEGINNING.bytes().cycle()).then(|byte| async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok::<_, Infallible>(Bytes::from(vec![byte]))
            });
            (json, Body::from_stream(drops)).into_response()
        }
        Mood::Nothing => std::future::pending().await,
        Mood::ServerError => (StatusCode::INTERNAL_SERVER_ERROR, "out of memory").into_response(),
    }
}

async fn forward(shared: &Shared, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Result<Value> {
    let path = uri.path_and_query().context("a path")?;
    let mut request = shared.client.post(format!("{}{path}", shared.upstream)).body(body);
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    Ok(serde_json::from_slice(&request.send().await?.bytes().await?)?)
}

fn change(told: &mut Value, mood: Mood) {
    if mood == Mood::Warning {
        told["warnings"] = json!(["a store did not answer"]);
    }
    let Some(series) = told.pointer_mut("/data/result").and_then(Value::as_array_mut) else { return };
    match mood {
        Mood::NaN => {
            for value in series.iter_mut().filter_map(|series| series.get_mut("value")) {
                value[1] = json!("NaN");
            }
        }
        Mood::Several => {
            let mut twins = series.clone();
            for twin in &mut twins {
                twin["metric"]["replica"] = json!("b");
            }
            series.extend(twins);
        }
        Mood::Well
        | Mood::Warning
        | Mood::Gigabyte
        | Mood::Bomb
        | Mood::Garbage
        | Mood::Drip
        | Mood::Nothing
        | Mood::ServerError => {}
    }
}

/// Zeros by the quarter gigabyte, as gzip sees them.
async fn bomb() -> Result<Bytes> {
    let zeros = "head -c 268435456 /dev/zero | gzip -c";
    let output = tokio::process::Command::new("sh").args(["-c", zeros]).output().await.context("sh")?;
    anyhow::ensure!(output.status.success() && output.stdout.len() > 1000, "no gzip: {output:?}");
    Ok(output.stdout.into())
}

const BEGINNING: &str = r#"{"status":"success","data":{"resultType":"vector","result":[ "#;
