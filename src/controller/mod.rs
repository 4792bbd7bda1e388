//! The shell around the engine: watches and sources in, writes, status and events out.
//!
//! ```text
//!   watches, sources -> registry -> Input -> driver (owns the engine, never waits) -> lanes -> apply
//!                                              |                                         |
//!                                              +-> reports -> status, events   outcomes -+-> Input
//! ```

mod client;
mod clock;
mod desk;
mod driver;
mod enforcement;
mod input;
mod kinds;
mod lanes;
mod overrides;
mod permits;
mod registry;
mod reports;
mod scribe;
mod serve;
mod statuses;
mod vitals;
mod watch;
mod workloads;
mod world;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::Write;
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::info;

use self::desk::Desk;
use self::driver::Driver;
use self::enforcement::Enforcements;
use self::input::Input;
use self::reports::Reports;
use self::scribe::Scribe;
use self::vitals::Vitals;
use crate::apply::{Events, Kinds, Writer};
use crate::metrics::Metrics;

pub use self::client::{Access, AccessError, client, config};

/// What the operator runs on.
pub struct Settings {
    /// Built by [`client`].
    pub client: Client,
    /// floorkeeper's own namespace.
    pub namespace: String,
    /// For `/healthz`, `/readyz` and `/metrics`.
    pub listener: TcpListener,
}

/// Why the operator ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("/healthz, /readyz and /metrics can't be served: {0}")]
    Serve(#[source] std::io::Error),
}

/// Runs until `stop`; then finishes the writes that are under way.
pub async fn run(settings: Settings, stop: impl Future<Output = ()>) -> Result<(), Error> {
    let Settings { client, namespace, listener } = settings;
    let metrics = Arc::new(Metrics::new());
    let vitals = Arc::new(Vitals::default());
    let reports = Arc::new(Reports::default());
    let kinds = Arc::new(Kinds::default());
    let writer = Writer::new(client.clone(), Arc::clone(&kinds), Arc::clone(&metrics));
    let views = writer.clone();
    let (inputs, received) = mpsc::channel::<Input>(INPUTS_WAITING);

    info!(version = env!("CARGO_PKG_VERSION"), %namespace, "floorkeeper starts");
    let serving = serve::serve(listener, Arc::clone(&vitals), Arc::clone(&metrics));
    let write = move |write: Arc<Write>| {
        let writer = writer.clone();
        async move { writer.carry_out(&write).await }
    };
    let events = Events::start(client.clone(), instance(), Arc::clone(&metrics));
    let (_permits, permitted) = permits::watch(&client);
    let scribe = Scribe::new(views.clone(), events, Enforcements::new(views, permitted));
    let desk = Desk {
        client,
        namespace,
        kinds,
        vitals: Arc::clone(&vitals),
        reports: Arc::clone(&reports),
        inputs: inputs.clone(),
    };
    // Dropped, and so ended, when this function ends.
    let mut around = JoinSet::new();
    around.spawn(desk.run());
    let mut scribes = JoinSet::new();
    scribes.spawn(scribe.run(Arc::clone(&reports)));
    let driver = Driver::new(write, inputs, Arc::clone(&reports), vitals, metrics);
    tokio::select! {
        ended = serving => ended.map_err(Error::Serve)?,
        () = driver.run(received, stop) => {}
    }
    reports.close();
    if tokio::time::timeout(SAID_WITHIN, scribes.join_next()).await.is_err() {
        info!("stopping with statuses unsaid; the next start says them");
    }
    info!("floorkeeper stops; floors stay where they are");
    Ok(())
}

/// Who reports events: the pod, or this machine.
fn instance() -> String {
    std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_else(|_| "floorkeeper".to_owned())
}

/// A status is a view; the next process writes it as well.
const SAID_WITHIN: Duration = Duration::from_secs(3);

/// Twice what one turn takes: the loop always finds a full batch, and the senders feel it when it is behind.
const INPUTS_WAITING: usize = 4096;
