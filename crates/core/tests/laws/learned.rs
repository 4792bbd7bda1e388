//! What may teach, and what learning may do.

use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{Doubt, Engine, Event, Hold, Learned, LearnedDay, Mode, Policy, Timestamp, Usual};
use proptest::prelude::*;

use crate::world::World;
use crate::world::cluster::Pods;
use crate::world::history::{CAPACITY, Tick, cases, minutes, policy, ripe_histories, setups, web, web_target};
use crate::world::source::{Fault, sample};

/// Steps of the past: five minutes.
const STEP: u64 = 300_000;
const DAY: u64 = 86_400_000;

/// A Monday at noon.
pub(crate) const NOON: Timestamp = Timestamp(1_709_553_600_000);

/// The load of a workload that has days and nights, in replicas' worth.
#[derive(Clone, Debug)]
struct Days {
    peak: f64,
    night: f64,
    wobble: f64,
    weekend: f64,
    seed: u64,
}

impl Days {
    fn at(&self, at: Timestamp) -> f64 {
        let into = (at.0 % DAY) as f64 / DAY as f64;
        let weekend = (at.0 / DAY + 4) % 7 >= 5;
        let height = if weekend { self.weekend } else { 1.0 };
        // From 6 to 18 h.
        let day = ((into - 0.25) * std::f64::consts::TAU).sin().max(0.0) * height;
        let noise = (at.0 / STEP).wrapping_add(self.seed).wrapping_mul(6_364_136_223_846_793_005) >> 33;
        let wobble = 1.0 + self.wobble * ((noise % 1000) as f64 / 500.0 - 1.0);
        self.peak * (self.night + (1.0 - self.night) * day) * wobble
    }
}

fn days() -> impl Strategy<Value = Days> {
    (10.0_f64..40.0, 0.15_f64..0.5, 0.0_f64..0.08, 0.4_f64..1.0, any::<u64>())
        .prop_map(|(peak, night, wobble, weekend, seed)| Days { peak, night, wobble, weekend, seed })
}

/// An engine that was told two weeks of the past that end at noon.
pub(crate) fn told(policy: &Policy, load: impl Fn(Timestamp) -> Option<f64>) -> World {
    let mut world = World::new();
    world.now = NOON;
    world.add_target(&web_target(), Pods::new("web", 40, Duration::ZERO), None);
    world.add_policy(&web(), Policy { mode: Mode::Autoscale, depends_on: Vec::new(), ..policy.clone() });
    let past = (0..14 * 288)
        .map(|n| NOON.minus(Duration::from_millis((14 * 288 - n) * STEP)))
        .filter_map(|at| Some(sample(load(at)? * CAPACITY, at)))
        .collect();
    world.engine.observe(Event::Past(web(), 0, past), NOON);
    if let Some(load) = load(NOON.minus(Duration::from_millis(STEP))) {
        world.truth(&web()).load = load * CAPACITY;
    }
    world
}

/// What it has learned, and what it says a window later.
fn taught(policy: &Policy, load: impl Fn(Timestamp) -> Option<f64>) -> (Learned, Option<Usual>) {
    let mut world = told(policy, load);
    world.run(policy.window + minutes(1));
    (world.engine.learned(&web()).unwrap(), world.decision(&web()).usual)
}

/// Whole days before today.
fn past_days(learned: &Learned) -> Vec<LearnedDay> {
    let today = u32::try_from(NOON.0 / DAY).unwrap();
    learned.days.iter().filter(|day| day.day < today).cloned().collect()
}

/// The deepest fall of each span but those of so many days, whatever they were taken for.
fn deepest(learned: &Learned, but: usize) -> Vec<f64> {
    let days = past_days(learned);
    let of = |day: &LearnedDay, span: usize| day.lows[span].into_iter().chain(day.suspects[span]).reduce(f64::min);
    (0..days[0].lows.len())
        .map(|span| {
            let mut lows: Vec<f64> = days.iter().filter_map(|day| of(day, span)).collect();
            lows.sort_by(f64::total_cmp);
            lows.get(but).copied().unwrap_or(1.0)
        })
        .collect()
}

fn deepest_of_all(learned: &Learned) -> Vec<f64> {
    deepest(learned, 0)
}

