//! The subcommands of `rig`, one file each.

mod admission_cost;
mod build;
mod demo;
mod down;
mod failover;
mod reaction;
mod scale;
mod soak;
mod status;
mod up;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// A real Kubernetes control plane on this machine: etcd, API server, controller manager, scheduler and simulated nodes.
#[derive(Debug, Parser)]
#[command(name = "rig", after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Up),
    Down(down::Down),
    Status(status::Status),
    Build(build::Build),
    Demo(demo::Demo),
    Soak(soak::Soak),
    Reaction(reaction::Reaction),
    Failover(failover::Failover),
    Scale(scale::Scale),
    AdmissionCost(admission_cost::AdmissionCost),
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.command {
            Command::Up(up) => up.run().await,
            Command::Down(down) => down.run().await,
            Command::Status(status) => status.run().await,
            Command::Build(build) => build.run().await,
            Command::Demo(demo) => demo.run().await,
            Command::Soak(soak) => soak.run().await,
            Command::Reaction(reaction) => reaction.run().await,
            Command::Failover(failover) => failover.run().await,
            Command::Scale(scale) => scale.run().await,
            Command::AdmissionCost(cost) => cost.run().await,
        }
    })
}

const EXAMPLES: &str = "\
Examples:
  eval \"$(cargo rig up)\"       start a cluster and point this shell's kubectl at it
  cargo rig status             is it up, and what runs on it
  cargo rig down               stop it; nothing stays behind
  cargo rig reaction           how long a write below the floor stands
  cargo rig failover           how long nobody writes when the leader goes
  cargo rig scale              what a thousand policies cost
  cargo rig admission-cost     what the admission policies add to a write
  cargo rig build              only build the programs, for instance in a CI image

Programs are built with Go once, into $FLOORKEEPER_CACHE (default: ~/.cache/floorkeeper).";
