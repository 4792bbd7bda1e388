//! The one cluster of this user that outlives the program that started it: what `rig up` leaves and `rig down` ends.
//!
//! Its programs wait at a FIFO in the cache directory (see `process.rs`), so nothing is ever killed by a process id that
//! may have become somebody else's. A file beside it says where the cluster is; whether it lives, the cluster itself says.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::cache;
use crate::cluster::{Cluster, Kept, readyz};
use crate::credentials;
use crate::prometheus::Prometheus;
use crate::wait::eventually;

/// Holds a lock: two `rig up` at once must not both start.
#[derive(Debug)]
pub struct Standby {
    directory: PathBuf,
    _lock: File,
}

impl Standby {
    pub fn open() -> Result<Self> {
        let directory = cache::directory()?.join("up");
        std::fs::create_dir_all(&directory).with_context(|| format!("{}", directory.display()))?;
        let lock = File::create(directory.join("lock"))?;
        lock.lock()?;
        Ok(Self { directory, _lock: lock })
    }

    /// The cluster, if there is one and its API server answers.
    pub async fn running(&self) -> Result<Option<Kept>> {
        let Some(kept) = self.recorded()? else { return Ok(None) };
        // After a restart of the machine nothing is left but our record.
        let Ok(client) = kept.client().await else { return Ok(None) };
        Ok(readyz(&client).await.is_ok().then_some(kept))
    }

    /// Leaves a cluster running, and a Prometheus with it.
    pub fn keep(&mut self, cluster: Cluster, prometheus: Option<Prometheus>) -> Result<Kept> {
        let stop = self.make_stop_file()?;
        let mut kept = cluster.keep(&stop)?;
        if let Some(prometheus) = prometheus {
            kept.prometheus = Some(prometheus.url());
            kept.rooms.push(prometheus.keep(&stop)?);
        }
        std::fs::write(self.record(), serde_json::to_string_pretty(&kept)?)?;
        Ok(kept)
    }

    /// The FIFO at which other programs that belong to the cluster may wait for its end.
    pub(crate) fn make_stop_file(&self) -> Result<PathBuf> {
        let stop = self.stop_file();
        if !stop.exists() {
            let made =
                Command::new("mkfifo").args(["-m", "600"]).arg(&stop).status().context("could not run mkfifo")?;
            ensure!(made.success(), "could not make {}", stop.display());
        }
        Ok(stop)
    }

    /// Ends the cluster and waits until it is gone. `None` if there was none.
    pub async fn stop(self) -> Result<Option<Kept>> {
        let Some(kept) = self.recorded()? else { return Ok(None) };
        if self.stop_file().exists() {
            // Opened for reading too: then it doesn't block where nobody waits at it any more.
            let mut stop = OpenOptions::new().read(true).write(true).open(self.stop_file())?;
            stop.write_all(&[b'\n'; STOP_LINES])?;
            // Kept open until all have read.
            let there = || kept.rooms.iter().filter(|room| room.exists());
            let gone = eventually("the cluster is gone", STOP_BOUND, || async {
                there().next().map_or(Ok(()), |room| Err(format!("{} is still there", room.display())))
            })
            .await;
            drop(stop);
            std::fs::remove_file(self.stop_file())?;
            if gone.is_err() {
                // Nobody waited: the machine was restarted, and only the directories are left of the cluster.
                for room in there() {
                    std::fs::remove_dir_all(room).with_context(|| format!("{}", room.display()))?;
                }
            }
        }
        std::fs::remove_file(self.record())?;
        Ok(Some(kept))
    }

    fn recorded(&self) -> Result<Option<Kept>> {
        match std::fs::read(self.record()) {
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("could not read where the cluster is"),
        }
    }

    fn record(&self) -> PathBuf {
        self.directory.join("cluster.json")
    }

    fn stop_file(&self) -> PathBuf {
        self.directory.join("stop")
    }
}

impl Kept {
    /// A client of the cluster's admin.
    pub async fn client(&self) -> Result<kube::Client> {
        credentials::client(&self.kubeconfig).await
    }
}

/// A line for each process that may wait: a reader takes a byte at a time, so one each is enough; the rest is lost with the FIFO.
const STOP_LINES: usize = 64;
const STOP_BOUND: Duration = Duration::from_secs(15);