/// The deepest fall of each span that was taken for an ordinary one.
fn ordinary(learned: &Learned) -> Vec<f64> {
    let days = learned.days.iter().map(|day| LearnedDay { suspects: Default::default(), ..day.clone() });
    deepest_of_all(&Learned { days: days.collect(), ..learned.clone() })
}

/// Deeper than usual is a fall under so much of it.
const SLACK: f64 = 0.7;

/// Shares of what is stored are rounded to half percents.
const ROUNDING: f64 = 0.011;

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn an_outage_never_teaches(
        days in days(),
        begins in 5 * 24 * 60_u64..12 * 24 * 60,
        lasts in 30_u64..420,
        left in 0.0_f64..0.1,
    ) {
        // A milder one, at night, may pass for usual: then it counts as a day, and the next law bounds what a day can do.
        let policy = policy();
        let from = NOON.minus(Duration::from_secs(14 * 86_400)).plus(minutes(begins));
        let outage = |at: Timestamp| at >= from && at < from.plus(minutes(lasts));
        let (without, _) = taught(&policy, |at| Some(days.at(at)));
        let (with, _) = taught(&policy, |at| Some(days.at(at) * if outage(at) { left } else { 1.0 }));
        let deepest = deepest_of_all(&without);
        for (span, (with, without)) in ordinary(&with).into_iter().zip(deepest).enumerate() {
            prop_assert!(with >= without - ROUNDING, "span {span}: {with} is ordinary after an outage, {without} was the deepest");
        }
    }

    #[test]
    fn a_gap_never_teaches(days in days(), begins in 0_u64..13 * 24 * 60, lasts in 5_u64..1500) {
        let policy = policy();
        let from = NOON.minus(Duration::from_secs(14 * 86_400)).plus(minutes(begins));
        let gap = |at: Timestamp| at >= from && at < from.plus(minutes(lasts));
        let (without, _) = taught(&policy, |at| Some(days.at(at)));
        let (with, _) = taught(&policy, |at| (!gap(at)).then(|| days.at(at)));
        for (span, (with, without)) in ordinary(&with).into_iter().zip(deepest_of_all(&without)).enumerate() {
            prop_assert!(with >= without - ROUNDING, "span {span}: {with} with a gap, {without} without");
        }
    }

    #[test]
    fn quiet_hours_never_teach(days in days(), noise in prop::collection::vec(0.0_f64..1.0, 7..90)) {
        let policy = policy();
        // A day of two levels, with slopes of two hours; from 23 to 4 h any noise under a tenth of the day's peak.
        let shape = |at: Timestamp| {
            let hour = (at.0 % DAY) as f64 / 3_600_000.0;
            let slope = ((hour - 5.0) / 2.0).clamp(0.0, 1.0).min(((20.0 - hour) / 2.0).clamp(0.0, 1.0));
            days.peak * (0.09 + 0.91 * slope)
        };
        let quiet = |at: Timestamp| !(4..23).contains(&(at.0 % DAY / 3_600_000));
        let (steady, _) = taught(&policy, |at| Some(shape(at)));
        let (noisy, _) = taught(&policy, |at| {
            Some(if quiet(at) { shape(at) * noise[(at.0 / STEP) as usize % noise.len()] } else { shape(at) })
        });
        // Over the spans that see no more than the quiet hours: half an hour, an hour, ten minutes.
        let (steady, noisy) = (deepest_of_all(&steady), ordinary(&noisy));
        for span in [0, 1, 6] {
            let (steady, noisy) = (steady[span], noisy[span]);
            prop_assert!(noisy >= steady - ROUNDING, "span {span}: {noisy} after noisy nights, {steady} without");
        }
    }

    #[test]
    fn one_bad_day_or_two_set_nothing_and_three_do(days in days(), hour in 8_u64..15, left in 0.0_f64..0.2) {
        let policy = policy();
        let bad = |at: Timestamp, many: u64| {
            // The days before yesterday, at the same hour.
            let ago = (NOON.0 / DAY - at.0 / DAY).saturating_sub(1);
            (1..=many).contains(&ago) && at.0 % DAY / 3_600_000 == hour
        };
        let with = |many: u64| taught(&policy, |at| Some(days.at(at) * if bad(at, many) { left } else { 1.0 }));
        let ((none, without), (two, after_two), (six, after_six)) = (with(0), with(2), with(6));
        // Whatever they are taken for, what they showed is never the measure.
        for (span, (none, two)) in deepest_of_all(&none).into_iter().zip(deepest(&two, 2)).enumerate() {
            prop_assert!(two >= none - ROUNDING, "span {span}: {two} with two bad days, {none} is the deepest without");
        }
        let within_an_hour = |usual: Option<Usual>| usual.unwrap().within_an_hour.unwrap();
        let least = deepest_of_all(&none)[1] * SLACK;
        prop_assert!(within_an_hour(after_two) >= least - ROUNDING, "two bad days set {after_two:?}, not {least}");
        prop_assert!(within_an_hour(after_six) < within_an_hour(without), "six bad days are usual by now");
        prop_assert!(deepest(&six, 2)[0] < deepest_of_all(&none)[0]);
    }
}

