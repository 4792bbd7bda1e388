//! What this hour of the week usually needs: raises while nothing is known, and keeps `keepPercent` of it during an
//! unusual fall.

use crate::facts::Facts;
use crate::guards::usual_fall;
use crate::signal::whole;

pub(super) fn bid(facts: &Facts<'_>) -> Option<u32> {
    let need = facts.hour_need?;
    if facts.exhausted() {
        return None;
    }
    let kept = facts.standing.fall.map(|_| {
        let share = f64::from(facts.policy.fall.keep_percent) / 100.0;
        need * facts.hour_level * share * usual_fall::left(facts)
    });
    // A tick that is missing is no reason to raise; a window is. That the last day needed less is no reason to raise less:
    // nobody sees what this one needs.
    let blind = (facts.unknown.is_some() && facts.blind_for >= facts.policy.window).then_some(need);
    let asked = kept.unwrap_or(0.0).max(blind.unwrap_or(0.0));
    (asked > 0.0).then(|| whole(asked))
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::facts::tests::facts;
    use crate::policy::tests::policy;
    use crate::sample::Unknown;
    use crate::standing::{Onset, Standing};
    use crate::time::Timestamp;

    #[test]
    fn what_the_hour_needs_stands_in_after_a_window_in_which_nothing_was_known() {
        let (policy, standing) = (policy(), Standing::at(10, Timestamp(0)));
        let asked = |unknown, blind_for: u64| {
            let unknown = Some((Some(0), Unknown::Empty)).filter(|_| unknown);
            let blind_for = Duration::from_secs(blind_for);
            bid(&Facts { unknown, blind_for, hour_need: Some(39.5), ..facts(&policy, &standing) })
        };
        assert_eq!((asked(true, 599), asked(true, 600)), (None, Some(40)));
        assert_eq!(asked(false, 600), None, "what is known speaks for itself, though the window has a gap");
    }
    #[test]
    fn at_the_level_of_the_last_day_it_keeps_and_whoever_is_blind_raises_to_all_of_it() {
        let policy = policy();
        let since = Timestamp(1_709_600_400_000);
        let fall =
            Standing { fall: Some(Onset { since, replicas: 50 }), fall_limit: Some(25_000), ..Standing::at(50, since) };
        let (falling, steady) = (fall, Standing::at(10, since));
        let asked = |standing, unknown: bool| {
            let unknown = Some((Some(0), Unknown::Empty)).filter(|_| unknown);
            let blind_for = policy.window;
            bid(&Facts {
                now: since,
                unknown,
                blind_for,
                hour_need: Some(40.0),
                hour_level: 0.5,
                ..facts(&policy, standing)
            })
        };
        assert_eq!(
            (asked(&falling, false), asked(&falling, true), asked(&steady, true)),
            (Some(16), Some(40), Some(40))
        );
    }
}
