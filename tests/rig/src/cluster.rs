//! A running cluster.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::api::{Api, PostParams};
use serde_json::json;

use crate::binaries::{ControlPlane, Module};
use crate::components;
use crate::credentials::{self, Credentials, User};
use crate::nodes;
use crate::options::Options;
use crate::ports::Port;
use crate::process::{Process, Signal};
use crate::room::Room;
use crate::stages;
use crate::wait::eventually;

/// A control plane of its own on free loopback ports. It is gone when this value is dropped, and when the program ends in
/// whatever way.
pub struct Cluster {
    // The order matters: programs go before the directory that they write into.
    kwok: Option<Process>,
    scheduler: Option<Process>,
    controller_manager: Option<Process>,
    api_server: Option<Process>,
    etcd: Option<Process>,
    room: Room,

    options: Options,
    programs: ControlPlane,
    credentials: Credentials,
    client: kube::Client,
    api_port: Port,
    etcd_port: Port,
}

/// Where to find a cluster that lives on without its [`Cluster`].
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    pub kubeconfig: PathBuf,
    pub kubectl: PathBuf,
    pub server: String,
    pub directory: PathBuf,
    /// The URL of a Prometheus that lives on with it.
    pub prometheus: Option<String>,
    /// All directories that go when it ends.
    pub(crate) rooms: Vec<PathBuf>,
}

impl Cluster {
    /// Starts a cluster and waits until it takes work. Builds the programs first if they aren't in the cache yet, which
    /// takes minutes, once.
    pub async fn start(options: Options) -> Result<Self> {
        let controllers = options.controllers;
        let nodes = options.nodes;
        let (programs, kwok) = tokio::task::spawn_blocking(move || -> Result<_> {
            let kwok = if nodes > 0 { Some(Module::Kwok.build()?.join("kwok")) } else { None };
            Ok((ControlPlane::find(controllers)?, kwok))
        })
        .await??;

        let room = Room::create("cluster")?;
        let (api_port, etcd_port) = (Port::lease()?, Port::lease()?);
        let credentials = Credentials::create(room.path().to_owned(), api_port.number())?;
        std::fs::write(room.path().join(components::AUDIT_POLICY), components::AUDIT_RULES)?;
        let client = credentials::client(&credentials.kubeconfig_of(User::Admin)).await?;
        let mut cluster = Self {
            kwok: None,
            scheduler: None,
            controller_manager: None,
            api_server: None,
            etcd: None,
            room,
            options,
            programs,
            credentials,
            client,
            api_port,
            etcd_port,
        };
        cluster.start_etcd()?;
        cluster.start_api_server().await?;
        if cluster.options.controllers {
            cluster.start_controllers()?;
        }
        if let Some(kwok) = kwok {
            cluster.start_nodes(&kwok).await?;
        }
        cluster.wait_until_usable().await?;
        Ok(cluster)
    }

