use std::time::Duration;

use floorkeeper_core::{Bid, Doubt, Failure, Guard, Hold, Problem, Unknown, Verdict};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::api::conditions::{CONTESTED, ENFORCED, FLOOR_HOLDING, READY, SCALING_LIMITED, TRUSTED};

const LEARNING: Learning = Learning { past: BackFill::Asked, note: None };

const NOW: Timestamp = Timestamp(1_709_602_560_123);

fn policy(mode: &str) -> ScalingPolicy {
    serde_json::from_value(json!({
        "apiVersion": "floorkeeper.dev/v1alpha1", "kind": "ScalingPolicy",
        "metadata": {"name": "web", "namespace": "shop", "generation": 3},
        "spec": {"targetRef": {"kind": "Deployment", "name": "web"}, "mode": mode},
    }))
    .unwrap()
}

fn view(reading: Reading) -> SignalView {
    SignalView { reading, need: Some(5), per_replica: None, at: Some(NOW) }
}

fn calm() -> Decision {
    Decision {
        floor: 6,
        guard: Guard::LiveDemand,
        since: NOW,
        verdict: Verdict::Steady,
        bids: Vec::new(),
        doubts: Vec::new(),
        hold: None,
        trust: Trust::Trusted,
        signals: vec![view(Reading::Present(481.5))],
        need: Some(6),
        load: Some(481.5),
        observed_at: Some(NOW),
        min: 2,
        max: 10,
        limited: None,
        price: 0,
        price_since: None,
        zero_in: Duration::from_secs(5400),
        in_force: None,
        contested: None,
        usual: None,
        problem: None,
        replicas: Some(6),
        ready: Some(6),
        stored: true,
    }
}

fn told(decision: &Decision, now: Timestamp) -> Told<'_> {
    Told { decision, spec: None, actions: &[], enforcement: &Enforcement::NotAsked, learning: &LEARNING, now }
}

fn first(decision: &Decision) -> ScalingPolicyStatus {
    status(&policy("Guard"), None, &told(decision, NOW)).unwrap()
}

fn says<'a>(status: &'a ScalingPolicyStatus, kind: &str) -> (&'a str, &'a str) {
    let found = status.conditions.iter().find(|condition| condition.type_ == kind).unwrap();
    (&found.status, &found.reason)
}

fn after(before: &ScalingPolicyStatus, decision: &Decision, now: Timestamp) -> Option<ScalingPolicyStatus> {
    status(&policy("Guard"), Some(before), &told(decision, now))
}

#[test]
fn a_calm_policy() {
    let status = first(&calm());
    assert_eq!(says(&status, READY), ("True", "SucceededGetScale"));
    assert_eq!(says(&status, TRUSTED), ("True", "EvidenceComplete"));
    assert_eq!(says(&status, FLOOR_HOLDING), ("False", "ReadyForNewScale"));
    assert_eq!(says(&status, SCALING_LIMITED), ("False", "DesiredWithinRange"));
    assert_eq!(says(&status, ENFORCED), ("False", "ByWatch"));
    assert_eq!(says(&status, CONTESTED), ("False", "NoOtherWriter"));
    assert_eq!(status.observed_generation, Some(3));
    assert_eq!(status.why.as_deref(), Some("LiveDemand"));
    assert_eq!(status.zero_in, Some(Span("1h30m".into())));
    assert_eq!(status.demand.unwrap().load, Some(Quantity("482".into())));
    assert!(!status.conditions.iter().any(|condition| condition.type_ == "Stalled"));
}

#[test]
fn an_outage_is_ready_and_not_trusted() {
    let why = Unknown::Failed(Failure::Unreachable);
    let status = first(&Decision {
        trust: Trust::Blind,
        hold: Some(Hold::Unknown { signal: Some(0), why }),
        signals: vec![view(Reading::Unknown { why, at_least: 0.0 })],
        need: None,
        load: None,
        ..calm()
    });
    assert_eq!(says(&status, READY).0, "True");
    assert_eq!(says(&status, TRUSTED), ("False", "FailedGetMetrics"));
    assert_eq!(says(&status, FLOOR_HOLDING), ("True", "SourceUnreachable"));
    assert_eq!(status.why.as_deref(), Some("SourceUnreachable"));
}

