//! The live view on standard error: a progress bar with the incident's clock and one line for each service; plain lines now
//! and then where nobody watches on a terminal.

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use floorkeeper_sim::Scenario;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::traffic::{Frame, LaneFrame};

/// What a person sees while the play runs.
pub(super) struct View {
    screen: Option<Screen>,
    span: Option<(f64, f64)>,
    /// Minute of the last plain line.
    said: Cell<f64>,
}

struct Screen {
    all: MultiProgress,
    bar: ProgressBar,
    head: ProgressBar,
    lanes: [ProgressBar; LANES],
}

impl View {
    pub(super) fn open(scenario: &Scenario) -> Self {
        let view = Self {
            screen: std::io::stderr().is_terminal().then(|| Screen::open(scenario.minutes)),
            span: scenario.fault_span(),
            said: Cell::new(-LINE_EVERY),
        };
        line(&format!("{}: {}", scenario.id, scenario.title));
        view
    }

    /// Before the play: what is being done.
    pub(super) fn say(&self, what: &str) {
        match &self.screen {
            Some(screen) => screen.bar.set_message(what.to_owned()),
            None => line(what),
        }
    }

    pub(super) fn show(&self, frame: &Frame) {
        let state = match self.span {
            Some((from, to)) if (from..to).contains(&frame.minute) => "the fault is on",
            Some((from, _)) if frame.minute < from => "all is well",
            Some(_) | None => "repaired",
        };
        if let Some(screen) = &self.screen {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "minutes of a scenario")]
            screen.bar.set_position(frame.minute as u64);
            screen.bar.set_message(format!("{} UTC  {state}", frame.clock));
            screen.head.set_message(format!(
                "{:<18} {:>8} {:>5} {:>9} {:>7}  why",
                "", "offered", "need", "replicas", "served"
            ));
            for (row, lane) in screen.lanes.iter().zip(&frame.lanes) {
                row.set_message(columns(frame, lane, true));
            }
        } else if frame.minute - self.said.get() >= LINE_EVERY {
            self.said.set(frame.minute);
            line(&format!("{} UTC  {state}", frame.clock));
            for lane in &frame.lanes {
                line(&format!("  {}", columns(frame, lane, false)));
            }
        }
    }

    pub(super) fn close(self) {
        if let Some(screen) = self.screen {
            screen.bar.finish_and_clear();
            // The terminal may be gone; then there is nothing to clear.
            let _ = screen.all.clear();
        }
    }
}

impl Screen {
    fn open(minutes: u32) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(4));
        let bar = all.add(ProgressBar::new(u64::from(minutes)));
        if let Ok(style) = ProgressStyle::with_template("{wide_bar:.cyan/dim} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        let row = || {
            let row = all.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                row.set_style(style);
            }
            row
        };
        let head = row();
        Self { lanes: std::array::from_fn(|_| row()), head, bar, all }
    }
}

/// One lane's columns; too few ready replicas stand out.
fn columns(frame: &Frame, lane: &LaneFrame, colour: bool) -> String {
    let replicas =
        if lane.ready == lane.replicas { lane.ready.to_string() } else { format!("{}/{}", lane.ready, lane.replicas) };
    let short = lane.ready < frame.need;
    let mark = if short { "!" } else { " " };
    let why: String = lane.why.chars().take(WHY_WIDTH).collect();
    let text = format!(
        "{:<18} {:>6.0}/s {:>5} {replicas:>8}{mark} {:>6.0}%  {why}",
        lane.keeper.title(),
        frame.offered,
        frame.need,
        lane.served * 100.0
    );
    if short && colour { format!("\u{1b}[31m{text}\u{1b}[0m") } else { text }
}

fn line(text: &str) {
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The four services.
const LANES: usize = 4;

/// Minutes of the incident between two plain lines.
const LINE_EVERY: f64 = 15.0;

/// The rest of a line of 120 characters.
const WHY_WIDTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Keeper;

    #[test]
    fn a_lane_with_too_few_replicas_is_marked() {
        let lane = |ready| LaneFrame {
            keeper: Keeper::HpaCpu,
            replicas: 12,
            ready,
            served: 0.25,
            why: "CPU 6%, wants 56%".to_owned(),
        };
        let frame = Frame { minute: 1.0, clock: "01:21".to_owned(), offered: 1_400.0, need: 12, lanes: Vec::new() };
        assert_eq!(
            columns(&frame, &lane(12), true),
            "HPA on CPU           1400/s    12       12      25%  CPU 6%, wants 56%"
        );
        assert_eq!(
            columns(&frame, &lane(4), false),
            "HPA on CPU           1400/s    12     4/12!     25%  CPU 6%, wants 56%"
        );
    }
}
