//! The two peers as the player sees them.

use crate::peers::oracle::tests::sight;
use crate::peers::terms::tests::terms;
use crate::peers::{Answer, CpuSample, Hpa, Peer, Pod, Sight};

/// Old pods, all ready, all with this share of their request.
fn pods(many: u32, share: f64, now: f64) -> Vec<Pod> {
    let cpu = Some(CpuSample { share, at: now, window: 15.0 });
    vec![Pod { created: -3_600.0, ready: true, changed: -3_600.0, cpu }; many as usize]
}

/// Syncs every 15 seconds; the replicas at the end.
fn play(hpa: &mut Hpa, mut wanted: u32, (from, to): (u32, u32), load: Answer, share: f64) -> u32 {
    for at in (from..to).step_by(15) {
        let now = f64::from(at);
        let pods = pods(wanted, share, now);
        wanted = hpa.sync(&Sight { wanted, pods: &pods, load, ..sight(&[], 60.0, now) }).unwrap_or(wanted);
    }
    wanted
}

#[test]
fn on_load_holds_without_an_answer_and_follows_zero() {
    let mut hpa = Hpa::on_load(&terms());
    assert_eq!(play(&mut hpa, 2, (0, 45), Answer::Value(1_600.0), 0.0), 16, "twice at a time: 4, 8, 16");
    assert_eq!(play(&mut hpa, 16, (45, 600), Answer::Value(1_600.0), 0.0), 20);
    for missing in [Answer::Empty, Answer::Error] {
        assert_eq!(play(&mut hpa, 20, (600, 3_600), missing, 0.0), 20);
    }
    assert_eq!(play(&mut hpa, 20, (3_600, 3_900), Answer::Value(0.0), 0.0), 2, "nothing was recommended meanwhile");
}

#[test]
fn on_load_takes_nan_for_more_than_there_can_be() {
    let mut hpa = Hpa::on_load(&terms());
    assert_eq!(play(&mut hpa, 10, (0, 600), Answer::Value(f64::NAN), 0.0), 50);
}

#[test]
fn on_cpu_takes_idle_pods_for_idle_whatever_the_load() {
    let mut hpa = Hpa::on_cpu(&terms());
    assert_eq!(play(&mut hpa, 10, (0, 300), Answer::Value(1_600.0), 0.56), 10);
    assert_eq!(play(&mut hpa, 10, (300, 600), Answer::Value(1_600.0), 0.05), 10, "stabilised for five minutes");
    assert_eq!(play(&mut hpa, 10, (600, 660), Answer::Value(1_600.0), 0.05), 2);
}

#[test]
fn bounds_are_obeyed_at_the_next_sync_whatever_the_metric() {
    let mut hpa = Hpa::on_load(&terms());
    assert!(hpa.set_bounds(12, 40) && !hpa.set_bounds(12, 40));
    assert_eq!(play(&mut hpa, 3, (0, 15), Answer::Error, 0.0), 12);
    hpa.set_bounds(2, 6);
    assert_eq!(play(&mut hpa, 12, (15, 30), Answer::Error, 0.0), 6);
}
