//! The one screen: who is worst, and how the whole is. Pure.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::rank::{Ranked, State, condition, written};
use crate::api::conditions::{ENFORCED, FLOOR_HOLDING, READY, SCALING_LIMITED, TRUSTED};
use crate::api::{Mode, TrustLevel};
use crate::cli::ago;
use crate::cli::heartbeat::{DEAD, Heart};
use crate::cli::terminal::{Cell, Terminal, Tone};

/// What is shown, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page<'a> {
    pub(super) heart: &'a Heart,
    pub(super) ranked: &'a [Ranked<'a>],
    /// `None`: all of them, each with its namespace.
    pub(super) namespace: Option<&'a str>,
    pub(super) wide: bool,
    pub(super) now: Timestamp,
    pub(super) terminal: Terminal,
    /// How the person called us: `floorkeeper` or `kubectl floorkeeper`.
    pub(super) program: &'a str,
}

impl Page<'_> {
    pub(super) fn text(&self) -> String {
        let mut text = self.heart_line();
        if self.ranked.is_empty() {
            let place = self.namespace.map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
            text += &format!("no ScalingPolicies{place}; `{} status -A` looks everywhere\n", self.program);
            return text;
        }
        text += &format!("{}\n\n", self.summary());
        let shown = self.fits();
        let rows: Vec<Vec<Cell>> = self.ranked.iter().take(shown).map(|ranked| self.row(ranked)).collect();
        // Who asks for wide gets it whole, as of kubectl.
        let terminal = if self.wide { Terminal { size: None, ..self.terminal } } else { self.terminal };
        text += &terminal.table(&self.head(), &rows);
        let left = self.ranked.len() - shown;
        if left > 0 {
            text += &format!("… and {left} more, none of them worse: `{} status | less` shows all\n", self.program);
        }
        if let Some(worst) = self.ranked.first().filter(|worst| worst.worst() < State::Unenforced) {
            let name = worst.policy.metadata.name.as_deref().unwrap_or_default();
            let namespace = worst.policy.metadata.namespace.as_deref().unwrap_or_default();
            let next = format!("why: {} explain {name} -n {namespace}", self.program);
            text += &format!("{}\n", self.terminal.paint(Tone::Dim, &next));
        }
        text
    }

    fn heart_line(&self) -> String {
        let sentence = self.heart.sentence(self.now);
        match self.heart.alive() {
            Some(true) => format!("{sentence}; "),
            Some(false) => {
                let dead = self.terminal.wrapped(&format!("{sentence}. {DEAD}."), 0);
                format!("{}\n", self.terminal.paint(Tone::Bad, &dead))
            }
            None => format!("{}\n", self.terminal.paint(Tone::Odd, &self.terminal.wrapped(&sentence, 0))),
        }
    }

    fn summary(&self) -> String {
        let counted = State::ALL.into_iter().filter_map(|state| {
            let count = self.ranked.iter().filter(|ranked| ranked.worst() == state).count();
            (count > 0).then(|| self.terminal.paint(tone(state), &format!("{count} {}", state.word())))
        });
        let price: i32 = self.ranked.iter().map(Ranked::price).sum();
        let policies = if self.ranked.len() == 1 { "policy" } else { "policies" };
        let counted: Vec<String> = counted.collect();
        format!("{} {policies}: {}; price {price} replicas", self.ranked.len(), counted.join(", "))
    }

    /// On a screen: all that is not well, and of the others as many as fit.
    fn fits(&self) -> usize {
        let Some((_, lines)) = self.terminal.size else { return self.ranked.len() };
        let loud = self.ranked.iter().filter(|ranked| ranked.worst() < State::Unenforced).count();
        let room = lines.saturating_sub(AROUND);
        if self.ranked.len() <= room { self.ranked.len() } else { room.max(loud).min(self.ranked.len()) }
    }

    fn head(&self) -> Vec<&'static str> {
        let mut head = vec!["NAME", "STATE", "READY", "FLOOR", "NEED", "PRICE", "WHY", "SINCE"];
        if self.namespace.is_none() {
            head.insert(0, "NAMESPACE");
        }
        if self.wide {
            head.extend(["TARGET", "MODE", "LOAD", "TRUST", "ENFORCED", "ZERO-IN", "STATUS-AGE", "ALSO"]);
        }
        head
    }

    fn row(&self, ranked: &Ranked<'_>) -> Vec<Cell> {
        let policy = ranked.policy;
        let status = policy.status.clone().unwrap_or_default();
        let state = ranked.worst();
        let demand = status.demand.as_ref();
        let pods = status.replicas.as_ref().map_or_else(
            || "-".to_owned(),
            |pods| format!("{}/{}", pods.ready.map_or_else(|| "?".to_owned(), |ready| ready.to_string()), pods.current),
        );
        let why = match state {
            State::Broken => condition(&status, READY).map(|found| found.reason.clone()),
            State::Limited => condition(&status, SCALING_LIMITED).map(|found| found.reason.clone()),
            State::Doubtful | State::Blind => {
                let held = condition(&status, FLOOR_HOLDING).filter(|found| found.status == "True");
                held.or_else(|| condition(&status, TRUSTED)).map(|found| found.reason.clone())
            }
            State::Unseen
            | State::Holding
            | State::Contested
            | State::Ordered
            | State::Unenforced
            | State::Observing
            | State::Fine => status.why.clone(),
        };
        let mut row = vec![
            Cell::plain(policy.metadata.name.as_deref().unwrap_or_default()),
            Cell::new(tone(state), state.word()),
            Cell::plain(pods),
            Cell::number(status.floor.as_ref().map(|floor| floor.replicas)),
            Cell::number(demand.and_then(|demand| demand.need)),
            Cell::number(status.price.as_ref().map(|price| price.replicas)),
            Cell::plain(why.unwrap_or_else(|| "-".to_owned())),
            Cell::plain(ranked.since.as_ref().map_or_else(|| "-".to_owned(), |since| ago::since(since, self.now))),
        ];
        if self.namespace.is_none() {
            row.insert(0, Cell::plain(policy.metadata.namespace.as_deref().unwrap_or_default()));
        }
        if self.wide {
            let target = &policy.spec.target_ref;
            let enforced = condition(&status, ENFORCED).map_or("-", |found| found.reason.as_str()).to_owned();
            let also: Vec<&str> = ranked.states.iter().skip(1).map(|state| state.word()).collect();
            let written = written(policy).map(|at| ago::length(self.now.as_second() - at.as_second()));
            let dash = || "-".to_owned();
            row.extend([
                Cell::plain(format!("{}/{}", target.kind, target.name)),
                Cell::plain(mode(policy.spec.mode)),
                Cell::plain(demand.and_then(|demand| demand.load.as_ref()).map_or_else(dash, ToString::to_string)),
                Cell::plain(demand.map_or("-", |demand| trust(demand.trust))),
                Cell::plain(enforced),
                Cell::plain(status.zero_in.as_ref().map_or_else(dash, ToString::to_string)),
                Cell::plain(written.unwrap_or_else(dash)),
                Cell::plain(if also.is_empty() { dash() } else { also.join(",") }),
            ]);
        }
        row
    }

    pub(super) fn json(&self) -> Value {
        let policies: Vec<Value> = self.ranked.iter().map(|ranked| self.one(ranked)).collect();
        json!({
            "floorkeeper": {"alive": self.heart.alive(), "says": self.heart.sentence(self.now)},
            "policies": policies,
        })
    }

    fn one(&self, ranked: &Ranked<'_>) -> Value {
        let policy = ranked.policy;
        let states: Vec<&str> = ranked.states.iter().map(|state| state.word()).collect();
        json!({
            "namespace": policy.metadata.namespace, "name": policy.metadata.name, "state": ranked.worst().word(),
            "states": states, "since": ranked.since, "mode": mode(policy.spec.mode), "targetRef": policy.spec.target_ref,
            "statusWritten": written(policy).map(|at| at.to_string()), "status": policy.status,
        })
    }
}

fn tone(state: State) -> Tone {
    match state {
        State::Limited | State::Broken | State::Unseen | State::Blind => Tone::Bad,
        State::Doubtful | State::Holding | State::Contested | State::Ordered => Tone::Odd,
        State::Unenforced | State::Observing => Tone::Dim,
        State::Fine => Tone::Good,
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "Observe",
        Mode::Guard => "Guard",
        Mode::Autoscale => "Autoscale",
    }
}

fn trust(trust: TrustLevel) -> &'static str {
    match trust {
        TrustLevel::Trusted => "Trusted",
        TrustLevel::Doubtful => "Doubtful",
        TrustLevel::Blind => "Blind",
    }
}

/// Lines around the table: floorkeeper's life and the sum, blank, head, what is left out, what next, and the next prompt.
const AROUND: usize = 8;
