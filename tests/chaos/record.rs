//! What the laws say of all that was recorded.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use floorkeeper_rig::Whose;
use kube::Client;

use crate::load::{GUARDED, Load, WINDOW};
use crate::stage;

/// Every change of a floor, of an HPA's minimum and of a Deployment's replicas, from its start on.
pub(crate) struct Record(stage::record::Record);

impl Record {
    pub(crate) fn start(client: &Client) -> Self {
        Self(stage::record::Record::start(client))
    }

    /// Law L5 as it can be seen from outside: whatever came down stayed at what the load of the last window needed, dead
    /// operators and blind ones included. Gives how often something came down.
    pub(crate) fn kept_to_the_window(&self, load: &Load) -> Result<usize> {
        let mut lowerings = 0;
        for (whose, at, from, to) in self.0.lowerings() {
            // In Guard the scaler lowers them, and may for a moment do so by a minimum that was just raised.
            if (whose.plural, &*whose.namespace) == ("deployments", GUARDED) {
                continue;
            }
            lowerings += 1;
            // The last sample of a peak is up to a scrape older than its end, and the operator learns of a rise a scrape, an
            // interval and a loaded machine later.
            let needed = load.needed(at - WINDOW + Duration::from_millis(1500), at - Duration::from_secs(4));
            // A lowering that the way held back lands when its time is over. Its version or sequence refuses it where a raise
            // was written meanwhile; where what stood was high enough, none was. Then it is put back as soon as it is seen.
            if self.put_back(&whose, at, needed) {
                continue;
            }
            ensure!(
                to >= needed,
                "{whose}: from {from} to {to}, and the window needed {needed}\n{:#?}",
                self.0.told(None, at)
            );
        }
        Ok(lowerings)
    }

    /// What came down at `at` was at `needed` again in a second.
    fn put_back(&self, whose: &Whose, at: Instant, needed: u32) -> bool {
        let seen = self.0.seen();
        let values = seen.get(whose).map(Vec::as_slice).unwrap_or_default();
        let mut next = values.iter().skip_while(|(since, _)| *since <= at);
        next.next().is_some_and(|(since, value)| *since - at < Duration::from_secs(1) && *value >= needed)
    }

    /// What came down between two moments.
    pub(crate) fn lowered(&self, from: Instant, to: Instant) -> Vec<String> {
        let within = self.0.lowerings().into_iter().filter(|(_, at, ..)| (from..to).contains(at));
        within.map(|(whose, at, from, to)| format!("{whose}: {from} to {to} at {:?}", at.elapsed())).collect()
    }
}
