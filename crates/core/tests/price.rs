//! What the learned guards cost on an ordinary day, and what they keep of the need through a dip: on traces of your own,
//! files of `time,rps` lines an even step apart.
//!
//! ```text
//! FLOORKEEPER_TRACES=some/folder cargo test --release -p floorkeeper-core --test price -- --ignored --nocapture
//! ```

#![allow(clippy::unwrap_used, reason = "a trace that can't be read has failed")]

use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{
    Answer, Engine, Event, Evidence, Mode, Observation, Outcome, Policy, PolicyKey, Rollout, Sample, Signal,
    SignalAnswer, Target, TargetKey, Timestamp, UnusualFall, Write, ZeroMeans,
};

/// A trace in minutes.
struct Trace {
    name: String,
    load: Vec<f64>,
    /// Load that one replica carries: at the highest load a hundred are needed.
    capacity: f64,
}

impl Trace {
    /// Steps of an hour are filled in, steps of a second are played as minutes, what is short is played again and again.
    fn read(path: &std::path::Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut rows = text.lines().skip(1).map(|line| line.split_once(',').unwrap());
        let mut values: Vec<f64> = rows.by_ref().map(|(_, value)| value.parse().unwrap()).collect();
        let second = text.lines().nth(2).unwrap();
        if second.contains("01:00:00Z") {
            values = (0..(values.len() - 1) * 60)
                .map(|n| {
                    let (at, into) = (n / 60, (n % 60) as f64 / 60.0);
                    values[at] * (1.0 - into) + values[at + 1] * into
                })
                .collect();
        }
        if values.len() < 7200 {
            // A day of the shape.
            values =
                values.chunks(values.len().div_ceil(1440)).map(|c| c.iter().sum::<f64>() / c.len() as f64).collect();
        }
        let load: Vec<f64> = values.iter().copied().cycle().take(values.len().max(28 * 1440)).collect();
        let capacity = load.iter().copied().fold(0.0, f64::max) * 1.25 / 100.0;
        Self { name: path.file_stem().unwrap().to_string_lossy().into_owned(), load, capacity }
    }

    fn bare(&self, minute: usize) -> f64 {
        self.load[minute] / self.capacity
    }
}

const START: u64 = 1_709_596_800_000;

fn at(minute: usize) -> Timestamp {
    Timestamp(START + minute as u64 * 60_000)
}

fn policy(capacity: f64) -> Policy {
    let minutes = |n: u64| Duration::from_secs(n * 60);
    Policy {
        target: TargetKey::new("shop", "deployments.apps", "web"),
        mode: Mode::Observe,
        min_replicas: Some(2),
        max_replicas: Some(200),
        signals: vec![Signal {
            name: "edge".into(),
            capacity: Some(capacity),
            max_age: minutes(2),
            zero: ZeroMeans::Evidence,
            drain_within: None,
        }],
        headroom_percent: 25,
        errors: None,
        unready_percent: 25,
        depends_on: Vec::new(),
        fall: UnusualFall {
            hold_for: minutes(60),
            keep_percent: 80,
            keep_for: minutes(480),
            until_learned_percent: 50,
        },
        hold_at_most: minutes(1440),
        window: minutes(10),
        half_life: minutes(60),
        verify_for: minutes(2),
        resolution: minutes(1),
        source: "default".into(),
        created: Timestamp(0),
    }
}

/// The engine, a cluster that does what it says, and an HPA on the same load.
struct Player {
    engine: Engine,
    key: PolicyKey,
    replicas: u32,
    hpa: u32,
    wishes: [u32; 5],
    falls: u32,
    falling: bool,
}

impl Player {
    fn new(trace: &Trace, begin: usize, learned_from: Option<usize>) -> Self {
        let key = PolicyKey::new("shop", "web");
        let mut engine = Engine::new(1);
        let now = at(begin);
        engine.observe(Event::Table { namespace: "shop".into(), rows: Vec::new() }, now);
        engine.observe(Event::Policy(key.clone(), Arc::new(policy(trace.capacity))), now);
        if let Some(from) = learned_from {
            let samples = (from..begin).step_by(5).map(|n| sample(trace.load[n], at(n))).collect();
            engine.observe(Event::Past(key.clone(), 0, samples), now);
        }
        let hpa = (trace.bare(begin) * 1.25).ceil() as u32;
        Self { engine, key, replicas: hpa, hpa, wishes: [hpa; 5], falls: 0, falling: false }
    }

