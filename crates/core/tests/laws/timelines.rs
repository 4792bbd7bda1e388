//! Stories: what an engineer on call sees, minute by minute.

use std::time::Duration;

use floorkeeper_core::{Action, Mode, Notice, Override, Overwritten, Rollout};

use crate::story::Story;
use crate::world::history::{CAPACITY, minutes, web, web_target};
use crate::world::source::Fault;

#[test]
fn at_first_sight_what_stands_is_what_is_needed() {
    let mut story = Story::begin(20, |_| {});
    story.load(5.0).minutes(4 * 60);
    story.reads(
        r"
         0:00:15  floor 20 for SpecChanged, Doubtful; 20 run
         0:04:30  floor 20 for SpecChanged, Doubtful, WindowNotFull; 20 run
         0:10:00  floor 18 for SpecChanged, Trusted; 18 run
         0:14:15  floor 17 for SpecChanged, Trusted; 17 run
         0:19:30  floor 16 for SpecChanged, Trusted; 16 run
         0:25:00  floor 15 for SpecChanged, Trusted; 15 run
         0:31:00  floor 14 for SpecChanged, Trusted; 14 run
         0:37:30  floor 13 for SpecChanged, Trusted; 13 run
         0:44:15  floor 12 for SpecChanged, Trusted; 12 run
         0:51:45  floor 11 for SpecChanged, Trusted; 11 run
         1:00:00  floor 10 for SpecChanged, Trusted; 10 run
         1:09:15  floor 9 for SpecChanged, Trusted; 9 run
         1:19:30  floor 8 for SpecChanged, Trusted; 8 run
         1:31:00  floor 7 for LiveDemand, Trusted; 7 run
        ",
    );
}

#[test]
fn five_hours_of_errors_at_the_same_load() {
    let mut story = Story::settled(|_| {});
    story.errors(1.0).minutes(313).errors(0.0).minutes(30);
    story.reads(
        r"
         0:00:00  floor 17 for LiveDemand, Trusted; 17 run
         0:00:15  floor 17 for LiveDemand, Doubtful; 17 run
         5:23:15  floor 17 for LiveDemand, Trusted; 17 run
        ",
    );
}

#[test]
fn the_service_fails_and_its_metric_reads_zero_with_all_its_series() {
    let mut story = Story::settled(|_| {});
    story.load(0.0).minutes(313).load(13.0).minutes(30);
    story.reads(
        r"
         0:00:00  floor 17 for LiveDemand, Trusted; 17 run
         0:00:15  floor 17 for RecentPeak, Doubtful; 17 run
         0:10:15  floor 17 for UsualFall, Doubtful, unusual fall from 17; 17 run
         1:00:15  floor 17 for UsualFall, Doubtful, paced; 17 run
         1:05:15  floor 16 for UsualFall, Doubtful, watching 17 to 16; 16 run
         1:07:15  floor 16 for UsualFall, Doubtful, paced; 16 run
         1:11:00  floor 15 for UsualFall, Doubtful, watching 16 to 15; 15 run
         1:13:00  floor 15 for UsualFall, Doubtful, paced; 15 run
         1:17:00  floor 14 for UsualFall, Doubtful; 14 run
         5:13:15  floor 17 for LiveDemand, Doubtful; 17 run
         5:23:15  floor 17 for LiveDemand, Trusted; 17 run
        ",
    );
}

