//! The brake: when unusual falls, one vote a namespace, reach a third of what reads one source (three at least), the
//! source is doubted before the world is, and nothing that reads it is lowered for a while.

use core::time::Duration;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::facts::BrakeHold;
use crate::time::Timestamp;

/// The brakes of all sources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brakes {
    sources: HashMap<Arc<str>, Source>,
    /// How many are tripped: mostly none, and then nobody has to look.
    tripped: usize,
}

#[derive(Clone, Debug, Default)]
struct Source {
    /// Policies that read the source, by namespace, and how many of them have a vote that is not spent.
    namespaces: HashMap<Arc<str>, Namespace>,
    falling_namespaces: u32,
    tripped: Option<BrakeHold>,
}

#[derive(Clone, Debug, Default)]
struct Namespace {
    policies: HashSet<Arc<str>>,
    falling: HashSet<Arc<str>>,
}

/// What a look at the votes brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trip {
    Unchanged,
    Began(BrakeHold),
    Ended,
}

impl Brakes {
    /// A policy reads this source.
    pub(crate) fn joins(&mut self, source: &Arc<str>, namespace: &Arc<str>, name: &Arc<str>) {
        let source = self.sources.entry(Arc::clone(source)).or_default();
        source.namespaces.entry(Arc::clone(namespace)).or_default().policies.insert(Arc::clone(name));
    }

    /// A policy reads this source no more.
    pub(crate) fn leaves(&mut self, source: &Arc<str>, namespace: &Arc<str>, name: &Arc<str>) {
        self.vote(source, namespace, name, false);
        let Some(entry) = self.sources.get_mut(source) else { return };
        if let Some(policies) = entry.namespaces.get_mut(namespace) {
            policies.policies.remove(name);
            if policies.policies.is_empty() {
                entry.namespaces.remove(namespace);
            }
        }
        if entry.namespaces.is_empty()
            && let Some(gone) = self.sources.remove(source)
            && gone.tripped.is_some()
        {
            self.tripped -= 1;
        }
    }

    /// A policy's unusual fall began or ended.
    pub(crate) fn vote(&mut self, source: &Arc<str>, namespace: &Arc<str>, name: &Arc<str>, falling: bool) {
        let Some(entry) = self.sources.get_mut(source) else { return };
        let Some(policies) = entry.namespaces.get_mut(namespace) else { return };
        let was = !policies.falling.is_empty();
        if falling {
            policies.falling.insert(Arc::clone(name));
        } else {
            policies.falling.remove(name);
        }
        match (was, !policies.falling.is_empty()) {
            (false, true) => entry.falling_namespaces += 1,
            (true, false) => entry.falling_namespaces -= 1,
            (true, true) | (false, false) => {}
        }
    }

    /// Counts the votes on one source. A brake, once tripped, holds for `hold_for`, then needs new votes: those that
    /// tripped it are spent, their falls have had their own hold by then.
    pub(crate) fn look(&mut self, source: &Arc<str>, hold_for: Duration, now: Timestamp) -> Trip {
        let Some(entry) = self.sources.get_mut(source) else { return Trip::Unchanged };
        if let Some(tripped) = entry.tripped {
            if now < tripped.until {
                return Trip::Unchanged;
            }
            entry.tripped = None;
            self.tripped -= 1;
            return Trip::Ended;
        }
        let of = u32::try_from(entry.namespaces.len()).unwrap_or(u32::MAX);
        if entry.falling_namespaces < of.div_ceil(SHARE).max(FEWEST) {
            return Trip::Unchanged;
        }
        let hold = BrakeHold { namespaces: entry.falling_namespaces, of, until: now.plus(hold_for) };
        entry.tripped = Some(hold);
        entry.namespaces.values_mut().for_each(|namespace| namespace.falling.clear());
        entry.falling_namespaces = 0;
        self.tripped += 1;
        Trip::Began(hold)
    }

    /// The brake on a source, if it is tripped.
    pub(crate) fn on(&self, source: &Arc<str>, now: Timestamp) -> Option<BrakeHold> {
        if self.tripped == 0 {
            return None;
        }
        self.sources.get(source)?.tripped.filter(|tripped| now < tripped.until)
    }
}

/// A third of the namespaces: fewer fall at once on ordinary days, and a source that lies lies to most.
const SHARE: u32 = 3;

