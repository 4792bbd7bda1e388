//! `TestScalingWithRules`, `TestCalculateScaleUpLimitWithScalingRules`, `TestCalculateScaleDownLimitWithBehaviors`,
//! `TestConvertDesiredReplicasWithRules`, `TestStoreScaleEvents`: how fast replicas may change.

use super::NOW;
use crate::peers::hpa::controller::without_behavior;
use crate::peers::hpa::history::{History, Step, change};
use crate::peers::hpa::{Behavior, Controller, Flags, Policy, Reason, Rules, Scene, Select, Spec};

/// `generateScalingRules`, over the defaults: pods and their period, percent and theirs, the window. `-`: nothing given.
fn rules(words: &str, defaults: Rules) -> Rules {
    if words == "-" {
        return defaults;
    }
    let numbers: Vec<i32> = words.split(',').map(|number| number.parse().unwrap()).collect();
    let [pods, pods_period, percent, percent_period, window] = numbers[..] else { panic!("{words}") };
    let mut policies = Vec::new();
    if pods != 0 {
        policies.push(Policy::pods(pods, f64::from(pods_period)));
    }
    if percent != 0 {
        policies.push(Policy::percent(percent, f64::from(percent_period)));
    }
    Rules { window: Some(f64::from(window)), policies, ..defaults }
}

/// `generateEventsUniformDistribution` over 120 seconds: each event in the middle of its part of them, on whole seconds.
fn steps(words: &str) -> Vec<Step> {
    let changes: Vec<i32> = words.split(',').filter_map(|number| number.parse().ok()).collect();
    let part = 120.0 / f64::from(u32::try_from(changes.len()).unwrap());
    let step = |(index, change): (usize, &i32)| {
        let ago = (120.0 - part * f64::from(u32::try_from(index).unwrap() + 1) + part / 2.0).trunc();
        Step { change: *change, at: NOW - ago, outdated: false }
    };
    changes.iter().enumerate().map(step).collect()
}

#[test]
fn scaling_with_rules() {
    let mut lines = SCALING_WITH_RULES.lines();
    let mut count = 0;
    while let (Some(name), Some(row)) = (lines.next(), lines.next()) {
        let [ups, downs, up, down, min, max, current, desired, expected, reason] =
            row.split_whitespace().collect::<Vec<_>>()[..]
        else {
            panic!("{name}: {row}")
        };
        let behavior = Behavior { up: rules(up, Rules::default_up()), down: rules(down, Rules::default_down()) };
        let spec = Spec { min: min.parse().unwrap(), max: max.parse().unwrap(), behavior: Some(behavior) };
        let mut controller = Controller::new(spec, Flags::default());
        (controller.history.ups, controller.history.downs) = (steps(ups), steps(downs));
        let scene = Scene { now: NOW, replicas: current.parse().unwrap(), status_replicas: 0, pods: &[] };
        let (replicas, why) = controller.at_its_rate(&scene, desired.parse().unwrap());
        assert_eq!((replicas.to_string(), format!("{why:?}")), (expected.to_owned(), reason.to_owned()), "{name}");
        count += 1;
    }
    assert_eq!(count, 40);
}

#[test]
fn the_smaller_change_of_two_policies() {
    let both = Rules {
        window: Some(300.0),
        select: Select::Min,
        policies: vec![Policy::pods(2, 60.0), Policy::percent(50, 60.0)],
        tolerance: None,
    };
    let none = History::default();
    assert_eq!(both.most(1, &none, NOW), 2, "TestCalculateScaleUpLimitWithScalingRules");
    assert_eq!(both.fewest(5, &none, NOW), 3, "TestCalculateScaleDownLimitWithBehaviors");
    let disabled = Rules { select: Select::Disabled, ..both };
    assert_eq!((disabled.most(7, &none, NOW), disabled.fewest(7, &none, NOW)), (7, 7));
}

#[test]
fn convert_desired_replicas_with_rules() {
    use Reason::{DesiredWithinRange, ScaleUpLimit, TooFewReplicas, TooManyReplicas};
    let rows = [
        ("prenormalized desired replicas within range", (5, 7), (3, 8), (7, DesiredWithinRange)),
        ("prenormalized desired replicas < minReplicas", (3, 1), (2, 8), (2, TooFewReplicas)),
        ("prenormalized desired zeroed replicas within range", (1, 0), (0, 10), (0, DesiredWithinRange)),
        ("maxReplicas is the limit because maxReplicas < scaleUpLimit", (20, 1_000), (1, 10), (10, TooManyReplicas)),
        ("scaleUpLimit is the limit because scaleUpLimit < maxReplicas", (3, 1_000), (1, 2_000), (6, ScaleUpLimit)),
        // Not in upstream's table.
        ("a raise from one reaches four", (1, 1_000), (1, 2_000), (4, ScaleUpLimit)),
    ];
    for (name, (current, desired), (min, max), expected) in rows {
        assert_eq!(without_behavior(current, desired, min, max), expected, "{name}");
    }
}

