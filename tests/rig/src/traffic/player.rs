//! Plays a scenario, tick by tick, against the ready pods of real Deployments.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use floorkeeper_sim::scenario::{Broken, Fault, Judge, Series, What};
use floorkeeper_sim::{Measure, Moment, Outputs, Report, Service, Trace};
use tokio::task::JoinSet;

use super::cast;
use super::dead::{self, Stood};
use super::lane::{CPU_REQUEST_MILLIS, Keeper, Lane, SERVICE};
use super::series::{Counters, Sayings};
use super::source::Mood;
use super::stage::Stage;
use super::why;
use crate::Usage;

/// One tick as somebody who watches sees it.
#[derive(Debug, Clone)]
pub struct Frame {
    pub minute: f64,
    pub clock: String,
    pub offered: f64,
    /// Replicas that the offered load needs, without headroom.
    pub need: u32,
    pub lanes: Vec<LaneFrame>,
}

/// One lane in a frame.
#[derive(Debug, Clone)]
pub struct LaneFrame {
    pub keeper: Keeper,
    pub replicas: u32,
    pub ready: u32,
    /// Share of what arrived that was served well.
    pub served: f64,
    /// What its autoscaler says.
    pub why: String,
}

/// How a lane came through.
#[derive(Debug, Clone)]
pub struct LaneReport {
    pub lane: Lane,
    pub report: Report,
    /// Minutes from the onset of the fault to the first alarm, and what it said.
    pub first_alarm: Option<(f64, String)>,
    /// Where a load had fallen: percent of what it needs without any fault that was there when it came back.
    pub kept_at_return: Option<f64>,
    /// Where floorkeeper died: what its floor did without it.
    pub stood: Option<Stood>,
    /// Broken pass conditions. They ask for a floorkeeper that lives: where it died there are none.
    pub broken: Vec<Broken>,
}

/// Plays once.
pub struct Player {
    stage: Stage,
    trace: Trace,
    runs: Vec<Run>,
    onset: f64,
    tasks: JoinSet<Result<()>>,
}

/// One lane, running.
struct Run {
    lane: Lane,
    service: Service,
    counters: Counters,
    measure: Measure,
    judge: Judge,
    /// Whether each condition was False when last seen.
    conditions: HashMap<String, bool>,
    first_alarm: Option<(f64, String)>,
    /// Replicas when last seen before a load that had fallen came back.
    before_return: u32,
}

impl Player {
    /// Begins with the traffic of minute 0 and waits until every autoscaler works on it.
    pub async fn warm(stage: Stage, say: impl Fn(&str)) -> Result<Self> {
        let trace = stage.scenario.trace(|path| std::fs::read_to_string(path).map_err(|error| error.to_string()))?;
        let runs = stage.lanes.iter().map(|lane| Run::new(lane, &stage)).collect();
        let onset = stage.scenario.fault_span().map_or(0.0, |(from, _)| from);
        let mut player = Self { stage, trace, runs, onset, tasks: JoinSet::new() };

        say("warming up: pods start, traffic flows");
        player
            .until("all pods are ready", |player| {
                let cold = player.runs.iter().find(|run| {
                    let ready = ready(&player.stage, &run.lane).len();
                    ready == 0 || u32::try_from(ready).unwrap_or(0) < player.stage.sight.replicas(&run.lane)
                });
                cold.map(|run| {
                    format!(
                        "{} has {} of {}",
                        run.lane.namespace,
                        ready(&player.stage, &run.lane).len(),
                        player.stage.sight.replicas(&run.lane)
                    )
                })
            })
            .await?;
        // Rates need two scrapes, and a whole window to be right.
        let flows_from = Instant::now();
        let window = player.stage.schedule.short(Duration::from_secs(180));
        player.until("rates are known", |_| (flows_from.elapsed() < window).then(|| "not yet".to_owned())).await?;
        say("warming up: autoscalers and policies");
        player.stage.install_scalers().await?;
        player.until("every autoscaler works", Self::not_working).await?;
        Ok(player)
    }

