//! Whatever a rig started is gone when it ends, in whatever way it ends.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Cluster, Options, Prometheus, PrometheusOptions, eventually};

const BOUND: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn after_drop() -> Result<()> {
    let cluster = Cluster::start(Options::default()).await?;
    let (directory, server) = (cluster.directory().to_owned(), cluster.server().to_owned());
    ensure!(!traces(&directory, &server)?.is_empty(), "this test can't see a running cluster");
    drop(cluster);
    let left = traces(&directory, &server)?;
    ensure!(left.is_empty(), "left after drop: {left:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_panic() -> Result<()> {
    let cluster = Cluster::start(Options::api_only()).await?;
    let (directory, server) = (cluster.directory().to_owned(), cluster.server().to_owned());
    let task = tokio::spawn(async move {
        let _cluster = cluster;
        panic!("on purpose");
    });
    ensure!(task.await.is_err_and(|error| error.is_panic()));
    all_gone(&directory, &server).await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_sigkill_of_the_parent() -> Result<()> {
    let mut parent = Parent::start()?;
    parent.process.kill()?;
    parent.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_ctrl_c() -> Result<()> {
    let parent = Parent::start()?;
    let killed = Command::new("kill").args(["-INT", &parent.process.id().to_string()]).status()?;
    ensure!(killed.success());
    parent.all_gone().await
}

/// This test program once more, which holds a cluster and a Prometheus until it is killed.
struct Parent {
    process: Child,
    /// Directory and URL of what it holds.
    holds: Vec<(PathBuf, String)>,
}

impl Parent {
    fn start() -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--ignored", "--exact", "hold_a_cluster", "--nocapture"])
            .env(HOLD, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(process.stdout.take().context("no output")?);
        let mut holds = Vec::new();
        for line in output.lines() {
            let line = line?;
            if let Some((directory, url)) = line.strip_prefix("holds ").and_then(|held| held.split_once(' ')) {
                holds.push((directory.into(), url.to_owned()));
            }
            if holds.len() == 2 {
                break;
            }
        }
        let parent = Self { process, holds };
        ensure!(parent.holds.len() == 2, "the parent ended early");
        for (directory, url) in &parent.holds {
            ensure!(!traces(directory, url)?.is_empty(), "this test can't see what the parent started");
        }
        Ok(parent)
    }

    async fn all_gone(mut self) -> Result<()> {
        self.process.wait()?;
        for (directory, url) in &self.holds {
            all_gone(directory, url).await?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the other half of the tests that kill a parent"]
async fn hold_a_cluster() -> Result<()> {
    if std::env::var_os(HOLD).is_none() {
        return Ok(());
    }
    let cluster = Cluster::start(Options::default()).await?;
    let prometheus = Prometheus::start(PrometheusOptions::default()).await?;
    println!("\nholds {} {}", cluster.directory().display(), cluster.server());
    println!("holds {} {}", prometheus.log().parent().context("no directory")?.display(), prometheus.url());
    std::future::pending().await
}

async fn all_gone(directory: &Path, url: &str) -> Result<()> {
    eventually("everything is gone", BOUND, || async {
        let left = traces(directory, url)?;
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .await
}

/// The directory, whoever listens at the URL, and every process with the directory in its command line.
fn traces(directory: &Path, url: &str) -> Result<Vec<String>> {
    let mut traces = Vec::new();
    if directory.exists() {
        traces.push(directory.display().to_string());
    }
    let (_, address) = url.split_once("//").context("not a URL")?;
    if TcpStream::connect(address).is_ok() {
        traces.push(format!("somebody at {address}"));
    }
    let processes =
        Command::new("ps").args(["-A", "-o", "pid=,args="]).output().context("ps is needed to look for processes")?;
    let mine = directory.display().to_string();
    traces.extend(
        String::from_utf8_lossy(&processes.stdout).lines().filter(|line| line.contains(&mine)).map(str::to_owned),
    );
    Ok(traces)
}

const HOLD: &str = "FLOORKEEPER_RIG_HOLD";
