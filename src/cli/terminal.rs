//! The page that a person looks at: its width, its colours, columns that are aligned, text that is wrapped.

use std::io::IsTerminal as _;

/// What standard output is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Terminal {
    /// Columns and lines; `None` where nobody looks: a pipe or a file gets everything.
    pub(super) size: Option<(usize, usize)>,
    pub(super) colours: bool,
}

/// How a piece of text is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Bold,
    /// Something is broken.
    Bad,
    /// Something to look at.
    Odd,
    Good,
    /// There for who wants it.
    Dim,
}

/// One cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
    /// A number: aligned to the right.
    right: bool,
}

impl Terminal {
    /// Colours only where somebody looks, and does not mind.
    pub(super) fn here() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::default();
        }
        let size = terminal_size::terminal_size().map(|(width, height)| (width.0.into(), height.0.into()));
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { size: size.or(Some((80, 24))), colours: !plain }
    }

    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Bold => "1",
            Tone::Bad => "1;31",
            Tone::Odd => "33",
            Tone::Good => "32",
            Tone::Dim => "2",
        };
        if self.colours && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Aligned columns, two spaces between them. Where the page is too narrow, the widest columns give way.
    pub(super) fn table(self, head: &[&str], rows: &[Vec<Cell>]) -> String {
        let mut widths: Vec<usize> = head.iter().map(|name| length(name)).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(length(&cell.text));
            }
        }
        if let Some((most, _)) = self.size {
            narrow(&mut widths, most);
        }
        let right: Vec<bool> =
            (0..head.len()).map(|at| rows.first().and_then(|row| row.get(at)).is_some_and(|cell| cell.right)).collect();
        let mut text = String::new();
        let titles: Vec<Cell> = head.iter().map(|name| Cell::new(Tone::Dim, *name)).collect();
        let titles = (!head.iter().all(|name| name.is_empty())).then_some(&titles);
        for row in titles.into_iter().chain(rows) {
            let mut line = String::new();
            for (at, cell) in row.iter().enumerate() {
                let (Some(width), Some(right)) = (widths.get(at), right.get(at)) else { continue };
                let shown = clipped(&cell.text, *width);
                let space = " ".repeat(width - length(&shown));
                let shown = self.paint(cell.tone, &shown);
                line += &if *right { format!("{space}{shown}") } else { format!("{shown}{space}") };
                line += GAP;
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }

    /// A paragraph, broken between words; lines after the first begin with `indent` spaces, where the first stands already.
    pub(super) fn wrapped(self, text: &str, indent: usize) -> String {
        let most = self.size.map_or(WIDE, |(width, _)| width.min(WIDE)).max(indent + NARROWEST);
        let mut lines = vec![String::new()];
        for word in text.split_whitespace() {
            let line = lines.last().map_or(0, |line| length(line));
            if line > 0 && indent + line + 1 + length(word) > most {
                lines.push(String::new());
            }
            // There is always a last line.
            if let Some(line) = lines.last_mut() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
        lines.join(&format!("\n{}", " ".repeat(indent)))
    }
}

impl Cell {
    pub(super) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone, right: false }
    }

    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::new(Tone::Plain, text)
    }

    /// A number, or a dash where it is not known.
    pub(super) fn number(value: Option<i32>) -> Self {
        let text = value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        Self { text, tone: Tone::Plain, right: true }
    }

    pub(super) fn toned(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }
}

/// Takes from the widest column until the line fits, yet leaves each what can be read.
fn narrow(widths: &mut [usize], most: usize) {
    loop {
        let line = widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
        let Some(widest) = widths.iter_mut().max_by_key(|width| **width) else { return };
        if line <= most || *widest <= NARROWEST {
            return;
        }
        *widest -= 1;
    }
}

/// At most `width` characters; the last one tells that more were there.
fn clipped(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

fn length(text: &str) -> usize {
    text.chars().count()
}

const GAP: &str = "  ";

/// Longer lines are hard to read, however wide the screen.
const WIDE: usize = 110;

/// A column or a paragraph that is narrower says nothing.
const NARROWEST: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(width: usize) -> Terminal {
        Terminal { size: Some((width, 24)), colours: false }
    }

    #[test]
    fn columns_are_aligned_and_numbers_to_the_right() {
        let rows = [
            vec![Cell::plain("web"), Cell::number(Some(5)), Cell::plain("fine")],
            vec![Cell::plain("events-api"), Cell::number(Some(120)), Cell::plain("")],
            vec![Cell::plain("a"), Cell::number(None), Cell::plain("x")],
        ];
        let expected = "NAME        FLOOR  WHY\nweb             5  fine\nevents-api    120\na               -  x\n";
        assert_eq!(wide(80).table(&["NAME", "FLOOR", "WHY"], &rows), expected);
        assert_eq!(Terminal::default().table(&["NAME", "FLOOR", "WHY"], &rows), expected);
    }

    #[test]
    fn a_narrow_page_takes_from_the_widest_column() {
        let rows = [vec![Cell::plain("a-name-that-goes-on-and-on"), Cell::plain("ScaleDownStabilized")]];
        let text = wide(30).table(&["NAME", "WHY"], &rows);
        assert!(text.lines().all(|line| length(line) <= 30), "{text}");
        assert!(text.contains("a-name-that-g…") && text.contains("ScaleDownStab…"), "{text}");
        let text = wide(3).table(&["NAME", "WHY"], &rows);
        assert!(text.contains("a-name-th…"), "still readable: {text}");
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        let painted = Terminal { size: None, colours: true }.paint(Tone::Bad, "Blind");
        assert_eq!(painted, "\x1b[1;31mBlind\x1b[0m");
        assert_eq!(Terminal::default().paint(Tone::Bad, "Blind"), "Blind");
    }

    #[test]
    fn paragraphs_break_between_words() {
        assert_eq!(wide(24).wrapped("one two three four five six", 4), "one two three four\n    five six");
        assert_eq!(wide(1).wrapped("ab cd efghijklmnop", 0), "ab cd\nefghijklmnop");
        assert_eq!(wide(80).wrapped("", 4), "");
    }
}
