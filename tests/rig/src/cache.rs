//! Where the rig keeps what outlives a run: built binaries, port locks and the cluster that `rig up` left running.

use std::path::PathBuf;

use anyhow::{Result, bail};

/// `$FLOORKEEPER_CACHE`, else `floorkeeper` in the user's cache directory.
pub fn directory() -> Result<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(cache) = from("FLOORKEEPER_CACHE") {
        return Ok(std::path::absolute(cache)?);
    }
    if let Some(cache) = from("XDG_CACHE_HOME") {
        return Ok(std::path::absolute(cache.join("floorkeeper"))?);
    }
    match from("HOME") {
        Some(home) => Ok(home.join(".cache").join("floorkeeper")),
        None => bail!(
            "no place for built binaries: set FLOORKEEPER_CACHE to a directory (neither XDG_CACHE_HOME nor HOME is set)"
        ),
    }
}