#[test]
fn the_metric_loses_half_of_its_series() {
    let mut story = Story::settled(|_| {});
    story.fault(Some(Fault::Shrunken)).minutes(313).fault(None).minutes(30);
    story.reads(
        r"
         0:00:00  floor 17 for LiveDemand, Trusted; 17 run
         0:00:15  floor 17 for RecentPeak, Blind; 17 run
         0:10:15  floor 17 for LiveDemand, Blind, unknown: Shrunken; 17 run
         1:01:45  floor 17 for LiveDemand, Doubtful, WindowNotFull; 17 run
         1:11:30  floor 17 for LiveDemand, Trusted, paced; 17 run
         1:16:30  floor 16 for LiveDemand, Trusted, watching 17 to 16; 16 run
         1:18:30  floor 16 for LiveDemand, Trusted, paced; 16 run
         1:22:15  floor 15 for LiveDemand, Trusted, watching 16 to 15; 15 run
         1:24:15  floor 15 for LiveDemand, Trusted, paced; 15 run
         1:28:15  floor 14 for LiveDemand, Trusted, watching 15 to 14; 14 run
         1:30:15  floor 14 for LiveDemand, Trusted, paced; 14 run
         1:34:30  floor 13 for LiveDemand, Trusted, watching 14 to 13; 13 run
         1:36:30  floor 13 for LiveDemand, Trusted, paced; 13 run
         1:41:30  floor 12 for LiveDemand, Trusted, watching 13 to 12; 12 run
         1:43:30  floor 12 for LiveDemand, Trusted, paced; 12 run
         1:49:00  floor 11 for LiveDemand, Trusted, watching 12 to 11; 11 run
         1:51:00  floor 11 for LiveDemand, Trusted, paced; 11 run
         1:57:15  floor 10 for LiveDemand, Trusted, watching 11 to 10; 10 run
         1:59:15  floor 10 for LiveDemand, Trusted, paced; 10 run
         2:06:30  floor 9 for LiveDemand, Trusted; 9 run
         5:13:15  floor 17 for LiveDemand, Trusted; 17 run
        ",
    );
}

#[test]
fn the_metric_is_gone() {
    let mut story = Story::settled(|_| {});
    story.fault(Some(Fault::Empty)).minutes(313).fault(None).minutes(30);
    story.reads(
        r"
         0:00:00  floor 17 for LiveDemand, Trusted; 17 run
         0:00:15  floor 17 for RecentPeak, Blind; 17 run
         0:10:15  floor 17 for StaticMinimum, Blind, unknown: Empty; 17 run
         5:13:15  floor 17 for LiveDemand, Doubtful; 17 run
         5:23:00  floor 17 for LiveDemand, Trusted; 17 run
        ",
    );
}

#[test]
fn thirty_eight_hours_of_true_zero() {
    let mut story = Story::settled(|_| {});
    story.load(0.0).minutes(1);
    let promised = story.world.decision(&web()).zero_in;
    story.minutes(38 * 60 - 1);
    story.reads(
        r"
         0:00:00  floor 17 for LiveDemand, Trusted; 17 run
         0:00:15  floor 17 for RecentPeak, Doubtful; 17 run
         0:10:15  floor 17 for UsualFall, Doubtful, unusual fall from 17; 17 run
         1:00:15  floor 17 for UsualFall, Doubtful, paced; 17 run
         1:05:15  floor 16 for UsualFall, Doubtful, watching 17 to 16; 16 run
         1:07:15  floor 16 for UsualFall, Doubtful, paced; 16 run
         1:11:00  floor 15 for UsualFall, Doubtful, watching 16 to 15; 15 run
         1:13:00  floor 15 for UsualFall, Doubtful, paced; 15 run
         1:17:00  floor 14 for UsualFall, Doubtful; 14 run
         8:00:15  floor 14 for StaticMinimum, Trusted, paced; 14 run
         8:06:30  floor 13 for StaticMinimum, Trusted, watching 14 to 13; 13 run
         8:08:30  floor 13 for StaticMinimum, Trusted, paced; 13 run
         8:13:30  floor 12 for StaticMinimum, Trusted, watching 13 to 12; 12 run
         8:15:30  floor 12 for StaticMinimum, Trusted, paced; 12 run
         8:21:00  floor 11 for StaticMinimum, Trusted, watching 12 to 11; 11 run
         8:23:00  floor 11 for StaticMinimum, Trusted, paced; 11 run
         8:29:15  floor 10 for StaticMinimum, Trusted, watching 11 to 10; 10 run
         8:31:15  floor 10 for StaticMinimum, Trusted, paced; 10 run
         8:38:15  floor 9 for StaticMinimum, Trusted, watching 10 to 9; 9 run
         8:40:15  floor 9 for StaticMinimum, Trusted, paced; 9 run
         8:48:30  floor 8 for StaticMinimum, Trusted, watching 9 to 8; 8 run
         8:50:30  floor 8 for StaticMinimum, Trusted, paced; 8 run
         9:00:00  floor 7 for StaticMinimum, Trusted, watching 8 to 7; 7 run
         9:02:00  floor 7 for StaticMinimum, Trusted, paced; 7 run
         9:13:30  floor 6 for StaticMinimum, Trusted, watching 7 to 6; 6 run
         9:15:30  floor 6 for StaticMinimum, Trusted, paced; 6 run
         9:29:15  floor 5 for StaticMinimum, Trusted, watching 6 to 5; 5 run
         9:31:15  floor 5 for StaticMinimum, Trusted, paced; 5 run
         9:48:30  floor 4 for StaticMinimum, Trusted, watching 5 to 4; 4 run
         9:50:30  floor 4 for StaticMinimum, Trusted, paced; 4 run
        10:13:30  floor 3 for StaticMinimum, Trusted; 3 run
        ",
    );
    // Told at its first minute: by then at the latest. Only doubts that last would take so long.
    assert_eq!(promised.as_secs() / 3600, 27);
    assert_eq!(story.world.decision(&web()).zero_in, Duration::ZERO);
}

