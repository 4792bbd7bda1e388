//! Load at the edge that rises and falls, and what it needed when.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use floorkeeper_rig::Exposition;
use tokio::task::JoinHandle;

use crate::seed::Seed;

/// The load of every shop, all the same. Clones are one.
#[derive(Clone)]
pub(crate) struct Load {
    edge: Arc<Exposition>,
    said: Arc<Mutex<Vec<(Instant, u32)>>>,
}

impl Load {
    pub(crate) async fn start() -> Result<Self> {
        let load = Self { edge: Arc::new(Exposition::start().await?), said: Arc::default() };
        load.set(HIGH);
        Ok(load)
    }

    pub(crate) fn edge(&self) -> &Exposition {
        &self.edge
    }

    pub(crate) fn set(&self, load: u32) {
        self.edge.update(|metrics| {
            for namespace in [GUARDED, ALONE] {
                metrics.set("edge_load", &[("namespace", namespace), ("deployment", "web")], f64::from(load));
            }
        });
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), load));
    }

    /// Short peaks and long valleys: the floor goes up and comes down again in each round. Ends when aborted.
    pub(crate) fn play(&self, mut seed: Seed) -> JoinHandle<()> {
        let load = self.clone();
        tokio::spawn(async move {
            loop {
                load.set(HIGH);
                tokio::time::sleep(seed.millis(2000..4000)).await;
                load.set(LOW);
                tokio::time::sleep(WINDOW + seed.millis(2000..6000)).await;
            }
        })
    }

    /// The most replicas that the load needed between two moments.
    pub(crate) fn needed(&self, from: Instant, to: Instant) -> u32 {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = said.iter().skip(1).map(|(at, _)| *at).chain([to]);
        let in_force = said.iter().zip(ends).filter(|((begun, _), ended)| *begun <= to && *ended > from);
        in_force.map(|((_, load), _)| need(*load)).max().unwrap_or_default()
    }
}

/// A quarter of headroom, 120 for each replica.
pub(crate) fn need(load: u32) -> u32 {
    (load * 5).div_ceil(4 * 120)
}

/// 13 replicas.
pub(crate) const HIGH: u32 = 1200;
/// 9 replicas; not so little that the fall would be unusual.
pub(crate) const LOW: u32 = 800;

/// The namespaces: a shop with an HPA that is guarded, and one that floorkeeper scales alone.
pub(crate) const GUARDED: &str = "guarded";
pub(crate) const ALONE: &str = "alone";

/// The policies' `scaleDown.window`.
pub(crate) const WINDOW: Duration = Duration::from_secs(8);
