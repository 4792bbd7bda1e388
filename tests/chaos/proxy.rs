//! A bad way to the API server: a share of the requests, chosen by chance, fares ill.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use axum::body::Body;
use axum::http::{Method, Request};
use axum::response::Response;
use floorkeeper_rig::Cluster;

use crate::seed::Seed;
use crate::stage::proxy::{self, Fate, Manner, Way};

/// A server in front of the cluster's; it ends when dropped.
pub(crate) struct Proxy {
    server: proxy::Proxy,
    chance: Chance,
}

#[derive(Clone)]
struct Chance(Arc<Mutex<Book>>);

/// What was asked, and what is to become of what is asked next.
struct Book {
    seed: Seed,
    /// Of a hundred requests, how many fare ill.
    percent: u64,
    asked: Vec<(Instant, String, Fate)>,
}

impl Proxy {
    pub(crate) async fn start(cluster: &Cluster, seed: Seed) -> Result<Self> {
        let chance = Chance(Arc::new(Mutex::new(Book { seed, percent: 0, asked: Vec::new() })));
        Ok(Self { server: proxy::Proxy::start(cluster, chance.clone()).await?, chance })
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        self.server.kubeconfig()
    }

    /// From now on `percent` of the requests fare ill.
    pub(crate) fn fail(&self, percent: u64) {
        self.chance.lock().percent = percent;
    }

    /// How many requests there were, how many of them fared ill, and the most in one second.
    pub(crate) fn tally(&self) -> (usize, usize, usize) {
        let book = self.chance.lock();
        let ill = book.asked.iter().filter(|(_, _, fate)| *fate != Fate::Forwarded).count();
        let within = |at: Instant| {
            let later = book.asked.iter().skip_while(|(other, ..)| *other < at);
            later.take_while(|(other, ..)| *other < at + Duration::from_secs(1)).count()
        };
        (book.asked.len(), ill, book.asked.iter().map(|(at, ..)| within(*at)).max().unwrap_or_default())
    }
}

impl Manner for Chance {
    async fn answer(self, way: Way, request: Request<Body>) -> Response {
        let fate = self.fate(request.method(), request.uri().path());
        way.carry(fate, request).await
    }
}

impl Chance {
    fn lock(&self) -> std::sync::MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