/// Two that fall together are a coincidence.
const FEWEST: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_secs(3600);

    struct Fleet {
        brakes: Brakes,
        source: Arc<str>,
    }

    impl Fleet {
        fn of(namespaces: u32) -> Self {
            let mut fleet = Self { brakes: Brakes::default(), source: "default".into() };
            for n in 0..namespaces {
                fleet.brakes.joins(&fleet.source, &format!("ns{n}").into(), &"a".into());
                fleet.brakes.joins(&fleet.source, &format!("ns{n}").into(), &"b".into());
            }
            fleet
        }

        fn vote(&mut self, namespace: u32, name: &str, falling: bool) -> Trip {
            self.brakes.vote(&self.source, &format!("ns{namespace}").into(), &name.into(), falling);
            self.brakes.look(&self.source, HOLD, Timestamp(0))
        }
    }

    #[test]
    fn a_namespace_has_one_vote_and_three_are_the_fewest() {
        let mut fleet = Fleet::of(3);
        assert_eq!(fleet.vote(0, "a", true), Trip::Unchanged);
        assert_eq!(fleet.vote(0, "b", true), Trip::Unchanged, "the same namespace");
        assert_eq!(fleet.vote(1, "a", true), Trip::Unchanged);
        let hold = BrakeHold { namespaces: 3, of: 3, until: Timestamp(0).plus(HOLD) };
        assert_eq!(fleet.vote(2, "a", true), Trip::Began(hold));
        assert_eq!(fleet.brakes.on(&fleet.source, Timestamp(1)), Some(hold));
        assert_eq!(fleet.brakes.on(&fleet.source, hold.until), None);
    }

    #[test]
    fn a_third_of_the_namespaces_trips_it() {
        let mut fleet = Fleet::of(13);
        for n in 0..4 {
            assert_eq!(fleet.vote(n, "a", true), Trip::Unchanged, "{n}");
        }
        assert_eq!(fleet.vote(0, "a", false), Trip::Unchanged);
        assert_eq!(fleet.vote(4, "a", true), Trip::Unchanged);
        assert!(matches!(fleet.vote(5, "a", true), Trip::Began(BrakeHold { namespaces: 5, of: 13, .. })));
    }

    #[test]
    fn votes_that_tripped_it_are_spent_and_later_ones_are_not() {
        let mut fleet = Fleet::of(9);
        for n in 0..3 {
            fleet.vote(n, "a", true);
        }
        let (source, end) = (Arc::clone(&fleet.source), Timestamp(0).plus(HOLD));
        for n in 0..3 {
            assert_eq!(fleet.vote(n + 3, "a", true), Trip::Unchanged, "it is on already");
        }
        assert_eq!(fleet.brakes.look(&source, HOLD, end), Trip::Ended);
        assert!(matches!(fleet.brakes.look(&source, HOLD, end), Trip::Began(BrakeHold { namespaces: 3, of: 9, .. })));
        assert_eq!(fleet.brakes.look(&source, HOLD, end.plus(HOLD)), Trip::Ended);
        assert_eq!(fleet.brakes.look(&source, HOLD, end.plus(HOLD)), Trip::Unchanged);
        // An end that is told late takes nothing away from anybody.
        for n in 0..3 {
            assert_eq!(fleet.vote(n, "a", false), Trip::Unchanged);
        }
        for n in 6..8 {
            assert_eq!(fleet.vote(n, "a", true), Trip::Unchanged);
        }
        assert!(matches!(fleet.vote(8, "a", true), Trip::Began(_)));
    }

    #[test]
    fn it_ends_and_who_leaves_takes_the_vote_along() {
        let mut fleet = Fleet::of(3);
        for n in 0..3 {
            fleet.vote(n, "a", true);
        }
        let source = Arc::clone(&fleet.source);
        assert_eq!(fleet.brakes.tripped, 1);
        assert_eq!(fleet.brakes.look(&source, HOLD, Timestamp(0).plus(HOLD)), Trip::Ended);
        assert_eq!(fleet.brakes.tripped, 0);
        fleet.brakes.leaves(&source, &"ns0".into(), &"a".into());
        assert_eq!(fleet.brakes.look(&source, HOLD, Timestamp(0).plus(HOLD)), Trip::Unchanged);
        for n in 0..3 {
            fleet.brakes.leaves(&source, &format!("ns{n}").into(), &"a".into());
            fleet.brakes.leaves(&source, &format!("ns{n}").into(), &"b".into());
        }
        assert!(fleet.brakes.sources.is_empty());
    }

    #[test]
    fn a_tripped_brake_goes_with_the_last_who_reads_its_source() {
        let mut fleet = Fleet::of(3);
        for n in 0..3 {
            fleet.vote(n, "a", true);
        }
        let source = Arc::clone(&fleet.source);
        for n in 0..3 {
            for name in ["a", "b"] {
                fleet.brakes.leaves(&source, &format!("ns{n}").into(), &name.into());
            }
        }
        assert_eq!(fleet.brakes.tripped, 0);
    }
}
