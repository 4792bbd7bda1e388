//! L4: down is slow, proven, undone on harm.

use std::time::Duration;

use floorkeeper_core::{Action, Notice, Outcome, Override, Policy, TargetKey, Timestamp, Write};
use proptest::prelude::*;

use crate::story::Story;
use crate::world::history::{CAPACITY, Incident, Setup, Tick, cases, minutes, ripe_histories, setups, web, web_target};
use crate::world::source::Fault;
use crate::world::{Api, World};

/// One fall of the stored floor.
#[derive(Clone, Copy, Debug)]
struct Fall {
    at: Timestamp,
    from: u32,
    to: u32,
}

/// Every change of a stored floor: falls, and when it rose.
fn changes(world: &World, target: &TargetKey) -> (Vec<Fall>, Vec<Timestamp>) {
    let (mut falls, mut rises, mut last) = (Vec::new(), Vec::new(), None);
    for (at, write, outcome) in &world.wrote {
        let (Write::Floors { rows, .. }, Outcome::Done) = (write, outcome) else { continue };
        for (_, row) in rows.iter().filter(|(written, _)| written == target) {
            let from = last.replace(row.replicas).unwrap_or(row.replicas);
            if row.replicas < from {
                falls.push(Fall { at: *at, from, to: row.replicas });
            } else if row.replicas > from {
                rises.push(*at);
            }
        }
    }
    (falls, rises)
}

/// What the test itself knows of a tick.
#[derive(Debug)]
struct Known {
    at: Timestamp,
    known: bool,
    /// The errors were asked for and not answered.
    no_errors: bool,
    /// Many of the requests failed, and there were enough of them to tell.
    failing: bool,
    rolling: bool,
}

fn remember(policy: &Policy, tick: &Tick, rolling: bool, at: Timestamp) -> Known {
    let blinds = |fault: Fault| fault != Fault::NoErrors && (fault == Fault::Drop || fault.blinds(policy));
    let known = !tick.fault.is_some_and(blinds);
    let failing = policy.errors.is_some_and(|errors| {
        tick.errors > errors.above && tick.load * CAPACITY >= errors.min_rate && tick.fault.is_none()
    });
    let no_errors = policy.errors.is_some() && matches!(tick.fault, Some(Fault::NoErrors | Fault::Timeout));
    Known { at, known, no_errors, failing, rolling }
}

/// The proof that a fall needs, from what the test knows. A tick's sample comes after the polls of that same moment.
fn proven(policy: &Policy, past: &[Known], fall: Fall) -> Result<(), String> {
    let ticks: Vec<_> = past.iter().filter(|tick| tick.at <= fall.at).collect();
    let (window, gap) = (policy.window, policy.resolution * 2);
    let inside = |at: Timestamp| fall.at.since(at) < window;
    let known: Vec<_> = ticks.iter().filter(|tick| tick.known && inside(tick.at)).collect();
    let expected = window.as_secs_f64() / policy.resolution.as_secs_f64() * 0.9;
    if (known.len() as f64) < expected.floor() - 1.0 {
        return Err(format!("{} known samples of {expected}", known.len()));
    }
    if known.windows(2).any(|pair| pair[1].at.since(pair[0].at) > gap) {
        return Err("a gap in the window".to_owned());
    }
    if ticks.iter().rfind(|tick| tick.known).is_none_or(|tick| fall.at.since(tick.at) > gap) {
        return Err("nothing is known of the last two ticks".to_owned());
    }
    // The poll may come before the sample of its own moment, or with it.
    if ticks.iter().rev().take(2).all(|tick| tick.no_errors) {
        return Err("nothing is known of the errors".to_owned());
    }
    if let Some(tick) = ticks.iter().find(|tick| tick.failing && inside(tick.at) && tick.at < fall.at) {
        return Err(format!("requests failed at {}", tick.at));
    }
    if ticks.last().is_some_and(|tick| tick.rolling && tick.at < fall.at) {
        return Err("during a rollout".to_owned());
    }
    Ok(())
}

