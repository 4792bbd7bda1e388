//! The HTTP client for Prometheus-compatible servers: bounded in time and size, and silent about secrets.
//!
//! It hands over the body of a successful exchange, or why there is none. What the body says is `reply`'s.

use core::fmt;
use core::time::Duration;

use floorkeeper_core::{Failure, Timestamp};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Identity, Response, Url, redirect};

use super::config::{Auth, Prometheus, SecretKey};
use super::credentials::Secrets;
use super::reply;

/// A connection pool to one server.
pub(super) struct Client {
    http: reqwest::Client,
    instant: Url,
    range: Url,
    login: Login,
    timeout: Duration,
    body_limit: usize,
}

/// Why a client can't be built: a sentence for the source's status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("Secret {0:?} or its key {1:?} is not there (in floorkeeper's own namespace): create it")]
    NoSecret(String, String),
    #[error("key {1:?} of Secret {0:?} is no text")]
    NotText(String, String),
    #[error("{0} is no PEM that can be used: {1}")]
    NotPem(&'static str, String),
    #[error("header {0:?} can't be sent: its name or value has characters that no header can have")]
    Header(String),
    #[error("the URL can't carry a path: write one such as http://prometheus.monitoring:9090")]
    Url,
    #[error("the TLS client can't be made: {0}")]
    Tls(String),
}

enum Login {
    None,
    Bearer(String),
    Basic { username: String, password: String },
}

impl Client {
    /// A client for a server; `timeout` is for a whole exchange, `body_limit` for its unpacked answer.
    pub(super) fn new(
        server: &Prometheus,
        secrets: &Secrets,
        timeout: Duration,
        body_limit: usize,
    ) -> Result<Self, Unusable> {
        let login = match &server.auth {
            Auth::None => Login::None,
            Auth::Bearer(token) => Login::Bearer(text(secrets, token)?),
            Auth::Basic { username, password } => {
                Login::Basic { username: text(secrets, username)?, password: text(secrets, password)? }
            }
        };
        Ok(Self {
            http: http(server, secrets, timeout)?,
            instant: endpoint(server, "query")?,
            range: endpoint(server, "query_range")?,
            login,
            timeout,
            body_limit,
        })
    }

    /// Evaluates a query at the server's present.
    pub(super) async fn instant(&self, query: &str) -> Result<Vec<u8>, Failure> {
        self.ask(&self.instant, &[("query", query)]).await
    }

    /// Evaluates a query at each step from `start` to `end`.
    pub(super) async fn range(
        &self,
        query: &str,
        start: Timestamp,
        end: Timestamp,
        step: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let step = format!("{}ms", step.as_millis().max(1));
        let (start, end) = (start.to_string(), end.to_string());
        self.ask(&self.range, &[("query", query), ("start", &start), ("end", &end), ("step", &step)]).await
    }

    async fn ask(&self, url: &Url, form: &[(&str, &str)]) -> Result<Vec<u8>, Failure> {
        // The client's own timeout ends where the body begins to be read by us: this one covers all of it.
        tokio::time::timeout(self.timeout, self.exchange(url, form)).await.unwrap_or(Err(Failure::Timeout))
    }

    async fn exchange(&self, url: &Url, form: &[(&str, &str)]) -> Result<Vec<u8>, Failure> {
        let request = self.http.post(url.clone()).form(form);
        let request = match &self.login {
            Login::None => request,
            Login::Bearer(token) => request.bearer_auth(token),
            Login::Basic { username, password } => request.basic_auth(username, Some(password)),
        };
        let response = request.send().await.map_err(|error| failure(&error))?;
        let status = response.status();
        if status.is_success() {
            return read(response, self.body_limit).await;
        }
        let body = read(response, self.body_limit.min(ERROR_BODY_LIMIT)).await.unwrap_or_default();
        Err(reply::parse_error(status.as_u16(), &body))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("host", &self.instant.host_str()).finish_non_exhaustive()
    }
}

/// Reads a body, piece by piece, never more than `limit` of it.
async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, Failure> {
    let told = response.content_length().unwrap_or(0);
    if told > limit as u64 {
        return Err(Failure::TooLarge);
    }
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + piece.len() > limit {
            return Err(Failure::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn failure(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        Failure::Timeout
    } else if error.is_decode() {
        Failure::Garbage
    } else {
        Failure::Unreachable
    }
}

fn http(server: &Prometheus, secrets: &Secrets, timeout: Duration) -> Result<reqwest::Client, Unusable> {
    // Already installed in the operator; without one the builder below would panic.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("floorkeeper/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers(&server.headers)?)
        // A redirect would carry our question, and our headers, to a place that nobody configured.
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(timeout)
        .timeout(timeout);
    if let Some(ca) = &server.tls.ca {
        let pem = bytes(secrets, ca)?;
        let roots = Certificate::from_pem_bundle(pem).map_err(|error| not_pem("the CA", &error))?;
        if roots.is_empty() {
            return Err(Unusable::NotPem("the CA", "there is no certificate in it".to_owned()));
        }
        builder = builder.tls_certs_only(roots);
    } else if server.url.scheme() == "http" {
        // Roots that are never used: a machine without a trust store can still speak plain HTTP.
        builder = builder.tls_certs_only([]);
    }
    if let Some(client) = &server.tls.client {
        let mut pem = bytes(secrets, &client.certificate)?.to_vec();
        pem.push(b'\n');
        pem.extend_from_slice(bytes(secrets, &client.key)?);
        builder =
            builder.identity(Identity::from_pem(&pem).map_err(|error| not_pem("the client certificate", &error))?);
    }
    builder
        .tls_danger_accept_invalid_certs(server.tls.insecure_skip_verify)
        .build()
        .map_err(|error| Unusable::Tls(error.without_url().to_string()))
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, Unusable> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let refused = |_| Unusable::Header(name.clone());
        let key = HeaderName::try_from(name.as_str()).map_err(|_| Unusable::Header(name.clone()))?;
        let mut value = HeaderValue::try_from(value.as_str()).map_err(refused)?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

fn endpoint(server: &Prometheus, name: &str) -> Result<Url, Unusable> {
    let mut url = server.url.clone();
    url.path_segments_mut().map_err(|()| Unusable::Url)?.pop_if_empty().extend(["api", "v1", name]);
    if !server.parameters.is_empty() {
        url.query_pairs_mut().extend_pairs(&server.parameters);
    }
    Ok(url)
}

fn bytes<'a>(secrets: &'a Secrets, key: &SecretKey) -> Result<&'a [u8], Unusable> {
    secrets.get(key).ok_or_else(|| Unusable::NoSecret(key.secret.to_string(), key.key.to_string()))
}

/// A secret as text, without the line end that editors leave.
fn text(secrets: &Secrets, key: &SecretKey) -> Result<String, Unusable> {
    let text = core::str::from_utf8(bytes(secrets, key)?)
        .map_err(|_| Unusable::NotText(key.secret.to_string(), key.key.to_string()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn not_pem(what: &'static str, error: &reqwest::Error) -> Unusable {
    Unusable::NotPem(what, error.to_string())
}

/// An error's body is read for its `errorType`, which stands in the first few hundred bytes.
const ERROR_BODY_LIMIT: usize = 64 * 1024;
