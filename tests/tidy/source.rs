//! The tree as text: which files there are, and a Rust file without its comments and strings.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file of the repository.
pub(crate) struct Source {
    /// From the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every file below `folder` with one of these endings; build output, hidden folders and links are left out.
pub(crate) fn read(folder: &str, endings: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&root.join(folder), &mut |path| {
        let name = path.to_string_lossy();
        if endings.iter().any(|ending| name.ends_with(ending)) {
            let inside = path.strip_prefix(root).expect("a file below the root");
            found.push(Source {
                path: inside.to_string_lossy().replace('\\', "/"),
                text: fs::read_to_string(&path).expect("a text file in UTF-8"),
            });
        }
    });
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// One file, by its path from the root.
pub(crate) fn read_one(path: &str) -> Source {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"));
    Source { path: path.to_owned(), text }
}

/// The code alone: comments, strings and characters become spaces, lines stay where they were.
pub(crate) fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = blank_until(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

fn walk(folder: &Path, visit: &mut impl FnMut(PathBuf)) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let entry = entry.expect("a readable folder");
        let kind = entry.file_type().expect("a file type");
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('.') || name == "target" {
            continue;
        }
        if kind.is_dir() {
            walk(&entry.path(), visit);
        } else if kind.is_file() {
            visit(entry.path());
        }
    }
}

/// Where the comment, string or character that starts at `at` ends; `at` itself if none starts there.
fn blank_until(chars: &[char], at: usize) -> usize {
    let next = |offset: usize| chars.get(at + offset).copied().unwrap_or(' ');
    match chars[at] {
        '/' if next(1) == '/' => find(chars, at, |c| c == '\n'),
        '/' if next(1) == '*' => block_comment(chars, at),
        '"' => string(chars, at + 1),
        '\'' if next(1) == '\\' => find(chars, at + 3, |c| c == '\'') + 1,
        '\'' if next(2) == '\'' => at + 3,
        'r' if !(at > 0 && is_word(chars[at - 1]) && !matches!(chars[at - 1], 'b' | 'c')) => raw_string(chars, at),
        _ => at,
    }
    .min(chars.len())
}

fn find(chars: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    (from..chars.len()).find(|at| wanted(chars[*at])).unwrap_or(chars.len())
}

fn block_comment(chars: &[char], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') if depth == 1 => return at + 2,
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    chars.len()
}

fn string(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// `r"..."` or `r#"..."#`; `start` itself where the `r` is only a letter.
fn raw_string(chars: &[char], start: usize) -> usize {
    let quote = find(chars, start + 1, |c| c != '#');
    if chars.get(quote) != Some(&'"') {
        return start;
    }
    let hashes = quote - start - 1;
    (quote + 1..chars.len())
        .find(|at| chars[*at] == '"' && chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes)
        .map_or(chars.len(), |at| at + 1 + hashes)
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn comments_and_strings_are_blanked_and_code_stays() {
    let text =
        "let a = \"todo!()\"; // Instant::now\n/* x /* y */ z */ let b = 'c'; let c = '\\'';\nfn d<'e>(r: &'e str) {}";
    let code = code_only(text);
    assert!(!code.contains("todo!") && !code.contains("Instant") && !code.contains('z'), "{code}");
    assert!(code.contains("let b =") && code.contains("fn d<'e>(r: &'e str) {}"), "{code}");
    assert_eq!(code.lines().count(), text.lines().count());
}

#[test]
fn raw_strings_end_at_their_own_hashes() {
    let code = code_only("let a = r#\"one \" two\"#; let for_r = br\"three\"; end();");
    assert!(!code.contains("two") && !code.contains("three"), "{code}");
    assert!(code.contains("let for_r =") && code.contains("end();"), "{code}");
}

#[test]
fn the_tree_is_found() {
    assert!(read("src", &[".rs"]).iter().any(|source| source.path == "src/lib.rs"));
}
