//! All runs, on as many threads as wanted, in an order that does not depend on them.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use floorkeeper_replay::report::Picture;
use floorkeeper_replay::{Play, Played, Scaler, Series, TICK};
use floorkeeper_sim::Scenario;

use super::loads::Loads;
use super::page;
use super::policies::Named;

/// What is to be played: every scenario with every seed under every policy.
pub(super) struct Work {
    pub(super) scenarios: Vec<Scenario>,
    pub(super) seeds: u64,
    pub(super) policies: Vec<Named>,
    pub(super) scalers: Vec<Scaler>,
    pub(super) loads: Loads,
    pub(super) series: bool,
    /// Keep charts.
    pub(super) pictures: bool,
}

/// One scenario under one seed and policy.
pub(super) struct Done {
    pub(super) played: Vec<Played>,
    pub(super) series: Option<Series>,
    pub(super) picture: Option<Picture>,
}

impl Done {
    /// Which policy it was played with.
    pub(super) fn policy(&self) -> Option<&str> {
        self.played.first().map(|played| played.run.policy.as_str())
    }
}

impl Work {
    /// Plays all of it. False if Ctrl-C ended it before.
    pub(super) fn carry_out(&self, jobs: usize, progress: bool) -> anyhow::Result<(Vec<Done>, bool)> {
        let seeds = usize::try_from(self.seeds).unwrap_or(1);
        let all = self.scenarios.len() * seeds;
        let stop = stop_on_ctrl_c()?;
        let (next, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let slots: Mutex<Vec<Option<anyhow::Result<Vec<Done>>>>> = Mutex::new((0..all).map(|_| None).collect());
        std::thread::scope(|scope| {
            for _ in 0..jobs.clamp(1, all.max(1)) {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let job = next.fetch_add(1, Ordering::Relaxed);
                        if job >= all {
                            break;
                        }
                        let seed = u64::try_from(job / self.scenarios.len()).unwrap_or(0);
                        let done = self.one(&self.scenarios[job % self.scenarios.len()], seed);
                        slots.lock().unwrap_or_else(PoisonError::into_inner)[job] = Some(done);
                        let finished = finished.fetch_add(1, Ordering::Relaxed) + 1;
                        if progress && (finished.is_multiple_of(10) || finished == all) {
                            eprint!("\r{finished} of {all} scenarios played");
                            // A progress line that can't be written is no reason to stop.
                            let _ = std::io::stderr().flush();
                        }
                    }
                });
            }
        });
        if progress {
            eprintln!();
        }
        let slots = slots.into_inner().unwrap_or_else(PoisonError::into_inner);
        let finished: Vec<_> = slots.into_iter().flatten().collect::<anyhow::Result<Vec<_>>>()?;
        let complete = finished.len() == all;
        Ok((finished.into_iter().flatten().collect(), complete))
    }

    fn one(&self, scenario: &Scenario, seed: u64) -> anyhow::Result<Vec<Done>> {
        let load = self.loads.of(scenario, seed)?;
        let tick = if scenario.minutes > LONG { 60.0 } else { TICK };
        let play = |named: &Named| {
            let play = Play {
                scenario: &load.scenario,
                trace: &load.trace,
                past: load.past.as_ref(),
                trace_name: self.loads.name(),
                policy: &named.policy,
                policy_name: &named.name,
                seed,
                scalers: &self.scalers,
                tick,
                series: self.series || self.pictures,
            };
            let outcome = play.play();
            let series = outcome.series;
            let picture = series.as_ref().filter(|_| self.pictures).map(|series| page::picture(&play, series));
            Done { played: outcome.played, series: series.filter(|_| self.series), picture }
        };
        Ok(self.policies.iter().map(play).collect())
    }
}

/// One thread for each core.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Set when a person wants no more; the second Ctrl-C ends the program at once.
fn stop_on_ctrl_c() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&stop);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime for Ctrl-C")?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                set.store(true, Ordering::Relaxed);
                eprintln!("\nending: what is finished will be reported; once more to end at once");
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        });
    });
    Ok(stop)
}

/// Minutes: longer runs are of days, and are played in steps of a minute.
const LONG: u32 = 4_320;
