//! KEDA's operator and metrics adapter, running.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use super::install;
use crate::binaries::Module;
use crate::cluster::Cluster;
use crate::ports::Port;
use crate::process::{Process, tail};
use crate::room::Room;
use crate::wait::eventually;

/// Both programs, under KEDA's own account; gone when dropped.
#[derive(Debug)]
pub struct Keda {
    // The order matters: programs go before the directory that they write into.
    adapter: Option<Process>,
    operator: Option<Process>,
    room: Room,
    programs: PathBuf,
    kubeconfig: PathBuf,
    ports: Ports,
}

#[derive(Debug)]
struct Ports {
    /// gRPC from the adapter to the operator.
    service: Port,
    /// The operator's `/readyz`.
    probe: Port,
    /// The metrics API.
    api: Port,
    /// The adapter's own metrics.
    own: Port,
}

impl Keda {
    /// Installs KEDA and starts it; waits until the API server serves its metrics. Builds it first if it isn't in the cache
    /// yet, which takes minutes, once.
    pub async fn start(cluster: &Cluster) -> Result<Self> {
        let (programs, source) =
            tokio::task::spawn_blocking(|| -> Result<_> { Ok((Module::Keda.build()?, Module::Keda.source()?)) })
                .await??;
        install::kinds(cluster, &source).await?;
        install::account(cluster, &source).await?;
        let token = cluster.service_account_token(install::NAMESPACE, install::ACCOUNT).await?;
        let kubeconfig = cluster.kubeconfig_with_token("keda", &token)?;
        let room = Room::create("keda")?;
        certificates(room.path())?;
        let ports = Ports { service: Port::lease()?, probe: Port::lease()?, api: Port::lease()?, own: Port::lease()? };
        let mut keda = Self { adapter: None, operator: None, room, programs, kubeconfig, ports };
        keda.resume().await?;
        let api = keda.ports.api.number();
        install::metrics_api(cluster, api).await.with_context(|| keda.logs())?;
        Ok(keda)
    }

    /// Kills both with SIGKILL.
    pub fn stop(&mut self) {
        for process in [self.adapter.take(), self.operator.take()].into_iter().flatten() {
            process.kill();
        }
    }

    /// Starts both on their ports, and waits until the operator is ready.
    pub async fn resume(&mut self) -> Result<()> {
        let Ports { service, probe, api, own } = &self.ports;
        let certificates = self.room.path().display();
        let file = |name: &str| format!("{certificates}/{name}");
        let local = |port: &Port| format!("127.0.0.1:{}", port.number());
        let flags = [
            "--enable-prometheus-metrics=false".to_owned(),
            "--enable-cert-rotation=false".to_owned(),
            "--leader-elect=false".to_owned(),
            "--zap-log-level=info".to_owned(),
            format!("--health-probe-bind-address={}", local(probe)),
            format!("--metrics-service-bind-address={}", local(service)),
            format!("--cert-dir={certificates}"),
            format!("--ca-dir={certificates}"),
            // Twenty requests a second are few for a cluster whose time runs fast.
            "--kube-api-qps=200".to_owned(),
            "--kube-api-burst=400".to_owned(),
        ];
        let mut operator = self.program("keda-operator", "operator", &flags)?;
        let ready = format!("http://{}/readyz", local(probe));
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER).build()?;
        let outcome = eventually("KEDA's operator is ready", BOUND, || async {
            let answer = http.get(&ready).send().await?;
            ensure!(answer.status().is_success(), "{}", answer.status());
            Ok(())
        })
        .await;
        operator.check()?;
        self.operator = Some(operator);
        outcome.with_context(|| self.logs())?;
        let kubeconfig = self.kubeconfig.display();
        let flags = [
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", api.number()),
            format!("--port={}", own.number()),
            format!("--tls-cert-file={}", file("tls.crt")),
            format!("--tls-private-key-file={}", file("tls.key")),
            format!("--client-ca-file={}", file("ca.crt")),
            format!("--cert-dir={certificates}"),
            format!("--metrics-service-address=localhost:{}", service.number()),
            format!("--lister-kubeconfig={kubeconfig}"),
            format!("--authentication-kubeconfig={kubeconfig}"),
            format!("--authorization-kubeconfig={kubeconfig}"),
            "--authentication-skip-lookup=true".to_owned(),
        ];
        self.adapter = Some(self.program("keda-adapter", "adapter", &flags)?);
        Ok(())
    }

    /// The last lines of both.
    pub fn logs(&self) -> String {
        ["operator", "adapter"].map(|name| format!("{name}:\n{}", tail(&self.log(name)))).join("\n")
    }

    fn program(&self, name: &'static str, binary: &str, flags: &[String]) -> Result<Process> {
        let environment = [
            ("KUBECONFIG", self.kubeconfig.display().to_string()),
            ("POD_NAMESPACE", install::NAMESPACE.to_owned()),
            ("KEDA_CLUSTER_OBJECT_NAMESPACE", install::NAMESPACE.to_owned()),
            ("WATCH_NAMESPACE", String::new()),
        ];
        Process::start(name, &self.programs.join(binary), flags, &environment, &self.log(binary))
    }

    fn log(&self, name: &str) -> PathBuf {
        self.room.path().join(format!("{name}.log"))
    }
}

/// The names that KEDA wants. Operator and adapter show each other the same certificate, so it is good for both sides.
fn certificates(directory: &Path) -> Result<()> {
    let write =
        |name: &str, text: &str| std::fs::write(directory.join(name), text).context("could not write a certificate");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params.distinguished_name.push(DnType::CommonName, "floorkeeper rig's KEDA");
    let key = KeyPair::generate()?;
    write("ca.crt", &params.self_signed(&key)?.pem())?;
    let authority = Issuer::new(params, key);
    let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "keda-operator");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate()?;
    write("tls.crt", &params.signed_by(&key, &authority)?.pem())?;
    write("tls.key", &key.serialize_pem())
}

/// Its caches fill first.
const BOUND: Duration = Duration::from_secs(60);

const ANSWER: Duration = Duration::from_secs(5);
