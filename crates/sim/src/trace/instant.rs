//! RFC 3339 moments as seconds since the Unix epoch, without a time library.

/// `2024-03-05T01:36:00Z`, with a fraction and an offset where given.
#[must_use]
pub fn parse_instant(text: &str) -> Option<f64> {
    let (date, clock) = text.split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-').map(digits);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone_at = clock.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = clock.split_at(zone_at);
    let (whole, fraction) = clock.split_once('.').map_or((clock, ""), |(whole, fraction)| (whole, fraction));
    let mut whole = whole.splitn(3, ':').map(digits);
    let (hour, minute, second) = (whole.next()??, whole.next()??, whole.next()??);
    let valid = year <= 9999 && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !valid || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_from_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone)?;
    #[expect(clippy::cast_precision_loss, reason = "seconds of four-digit years are far below 2^53")]
    Some(seconds as f64 + fraction_of(fraction)?)
}

/// The moment as RFC 3339 in UTC, whole seconds.
#[must_use]
pub fn format_instant(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "clamped to years 0 to 9999 just here")]
    let seconds = seconds.clamp(-62_167_219_200.0, 253_402_300_799.0).floor() as i64;
    let (days, clock) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", clock / 3_600, clock / 60 % 60, clock % 60)
}

fn digits(text: &str) -> Option<i64> {
    (!text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn fraction_of(text: &str) -> Option<f64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { format!("0.{text}0").parse().ok() } else { None }
}

fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next()? {
        'Z' | 'z' => return (zone.len() == 1).then_some(0),
        '+' => 1,
        _ => -1,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_moments() {
        assert_eq!(parse_instant("2024-03-05T01:36:00Z"), Some(1_709_602_560.0));
        assert_eq!(parse_instant("2024-03-05T02:36:00.5+01:00"), Some(1_709_602_560.5));
        assert_eq!(parse_instant("1969-12-31T23:59:59Z"), Some(-1.0));
        assert_eq!(parse_instant("2024-02-29T00:00:00Z"), Some(1_709_164_800.0));
        for wrong in ["", "2024-03-05", "2023-02-29T00:00:00Z", "2024-03-05T24:00:00Z", "2024-03-05T01:36:00", "x"] {
            assert_eq!(parse_instant(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn formatting_is_undone_by_parsing(seconds in -62_167_219_200_i64..253_402_300_799) {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let seconds = seconds as f64;
            prop_assert_eq!(parse_instant(&format_instant(seconds)), Some(seconds));
        }

        #[test]
        fn any_text_is_read_or_refused(text: String, like in "[0-9]{1,5}-[0-9]{1,2}-[0-9]{1,2}T[0-9:.]{0,12}[Z+-]?[0-9:]{0,5}") {
            for text in [text, like] {
                prop_assert!(parse_instant(&text).is_none_or(f64::is_finite));
            }
        }
    }
}
