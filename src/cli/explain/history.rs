//! What was learned of a workload, as a picture for any terminal: a line of bars for each day, and the deepest falls. Pure.

use floorkeeper_core::{Learned, LearnedDay};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::api::DemandHistory;
use crate::apply;
use crate::cli::ago;
use crate::cli::terminal::{Cell, Terminal, Tone};

/// The picture of one history, or a sentence that says why there is none.
pub(super) fn picture(history: Option<&DemandHistory>, name: &str, now: Timestamp, terminal: Terminal) -> String {
    let Some(history) = history else {
        return format!(
            "There is no DemandHistory {name} (yet): floorkeeper stores it when the source has told the past, and once a \
             day.\n`status.learned` of the policy says how far that is.\n"
        );
    };
    let spec = &history.spec;
    let clock = core::time::Duration::from_millis(u64::try_from(now.as_millisecond()).unwrap_or(0));
    let until = Timestamp::from_millisecond(i64::try_from(spec.until.0.0).unwrap_or(i64::MAX)).unwrap_or(now);
    let learned = match apply::learned(spec, floorkeeper_core::Timestamp(0).plus(clock)) {
        Ok((_, learned)) => learned,
        Err(damage) => return format!("The DemandHistory {name} can't be read: {damage}\n"),
    };
    let age = ago::length(now.as_second() - until.as_second());
    let within = spec.known.within_hour_percent;
    let within = within.map_or_else(String::new, |percent| {
        format!("; within an hour usually at least {percent} % of the peak is left")
    });
    let head = format!("{} days are known, until {age} ago{within}", spec.known.days);
    let mut text = format!("{}\n", terminal.wrapped(&head, 0));
    text += &section("WHAT EACH HOUR NEEDED, in replicas (UTC)", &days(&learned, terminal), terminal);
    text += &section(
        "WHAT WAS LEFT OF THE PEAK OF THE LAST ..., at least, in percent",
        &falls(&learned, terminal),
        terminal,
    );
    text
}

fn days(learned: &Learned, terminal: Terminal) -> String {
    let all = || learned.days.iter().flat_map(|day| day.hours.iter().flatten().copied());
    let most = all().fold(0.0, f64::max);
    let mut rows = Vec::new();
    for day in &learned.days {
        let needs = || day.hours.iter().flatten().copied();
        let bars = (0..24).map(|hour| bar(day, hour, most)).collect::<String>();
        rows.push(vec![
            Cell::plain(format!("  {}", date(day.day))),
            Cell::plain(bars),
            whole(needs().reduce(f64::max)),
            whole(needs().reduce(f64::min)),
            Cell::plain(known(day)),
        ]);
    }
    rows.push(vec![
        Cell::new(Tone::Bold, "  usually"),
        Cell::new(Tone::Bold, (0..24).map(|hour| level(median(learned, hour), most)).collect::<String>()),
        whole((0..24).filter_map(|hour| median(learned, hour)).reduce(f64::max)),
        whole((0..24).filter_map(|hour| median(learned, hour)).reduce(f64::min)),
        Cell::plain(""),
    ]);
    let table = terminal.table(&["", "00    06    12    18    ", "MOST", "LEAST", ""], &rows);
    format!("{table}  {UNUSUAL} an unusual fall lasted   {UNKNOWN} not known\n")
}

fn falls(learned: &Learned, terminal: Terminal) -> String {
    let mut head = vec![""];
    head.extend(LearnedDay::SPANS);
    let row = |name: String, shares: &[Option<f64>]| {
        let percent = |share: &Option<f64>| share.map(|share| (share * 100.0).round() as i32);
        std::iter::once(Cell::plain(name)).chain(shares.iter().map(|share| Cell::number(percent(share)))).collect()
    };
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for day in &learned.days {
        rows.push(row(format!("  {}", date(day.day)), &day.lows));
        if day.suspects.iter().any(Option::is_some) {
            rows.push(row("    unusual".to_owned(), &day.suspects));
        }
    }
    terminal.table(&head, &rows)
}

fn bar(day: &LearnedDay, hour: usize, most: f64) -> char {
    if day.doubtful & 1 << hour == 0 { level(day.hours[hour], most) } else { UNUSUAL }
}

