//! The demo: 5 March 2024 on a real cluster, four equal services, four ways to scale them.

mod history;
mod outcome;
mod picture;
mod view;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use floorkeeper_sim::Scenario;

use crate::Standby;
use crate::traffic::{Keeper, Lane, Playbill, Player, Stage};
use history::History;
use view::View;

pub use outcome::Outcome;

/// What to show, and with what.
#[derive(Debug, Clone)]
pub struct Demo {
    pub scenario: Scenario,
    /// The floorkeeper program.
    pub floorkeeper: PathBuf,
    /// Leave the cluster up afterwards.
    pub keep: bool,
}

impl Demo {
    /// Plays it, with a live view on standard error.
    pub async fn run(self) -> Result<Outcome> {
        let Self { scenario, floorkeeper, keep } = self;
        let began = Instant::now();
        if keep && let Some(kept) = Standby::open()?.running().await? {
            bail!("a cluster is already up at {}: `cargo rig down` stops it, then --keep has a place", kept.server);
        }
        let lanes = KEEPERS.map(Lane::new).to_vec();
        let view = View::open(&scenario);
        let playbill =
            Playbill { scenario, lanes, budget: BUDGET, floorkeeper: Some(floorkeeper), enforced: false, dies: false };
        let stage = Stage::build(playbill, |what| view.say(what)).await?;
        let mut player = Player::warm(stage, |what| view.say(what)).await?;
        let mut history = History::default();
        let reports = player
            .play(|frame| {
                view.show(frame);
                history.add(frame);
            })
            .await?;
        view.close();
        let stage = player.into_stage();
        let scenario = stage.scenario().clone();
        let kept = if keep { Some(stage.keep().await?) } else { None };
        Ok(Outcome { scenario, reports, history, kept, took: began.elapsed() })
    }
}

/// From left to right.
const KEEPERS: [Keeper; 4] = [Keeper::HpaCpu, Keeper::HpaSameSignal, Keeper::Guard, Keeper::Alone];

/// The play; start and warm-up take half a minute to a minute more. Eight minutes is the most that the whole may take.
const BUDGET: Duration = Duration::from_secs(300);