#[test]
fn a_restart_in_the_middle_of_it() {
    let mut story = Story::settled(|_| {});
    story.errors(1.0).minutes(60).load(0.0).minutes(30);
    story.world.crash();
    story.world.restart(Some(minutes(60)));
    story.note();
    story.minutes(30).errors(0.0).load(13.0).minutes(30);
    story.reads(
        r"
         0:00:00  floor 17 for LiveDemand, Trusted; 17 run
         0:00:15  floor 17 for LiveDemand, Doubtful; 17 run
         1:00:15  floor 17 for RecentPeak, Doubtful; 17 run
         1:10:15  floor 17 for UsualFall, Doubtful, unusual fall from 17; 17 run
         1:30:00  floor 17 for UsualFall, Blind, unknown: NeverSeen; 17 run
         1:30:15  floor 17 for UsualFall, Doubtful, unusual fall from 17; 17 run
         2:00:15  floor 17 for LiveDemand, Doubtful; 17 run
         2:10:15  floor 17 for LiveDemand, Trusted; 17 run
        ",
    );
}

#[test]
fn a_step_that_does_harm_is_undone_and_the_pause_doubles() {
    let mut story = Story::settled(|policy| policy.half_life = minutes(10));
    story.load(9.0);
    for _ in 0..200 {
        let pods = &story.world.pods[&web_target()];
        // With fewer than 15 pods some of the requests fail.
        let errors = if pods.ready() < 15 { 0.04 } else { 0.0 };
        story.errors(errors).minutes(1);
    }
    story.reads(
        r"
         0:00:00  floor 17 for LiveDemand, Trusted; 17 run
         0:00:15  floor 17 for RecentPeak, Trusted; 17 run
         0:10:15  floor 17 for LiveDemand, Trusted, paced; 17 run
         0:11:00  floor 16 for LiveDemand, Trusted, watching 17 to 16; 16 run
         0:13:00  floor 14 for LiveDemand, Trusted, watching 16 to 14; 14 run
         0:13:15  floor 16 for LiveDemand, Doubtful, 16 to 14 did harm; 16 run
         0:15:15  floor 16 for LiveDemand, Trusted, paced; 16 run
         0:16:00  floor 15 for LiveDemand, Trusted, watching 16 to 15; 15 run
         0:18:00  floor 13 for LiveDemand, Trusted, watching 15 to 13; 13 run
         0:18:15  floor 15 for LiveDemand, Doubtful, 15 to 13 did harm; 15 run
         0:20:15  floor 15 for LiveDemand, Trusted, paced; 15 run
         0:21:00  floor 14 for LiveDemand, Trusted, watching 15 to 14; 14 run
         0:21:15  floor 15 for LiveDemand, Doubtful, 15 to 14 did harm; 15 run
         0:25:15  floor 15 for LiveDemand, Trusted, paced; 15 run
         0:26:00  floor 14 for LiveDemand, Trusted, watching 15 to 14; 14 run
         0:26:15  floor 15 for LiveDemand, Doubtful, 15 to 14 did harm; 15 run
         0:34:15  floor 15 for LiveDemand, Trusted, paced; 15 run
         0:35:00  floor 14 for LiveDemand, Trusted, watching 15 to 14; 14 run
         0:35:15  floor 15 for LiveDemand, Doubtful, 15 to 14 did harm; 15 run
         0:51:15  floor 15 for LiveDemand, Trusted, paced; 15 run
         0:52:00  floor 14 for LiveDemand, Trusted, watching 15 to 14; 14 run
         0:52:15  floor 15 for LiveDemand, Doubtful, 15 to 14 did harm; 15 run
         1:24:15  floor 15 for LiveDemand, Trusted, paced; 15 run
         1:25:00  floor 14 for LiveDemand, Trusted, watching 15 to 14; 14 run
         1:25:15  floor 15 for LiveDemand, Doubtful, 15 to 14 did harm; 15 run
         2:25:15  floor 15 for LiveDemand, Trusted, paced; 15 run
         2:26:00  floor 14 for LiveDemand, Trusted, watching 15 to 14; 14 run
         2:26:15  floor 15 for LiveDemand, Doubtful, 15 to 14 did harm; 15 run
        ",
    );
}