#[test]
fn store_scale_events() {
    // The longest period of the policies; the stored steps and how many seconds ago; their sum over 60 s before; the steps
    // after one of 5 more. The rows without behavior store nothing, which is not asked of `stepped` here.
    type Steps = &'static [(i32, f64)];
    type Row = (&'static str, f64, Steps, i32, &'static [(i32, bool)]);
    let rows: [Row; 6] = [
        ("empty entries with two-policy-behavior", 60.0, &[], 0, &[(5, false)]),
        ("one outdated entry to be replaced with behavior", 60.0, &[(7, 61.0)], 0, &[(5, false)]),
        ("one actual entry to be not touched with behavior", 60.0, &[(7, 58.0)], 7, &[(7, false), (5, false)]),
        ("two entries, one of them to be replaced", 60.0, &[(7, 61.0), (6, 59.0)], 6, &[(5, false), (6, false)]),
        (
            "replace one entry, use policies with different periods",
            60.0,
            &[(8, 29.0), (6, 59.0), (7, 61.0), (9, 61.0)],
            14,
            &[(8, false), (6, false), (7, true), (5, false)],
        ),
        ("two entries, both actual", 120.0, &[(7, 58.0), (6, 59.0)], 13, &[(7, false), (6, false), (5, false)]),
    ];
    for (name, longest, before, sum, after) in rows {
        let steps: Vec<_> =
            before.iter().map(|(change, ago)| Step { change: *change, at: NOW - ago, outdated: false }).collect();
        assert_eq!(change(&steps, 60.0, NOW), sum, "{name}");
        let mut up = History { ups: steps.clone(), ..History::default() };
        let mut down = History { downs: steps, ..History::default() };
        up.stepped(10, 15, longest, NOW);
        down.stepped(10, 5, longest, NOW);
        for stored in [&up.ups, &down.downs] {
            let stored: Vec<_> = stored.iter().map(|step| (step.change, step.outdated)).collect();
            assert_eq!(stored, after, "{name}");
        }
    }
}

/// A line with the name, then one with: changes up and down in the last 120 s, rules up and down, the bounds, the current
/// and the desired replicas, and what comes of it.
const SCALING_WITH_RULES: &str = "\
prenormalized desired replicas within range
            -         -                 -                   -   3    8   5    7   7 DesiredWithinRange
prenormalized desired replicas < minReplicas
            -         -                 -                   -   2    8   3    1   2 TooFewReplicas
prenormalized desired replicas within range when minReplicas is 0
            -         -                 -                   -   0   10   1    0   0 DesiredWithinRange
maxReplicas is the limit because maxReplicas < scaleUpLimit
            -         -                 -                   -   1   10  20 1000  10 TooManyReplicas
desired replica count is more than the maximum replica count
            -         -                 -                   - 100  150 100 1000 150 TooManyReplicas
scaleUpLimit is the limit because scaleUpLimit < maxReplicas with user policies
            -         -        0,0,1,60,0                   -   1 2000   3 1000   4 ScaleUpLimit
scaleUp with default behavior
            -         -                 -                   -   1 1000  10   50  20 ScaleUpLimit
scaleUp with pods policy larger than percent policy
            -         -   100,60,100,60,0                   -   1 1000  10  500 110 ScaleUpLimit
scaleUp with percent policy larger than pods policy
            -         -     2,60,100,60,0                   -   1 1000  10  500  20 ScaleUpLimit
scaleUp with spec MaxReplicas limitation with large pod policy
            -         -      100,60,0,0,0                   -   1 1000  10   50  50 DesiredWithinRange
scaleUp with spec MaxReplicas limitation with large percent policy
            -         -    10000,60,0,0,0                   -   1 1000  10   50  50 DesiredWithinRange
scaleUp with pod policy limitation
            -         -       30,60,0,0,0                   -   1 1000  10   50  40 ScaleUpLimit
