//! The programs of the control plane, built once from Go modules into the cache and used from there by every rig.
//!
//! Each module is built into a temporary directory under a file lock and renamed when it is whole, so that neither Ctrl-C
//! nor two processes at once leave half a set. The directory's name carries a hash of everything that decides the build.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::cache;
use crate::process::{Process, tail};
use crate::progress::Progress;
use crate::room::Room;

/// The programs that a cluster is made of.
#[derive(Debug, Clone)]
pub struct ControlPlane {
    pub etcd: PathBuf,
    pub kube_apiserver: PathBuf,
    pub kubectl: PathBuf,
    pub(crate) kube_controller_manager: PathBuf,
    pub(crate) kube_scheduler: PathBuf,
}

/// A Go module in `tests/rig/modules` and the programs that it builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    ControlPlane,
    Kwok,
    Prometheus,
    /// KEDA's operator and metrics adapter. Built only where they are asked for.
    Keda,
}

impl ControlPlane {
    /// Finds or builds them. `KUBEBUILDER_ASSETS` is preferred for what it holds; where it holds all that an API server
    /// needs and `controllers` is false, nothing is built.
    pub fn find(controllers: bool) -> Result<Self> {
        let assets = std::env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty()).map(PathBuf::from);
        let asset = |name: &str| assets.as_ref().map(|directory| directory.join(name)).filter(|path| path.is_file());
        let (etcd, kube_apiserver, kubectl) = (asset("etcd"), asset("kube-apiserver"), asset("kubectl"));
        let complete = etcd.is_some() && kube_apiserver.is_some() && kubectl.is_some();
        let built = if complete && !controllers { PathBuf::new() } else { Module::ControlPlane.build()? };
        Ok(Self {
            // The module's main package is called `server`.
            etcd: etcd.unwrap_or_else(|| built.join("server")),
            kube_apiserver: kube_apiserver.unwrap_or_else(|| built.join("kube-apiserver")),
            kubectl: kubectl.unwrap_or_else(|| built.join("kubectl")),
            kube_controller_manager: built.join("kube-controller-manager"),
            kube_scheduler: built.join("kube-scheduler"),
        })
    }
}

impl Module {
    /// What the tests and the demo need; the soak of KEDA needs one more.
    pub const ALL: [Self; 3] = [Self::ControlPlane, Self::Kwok, Self::Prometheus];

    /// The directory with the module's programs; builds them first where they aren't there yet.
    pub fn build(self) -> Result<PathBuf> {
        let programs = cache::directory()?.join("bin");
        let whole = programs.join(format!("{}-{:016x}", self.name(), self.key()));
        if whole.is_dir() {
            return Ok(whole);
        }
        std::fs::create_dir_all(&programs).with_context(|| format!("{}", programs.display()))?;
        let _lock = lock(&whole.with_extension("lock"), self)?;
        // Somebody else may have built it while we waited for the lock.
        if whole.is_dir() {
            return Ok(whole);
        }
        let part = whole.with_extension("part");
        if part.exists() {
            std::fs::remove_dir_all(&part)?;
        }
        std::fs::create_dir_all(part.join("bin"))?;
        self.compile(&part)?;
        std::fs::rename(part.join("bin"), &whole)?;
        std::fs::remove_dir_all(&part)?;
        Ok(whole)
    }

    /// Whether [`Module::build`] has nothing to do.
    pub fn is_built(self) -> Result<bool> {
        Ok(cache::directory()?.join("bin").join(format!("{}-{:016x}", self.name(), self.key())).is_dir())
    }

    /// The source of the module's main dependency, as its checksum says it is: downloaded, not built.
    pub(crate) fn source(self) -> Result<PathBuf> {
        let go = self.go()?;
        let room = Room::create("source")?;
        std::fs::write(room.path().join("go.mod"), self.go_mod())?;
        std::fs::write(room.path().join("go.sum"), self.go_sum())?;
        let mut download = Command::new(go);
        download.args(["mod", "download", "-json", &format!("{}@{}", self.dependency(), self.version())]);
        let output = download.current_dir(room.path()).env("GOFLAGS", "").env("GOWORK", "off").output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the source of {} could not be downloaded: {said}", self.what());
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        Ok(answer["Dir"].as_str().context("`go mod download` names no directory")?.into())
    }

    fn go(self) -> Result<PathBuf> {
        go().with_context(|| {
            format!(
                "Go is not installed, and the rig builds {} from source with it: install Go 1.26 or newer (https://go.dev/dl/), put it on the PATH and run this again",
                self.what()
            )
        })
    }

