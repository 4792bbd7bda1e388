//! floorkeeper itself, as a program outside of the cluster.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::Cluster;
use crate::ports::Port;
use crate::process::{Process, Signal, tail};
use crate::wait::eventually;

/// A running floorkeeper; killed when dropped.
#[derive(Debug)]
pub(crate) struct Operator {
    process: Option<Process>,
    program: PathBuf,
    args: Vec<String>,
    log: PathBuf,
    port: Port,
}

impl Operator {
    /// As the bearer of a kubeconfig.
    pub(crate) fn start_as(program: &Path, cluster: &Cluster, kubeconfig: &Path) -> Result<Self> {
        Self::start_as_one_of(program, cluster, kubeconfig, "floorkeeper.log", &[])
    }

    /// One of several, with a log and arguments of its own.
    pub(crate) fn start_as_one_of(
        program: &Path,
        cluster: &Cluster,
        kubeconfig: &Path,
        log: &str,
        more: &[String],
    ) -> Result<Self> {
        let port = Port::lease()?;
        let flag = |name: &str, value: String| [format!("--{name}"), value];
        let mut args = vec!["run".to_owned()];
        args.extend(flag("kubeconfig", kubeconfig.display().to_string()));
        args.extend(flag("listen", format!("127.0.0.1:{}", port.number())));
        args.extend(flag("log-format", "json".to_owned()));
        args.extend(more.iter().cloned());
        let log = cluster.directory().join(log);
        let mut operator = Self { process: None, program: program.to_owned(), args, log, port };
        operator.kill_and_start()?;
        Ok(operator)
    }

    /// kill -9, if it runs, and a start.
    pub(crate) fn kill_and_start(&mut self) -> Result<()> {
        if let Some(process) = self.process.take() {
            process.kill();
        }
        self.process = Some(Process::start("floorkeeper", &self.program, &self.args, &[], &self.log)?);
        Ok(())
    }

    /// A polite stop, waited for, and a start.
    pub(crate) async fn stop_and_start(&mut self) -> Result<()> {
        if let Some(process) = self.process.as_mut() {
            process.signal(Signal::Terminate)?;
            let asked = Instant::now();
            while process.ended()?.is_none() {
                if asked.elapsed() > STOPS_WITHIN {
                    bail!("floorkeeper has not stopped {STOPS_WITHIN:?} after SIGTERM");
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        self.kill_and_start()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<()> {
        self.process.as_mut().context("floorkeeper does not run")?.signal(signal)
    }

    /// Waits until it decides, or is ready to.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        let url = format!("http://127.0.0.1:{}/readyz", self.port.number());
        eventually("floorkeeper is ready", READY_BOUND, || async {
            let answer = reqwest::get(&url).await?;
            if answer.status().is_success() { Ok(()) } else { bail!("{}", answer.text().await?) }
        })
        .await
        .with_context(|| tail(&self.log))?;
        self.check()
    }

    /// Of the program itself.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.process.as_ref().and_then(Process::pid).context("floorkeeper does not run")
    }

    /// An error with the end of its log if it has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.process.as_mut().map_or(Ok(()), Process::check)
    }

    /// Lets it live on after this program, until a line is written to the FIFO `stop`.
    pub(crate) fn keep(mut self, stop: &Path) -> Result<()> {
        self.process.take().map_or(Ok(()), |process| process.keep(stop))
    }
}

/// A cluster of thirty thousand objects is listed first.
const READY_BOUND: Duration = Duration::from_secs(120);

/// Longer than any write of floorkeeper may take.
const STOPS_WITHIN: Duration = Duration::from_secs(20);
