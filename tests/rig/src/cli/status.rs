//! `rig status`: is a cluster up?

use std::process::ExitCode;

use anyhow::Result;
use floorkeeper_rig::Standby;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, api::ListParams};

/// Say whether a cluster is up, where, and what runs on it. The exit code is 1 if none is.
#[derive(Debug, clap::Args)]
pub(crate) struct Status {}

impl Status {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let standby = Standby::open()?;
        let Some(kept) = standby.running().await? else {
            println!("down (start a cluster with `cargo rig up`)");
            return Ok(ExitCode::FAILURE);
        };
        let client = kept.client().await?;
        let version = client.apiserver_version().await?.git_version;
        let nodes = Api::<Node>::all(client.clone()).list_metadata(&ListParams::default()).await?.items.len();
        let pods = Api::<Pod>::all(client).list_metadata(&ListParams::default()).await?.items.len();
        println!("up: Kubernetes {version} at {}, {nodes} nodes, {pods} pods", kept.server);
        println!("kubeconfig: {}", kept.kubeconfig.display());
        println!("kubectl:    {}", kept.kubectl.display());
        println!("logs:       {}", kept.directory.join("*.log").display());
        Ok(ExitCode::SUCCESS)
    }
}