    /// Plays all minutes; `watch` sees every tick.
    pub async fn play(&mut self, mut watch: impl FnMut(&Frame)) -> Result<Vec<LaneReport>> {
        let length = self.stage.schedule.length();
        let began = Instant::now();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut last, mut last_minute) = (Duration::ZERO, 0.0);
        loop {
            ticks.tick().await;
            let now = began.elapsed().min(length);
            let minute = self.stage.schedule.minute(now);
            if minute >= self.onset - dead::BEFORE_ONSET
                && let Some(witnesses) = self.stage.witnesses.as_mut()
            {
                witnesses.bury(&self.stage.cast).await?;
            }
            self.happen(last_minute, minute)?;
            let frame = self.tick(minute, (now - last).as_secs_f64(), minute - last_minute);
            watch(&frame);
            (last, last_minute) = (now, minute);
            while let Some(done) = self.tasks.try_join_next() {
                done?.context("a fault could not be played")?;
            }
            if now >= length {
                break;
            }
            self.stage.check().await?;
        }
        Ok(self.reports())
    }

    /// The stage, for what comes after the play.
    pub fn into_stage(self) -> Stage {
        self.stage
    }

    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Ticks at minute 0 until `missing` says nothing any more.
    async fn until(&mut self, what: &str, missing: impl Fn(&Self) -> Option<String>) -> Result<()> {
        let began = Instant::now();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            ticks.tick().await;
            let seconds = last.elapsed().as_secs_f64();
            last = Instant::now();
            self.tick(0.0, seconds, 0.0);
            self.stage.check().await?;
            match missing(self) {
                None => return Ok(()),
                Some(why) if began.elapsed() > WARM_WITHIN => bail!("waited {WARM_WITHIN:?} in vain: {what}. {why}"),
                Some(_) => {}
            }
        }
    }

    /// Which autoscaler does not work yet, and what it says.
    fn not_working(&self) -> Option<String> {
        self.runs.iter().find_map(|run| {
            let conditions = self.stage.sight.conditions(&run.lane);
            let wanted: &[&str] = match run.lane.keeper {
                Keeper::HpaCpu | Keeper::HpaSameSignal => &["ScalingActive"],
                Keeper::Guard => &["ScalingActive", "Ready", "Trusted"],
                Keeper::Alone => &["Ready", "Trusted"],
            };
            let enforced = self.stage.cast.enforced && run.lane.keeper.is_floorkeeper();
            let wanted = [wanted, if enforced { &["Enforced"] } else { &[] }].concat();
            wanted.iter().find_map(|kind| match conditions.iter().find(|one| one.kind == *kind) {
                Some(condition) if condition.is_true => None,
                Some(condition) => Some(format!(
                    "{}: {kind} is not True: {} {}",
                    run.lane.namespace, condition.reason, condition.message
                )),
                None => Some(format!("{}: no condition {kind} yet", run.lane.namespace)),
            })
        })
    }

    /// Begins what happens once between two minutes, and keeps pods behaving as the faults want.
    fn happen(&mut self, from: f64, to: f64) -> Result<()> {
        let Stage { scenario, schedule, lanes, cast, sight, .. } = &self.stage;
        for fault in scenario.once(from, to) {
            let (cast, fault, lanes) = (cast.clone(), fault.clone(), lanes.clone());
            self.tasks.spawn(async move { cast.once(&fault, &lanes).await });
        }
        let begun = |fault: &&Fault| fault.to.is_some() && fault.from > from && fault.from <= to;
        for fault in scenario.faults.iter().filter(begun) {
            if let Some(replicas) = scenario.pinned(fault.from)
                && matches!(fault.what, What::Operator(_))
            {
                let lasts = schedule.elapsed(fault.end()).saturating_sub(schedule.elapsed(fault.from));
                let (cast, lanes) = (cast.clone(), lanes.clone());
                self.tasks.spawn(async move { cast.pin(replicas, lasts, &lanes).await });
            }
        }
        let pods_misbehave = scenario.faults.iter().any(|fault| matches!(fault.what, What::Cluster(_)));
        if pods_misbehave {
            let (share, behaviour, beat) = cast::behaviour(scenario.active(to).cloned(), schedule);
            for lane in lanes {
                for (pod, behaviour) in cast::changes(&sight.pods(lane), share, behaviour) {
                    let (cast, lane) = (cast.clone(), lane.clone());
                    self.tasks.spawn(async move { cast.behave(&lane, &pod, behaviour, beat).await });
                }
            }
        }
        Ok(())
    }

    /// `seconds` of real time and `minutes` of the scenario's have passed.
    fn tick(&mut self, minute: f64, seconds: f64, minutes: f64) -> Frame {
        let Self { stage, trace, runs, onset, .. } = self;
        let scenario = &stage.scenario;
        let offered = scenario.offered(trace.at(minute * 60.0), minute);
        let said = |series| scenario.said(series, minute);
        let sayings = Sayings { edge: said(Series::Edge), errors: said(Series::Errors), app: said(Series::App) };
        let cpu = said(Series::Cpu);
        stage.proxy.set(Mood { down: scenario.source_is_down(minute), edge: sayings.edge.odd, app: sayings.app.odd });

        let mut frames = Vec::new();
        for run in runs {
            let pods = ready(stage, &run.lane);
            let count = u32::try_from(pods.len()).unwrap_or(u32::MAX);
            // At minute 0 the scenario's clock stands still, the service's does not.
            let passed = if minutes > 0.0 { minutes * 60.0 } else { seconds };
            let out = run.service.step(&scenario.inputs(offered, count, minute), passed);
            stage.edge.update(|metrics| run.counters.count(metrics, &out, &sayings, &pods, seconds));
            if cpu.missing > 0.0 {
                stage.apis.remove_usage(&run.lane.namespace, &PODS);
            } else {
                let cores = out.cpu * cpu.factor * f64::from(CPU_REQUEST_MILLIS) / 1000.0;
                stage.apis.set_usage(&run.lane.namespace, &PODS, Usage { cpu: cores, memory: MEMORY });
            }
            let moment =
                Moment { minute, lasts: minutes, offered, ready: count, replicas: stage.sight.replicas(&run.lane) };
            frames.push(run.saw(stage, &moment, &out, *onset));
        }
        let need = Measure::new(scenario.service.capacity).need(offered);
        Frame { minute, clock: scenario.clock(minute), offered, need, lanes: frames }
    }

    fn reports(&self) -> Vec<LaneReport> {
        let Stage { scenario, witnesses, .. } = &self.stage;
        let needed = scenario.comes_back().map(|minute| {
            let load = self.trace.at(minute * 60.0);
            Measure::new(scenario.service.capacity).need(load).min(scenario.service.max)
        });
        self.runs
            .iter()
            .map(|run| {
                let report = run.measure.report();
                let mut judge = run.judge.clone();
                let kept_at_return =
                    needed.map(|needed| 100.0 * f64::from(run.before_return) / f64::from(needed.max(1)));
                if let Some(kept) = kept_at_return {
                    judge.kept_at_return(kept);
                }
                let alarms = usize::from(run.first_alarm.is_some());
                let broken = if witnesses.is_none() { judge.broken(&report, Some(alarms)) } else { Vec::new() };
                let stood = witnesses.as_ref().and_then(|witnesses| witnesses.testify(&run.lane));
                let first_alarm = run.first_alarm.clone().map(|(minute, what)| (minute - self.onset, what));
                LaneReport { lane: run.lane.clone(), report, first_alarm, kept_at_return, stood, broken }
            })
            .collect()
    }
}

