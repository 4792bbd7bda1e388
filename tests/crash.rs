//! A life of a policy, played on a real API server: undisturbed, and then again with a fault at each moment that there is.
//! Whatever happened, each phase has to end in the state in which it ends undisturbed, and on the way nothing falls that
//! does not fall undisturbed.
//!
//! A few moments are chosen to run always; all of them with `FLOORKEEPER_SOAK=1 cargo test --test crash`, and of these those of
//! one name with `FLOORKEEPER_ONLY=OldLists`.

#[path = "crash/builds.rs"]
mod builds;
#[path = "crash/life.rs"]
mod life;
#[path = "crash/manner.rs"]
mod manner;
#[path = "crash/news.rs"]
mod news;
#[path = "crash/state.rs"]
mod state;
#[path = "crash/world.rs"]
mod world;

mod stage;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::life::{Life, Lived, Mode, Phase, Trouble, kinds};
use crate::manner::{Crash, When};
use crate::stage::proxy::Fate;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_guarded_hpa_comes_to_the_same_end() -> Result<()> {
    let chosen = vec![
        crash(Phase::Rises, "/floortables/", 1, When::After),
        crash(Phase::Edited, "/horizontalpodautoscalers/", 1, When::Before),
        crash(Phase::Falls, "/floortables/", 1, When::After),
        // Between the two writes that give it back.
        crash(Phase::GivenBack, "/horizontalpodautoscalers/", 1, When::After),
        crash(Phase::Gone, "/horizontalpodautoscalers/", 1, When::After),
    ];
    lives(Mode::Guard, &[Trouble::Crashes(chosen)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_come_to_the_same_end() -> Result<()> {
    let chosen = vec![
        crash(Phase::Rises, "/scale", 1, When::Before),
        crash(Phase::Scaled, "/scale", 1, When::Before),
        crash(Phase::Falls, "/scale", 1, When::After),
        crash(Phase::GivenBack, "/floortables/", 1, When::After),
        // It is released, and has not vanished. (The first write is the claim of another start.)
        crash(Phase::Gone, "/floortables/", 2, When::After),
    ];
    lives(Mode::Alone, &[Trouble::Crashes(chosen)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hpa_of_our_own_comes_to_the_same_end() -> Result<()> {
    if soaking() { lives(Mode::OwnHpa, &[]).await } else { Ok(()) }
}

/// The undisturbed life, and then the troubled ones: those, or all.
async fn lives(mode: Mode, chosen: &[Trouble]) -> Result<()> {
    let world = World::open().await?;
    let mut number = 0;
    let mut life = || {
        number += 1;
        Life { world: &world, mode, namespace: format!("{}-{number}", mode.name()) }
    };
    let undisturbed = life().live(&Trouble::Nothing, None).await?;
    println!(
        "{mode:?}: undisturbed in {:?}, {} writes:\n{:#?}",
        undisturbed.took,
        undisturbed.writes.len(),
        tally(&undisturbed)
    );
    let mut all = chosen.to_vec();
    if soaking() {
        // Two undisturbed lives are alike, or differences would say nothing.
        all.push(Trouble::Nothing);
        all.extend(crashes(&undisturbed).into_iter().chain(troubles()));
        let only = std::env::var("FLOORKEEPER_ONLY").unwrap_or_default();
        all.retain(|trouble| trouble.name().contains(&only));
    }
    let mut faults = Vec::new();
    let (mut met, mut not_met) = (0, 0);
    for trouble in &all {
        match life().live(trouble, Some(&undisturbed)).await {
            Ok(lived) => {
                println!("{} in {:?}, killed at {:#?}", trouble.name(), lived.took, lived.crashed);
                let asked = if let Trouble::Crashes(crashes) = trouble { crashes.len() } else { 0 };
                met += lived.crashed.len();
                not_met += asked - lived.crashed.len();
            }
            // The others are still worth living.
            Err(error) => {
                println!("FAULT: {error:#}");
                faults.push(format!("{error:#}"));
            }
        }
    }
    println!("{mode:?}: {met} crashes met, {not_met} not; {} faults", faults.len());
    ensure!(faults.is_empty(), "{}", faults.join("\n\n"));
    ensure!(met >= 3 * not_met, "{not_met} crashes never came: the play shows little");
    Ok(())
}

/// A crash at each write of a life, before and after: in one life one in each phase, as each phase begins where the one
/// before ends undisturbed.
fn crashes(undisturbed: &Lived) -> Vec<Trouble> {
    let mut of_phase = BTreeMap::<Phase, usize>::new();
    for write in &undisturbed.writes {
        *of_phase.entry(write.phase).or_default() += 1;
    }
    let most = of_phase.values().copied().max().unwrap_or_default();
    let both = |nth| [When::Before, When::After].map(|when| (nth, when));
    let life = |(nth, when)| {
        let phases = of_phase.iter().filter(|(_, writes)| **writes >= nth);
        Trouble::Crashes(phases.map(|(phase, _)| crash(*phase, "", nth, when)).collect())
    };
    (1..=most).flat_map(both).map(life).collect()
}

/// Everything but crashes.
fn troubles() -> Vec<Trouble> {
    let mut troubles = Vec::new();
    for blind in [false, true] {
        let each = kinds().into_iter().map(|kind| vec![kind]);
        troubles.extend(each.chain([kinds()]).map(|kinds| Trouble::OldLists { kinds, blind }));
    }
    troubles.extend(kinds().into_iter().map(Trouble::Lost));
    troubles.push(Trouble::Late(Duration::from_millis(1500)));
    let fates = [Fate::Conflict, Fate::Throttled, Fate::Error, Fate::Late, Fate::Denied, Fate::Truncated];
    troubles.extend(fates.map(Trouble::Ill));
    troubles
}

fn crash(phase: Phase, write: &'static str, nth: usize, when: When) -> Crash {
    Crash { phase, write, nth, when }
}

/// What was written how often.
fn tally(lived: &Lived) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for write in &lived.writes {
        *tally.entry(format!("{:?} {}", write.phase, write.what)).or_default() += 1;
    }
    tally
}

/// All of it, on request only.
fn soaking() -> bool {
    std::env::var_os("FLOORKEEPER_SOAK").is_some_and(|value| value != "0")
}
