//! Reads `time,rps[,replicas]` text, and says where it is wrong.

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

/// One line: a moment that was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Seconds, since 1970 where the file says so; larger than that of the one before.
    pub at: f64,
    /// Offered load a second, finite and not negative; `None`: the field is empty, nobody knows.
    pub load: Option<f64>,
    /// Replicas that really were, where there is such a column.
    pub replicas: Option<f64>,
}

/// Every line of a file, at least `least` of them; where `known`, none without its load.
///
/// # Errors
/// Says the line, the column and what was expected there.
pub fn points(text: &str, least: usize, known: bool) -> Result<Vec<Point>, TraceError> {
    let mut lines = text.lines().enumerate();
    let header = lines.next().map_or("", |(_, line)| line.trim_start_matches('\u{feff}').trim_end());
    let columns = match header.to_ascii_lowercase().replace(' ', "").as_str() {
        "time,rps" => 2,
        "time,rps,replicas" => 3,
        _ => {
            let found = short(header);
            return Err(wrong(1, 1, format!("expected the header `time,rps` or `time,rps,replicas`, found `{found}`")));
        }
    };
    let mut points: Vec<Point> = Vec::new();
    for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let point = point(line, index + 1, columns, known)?;
        if let Some(last) = points.last().filter(|last| point.at <= last.at) {
            let what = format!("time must be later than in the line before ({} seconds)", last.at);
            return Err(wrong(index + 1, 1, what));
        }
        points.push(point);
    }
    if points.len() < least {
        let what = format!("lines of data: {}, needed: {least} at least", points.len());
        return Err(wrong(text.lines().count().max(1) + 1, 1, what));
    }
    Ok(points)
}

fn point(line: &str, number: usize, columns: usize, known: bool) -> Result<Point, TraceError> {
    let mut column = 1;
    let mut fields: Vec<(usize, &str)> = Vec::with_capacity(3);
    for field in line.split(',') {
        fields.push((column, field.trim()));
        column += field.chars().count() + 1;
    }
    if let Some((column, _)) = fields.get(columns) {
        let what = format!("expected {columns} columns as in the header, found {}", fields.len());
        return Err(wrong(number, *column, what));
    }
    let field = |place: usize| {
        let missing = format!("expected {columns} columns as in the header, found {}", fields.len());
        fields.get(place).copied().ok_or_else(|| wrong(number, line.chars().count() + 1, missing))
    };
    let (column, time) = field(0)?;
    let Some(at) = moment(time) else {
        let what = format!("`{}` is no time: write RFC 3339 (2024-03-05T01:36:00Z) or seconds since 1970", short(time));
        return Err(wrong(number, column, what));
    };
    let load = amount(field(1)?, number, "load")?;
    if known && load.is_none() {
        return Err(wrong(number, field(1)?.0, "the load must be known here".to_owned()));
    }
    let replicas = if columns == 3 { amount(field(2)?, number, "number of replicas")? } else { None };
    Ok(Point { at, load, replicas })
}

/// A number that is finite and not negative; `None` where the field is empty or says NaN.
fn amount((column, text): (usize, &str), number: usize, what: &str) -> Result<Option<f64>, TraceError> {
    if text.is_empty() || text.eq_ignore_ascii_case("nan") || text.eq_ignore_ascii_case("null") {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(Some(value)),
        Ok(value) => Err(wrong(number, column, format!("the {what} must be finite and not negative, found {value}"))),
        Err(_) => Err(wrong(number, column, format!("`{}` is no number", short(text)))),
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

/// Seconds of the year 5138: beyond it a file surely means milliseconds.
const LATEST: f64 = 1e11;

/// How much of a wrong field is quoted.
const SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_kinds_of_time_are_read_and_what_is_empty_is_unknown() {
        let read = points("time,rps,replicas\n1970-01-01T00:01:00Z,5,2\n\n120,,3\r\n180.5,NaN,\n", 2, false).unwrap();
        let point = |at, load, replicas| Point { at, load, replicas };
        assert_eq!(read, [point(60.0, Some(5.0), Some(2.0)), point(120.0, None, Some(3.0)), point(180.5, None, None)]);
    }

    #[test]
    fn errors_have_their_place() {
        for (text, place) in [
            ("", (1, 1)),
            ("when,what\n", (1, 1)),
            ("time,rps\n", (2, 1)),
            ("time,rps\n0,1\nyesterday,1", (3, 1)),
            ("time,rps\n0,1\n10,many", (3, 4)),
            ("time,rps\n0,NaN", (2, 3)),
            ("time,rps\n0,-1", (2, 3)),
            ("time,rps\n0,1,2", (2, 5)),
            ("time,rps\n12", (2, 3)),
            ("time,rps,replicas\n0,1", (2, 4)),
            ("time,rps,replicas\n0,1,-2", (2, 5)),
            ("time,rps\n10,1\n10,1", (3, 1)),
            ("time,rps\n1709602560000,1", (2, 1)),
        ] {
            let error = points(text, 1, true).unwrap_err();
            assert_eq!((error.line, error.column), place, "{text:?}: {error}");
        }
        assert_eq!(points("time,rps\n10,x", 1, true).unwrap_err().to_string(), "line 2, column 4: `x` is no number");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_with_a_place(
            text: String,
            body in "(time,rps(,replicas)?\n)?([0-9eE.+:TZ-]{0,12},[0-9a-zA-Z.-]{0,8}(,[0-9]{0,3})?\n){0,5}",
            known: bool,
        ) {
            for text in [text, body] {
                match points(&text, 1, known) {
                    Ok(points) => {
                        prop_assert!(!points.is_empty() && points.iter().all(|point| point.at.is_finite()));
                        prop_assert!(!known || points.iter().all(|point| point.load.is_some_and(|load| load >= 0.0)));
                    }
                    Err(error) => prop_assert!(error.line >= 1 && error.column >= 1 && !error.what.is_empty()),
                }
            }
        }
    }
}