fn any_learned() -> impl Strategy<Value = Learned> {
    let share = || prop::option::of(-0.1_f64..1.1);
    let shares = || prop::array::uniform8(share());
    let hours = prop::array::uniform24(prop::option::of(-1.0_f64..200.0));
    let day = (0_u32..16, 0_u32..2000, shares(), shares(), hours, any::<u32>()).prop_map(
        |(ago, minutes, lows, suspects, hours, doubtful)| {
            let today = u32::try_from(crate::world::START.0 / DAY).unwrap();
            LearnedDay { day: today - ago, minutes, lows, suspects, hours, doubtful }
        },
    );
    (prop::collection::vec(day, 0..20), 1.0_f64..20.0)
        .prop_map(|(days, carried)| Learned { reckoned_by: vec![carried], days })
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn learning_never_lowers_a_floor_that_is_held(
        setup in setups(),
        history in ripe_histories(8),
        learned in any_learned(),
        past in prop::collection::vec(0.0_f64..50.0, 1..600),
    ) {
        let mut world = setup.world();
        for tick in &history {
            world.play(tick);
        }
        let before = world.decision(&web()).clone();
        let held = match before.hold {
            Some(Hold::Doubt(_) | Hold::Unknown { .. } | Hold::Frozen { .. }) => true,
            Some(Hold::Pace { .. } | Hold::Verifying { .. } | Hold::NoTarget | Hold::Fenced { .. }) | None => false,
        };
        let kept = before.doubts.iter().any(|doubt| matches!(doubt, Doubt::UnusualFall { .. }));
        let now = world.now;
        let count = past.len() as u64;
        let past = past.iter().zip(0..).map(|(load, n)| sample(load * CAPACITY, now.minus(Duration::from_millis((count - n) * STEP))));
        world.engine.observe(Event::Learned(web(), learned), now);
        world.engine.observe(Event::Past(web(), 0, past.collect()), now);
        world.tell_all_targets();
        world.settle();
        let after = world.decision(&web());
        prop_assert!(!held && !kept || after.floor >= before.floor, "{} from {}: {before:?} {after:?}", after.floor, before.floor);
        // Nor does it raise anything by itself beyond what was needed or usual.
        prop_assert!(after.floor <= after.max.max(before.floor));
    }

    #[test]
    fn blind_ticks_teach_nothing_to_nobody(setup in setups(), learned in any_learned(), ticks in 1_usize..200) {
        let mut world = setup.world();
        world.engine.observe(Event::Learned(web(), learned), world.now);
        world.settle();
        let today = world.now.0 / DAY;
        let lows = |world: &World| {
            let learned = world.engine.learned(&web()).unwrap();
            learned.days.into_iter().map(|day| (day.lows, day.suspects)).collect::<Vec<_>>()
        };
        let dark = Tick { load: 0.0, errors: 0.0, broken_percent: 0, fault: Some(Fault::Timeout), incident: None };
        world.play(&dark);
        let before = lows(&world);
        for _ in 0..ticks {
            world.play(&dark);
        }
        prop_assert!(world.now.0 / DAY != today || lows(&world) == before);
    }
}

/// Two weeks in the history, and two engines that read it: one from the source, one from what the first one stored, with
/// the last two days from the source.
#[derive(Debug)]
struct Twins {
    first: World,
    second: World,
}