impl Run {
    fn new(lane: &Lane, stage: &Stage) -> Self {
        Self {
            lane: lane.clone(),
            service: Service::new(stage.scenario.service.clone()),
            counters: Counters::new(&lane.namespace, SERVICE),
            measure: Measure::new(stage.scenario.service.capacity),
            judge: Judge::new(&stage.scenario),
            conditions: HashMap::new(),
            first_alarm: None,
            before_return: 0,
        }
    }

    /// Measures the moment, listens for an alarm, and says what a watcher should see.
    fn saw(&mut self, stage: &Stage, moment: &Moment, out: &Outputs, onset: f64) -> LaneFrame {
        let Moment { minute, ready, replicas, lasts, offered: _ } = *moment;
        // While the clock stands still, before the play, nothing is measured.
        if lasts > 0.0 {
            self.measure.add(moment);
            self.judge.see(moment);
        }
        if stage.scenario.comes_back().is_some_and(|back| minute < back) {
            self.before_return = replicas;
        }
        for condition in stage.sight.conditions(&self.lane) {
            let before = self.conditions.insert(condition.kind.clone(), condition.is_false).unwrap_or(false);
            if condition.is_false && !before && minute > onset && ALARMS.contains(&condition.kind.as_str()) {
                self.measure.alarm(minute);
                self.first_alarm
                    .get_or_insert_with(|| (minute, format!("{}=False, {}", condition.kind, condition.reason)));
            }
        }
        let served = if out.arriving > 0.0 { (out.served / out.arriving).min(1.0) } else { 1.0 };
        LaneFrame { keeper: self.lane.keeper, replicas, ready, served, why: why::of(&stage.sight, &self.lane) }
    }
}

/// Names of the lane's ready pods.
fn ready(stage: &Stage, lane: &Lane) -> Vec<String> {
    stage.sight.pods(lane).into_iter().filter(|pod| pod.ready).map(|pod| pod.name).collect()
}

/// Conditions that are an alarm when they turn False: those of the HPA and those of a policy.
const ALARMS: [&str; 4] = ["AbleToScale", "ScalingActive", "Ready", "Trusted"];

/// The pods of a lane, as the metrics API selects them.
const PODS: [(&str, &str); 1] = [("app", SERVICE)];

/// Bytes that a pod uses; nothing depends on it.
const MEMORY: f64 = 32e6;

/// Four looks a second: 5 s of the scenario at the edges of a fault.
const TICK: Duration = Duration::from_millis(250);

/// Several times what a busy machine needs.
const WARM_WITHIN: Duration = Duration::from_secs(120);
