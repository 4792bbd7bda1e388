//! The client that every call to the API server goes through.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

/// Which cluster, and as whom.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// `None`: what the environment says, then the pod's ServiceAccount.
    pub kubeconfig: Option<PathBuf>,
    /// `None`: the kubeconfig's current context.
    pub context: Option<String>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    #[error(transparent)]
    Infer(#[from] InferConfigError),
    #[error(transparent)]
    Client(#[from] kube::Error),
}

/// Builds the client: no retries of its own (a stale write must never be sent again), bounded connects and sends.
pub async fn client(access: &Access) -> Result<Client, AccessError> {
    Ok(Client::try_from(config(access).await?)?)
}

/// What [`client`] is built from, for who has something to add to it.
pub async fn config(access: &Access) -> Result<Config, AccessError> {
    // An error means that a provider is set already, which is the one we want: there is one in the tree.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = KubeConfigOptions { context: access.context.clone(), ..KubeConfigOptions::default() };
    let mut config = match (&access.kubeconfig, &access.context) {
        (Some(path), _) => Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &options).await?,
        (None, Some(_)) => Config::from_kubeconfig(&options).await?,
        (None, None) => Config::infer().await?,
    };
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_WITHIN);
    config.write_timeout = Some(SEND_WITHIN);
    Ok(config)
}

/// A healthy API server accepts in milliseconds; a dead one must not keep a raise waiting.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Longer than any single write of ours takes to leave this machine.
const SEND_WITHIN: Duration = Duration::from_secs(10);
