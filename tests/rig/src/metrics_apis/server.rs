//! The TLS server that the API server's aggregation layer talks to.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::selector::Selector;
use super::{Behaviour, MetricsApi, Values, answers, lock};
use crate::credentials;

/// Serves until the task is aborted; gives the port.
pub(super) async fn start(values: Arc<Mutex<Values>>, client: kube::Client) -> Result<(u16, JoinHandle<()>)> {
    let (certificate, key) = credentials::self_signed()?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let accepted = accept(listener, TlsAcceptor::from(Arc::new(config)));
    let router = router(Shared { values, client });
    let server = tokio::spawn(async move {
        if let Err(error) = axum::serve(Tls { address, accepted }, router).await {
            tracing::warn!(%error, "the metrics APIs stopped serving");
        }
    });
    Ok((address.port(), server))
}

#[derive(Clone)]
struct Shared {
    values: Arc<Mutex<Values>>,
    client: kube::Client,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Selectors {
    label_selector: String,
    #[allow(dead_code)] // Custom metrics here have no labels of their own.
    metric_label_selector: String,
}

type Answer = (StatusCode, Json<Value>);

fn router(shared: Shared) -> Router {
    let mut router = Router::new()
        .route("/apis/metrics.k8s.io/v1beta1/pods", get(all_pods))
        .route("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods", get(pods))
        .route("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods/{name}", get(pod))
        .route("/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{metric}", get(external))
        .route("/apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}/{resource}/{name}/{metric}", get(custom));
    for api in MetricsApi::ALL {
        let discovery = async move |State(shared): State<Shared>| {
            let values = lock(&shared.values);
            match values.behaviour.get(&api) {
                Some(Behaviour::Down) => fail(503, "down"),
                _ => (StatusCode::OK, Json(answers::resources(api, &values))),
            }
        };
        router = router.route(&format!("/apis/{}", api.group_version()), get(discovery));
    }
    router.fallback(async || fail(404, "no such path")).with_state(shared)
}

async fn all_pods(State(shared): State<Shared>, Query(selectors): Query<Selectors>) -> Answer {
    let pods = Api::all(shared.client.clone());
    pod_list(&shared, pods, &selectors).await
}

async fn pods(
    State(shared): State<Shared>,
    Path(namespace): Path<String>,
    Query(selectors): Query<Selectors>,
) -> Answer {
    let pods = Api::namespaced(shared.client.clone(), &namespace);
    pod_list(&shared, pods, &selectors).await
}

async fn pod_list(shared: &Shared, pods: Api<Pod>, selectors: &Selectors) -> Answer {
    if let Some(answer) = behave(shared, MetricsApi::Resource).await {
        return answer;
    }
    match pods.list(&listing(selectors)).await {
        Ok(pods) => {
            let usages = answers::pod_usages(&lock(&shared.values), &pods.items, Timestamp::now());
            (StatusCode::OK, Json(answers::list(MetricsApi::Resource, usages)))
        }
        Err(error) => fail(500, &error.to_string()),
    }
}

async fn pod(State(shared): State<Shared>, Path((namespace, name)): Path<(String, String)>) -> Answer {
    if let Some(answer) = behave(&shared, MetricsApi::Resource).await {
        return answer;
    }
    match Api::<Pod>::namespaced(shared.client.clone(), &namespace).get_opt(&name).await {
        Ok(pod) => match answers::pod_usages(&lock(&shared.values), pod.as_slice(), Timestamp::now()).pop() {
            Some(usage) => (StatusCode::OK, Json(usage)),
            None => fail(404, "no metrics for this pod"),
        },
        Err(error) => fail(500, &error.to_string()),
    }
}

async fn external(
    State(shared): State<Shared>,
    Path((namespace, metric)): Path<(String, String)>,
    Query(selectors): Query<Selectors>,
) -> Answer {
    if let Some(answer) = behave(&shared, MetricsApi::External).await {
        return answer;
    }
    let Some(selector) = Selector::parse(&selectors.label_selector) else { return fail(400, "not a label selector") };
    let items = answers::external(&lock(&shared.values), &namespace, &metric, &selector, Timestamp::now());
    (StatusCode::OK, Json(answers::list(MetricsApi::External, items)))
}

async fn custom(
    State(shared): State<Shared>,
    Path((namespace, resource, name, metric)): Path<(String, String, String, String)>,
    Query(selectors): Query<Selectors>,
) -> Answer {
    if let Some(answer) = behave(&shared, MetricsApi::Custom).await {
        return answer;
    }
    let names = match (name.as_str(), resource.as_str()) {
        ("*", "pods") => {
            match Api::<Pod>::namespaced(shared.client.clone(), &namespace).list(&listing(&selectors)).await {
                Ok(pods) => Some(pods.items.into_iter().filter_map(|pod| pod.metadata.name).collect()),
                Err(error) => return fail(500, &error.to_string()),
            }
        }
        ("*", _) => None,
        _ => Some(vec![name]),
    };
    let items =
        answers::custom(&lock(&shared.values), &namespace, &resource, names.as_deref(), &metric, Timestamp::now());
    if items.is_empty() {
        return fail(404, "no such metric");
    }
    (StatusCode::OK, Json(answers::list(MetricsApi::Custom, items)))
}

/// What the API answers instead of values, if it misbehaves.
async fn behave(shared: &Shared, api: MetricsApi) -> Option<Answer> {
    let behaviour = lock(&shared.values).behaviour.get(&api).copied().unwrap_or_default();
    match behaviour {
        Behaviour::Normal => None,
        Behaviour::Empty => Some((StatusCode::OK, Json(answers::list(api, Vec::new())))),
        Behaviour::NotFound => Some(fail(404, "the metric is not known")),
        Behaviour::Failing(status) => Some(fail(status, "the test said so")),
        Behaviour::Slow(delay) => {
            tokio::time::sleep(delay).await;
            None
        }
        Behaviour::Down => Some(fail(503, "down")),
    }
}

/// From the API server's watch cache: an HPA asks each second.
fn listing(selectors: &Selectors) -> ListParams {
    ListParams::default().labels(&selectors.label_selector).match_any()
}

fn fail(code: u16, message: &str) -> Answer {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(answers::failure(code, message)))
}

/// Connections whose TLS handshake is done. Each handshake has a task of its own, so that a dead peer blocks nobody.
struct Tls {
    address: SocketAddr,
    accepted: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.accepted.recv().await {
            Some(connection) => connection,
            // The accepting task has ended: there will never be another one.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

fn accept(listener: TcpListener, acceptor: TlsAcceptor) -> mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)> {
    let (connections, accepted) = mpsc::channel(CONNECTIONS);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = connections.closed() => return,
                connection = listener.accept() => {
                    let Ok((stream, peer)) = connection else { continue };
                    let (acceptor, connections) = (acceptor.clone(), connections.clone());
                    tokio::spawn(async move {
                        if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_BOUND, acceptor.accept(stream)).await {
                            // Nobody is left to serve it if this fails.
                            let _ = connections.send((stream, peer)).await;
                        }
                    });
                }
            }
        }
    });
    accepted
}

/// The API server keeps a handful of connections.
const CONNECTIONS: usize = 16;
const HANDSHAKE_BOUND: Duration = Duration::from_secs(5);