#[test]
fn a_typing_error_in_the_capacity_runs_down() {
    let mut story = Story::settled(|_| {});
    story.world.edit_policy(&web(), |policy| policy.signals[0].capacity = Some(CAPACITY * 10.0));
    story.note();
    story.minutes(4 * 60);
    story.reads(
        r"
         0:00:00  floor 17 for LiveDemand, Trusted; 17 run
         0:00:00  floor 17 for SpecChanged, Blind; 17 run
         0:00:15  floor 17 for SpecChanged, Doubtful; 17 run
         0:05:15  floor 17 for SpecChanged, Doubtful, WindowNotFull; 17 run
         0:10:00  floor 16 for SpecChanged, Trusted; 16 run
         0:11:00  floor 16 for SpecChanged, Trusted, watching 17 to 16; 16 run
         0:12:00  floor 15 for SpecChanged, Trusted; 15 run
         0:17:00  floor 14 for SpecChanged, Trusted; 14 run
         0:23:15  floor 13 for SpecChanged, Trusted; 13 run
         0:30:15  floor 12 for SpecChanged, Trusted; 12 run
         0:37:45  floor 11 for SpecChanged, Trusted; 11 run
         0:46:00  floor 10 for SpecChanged, Trusted; 10 run
         0:55:15  floor 9 for SpecChanged, Trusted; 9 run
         1:05:15  floor 8 for SpecChanged, Trusted; 8 run
         1:17:00  floor 7 for SpecChanged, Trusted; 7 run
         1:30:15  floor 6 for SpecChanged, Trusted; 6 run
         1:46:00  floor 5 for SpecChanged, Trusted; 5 run
         2:05:15  floor 4 for SpecChanged, Trusted; 4 run
         2:30:15  floor 3 for StaticMinimum, Trusted; 3 run
        ",
    );
}

