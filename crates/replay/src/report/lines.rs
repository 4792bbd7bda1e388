//! Steps over time as an SVG path: as few points as show the same picture, and never without a peak or a trough.

use core::fmt::Write as _;

/// The path of a line that keeps each value until the next point.
///
/// A line with more corners than a screen has places for is drawn by the lowest and the highest value of each place, in
/// the order in which they came.
pub(super) fn steps(values: &[f64], step: f64) -> String {
    let corners = corners(values);
    let corners = if corners.len() > MOST_CORNERS { extremes(values) } else { corners };
    let mut path = String::new();
    for (place, (at, value)) in corners.iter().enumerate() {
        let (x, y) = (short(*at as f64 * step), short(*value));
        // Writing to a String can't fail.
        let _ = if place == 0 { write!(path, "M{x} {y}") } else { write!(path, "H{x}V{y}") };
    }
    if !values.is_empty() {
        let _ = write!(path, "H{}", short(values.len() as f64 * step));
    }
    path
}

/// Where the value becomes another one.
fn corners(values: &[f64]) -> Vec<(usize, f64)> {
    let mut corners: Vec<(usize, f64)> = Vec::new();
    for (at, value) in values.iter().enumerate() {
        if corners.last().is_none_or(|(_, last)| short(*last) != short(*value)) {
            corners.push((at, *value));
        }
    }
    corners
}

fn extremes(values: &[f64]) -> Vec<(usize, f64)> {
    let wide = values.len().div_ceil(PLACES).max(1);
    let mut kept = Vec::with_capacity(2 * PLACES);
    for (place, bucket) in values.chunks(wide).enumerate() {
        let first = place * wide;
        let low = bucket.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
        let high = bucket.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        let (Some((low, least)), Some((high, most))) = (low, high) else { continue };
        let half = first + bucket.len() / 2;
        match low.cmp(&high) {
            core::cmp::Ordering::Less => kept.extend([(first, *least), (half.max(first), *most)]),
            core::cmp::Ordering::Equal => kept.push((first, *most)),
            core::cmp::Ordering::Greater => kept.extend([(first, *most), (half.max(first), *least)]),
        }
    }
    kept
}

/// A number in as few letters as a picture needs.
pub(super) fn short(number: f64) -> String {
    if !number.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{number:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Places beside each other that a chart's line may use: about one for each point of a desktop chart's width.
const PLACES: usize = 300;

/// More corners than two in each place can't be told apart.
const MOST_CORNERS: usize = 2 * PLACES;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every level that a path goes through.
    fn levels(path: &str) -> Vec<f64> {
        let level = |part: &str| part.split('H').next().unwrap().split(' ').next_back().unwrap().parse().unwrap();
        path.split('V').map(level).collect()
    }

    #[test]
    fn a_line_keeps_its_value_until_the_next() {
        assert_eq!(steps(&[4.0, 4.0, 7.0, 7.0, 2.5], 0.25), "M0 4H0.5V7H1V2.5H1.25");
        assert_eq!(steps(&[], 1.0), "");
        assert_eq!(steps(&[3.0; 100], 1.0), "M0 3H100");
    }

    #[test]
    fn a_long_line_is_short_and_keeps_its_extremes() {
        let mut values: Vec<f64> = (0..50_000).map(|at| f64::from(at % 17)).collect();
        values[31_337] = 99.0;
        values[40_001] = -5.0;
        let path = steps(&values, 1.0);
        assert!(path.len() < 10_000, "{}", path.len());
        let levels = levels(&path);
        assert!(levels.contains(&99.0) && levels.contains(&-5.0));
    }

    proptest! {
        #[test]
        fn no_extreme_is_lost(values in proptest::collection::vec(0_u32..500, 1..5_000)) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let levels = levels(&steps(&values, 1.0));
            for extreme in [f64::min, f64::max] {
                prop_assert_eq!(levels.iter().copied().reduce(extreme), values.iter().copied().reduce(extreme));
            }
        }

        #[test]
        fn numbers_are_numbers(number: f64) {
            prop_assert!(short(number).parse::<f64>().is_ok());
        }
    }
}
