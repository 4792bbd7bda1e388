//! The keys, certificates, tokens and kubeconfigs of one cluster.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kube::config::Kubeconfig;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::json;

/// The users that the API server knows by token. Everybody else is a ServiceAccount.
#[derive(Debug, Clone, Copy)]
pub(crate) enum User {
    /// In the group `system:masters`.
    Admin,
    ControllerManager,
    Scheduler,
}

/// Files with a cluster's credentials.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    directory: PathBuf,
    server: String,
}

impl Credentials {
    /// Makes all of them in `directory` for an API server at `https://127.0.0.1:port`.
    pub(crate) fn create(directory: PathBuf, port: u16) -> Result<Self> {
        let credentials = Self { directory, server: format!("https://127.0.0.1:{port}") };
        let write = |name: &str, text: &str| {
            std::fs::write(credentials.directory.join(name), text).context("could not write credentials")
        };

        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "floorkeeper rig");
        let key = KeyPair::generate()?;
        write("ca.crt", &params.self_signed(&key)?.pem())?;
        let authority = Issuer::new(params, key);

        let key = KeyPair::generate()?;
        let serving = serving_params()?.signed_by(&key, &authority)?;
        write("apiserver.crt", &serving.pem())?;
        write("apiserver.key", &key.serialize_pem())?;
        let key = KeyPair::generate()?;
        write("service-account.key", &key.serialize_pem())?;
        write("service-account.pub", &key.public_key_pem())?;

        let users = [User::Admin, User::ControllerManager, User::Scheduler];
        let tokens: Vec<String> =
            users.iter().map(|user| format!("{},{},{}", token(*user), user.name(), user.groups())).collect();
        write("tokens.csv", &(tokens.join("\n") + "\n"))?;
        for user in users {
            credentials.kubeconfig(user.file(), &token(user))?;
        }
        Ok(credentials)
    }

    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn kubeconfig_of(&self, user: User) -> PathBuf {
        self.directory.join(user.file())
    }

    /// Writes a kubeconfig for the bearer of `token`.
    pub(crate) fn kubeconfig(&self, name: &str, token: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        // JSON is YAML.
        let text = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "rig", "cluster": {"server": self.server, "certificate-authority": self.path("ca.crt")}}],
            "users": [{"name": "rig", "user": {"token": token}}],
            "contexts": [{"name": "rig", "context": {"cluster": "rig", "user": "rig"}}],
            "current-context": "rig",
        });
        std::fs::write(&path, serde_json::to_string_pretty(&text)?).with_context(|| format!("{}", path.display()))?;
        Ok(path)
    }
}

impl User {
    fn file(self) -> &'static str {
        match self {
            Self::Admin => "kubeconfig",
            Self::ControllerManager => "controller-manager.kubeconfig",
            Self::Scheduler => "scheduler.kubeconfig",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::ControllerManager => "system:kube-controller-manager",
            Self::Scheduler => "system:kube-scheduler",
        }
    }

    /// The rest of the line in the token file: uid, groups.
    fn groups(self) -> &'static str {
        match self {
            Self::Admin => "admin,system:masters",
            Self::ControllerManager => "controller-manager",
            Self::Scheduler => "scheduler",
        }
    }
}

/// A client for the bearer of a kubeconfig. It doesn't retry: a test wants to see each answer, and a retried scale write
/// may be a stale one.
pub(crate) async fn client(kubeconfig: &Path) -> Result<kube::Client> {
    install_crypto();
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let mut config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default()).await?;
    config.default_retry = false;
    Ok(kube::Client::try_from(config)?)
}

/// Chooses the process-wide TLS provider, which rustls otherwise refuses to guess.
pub(crate) fn install_crypto() {
    // Refused if the program has chosen already; any choice is good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A self-signed certificate for a server on this machine: certificate and key.
pub(crate) fn self_signed() -> Result<(rcgen::Certificate, KeyPair)> {
    let key = KeyPair::generate()?;
    Ok((serving_params()?.self_signed(&key)?, key))
}

fn serving_params() -> Result<CertificateParams> {
    let names = ["localhost", "127.0.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
    let mut params = CertificateParams::new(names.map(str::to_owned))?;
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.extended_key_usages.push(rcgen::ExtendedKeyUsagePurpose::ServerAuth);
    Ok(params)
}

/// Guessable by anybody on this machine: the cluster holds nothing but test data.
fn token(user: User) -> String {
    format!("rig-{}", user.name().replace(':', "-"))
}