    fn compile(self, part: &Path) -> Result<()> {
        let go = self.go()?;
        std::fs::write(part.join("go.mod"), self.go_mod())?;
        std::fs::write(part.join("go.sum"), self.go_sum())?;
        let mut args: Vec<String> = ["build", "-mod=readonly"].map(str::to_owned).into();
        args.extend(self.flags());
        args.extend(["-o".to_owned(), format!("{}/", part.join("bin").display()), "tool".to_owned()]);
        let environment =
            [("CGO_ENABLED", "0"), ("GOFLAGS", ""), ("GOWORK", "off")].map(|(key, value)| (key, value.to_owned()));
        let log = part.join("log");

        let progress = Progress::start(format!(
            "Building {} from source: once, about {} min on two cores",
            self.what(),
            self.minutes()
        ));
        let started = Instant::now();
        let mut build = Process::start_in("go build", &go, &args, &environment, &log, part)?;
        let status = loop {
            if let Some(status) = build.ended()? {
                break status;
            }
            progress.tick();
            std::thread::sleep(POLL);
        };
        if !status.success() {
            progress.finish(format!("Building {} failed", self.what()));
            bail!("`go build` of {} failed ({status}):\n{}", self.what(), tail(&log));
        }
        progress.finish(format!("Built {} in {} s", self.what(), started.elapsed().as_secs()));
        Ok(())
    }

    /// Everything that decides what is built. FNV-1a: stable over compilers, and an accident is all that it must survive.
    fn key(self) -> u64 {
        let mut parts = vec![
            self.go_mod().to_owned(),
            self.go_sum().to_owned(),
            std::env::consts::OS.to_owned(),
            std::env::consts::ARCH.to_owned(),
        ];
        parts.extend(self.flags());
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in parts.join("\n").bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash
    }

    fn flags(self) -> [String; 2] {
        let mut ldflags = "-s -w".to_owned();
        if self == Self::ControlPlane {
            // Without it the API server calls itself v0.0.0, and no feature gate knows where it stands.
            let version = self.version();
            let mut numbers = version.trim_start_matches('v').split('.');
            let (major, minor) = (numbers.next().unwrap_or("0"), numbers.next().unwrap_or("0"));
            for (name, value) in [("gitVersion", version), ("gitMajor", major), ("gitMinor", minor)] {
                ldflags.push_str(&format!(" -X k8s.io/component-base/version.{name}={value}"));
            }
        }
        ["-trimpath".to_owned(), format!("-ldflags={ldflags}")]
    }

    /// The version of the module's main dependency, as go.mod pins it.
    fn version(self) -> &'static str {
        let dependency = self.dependency();
        let mut words = self.go_mod().lines().map(str::split_whitespace);
        words.find_map(|mut line| (line.next() == Some(dependency)).then(|| line.next()).flatten()).unwrap_or("v0.0.0")
    }

    fn dependency(self) -> &'static str {
        match self {
            Self::ControlPlane => "k8s.io/kubernetes",
            Self::Kwok => "sigs.k8s.io/kwok",
            Self::Prometheus => "github.com/prometheus/prometheus",
            Self::Keda => "github.com/kedacore/keda/v2",
        }
    }

    fn what(self) -> String {
        match self {
            Self::ControlPlane => format!("etcd, the Kubernetes {} control plane and kubectl", self.version()),
            Self::Kwok => format!("kwok {}", self.version()),
            Self::Prometheus => format!("Prometheus {}", self.version()),
            Self::Keda => format!("KEDA {}", self.version()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::ControlPlane => "controlplane",
            Self::Kwok => "kwok",
            Self::Prometheus => "prometheus",
            Self::Keda => "keda",
        }
    }

    /// Seen on two cores, downloads included.
    fn minutes(self) -> u32 {
        match self {
            Self::ControlPlane => 6,
            Self::Kwok => 1,
            Self::Prometheus => 4,
            Self::Keda => 6,
        }
    }

    fn go_mod(self) -> &'static str {
        match self {
            Self::ControlPlane => include_str!("../modules/controlplane/go.mod"),
            Self::Kwok => include_str!("../modules/kwok/go.mod"),
            Self::Prometheus => include_str!("../modules/prometheus/go.mod"),
            Self::Keda => include_str!("../modules/keda/go.mod"),
        }
    }

    fn go_sum(self) -> &'static str {
        match self {
            Self::ControlPlane => include_str!("../modules/controlplane/go.sum"),
            Self::Kwok => include_str!("../modules/kwok/go.sum"),
            Self::Prometheus => include_str!("../modules/prometheus/go.sum"),
            Self::Keda => include_str!("../modules/keda/go.sum"),
        }
    }
}

/// Holds the lock until dropped; says so when another process has it.
fn lock(path: &Path, module: Module) -> Result<File> {
    let file = File::create(path).with_context(|| format!("{}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let progress = Progress::start(format!("Waiting for another process that builds {}", module.what()));
            file.lock()?;
            progress.finish(format!("No other process builds {} any more", module.what()));
        }
        Err(TryLockError::Error(error)) => return Err(error).context("could not lock the build directory"),
    }
    Ok(file)
}

fn go() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join("go")).find(|go| go.is_file())
}

/// How often we look whether `go build` is done: smooth for a spinner, cheap for a build of minutes.
const POLL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_go_mod() {
        assert!(Module::ControlPlane.version().starts_with("v1."), "{}", Module::ControlPlane.version());
        assert!(Module::Kwok.version().starts_with("v0."), "{}", Module::Kwok.version());
        assert!(Module::Keda.version().starts_with("v2."), "{}", Module::Keda.version());
        assert!(Module::ControlPlane.flags()[1].contains("gitMajor=1 "));
    }

    #[test]
    fn each_module_has_a_key_of_its_own() {
        let keys = Module::ALL.map(Module::key);
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2], "{keys:x?}");
    }
}
