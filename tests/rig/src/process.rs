//! A child process that can't outlive the program that started it, whichever way that program ends: by a return, a panic,
//! Ctrl-C or SIGKILL.
//!
//! Each child runs under a small `sh` guard that holds the read end of a pipe. We hold the write end and never write to
//! it, so the guard reads end-of-file at the moment we are gone, and kills its child with SIGKILL. Stopping a child
//! ourselves goes the same way: close the pipe, wait for the guard. What is written to the pipe is a request: the name of a
//! signal, or the path of a FIFO, which hands the child over to whoever writes to that FIFO later (see [`Process::keep`]).

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// A running child and its guard. Dropping it kills the child and waits until it is gone.
///
/// ```
/// use floorkeeper_rig::{Process, Signal};
///
/// let log = std::env::temp_dir().join(format!("rig-process-{}.log", std::process::id()));
/// let mut sleeper = Process::start("sleep", "/bin/sleep".as_ref(), &["600".to_owned()], &[], &log)?;
/// assert!(sleeper.ended()?.is_none());
/// sleeper.signal(Signal::Terminate)?;
/// assert!(!sleeper.wait()?.success());
/// # std::fs::remove_file(log)?;
/// # anyhow::Ok(())
/// ```
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    guard: Child,
    hold: Option<ChildStdin>,
    log: PathBuf,
}

/// What a child can be sent without ending it for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: stop politely.
    Terminate,
    /// SIGSTOP: keep all connections and answer nothing.
    Freeze,
    /// SIGCONT: go on after [`Signal::Freeze`].
    Thaw,
}

impl Process {
    /// Starts a program under a guard, in a process group of its own, so that a terminal's Ctrl-C reaches us and not it:
    /// an API server that gets a polite signal drains its watches for many seconds. What it says is appended to `log`.
    pub fn start(
        name: &'static str,
        program: &Path,
        args: &[String],
        environment: &[(&str, String)],
        log: &Path,
    ) -> Result<Self> {
        Self::start_in(name, program, args, environment, log, &std::env::temp_dir())
    }

    /// As [`Process::start`], in a working directory.
    pub(crate) fn start_in(
        name: &'static str,
        program: &Path,
        args: &[String],
        environment: &[(&str, String)],
        log: &Path,
        directory: &Path,
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

    /// A bare shell script, with arguments from `$0` on, that reads the pipe itself.
    pub(crate) fn start_bare(name: &'static str, script: &[String]) -> Result<Self> {
        let mut guard = Command::new("/bin/sh")
            .arg("-c")
            .args(script)
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

    /// How the child ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.guard.try_wait()?)
    }

    /// An error with the end of its log if the child has ended by itself.
    pub fn check(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => {
                bail!("{} ended ({status}). The end of {}:\n{}", self.name, self.log.display(), tail(&self.log))
            }
        }
    }

    /// Waits until the child ends by itself, or by a signal.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        // `Child::wait` would close our end of the pipe first, which is how the guard knows that we are gone.
        loop {
            if let Some(status) = self.guard.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(WAIT);
        }
    }

    /// Sends a signal. The child may have ended already.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        let name = match signal {
            Signal::Terminate => "TERM",
            Signal::Freeze => "STOP",
            Signal::Thaw => "CONT",
        };
        let hold = self.hold.as_mut().context("the process is already stopped")?;
        Ok(writeln!(hold, "{name}")?)
    }

    /// Kills the child with SIGKILL and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    /// The process id of the guard's child, where `/proc` tells; its other child is a shell.
    pub fn pid(&self) -> Option<u32> {
        let guard = self.guard.id();
        let children = std::fs::read_to_string(format!("/proc/{guard}/task/{guard}/children")).ok()?;
        let is_program =
            |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() != "sh");
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(is_program)
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

/// The last lines of a log, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Runs `"$@"`; kills it at end-of-file on standard input. A line before that is a signal's name, or the path of a FIFO to
/// wait at instead. The FIFO is opened for reading and writing, so that opening neither blocks nor ever reads an
/// end-of-file. If the child ends by itself, so does the guard, with its code.
const GUARD: &str = r#"
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
(
    while read -r word <&3; do
        case "$word" in
        /*) exec 3<>"$word"; read -r word <&3; break ;;
        *) kill -s "$word" "$child" ;;
        esac
    done
    kill -9 "$child"
) >/dev/null 2>&1 &
watch=$!
wait "$child"
code=$?
kill -9 "$watch" 2>/dev/null
exit "$code"
"#;

/// How often [`Process::wait`] looks.
const WAIT: Duration = Duration::from_millis(20);

/// Enough to show a Go program's last error with some context.
const TAIL_LINES: usize = 15;