    /// One minute; replicas of the HPA alone, and of the HPA above the floor.
    fn minute(&mut self, minute: usize, load: f64, trace: &Trace) -> (u32, u32) {
        let now = at(minute);
        let wanted = load / trace.capacity * 1.25;
        let ratio = wanted / f64::from(self.hpa.max(1));
        let wish = if (ratio - 1.0).abs() <= 0.1 { self.hpa } else { (wanted.ceil() as u32).max(2) };
        self.wishes[minute % 5] = wish;
        self.hpa = self.wishes.iter().copied().max().unwrap();
        let target = Target {
            uid: "u".into(),
            version: "1".into(),
            replicas: self.replicas,
            ready: Some(self.replicas),
            rollout: Rollout::Done,
            template: 0,
        };
        self.engine.observe(Event::Target(TargetKey::new("shop", "deployments.apps", "web"), Some(target)), now);
        let signal = SignalAnswer { load: Answer::Value(sample(load, now)), backlog: None };
        let observation = Observation { signals: vec![signal], errors: None };
        self.engine.observe(Event::Observed(self.key.clone(), observation), now);
        for write in self.engine.poll(now) {
            assert!(!matches!(write, Write::Replicas(_)));
            self.engine.acknowledged(&write, Outcome::Done, now);
        }
        let decision = self.engine.decision(&self.key).unwrap();
        self.replicas = decision.floor.max(self.hpa);
        let falling = decision.doubts.iter().any(|doubt| matches!(doubt, floorkeeper_core::Doubt::UnusualFall { .. }));
        if falling && !self.falling {
            self.falls += 1;
        }
        self.falling = falling;
        (self.hpa, self.replicas)
    }
}

fn sample(value: f64, at: Timestamp) -> Sample {
    let evidence = Evidence { oldest: Some(Duration::from_secs(5)), series: Some(5), partial: false, vouched: false };
    Sample { value, at, evidence }
}

fn dip(trace: &Trace, minutes: usize, share: f64) -> (f64, f64, f64) {
    let mut kept = Vec::new();
    let first = 15 * 1440 + 77;
    let last = trace.load.len() - minutes - 2;
    let count = 97;
    for n in 0..count {
        let begin = first + (last - first) * n / count;
        let live = begin - 300;
        let mut player = Player::new(trace, live, Some(live - 14 * 1440));
        for minute in live..begin {
            player.minute(minute, trace.load[minute], trace);
        }
        for minute in begin..begin + minutes {
            player.minute(minute, trace.load[minute] * share, trace);
        }
        kept.push(f64::from(player.replicas) / trace.bare(begin + minutes).max(0.01));
    }
    kept.sort_by(f64::total_cmp);
    let place = |q: f64| kept[(q * (count - 1) as f64) as usize];
    (place(0.05), place(0.25), place(0.5))
}

#[test]
#[ignore = "needs traces, and reports: nothing passes or fails"]
fn price_and_protection() {
    let folder = std::env::var("FLOORKEEPER_TRACES").expect("FLOORKEEPER_TRACES names a folder of CSV files");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "csv"));
    files.sort();
    println!(
        "{:24} {:>8} {:>8} {:>6}   45 min at 2 %      32 min at 30 %     313 min at 20 %",
        "trace", "first 14", "after", "falls"
    );
    for file in files {
        let trace = Trace::read(&file);
        let mut player = Player::new(&trace, 0, None);
        let mut sums = [(0.0, 0.0); 2];
        let mut falls = 0;
        let mut split = [0.0; 4];
        for minute in 0..trace.load.len() {
            let (hpa, guarded) = player.minute(minute, trace.load[minute], &trace);
            let sum = &mut sums[usize::from(minute >= 14 * 1440)];
            *sum = (sum.0 + f64::from(hpa), sum.1 + f64::from(guarded));
            if minute >= 14 * 1440 {
                let extra = f64::from(guarded) - f64::from(hpa);
                split[3] += f64::from(hpa.max((trace.bare(minute) * 1.25).ceil() as u32)) - f64::from(hpa);
                let since = player.engine.decision(&player.key).unwrap().doubts.iter().find_map(|d| match d {
                    floorkeeper_core::Doubt::UnusualFall { since, .. } => Some(at(minute).since(*since).as_secs() / 60),
                    _ => None,
                });
                split[match since {
                    None => 0,
                    Some(m) if m < 60 => 1,
                    Some(_) => 2,
                }] += extra;
            }
            if minute == 14 * 1440 {
                falls = player.falls;
            }
        }
        let price = |(hpa, guarded): (f64, f64)| (guarded / hpa - 1.0) * 100.0;
        print!("{:24} {:7.1}% {:7.1}% {:6}", trace.name, price(sums[0]), price(sums[1]), player.falls - falls);
        print!(
            " [{:.1} {:.1} {:.1} ({:.1})]",
            split[0] / sums[1].0 * 100.0,
            split[1] / sums[1].0 * 100.0,
            split[2] / sums[1].0 * 100.0,
            split[3] / sums[1].0 * 100.0
        );
        for (minutes, share) in [(45, 0.02), (32, 0.3), (313, 0.2)] {
            let (p5, p25, p50) = dip(&trace, minutes, share);
            print!("   {p5:4.2} {p25:4.2} {p50:4.2}");
        }
        println!();
    }
}
