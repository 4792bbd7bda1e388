//! What the proxy does to one life's operator: counts its writes, kills it at the one that was chosen, shows it an old
//! world, keeps news from it, or answers it badly.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::watch;

use crate::life::Phase;
use crate::news::{Weather, relayed};
use crate::stage::operator::Operator;
use crate::stage::proxy::{Fate, Manner, Way};
use crate::world::World;

/// A crash at one of the operator's writes.
#[derive(Clone, Debug)]
pub(crate) struct Crash {
    pub(crate) phase: Phase,
    /// What its method and path have in them.
    pub(crate) write: &'static str,
    /// The first is 1.
    pub(crate) nth: usize,
    pub(crate) when: When,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// It is never sent on.
    Before,
    /// The API server has answered, and nobody hears it.
    After,
}

/// One write that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) phase: Phase,
    pub(crate) what: String,
}

/// Clones are one.
#[derive(Clone)]
pub(crate) struct Keeper(Arc<Shared>);

struct Shared {
    operator: tokio::sync::Mutex<Option<Operator>>,
    starts: Mutex<usize>,
    /// More arguments.
    flags: Mutex<Vec<String>>,
    directory: PathBuf,
    kubeconfig: Mutex<PathBuf>,
    book: Mutex<Book>,
    weather: watch::Sender<Weather>,
}

struct Book {
    phase: Phase,
    writes: Vec<Written>,
    crashes: Vec<Crash>,
    crashed: Vec<String>,
    /// What befalls the first try of every write.
    fate: Fate,
    befallen: HashSet<(Phase, String)>,
    /// Lists by their path, as of some time.
    lists: HashMap<String, Bytes>,
    shows_lists: bool,
}

impl Keeper {
    pub(crate) fn new(world: &World, crashes: Vec<Crash>, fate: Fate) -> Self {
        let book = Book {
            phase: Phase::Born,
            writes: Vec::new(),
            crashes,
            crashed: Vec::new(),
            fate,
            befallen: HashSet::new(),
            lists: HashMap::new(),
            shows_lists: false,
        };
        Self(Arc::new(Shared {
            operator: tokio::sync::Mutex::default(),
            starts: Mutex::default(),
            flags: Mutex::default(),
            directory: world.cluster.directory().to_owned(),
            kubeconfig: Mutex::default(),
            book: Mutex::new(book),
            weather: watch::Sender::new(Weather::default()),
        }))
    }

    pub(crate) async fn start(&self, kubeconfig: PathBuf) -> Result<()> {
        *self.0.kubeconfig.lock().unwrap_or_else(PoisonError::into_inner) = kubeconfig;
        self.crash().await
    }

    /// kill -9, and a new start.
    pub(crate) async fn crash(&self) -> Result<()> {
        let mut operator = self.0.operator.lock().await;
        if let Some(operator) = operator.take() {
            operator.lines()?;
            operator.kill();
        }
        let kubeconfig = self.0.kubeconfig.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let number = {
            let mut starts = self.0.starts.lock().unwrap_or_else(PoisonError::into_inner);
            *starts += 1;
            *starts
        };
        let flags = self.0.flags.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        *operator = Some(Operator::start_in(&self.0.directory, &kubeconfig, &format!("life-{number}"), &flags)?);
        Ok(())
    }

    /// From the next start on, how long a floor outlives its policy.
    pub(crate) fn adopts_for(&self, adoption: Duration) {
        let flags = vec!["--adoption".to_owned(), adoption.as_secs().to_string()];
        *self.0.flags.lock().unwrap_or_else(PoisonError::into_inner) = flags;
    }

    pub(crate) async fn ready(&self) -> Result<()> {
        self.0.operator.lock().await.as_mut().context("it was never started")?.ready().await
    }

    /// Kills it for good; an error if it had panicked.
    pub(crate) async fn end(&self) -> Result<()> {
        let Some(operator) = self.0.operator.lock().await.take() else { return Ok(()) };
        operator.lines()?;
        operator.kill();
        Ok(())
    }

    pub(crate) async fn log(&self) -> String {
        self.0.operator.lock().await.as_ref().map(Operator::log).unwrap_or_default()
    }

