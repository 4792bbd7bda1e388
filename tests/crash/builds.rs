//! From one build to another and back, with a floor stored at a peak and the source down: nobody knows what is needed, so
//! nothing may fall.
//!
//! `FLOORKEEPER_OTHER` names the other build, an older one: `FLOORKEEPER_OTHER=PROGRAM cargo test --test crash builds`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{Availability, eventually};

use crate::life::{Life, Mode, Phase};
use crate::stage::operator::Operator;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn builds_keep_each_other_s_floors() -> Result<()> {
    let Some(other) = std::env::var_os("FLOORKEEPER_OTHER").map(PathBuf::from) else { return Ok(()) };
    let this = PathBuf::from(env!("CARGO_BIN_EXE_floorkeeper"));
    let world = World::open().await?;
    for (number, mode) in [Mode::Guard, Mode::Alone, Mode::OwnHpa].into_iter().enumerate() {
        let life = Life { world: &world, mode, namespace: format!("builds-{number}") };
        life.open().await?;
        let mut operator = start(&world, &other, &format!("{number}-first")).await?;
        for phase in [Phase::Born, Phase::Rises] {
            life.act(phase).await?;
            life.comes_to(phase, None).await?;
        }
        let peak = Instant::now();
        // The HPA scales to its minimum, and what little load there is nobody tells.
        world.edge.set_availability(Availability::Refusing);
        life.act(Phase::Falls).await?;
        for (turn, build) in [&this, &other, &this].into_iter().enumerate() {
            let before = life.epoch().await?;
            ensure!(operator.stop().await?.success(), "SIGTERM is no failure");
            operator = start(&world, build, &format!("{number}-{turn}")).await?;
            eventually("the floor is taken over", Duration::from_secs(60), || async {
                let epoch = life.epoch().await?;
                ensure!(epoch > before, "still of epoch {epoch}");
                Ok(())
            })
            .await?;
            // Long enough for a window to be full, if blindness could fill it.
            tokio::time::sleep(BLIND_FOR).await;
            life.nothing_fell(Phase::Rises, peak)?;
            println!("{mode:?}: {}, and nothing fell", build.display());
        }
        world.edge.set_availability(Availability::Up);
        life.comes_to(Phase::Falls, None).await.context("the source is back")?;
        ensure!(operator.stop().await?.success(), "SIGTERM is no failure");
        life.close().await?;
    }
    Ok(())
}

async fn start(world: &World, build: &Path, name: &str) -> Result<Operator> {
    let directory = world.cluster.directory();
    let mut operator = Operator::start_build(build, directory, &world.cluster.kubeconfig(), name, &[])?;
    operator.ready().await?;
    Ok(operator)
}

/// Two windows and a half.
const BLIND_FOR: Duration = Duration::from_secs(5);
