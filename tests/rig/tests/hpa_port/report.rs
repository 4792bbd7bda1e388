//! Both series side by side, and how far they are apart.

use std::fmt::Write as _;

use floorkeeper_replay::peers::{Answer, Peer as _, Sight, Truth};

use crate::record::{Frame, Recorder, Told};
use crate::script::{LANES, Lane, What};
use crate::target::Target;

/// One autoscaler, real and ported.
pub(crate) struct Comparison {
    pub(crate) lane: &'static Lane,
    began: f64,
    /// Each look of the real one: when, its replicas afterwards, the port's on the same sight.
    decisions: Vec<(f64, u32, u32)>,
    real: Vec<(f64, u32)>,
    port: Vec<(f64, u32)>,
    told: Vec<Told>,
}

impl Comparison {
    pub(crate) fn of(lane: &'static Lane, recorder: &Recorder<'_>, looks: &[f64]) -> Self {
        let index = LANES.iter().position(|one| one == lane).unwrap_or(0);
        let frames = &recorder.frames[index];
        let told: Vec<Told> =
            recorder.told.iter().filter(|told| told.lane.is_none_or(|one| one == lane)).copied().collect();
        let mut real: Vec<(f64, u32)> = frames.iter().map(|frame| (frame.at, frame.replicas)).collect();
        real.dedup_by_key(|(_, replicas)| *replicas);
        Self {
            lane,
            began: recorder.began,
            decisions: decide(lane, frames, &told, looks),
            port: run(lane, frames, &told, looks),
            real,
            told,
        }
    }

    pub(crate) fn decisions(&self) -> usize {
        self.decisions.len()
    }

    pub(crate) fn changes(&self) -> usize {
        self.real.len() - 1
    }

    pub(crate) fn share_equal(&self) -> f64 {
        let equal = self.decisions.iter().filter(|(_, real, port)| real == port).count();
        ratio(equal, self.decisions.len())
    }

    /// Replica-seconds between the two series, as a share of the real ones.
    pub(crate) fn distance(&self) -> f64 {
        let (from, to) = (self.began, self.real.last().map_or(self.began, |(at, _)| at + 10.0));
        let (mut apart, mut all, mut at) = (0.0, 0.0, from);
        while at < to {
            let (real, port) = (f64::from(value(&self.real, at)), f64::from(value(&self.port, at)));
            apart += (real - port).abs();
            all += real;
            at += 0.1;
        }
        apart / all
    }

    fn row(&self) -> String {
        let equal = self.decisions.iter().filter(|(_, real, port)| real == port).count();
        format!(
            "| {} | {} | {} of {} | {} | {} | {:.2} % |",
            self.lane.name,
            self.changes(),
            equal,
            self.decisions.len(),
            values(&self.real),
            values(&self.port),
            self.distance() * 100.0
        )
    }
}

pub(crate) fn text(comparisons: &[Comparison]) -> String {
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let mut text = INTRODUCTION.replace("@DATE", &date);
    for comparison in comparisons {
        text.push_str(&comparison.row());
        text.push('\n');
    }
    for comparison in comparisons {
        timeline(&mut text, comparison);
        unequal(&mut text, comparison);
    }
    text
}

/// When which series changed, and what had just happened.
fn timeline(text: &mut String, comparison: &Comparison) {
    let at = |unix: f64| unix - comparison.began;
    let mut rows: Vec<(f64, String)> = Vec::new();
    let change =
        |from: Option<&(f64, u32)>, to: u32| from.map_or_else(|| to.to_string(), |(_, from)| format!("{from} → {to}"));
    for (index, (when, replicas)) in comparison.real.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| comparison.real.get(index));
        rows.push((at(*when), format!("| | {} | |", change(before, *replicas))));
    }
    for (index, (when, replicas)) in comparison.port.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| comparison.port.get(index));
        rows.push((at(*when), format!("| | | {} |", change(before, *replicas))));
    }
    for told in comparison.told.iter().filter(|told| !told.step.words.is_empty()) {
        rows.push((at(told.at), format!("| {} | | |", told.step.words)));
    }
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let _ =
        write!(text, "\n## {}\n\n| second | what happens | real | port |\n|---:|---|---|---|\n", comparison.lane.name);
    for (second, row) in rows {
        let _ = writeln!(text, "| {second:.1} {row}");
    }
}

