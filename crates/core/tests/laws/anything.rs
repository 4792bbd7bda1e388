//! Any events in any order, at any time: no panic, no spinning, no floor out of nothing.

use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{
    Action, Answer, Bounds, Engine, ErrorAnswer, Errors, Event, Evidence, Failure, Idle, Kept, Mode, Observation,
    Onset, Outcome, Override, Policy, PolicyKey, Rollout, Sample, Scaler, ScalerKind, Signal, SignalAnswer, Standing,
    Step, Target, TargetKey, Timestamp, UnusualFall, ZeroMeans,
};
use proptest::prelude::*;

use crate::world::history::cases;

fn target() -> impl Strategy<Value = TargetKey> {
    (0_u8..2, 0_u8..3)
        .prop_map(|(namespace, name)| TargetKey::new(&format!("n{namespace}"), "deployments.apps", &format!("t{name}")))
}

fn policy_key() -> impl Strategy<Value = PolicyKey> {
    (0_u8..2, 0_u8..3).prop_map(|(namespace, name)| PolicyKey::new(&format!("n{namespace}"), &format!("p{name}")))
}

fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        6 => (0_u64..7_200_000).prop_map(|ms| Timestamp(1_709_600_000_000 + ms)),
        1 => any::<u64>().prop_map(Timestamp),
        1 => Just(Timestamp(0)),
        1 => Just(Timestamp::NEVER),
    ]
}

fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => (0_u64..7200).prop_map(Duration::from_secs),
        1 => Just(Duration::ZERO),
        1 => any::<u64>().prop_map(Duration::from_millis),
        1 => Just(Duration::MAX),
    ]
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0_u32..100, 1 => any::<u32>(), 1 => Just(u32::MAX)]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 0.0_f64..1000.0, 1 => any::<f64>(), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => Just(-0.0)]
}

fn answer() -> impl Strategy<Value = Answer> {
    let evidence = (prop::option::of(span()), prop::option::of(count()), any::<bool>(), any::<bool>())
        .prop_map(|(oldest, series, partial, vouched)| Evidence { oldest, series, partial, vouched });
    prop_oneof![
        8 => (number(), moment(), evidence).prop_map(|(value, at, evidence)| Answer::Value(Sample { value, at, evidence })),
        1 => Just(Answer::Empty),
        1 => count().prop_map(Answer::Several),
        1 => Just(Answer::Failed(Failure::Garbage)),
    ]
}

fn observation() -> impl Strategy<Value = Observation> {
    let signal = (answer(), prop::option::of(answer())).prop_map(|(load, backlog)| SignalAnswer { load, backlog });
    let errors = (answer(), answer()).prop_map(|(failed, total)| ErrorAnswer { failed, total });
    (prop::collection::vec(signal, 0..3), prop::option::of(errors))
        .prop_map(|(signals, errors)| Observation { signals, errors })
}

fn policy() -> impl Strategy<Value = Policy> {
    let mode =
        prop_oneof![Just(Mode::Observe), Just(Mode::Guard), Just(Mode::AutoscaleUtilization), Just(Mode::Autoscale)];
    let zero = prop_oneof![Just(ZeroMeans::Evidence), Just(ZeroMeans::Zero), Just(ZeroMeans::Unknown)];
    let signal = (prop::option::of(0.001_f64..1e6), span(), zero, prop::option::of(span())).prop_map(
        |(capacity, max_age, zero, drain_within)| Signal { name: "s".into(), capacity, max_age, zero, drain_within },
    );
    let bounds = (prop::option::of(count()), prop::option::of(count()));
    let spans = (span(), span(), span(), span(), span(), span(), span());
    let more = (prop::collection::vec(target(), 0..2), count(), 1_u32..=100, any::<bool>(), moment());
    (mode, bounds, prop::collection::vec(signal, 0..3), spans, more, target()).prop_map(
        |(
            mode,
            (min_replicas, max_replicas),
            signals,
            spans,
            (depends_on, headroom_percent, percent, errors, created),
            target,
        )| {
            let (hold_for, keep_for, hold_at_most, window, half_life, verify_for, resolution) = spans;
            Policy {
                target,
                mode,
                min_replicas,
                max_replicas,
                signals,
                headroom_percent,
                errors: errors.then_some(Errors { above: 0.05, min_rate: 1.0 }),
                unready_percent: percent,
                depends_on,
                fall: UnusualFall {
                    hold_for,
                    keep_percent: percent,
                    keep_for,
                    until_learned_percent: percent,
                    usual_days: UnusualFall::USUAL_DAYS,
                },
                hold_at_most,
                window,
                half_life,
                verify_for,
                resolution,
                source: "default".into(),
                created,
            }
        },
    )
}

fn workload() -> impl Strategy<Value = Target> {
    let rollout = prop_oneof![
        Just(Rollout::Done),
        Just(Rollout::Paused),
        span().prop_map(|deadline| Rollout::Progressing { deadline })
    ];
    (count(), prop::option::of(count()), rollout, 0_u64..3).prop_map(|(replicas, ready, rollout, template)| Target {
        uid: "u".into(),
        version: "1".into(),
        replicas,
        ready,
        rollout,
        template,
    })
}

