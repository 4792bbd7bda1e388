use std::time::Duration;

use floorkeeper_core::{Action, Mode, Rollout, ScalerKind, Timestamp, UnusualFall};

use super::*;

fn web() -> TargetKey {
    TargetKey::new("shop", "deployments.apps", "web")
}

fn policy(depends_on: &[TargetKey]) -> Arc<Policy> {
    Arc::new(Policy {
        target: web(),
        mode: Mode::Observe,
        min_replicas: None,
        max_replicas: None,
        signals: Vec::new(),
        headroom_percent: 25,
        errors: None,
        unready_percent: 25,
        depends_on: depends_on.to_vec(),
        fall: UnusualFall {
            hold_for: Duration::ZERO,
            keep_percent: 0,
            keep_for: Duration::ZERO,
            until_learned_percent: 0,
            usual_days: UnusualFall::USUAL_DAYS,
        },
        hold_at_most: Duration::ZERO,
        window: Duration::ZERO,
        half_life: Duration::ZERO,
        verify_for: Duration::ZERO,
        resolution: Duration::ZERO,
        source: "default".into(),
        created: Timestamp(0),
    })
}

fn target(replicas: u32) -> Target {
    Target { uid: "u".into(), version: "1".into(), replicas, ready: None, rollout: Rollout::Done, template: 0 }
}

fn scaler(min: u32) -> Scaler {
    Scaler {
        kind: ScalerKind::HorizontalPodAutoscaler,
        name: "hpa".into(),
        uid: "u".into(),
        version: "1".into(),
        min,
        max: 9,
        idle: None,
        kept: None,
        owned: false,
    }
}

fn hpa(name: &str) -> ScalerName {
    let scales = KindName::new("apps/v1", "Deployment");
    let kind = ScalerKind::HorizontalPodAutoscaler;
    ScalerName { namespace: "shop".into(), kind, name: name.into(), scales, target: "web".into() }
}

const OBJECTS: Store = Store::Scalers(ScalerKind::ScaledObject);

const HPAS: Store = Store::Scalers(ScalerKind::HorizontalPodAutoscaler);

fn deployments() -> Store {
    Store::Targets("deployments.apps".into())
}

fn row(epoch: u64) -> Standing {
    Standing {
        policy: "p".into(),
        uid: "u".into(),
        reason: "LiveDemand".into(),
        epoch,
        seq: 1,
        ..Standing::at(5, Timestamp(0))
    }
}

fn known_world() -> World {
    let (mut world, mut events) = (World::new(), Vec::new());
    world.take_kind(KindName::new("apps/v1", "Deployment"), "deployments.apps".into(), &mut events);
    for store in [Store::Policies, Store::Tables, OBJECTS, HPAS, deployments()] {
        world.fill(store, &mut events);
    }
    assert_eq!(events, []);
    world
}

#[test]
fn a_target_is_told_when_it_is_named_and_not_before() {
    let (mut world, mut events) = (known_world(), Vec::new());
    world.take_target(web(), Some(target(3)), &mut events);
    assert_eq!(events, []);
    world.take_policy(PolicyKey::new("shop", "p"), policy(&[]), &mut events);
    let key = PolicyKey::new("shop", "p");
    assert_eq!(
        events,
        [
            Event::Table { namespace: "shop".into(), rows: vec![] },
            Event::Target(web(), Some(target(3))),
            Event::Scaler(web(), None),
            Event::Policy(key.clone(), policy(&[])),
        ]
    );
    events.clear();
    world.take_target(web(), Some(target(2)), &mut events);
    assert_eq!(events, [Event::Target(web(), Some(target(2)))]);
    events.clear();
    world.drop_policy(key.clone(), &mut events);
    world.take_target(web(), Some(target(1)), &mut events);
    assert_eq!(events, [Event::PolicyGone(key)]);
}

#[test]
fn absence_is_told_only_of_a_filled_store() {
    let (mut world, mut events) = (known_world(), Vec::new());
    world.drop_store(&deployments());
    let writer = TargetKey::new("shop", "deployments.apps", "writer");
    let key = PolicyKey::new("shop", "p");
    let spec = policy(std::slice::from_ref(&writer));
    world.take_policy(key.clone(), Arc::clone(&spec), &mut events);
    assert_eq!(events, [Event::Table { namespace: "shop".into(), rows: vec![] }]);
    events.clear();
    let freeze = Override { name: "o".into(), action: Action::Freeze, from: Timestamp(0), until: Timestamp(9) };
    world.take_overrides(key.clone(), vec![freeze.clone()], &mut events);
    world.take_target(web(), Some(target(3)), &mut events);
    world.fill(deployments(), &mut events);
    let told = [
        Event::Target(web(), Some(target(3))),
        Event::Target(writer, None),
        Event::Policy(key.clone(), spec),
        Event::Overrides(key, vec![freeze]),
    ];
    assert_eq!(events, told);
}

#[test]
fn a_kind_that_cannot_be_seen_keeps_nobody_waiting() {
    let (mut world, mut events) = (known_world(), Vec::new());
    world.drop_store(&deployments());
    world.await_store(deployments());
    let key = PolicyKey::new("shop", "p");
    world.take_policy(key.clone(), policy(&[]), &mut events);
    events.clear();
    world.give_up(deployments(), &mut events);
    assert_eq!(events, [Event::Policy(key, policy(&[]))]);
    assert_eq!(world.awaited().count(), 0);
    events.clear();
    world.fill(deployments(), &mut events);
    assert_eq!(events, [Event::Target(web(), None)]);
}