fn level(need: Option<f64>, most: f64) -> char {
    let Some(need) = need else { return UNKNOWN };
    let eighths = if most > 0.0 { (need / most * 8.0).ceil() } else { 0.0 };
    BARS[(eighths.max(1.0) as usize - 1).min(BARS.len() - 1)]
}

/// Of the days on which nothing unusual happened in this hour.
fn median(learned: &Learned, hour: usize) -> Option<f64> {
    let ordinary = learned.days.iter().filter(|day| day.doubtful & 1 << hour == 0);
    let mut needs: Vec<f64> = ordinary.filter_map(|day| day.hours[hour]).collect();
    needs.sort_unstable_by(f64::total_cmp);
    needs.get(needs.len() / 2).copied()
}

fn date(day: u32) -> String {
    let at = Timestamp::from_second(i64::from(day) * 86_400).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::UTC).strftime("%a %d %b").to_string()
}

fn known(day: &LearnedDay) -> String {
    match day.minutes / 60 {
        24 => String::new(),
        hours => format!("{hours} h known"),
    }
}

fn whole(need: Option<f64>) -> Cell {
    Cell::number(need.map(|need| (need - 1e-9).ceil().clamp(0.0, f64::from(i32::MAX)) as i32))
}

fn section(title: &str, text: &str, terminal: Terminal) -> String {
    format!("\n{}\n{text}", terminal.paint(Tone::Bold, title))
}

/// A nought has a bar too: it is known.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

const UNUSUAL: char = '?';

const UNKNOWN: char = '·';

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn history() -> DemandHistory {
        let hours = "1 1 1 1 2 2 4 8 12 16 16 16 16 16 16 14 12 12 10 8 6 4 2 -";
        let bad = "1 1 1 1 2 2 4 8 12 16 16 16 1? 1? 1? 14 12 12 10 8 6 4 2 1";
        serde_json::from_value(json!({
            "apiVersion": "floorkeeper.dev/v1alpha1", "kind": "DemandHistory", "metadata": {"name": "web"},
            "spec": {"reckonedBy": [{"signal": "edge", "carries": "96"}], "until": "2024-03-05T01:00:00Z",
                "known": {"days": 2, "withinHourPercent": 55}, "spans": "30m 1h 3h 6h 12h 24h 10m otherDays",
                "days": [
                    {"date": "2024-03-03", "minutes": 1380, "lows": "70 55 40 30 20 6.5 80 -", "hours": hours},
                    {"date": "2024-03-04", "minutes": 1440, "lows": "71 56 41 31 21 7 81 90",
                        "suspects": "- 6 - - - - - -", "hours": bad},
                ]},
        }))
        .unwrap()
    }

    #[test]
    fn a_picture_that_any_terminal_can_show() {
        let now: Timestamp = "2024-03-05T03:00:00Z".parse().unwrap();
        let expected = "\
2 days are known, until 2h ago; within an hour usually at least 55 % of the peak is left

WHAT EACH HOUR NEEDED, in replicas (UTC)
              00    06    12    18      MOST  LEAST
  Sun 03 Mar  ▁▁▁▁▁▁▂▄▆██████▇▆▆▅▄▃▂▁·    16      1  23 h known
  Mon 04 Mar  ▁▁▁▁▁▁▂▄▆███???▇▆▆▅▄▃▂▁▁    16      1
  usually     ▁▁▁▁▁▁▂▄▆██████▇▆▆▅▄▃▂▁▁    16      1
  ? an unusual fall lasted   · not known

WHAT WAS LEFT OF THE PEAK OF THE LAST ..., at least, in percent
              30m  1h  3h  6h  12h  24h  10m  otherDays
  Sun 03 Mar   70  55  40  30   20    7   80          -
  Mon 04 Mar   71  56  41  31   21    7   81         90
    unusual     -   6   -   -    -    -    -          -
";
        assert_eq!(picture(Some(&history()), "web", now, Terminal::default()), expected);
        let mut damaged = history();
        damaged.spec.days[0].lows = "1".to_owned();
        assert!(
            picture(Some(&damaged), "web", now, Terminal::default()).contains("can't be read: spec.days of 2024-03-03")
        );
        assert!(picture(None, "web", now, Terminal::default()).contains("(yet)"));
    }
}
