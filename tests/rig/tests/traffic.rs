//! The traffic player against real HPAs: the incident happens to those who measure the broken service.

use std::time::Duration;

use floorkeeper_rig::traffic::{Keeper, Lane, Playbill, Player, Stage};
use floorkeeper_sim::Scenario;

/// The first forty-five minutes of S1a.
fn beginning_of_march_5(mut scenario: Scenario) -> Scenario {
    scenario.minutes = 45;
    scenario.faults[0].to = Some(45.0);
    scenario
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_scales_the_service_away_under_an_hpa_on_cpu_and_not_under_one_on_offered_load() {
    let scenario = beginning_of_march_5(floorkeeper_sim::find("S1a").unwrap());
    let min = scenario.service.min;
    let playbill = Playbill {
        scenario,
        lanes: vec![Lane::new(Keeper::HpaCpu), Lane::new(Keeper::HpaSameSignal)],
        budget: Duration::from_secs(60),
        floorkeeper: None,
        enforced: false,
        dies: false,
    };
    let stage = Stage::build(playbill, |_| {}).await.unwrap();
    let mut player = Player::warm(stage, |_| {}).await.unwrap();
    let mut before = Vec::new();
    let reports = player
        .play(|frame| {
            if frame.minute < 16.0 {
                before = frame.lanes.iter().map(|lane| lane.ready).collect();
            }
        })
        .await
        .unwrap();

    assert!(before.iter().all(|ready| *ready > 3 * min), "both are well sized before: {before:?}");
    let [cpu, edge] = &reports[..] else { panic!("two lanes, two reports") };
    assert_eq!(cpu.report.lowest_replicas, min, "{:?}", cpu.report);
    assert!(cpu.report.unsafe_minutes > 10.0 && cpu.report.unmet_percent > 10.0, "{:?}", cpu.report);
    assert_eq!(edge.report.unsafe_minutes, 0.0, "{:?}", edge.report);
    assert!(cpu.first_alarm.is_none(), "nobody is told: {:?}", cpu.first_alarm);
}