#[test]
fn a_pin_for_half_an_hour() {
    let mut story = Story::settled(|_| {});
    let (from, until) = (story.world.now, story.world.now.plus(minutes(30)));
    story.world.order(&web(), vec![Override { name: "maintenance".into(), action: Action::Pin(4), from, until }]);
    story.note();
    story.minutes(45);
    story.reads(
        r"
         0:00:00  floor 17 for LiveDemand, Trusted; 17 run
         0:00:00  floor 4 for Override, Trusted; 17 run
         0:30:00  floor 17 for LiveDemand, Trusted; 17 run
        ",
    );
}

#[test]
fn autoscaling_both_ways() {
    let mut story = Story::settled(|policy| {
        policy.mode = Mode::Autoscale;
        (policy.min_replicas, policy.max_replicas) = (Some(2), Some(30));
    });
    story.load(22.0).minutes(20).load(7.0).minutes(4 * 60);
    story.reads(
        r"
         0:00:00  floor 17 for LiveDemand, Trusted; 17 run
         0:00:15  floor 28 for LiveDemand, Trusted; 28 run
         0:20:15  floor 28 for RecentPeak, Doubtful; 28 run
         0:30:15  floor 28 for UsualFall, Doubtful, unusual fall from 28; 28 run
         1:20:15  floor 28 for UsualFall, Doubtful, paced; 28 run
         1:23:15  floor 27 for UsualFall, Doubtful, watching 28 to 27; 27 run
         1:25:15  floor 27 for UsualFall, Doubtful, paced; 27 run
         1:26:30  floor 26 for UsualFall, Doubtful, watching 27 to 26; 26 run
         1:28:30  floor 26 for UsualFall, Doubtful, paced; 26 run
         1:30:00  floor 25 for UsualFall, Doubtful, watching 26 to 25; 25 run
         1:32:00  floor 25 for UsualFall, Doubtful, paced; 25 run
         1:33:30  floor 24 for UsualFall, Doubtful, watching 25 to 24; 24 run
         1:35:30  floor 24 for UsualFall, Doubtful, paced; 24 run
         1:37:15  floor 23 for UsualFall, Doubtful; 23 run
        ",
    );
}

#[test]
fn more_is_needed_than_the_maximum() {
    let mut story = Story::settled(|_| {});
    story.load(70.0).minutes(5);
    story.reads(
        r"
         0:00:00  floor 17 for LiveDemand, Trusted; 17 run
         0:00:15  floor 34 for LiveDemand, Trusted; 34 run
         0:00:30  floor 60 for LiveDemand, Trusted; 60 run
        ",
    );
    assert_eq!(story.world.decision(&web()).limited, Some(88));
}

#[test]
fn a_rollout_holds_until_it_is_done() {
    let mut story = Story::settled(|_| {});
    story.load(9.0).minutes(15);
    let pods = story.world.pods.get_mut(&web_target()).unwrap();
    (pods.rollout, pods.template) = (Rollout::Progressing { deadline: minutes(10) }, 2);
    story.minutes(5);
    story.world.pods.get_mut(&web_target()).unwrap().rollout = Rollout::Done;
    story.minutes(15);
    story.reads(
        r"
         0:00:00  floor 17 for LiveDemand, Trusted; 17 run
         0:00:15  floor 17 for RecentPeak, Trusted; 17 run
         0:10:15  floor 17 for LiveDemand, Trusted, paced; 17 run
         0:15:15  floor 16 for LiveDemand, Trusted, Rollout; 16 run
         0:20:15  floor 16 for LiveDemand, Trusted, paced; 16 run
         0:26:00  floor 15 for LiveDemand, Trusted, watching 16 to 15; 15 run
         0:28:00  floor 15 for LiveDemand, Trusted, paced; 15 run
         0:32:00  floor 14 for LiveDemand, Trusted, watching 15 to 14; 14 run
         0:34:00  floor 14 for LiveDemand, Trusted, paced; 14 run
        ",
    );
}

