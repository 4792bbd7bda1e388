//! How full a number is that lives on several selectors, as one count.
//!
//! Core compares a count of series with its own highest of the last hour. A sum of several selectors' counts would hide
//! that the smallest of them vanished; so each is compared with its own highest here, and the worst is told in permille.

use std::collections::VecDeque;

use floorkeeper_core::Timestamp;

/// The highest counts of the last hour of each selector of one question about one workload.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fullness {
    /// The highest of each ten minutes, the oldest first.
    highest: VecDeque<(u64, Vec<u32>)>,
}

impl Fullness {
    /// Notes the counts of a moment and tells the smallest share of its own highest that any of them has, in permille.
    pub(super) fn permille(&mut self, counts: &[u32], at: Timestamp) -> u32 {
        let span = at.0 / SPAN_MS;
        let newest = self.highest.back().map_or(0, |(span, _)| *span).max(span);
        while self.highest.front().is_some_and(|(span, _)| *span + SPANS <= newest) {
            self.highest.pop_front();
        }
        match self.highest.back_mut() {
            // A moment before the newest is the past, told late: it counts as the newest, which keeps it a little longer.
            Some((known, highest)) if *known >= span => {
                highest.iter_mut().zip(counts).for_each(|(high, count)| *high = (*high).max(*count));
            }
            Some(_) | None => self.highest.push_back((span, counts.to_vec())),
        }
        let share = |(place, count): (usize, &u32)| {
            let highest = self.highest.iter().filter_map(|(_, counts)| counts.get(place)).max().copied().unwrap_or(0);
            u64::from(*count) * FULL / u64::from(highest.max(1))
        };
        let worst = counts.iter().enumerate().map(share).min().unwrap_or(0);
        u32::try_from(worst).unwrap_or(u32::MAX)
    }

    /// Whether nothing was noted in the hour before `now`.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        self.highest.back().is_none_or(|(span, _)| span + SPANS < now.0 / SPAN_MS)
    }
}

/// Ten minutes: an hour is forgotten piece by piece.
const SPAN_MS: u64 = 600_000;

/// Pieces that are kept: the present one and the six before it cover an hour at least.
const SPANS: u64 = 7;

/// All series that there were.
const FULL: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    #[test]
    fn the_loss_of_the_smallest_selector_shows() {
        let mut fullness = Fullness::default();
        assert_eq!(fullness.permille(&[1000, 2], Timestamp(0)), 1000);
        assert_eq!(fullness.permille(&[1100, 1], Timestamp(MINUTE)), 500);
        assert_eq!(fullness.permille(&[1100, 2], Timestamp(2 * MINUTE)), 1000);
        assert_eq!(fullness.permille(&[1067, 2], Timestamp(3 * MINUTE)), 970);
    }

    #[test]
    fn a_highest_is_forgotten_after_an_hour_and_not_before() {
        let mut fullness = Fullness::default();
        fullness.permille(&[10, 10], Timestamp(9 * MINUTE));
        assert_eq!(fullness.permille(&[5, 5], Timestamp(69 * MINUTE)), 500);
        assert_eq!(fullness.permille(&[5, 5], Timestamp(80 * MINUTE)), 1000);
        assert!(!fullness.is_idle(Timestamp(100 * MINUTE)));
        assert!(fullness.is_idle(Timestamp(200 * MINUTE)));
    }

    #[test]
    fn a_clock_that_jumps_back_does_not_panic() {
        let mut fullness = Fullness::default();
        fullness.permille(&[10, 10], Timestamp(u64::MAX));
        assert_eq!(fullness.permille(&[5, 10], Timestamp(0)), 500);
        assert_eq!(fullness.permille(&[], Timestamp(0)), 0);
    }
}