fn scaler() -> impl Strategy<Value = Scaler> {
    let bounds = || (count(), count()).prop_map(|(min, max)| Bounds { min, max });
    let kept = (bounds(), bounds(), any::<bool>());
    let kept = kept.prop_map(|(original, applied, awake)| Kept { original, applied, awake });
    let idle = (count(), any::<bool>()).prop_map(|(replicas, awake)| Idle { replicas, awake });
    let scaler = (bounds(), prop::option::of(idle), prop::option::of(kept), any::<bool>());
    scaler.prop_map(|(bounds, idle, kept, owned)| Scaler {
        kind: if idle.is_some() { ScalerKind::ScaledObject } else { ScalerKind::HorizontalPodAutoscaler },
        name: "h".into(),
        uid: "h".into(),
        version: "1".into(),
        min: bounds.min,
        max: bounds.max,
        idle,
        kept,
        owned,
    })
}

fn standing() -> impl Strategy<Value = Standing> {
    let onset = || prop::option::of((moment(), count()).prop_map(|(since, replicas)| Onset { since, replicas }));
    let step = (count(), count(), moment(), prop::option::of(moment())).prop_map(|(from, to, at, fell_at)| Step {
        from,
        to,
        at,
        fell_at,
        errors_before: None,
        unready_before: 0,
        strain_before: None,
    });
    let times = (prop::option::of(moment()), any::<u64>(), prop::option::of(moment()), any::<bool>());
    (count(), any::<u64>(), any::<u64>(), moment(), (onset(), onset(), onset()), prop::option::of(step), times)
        .prop_map(
            |(
                replicas,
                epoch,
                seq,
                observed_at,
                (doubt, fall, run_down),
                step,
                (not_before, pause_ms, zero_since, released),
            )| {
                Standing {
                    policy: "p0".into(),
                    uid: "u".into(),
                    reason: "Held".into(),
                    epoch,
                    seq,
                    doubt,
                    fall,
                    step,
                    not_before,
                    pause_ms,
                    zero_since,
                    run_down,
                    released,
                    ..Standing::at(replicas, observed_at)
                }
            },
        )
}

fn event() -> impl Strategy<Value = Event> {
    let action = prop_oneof![Just(Action::Freeze), Just(Action::Release), count().prop_map(Action::Pin)];
    let order = (action, moment(), moment()).prop_map(|(action, from, until)| Override {
        name: "o".into(),
        action,
        from,
        until,
    });
    let samples = prop::collection::vec((number(), moment()), 0..20).prop_map(|samples| {
        samples.into_iter().map(|(value, at)| Sample { value, at, evidence: Evidence::default() }).collect()
    });
    prop_oneof![
        (policy_key(), policy()).prop_map(|(key, policy)| Event::Policy(key, Arc::new(policy))),
        policy_key().prop_map(Event::PolicyGone),
        (target(), prop::option::of(workload())).prop_map(|(key, target)| Event::Target(key, target)),
        (target(), prop::option::of(scaler())).prop_map(|(key, scaler)| Event::Scaler(key, scaler)),
        (policy_key(), observation()).prop_map(|(key, observation)| Event::Observed(key, observation)),
        (policy_key(), 0_usize..3, samples).prop_map(|(key, place, samples)| Event::History(key, place, samples)),
        (policy_key(), prop::collection::vec(order, 0..3)).prop_map(|(key, orders)| Event::Overrides(key, orders)),
        (0_u8..2, prop::collection::vec((target(), standing()), 0..3)).prop_map(|(namespace, rows)| {
            let namespace = format!("n{namespace}");
            let rows = rows.into_iter().filter(|(target, _)| *target.namespace == *namespace).collect();
            Event::Table { namespace: namespace.as_str().into(), rows }
        }),
    ]
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn whatever_happens_the_engine_goes_on(
        steps in prop::collection::vec((prop::collection::vec(event(), 1..4), moment(), 0_u8..4), 1..60),
    ) {
        let mut engine = Engine::new(7);
        for (events, now, outcome) in steps {
            for event in events {
                engine.observe(event, now);
            }
            for _ in 0..3 {
                let writes = engine.poll(now);
                for write in &writes {
                    let outcome = match outcome {
                        0 => Outcome::Failed,
                        1 => Outcome::Conflict,
                        _ => Outcome::Done,
                    };
                    engine.acknowledged(write, outcome, now);
                }
            }
            engine.poll(now);
            prop_assert!(engine.next_wake() > now || now == Timestamp::NEVER || engine.next_wake() == Timestamp(0));
            for (key, decision) in engine.decisions() {
                prop_assert!(decision.price == 0 || decision.price_since.is_some(), "{key}: {decision:?}");
                prop_assert!(decision.floor <= decision.max || decision.hold.is_some() || !decision.bids.is_empty());
            }
            engine.notices();
            engine.changed();
        }
    }
}
