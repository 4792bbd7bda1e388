//! Reads `time,rps[,replicas]`, and says where it is wrong.

use floorkeeper_sim::TraceError;
use floorkeeper_sim::trace::parse_instant;

use super::history::Point;

/// Every line of a file; an empty field is a number that nobody knows.
pub(super) fn parse(text: &str) -> Result<Vec<Point>, TraceError> {
    let mut lines = text.lines().enumerate();
    let header = lines.next().map_or("", |(_, line)| line.trim_start_matches('\u{feff}').trim_end());
    let with_replicas = match header.to_ascii_lowercase().replace(' ', "").as_str() {
        "time,rps" => false,
        "time,rps,replicas" => true,
        _ => {
            let found = short(header);
            return Err(wrong(1, 1, format!("expected the header `time,rps` or `time,rps,replicas`, found `{found}`")));
        }
    };
    let mut points: Vec<Point> = Vec::new();
    for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let point = point(line, index + 1, with_replicas)?;
        if let Some(last) = points.last().filter(|last| point.at <= last.at) {
            let what = format!("time must be later than the line before ({} seconds)", last.at);
            return Err(wrong(index + 1, 1, what));
        }
        points.push(point);
    }
    if points.len() < 2 {
        return Err(wrong(text.lines().count().max(1) + 1, 1, "two lines of data at least are needed".to_owned()));
    }
    Ok(points)
}

fn point(line: &str, number: usize, with_replicas: bool) -> Result<Point, TraceError> {
    let wanted = if with_replicas { 3 } else { 2 };
    let mut column = 1;
    let mut fields: Vec<(usize, &str)> = Vec::with_capacity(3);
    for field in line.split(',') {
        fields.push((column, field.trim()));
        column += field.chars().count() + 1;
    }
    if let Some((column, _)) = fields.get(wanted) {
        return Err(wrong(
            number,
            *column,
            format!("expected {wanted} columns as in the header, found {}", fields.len()),
        ));
    }
    let field = |place: usize| {
        fields.get(place).copied().ok_or_else(|| {
            wrong(number, line.chars().count() + 1, format!("expected {wanted} columns, found {}", fields.len()))
        })
    };
    let (column, time) = field(0)?;
    let Some(at) = moment(time) else {
        let what = format!("`{}` is no time: write RFC 3339 (2024-03-05T01:36:00Z) or seconds since 1970", short(time));
        return Err(wrong(number, column, what));
    };
    let load = amount(field(1)?, number, "load")?;
    let replicas = if with_replicas { amount(field(2)?, number, "number of replicas")? } else { None };
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

/// Beyond it a file surely means milliseconds.
const LATEST: f64 = 1e11;

/// How much of a wrong field is quoted.
const SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn replicas_are_a_third_column_and_empty_is_unknown() {
        let points = parse("time,rps,replicas\n1970-01-01T00:01:00Z,5,2\n120,,3\n180,NaN,\n").unwrap();
        assert_eq!(points[0], Point { at: 60.0, load: Some(5.0), replicas: Some(2.0) });
        assert_eq!(points[1], Point { at: 120.0, load: None, replicas: Some(3.0) });
        assert_eq!(points[2], Point { at: 180.0, load: None, replicas: None });
    }

    #[test]
    fn errors_have_their_place() {
        let place = |text: &str| {
            let error = parse(text).unwrap_err();
            (error.line, error.column)
        };
        assert_eq!(place("when,what"), (1, 1));
        assert_eq!(place("time,rps\n0,1"), (3, 1));
        assert_eq!(place("time,rps\n0,1\nsoon,1"), (3, 1));
        assert_eq!(place("time,rps\n0,1\n10,many"), (3, 4));
        assert_eq!(place("time,rps\n0,1,2"), (2, 5));
        assert_eq!(place("time,rps,replicas\n0,1"), (2, 4));
        assert_eq!(place("time,rps,replicas\n0,1,-2"), (2, 5));
        assert_eq!(place("time,rps\n10,1\n10,1"), (3, 1));
        assert_eq!(place("time,rps\n1709602560000,1"), (2, 1));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_with_a_place(text: String, body in "time,rps,replicas\n([0-9eE.+:TZ-]{0,12},[0-9a-zA-Z.-]{0,8},[0-9]{0,3}\n){0,5}") {
            for text in [text, body] {
                match parse(&text) {
                    Ok(points) => prop_assert!(points.len() > 1 && points.iter().all(|point| point.at.is_finite())),
                    Err(error) => prop_assert!(error.line >= 1 && error.column >= 1 && !error.what.is_empty()),
                }
            }
        }
    }
}
