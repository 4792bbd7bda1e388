//! The right to write, asked for at the moment of sending.
//!
//! Every write of floorkeeper goes through a client made by [`Tenure::fence`]: whatever decided it, and however long ago,
//! it is sent only while this process leads, and given up when it could land in another leader's time. Reads pass.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::http::{Method, Request};
use kube::Client;
use kube::client::Body;
use tokio::time::timeout;

/// Whether this process leads. Clone it freely: it is a handle.
#[derive(Clone, Debug)]
pub struct Tenure(Option<Arc<Mutex<Option<Held>>>>);

/// Leadership, until when.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// On the clock that only runs forward, but stands still while a machine sleeps.
    until: Instant,
    /// On the wall clock, which then has jumped.
    until_by_wall: SystemTime,
    /// How long a write that began in time may be under way.
    landing: Duration,
}

/// A write was not sent, or is no longer waited for.
#[derive(Debug, thiserror::Error)]
#[error("this process does not lead: another one writes, or nobody does until the lease is renewed")]
struct NotLeading;

impl Tenure {
    /// Without an election: the one process leads.
    #[must_use]
    pub fn always() -> Self {
        Self(None)
    }

    /// Of a lease: not held before [`Tenure::hold`].
    #[must_use]
    pub fn of_lease() -> Self {
        Self(Some(Arc::default()))
    }

    /// The lease was won or renewed: writes may begin before `until`, and be under way for `landing` after that.
    pub fn hold(&self, until: Instant, landing: Duration) {
        let left = until.saturating_duration_since(Instant::now());
        self.set(Some(Held { until, until_by_wall: SystemTime::now() + left, landing }));
    }

    /// Nothing is written any more.
    pub fn give_up(&self) {
        self.set(None);
    }

    /// There is an election.
    #[must_use]
    pub fn is_elected(&self) -> bool {
        self.0.is_some()
    }

    /// A write may begin now.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.left().is_some()
    }

    /// A client whose writes are sent only while this process leads. The lease itself needs another one.
    #[must_use]
    pub fn fence(&self, client: Client) -> Client {
        if self.0.is_none() {
            return client;
        }
        let (tenure, namespace) = (self.clone(), client.default_namespace().to_owned());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (tenure, client) = (tenure.clone(), client.clone());
            async move {
                if matches!(*request.method(), Method::GET | Method::HEAD) {
                    return Ok(client.send(request).await?);
                }
                let left = tenure.left().ok_or(NotLeading)?;
                Ok::<_, tower::BoxError>(timeout(left, client.send(request)).await.map_err(|_| NotLeading)??)
            }
        });
        Client::new(service, namespace)
    }

    /// How long a write that begins now may take; `None`: it must not begin.
    fn left(&self) -> Option<Duration> {
        let Some(held) = &self.0 else { return Some(Duration::MAX) };
        let held = (*held.lock().unwrap_or_else(PoisonError::into_inner))?;
        let now = Instant::now();
        let stands = now < held.until && SystemTime::now() < held.until_by_wall;
        stands.then(|| held.until.duration_since(now) + held.landing)
    }

    fn set(&self, held: Option<Held>) {
        if let Some(lease) = &self.0 {
            *lease.lock().unwrap_or_else(PoisonError::into_inner) = held;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::http::Response;

    use super::*;

    /// A client that answers everything, and how often it was asked.
    fn counting() -> (Client, Arc<AtomicU32>) {
        let asked = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&asked);
        let service = tower::service_fn(move |_: Request<Body>| {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, tower::BoxError>(Response::new(Body::empty())) }
        });
        (Client::new(service, "own"), asked)
    }

    async fn send(client: &Client, method: Method) -> kube::Result<()> {
        let request = Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
        client.send(request).await.map(drop)
    }

    #[tokio::test]
    async fn only_who_leads_writes() {
        let tenure = Tenure::of_lease();
        let (client, asked) = counting();
        let fenced = tenure.fence(client);
        let long = Duration::from_secs(600);
        assert_eq!(fenced.default_namespace(), "own");
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            tenure.hold(Instant::now() + long, long);
            assert!(tenure.holds());
            send(&fenced, method.clone()).await.unwrap();
            tenure.give_up();
            let refused = send(&fenced, method.clone()).await.unwrap_err();
            assert!(matches!(refused, kube::Error::Service(_)), "{refused:?}");
            // A lease whose time is over is none.
            tenure.hold(Instant::now(), long);
            assert!(!tenure.holds() && send(&fenced, method).await.is_err());
        }
        send(&fenced, Method::GET).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 5, "four writes and a read");
    }

    #[tokio::test]
    async fn what_does_not_land_in_time_is_given_up() {
        let stuck = tower::service_fn(|_: Request<Body>| async {
            std::future::pending::<()>().await;
            Ok::<_, tower::BoxError>(Response::new(Body::empty()))
        });
        let tenure = Tenure::of_lease();
        let fenced = tenure.fence(Client::new(stuck, "own"));
        tenure.hold(Instant::now() + Duration::from_millis(50), Duration::from_millis(50));
        assert!(send(&fenced, Method::PUT).await.is_err());
    }

    #[test]
    fn without_an_election_it_always_leads() {
        let tenure = Tenure::always();
        tenure.give_up();
        assert!(tenure.holds() && !tenure.is_elected());
    }
}
