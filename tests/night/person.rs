//! Somebody at a shell, with a kubeconfig.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::Cluster;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

pub(crate) struct Person {
    pub(crate) kubeconfig: PathBuf,
}

/// What a command said; it runs without a terminal.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Whether it says this; how many spaces stand between columns does not matter.
    pub(crate) fn has(&self, text: &str) -> Result<()> {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let all = words(&format!("{}\n{}", self.out, self.err));
        ensure!(all.contains(&words(text)), "{text:?} is not in\n{}\n{}", self.out, self.err);
        Ok(())
    }
}

impl Person {
    pub(crate) fn of(cluster: &Cluster) -> Result<Self> {
        Ok(Self { kubeconfig: cluster.kubeconfig() })
    }

    /// Exit code 0.
    pub(crate) async fn works(&self, args: &[&str]) -> Result<Said> {
        let (code, said) = self.runs(args).await?;
        ensure!(code == Some(0), "floorkeeper {} ended with {code:?}:\n{}\n{}", args.join(" "), said.out, said.err);
        Ok(said)
    }

    /// Exit code 1.
    pub(crate) async fn fails(&self, args: &[&str]) -> Result<Said> {
        let (code, said) = self.runs(args).await?;
        ensure!(code == Some(1), "floorkeeper {} ended with {code:?}:\n{}\n{}", args.join(" "), said.out, said.err);
        Ok(said)
    }

    /// Killed after some lines.
    pub(crate) async fn interrupted(&self, args: &[&str], done: usize) -> Result<()> {
        let mut process = self.command(args).stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(process.stdout.take().context("no output")?).lines();
        let mut seen = 0;
        while seen < done {
            let line = tokio::time::timeout(BOUND, lines.next_line()).await??;
            let line = line.context("it has ended before it could be interrupted")?;
            seen += usize::from(line.starts_with("done"));
        }
        Ok(process.kill().await?)
    }

    async fn runs(&self, args: &[&str]) -> Result<(Option<i32>, Said)> {
        let output = tokio::time::timeout(BOUND, self.command(args).output()).await;
        let output = output.with_context(|| format!("floorkeeper {} does not end", args.join(" ")))??;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.code(), Said { out: text(&output.stdout), err: text(&output.stderr) }))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_floorkeeper"));
        command.args(args).env("KUBECONFIG", &self.kubeconfig).env_remove("FLOORKEEPER_NAMESPACE");
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

/// Every command bounds itself; this is for when one does not.
const BOUND: Duration = Duration::from_secs(90);