    pub(crate) fn begin(&self, phase: Phase) {
        self.book().phase = phase;
    }

    pub(crate) fn writes(&self) -> Vec<Written> {
        self.book().writes.clone()
    }

    /// What it was killed at.
    pub(crate) fn crashed(&self) -> Vec<String> {
        self.book().crashed.clone()
    }

    pub(crate) fn weather(&self, change: impl FnOnce(&mut Weather)) {
        self.0.weather.send_modify(change);
    }

    /// Keeps the lists of this moment.
    pub(crate) async fn remember(&self, world: &World, plurals: &[&str]) -> Result<()> {
        for (plural, path) in LISTS.iter().filter(|(plural, _)| plurals.contains(plural)) {
            let request = Request::get(*path).header(header::ACCEPT, "application/json").body(Vec::new())?;
            let list = world.cluster.client().request_text(request).await.with_context(|| (*plural).to_owned())?;
            self.book().lists.insert((*path).to_owned(), list.into());
        }
        Ok(())
    }

    /// Whoever lists from now on sees what was remembered.
    pub(crate) fn show_old_lists(&self, show: bool) {
        self.book().shows_lists = show;
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn old_list(&self, path: &str) -> Option<Bytes> {
        let book = self.book();
        book.lists.get(path).filter(|_| book.shows_lists).cloned()
    }

    /// Counts a write: what befalls it, and the crash that was chosen for it.
    fn count(&self, what: String) -> (Fate, Option<Crash>) {
        let mut book = self.book();
        let phase = book.phase;
        book.writes.push(Written { phase, what: what.clone() });
        let matches = |crash: &Crash, write: &Written| crash.phase == write.phase && write.what.contains(crash.write);
        let due = book.crashes.iter().position(|crash| {
            let last = book.writes.last().is_some_and(|last| matches(crash, last));
            last && book.writes.iter().filter(|write| matches(crash, write)).count() == crash.nth
        });
        let crash = due.map(|place| book.crashes.remove(place));
        if let Some(crash) = &crash {
            let done = format!("{:?} {phase:?} {what}", crash.when);
            book.crashed.push(done);
        }
        // Events are repeated by nobody.
        let first = book.fate != Fate::Forwarded && !what.contains("/events") && book.befallen.insert((phase, what));
        (if first { book.fate } else { Fate::Forwarded }, crash)
    }
}

impl Manner for Keeper {
    async fn answer(self, way: Way, request: Request<Body>) -> Response {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let query = request.uri().query().unwrap_or_default().to_owned();
        if method == Method::GET {
            if query.contains("watch=") {
                let weather = self.0.weather.subscribe();
                return relayed(way.forward(request).await, &path, weather);
            }
            return match self.old_list(&path) {
                Some(list) => ([(header::CONTENT_TYPE, "application/json")], list).into_response(),
                None => way.forward(request).await,
            };
        }
        // Questions that change nothing.
        if query.contains("dryRun") || path.contains("authorization.k8s.io") {
            return way.forward(request).await;
        }
        let (fate, crash) = self.count(format!("{method} {path}"));
        let Some(crash) = crash else { return way.carry(fate, request).await };
        // In a task of its own: who asked is about to die, and this must not end with it.
        let deed = tokio::spawn(async move {
            if crash.when == When::After {
                way.forward(request).await;
            }
            self.crash().await
        });
        let _ = deed.await;
        (StatusCode::BAD_GATEWAY, "who asked is dead").into_response()
    }
}

/// Nothing that is not asked for by these paths can be shown as it was.
pub(crate) const LISTS: [(&str, &str); 4] = [
    ("scalingpolicies", "/apis/floorkeeper.dev/v1alpha1/scalingpolicies"),
    ("floortables", "/apis/floorkeeper.dev/v1alpha1/floortables"),
    ("deployments", "/apis/apps/v1/deployments"),
    ("horizontalpodautoscalers", "/apis/autoscaling/v2/horizontalpodautoscalers"),
];

/// How long an old view lasts: several rounds of decisions.
pub(crate) const OLD_FOR: Duration = Duration::from_secs(2);
