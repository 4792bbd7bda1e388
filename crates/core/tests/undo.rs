//! A write below the floor is put back at once and counted once, whatever the watch says late and whatever was refused.

use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{
    Action, Engine, Event, Mode, Notice, Outcome, Override, Policy, PolicyKey, Replicas, Rollout, Target, TargetKey,
    Timestamp, UnusualFall, Write,
};

struct Story {
    engine: Engine,
    now: Timestamp,
}

impl Story {
    /// Ten replicas, nothing known of the load: the floor is ten, stored.
    fn begin() -> Self {
        let mut story = Self { engine: Engine::new(1), now: Timestamp(1_709_600_400_000) };
        story.tell(Event::Table { namespace: "shop".into(), rows: Vec::new() });
        story.tell(Event::Policy(PolicyKey::new("shop", "web"), Arc::new(policy())));
        for write in story.sees(10) {
            assert!(matches!(write, Write::Floors { .. }), "{write:?}");
            story.engine.acknowledged(&write, Outcome::Done, story.now);
        }
        assert_eq!(story.poll(), []);
        story.told();
        story
    }

    fn tell(&mut self, event: Event) {
        self.now = self.now.plus(Duration::from_millis(1));
        self.engine.observe(event, self.now);
    }

    fn sees(&mut self, replicas: u32) -> Vec<Write> {
        let seen = Target {
            uid: "u".into(),
            version: "1".into(),
            replicas,
            ready: Some(10),
            rollout: Rollout::Done,
            template: 1,
        };
        self.tell(Event::Target(target(), Some(seen)));
        self.poll()
    }

    fn poll(&mut self) -> Vec<Write> {
        self.engine.poll(self.now)
    }

    fn ended(&mut self, write: &Write, outcome: Outcome) -> Vec<Write> {
        self.engine.acknowledged(write, outcome, self.now);
        self.poll()
    }

    /// How many overwrites and contests were told since the last call.
    fn told(&mut self) -> (usize, usize) {
        let notices = self.engine.notices();
        let count = |wanted: fn(&Notice) -> bool| notices.iter().filter(|(_, notice)| wanted(notice)).count();
        (count(|it| matches!(it, Notice::Overwritten { .. })), count(|it| matches!(it, Notice::Contested { .. })))
    }
}

fn target() -> TargetKey {
    TargetKey::new("shop", "deployments.apps", "web")
}

fn policy() -> Policy {
    let hour = Duration::from_secs(3600);
    Policy {
        target: target(),
        mode: Mode::Guard,
        min_replicas: Some(2),
        max_replicas: Some(20),
        signals: Vec::new(),
        headroom_percent: 25,
        errors: None,
        unready_percent: 25,
        depends_on: Vec::new(),
        fall: UnusualFall {
            hold_for: hour,
            keep_percent: 80,
            keep_for: hour * 8,
            until_learned_percent: 50,
            usual_days: UnusualFall::USUAL_DAYS,
        },
        hold_at_most: hour * 24,
        window: hour / 6,
        half_life: hour,
        verify_for: hour / 30,
        resolution: Duration::from_secs(15),
        source: "default".into(),
        created: Timestamp(0),
    }
}

fn raise(from: u32, undo: bool) -> Write {
    Write::Replicas(Replicas { target: target(), version: "1".into(), from, to: 10, undo })
}

#[test]
fn an_undo_is_told_when_it_has_landed() {
    let mut story = Story::begin();
    assert_eq!(story.sees(3), [raise(3, true)]);
    assert_eq!(story.told(), (0, 0));
    assert_eq!(story.ended(&raise(3, true), Outcome::Done), []);
    assert_eq!(story.told(), (1, 0));
}

#[test]
fn a_late_event_of_the_old_state_is_no_second_overwrite() {
    let mut story = Story::begin();
    story.sees(3);
    story.ended(&raise(3, true), Outcome::Done);
    story.told();
    for _ in 0..5 {
        // A status update from before our write comes after its answer; then our own write is seen.
        assert_eq!(story.sees(3), [raise(3, true)]);
        assert_eq!(story.ended(&raise(3, true), Outcome::Unneeded), []);
        assert_eq!(story.sees(10), []);
    }
    assert_eq!(story.told(), (0, 0));
}

#[test]
fn a_foreign_write_that_crosses_our_own_is_undone_too() {
    let mut story = Story::begin();
    assert_eq!(story.sees(3), [raise(3, true)]);
    assert_eq!(story.sees(0), [], "one write at a time");
    assert_eq!(story.ended(&raise(3, true), Outcome::Done), [raise(0, true)]);
    assert_eq!(story.ended(&raise(0, true), Outcome::Done), []);
    assert_eq!(story.told(), (2, 0));
}

#[test]
fn an_undo_that_fails_is_one_still_and_three_are_contested() {
    let mut story = Story::begin();
    assert_eq!(story.sees(3), [raise(3, true)]);
    assert_eq!(story.ended(&raise(3, true), Outcome::Failed), []);
    story.now = story.now.plus(Duration::from_secs(2));
    assert_eq!(story.poll(), [raise(3, true)]);
    story.ended(&raise(3, true), Outcome::Done);
    assert_eq!(story.told(), (1, 0));
    for contests in [0, 1] {
        story.sees(10);
        assert_eq!(story.sees(4), [raise(4, true)]);
        story.ended(&raise(4, true), Outcome::Done);
        assert_eq!(story.told(), (1, contests));
    }
}

/// A lowering is refused, and in the same moment more is wanted: that does not wait until the lowering would be tried again.
#[test]
fn a_raise_does_not_wait_for_a_refused_lowering() {
    for outcome in [Outcome::Conflict, Outcome::Failed] {
        let mut story = Story::begin();
        let mut pinned_to = |replicas| {
            let (from, until) = (story.now, story.now.plus(Duration::from_secs(3600)));
            let order = Override { name: "pin".into(), action: Action::Pin(replicas), from, until };
            story.tell(Event::Overrides(PolicyKey::new("shop", "web"), vec![order]));
            let writes = story.poll();
            let floor = writes.into_iter().find(|write| matches!(write, Write::Floors { .. }));
            let Some(Write::Floors { rows, .. }) = &floor else { panic!("no floor is written") };
            assert_eq!(rows[0].1.replicas, replicas);
            story.engine.acknowledged(floor.as_ref().unwrap(), outcome, story.now);
        };
        pinned_to(6);
        pinned_to(14);
    }
}
