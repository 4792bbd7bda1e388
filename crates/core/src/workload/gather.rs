//! The facts of this moment, gathered from all that is known of one workload.

use super::Workload;
use crate::doubts;
use crate::facts::Facts;
use crate::history::Tick;
use crate::judge::ErrorShare;
use crate::sample::Unknown;
use crate::step::Health;
use crate::target::Rollout;
use crate::time::Timestamp;

impl Workload {
    pub(super) fn raw_level(&self, now: Timestamp) -> f64 {
        let signals = self.signals.iter().zip(&self.policy.signals);
        signals.map(|(state, signal)| state.level(signal, &self.policy, now)).fold(0.0, f64::max)
    }

    pub(super) fn facts(&self, now: Timestamp) -> Facts<'_> {
        let (min, max) = self.bounds();
        let policy = &self.policy;
        let mut unknown = self.signals.is_empty().then_some((None, Unknown::NeverSeen));
        let (mut level, mut backlog_level) = (0.0_f64, None::<f64>);
        let (mut window_peak, mut hour_peak, mut left_by_fall) = (0.0_f64, 0.0_f64, 0.0_f64);
        let (mut full, mut have, mut want) = (true, 0, 0);
        let mut zero = !self.signals.is_empty();
        for (place, (state, signal)) in self.signals.iter().zip(&policy.signals).enumerate() {
            let reading = state.reading(signal, now);
            let why = reading.unknown().or_else(|| state.backlog_unknown());
            // Without a capacity a load says nothing about replicas.
            let why = why.or_else(|| signal.capacity.is_none().then_some(Unknown::NoEvidence));
            unknown = unknown.or_else(|| why.map(|why| (Some(place), why)));
            level = level.max(state.level(signal, policy, now));
            if let Some(waiting) = state.backlog_level(signal, policy, now) {
                backlog_level = Some(backlog_level.unwrap_or(0.0).max(waiting));
                zero &= waiting == 0.0;
            }
            zero &= why.is_none() && reading.at_least() == 0.0;
            window_peak = window_peak.max(state.window_peak(now));
            hour_peak = hour_peak.max(state.hour_peak(now));
            if let Some(fall) = self.standing.fall {
                left_by_fall = left_by_fall.max(state.hour_peak_after(fall.since, now));
            }
            let fullness = state.fullness(policy, now);
            if full {
                (full, have, want) = (fullness.full, fullness.have, fullness.want);
            }
        }
        let target = self.target.as_ref().and_then(Option::as_ref);
        Facts {
            now,
            policy,
            standing: &self.standing,
            min,
            max,
            replicas: target.map_or(0, |target| target.replicas),
            rollout: target.map_or(Rollout::Done, |target| target.rollout),
            rollout_since: self.rollout_since,
            unknown,
            level: level.min(self.believed),
            backlog_level,
            window_peak,
            hour_peak,
            zero,
            have,
            want,
            full,
            errors: self.errors,
            failing: target.and_then(|target| self.readiness.failing(target, policy.unready_percent)),
            dependency: self.dependency,
            brake: self.brake,
            undone: self.undone,
            peer: self.peer,
            usual: self.history.usual(now),
            hour_need: self.history.hour_need(),
            hour_level: self.history.level(),
            left_by_fall,
            is_back: self.history.is_back(now, policy.window),
            blind_for: self.history.blind_for(now),
        }
    }

    /// What there is to learn from this moment.
    pub(super) fn lesson(&self, now: Timestamp) -> Tick {
        let facts = self.facts(now);
        let fall = self.standing.fall.map(|fall| doubts::fall_limit(&facts, fall));
        let failing = matches!(facts.errors, ErrorShare::Unknown(_)) || doubts::errors(&facts).is_some();
        Tick {
            now,
            level: facts.level,
            recent: facts.window_peak,
            known: facts.unknown.is_none() && facts.full,
            calm: !failing && self.standing.doubt.is_none() && facts.failing.is_none() && facts.dependency.is_none(),
            min: facts.min,
            gap: self.policy.resolution.saturating_mul(2),
            falling: fall,
        }
    }

    pub(super) fn health(&self, facts: &Facts<'_>) -> Health {
        let target = self.seen();
        let unready = target.map_or(0, |target| self.readiness.lost(target).0);
        Health::of(facts, unready, target.and_then(|target| target.ready))
    }
}
