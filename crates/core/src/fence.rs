//! What the API server lets happen to a stored floor: the rules of the `FloorTable`'s schema, once more in Rust.
//!
//! The API server enforces them; here they say which part of a refused write is a raise, and tests and the model checker
//! play the API server with them. `tests/apply/floors.rs` compares the two.

use crate::key::TargetKey;
use crate::standing::Standing;

/// Which rule refuses a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// It was written in a later epoch.
    EpochFell,
    /// The floor falls, and what that was decided on is old.
    FloorFell,
}

/// Whether `new` may take the place of `old`.
pub fn fence(old: &Standing, new: &Standing) -> Result<(), Refused> {
    if new.epoch < old.epoch {
        return Err(Refused::EpochFell);
    }
    if new.replicas >= old.replicas || new.seq > old.seq {
        return Ok(());
    }
    Err(Refused::FloorFell)
}

/// What is left of a refused write once only raises of what stands there now are taken, in the epoch that stands there:
/// that is never refused. Whoever raises need not lead.
#[must_use]
pub fn raises(refused: &[(TargetKey, Standing)], stored: &[(TargetKey, Standing)]) -> Vec<(TargetKey, Standing)> {
    let raise = |(target, row): &(TargetKey, Standing)| {
        let Some((_, stands)) = stored.iter().find(|(other, _)| other == target) else {
            return Some((target.clone(), row.clone()));
        };
        let raised = Standing {
            replicas: row.replicas,
            reason: row.reason.clone(),
            observed_at: row.observed_at,
            epoch: stands.epoch.max(row.epoch),
            seq: stands.seq.saturating_add(1),
            released: false,
            ..stands.clone()
        };
        (!row.released && row.replicas > stands.replicas).then(|| (target.clone(), raised))
    };
    refused.iter().filter_map(raise).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn row(replicas: u32, epoch: u64, seq: u64) -> Standing {
        Standing { epoch, seq, ..Standing::at(replicas, Timestamp(0)) }
    }

    #[test]
    fn epochs_never_fall_and_floors_only_with_something_newer() {
        let old = row(6, 3, 9);
        for (new, expected) in [
            (row(9, 2, 99), Err(Refused::EpochFell)),
            (row(5, 2, 99), Err(Refused::EpochFell)),
            (row(6, 3, 1), Ok(())),
            (row(7, 3, 1), Ok(())),
            (row(5, 3, 9), Err(Refused::FloorFell)),
            (row(5, 3, 10), Ok(())),
            // A new leader that knows only what was before that.
            (row(5, 4, 9), Err(Refused::FloorFell)),
            (row(5, 4, 10), Ok(())),
        ] {
            assert_eq!(fence(&old, &new), expected, "{new:?}");
        }
    }

    #[test]
    fn of_a_refused_write_the_raises_are_left() {
        let target = |name: &str| TargetKey::new("shop", "deployments.apps", name);
        let stored = [(target("a"), row(6, 9, 4)), (target("b"), row(6, 9, 4)), (target("c"), row(6, 9, 4))];
        let refused = [
            (target("a"), row(8, 2, 7)),
            (target("b"), row(5, 2, 7)),
            (target("c"), row(6, 2, 7)),
            (target("d"), row(3, 2, 1)),
        ];
        let left = raises(&refused, &stored);
        assert_eq!(left, [(target("a"), row(8, 9, 5)), (target("d"), row(3, 2, 1))]);
        assert_eq!(fence(&stored[0].1, &left[0].1), Ok(()));
    }

    #[test]
    fn a_raise_says_what_it_knows_and_keeps_what_stands() {
        let web = TargetKey::new("shop", "deployments.apps", "web");
        let policy = |name: &str, row: Standing| Standing { policy: name.into(), ..row };
        let stands = Standing { released: true, reason: "old".into(), ..policy("web", row(6, 3, 4)) };
        let newer = Standing { reason: "new".into(), observed_at: Timestamp(9), ..policy("other", row(8, 5, 1)) };
        let left = raises(&[(web.clone(), newer.clone())], &[(web.clone(), stands)]);
        assert_eq!(left, [(web, Standing { seq: 5, ..policy("web", newer) })]);
    }
}