#[test]
fn an_outage_of_the_source_that_ends_in_zeros() {
    let mut story = Story::settled(|_| {});
    story.fault(Some(Fault::Timeout)).minutes(120).fault(None).load(0.0).minutes(60);
    story.reads(
        r"
         0:00:00  floor 17 for LiveDemand, Trusted; 17 run
         0:00:15  floor 17 for RecentPeak, Blind; 17 run
         0:10:15  floor 17 for StaticMinimum, Blind, unknown: Failed; 17 run
         2:00:15  floor 17 for UsualFall, Doubtful, unusual fall from 17; 17 run
        ",
    );
}

#[test]
fn half_of_the_series_are_lost_and_the_other_half_say_zero() {
    let mut story = Story::settled(|_| {});
    story.fault(Some(Fault::Shrunken)).load(0.0).minutes(313).fault(None).load(13.0).minutes(30);
    story.reads(
        r"
         0:00:00  floor 17 for LiveDemand, Trusted; 17 run
         0:00:15  floor 17 for RecentPeak, Blind; 17 run
         0:10:15  floor 17 for StaticMinimum, Blind, unknown: Shrunken; 17 run
         1:01:45  floor 17 for UsualFall, Doubtful, unusual fall from 17; 17 run
         2:01:45  floor 17 for UsualFall, Doubtful, paced; 17 run
         2:06:45  floor 16 for UsualFall, Doubtful, watching 17 to 16; 16 run
         2:08:45  floor 16 for UsualFall, Doubtful, paced; 16 run
         2:12:30  floor 15 for UsualFall, Doubtful, watching 16 to 15; 15 run
         2:14:30  floor 15 for UsualFall, Doubtful, paced; 15 run
         2:18:30  floor 14 for UsualFall, Doubtful; 14 run
         5:13:15  floor 17 for LiveDemand, Doubtful; 17 run
         5:23:15  floor 17 for LiveDemand, Trusted; 17 run
        ",
    );
}

#[test]
fn somebody_fights_over_the_replicas() {
    let mut story = Story::settled(|_| {});
    for _ in 0..3 {
        story.world.foreign_scale(&web_target(), 2);
        assert_eq!(story.world.pods[&web_target()].replicas, 17, "put back at once");
        story.minutes(1);
    }
    assert_eq!(story.world.decision(&web()).contested, Some(3));
    let undone = |notice: &Notice| *notice == Notice::Overwritten { what: Overwritten::Replicas, found: 2, floor: 17 };
    assert_eq!(story.world.notices.iter().filter(|(_, _, notice)| undone(notice)).count(), 3);
    let contested = |notice: &Notice| matches!(notice, Notice::Contested { undos: 3 });
    assert_eq!(story.world.notices.iter().filter(|(_, _, notice)| contested(notice)).count(), 1);
    story.minutes(10);
    assert_eq!(story.world.decision(&web()).contested, None);
}

/// Before anything is learned: what is kept of a fall is kept eight hours from the last, not from the first.
#[test]
fn a_fall_within_a_fall_is_kept_like_any_other() {
    let mut story = Story::settled(|_| ());
    story.load(6.0).minutes(7 * 60 + 30).load(0.0).minutes(8 * 60 - 5);
    let decision = story.world.decision(&web());
    assert_eq!((decision.floor, decision.need), (14, Some(0)));
    story.minutes(4 * 60);
    assert!(story.world.decision(&web()).floor < 14);
}

/// A crowd that is there for less than a window ends no fall; what it needed is kept when it is gone all the same.
#[test]
fn what_was_needed_between_two_falls_is_kept_too() {
    let mut story = Story::settled(|_| ());
    story.load(6.0).minutes(60).load(40.0).minutes(8).load(0.0).minutes(2 * 60);
    let decision = story.world.decision(&web());
    assert_eq!((decision.floor, decision.need), (40, Some(0)));
}
