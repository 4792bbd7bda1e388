//! A child process that can't outlive the program that started it, whichever way that program ends: by a return, a panic,
//! Ctrl-C or SIGKILL.
//!
//! Each child runs under a small `sh` guard that holds the read end of a pipe. We hold the write end and never write to
//! it, so the guard reads end-of-file at the moment we are gone, and kills its child with SIGKILL. Stopping a child
//! ourselves goes the same way: close the pipe, wait for the guard. The one thing ever written is the name of a FIFO, which
//! hands the child over to whoever writes to that FIFO later (see [`Process::keep`]).

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};

/// A running child and its guard. Dropping it kills the child and waits until it is gone.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    guard: Child,
    hold: Option<ChildStdin>,
    log: PathBuf,
}

impl Process {
    /// Starts `command` under a guard, in a process group of its own, so that a terminal's Ctrl-C reaches us and not it:
    /// an API server that gets a polite signal drains its watches for many seconds.
    pub(crate) fn start(name: &'static str, program: &Path, args: &[String], log: &Path) -> Result<Self> {
        Self::start_in(name, program, args, log, &std::env::temp_dir(), &[])
    }

    /// As [`Process::start`], in a working directory and with more environment.
    pub(crate) fn start_in(
        name: &'static str,
        program: &Path,
        args: &[String],
        log: &Path,
        directory: &Path,
        environment: &[(&str, String)],
    ) -> Result<Self> {
        let out =
            OpenOptions::new().create(true).append(true).open(log).with_context(|| format!("{}", log.display()))?;
        let mut guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "rig-guard"])
            .arg(program)
            .args(args)
            .current_dir(directory)
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::piped())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .spawn()
            .with_context(|| format!("could not start {name} ({})", program.display()))?;
        let hold = guard.stdin.take();
        Ok(Self { name, guard, hold, log: log.to_owned() })
    }

    /// How the child ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.guard.try_wait()?)
    }

    /// An error with the end of its log if the child has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => {
                bail!("{} ended ({status}). The end of {}:\n{}", self.name, self.log.display(), tail(&self.log))
            }
        }
    }

    /// Kills the child and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Lets the child live on after us, until somebody writes a line to the FIFO `stop`.
    pub(crate) fn keep(mut self, stop: &Path) -> Result<()> {
        let mut hold = self.hold.take().context("the process is already stopped")?;
        writeln!(hold, "{}", stop.display())?;
        Ok(())
    }

    fn end(&mut self) {
        // Taken by `keep`: then the child isn't ours any more.
        let Some(hold) = self.hold.take() else { return };
        drop(hold);
        if let Err(error) = self.guard.wait() {
            tracing::warn!(name = self.name, %error, "could not wait for a child to end");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// A directory of its own below the system's temporary one. It goes when this value goes or when the program ends, by the
/// same means as a [`Process`].
#[derive(Debug)]
pub(crate) struct Room {
    path: PathBuf,
    guard: Option<Process>,
}

impl Room {
    pub(crate) fn create(name: &str) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);

        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let unique =
            format!("floorkeeper-{name}-{}-{}-{now:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(unique);
        // Tokens and keys lie in it: nobody else may look.
        std::fs::DirBuilder::new().mode(0o700).create(&path).with_context(|| format!("{}", path.display()))?;
        let args = ["-c".to_owned(), SWEEPER.to_owned(), "rig-sweeper".to_owned(), path.display().to_string()];
        let guard = Process::start_with_pipe("sweeper", &args)?;
        Ok(Self { path, guard: Some(guard) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the directory in place until somebody writes a line to the FIFO `stop`.
    pub(crate) fn keep(mut self, stop: &Path) -> Result<PathBuf> {
        if let Some(guard) = self.guard.take() {
            guard.keep(stop)?;
        }
        Ok(self.path.clone())
    }
}

impl Process {
    /// A bare `sh` that reads our pipe itself.
    fn start_with_pipe(name: &'static str, args: &[String]) -> Result<Self> {
        let mut guard = Command::new("/bin/sh")
            .args(args)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("could not start /bin/sh")?;
        let hold = guard.stdin.take();
        Ok(Self { name, guard, hold, log: PathBuf::from("/dev/null") })
    }
}

/// The last lines of a log, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Runs `"$@"`; kills it at end-of-file on standard input. A line instead of end-of-file names a FIFO to wait on. It is
/// opened for reading and writing, so that opening neither blocks nor ever reads an end-of-file. If the child ends by
/// itself, so does the guard, with its code.
const GUARD: &str = r#"
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
(
    if read -r stop <&3; then exec 3<>"$stop"; read -r stop <&3; fi
    kill -9 "$child"
) >/dev/null 2>&1 &
watch=$!
wait "$child"
code=$?
kill -9 "$watch" 2>/dev/null
exit "$code"
"#;

/// Removes the directory `$1` at end-of-file; tries again while dying processes still write into it.
const SWEEPER: &str = r#"
exec 3<&0 </dev/null
if read -r stop <&3; then exec 3<>"$stop"; read -r stop <&3; fi
tries=0
while rm -rf "$1"; [ -e "$1" ]; do
    tries=$((tries + 1))
    [ "$tries" -gt 100 ] && exit 1
    sleep 0.1
done
"#;

/// Enough to show a Go program's last error with some context.
const TAIL_LINES: usize = 15;