#[test]
fn each_state_has_its_condition() {
    let doubt = Doubt::Errors { share: 0.31, above: 0.05 };
    let doubtful =
        Decision { trust: Trust::Doubtful, doubts: vec![doubt], hold: Some(Hold::Doubt(doubt)), price: 2, ..calm() };
    let cases = [
        (doubtful.clone(), TRUSTED, ("False", "ErrorsHigh")),
        (doubtful, FLOOR_HOLDING, ("True", "ErrorsHigh")),
        (Decision { limited: Some(14), ..calm() }, SCALING_LIMITED, ("True", "TooManyReplicas")),
        (Decision { contested: Some(3), ..calm() }, CONTESTED, ("True", "OtherWriter")),
        (Decision { problem: Some(Problem::TargetNotFound), ..calm() }, READY, ("False", "FailedGetScale")),
        (Decision { problem: Some(Problem::ScalerExists), ..calm() }, READY, ("False", "ScalerExists")),
        (Decision { problem: Some(Problem::ScalerExists), ..calm() }, "Stalled", ("True", "ScalerExists")),
        (Decision { replicas: None, ..calm() }, READY, ("False", "Pending")),
        (Decision { stored: false, ..calm() }, READY, ("False", "Pending")),
    ];
    for (decision, kind, expected) in cases {
        let status = first(&decision);
        assert_eq!(says(&status, kind), expected, "{kind} of {decision:?}");
    }
}

#[test]
fn messages_carry_the_numbers_and_the_end() {
    let doubt = Doubt::Errors { share: 0.314, above: 0.05 };
    let status = first(&Decision { hold: Some(Hold::Doubt(doubt)), need: Some(3), ..calm() });
    let message = &status.conditions.iter().find(|condition| condition.type_ == FLOOR_HOLDING).unwrap().message;
    assert_eq!(
        message,
        "held at 6, the present load needs 3: 31.4 % of the work fails, more than 5.00 %; lowered again once it has been \
         less for a window"
    );
}

#[test]
fn observe_enforces_nothing() {
    let status = status(&policy("Observe"), None, &told(&calm(), NOW)).unwrap();
    assert_eq!(says(&status, ENFORCED), ("False", "Observe"));
    assert_eq!(says(&status, READY).0, "True");
}

#[test]
fn a_floor_that_is_not_stored_is_told_after_a_while() {
    let before = first(&calm());
    let raised = Decision { floor: 8, stored: false, ..calm() };
    let status = after(&before, &raised, NOW).unwrap();
    assert_eq!(says(&status, READY).0, "True", "a write takes a moment");
    let later = Timestamp(NOW.0 + 31_000);
    let status = after(&status, &raised, later).unwrap();
    assert_eq!(says(&status, READY), ("False", "FailedUpdateFloor"));
}

#[test]
fn a_transition_keeps_its_time_until_the_status_flips() {
    let since = |status: &ScalingPolicyStatus, kind: &str| {
        let condition = status.conditions.iter().find(|condition| condition.type_ == kind).unwrap();
        condition.last_transition_time.clone()
    };
    let before = first(&calm());
    let hour = Timestamp(NOW.0 + 3_600_000);
    let limited = after(&before, &Decision { limited: Some(14), ..calm() }, hour).unwrap();
    assert_eq!(since(&limited, READY), time(NOW));
    assert_eq!(since(&limited, SCALING_LIMITED), time(hour));
}

#[test]
fn noise_is_no_news_and_news_is() {
    let before = first(&calm());
    let noise = [
        Decision { need: Some(5), load: Some(400.0), ..calm() },
        Decision { guard: Guard::RecentPeak, ..calm() },
        Decision { ready: Some(4), price: 1, zero_in: Duration::from_secs(60), ..calm() },
        Decision { signals: vec![view(Reading::Present(1.0))], ..calm() },
    ];
    for decision in noise {
        assert_eq!(after(&before, &decision, NOW), None, "{decision:?}");
    }
    let news = [
        Decision { floor: 7, ..calm() },
        Decision { need: Some(4), ..calm() },
        Decision { need: None, ..calm() },
        Decision { guard: Guard::UsualDay, ..calm() },
        Decision { replicas: Some(7), ..calm() },
        Decision { trust: Trust::Doubtful, ..calm() },
        Decision { signals: vec![view(Reading::ConfirmedZero)], ..calm() },
        Decision { contested: Some(3), ..calm() },
    ];
    for decision in news {
        assert!(after(&before, &decision, NOW).is_some(), "{decision:?}");
    }
}