fn unequal(text: &mut String, comparison: &Comparison) {
    for (at, real, port) in comparison.decisions.iter().filter(|(_, real, port)| real != port) {
        let _ = writeln!(
            text,
            "\nOn the same sight, at second {:.1}: the real one went to {real}, the port to {port}.",
            at - comparison.began
        );
    }
}

/// The port's answer to each sight that the real one had. What the real one did is taken for done.
fn decide(lane: &Lane, frames: &[Frame], told: &[Told], looks: &[f64]) -> Vec<(f64, u32, u32)> {
    let mut hpa = lane.port();
    let mut decisions = Vec::new();
    for (index, look) in looks.iter().enumerate() {
        let Some(frame) = frames.iter().rfind(|frame| frame.at <= *look).or_else(|| frames.first()) else { break };
        let until = looks.get(index + 1).copied().unwrap_or(look + 1.0);
        // What the write led to is seen before the next look.
        let Some(after) = frames.iter().rfind(|after| after.at > *look && after.at < until) else { continue };
        for told in told.iter().filter(|told| told.at <= *look) {
            if let What::Bounds(min, max) = told.step.what {
                hpa.set_bounds(min, max);
            }
        }
        let desired = hpa.sync(&sight(*look, frame.replicas, &frame.pods, frame.answer)).unwrap_or(frame.replicas);
        decisions.push((*look, after.replicas, desired));
    }
    decisions
}

/// The port alone with the script, looking whenever the real one did.
fn run(lane: &Lane, frames: &[Frame], told: &[Told], looks: &[f64]) -> Vec<(f64, u32)> {
    let mut hpa = lane.port();
    let Some(first) = frames.first() else { return Vec::new() };
    let mut target = Target::new(&first.pods);
    let mut series = vec![(first.at, target.replicas)];
    let mut coming = told.iter().peekable();
    for look in looks {
        while let Some(told) = coming.next_if(|told| told.at <= *look) {
            target.told(told.step.what, told.at);
        }
        target.pass(*look);
        hpa.set_bounds(target.bounds.0, target.bounds.1);
        let pods = target.pods(*look);
        if let Some(desired) = hpa.sync(&sight(*look, target.replicas, &pods, target.answer())) {
            target.scale(desired, *look);
            series.push((*look, desired));
        }
    }
    series
}

fn sight(now: f64, wanted: u32, pods: &[floorkeeper_replay::peers::Pod], answer: Answer) -> Sight<'_> {
    let truth = Truth { offered: &[], tick: 1.0, at: 0 };
    Sight { now, epoch: 0.0, wanted, pods, load: answer, app: answer, truth }
}

/// The last value at or before this time.
fn value(series: &[(f64, u32)], at: f64) -> u32 {
    series.iter().rfind(|(since, _)| *since <= at).or_else(|| series.first()).map_or(0, |(_, value)| *value)
}

fn values(series: &[(f64, u32)]) -> String {
    series.iter().map(|(_, replicas)| replicas.to_string()).collect::<Vec<_>>().join(" ")
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run of minutes")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

const INTRODUCTION: &str = "\
# The port of the HPA against the real one, @DATE

What `floorkeeper replay` calls `hpa-cpu` and `hpa-load` is a port (`crates/replay/src/peers/hpa`). This is a run of it beside
the real controller: kube-controller-manager 1.37.2 on the rig, its flags 7.5 times as fast as by default (sync 2 s,
down-scale stabilisation 40 s, CPU initialisation 40 s, readiness delay 4 s), pods that take 4 s to become ready, and the same
script for three autoscalers: one on an external metric with `averageValue`, one on CPU utilisation, one on the external metric
with a `behavior` (up 3 pods in 4 s behind 6 s, down 20 % in 8 s behind 10 s).

Both look at the same moments: those at which the real one read `/scale`, from the API server's audit log.

*On the same sight*: at each look the port is given what the real one could see, a frame at most a twentieth of a second old, and
its answer is held against what the real one wrote. *Runs*: the port alone with the script; its replicas become pods of a
simulated Deployment. *Apart*: replica-seconds between the two runs, as a share of the real one's.

```sh
FLOORKEEPER_SOAK=1 FLOORKEEPER_REPORT=docs/hpa-comparison-@DATE.md cargo test -p floorkeeper-rig --test hpa_port
```

| autoscaler | changes | equal on the same sight | real run | port's run | apart |
|---|---:|---:|---|---|---:|
";
