//! A person's order: obeyed at once, while it lasts.
//!
//! Where several apply: Pin before Release before Freeze; of one kind the newest.

use crate::target::{Action, Override};
use crate::time::Timestamp;

/// The order that is obeyed now.
pub(crate) fn order(overrides: &[Override], now: Timestamp) -> Option<&Override> {
    overrides.iter().filter(|order| now < order.until).max_by_key(|order| (rank(order.action), order.from))
}

/// The latest end of the freezes in force.
pub(crate) fn freeze(overrides: &[Override], now: Timestamp) -> Option<Timestamp> {
    overrides.iter().filter(|order| now < order.until && order.action == Action::Freeze).map(|order| order.until).max()
}

fn rank(action: Action) -> u8 {
    match action {
        Action::Freeze => 0,
        Action::Release => 1,
        Action::Pin(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, action: Action, from: u64, until: u64) -> Override {
        Override { name: name.into(), action, from: Timestamp(from), until: Timestamp(until) }
    }

    #[test]
    fn pin_before_release_before_freeze_and_the_newest_of_a_kind() {
        let all = [
            one("freeze", Action::Freeze, 9, 100),
            one("old-pin", Action::Pin(9), 1, 100),
            one("new-pin", Action::Pin(3), 2, 50),
            one("release", Action::Release, 8, 100),
        ];
        let name = |now| order(&all, Timestamp(now)).map(|order| order.name.to_string());
        assert_eq!(name(10).as_deref(), Some("new-pin"));
        assert_eq!(name(50).as_deref(), Some("old-pin"), "an override ends when its time has come");
        assert_eq!(name(100), None);
        assert_eq!([99, 100].map(|now| freeze(&all, Timestamp(now))), [Some(Timestamp(100)), None]);
        assert_eq!(freeze(&all[1..], Timestamp(9)), None, "there is none among them");
    }
}
