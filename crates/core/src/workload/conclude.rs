//! What was decided, as a [`Decision`](crate::decision::Decision): complete, and without an allocation.

use super::Workload;
use crate::decision::{Bid, Doubt, Guard, Hold, SignalView, Verdict};
use crate::signal::SignalState;
use crate::time::Timestamp;
use crate::view;

impl Workload {
    /// The target is not there, or the table was not told yet: the floor stays as it is.
    pub(super) fn undecided(&mut self, now: Timestamp) -> bool {
        let (min, max) = self.bounds();
        let (mut bids, mut doubts) = (core::mem::take(&mut self.spare.bids), core::mem::take(&mut self.spare.doubts));
        bids.clear();
        doubts.clear();
        self.conclude(view::Conclusion {
            now,
            bids,
            doubts,
            guard: Guard::StaticMinimum,
            verdict: Verdict::Held,
            hold: Some(Hold::NoTarget),
            min,
            max,
            asked: min,
            need: None,
        })
    }

    pub(super) fn conclude(&mut self, conclusion: view::Conclusion) -> bool {
        let now = conclusion.now;
        let mut signals = core::mem::take(&mut self.spare.signals);
        view::signals(&mut signals, &self.signals, &self.policy, self.seen(), now);
        let unguarded = self.last_need.unwrap_or(conclusion.min).clamp(conclusion.min, conclusion.max);
        let price = self.floor_replicas().saturating_sub(unguarded);
        self.price_since = (price > 0).then(|| self.price_since.unwrap_or(now));
        let decision = view::decision(
            conclusion,
            view::Parts {
                floor: self.floor_replicas(),
                since: self.since,
                standing: &self.standing,
                policy: &self.policy,
                signals,
                observed_at: self.signals.iter().filter_map(SignalState::taken_at).max(),
                errors: self.errors,
                price,
                price_since: self.price_since,
                in_force: self.in_force.clone(),
                problem: self.problem(),
                target: self.seen(),
                contested: self.delivery.contested(now),
                usual: self.history.known(now),
                stored: self.delivery.has(self.floor_replicas()),
            },
        );
        self.wake = view::wake(&decision, &self.standing, &self.policy, &self.overrides, now);
        let news = view::news(self.decision.as_ref(), &decision, &mut self.notices);
        if let Some(last) = self.decision.replace(decision) {
            self.spare = Spare { bids: last.bids, doubts: last.doubts, signals: last.signals };
        }
        news
    }
}

/// The last but one decision's lists, used again: a decision allocates nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Spare {
    pub(super) bids: Vec<Bid>,
    pub(super) doubts: Vec<Doubt>,
    pub(super) signals: Vec<SignalView>,
}
