//! What a person sees while something takes minutes: a spinner with the elapsed time on a terminal, plain lines elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

#[derive(Debug)]
pub(crate) struct Progress {
    what: String,
    bar: Option<ProgressBar>,
    started: Instant,
    said: Mutex<Instant>,
}

impl Progress {
    pub(crate) fn start(what: String) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner().with_message(what.clone());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TICK);
            bar
        });
        if bar.is_none() {
            say(&what);
        }
        Self { what, bar, started: Instant::now(), said: Mutex::new(Instant::now()) }
    }

    /// Call it often; off a terminal it says something every half minute.
    pub(crate) fn tick(&self) {
        let Ok(mut said) = self.said.lock() else { return };
        if self.bar.is_none() && said.elapsed() >= LINE_EVERY {
            *said = Instant::now();
            say(&format!("{} ... {} s so far", self.what, self.started.elapsed().as_secs()));
        }
    }

    pub(crate) fn finish(self, text: String) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        say(&text);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Straight to standard error: a test's captured output would show nothing for minutes.
fn say(text: &str) {
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}

const TICK: Duration = Duration::from_millis(120);

/// Often enough that no CI job takes us for dead.
const LINE_EVERY: Duration = Duration::from_secs(30);
