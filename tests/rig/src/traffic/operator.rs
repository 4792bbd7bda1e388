//! floorkeeper itself, as a program outside of the cluster.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::Cluster;
use crate::ports::Port;
use crate::process::{Process, Signal};

/// A running floorkeeper; killed when dropped.
#[derive(Debug)]
pub(super) struct Operator {
    process: Option<Process>,
    program: PathBuf,
    args: Vec<String>,
    log: PathBuf,
    _port: Port,
}

impl Operator {
    pub(super) fn start(program: &Path, cluster: &Cluster) -> Result<Self> {
        let port = Port::lease()?;
        let flag = |name: &str, value: String| [format!("--{name}"), value];
        let mut args = vec!["run".to_owned()];
        args.extend(flag("kubeconfig", cluster.kubeconfig().display().to_string()));
        args.extend(flag("listen", format!("127.0.0.1:{}", port.number())));
        args.extend(flag("log-format", "json".to_owned()));
        let log = cluster.directory().join("floorkeeper.log");
        let mut operator = Self { process: None, program: program.to_owned(), args, log, _port: port };
        operator.kill_and_start()?;
        Ok(operator)
    }

    /// kill -9, if it runs, and a start.
    pub(super) fn kill_and_start(&mut self) -> Result<()> {
        if let Some(process) = self.process.take() {
            process.kill();
        }
        self.process = Some(Process::start("floorkeeper", &self.program, &self.args, &[], &self.log)?);
        Ok(())
    }

    /// A polite stop, waited for, and a start.
    pub(super) async fn stop_and_start(&mut self) -> Result<()> {
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

    /// An error with the end of its log if it has ended by itself.
    pub(super) fn check(&mut self) -> Result<()> {
        self.process.as_mut().map_or(Ok(()), Process::check)
    }

    /// Lets it live on after this program, until a line is written to the FIFO `stop`.
    pub(super) fn keep(mut self, stop: &Path) -> Result<()> {
        self.process.take().map_or(Ok(()), |process| process.keep(stop))
    }
}

/// Longer than any write of floorkeeper may take.
const STOPS_WITHIN: Duration = Duration::from_secs(20);
