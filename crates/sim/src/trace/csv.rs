//! Reads `time,rps` text, and says where it is wrong.

use super::Trace;
use super::instant::parse_instant;

/// What is wrong with a trace file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct TraceError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub what: String,
}

pub(super) fn parse(text: &str) -> Result<Trace, TraceError> {
    let mut lines = text.lines().enumerate();
    let header = lines.next().map_or("", |(_, line)| line.trim_start_matches('\u{feff}').trim_end());
    if header != HEADER {
        return Err(wrong(1, 1, format!("expected the header `{HEADER}`, found `{}`", short(header))));
    }
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (index, line) in lines {
        let line_number = index + 1;
        if line.trim().is_empty() {
            continue;
        }
        let (time, rps) = point(line, line_number)?;
        if points.last().is_some_and(|&(last, _)| time <= last) {
            return Err(wrong(line_number, 1, "time must be later than the line before".to_owned()));
        }
        points.push((time, rps));
    }
    let lines = text.lines().count();
    Trace::from_points(points).ok_or_else(|| wrong(lines.max(1) + 1, 1, "no line of data after the header".to_owned()))
}

fn point(line: &str, line_number: usize) -> Result<(f64, f64), TraceError> {
    let Some((time, rps)) = line.split_once(',') else {
        let end = line.chars().count() + 1;
        return Err(wrong(line_number, end, "expected `,` and the load in requests a second".to_owned()));
    };
    let second = time.chars().count() + 2;
    let Some(seconds) = moment(time.trim()) else {
        let what = format!("`{}` is no time: write RFC 3339 (2024-03-05T01:36:00Z) or seconds", short(time.trim()));
        return Err(wrong(line_number, 1, what));
    };
    if let Some(extra) = rps.find(',') {
        let column = second + rps[..extra].chars().count();
        return Err(wrong(line_number, column, "expected two columns, time and rps, found more".to_owned()));
    }
    match rps.trim().parse::<f64>() {
        Ok(load) if load.is_finite() && load >= 0.0 => Ok((seconds, load)),
        Ok(load) => Err(wrong(line_number, second, format!("the load must be finite and not negative, found {load}"))),
        Err(_) => Err(wrong(line_number, second, format!("`{}` is no number", short(rps.trim())))),
    }
}

fn moment(text: &str) -> Option<f64> {
    match text.parse::<f64>() {
        Ok(seconds) => (seconds.abs() < LATEST).then_some(seconds),
        Err(_) => parse_instant(text),
    }
}

fn wrong(line: usize, column: usize, what: String) -> TraceError {
    TraceError { line, column, what }
}

fn short(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

const HEADER: &str = "time,rps";

/// Seconds of the year 33658: beyond it a file surely means milliseconds.
const LATEST: f64 = 1e12;

/// How much of a wrong field is quoted.
const SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_kinds_of_time_are_read() {
        let trace = parse("time,rps\n1970-01-01T00:01:00Z,5\n\n90.5,6.25\r\n").unwrap();
        assert_eq!(trace.points(), [(60.0, 5.0), (90.5, 6.25)]);
    }

    #[test]
    fn errors_have_their_place() {
        let place = |text: &str| {
            let error = parse(text).unwrap_err();
            (error.line, error.column)
        };
        assert_eq!(place(""), (1, 1));
        assert_eq!(place("when,what\n"), (1, 1));
        assert_eq!(place("time,rps\n"), (2, 1));
        assert_eq!(place("time,rps\n0,1\nyesterday,1"), (3, 1));
        assert_eq!(place("time,rps\n0,1\n10,many"), (3, 4));
        assert_eq!(place("time,rps\n0,NaN"), (2, 3));
        assert_eq!(place("time,rps\n0,-1"), (2, 3));
        assert_eq!(place("time,rps\n0,1,2"), (2, 4));
        assert_eq!(place("time,rps\n12"), (2, 3));
        assert_eq!(place("time,rps\n10,1\n10,1"), (3, 1));
        assert_eq!(parse("time,rps\n10,x").unwrap_err().to_string(), "line 2, column 4: `x` is no number");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_with_a_place(text: String, body in "(time,rps\n)?([0-9eE.+:TZ-]{0,12},[0-9a-zA-Z.,-]{0,8}\n){0,5}") {
            for text in [text, body] {
                match parse(&text) {
                    Ok(trace) => prop_assert!(trace.points().iter().all(|(t, load)| t.is_finite() && *load >= 0.0)),
                    Err(error) => prop_assert!(error.line >= 1 && error.column >= 1 && !error.what.is_empty()),
                }
            }
        }
    }
}