impl Twins {
    fn of(days: &Days) -> Self {
        let policy = Policy { mode: Mode::Autoscale, depends_on: Vec::new(), errors: None, ..policy() };
        let begin = |span: u64, learned: Option<Learned>| {
            let mut world = World::new();
            world.now = NOON;
            let replicas = (days.at(NOON) * 1.25).ceil() as u32 + 1;
            world.add_target(&web_target(), Pods::new("web", replicas, Duration::ZERO), None);
            world.add_policy(&web(), policy.clone());
            if let Some(learned) = learned {
                world.engine.observe(Event::Learned(web(), learned), NOON);
            }
            let past = (0..span * 288).map(|n| NOON.minus(Duration::from_millis((span * 288 - n) * STEP)));
            let past = past.map(|at| sample(days.at(at) * CAPACITY, at)).collect();
            world.engine.observe(Event::Past(web(), 0, past), NOON);
            world
        };
        let first = begin(14, None);
        let stored = first.engine.learned(&web()).unwrap();
        let second = begin(2, Some(stored));
        Self { first, second }
    }

    fn tick(&mut self, load: f64) {
        for world in [&mut self.first, &mut self.second] {
            world.truth(&web()).load = load * CAPACITY;
            world.tick();
        }
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn a_restart_with_stored_history_changes_nothing(days in days(), dip in 0.0_f64..0.9, lasts in 1_u64..90) {
        let mut twins = Twins::of(&days);
        let shares = |world: &World| past_days(&world.engine.learned(&web()).unwrap());
        prop_assert_eq!(shares(&twins.first), shares(&twins.second));
        for n in 0..240 * 4 {
            let now = twins.first.now;
            let falls = (60 * 4..(60 + lasts) * 4).contains(&n);
            twins.tick(days.at(now) * if falls { dip } else { 1.0 });
            let floor = |world: &World| i64::from(world.decision(&web()).floor);
            let (first, second) = (floor(&twins.first), floor(&twins.second));
            prop_assert!((first - second).abs() <= 1, "{first} and {second} after {n} ticks");
        }
    }
}

#[test]
fn a_fall_is_over_when_the_load_was_back_for_a_window() {
    let mut world = World::new();
    world.add_target(&web_target(), Pods::new("web", 17, Duration::ZERO), None);
    world.add_policy(&web(), Policy { mode: Mode::Autoscale, depends_on: Vec::new(), ..policy() });
    world.truth(&web()).load = 13.0 * CAPACITY;
    world.run(minutes(90));
    world.truth(&web()).load = 6.0 * CAPACITY;
    world.run(minutes(20));
    // On its way back a rate shows less than there is, for a while.
    for load in [9.0, 10.0, 11.0, 12.0, 13.0] {
        world.truth(&web()).load = load * CAPACITY;
        world.tick();
        assert_eq!(world.decision(&web()).floor, 17, "at {load}");
    }
    world.run(policy().window);
    assert_eq!((world.decision(&web()).floor, world.decision(&web()).doubts.len()), (17, 0));
}

#[test]
fn in_a_quiet_hour_nothing_learned_lets_go() {
    // Ten times as much for two hours a day: every other hour is quiet beside it, and still needs fifteen replicas.
    let load = |at: Timestamp| if (2..4).contains(&(at.0 % DAY / 3_600_000)) { 150.0 } else { 12.0 };
    let mut world = told(&policy(), |at| Some(load(at)));
    world.run(minutes(90));
    let usual = world.decision(&web()).usual.unwrap();
    assert_eq!((world.decision(&web()).floor, usual.quiet, usual.limit), (15, true, 0.0));
    world.truth(&web()).load = 0.0;
    world.run(minutes(50));
    assert_eq!(world.decision(&web()).floor, 15);
    assert!(matches!(world.decision(&web()).doubts[..], [Doubt::UnusualFall { before: 15, .. }]));
}

#[test]
fn a_fall_that_is_measured_by_what_is_learned_is_let_down_at_half_life_in_the_end() {
    // 20 at all times, 25 with headroom, of which four fifths are kept.
    let mut world = told(&policy(), |_| Some(20.0));
    world.run(minutes(15));
    world.truth(&web()).load = 2.0 * CAPACITY;
    world.run(minutes(8 * 60 - 5));
    assert_eq!(world.store.floor(&web_target()), Some(20));
    let falls =
        |world: &World| world.decision(&web()).doubts.iter().any(|doubt| matches!(doubt, Doubt::UnusualFall { .. }));
    for (later, floors) in [(35, 14..=16), (30, 10..=13), (60, 5..=7)] {
        world.run(minutes(later));
        let floor = world.store.floor(&web_target()).unwrap();
        assert!(floors.contains(&floor) && falls(&world), "{floor}, not {floors:?}");
    }
    world.run(minutes(120));
    assert_eq!((world.store.floor(&web_target()), falls(&world)), (Some(3), false));
}

#[test]
fn a_fall_that_is_measured_by_what_is_learned_is_over_when_the_load_is_back() {
    let mut world = told(&policy(), |_| Some(20.0));
    world.run(minutes(15));
    let mut falls_after = |load: f64, span: u64| {
        world.truth(&web()).load = load * CAPACITY;
        world.run(minutes(span));
        world.decision(&web()).doubts.iter().any(|doubt| matches!(doubt, Doubt::UnusualFall { .. }))
    };
    assert!(falls_after(2.0, 60));
    assert!(falls_after(10.0, 30), "half of it is not back");
    assert!(falls_after(19.0, 9), "not for a window yet");
    assert!(!falls_after(19.0, 2));
}

#[test]
fn a_clock_that_is_set_right_forgets_nothing() {
    let policy = policy();
    let days = Days { peak: 20.0, night: 0.3, wobble: 0.02, weekend: 0.7, seed: 1 };
    // A past that is told up to now, by a source whose clock is ahead; and a clock that goes back by an hour, twice.
    let mut world = told(&policy, |at| Some(days.at(at)));
    world.now = NOON.minus(minutes(20));
    world.run(minutes(40));
    assert!(world.decision(&web()).usual.is_some());
    world.now = world.now.minus(minutes(59));
    world.run(minutes(80));
    assert!(world.decision(&web()).usual.is_some());
}

#[test]
fn without_history_the_constant_rule_holds() {
    let mut engine = Engine::new(1);
    let mut world = World::new();
    std::mem::swap(&mut engine, &mut world.engine);
    world.add_target(&web_target(), Pods::new("web", 17, Duration::ZERO), None);
    let policy = Policy { mode: Mode::Autoscale, depends_on: Vec::new(), ..policy() };
    world.add_policy(&web(), Policy { max_replicas: Some(60), ..Arc::new(policy).as_ref().clone() });
    world.truth(&web()).load = 13.0 * CAPACITY;
    world.run(minutes(90));
    let decision = world.decision(&web());
    assert_eq!(decision.usual, None);
    world.truth(&web()).load = 6.0 * CAPACITY;
    world.run(minutes(1));
    // 8 of 17: under half. 51 % would be none.
    assert!(matches!(world.decision(&web()).doubts[..], [Doubt::UnusualFall { before: 17, .. }]));
}

/// Half as much at night. Today it falls at noon already, to a little more than other nights need; in the evening, when the
/// hold of that fall is over long since, the signal reads zero.
#[test]
fn a_fall_within_a_fall_is_held_like_any_other() {
    let load = |at: Timestamp| if (6..18).contains(&(at.0 % DAY / 3_600_000)) { 20.0 } else { 8.0 };
    let mut world = told(&policy(), |at| Some(load(at)));
    world.run(minutes(15));
    world.truth(&web()).load = 10.0 * CAPACITY;
    world.run(minutes(7 * 60));
    let fell = |world: &World| {
        let falls = world.decision(&web()).doubts.iter().find_map(|doubt| match doubt {
            Doubt::UnusualFall { since, .. } => Some(*since),
            _ => None,
        });
        (world.decision(&web()).floor, falls.map(|since| world.now.since(since).as_secs() / 60))
    };
    assert!(matches!(fell(&world), (13, Some(409..=420))), "{:?}", fell(&world));
    world.truth(&web()).load = 0.0;
    world.run(minutes(65));
    assert!(matches!(fell(&world), (13, Some(50..=60))), "{:?}", fell(&world));
    world.run(minutes(120));
    assert!((8..=9).contains(&fell(&world).0), "then what the hour usually needs is kept: {:?}", fell(&world));
    assert!(fell(&world).1.is_some_and(|minutes| minutes > 170), "told once: {:?}", fell(&world));
}
