//! The real binary as a process, against a rig's cluster.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use floorkeeper_rig::{Cluster, Process, Signal, eventually};

/// `floorkeeper run`; killed when dropped, and when this program ends in whatever way.
pub(crate) struct Operator {
    process: Process,
    address: String,
    log: PathBuf,
}

impl Operator {
    pub(crate) fn start(cluster: &Cluster, name: &str) -> Result<Self> {
        Self::start_with(&cluster.kubeconfig(), cluster, name)
    }

    /// Another way to the cluster than its own kubeconfig.
    pub(crate) fn start_with(kubeconfig: &Path, cluster: &Cluster, name: &str) -> Result<Self> {
        Self::start_like(kubeconfig, cluster, name, &[])
    }

    /// With more arguments.
    pub(crate) fn start_like(kubeconfig: &Path, cluster: &Cluster, name: &str, more: &[&str]) -> Result<Self> {
        Self::start_in(cluster.directory(), kubeconfig, name, more)
    }

    /// With its log in `directory`.
    pub(crate) fn start_in(directory: &Path, kubeconfig: &Path, name: &str, more: &[&str]) -> Result<Self> {
        Self::start_build(Path::new(env!("CARGO_BIN_EXE_floorkeeper")), directory, kubeconfig, name, more)
    }

    /// Another build than the one under test.
    pub(crate) fn start_build(
        program: &Path,
        directory: &Path,
        kubeconfig: &Path,
        name: &str,
        more: &[&str],
    ) -> Result<Self> {
        // Free a moment ago, and nobody else on this machine asks for it by number.
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let log = directory.join(format!("floorkeeper-{name}.log"));
        // Of its own log only: names are used again.
        std::fs::write(&log, "")?;
        let kubeconfig = kubeconfig.display().to_string();
        let args = ["run", "--listen", &address, "--kubeconfig", &kubeconfig, "--log-format", "json"];
        let level = ["--log-level", "info,floorkeeper=debug"];
        let args: Vec<_> = args.iter().chain(&level).chain(more).map(|arg| (*arg).to_owned()).collect();
        let process = Process::start("floorkeeper", program, &args, &[], &log)?;
        Ok(Self { process, address, log })
    }

    /// Status and body of a path such as `/readyz`.
    pub(crate) async fn get(&self, path: &str) -> Result<(u16, String)> {
        let answer = reqwest::get(format!("http://{}{path}", self.address)).await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    pub(crate) async fn ready(&mut self) -> Result<()> {
        if let Some(status) = self.process.ended()? {
            bail!("floorkeeper has ended with {status}:\n{}", self.log());
        }
        let address = self.address.clone();
        eventually("/readyz answers 200", Duration::from_secs(30), || {
            let url = format!("http://{address}/readyz");
            async move {
                let answer = reqwest::get(url).await?;
                if answer.status().is_success() { Ok(()) } else { bail!("{}", answer.text().await?) }
            }
        })
        .await
        .with_context(|| self.log())
    }

    /// SIGKILL: no word of goodbye.
    pub(crate) fn kill(self) {
        self.process.kill();
    }

    /// SIGTERM, and how it ends.
    pub(crate) async fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::Terminate)?;
        self.ends().await
    }

    pub(crate) fn signal(&mut self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Waits until it has ended.
    pub(crate) async fn ends(&mut self) -> Result<ExitStatus> {
        for _ in 0..1500 {
            if let Some(status) = self.process.ended()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("still running:\n{}", self.log())
    }

    /// The most memory that it has had resident at a time, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        let pid = self.process.pid().context("it has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }

    /// How many lines it wrote so far, and that none of them tells of a panic.
    pub(crate) fn lines(&self) -> Result<usize> {
        let text = std::fs::read_to_string(&self.log)?;
        ensure!(!text.contains("panicked"), "{text}");
        Ok(text.lines().count())
    }

    /// All that it wrote.
    pub(crate) fn whole_log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines that it wrote.
    pub(crate) fn log(&self) -> String {
        let text = self.whole_log();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}
