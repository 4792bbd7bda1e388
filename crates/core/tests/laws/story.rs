//! A timeline that a reader can follow: one line whenever the floor, its reason or the trust changes.

use std::time::Duration;

use floorkeeper_core::{Decision, Doubt, Hold, Policy, Timestamp};

use crate::world::World;
use crate::world::cluster::{Hpa, Pods};
use crate::world::history::{CAPACITY, policy, web, web_target};
use crate::world::source::Fault;

/// A world with one policy, and what was seen of it.
pub(crate) struct Story {
    pub(crate) world: World,
    pub(crate) fault: Option<Fault>,
    began: Timestamp,
    lines: Vec<String>,
    last: String,
}

impl Story {
    /// A policy over an HPA with the minimum 3 whose own metrics ask for no more, settled at a load of 13 replicas (17
    /// with headroom).
    pub(crate) fn settled(edit: impl FnOnce(&mut Policy)) -> Self {
        let mut story = Self::begin(17, edit);
        story.world.truth(&web()).load = 13.0 * CAPACITY;
        story.world.run(Duration::from_secs(90 * 60));
        story.begin_here();
        story
    }

    /// The same at first sight, with so many replicas.
    pub(crate) fn begin(replicas: u32, edit: impl FnOnce(&mut Policy)) -> Self {
        let mut world = World::new();
        let mut policy = Policy { depends_on: Vec::new(), min_replicas: None, max_replicas: None, ..policy() };
        edit(&mut policy);
        let guarded = policy.mode == floorkeeper_core::Mode::Guard;
        let hpa = guarded.then(|| Hpa::new(3, 60, Duration::from_secs(300)));
        world.add_target(&web_target(), Pods::new("web", replicas, Duration::from_secs(30)), hpa);
        world.add_policy(&web(), policy);
        let began = world.now;
        Self { world, fault: None, began, lines: Vec::new(), last: String::new() }
    }

    pub(crate) fn begin_here(&mut self) {
        self.began = self.world.now;
        self.lines.clear();
        self.last.clear();
        self.world.notices.clear();
        self.note();
    }

    pub(crate) fn load(&mut self, replicas: f64) -> &mut Self {
        self.world.truth(&web()).load = replicas * CAPACITY;
        self
    }

    pub(crate) fn errors(&mut self, share: f64) -> &mut Self {
        self.world.truth(&web()).errors = share;
        self
    }

    pub(crate) fn fault(&mut self, fault: Option<Fault>) -> &mut Self {
        self.fault = fault;
        self
    }

    /// Plays on.
    pub(crate) fn minutes(&mut self, minutes: u64) -> &mut Self {
        let end = self.world.now.plus(Duration::from_secs(minutes * 60));
        while self.world.now < end {
            let fault = self.fault;
            self.world.tick_with(|_| fault);
            self.note();
        }
        self
    }

    pub(crate) fn note(&mut self) {
        let line = line(self.world.decision(&web()));
        if line != self.last {
            let replicas = self.world.pods[&web_target()].replicas;
            let passed = self.world.now.since(self.began).as_secs();
            let at = format!("{}:{:02}:{:02}", passed / 3600, passed / 60 % 60, passed % 60);
            self.lines.push(format!("{at:>8}  {line}; {replicas} run"));
            self.last = line;
        }
    }

    /// Compares with what is expected; line breaks and indents at the ends do not count.
    #[track_caller]
    pub(crate) fn reads(&self, expected: &str) {
        let expected: Vec<_> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let told: Vec<_> = self.lines.iter().map(|line| line.trim()).collect();
        assert_eq!(told, expected, "\nthe story was:\n{}\n", self.lines.join("\n"));
    }
}

fn line(decision: &Decision) -> String {
    let Decision { floor, guard, trust, hold, .. } = decision;
    let hold = hold.map_or_else(String::new, |hold| format!(", {}", why(&hold)));
    format!("floor {floor} for {}, {trust:?}{hold}", guard.name())
}

/// Without the numbers that change at every tick.
fn why(hold: &Hold) -> String {
    match hold {
        Hold::Unknown { why, .. } => format!("unknown: {}", word(&format!("{why:?}"))),
        Hold::Doubt(doubt) => doubted(doubt),
        Hold::Pace { .. } => "paced".to_owned(),
        Hold::Verifying { from, to } => format!("watching {from} to {to}"),
        Hold::Frozen { .. } => "frozen".to_owned(),
        Hold::NoTarget => "no target".to_owned(),
        Hold::Fenced { .. } => "fenced".to_owned(),
    }
}

fn doubted(doubt: &Doubt) -> String {
    match doubt {
        Doubt::Errors { share, .. } => format!("{:.0} % fail", share * 100.0),
        Doubt::Unready { unready, of } => format!("{unready} of {of} not ready"),
        Doubt::UnusualFall { before, .. } => format!("unusual fall from {before}"),
        Doubt::Brake { namespaces, of, .. } => format!("{namespaces} of {of} namespaces fell"),
        Doubt::StepHarmful { from, to, .. } => format!("{from} to {to} did harm"),
        Doubt::Rollout { .. }
        | Doubt::Dependency { .. }
        | Doubt::WindowNotFull { .. }
        | Doubt::Overdue { .. }
        | Doubt::Settling { .. } => word(&format!("{doubt:?}")),
    }
}

fn word(debug: &str) -> String {
    debug.chars().take_while(|c| c.is_alphanumeric()).collect()
}