    /// A client of the cluster's admin. It doesn't retry.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// The admin's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.credentials.kubeconfig_of(User::Admin)
    }

    /// The URL of the API server.
    pub fn server(&self) -> &str {
        self.credentials.server()
    }

    /// The certificate authority of the API server, as in a pod's ServiceAccount volume.
    pub fn ca_file(&self) -> PathBuf {
        self.credentials.path("ca.crt")
    }

    /// A directory that goes when the cluster goes; `*.log` in it are the programs' logs.
    pub fn directory(&self) -> &Path {
        self.room.path()
    }

    /// One JSON object a line; written with [`Options::audit_log`] only.
    pub fn audit_log(&self) -> PathBuf {
        self.room.path().join(components::AUDIT_LOG)
    }

    /// The kubectl that belongs to this cluster.
    pub fn kubectl_path(&self) -> &Path {
        &self.programs.kubectl
    }

    /// Runs kubectl as admin and gives what it printed on standard output; an error holds what it printed on standard error.
    ///
    /// ```no_run
    /// # async fn example(cluster: &floorkeeper_rig::Cluster) -> anyhow::Result<()> {
    /// let pods = cluster.kubectl(["get", "pods", "--all-namespaces"]).await?;
    /// # Ok(()) }
    /// ```
    pub async fn kubectl<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Result<String> {
        let args: Vec<String> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let output = self.kubectl_output(&args).await?;
        if !output.status.success() {
            bail!("kubectl {} failed: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs kubectl as admin and gives all it said, success or not.
    pub async fn kubectl_output(&self, args: &[String]) -> Result<Output> {
        let mut kubectl = tokio::process::Command::new(&self.programs.kubectl);
        kubectl.args(args).env("KUBECONFIG", self.kubeconfig()).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(KUBECTL_BOUND, kubectl.output()).await;
        Ok(output.with_context(|| format!("kubectl {} took more than {KUBECTL_BOUND:?}", args.join(" ")))??)
    }

    /// `kubectl apply` of manifests, server-side.
    pub async fn apply(&self, manifests: &str) -> Result<String> {
        let file = self.room.path().join(format!("apply-{:x}.yaml", std::time::UNIX_EPOCH.elapsed()?.as_nanos()));
        tokio::fs::write(&file, manifests).await?;
        let file = file.display().to_string();
        self.kubectl(["apply", "--server-side", "--filename", &file]).await
    }

    /// A token of the ServiceAccount, which has to exist, for an hour.
    pub async fn service_account_token(&self, namespace: &str, name: &str) -> Result<String> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client(), namespace);
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": [], "expirationSeconds": 3600}});
        let answer: TokenRequest = accounts.create_subresource("token", name, &PostParams::default(), &request).await?;
        answer.status.and_then(|status| status.token).context("the API server made no token")
    }

    /// A kubeconfig for the bearer of a token. `name` becomes the file's name.
    pub fn kubeconfig_with_token(&self, name: &str, token: &str) -> Result<PathBuf> {
        self.credentials.kubeconfig(&format!("{name}.kubeconfig"), token)
    }

    /// A client for the bearer of a kubeconfig, without retries.
    pub async fn client_for(&self, kubeconfig: &Path) -> Result<kube::Client> {
        credentials::client(kubeconfig).await
    }

    /// Kills the API server with SIGKILL. Nothing answers until [`Cluster::start_api_server`].
    pub fn kill_api_server(&mut self) {
        if let Some(api_server) = self.api_server.take() {
            api_server.kill();
        }
    }

    /// Starts the API server on its port again and waits until it is ready.
    pub async fn start_api_server(&mut self) -> Result<()> {
        let args = components::kube_apiserver(
            self.room.path(),
            &self.credentials,
            &self.options,
            self.api_port.number(),
            self.etcd_port.number(),
        );
        let api_server =
            Process::start("kube-apiserver", &self.programs.kube_apiserver, &args, &[], &self.log("kube-apiserver"))?;
        self.api_server = Some(api_server);
        self.wait_until_ready().await
    }

    /// Sends the API server a signal, for instance [`Signal::Freeze`]: it then accepts connections and answers nothing.
    pub fn signal_api_server(&mut self, signal: Signal) -> Result<()> {
        self.api_server.as_mut().context("the API server is stopped")?.signal(signal)
    }

    /// Kills the API server and starts it again.
    pub async fn restart_api_server(&mut self) -> Result<()> {
        self.kill_api_server();
        self.start_api_server().await
    }

    /// Kills etcd and starts it again on the same data, then waits until the API server is ready again.
    pub async fn restart_etcd(&mut self) -> Result<()> {
        self.kill_etcd();
        self.start_etcd()?;
        self.wait_until_ready().await
    }

    /// A copy of all that etcd holds. The API server is without it for a moment.
    pub async fn back_up_etcd(&mut self) -> Result<PathBuf> {
        self.kill_etcd();
        let backup = self.room.path().join(format!("etcd-{:x}", std::time::UNIX_EPOCH.elapsed()?.as_nanos()));
        copy(&self.room.path().join("etcd"), &backup)?;
        self.start_etcd()?;
        self.wait_until_ready().await?;
        Ok(backup)
    }

    /// Puts the copy in place of what etcd holds, and starts the API server again: all since then never happened.
    pub async fn restore_etcd(&mut self, backup: &Path) -> Result<()> {
        self.kill_api_server();
        self.kill_etcd();
        let data = self.room.path().join("etcd");
        std::fs::remove_dir_all(&data)?;
        copy(backup, &data)?;
        self.start_etcd()?;
        self.start_api_server().await
    }

    /// Kills the controller manager: no HPA, no Deployment controller, until [`Cluster::start_controller_manager`].
    pub fn kill_controller_manager(&mut self) {
        if let Some(controller_manager) = self.controller_manager.take() {
            controller_manager.kill();
        }
    }

    /// Starts the controller manager (again).
    pub fn start_controller_manager(&mut self) -> Result<()> {
        let args = components::kube_controller_manager(&self.credentials, &self.options);
        let log = self.log("kube-controller-manager");
        let process =
            Process::start("kube-controller-manager", &self.programs.kube_controller_manager, &args, &[], &log)?;
        self.controller_manager = Some(process);
        Ok(())
    }

    /// Lets the cluster live on after this program, until a line is written to the FIFO `stop`.
    pub(crate) fn keep(self, stop: &Path) -> Result<Kept> {
        let kept = Kept {
            kubeconfig: self.kubeconfig(),
            kubectl: self.programs.kubectl.clone(),
            server: self.server().to_owned(),
            directory: self.directory().to_owned(),
            prometheus: None,
            rooms: vec![self.directory().to_owned()],
        };
        let Self { kwok, scheduler, controller_manager, api_server, etcd, room, .. } = self;
        for process in [kwok, scheduler, controller_manager, api_server, etcd].into_iter().flatten() {
            process.keep(stop)?;
        }
        room.keep(stop)?;
        Ok(kept)
    }

    fn kill_etcd(&mut self) {
        if let Some(etcd) = self.etcd.take() {
            etcd.kill();
        }
    }

    fn start_etcd(&mut self) -> Result<()> {
        let args = components::etcd(self.room.path(), self.etcd_port.number());
        self.etcd = Some(Process::start("etcd", &self.programs.etcd, &args, &[], &self.log("etcd"))?);
        Ok(())
    }

    fn start_controllers(&mut self) -> Result<()> {
        self.start_controller_manager()?;
        let args = components::kube_scheduler(&self.credentials);
        let log = self.log("kube-scheduler");
        self.scheduler = Some(Process::start("kube-scheduler", &self.programs.kube_scheduler, &args, &[], &log)?);
        Ok(())
    }

    async fn start_nodes(&mut self, kwok: &Path) -> Result<()> {
        let documents = self.room.path().join("stages.yaml");
        std::fs::write(&documents, stages::documents())?;
        let args = components::kwok(&self.credentials, &documents);
        self.kwok = Some(Process::start("kwok", kwok, &args, &[], &self.log("kwok"))?);
        let nodes = Api::<Node>::all(self.client());
        for index in 0..self.options.nodes {
            nodes.create(&PostParams::default(), &nodes::node(index)?).await?;
        }
        Ok(())
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let client = self.client();
        let ready = eventually("the API server is ready", START_BOUND, || async { readyz(&client).await });
        // A server that died will never be ready: say so at once and not at the bound.
        let mut watch = tokio::time::interval(Duration::from_millis(200));
        tokio::pin!(ready);
        loop {
            tokio::select! {
                outcome = &mut ready => return outcome,
                _ = watch.tick() => {
                    for process in [&mut self.etcd, &mut self.api_server].into_iter().flatten() {
                        process.check()?;
                    }
                }
            }
        }
    }

    /// Pods can be made (the controller manager has given `default` its ServiceAccount) and every node takes them.
    async fn wait_until_usable(&mut self) -> Result<()> {
        if self.options.controllers {
            let accounts = Api::<ServiceAccount>::namespaced(self.client(), "default");
            eventually("namespace default has its ServiceAccount", START_BOUND, || accounts.get("default")).await?;
        }
        if self.options.nodes > 0 {
            let nodes = Api::<Node>::all(self.client());
            let (expected, controllers) = (self.options.nodes as usize, self.options.controllers);
            eventually("every node is ready", START_BOUND, || async {
                let usable = nodes
                    .list(&Default::default())
                    .await?
                    .items
                    .iter()
                    .filter(|node| nodes::takes_pods(node, controllers))
                    .count();
                if usable < expected { bail!("{usable} of {expected}") } else { Ok(()) }
            })
            .await?;
        }
        for process in [&mut self.controller_manager, &mut self.scheduler, &mut self.kwok].into_iter().flatten() {
            process.check()?;
        }
        Ok(())
    }

    fn log(&self, name: &str) -> PathBuf {
        self.room.path().join(format!("{name}.log"))
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Whether the API server says that it is ready.
pub(crate) async fn readyz(client: &kube::Client) -> Result<()> {
    let request = axum::http::Request::get("/readyz").body(Vec::new())?;
    tokio::time::timeout(READYZ_BOUND, client.request_text(request)).await.context("no answer")??;
    Ok(())
}

/// Ten times what an idle machine needs: a bound for when something is wrong, not a measure.
const START_BOUND: Duration = Duration::from_secs(60);
const READYZ_BOUND: Duration = Duration::from_secs(2);
const KUBECTL_BOUND: Duration = Duration::from_secs(60);
