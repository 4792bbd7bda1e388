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

    /// What stands in the list: every change of the reason; of mere steps of the floor as many as there is room for.
    fn tell(&mut self, changes: &[Change], say: impl Fn(&Decision) -> (String, String)) {
        let mut told: Vec<(bool, Reason)> = Vec::with_capacity(changes.len());
        for Change { minute, decision } in changes {
            let (word, sentence) = say(decision);
            let (floor, trust) = (decision.floor, decision.trust);
            let new = told.last().is_none_or(|(_, last)| last.word != word || last.trust != trust);
            if new || told.last().is_none_or(|(_, last)| last.floor != floor) {
                told.push((new, Reason { minute: *minute, floor, trust, word, sentence }));
            }
        }
        let all = told.len();
        if all > MOST_REASONS {
            told.retain(|(new, _)| *new);
        }
        told.truncate(MOST_REASONS);
        self.left_out = all - told.len();
        self.reasons = told.into_iter().map(|(_, reason)| reason).collect();
    }
}

/// More changes than a person reads; with sentences, some 40 kB.
const MOST_REASONS: usize = 300;
