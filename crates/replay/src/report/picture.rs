//! What a chart needs of a run, already small: a played series of many days is some kilobytes of path.

use floorkeeper_core::{Decision, Trust};
use floorkeeper_sim::scenario::Class;

use super::lines::steps;
use crate::series::{Change, Series, Span};

/// One played scenario, ready to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub(super) caption: Caption,
    /// Seconds since 1970 at minute 0.
    pub(super) epoch: f64,
    pub(super) minutes: f64,
    /// The highest of all lines, in replicas.
    pub(super) highest: f64,
    /// Load over capacity, as a path.
    pub(super) offered: String,
    pub(super) need: String,
    pub(super) lines: Vec<Line>,
    pub(super) faults: Vec<Span>,
    pub(super) reasons: Vec<Reason>,
    /// From which minute on readings were believed how far.
    pub(super) trust: Vec<(f64, Trust)>,
    /// Changes that found no room.
    pub(super) left_out: usize,
}

/// Which run it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Caption {
    pub scenario: String,
    pub class: Class,
    pub trace: String,
    pub policy: String,
    pub seed: u64,
    /// Load that one replica carries, a second.
    pub capacity: f64,
}

/// Why the floor is what it is from a minute on.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    pub minute: f64,
    pub floor: u32,
    pub trust: Trust,
    /// One stable word.
    pub word: String,
    /// One plain sentence.
    pub sentence: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) path: String,
}

impl Picture {
    /// Draws a series; `say` puts a decision into a word and a sentence.
    #[must_use]
    pub fn new(caption: Caption, series: &Series, say: impl Fn(&Decision) -> (String, String)) -> Self {
        let capacity = caption.capacity.max(f64::MIN_POSITIVE);
        let offered: Vec<f64> = series.offered.iter().map(|load| load / capacity).collect();
        let need: Vec<f64> = series.need.iter().map(|need| f64::from(*need)).collect();
        let highest = offered.iter().chain(&need).copied().fold(1.0, f64::max);
        let mut picture = Self {
            caption,
            epoch: series.epoch,
            minutes: series.offered.len() as f64 * series.step,
            highest,
            offered: steps(&offered, series.step),
            need: steps(&need, series.step),
            lines: Vec::new(),
            faults: series.faults.clone(),
            reasons: Vec::new(),
            trust: Vec::new(),
            left_out: 0,
        };
        for lane in &series.lanes {
            picture.add_line(lane.scaler.name(), &lane.replicas, series.step);
        }
        if let Some(lane) = series.lanes.iter().find(|lane| !lane.changes.is_empty()) {
            picture.tell(&lane.changes, say);
        }
        picture
    }

    /// One more line of replicas; `step`: minutes between two values.
    pub fn add_line(&mut self, name: &str, replicas: &[u32], step: f64) {
        let values: Vec<f64> = replicas.iter().map(|replicas| f64::from(*replicas)).collect();
        self.highest = values.iter().copied().fold(self.highest, f64::max);
        self.lines.push(Line { name: name.to_owned(), path: steps(&values, step) });
    }

    /// About how many letters it takes of a page.
    #[must_use]
    pub fn letters(&self) -> usize {
        let lines: usize = self.lines.iter().map(|line| line.path.len() + 400).sum();
        let reasons: usize = self.reasons.iter().map(|reason| reason.word.len() + reason.sentence.len() + 90).sum();
        self.offered.len() + self.need.len() + lines + reasons + 2_000
    }

    /// What stands in the list: every change of the reason, and of mere steps of the floor as many as there is room for.
    /// Where even the reasons are too many, doubts come first.
    fn tell(&mut self, changes: &[Change], say: impl Fn(&Decision) -> (String, String)) {
        let mut told: Vec<(Weight, Reason)> = Vec::with_capacity(changes.len());
        for Change { minute, decision } in changes {
            let (word, sentence) = say(decision);
            let (floor, trust) = (decision.floor, decision.trust);
            if self.trust.last().is_none_or(|(_, last)| *last != trust) {
                self.trust.push((*minute, trust));
            }
            let last = told.last().map(|(_, last)| last);
            let weight = match last {
                Some(last) if last.word == word && last.trust == trust && last.floor == floor => continue,
                Some(last) if last.word == word && last.trust == trust => Weight::Step,
                Some(_) | None if trust == Trust::Trusted => Weight::Reason,
                Some(_) | None => Weight::Doubt,
            };
            told.push((weight, Reason { minute: *minute, floor, trust, word, sentence }));
        }
        let all = told.len();
        for least in [Weight::Reason, Weight::Doubt] {
            if told.len() > MOST_REASONS {
                told.retain(|(weight, _)| *weight >= least);
            }
        }
        told.truncate(MOST_REASONS);
        self.left_out = all - told.len();
        self.reasons = told.into_iter().map(|(_, reason)| reason).collect();
    }
}

/// How much a change says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Another floor for the same reason.
    Step,
    /// Another reason.
    Reason,
    /// A reason not to trust.
    Doubt,
}

/// More changes than a person reads; with sentences, some 40 kB.
const MOST_REASONS: usize = 300;