scaleUp with percent policy limitation
            -         -      0,0,200,60,0                   -   1 1000  10   50  30 ScaleUpLimit
scaleDown with percent policy larger than pod policy
            -         -                 -      20,60,1,60,300   1 1000 100    2  80 ScaleDownLimit
scaleDown with pod policy larger than percent policy
            -         -                 -       2,60,1,60,300   1 1000 100    2  98 ScaleDownLimit
scaleDown with spec MinReplicas limitation with large pod policy
            -         -                 -      100,60,0,0,300   1 1000  10    0   1 TooFewReplicas
scaleDown with spec MinReplicas limitation with large percent policy
            -         -                 -      0,0,100,60,300   5 1000  10    2   5 TooFewReplicas
scaleDown with pod policy limitation
            -         -                 -        5,60,0,0,300   1 1000  10    2   5 ScaleDownLimit
scaleDown with percent policy limitation
            -         -                 -       0,0,50,60,300   1 1000  10    5   5 DesiredWithinRange
scaleUp with spec MaxReplicas limitation with large pod policy and events
        1,5,9         -      300,60,0,0,0                   -   1  200 100  500 200 TooManyReplicas
scaleUp with spec MaxReplicas limitation with large percent policy and events
        1,5,9         -    0,0,10000,60,0                   -   1  200 100  500 200 TooManyReplicas
scaleUp with currentReplicas limitation with rate.PeriodSeconds with a lot of recent scale up events
        1,5,9         -       5,120,0,0,0                   -   1 1000 100  500 100 ScaleUpLimit
scaleUp with pod policy and previous scale up events
        1,5,9         -     150,120,0,0,0                   -   1 1000 100  500 235 ScaleUpLimit
scaleUp with percent policy and previous scale up events
        1,5,9         -     0,0,200,120,0                   -   1 1000 100  500 255 ScaleUpLimit
scaleUp with percent policy and previous scale up and down events
            4         2     0,0,300,300,0                   -   1 1000   6   24  16 ScaleUpLimit
scaleDown with default policy and previous events
            -     1,5,9                 -                   -   1 1000  10    5   5 DesiredWithinRange
scaleDown with spec MinReplicas=nil limitation with large pod policy and previous events
            -     1,5,9                 -     115,120,0,0,300   1 1000 100    0   1 TooFewReplicas
scaleDown with spec MinReplicas limitation with large pod policy and previous events
            -     1,5,9                 -     130,120,0,0,300   5 1000 100    0   5 TooFewReplicas
scaleDown with spec MinReplicas limitation with large percent policy and previous events
            -     1,5,9                 -     0,0,100,120,300   5 1000 100    2   5 TooFewReplicas
scaleDown with pod policy limitation and previous events
            -     1,5,9                 -       5,120,0,0,300   1 1000 100    2 100 ScaleDownLimit
scaleDown with percent policy limitation and previous events
            -     2,4,6                 -      0,0,50,120,300   1 1000 100    0  56 ScaleDownLimit
scaleDown with percent policy and previous scale up and down events
            2         4                 -        0,0,50,180,0   1 1000  10    1   6 ScaleDownLimit
scaleDown with previous events preventing further scale down
            -  10,10,10                 -      0,0,10,120,300   1 1000 100    0 100 ScaleDownLimit
scaleDown with with previous events still allowing more scale down
            -  10,10,10                 -    0,0,1000,120,300   1 1000  10    5   5 DesiredWithinRange
check 'outdated' flag for events for one behavior for up
    8,12,9,11         -     1000,60,0,0,0                   -   1 1000 100  200 200 DesiredWithinRange
check that events were not marked 'outdated' for two different policies in the behavior for up
    8,12,9,11         - 1000,120,100,60,0                   -   1 1000 100  200 200 DesiredWithinRange
check that events were marked 'outdated' for two different policies in the behavior for up
    8,12,9,11         -  1000,30,100,60,0                   -   1 1000 100  200 200 DesiredWithinRange
check 'outdated' flag for events for one behavior for down
            - 8,12,9,11                 -     1000,60,0,0,300   1 1000 100    5   5 DesiredWithinRange
check that events were not marked 'outdated' for two different policies in the behavior for down
            - 8,12,9,11                 - 1000,120,100,60,300   1 1000 100    5   5 DesiredWithinRange
check that events were marked 'outdated' for two different policies in the behavior for down
            - 8,12,9,11                 -  1000,30,100,60,300   1 1000 100    5   5 DesiredWithinRange
";
