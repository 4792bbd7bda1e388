//! Between floorkeeper and Prometheus: forwards every request, and plays the faults of a source that Prometheus itself can't
//! show, answers that are no number and no answer at all.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use floorkeeper_sim::scenario::Odd;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::series;

/// The server; it ends when this value is dropped.
pub(super) struct SourceProxy {
    url: String,
    mood: Arc<Mutex<Mood>>,
    server: JoinHandle<()>,
}

/// How the source answers now.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Mood {
    pub down: bool,
    /// To questions about the load at the edge.
    pub edge: Option<Odd>,
    /// To questions about what the service counts.
    pub app: Option<Odd>,
}

#[derive(Clone)]
struct Shared {
    client: reqwest::Client,
    upstream: String,
    mood: Arc<Mutex<Mood>>,
}

impl SourceProxy {
    /// `upstream`: Prometheus' URL.
    pub(super) async fn start(upstream: &str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no port for the source's proxy")?;
        let url = format!("http://{}", listener.local_addr()?);
        let mood = Arc::new(Mutex::new(Mood::default()));
        let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).build()?;
        let shared = Shared { client, upstream: upstream.trim_end_matches('/').to_owned(), mood: mood.clone() };
        let router = Router::new().fallback(answer).with_state(shared);
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(%error, "the source's proxy has ended");
            }
        });
        Ok(Self { url, mood, server })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn set(&self, mood: Mood) {
        if let Ok(mut now) = self.mood.lock() {
            *now = mood;
        }
    }
}

impl Drop for SourceProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mood = shared.mood.lock().map(|mood| *mood).unwrap_or_default();
    if mood.down {
        return (StatusCode::SERVICE_UNAVAILABLE, "the source is down\n").into_response();
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let odd = odd_for(&mood, path, &body);
    let mut request = shared.client.request(method, format!("{}{path}", shared.upstream)).body(body);
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    let answer = async {
        let answer = request.send().await?;
        Ok::<_, reqwest::Error>((answer.status(), answer.bytes().await?))
    };
    match answer.await {
        Ok((status, bytes)) => {
            let bytes = match odd {
                Some(odd) => strange(&bytes, odd).unwrap_or(bytes),
                None => bytes,
            };
            let kind = [(header::CONTENT_TYPE, "application/json")];
            (status, kind, Body::from(bytes)).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error}\n")).into_response(),
    }
}

/// The odd answer that is due to this question, if it is one for a load: questions about age and count of the series, and
/// about errors, are answered truly.
fn odd_for(mood: &Mood, path: &str, body: &[u8]) -> Option<Odd> {
    let asked = format!("{path}&{}", String::from_utf8_lossy(body));
    let asks = |metric: &str| asked.contains(&format!("rate%28{metric}")) || asked.contains(&format!("rate({metric}"));
    match (asks(series::REQUESTS), asks(series::HANDLED)) {
        (true, _) => mood.edge,
        (false, true) => mood.app,
        (false, false) => None,
    }
}

/// The answer with its numbers replaced; `None` if it is no vector.
fn strange(answer: &[u8], odd: Odd) -> Option<Bytes> {
    let mut answer: Value = serde_json::from_slice(answer).ok()?;
    let series = answer.get_mut("data")?.get_mut("result")?.as_array_mut()?;
    let replace = |series: &mut Vec<Value>, number: &str| {
        for one in series.iter_mut() {
            if let Some(pair) = one.get_mut("value") {
                pair[1] = json!(number);
            }
        }
    };
    match odd {
        Odd::NaN => replace(series, "NaN"),
        Odd::PlusInfinity => replace(series, "+Inf"),
        Odd::MinusInfinity => replace(series, "-Inf"),
        Odd::Huge => replace(series, "1e308"),
        Odd::Negative => replace(series, "-12.5"),
        Odd::String => replace(series, "many"),
        Odd::TwoSeries => {
            let mut twins = series.clone();
            for twin in &mut twins {
                twin["metric"]["replica"] = json!("b");
                twin["value"][1] = json!("1");
            }
            series.extend(twins);
        }
    }
    serde_json::to_vec(&answer).ok().map(Bytes::from)
}

/// Longer than any policy's patience at any speed.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"namespace":"a"},"value":[1,"80"]}]}}"#;

    #[test]
    fn numbers_become_odd_ones() {
        let value = |odd| {
            serde_json::from_slice::<Value>(&strange(ANSWER.as_bytes(), odd).unwrap()).unwrap()["data"]["result"]
                .clone()
        };
        assert_eq!(value(Odd::NaN)[0]["value"], json!([1, "NaN"]));
        assert_eq!(value(Odd::String)[0]["value"], json!([1, "many"]));
        let two = value(Odd::TwoSeries);
        assert_eq!((two[0]["value"].clone(), two[1]["metric"]["replica"].clone()), (json!([1, "80"]), json!("b")));
        assert_eq!(strange(b"no json", Odd::NaN), None);
    }

    #[test]
    fn only_questions_for_a_load_get_odd_answers() {
        let mood = Mood { edge: Some(Odd::NaN), ..Mood::default() };
        let body = "query=sum+by+%28namespace%2C+deployment%29+%28rate%28edge_requests_total%5B6s%5D%29%29";
        assert_eq!(odd_for(&mood, "/api/v1/query", body.as_bytes()), Some(Odd::NaN));
        assert_eq!(odd_for(&mood, "/api/v1/query", b"query=count%28edge_requests_total%29"), None);
        assert_eq!(odd_for(&mood, "/api/v1/query", b"query=sum%28rate%28edge_responses_total%5B6s%5D%29%29"), None);
    }
}
