//! What a server has answered, kept in a file: a range that was asked for once is not asked for again.
//!
//! Pieces are appended and count only once their last line is written, so a file that Ctrl-C or a full disk cut short is
//! still right.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::observe::Moment;

/// The pieces of one question.
pub(super) struct Cache {
    path: PathBuf,
    pieces: BTreeMap<u64, Vec<Moment>>,
}

impl Cache {
    /// Next to the output where there is one, else in the user's cache directory. `question`: all that makes an answer
    /// another one.
    pub(super) fn open(out: Option<&Path>, question: &str) -> anyhow::Result<Self> {
        let name = format!("{:016x}", fingerprint(question));
        let path = match out {
            Some(out) => {
                let mut file = out.file_name().unwrap_or_default().to_os_string();
                file.push(format!(".{name}.samples"));
                out.with_file_name(file)
            }
            None => directory()?.join(format!("backtest-{name}.samples")),
        };
        let pieces = match File::open(&path) {
            Ok(file) => read(BufReader::new(file)),
            Err(_) => BTreeMap::new(),
        };
        Ok(Self { path, pieces })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The piece that begins then, if it is known whole.
    pub(super) fn get(&self, from: u64) -> Option<&[Moment]> {
        self.pieces.get(&from).map(Vec::as_slice)
    }

    /// Keeps a piece, on disk before it counts.
    pub(super) fn keep(&mut self, from: u64, piece: &[Moment]) -> anyhow::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("can't create {}", folder.display()))?;
        }
        let mut text = format!("\npiece {from}\n");
        for (at, value) in piece {
            text.push_str(&format!("{at},{value}\n"));
        }
        text.push_str(&format!("end {from}\n"));
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .with_context(|| format!("can't write {}", self.path.display()))?;
        file.write_all(text.as_bytes()).with_context(|| format!("can't write {}", self.path.display()))?;
        self.pieces.insert(from, piece.to_vec());
        Ok(())
    }
}

/// Whole pieces; what can't be read is left out and asked for again.
fn read(mut file: impl std::io::BufRead) -> BTreeMap<u64, Vec<Moment>> {
    let mut pieces = BTreeMap::new();
    let mut open: Option<(u64, Vec<Moment>)> = None;
    for line in file.by_ref().lines() {
        let Ok(line) = line else { break };
        if let Some(from) = line.strip_prefix("piece ") {
            open = from.parse().ok().map(|from| (from, Vec::new()));
        } else if let Some(end) = line.strip_prefix("end ") {
            if let Some((from, piece)) = open.take().filter(|(from, _)| Some(*from) == end.parse().ok()) {
                pieces.insert(from, piece);
            }
        } else if !line.is_empty() {
            let moment = line.split_once(',').and_then(|(at, value)| Some((at.parse().ok()?, value.parse().ok()?)));
            match (&mut open, moment) {
                (Some((_, piece)), Some(moment)) => piece.push(moment),
                (_, None) | (None, Some(_)) => open = None,
            }
        }
    }
    pieces
}

fn directory() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(cache
        .context("no place for the answers: set XDG_CACHE_HOME or HOME, or write the result with --out")?
        .join("floorkeeper"))
}

/// FNV-1a: the same everywhere and for ever, which the standard library's hashes don't promise.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_cut_short_loses_its_last_piece_only() {
        let whole = "\npiece 60\n60,1.5\n120,2\nend 60\n\npiece 180\n180,3\nend 180\n";
        assert_eq!(read(whole.as_bytes()).len(), 2);
        for cut in 0..whole.len() {
            let pieces = read(&whole.as_bytes()[..cut]);
            assert!(pieces.get(&60).is_none_or(|piece| *piece == [(60.0, 1.5), (120.0, 2.0)]), "cut at {cut}");
            // A second try after the cut is whole again.
            let again = format!("{}\npiece 180\n180,3\nend 180\n", &whole[..cut]);
            assert_eq!(read(again.as_bytes())[&180], [(180.0, 3.0)], "cut at {cut}");
        }
    }
}
