//! The admission policies of `deploy/admission` on a real API server, each rule by its name. floorkeeper itself does not run:
//! what holds here holds with it dead.

#[path = "admission/clamp.rs"]
mod clamp;
#[path = "admission/dead.rs"]
mod dead;
#[path = "admission/floor.rs"]
mod floor;
#[path = "admission/modes.rs"]
mod modes;
#[path = "admission/older.rs"]
mod older;
#[path = "admission/other_kinds.rs"]
mod other_kinds;
#[path = "admission/own_kinds.rs"]
mod own_kinds;
#[path = "admission/scalers.rs"]
mod scalers;
#[path = "admission/town.rs"]
mod town;
#[path = "admission/way_out.rs"]
mod way_out;

use anyhow::Context as _;
use floorkeeper_rig::{Cluster, Options};

/// One control plane for all of it, a namespace for each story.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rule_on_a_real_api_server() {
    let mut cluster = Cluster::start(Options::api_only()).await.unwrap();
    town::install(&cluster, "deploy").await.unwrap();

    floor::an_explicit_scale_down_is_refused(&cluster).await.context("refused").unwrap();
    floor::a_raise_is_never_refused_nor_changed(&cluster).await.context("raise").unwrap();
    floor::a_released_floor_and_a_namespace_without_a_table_bind_nobody(&cluster).await.context("released").unwrap();
    floor::floorkeeper_itself_is_refused_and_never_clamped(&cluster).await.context("floorkeeper").unwrap();
    clamp::a_deploy_with_stale_replicas_rolls_out_and_keeps_the_floor(&cluster).await.context("deploy").unwrap();
    clamp::a_workload_created_again_starts_at_its_floor(&cluster).await.context("create").unwrap();
    clamp::what_the_scalers_write_is_clamped(&cluster).await.context("scalers").unwrap();
    clamp::a_clamp_keeps_and_never_raises(&cluster).await.context("keeps").unwrap();
    clamp::a_clamp_is_never_silent(&cluster).await.context("silent").unwrap();
    modes::deny_lets_a_deploy_in_and_says_so(&cluster).await.context("deny").unwrap();
    modes::warn_refuses_nothing(&cluster).await.context("warn").unwrap();
    modes::without_the_label_nothing_happens(&cluster).await.context("no label").unwrap();
    way_out::the_command_of_the_refusal_works(&cluster).await.context("break-glass").unwrap();
    way_out::break_glass_passes_the_clamp_too(&cluster).await.context("break-glass, deploy").unwrap();
    way_out::it_takes_intent_not_permission(&cluster).await.context("intent").unwrap();
    way_out::a_terminating_namespace_is_let_go(&cluster).await.context("terminating").unwrap();
    scalers::a_minimum_below_the_floor_is_warned_of(&cluster).await.context("minimum").unwrap();
    scalers::a_maximum_below_our_minimum_takes_it_along(&cluster).await.context("maximum").unwrap();
    own_kinds::tables_are_closed_to_all_others(&cluster).await.context("tables").unwrap();
    own_kinds::histories_are_floorkeeper_s(&cluster).await.context("histories").unwrap();
    own_kinds::an_override_lasts_seven_days_at_most(&cluster).await.context("until").unwrap();
    own_kinds::nothing_stands_in_the_way_when_it_is_broken(&cluster).await.context("Ignore").unwrap();
    other_kinds::argo_rollouts_by_the_manual_s_patch(&cluster).await.context("Rollouts").unwrap();
    // The last: nothing is enforced any more.
    way_out::a_missing_kind_lets_writes_pass(&mut cluster).await.context("missing CRD").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_1_36_nothing_is_clamped_and_explicit_orders_are_refused() {
    older::on_1_35().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_below_the_floor_with_floorkeeper_dead() {
    dead::nothing_goes_below_the_floor().await.unwrap();
}