#[test]
fn of_two_scalers_the_first_by_name_is_told() {
    let (mut world, mut events) = (known_world(), Vec::new());
    world.take_policy(PolicyKey::new("shop", "p"), policy(&[]), &mut events);
    events.clear();
    world.take_scaler(hpa("b"), Some(scaler(2)), &mut events);
    world.take_scaler(hpa("a"), Some(scaler(3)), &mut events);
    world.take_scaler(hpa("a"), None, &mut events);
    world.take_scaler(hpa("b"), None, &mut events);
    let told = |min| Event::Scaler(web(), Some(scaler(min)));
    assert_eq!(events, [told(2), told(3), told(2), Event::Scaler(web(), None)]);
    assert!(world.scalers.is_empty());
}

#[test]
fn a_scaled_object_goes_before_an_hpa_on_the_same_target() {
    let (mut world, mut events) = (known_world(), Vec::new());
    world.take_policy(PolicyKey::new("shop", "p"), policy(&[]), &mut events);
    world.take_scaler(hpa("a"), Some(scaler(2)), &mut events);
    events.clear();
    let object = ScalerName { kind: ScalerKind::ScaledObject, ..hpa("a") };
    let its = Scaler { kind: ScalerKind::ScaledObject, ..scaler(3) };
    world.take_scaler(object.clone(), Some(its.clone()), &mut events);
    world.take_scaler(object, None, &mut events);
    assert_eq!(events, [Event::Scaler(web(), Some(its)), Event::Scaler(web(), Some(scaler(2)))]);
}

#[test]
fn scalers_are_told_when_both_kinds_are_known_or_there_is_no_keda() {
    for keda in [true, false] {
        let (mut world, mut events) = (World::new(), Vec::new());
        world.take_kind(KindName::new("apps/v1", "Deployment"), "deployments.apps".into(), &mut events);
        world.fill(deployments(), &mut events);
        world.take_policy(PolicyKey::new("shop", "p"), policy(&[]), &mut events);
        world.take_scaler(hpa("a"), Some(scaler(2)), &mut events);
        world.fill(HPAS, &mut events);
        assert!(!events.iter().any(|event| matches!(event, Event::Scaler(..))), "an HPA may be KEDA's target's too");
        events.clear();
        for _ in 0..2 {
            if keda { world.fill(OBJECTS, &mut events) } else { world.give_up(OBJECTS, &mut events) }
        }
        assert_eq!(events, [Event::Scaler(web(), Some(scaler(2)))]);
        assert!(!world.awaited().any(|store| *store == OBJECTS));
    }
}

#[test]
fn a_scaler_of_a_kind_that_is_resolved_later_is_told_then() {
    let (mut world, mut events) = (World::new(), Vec::new());
    world.give_up(OBJECTS, &mut events);
    world.fill(HPAS, &mut events);
    world.take_policy(PolicyKey::new("shop", "p"), policy(&[]), &mut events);
    world.take_scaler(hpa("a"), Some(scaler(3)), &mut events);
    assert!(!events.iter().any(|event| matches!(event, Event::Scaler(..))));
    events.clear();
    world.take_kind(KindName::new("apps/v1", "Deployment"), "deployments.apps".into(), &mut events);
    assert_eq!(events, [Event::Scaler(web(), Some(scaler(3)))]);
}

#[test]
fn a_scaler_of_a_row_without_a_policy_is_told_when_its_kind_is_resolved() {
    let (mut world, mut events) = (World::new(), Vec::new());
    world.give_up(OBJECTS, &mut events);
    world.fill(HPAS, &mut events);
    world.take_scaler(hpa("a"), Some(scaler(3)), &mut events);
    world.take_table("shop".into(), vec![(web(), row(3))], &mut events);
    world.fill(Store::Tables, &mut events);
    events.clear();
    world.take_kind(KindName::new("apps/v1", "Deployment"), "deployments.apps".into(), &mut events);
    assert_eq!(events, [Event::Scaler(web(), Some(scaler(3)))]);
}

#[test]
fn tables_are_told_when_all_are_known_and_the_epoch_is_the_highest() {
    let (mut world, mut events) = (World::new(), Vec::new());
    let batch = TargetKey::new("batch", "deployments.apps", "etl");
    world.take_table("batch".into(), vec![(batch.clone(), row(7))], &mut events);
    world.take_table("shop".into(), vec![(web(), row(3))], &mut events);
    assert_eq!(events, []);
    world.fill(Store::Tables, &mut events);
    assert_eq!(world.epoch(), 7);
    assert_eq!(
        events,
        [
            Event::Table { namespace: "batch".into(), rows: vec![(batch, row(7))] },
            Event::Table { namespace: "shop".into(), rows: vec![(web(), row(3))] },
        ]
    );
}

#[test]
fn a_target_with_a_row_and_no_policy_is_told() {
    let (mut world, mut events) = (known_world(), Vec::new());
    world.take_scaler(hpa("a"), Some(scaler(3)), &mut events);
    world.take_table("shop".into(), vec![(web(), row(3))], &mut events);
    assert_eq!(events[..2], [Event::Target(web(), None), Event::Scaler(web(), Some(scaler(3)))]);
    events.clear();
    world.take_target(web(), Some(target(2)), &mut events);
    assert_eq!(events, [Event::Target(web(), Some(target(2)))]);
}

#[test]
fn a_store_that_is_awaited_is_named_until_it_is_filled() {
    let (mut world, mut events) = (known_world(), Vec::new());
    assert_eq!(world.awaited().count(), 0);
    world.drop_store(&deployments());
    world.await_store(deployments());
    assert_eq!(world.awaited().collect::<Vec<_>>(), [&deployments()]);
    world.fill(deployments(), &mut events);
    world.await_store(deployments());
    assert_eq!(world.awaited().count(), 0);
}
