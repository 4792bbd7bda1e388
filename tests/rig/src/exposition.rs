//! What an edge proxy or an application shows to Prometheus: a small server in the text format whose numbers a test sets,
//! and which can refuse, fail or dawdle like a real one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::ports::Port;

/// One scrape target on a port of its own, at `/metrics`. It stops when dropped.
///
/// ```no_run
/// use floorkeeper_rig::{Availability, Exposition};
///
/// # async fn example() -> anyhow::Result<()> {
/// let edge = Exposition::start().await?;
/// // All of a tick at once: a scrape sees it whole or not at all.
/// edge.update(|metrics| {
///     metrics.add("edge_requests_total", &[("service", "events-api"), ("code", "200")], 120.0);
///     metrics.set("edge_connections", &[("service", "events-api")], 17.0);
/// });
/// // Connection refused from here on.
/// edge.set_availability(Availability::Refusing);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Exposition {
    shared: Arc<Shared>,
    port: Port,
    server: JoinHandle<()>,
}

/// How a scrape target answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    Up,
    /// Nobody listens on the port.
    Refusing,
    /// Answers with this HTTP status.
    Failing(u16),
    /// Answers well, but only after this time.
    Slow(Duration),
}

/// The series of one target.
#[derive(Debug, Default)]
pub struct Metrics {
    families: BTreeMap<String, Family>,
}

#[derive(Debug)]
struct Shared {
    metrics: Mutex<Metrics>,
    availability: watch::Sender<Availability>,
}

#[derive(Debug)]
struct Family {
    kind: &'static str,
    /// By its labels as they are written.
    series: BTreeMap<String, f64>,
}

impl Exposition {
    pub async fn start() -> Result<Self> {
        let port = Port::lease()?;
        let (availability, mut changes) = watch::channel(Availability::Up);
        let shared = Arc::new(Shared { metrics: Mutex::default(), availability });
        let router = Router::new().route("/metrics", get(scrape)).with_state(Arc::clone(&shared));
        let address = (Ipv4Addr::LOCALHOST, port.number());
        let mut listener = TcpListener::bind(address).await?;
        let server = tokio::spawn(async move {
            loop {
                let refused = async { changes.wait_for(|now| *now == Availability::Refusing).await.map(drop) };
                tokio::select! {
                    served = axum::serve(listener, router.clone()) => tracing::warn!(?served, "an exposition stopped serving"),
                    // The listener is dropped with the server's future.
                    closed = refused => if closed.is_err() { return },
                }
                if changes.wait_for(|now| *now != Availability::Refusing).await.is_err() {
                    return;
                }
                listener = match TcpListener::bind(address).await {
                    Ok(listener) => listener,
                    Err(error) => return tracing::warn!(%error, "an exposition could not come back to its port"),
                };
            }
        });
        Ok(Self { shared, port, server })
    }

    /// `host:port`, as a scrape configuration wants it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    /// Changes any number of series; a scrape sees all of it or nothing.
    pub fn update<T>(&self, change: impl FnOnce(&mut Metrics) -> T) -> T {
        change(&mut lock(&self.shared.metrics))
    }

    /// The answers from now on. A target that refuses gives up its port before the next scrape, not before this returns.
    pub fn set_availability(&self, availability: Availability) {
        self.shared.availability.send_replace(availability);
    }
}

impl Drop for Exposition {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Metrics {
    /// Adds to a counter, which starts at 0.
    pub fn add(&mut self, name: &str, labels: &[(&str, &str)], by: f64) {
        *self.series("counter", name, labels) += by;
    }

    /// Sets a gauge.
    pub fn set(&mut self, name: &str, labels: &[(&str, &str)], to: f64) {
        *self.series("gauge", name, labels) = to;
    }

    /// The series is no longer there, as after a restart of the application that showed it.
    pub fn remove(&mut self, name: &str, labels: &[(&str, &str)]) {
        if let Some(family) = self.families.get_mut(name) {
            family.series.remove(&written(labels));
        }
    }

    /// No series at all any more.
    pub fn clear(&mut self) {
        self.families.clear();
    }

    fn series(&mut self, kind: &'static str, name: &str, labels: &[(&str, &str)]) -> &mut f64 {
        let family = self.families.entry(name.to_owned()).or_insert_with(|| Family { kind, series: BTreeMap::new() });
        family.series.entry(written(labels)).or_insert(0.0)
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (name, family) in &self.families {
            // Writing to a String can't fail.
            let _ = writeln!(text, "# TYPE {name} {}", family.kind);
            for (labels, value) in &family.series {
                let _ = match *value {
                    value if value == f64::INFINITY => writeln!(text, "{name}{labels} +Inf"),
                    value if value == f64::NEG_INFINITY => writeln!(text, "{name}{labels} -Inf"),
                    value => writeln!(text, "{name}{labels} {value}"),
                };
            }
        }
        text
    }
}

async fn scrape(State(shared): State<Arc<Shared>>) -> (StatusCode, [(HeaderName, &'static str); 2], String) {
    // A kept connection would still be answered after the port is closed.
    let headers = [(header::CONNECTION, "close"), (header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    let availability = *shared.availability.borrow();
    match availability {
        Availability::Up | Availability::Refusing => {}
        Availability::Failing(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return (status, headers, String::new());
        }
        Availability::Slow(delay) => tokio::time::sleep(delay).await,
    }
    let text = lock(&shared.metrics).text();
    (StatusCode::OK, headers, text)
}

/// Labels as the text format has them, sorted, so that their order doesn't make another series.
fn written(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let mut labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| {
            format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
        })
        .collect();
    labels.sort();
    format!("{{{}}}", labels.join(","))
}

/// A panic in somebody's `update` leaves numbers that are still numbers.
fn lock(metrics: &Mutex<Metrics>) -> std::sync::MutexGuard<'_, Metrics> {
    metrics.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_format() {
        let mut metrics = Metrics::default();
        metrics.add("b_total", &[("z", "1"), ("a", "say \"hi\"\n")], 2.0);
        metrics.add("b_total", &[("a", "say \"hi\"\n"), ("z", "1")], 0.5);
        metrics.set("a", &[], f64::NAN);
        metrics.set("c", &[], f64::INFINITY);
        let expected = "# TYPE a gauge\na NaN\n# TYPE b_total counter\nb_total{a=\"say \\\"hi\\\"\\n\",z=\"1\"} 2.5\n# TYPE c gauge\nc +Inf\n";
        assert_eq!(metrics.text(), expected);
    }
}
