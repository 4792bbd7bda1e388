//! Never less than the usual falls of this workload leave of its recent peaks. During an unusual fall: `keepPercent` of
//! what was needed before it, until `keepFor`; where it is learned what this hour usually needs, the guard `UsualDay`
//! keeps that instead.

use crate::doubts;
use crate::facts::Facts;
use crate::signal::whole;

pub(super) fn bid(facts: &Facts<'_>) -> Option<u32> {
    if facts.exhausted() {
        return None;
    }
    let asked = match facts.standing.fall {
        None => facts.usual?.limit,
        Some(_) if facts.standing.fall_limit.is_some() && facts.hour_need.is_some() => return None,
        Some(fall) => f64::from(fall.replicas) * f64::from(facts.policy.fall.keep_percent) / 100.0 * left(facts),
    };
    (asked > 0.0).then(|| whole(asked))
}

/// The share of what is kept that is left: all of it until `keepFor`. Then nothing, or, where the fall was measured by what
/// is learned, half of it after each `halfLife`.
pub(super) fn left(facts: &Facts<'_>) -> f64 {
    let Some(fall) = facts.standing.fall else { return 0.0 };
    if facts.standing.fall_limit.is_none() {
        let kept = facts.now.since(fall.since) < facts.policy.fall.keep_for;
        return if kept { 1.0 } else { 0.0 };
    }
    let after = facts.now.since(doubts::fall_ends_at(facts, fall));
    let halvings = after.as_secs_f64() / facts.policy.half_life.as_secs_f64().max(1.0);
    let left = (-halvings).exp2();
    if left < LAST { 0.0 } else { left }
}

/// After seven halvings less than a hundredth is left: nothing.
const LAST: f64 = 0.01;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::facts::tests::facts;
    use crate::policy::tests::policy;
    use crate::standing::{Onset, Standing};
    use crate::time::Timestamp;

    /// What is kept so many minutes after a fall from a hundred, measured by what is learned or not, at an hour that
    /// usually needs so much. 80 % for eight hours, then half of it after each hour.
    fn kept(minutes: u64, learned: bool, hour_need: Option<f64>) -> Option<u32> {
        let since = Timestamp(1_709_600_400_000);
        let fall = Some(Onset { since, replicas: 100 });
        let standing = Standing { fall, fall_limit: learned.then_some(50_000), ..Standing::at(100, since) };
        let now = since.plus(Duration::from_secs(minutes * 60));
        bid(&Facts { now, hour_need, ..facts(&policy(), &standing) })
    }

    #[test]
    fn what_was_needed_before_the_fall_is_kept_where_the_hour_is_not_known() {
        assert_eq!(kept(60, false, None), Some(80));
        assert_eq!(kept(60, false, Some(40.0)), Some(80), "the fall was not measured by what is learned");
        assert_eq!(kept(60, true, None), Some(80));
        assert_eq!(kept(60, true, Some(40.0)), None, "what the hour needs is kept instead");
    }

    #[test]
    fn it_ends_at_keep_for_or_goes_by_half_from_then_on() {
        assert_eq!([479, 480].map(|minutes| kept(minutes, false, None)), [Some(80), None]);
        let hours = [8, 9, 10, 14, 15].map(|hours| kept(hours * 60, true, None));
        assert_eq!(hours, [Some(80), Some(40), Some(20), Some(2), None], "under a hundredth is nothing");
    }

    #[test]
    fn falls_that_leave_nothing_ask_for_nothing() {
        let standing = Standing::at(100, Timestamp(0));
        let asked = |limit| {
            let usual = crate::history::Usual {
                days: 14,
                quiet: false,
                limit,
                recent: 0.0,
                unusual: false,
                before: 0.0,
                hour: None,
                within_an_hour: None,
            };
            bid(&Facts { usual: Some(usual), ..facts(&policy(), &standing) })
        };
        assert_eq!((asked(0.0), asked(6.5)), (None, Some(7)));
    }
}
