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
mod election;
mod enforcement;
mod histories;
mod input;
mod keda;
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

use floorkeeper_core::lease::Why;
use floorkeeper_core::{Engine, Write};
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch as latest};
use tokio::task::JoinSet;
use tracing::info;

use self::desk::Desk;
use self::driver::{Driver, Ended};
use self::election::Elector;
use self::enforcement::Enforcements;
use self::histories::Histories;
use self::input::Input;
use self::reports::Reports;
use self::scribe::Scribe;
use self::vitals::Vitals;
use crate::apply::{Events, Kinds, Tenure, Writer};
use crate::metrics::Metrics;
use crate::observe::LookBacks;

pub use self::client::{Access, AccessError, client, config};
pub use self::election::LeaseSettings;

/// What the operator runs on.
pub struct Settings {
    /// Built by [`client`].
    pub client: Client,
    /// floorkeeper's own namespace.
    pub namespace: String,
    /// For `/healthz`, `/readyz` and `/metrics`.
    pub listener: TcpListener,
    /// `None`: this is the only process, it leads at once.
    pub lease: Option<LeaseSettings>,
    /// How long a floor outlives its policy. `None`: as long as it should.
    pub adoption: Option<Duration>,
}

/// Why the operator ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("/healthz, /readyz and /metrics can't be served: {0}")]
    Serve(#[source] std::io::Error),
    #[error("{}; floors stay where they are, this process ends and starts again as a standby", lost(*.0))]
    LeaseLost(Why),
    #[error(
        "floors of a later leader are stored although this process holds the lease (was a backup restored?): it gives the \
         lease back and starts again"
    )]
    Superseded,
}

/// Runs until `stop`; then finishes the writes that are under way, and gives the lease back.
pub async fn run(settings: Settings, stop: impl Future<Output = ()>) -> Result<(), Error> {
    let Settings { client, namespace, listener, lease, adoption } = settings;
    let metrics = Arc::new(Metrics::new());
    let vitals = Arc::new(Vitals::default());
    let reports = Arc::new(Reports::default());
    let kinds = Arc::new(Kinds::default());
    let tenure = if lease.is_some() { Tenure::of_lease() } else { Tenure::always() };
    let (unfenced, client) = (client.clone(), tenure.fence(client));
    let writer = Writer::new(client.clone(), Arc::clone(&kinds), Arc::clone(&metrics));
    let views = writer.clone();
    let (inputs, received) = mpsc::channel::<Input>(INPUTS_WAITING);

    info!(version = env!("CARGO_PKG_VERSION"), %namespace, elected = lease.is_some(), "floorkeeper starts");
    let serving = serve::serve(listener, Arc::clone(&vitals), Arc::clone(&metrics));
    let write = move |write: Arc<Write>| {
        let writer = writer.clone();
        async move { writer.carry_out(&write).await }
    };
    let term = lease.is_none().then_some(0);
    let engine = adoption.map_or_else(Engine::standby, |adoption| Engine::standby().adopting_for(adoption));
    let (told, alive, counted) = (Arc::clone(&reports), Arc::clone(&vitals), Arc::clone(&metrics));
    let driver = Driver::new(engine, write, inputs.clone(), term, told, alive, counted);
    let resign = latest::Sender::new(false);
    let (warm, mut leads) = (driver.warm(), driver.leads());
    let mut elected = JoinSet::new();
    if let Some(settings) = lease {
        let elector = Elector {
            client: unfenced,
            namespace: namespace.clone(),
            settings,
            identity: identity(),
            tenure: tenure.clone(),
            metrics: Arc::clone(&metrics),
            inputs: inputs.clone(),
        };
        elected.spawn(elector.run(warm, resign.subscribe()));
    }
    let events = Events::start(client.clone(), instance(), metrics);
    let (_permits, permitted) = permits::watch(&client);
    let (look_backs, wanted) = latest::channel(LookBacks::new());
    let (told, pasts) = mpsc::channel(PASTS_WAITING);
    let ends = histories::Ends {
        client: client.clone(),
        vitals: Arc::clone(&vitals),
        inputs: inputs.clone(),
        look_backs,
        pasts,
    };
    let histories = Histories::new(views.clone(), ends);
    let scribe = Scribe::new(views.clone(), events, Enforcements::new(views, permitted), histories);
    // Dropped, and so ended, when this function ends.
    let mut around = JoinSet::new();
    let reports_of_desk = Arc::clone(&reports);
    let desk = Desk {
        client,
        namespace,
        kinds,
        vitals,
        reports: reports_of_desk,
        inputs,
        look_backs: wanted,
        pasts: told,
        tenure,
    };
    around.spawn(desk.run());
    let mut scribes = JoinSet::new();
    let (told, mut begins) = (Arc::clone(&reports), leads.clone());
    scribes.spawn(async move {
        // A standby says nothing; what is latest of each policy waits until it leads.
        if begins.wait_for(|leads| *leads).await.is_ok() {
            scribe.run(told).await;
        }
    });
    let ended = tokio::select! {
        ended = serving => return ended.map_err(Error::Serve),
        Some(why) = elected.join_next() => return Err(Error::LeaseLost(why.unwrap_or(Why::Expired))),
        ended = driver.run(received, stop) => ended,
    };
    reports.close();
    let patience = if elected.is_empty() { SAID_WITHIN } else { SAID_WITHIN_BEFORE_A_HAND_OVER };
    if *leads.borrow_and_update() && tokio::time::timeout(patience, scribes.join_next()).await.is_err() {
        info!("stopping with statuses unsaid; the next leader says them");
    }
    resign.send_replace(true);
    // Not given back, it is taken when its time is over.
    drop(tokio::time::timeout(GIVEN_BACK_WITHIN, elected.join_next()).await);
    info!("floorkeeper stops; floors stay where they are");
    match ended {
        Ended::Stopped => Ok(()),
        Ended::Superseded => Err(Error::Superseded),
    }
}

fn lost(why: Why) -> &'static str {
    match why {
        Why::Expired => "the lease was not renewed in time (is the API server slow or away?)",
        Why::Taken => "another process holds the lease",
        Why::PastCameBack => {
            "the lease is as it was before (was a backup of etcd restored?): what was read is not what is stored"
        }
        Why::Resigned => "the lease was given back",
    }
}

/// Of this process and no other: a restarted container has the same pod, and often the same process id.
fn identity() -> String {
    format!("{}_{}_{}", instance(), std::process::id(), clock::now().0)
}

/// Who reports events: the pod, or this machine.
fn instance() -> String {
    std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_else(|_| "floorkeeper".to_owned())
}

/// A status is a view; the next process writes it as well.
const SAID_WITHIN: Duration = Duration::from_secs(3);

/// The standby waits for the lease, and it says all statuses anyhow.
const SAID_WITHIN_BEFORE_A_HAND_OVER: Duration = Duration::from_millis(300);

/// One write of a small object.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(2);

/// Two weeks of one policy are some hundred kilobytes: the source waits until they are taken.
const PASTS_WAITING: usize = 4;

/// Twice what one turn takes: the loop always finds a full batch, and the senders feel it when it is behind.
const INPUTS_WAITING: usize = 4096;