#[test]
fn ten_actions_are_kept_the_newest_first() {
    let mut status = first(&calm());
    for to in 1..=12 {
        let done = [action(&Notice::Raised { from: 0, to, guard: Guard::LiveDemand }, NOW).unwrap()];
        let decision = calm();
        let told = Told { actions: &done, ..told(&decision, NOW) };
        status = super::status(&policy("Guard"), Some(&status), &told).unwrap();
    }
    let kept: Vec<_> = status.last_actions.iter().map(|action| action.to).collect();
    assert_eq!(kept, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
}

#[test]
fn a_refused_spec_keeps_the_floor_told() {
    let before = first(&calm());
    let message = "spec.demand.capacity: \"many\" is not a quantity";
    let refused = refused(&policy("Guard"), Some(&before), message, NOW).unwrap();
    assert_eq!(says(&refused, READY), ("False", "InvalidSpec"));
    assert_eq!(says(&refused, "Stalled"), ("True", "InvalidSpec"));
    assert_eq!(refused.floor, before.floor);
    assert_eq!(super::refused(&policy("Guard"), Some(&refused), message, Timestamp(NOW.0 + 9_000_000)), None);
    let other = super::refused(&policy("Guard"), Some(&refused), "spec.maxReplicas: too small", NOW);
    assert!(other.is_some());
    // And once it is mended, Stalled is gone.
    let mended = after(&refused, &calm(), NOW).unwrap();
    assert!(!mended.conditions.iter().any(|condition| condition.type_ == "Stalled"));
}

fn a_reading() -> impl Strategy<Value = Reading> {
    prop_oneof![
        any::<f64>().prop_map(Reading::Present),
        Just(Reading::ConfirmedZero),
        (0..9_u64, any::<f64>()).prop_map(|(seconds, at_least)| Reading::Unknown {
            why: Unknown::Stale { age: Duration::from_secs(seconds) },
            at_least,
        }),
        Just(Reading::Unknown { why: Unknown::Failed(Failure::Status(502)), at_least: 0.0 }),
    ]
}

fn a_doubt() -> impl Strategy<Value = Doubt> {
    let until = any::<u64>().prop_map(Timestamp);
    prop_oneof![
        (any::<f64>(), any::<f64>()).prop_map(|(share, above)| Doubt::Errors { share, above }),
        until.clone().prop_map(|until| Doubt::Rollout { until }),
        until.prop_map(|until| Doubt::Settling { until }),
        any::<usize>().prop_map(|place| Doubt::Dependency { place }),
    ]
}

prop_compose! {
    fn a_decision()(
        floor in any::<u32>(), need in proptest::option::of(any::<u32>()), load in proptest::option::of(any::<f64>()),
        readings in proptest::collection::vec(a_reading(), 0..4), doubts in proptest::collection::vec(a_doubt(), 0..3),
        trust in prop_oneof![Just(Trust::Trusted), Just(Trust::Doubtful), Just(Trust::Blind)],
        replicas in proptest::option::of(any::<u32>()), limited in proptest::option::of(any::<u32>()),
        held in any::<bool>(), contested in proptest::option::of(any::<u32>()),
    ) -> Decision {
        let hold = if held { doubts.first().copied().map(Hold::Doubt) } else { None };
        let signals = readings.into_iter().map(view).collect();
        Decision { floor, need, load, signals, doubts, trust, replicas, limited, hold, contested, ..calm() }
    }
}

proptest! {
    #[test]
    fn the_same_decision_is_told_once(decision in a_decision(), later in 0..u64::MAX) {
        let status = first(&decision);
        prop_assert_eq!(after(&status, &decision, Timestamp(NOW.0.saturating_add(later))), None);
        // Also after a trip through the API server.
        let text = serde_json::to_string(&status).unwrap();
        let stored: ScalingPolicyStatus = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&stored, &status);
        prop_assert_eq!(after(&stored, &decision, NOW), None);
    }

    #[test]
    fn times_alone_are_no_news(decision in a_decision(), by in 1..100_000_000_u64) {
        let status = first(&decision);
        let shift = |at: Timestamp| Timestamp(at.0.saturating_add(by));
        let mut moved = decision.clone();
        moved.since = shift(moved.since);
        moved.observed_at = moved.observed_at.map(shift);
        moved.price_since = Some(shift(NOW));
        moved.zero_in += Duration::from_millis(by);
        for signal in &mut moved.signals {
            signal.at = signal.at.map(shift);
        }
        prop_assert_eq!(after(&status, &moved, shift(NOW)), None);
    }

    #[test]
    fn another_floor_is_always_news(decision in a_decision(), by in 1..9_u32) {
        let status = first(&Decision { floor: decision.floor % 1000, ..decision.clone() });
        let moved = Decision { floor: decision.floor % 1000 + by, ..decision };
        prop_assert!(after(&status, &moved, NOW).is_some());
    }
}

