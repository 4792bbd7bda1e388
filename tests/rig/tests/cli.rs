//! `rig` on the command line.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use floorkeeper_rig::{ControlPlane, cache_directory};

#[test]
fn up_status_down() -> Result<()> {
    let built = ControlPlane::find(true)?;
    let cache = Cache::create("up")?;
    // A standby cluster of its own, with the programs that are already built.
    std::fs::create_dir_all(cache_directory()?.join("bin"))?;
    std::os::unix::fs::symlink(cache_directory()?.join("bin"), cache.0.join("bin"))?;

    let up = cache.rig(&["up", "--nodes", "2"])?;
    ensure!(up.status.success(), "{}", text(&up.stderr));
    let words = text(&up.stdout);
    let kubeconfig = words.lines().find_map(|line| line.strip_prefix("export KUBECONFIG=")).context("no KUBECONFIG")?;
    let nodes =
        Command::new(&built.kubectl).args(["get", "nodes", "--output=name"]).env("KUBECONFIG", kubeconfig).output()?;
    ensure!(text(&nodes.stdout) == "node/node-0\nnode/node-1\n", "{nodes:?}");

    let again = cache.rig(&["up"])?;
    ensure!(!again.status.success() && text(&again.stderr).contains("already up"), "{again:?}");
    let status = cache.rig(&["status"])?;
    ensure!(status.status.success() && text(&status.stdout).contains("2 nodes"), "{status:?}");

    let down = cache.rig(&["down"])?;
    ensure!(down.status.success(), "{down:?}");
    ensure!(!Path::new(kubeconfig).exists(), "{kubeconfig} is still there");
    let status = cache.rig(&["status"])?;
    ensure!(status.status.code() == Some(1) && text(&status.stdout).starts_with("down"), "{status:?}");
    ensure!(cache.rig(&["down"])?.status.success(), "down without a cluster is no error");
    Ok(())
}

#[test]
fn kubebuilder_assets_need_no_go() -> Result<()> {
    let built = ControlPlane::find(false)?;
    let cache = Cache::create("assets")?;
    let assets = cache.0.join("assets");
    std::fs::create_dir(&assets)?;
    for (program, name) in
        [(&built.etcd, "etcd"), (&built.kube_apiserver, "kube-apiserver"), (&built.kubectl, "kubectl")]
    {
        std::os::unix::fs::symlink(program, assets.join(name))?;
    }
    let without_go =
        |args: &[&str]| cache.command(args).env("PATH", "/usr/bin:/bin").env("KUBEBUILDER_ASSETS", &assets).output();
    let up = without_go(&["up", "--api-only"])?;
    ensure!(up.status.success(), "{}", text(&up.stderr));
    ensure!(!cache.0.join("bin").exists(), "something was built");
    ensure!(without_go(&["down"])?.status.success());
    Ok(())
}

#[test]
fn without_go_one_sentence_says_what_to_install() -> Result<()> {
    let cache = Cache::create("no-go")?;
    let build = cache.command(&["build"]).env("PATH", "/nowhere").env_remove("KUBEBUILDER_ASSETS").output()?;
    ensure!(!build.status.success());
    let error = text(&build.stderr);
    ensure!(
        error.lines().count() == 1 && error.contains("install Go") && error.contains("https://go.dev/dl/"),
        "{error}"
    );
    Ok(())
}

/// A cache directory of its own, in which nothing is up when it goes.
struct Cache(PathBuf);

impl Cache {
    fn create(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("floorkeeper-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rig"));
        command.args(args).env("FLOORKEEPER_CACHE", &self.0);
        command
    }

    fn rig(&self, args: &[&str]) -> Result<Output> {
        Ok(self.command(args).output()?)
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        // After a failed assertion a cluster may still be up.
        let _ = self.rig(&["down"]);
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