fn calm(incident: Option<Incident>) -> Option<Incident> {
    incident.filter(|incident| !matches!(incident, Incident::Deaf(_)))
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn every_fall_is_small_and_proven(setup in setups(), history in ripe_histories(16)) {
        let policy = &setup.policy;
        let mut world = setup.world();
        let mut past = vec![Known { at: world.now, known: true, no_errors: false, failing: false, rolling: false }];
        let mut rollouts = Vec::new();
        let mut rolling_since: Option<Timestamp> = None;
        for tick in history {
            let tick = Tick { incident: calm(tick.incident), ..tick };
            match tick.incident {
                Some(Incident::RolloutBegins) => {
                    rolling_since.get_or_insert(world.now);
                    rollouts.push(world.now);
                }
                Some(Incident::RolloutEnds) => rolling_since = None,
                _ => {}
            }
            world.play(&tick);
            // The deadline of a rollout ends its doubt.
            let rolling = rolling_since.is_some_and(|since| world.now.since(since) < Duration::from_secs(585));
            past.push(remember(policy, &tick, rolling, world.now));
        }
        let (falls, rises) = changes(&world, &web_target());
        for fall in &falls {
            prop_assert!(fall.from - fall.to <= (fall.from / 4).max(1), "{fall:?}");
            let proof = proven(policy, &past, *fall);
            prop_assert!(proof.is_ok(), "{fall:?}: {proof:?}");
        }
        for pair in falls.windows(2) {
            let between = |at: &&Timestamp| pair[0].at <= **at && **at <= pair[1].at;
            // A raise or another pod template ends the watch over a step.
            if rises.iter().find(between).is_none() && rollouts.iter().find(between).is_none() {
                let apart = pair[1].at.since(pair[0].at);
                prop_assert!(apart >= policy.verify_for, "{pair:?} are {apart:?} apart");
            }
        }
    }

    #[test]
    fn harm_takes_the_step_back(setup in setups(), broken in prop::bool::ANY, restart in prop::bool::ANY) {
        let mut policy = setup.policy.clone();
        policy.min_replicas = Some(1);
        policy.max_replicas = Some(60);
        policy.half_life = Duration::from_secs(600);
        policy.verify_for = Duration::from_secs(60);
        policy.errors = crate::world::history::policy().errors;
        // Every fall is usual here: what is looked at is the step.
        policy.fall.until_learned_percent = 1;
        let setup = Setup { policy, replicas: 40, stabilisation: Duration::ZERO, start_delay: Duration::ZERO };
        let mut world = setup.world();
        let quiet = Tick { load: 4.0, errors: 0.0, broken_percent: 0, fault: None, incident: None };
        let (mut ticks, mut fell) = (0, None);
        while fell.is_none() {
            ticks += 1;
            prop_assert!(ticks < 400, "it never came down: {:?}", world.decision(&web()));
            world.play(&quiet);
            let step = world.store.row(&web_target()).and_then(|row| row.step);
            fell = step.filter(|step| world.pods[&web_target()].ready() < step.from);
        }
        let step = fell.unwrap();
        let harm = if broken {
            Tick { broken_percent: 60, ..quiet.clone() }
        } else {
            Tick { errors: 0.5, ..quiet.clone() }
        };
        world.play(&harm);
        let floor = world.store.floor(&web_target());
        prop_assert!(floor >= Some(step.from), "{floor:?} after harm, from {step:?}: {:?}", world.decision(&web()));
        prop_assert!(world.pods[&web_target()].replicas >= step.from);
        let told = world.notices.iter().any(|(_, _, notice)| {
            matches!(notice, Notice::StepUndone { from, to } if (*from, *to) == (step.from, step.to))
        });
        prop_assert!(told, "nobody was told: {:?}", world.notices);
        if restart {
            world.crash();
            world.restart(Some(Duration::from_secs(3600)));
        }
        // The pause: nothing falls for two minutes, though all is well again.
        let until = world.now.plus(Duration::from_secs(120));
        while world.now.plus(Duration::from_secs(15)) < until {
            world.play(&quiet);
            prop_assert!(world.store.floor(&web_target()) >= floor, "it fell during the pause");
        }
    }

    #[test]
    fn what_could_not_be_stored_does_not_add_up(setup in setups(), outage in 1_usize..60) {
        let mut setup = setup;
        setup.policy.min_replicas = Some(0);
        setup.policy.hold_at_most = Duration::from_secs(60);
        setup.policy.half_life = Duration::from_secs(60);
        setup.policy.fall.hold_for = Duration::from_secs(60);
        setup.policy.fall.keep_for = Duration::from_secs(60);
        setup.replicas = 40;
        setup.policy.max_replicas = Some(60);
        let mut world = setup.world();
        let zero = Tick { load: 0.0, errors: 0.0, broken_percent: 0, fault: None, incident: None };
        // By then zero holds against nothing any more.
        let mut ticks = 0;
        while world.store.floor(&web_target()) > Some(30) {
            ticks += 1;
            prop_assert!(ticks < 4000, "it never came down: {:?}", world.decision(&web()));
            world.play(&zero);
        }
        world.api = Api::Failing;
        for _ in 0..outage {
            world.play(&zero);
        }
        world.api = Api::Up;
        for _ in 0..4 {
            world.play(&zero);
        }
        let (falls, _) = changes(&world, &web_target());
        for fall in falls {
            prop_assert!(fall.from - fall.to <= (fall.from / 4).max(1), "{fall:?}");
        }
    }
}

#[test]
fn a_step_remembers_how_things_were_before_it() {
    let mut story = Story::settled(|policy| policy.half_life = minutes(10));
    story.load(9.0).errors(0.01);
    while story.world.store.row(&web_target()).unwrap().step.is_none() {
        story.minutes(1);
    }
    let step = story.world.store.row(&web_target()).unwrap().step.unwrap();
    assert_eq!((step.from, step.to), (17, 16));
    // The bare need of 9 against 17 ready pods.
    assert_eq!((step.errors_before, step.unready_before, step.strain_before), (Some(10), 0, Some(529)));
}

/// One step down, from 17 to 16, that is watched now.
fn stepped() -> Story {
    let mut story = Story::settled(|_| {});
    story.load(9.0);
    while story.world.pods[&web_target()].replicas > 16 {
        story.minutes(1);
    }
    story.world.notices.clear();
    story
}

fn taken_back(story: &Story) -> bool {
    let back = |notice: &Notice| *notice == Notice::StepUndone { from: 17, to: 16 };
    story.world.notices.iter().any(|(_, _, notice)| back(notice))
}

#[test]
fn a_step_that_does_harm_is_taken_back_while_a_person_freezes_too() {
    let mut story = stepped();
    let (from, until) = (story.world.now, story.world.now.plus(minutes(60)));
    story.world.order(&web(), vec![Override { name: "hands-off".into(), action: Action::Freeze, from, until }]);
    story.errors(0.04).minutes(1);
    assert!(taken_back(&story));
    assert_eq!(story.world.store.floor(&web_target()), Some(17));
}

#[test]
fn a_step_is_not_blamed_for_what_other_pods_do() {
    let mut story = stepped();
    story.world.pods.get_mut(&web_target()).unwrap().template += 1;
    story.errors(0.04).minutes(1);
    assert!(!taken_back(&story));
    let mut same = stepped();
    same.errors(0.04).minutes(1);
    assert!(taken_back(&same));
}