#[test]
fn bids_and_doubts_are_told_and_are_no_news_by_themselves() {
    let bid = |guard, replicas| Bid { guard, replicas };
    let doubt = Doubt::Errors { share: 0.31, above: 0.05 };
    let bids = vec![bid(Guard::Held, 6), bid(Guard::LiveDemand, 4), bid(Guard::Backlog, 0)];
    let doubted = Decision { bids, doubts: vec![doubt], trust: Trust::Doubtful, ..calm() };
    let before = first(&doubted);
    let told: Vec<_> = before.bids.iter().map(|bid| (bid.guard.as_str(), bid.replicas)).collect();
    assert_eq!(told, [("Held", 6), ("LiveDemand", 4)], "who asks for nothing says nothing");
    assert_eq!(before.doubts[0].reason, "ErrorsHigh");
    assert!(before.doubts[0].says.starts_with("31.0 % of the work fails"), "{}", before.doubts[0].says);
    let bids = vec![bid(Guard::Held, 6), bid(Guard::LiveDemand, 5)];
    let doubts = vec![Doubt::Errors { share: 0.32, above: 0.05 }];
    assert_eq!(after(&before, &Decision { bids, doubts, ..doubted }, NOW), None);
}

#[test]
fn what_was_learned_is_told_and_its_moving_numbers_are_no_news() {
    let usual = floorkeeper_core::Usual {
        days: 13,
        quiet: false,
        limit: 3.2,
        recent: 6.0,
        unusual: false,
        before: 6.0,
        hour: Some(5.4),
        within_an_hour: Some(0.553),
    };
    let decision = Decision { usual: Some(usual), ..calm() };
    let before = first(&decision);
    let learned = before.learned.clone().unwrap();
    let numbers = (learned.days, learned.within_hour_percent, learned.hour_needs, learned.unusual_below);
    assert_eq!(numbers, (Some(13), Some(55), Some(6), Some(4)));
    let usual = floorkeeper_core::Usual { days: 14, limit: 5.0, hour: Some(9.0), ..usual };
    let later = Decision { usual: Some(usual), ..calm() };
    assert_eq!(status(&policy("Guard"), Some(&before), &told(&later, NOW)), None);
    let usual = floorkeeper_core::Usual { quiet: true, limit: 0.0, ..usual };
    let at_night = Decision { usual: Some(usual), ..calm() };
    assert_eq!(status(&policy("Guard"), Some(&before), &told(&at_night, NOW)), None, "a night is no news");
    let learned = first(&at_night).learned.unwrap();
    assert_eq!((learned.days, learned.unusual_below), (Some(14), None));
    assert!(status(&policy("Guard"), Some(&before), &told(&calm(), NOW)).is_some(), "nothing is known any more");
    let failing = Learning { past: BackFill::Failing("edge".into(), Failure::Timeout), note: None };
    let told = Told { learning: &failing, ..told(&decision, NOW) };
    let learned = status(&policy("Guard"), Some(&before), &told).unwrap().learned.unwrap();
    assert_eq!(learned.past, crate::api::PastState::Failing);
    assert!(learned.note.unwrap().contains("the source took too long"));
}
