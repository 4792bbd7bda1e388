//! The owner's bounds, kept in an annotation on the scaler while ours stand there.

use std::collections::BTreeMap;

use floorkeeper_core::{Bounds, Kept};
use serde::{Deserialize, Serialize};

/// The annotation's key.
pub const KEPT: &str = "floorkeeper.dev/kept";

/// What floorkeeper last wrote to a scaler and what stood there before, read back from the scaler's annotations.
///
/// `None` where there is no such annotation, or one that somebody made unreadable: then the bounds that stand there are
/// taken for the owner's.
#[must_use]
pub fn kept(annotations: Option<&BTreeMap<String, String>>) -> Option<Kept> {
    let text = annotations?.get(KEPT)?;
    let note: Note = serde_json::from_str(text).ok()?;
    Some(Kept { original: note.original.into(), applied: note.applied.into(), awake: note.awake })
}

/// The annotation's content.
pub(super) fn note(kept: &Kept) -> String {
    let Kept { original, applied, awake } = kept;
    let awake = if *awake { r#","awake":true"# } else { "" };
    // Written by hand: four numbers and a word, and no way to fail.
    format!(
        r#"{{"original":{{"min":{},"max":{}}},"applied":{{"min":{},"max":{}}}{awake}}}"#,
        original.min, original.max, applied.min, applied.max
    )
}

#[derive(Serialize, Deserialize)]
struct Note {
    original: Pair,
    applied: Pair,
    #[serde(default)]
    awake: bool,
}

#[derive(Serialize, Deserialize)]
struct Pair {
    min: u32,
    max: u32,
}

impl From<Pair> for Bounds {
    fn from(pair: Pair) -> Self {
        Self { min: pair.min, max: pair.max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for awake in [false, true] {
            let applied = Bounds { min: 7, max: u32::MAX };
            let written = Kept { original: Bounds { min: 2, max: 10 }, applied, awake };
            let annotations = BTreeMap::from([(KEPT.to_owned(), note(&written))]);
            assert_eq!(kept(Some(&annotations)), Some(written));
        }
    }

    #[test]
    fn nothing_and_nonsense_are_no_note() {
        assert_eq!(kept(None), None);
        for nonsense in ["", "{}", "7", r#"{"original":{"min":-1,"max":2},"applied":{"min":1,"max":2}}"#, "\u{0}"] {
            let annotations = BTreeMap::from([(KEPT.to_owned(), nonsense.to_owned())]);
            assert_eq!(kept(Some(&annotations)), None, "{nonsense:?}");
        }
    }
}
