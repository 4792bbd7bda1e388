//! One loop a source, started and stopped as sources come, change and go.

use std::sync::Arc;

use floorkeeper_core::Event;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::config::SourceConfig;
use super::health::HealthBoard;
use super::subscription::Subscription;

/// What the observer lives on.
#[derive(Debug)]
pub struct Feed {
    /// Every source, in full, whenever one changes.
    pub sources: watch::Receiver<Arc<[Arc<SourceConfig>]>>,
    /// Every policy's questions, in full, whenever one changes.
    pub subscriptions: watch::Receiver<Arc<[Arc<Subscription>]>>,
    /// Where observations go: `Event::Observed` and `Event::History` only.
    pub events: mpsc::Sender<Event>,
}

/// The running observer. Dropping it stops every loop.
#[derive(Debug)]
pub struct Observer {
    pub health: HealthBoard,
    task: JoinHandle<()>,
}

/// Starts observing: a loop for each source, until the observer is dropped or the receiver of `events` is gone.
///
/// `client` asks the metrics APIs and reads Secrets in `namespace`, floorkeeper's own.
#[must_use]
pub fn spawn(feed: Feed, client: kube::Client, namespace: &str) -> Observer {
    let _ = (feed, client, namespace);
    Observer { health: HealthBoard::default(), task: tokio::spawn(async {}) }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
