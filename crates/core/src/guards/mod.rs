//! Guards: each asks for the replicas that it thinks are needed. The floor is the largest bid inside `maxReplicas`.

mod backlog;
mod held;
mod live_demand;
mod override_order;
mod peer;
mod recent_peak;
mod spec_changed;
mod static_minimum;
mod usual_day;
mod usual_fall;

use crate::decision::{Bid, Guard};
use crate::facts::Facts;

pub(crate) use live_demand::LiveDemand;
pub(crate) use override_order::{freeze, order};
pub(crate) use spec_changed::level as run_down_level;

/// What the guards keep of an unusual fall.
pub(crate) fn kept(facts: &Facts<'_>) -> u32 {
    usual_fall::bid(facts).max(usual_day::bid(facts)).unwrap_or(0)
}

/// Every guard's bid, the largest first, into `bids`.
pub(crate) fn collect(facts: &Facts<'_>, bids: &mut Vec<Bid>) {
    bids.clear();
    let mut bid = |guard, replicas: Option<u32>| {
        if let Some(replicas) = replicas {
            bids.push(Bid { guard, replicas });
        }
    };
    bid(Guard::StaticMinimum, Some(static_minimum::bid(facts)));
    bid(Guard::LiveDemand, live_demand::bid(facts));
    bid(Guard::RecentPeak, recent_peak::bid(facts));
    bid(Guard::Backlog, backlog::bid(facts));
    bid(Guard::Held, held::bid(facts));
    bid(Guard::UsualFall, usual_fall::bid(facts));
    bid(Guard::UsualDay, usual_day::bid(facts));
    bid(Guard::SpecChanged, spec_changed::bid(facts));
    bid(Guard::Peer, peer::bid(facts));
    // Stable: of equal bids the earlier guard, the simpler reason, comes first.
    bids.sort_by_key(|bid| core::cmp::Reverse(bid.replicas));
}
