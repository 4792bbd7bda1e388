//! A directory for a cluster's files that goes when the cluster goes.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};

use crate::process::Process;

/// A directory of its own below the system's temporary one. It goes when this value goes or when the program ends, by the
/// same means as a [`Process`].
#[derive(Debug)]
pub(crate) struct Room {
    path: PathBuf,
    sweeper: Option<Process>,
}

impl Room {
    pub(crate) fn create(name: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);

        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let unique =
            format!("floorkeeper-{name}-{}-{}-{now:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(unique);
        // Tokens and keys lie in it: nobody else may look.
        std::fs::DirBuilder::new().mode(0o700).create(&path).with_context(|| format!("{}", path.display()))?;
        let args = [SWEEPER.to_owned(), "rig-sweeper".to_owned(), path.display().to_string()];
        let sweeper = Process::start_bare("sweeper", &args)?;
        Ok(Self { path, sweeper: Some(sweeper) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the directory in place until somebody writes a line to the FIFO `stop`.
    pub(crate) fn keep(mut self, stop: &Path) -> Result<PathBuf> {
        if let Some(sweeper) = self.sweeper.take() {
            sweeper.keep(stop)?;
        }
        Ok(self.path.clone())
    }
}

/// Removes the directory `$1` at end-of-file; tries again while dying processes still write into it.
const SWEEPER: &str = r#"
exec 3<&0 </dev/null
if read -r stop <&3; then exec 3<>"$stop"; read -r stop <&3; fi
tries=0
while rm -rf "$1"; [ -e "$1" ]; do
    tries=$((tries + 1))
    [ "$tries" -gt 100 ] && exit 1
    sleep 0.1
done
"#;
