//! How far a long work is: a bar for who looks, nothing for who logs.

use std::io::{IsTerminal as _, Write as _};

pub(super) struct Progress {
    what: &'static str,
    all: u64,
    shown: bool,
}

impl Progress {
    /// `all`: pieces; a bar is shown from two on, to a terminal.
    pub(super) fn new(what: &'static str, all: u64) -> Self {
        Self { what, all, shown: all > 1 && std::io::stderr().is_terminal() }
    }

    pub(super) fn at(&self, done: u64) {
        if self.shown {
            eprint!("\r{}", line(self.what, done, self.all));
            // A bar that can't be drawn is no reason to stop.
            let _ = std::io::stderr().flush();
        }
    }

    pub(super) fn done(self) {
        if self.shown {
            eprintln!();
        }
    }
}

fn line(what: &str, done: u64, all: u64) -> String {
    let full = usize::try_from(done.min(all).saturating_mul(WIDTH) / all.max(1)).unwrap_or(0);
    let empty = usize::try_from(WIDTH).unwrap_or(0).saturating_sub(full);
    format!("{what} [{}{}] {done} of {all} pieces", "#".repeat(full), ".".repeat(empty))
}

/// Letters of the bar.
const WIDTH: u64 = 30;

#[test]
fn the_bar_fills() {
    assert_eq!(line("load", 0, 3), "load [..............................] 0 of 3 pieces");
    assert_eq!(line("load", 1, 3), "load [##########....................] 1 of 3 pieces");
    assert_eq!(line("load", 3, 3), "load [##############################] 3 of 3 pieces");
}
