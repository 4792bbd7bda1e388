//! What the controller remembers, in memory only: its recommendations and how replicas changed.
//!
//! kubernetes v1.37.2, `pkg/controller/podautoscaler/horizontal.go`: `recordInitialRecommendation`,
//! `stabilizeRecommendation`, `stabilizeRecommendationWithBehaviors`, `storeScaleEvent`, `getReplicasChangePerPeriod`.
//! Old entries are overwritten in place, so a long run needs no more room than one window.

/// Empty after every restart of the controller: it then knows only what runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct History {
    pub(super) seeded: bool,
    pub(super) recommendations: Vec<Recommendation>,
    pub(super) ups: Vec<Step>,
    pub(super) downs: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Recommendation {
    pub(super) replicas: i32,
    pub(super) at: f64,
}

/// A change of replicas that was written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    /// Never negative.
    pub(super) change: i32,
    pub(super) at: f64,
    pub(super) outdated: bool,
}

/// Seconds over which each direction is stabilised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Windows {
    pub(super) up: f64,
    pub(super) down: f64,
}

impl History {
    /// A controller that has just started takes what runs for its first recommendation.
    pub(super) fn seed(&mut self, replicas: i32, now: f64) {
        if !self.seeded {
            self.seeded = true;
            self.recommendations.push(Recommendation { replicas, at: now });
        }
    }

    /// Without `behavior`: the highest recommendation of the window.
    pub(super) fn highest(&mut self, replicas: i32, window: f64, now: f64) -> i32 {
        let cutoff = now - window;
        let (mut highest, mut old) = (replicas, None);
        for (index, past) in self.recommendations.iter().enumerate() {
            if past.at < cutoff {
                old = Some(index);
            } else {
                highest = highest.max(past.replicas);
            }
        }
        self.record(replicas, old, now);
        highest
    }

    /// With `behavior`: `current`, moved no further than both windows agree on.
    pub(super) fn between(&mut self, current: i32, replicas: i32, windows: Windows, now: f64) -> i32 {
        let (up_cutoff, down_cutoff) = (now - windows.up, now - windows.down);
        let (mut lowest, mut highest, mut old) = (replicas, replicas, None);
        for (index, past) in self.recommendations.iter().enumerate() {
            if past.at > up_cutoff {
                lowest = lowest.min(past.replicas);
            }
            if past.at > down_cutoff {
                highest = highest.max(past.replicas);
            }
            if past.at < up_cutoff && past.at < down_cutoff {
                old = Some(index);
            }
        }
        self.record(replicas, old, now);
        current.max(lowest).min(highest)
    }

    /// Replicas at the start of the last `period` seconds.
    pub(super) fn replicas_before(&self, current: i32, period: f64, now: f64) -> i32 {
        current.saturating_sub(change(&self.ups, period, now)).saturating_add(change(&self.downs, period, now))
    }

    /// Replicas were written. `longest`: the longest period of any policy of this direction.
    pub(super) fn stepped(&mut self, from: i32, to: i32, longest: f64, now: f64) {
        let steps = if to > from { &mut self.ups } else { &mut self.downs };
        let mut old = None;
        for (index, step) in steps.iter_mut().enumerate() {
            step.outdated |= step.at < now - longest;
            if step.outdated {
                old = Some(index);
            }
        }
        let step = Step { change: to.saturating_sub(from).saturating_abs(), at: now, outdated: false };
        match old {
            Some(index) => steps[index] = step,
            None => steps.push(step),
        }
    }

    fn record(&mut self, replicas: i32, old: Option<usize>, now: f64) {
        let recommendation = Recommendation { replicas, at: now };
        match old {
            Some(index) => self.recommendations[index] = recommendation,
            None => self.recommendations.push(recommendation),
        }
    }
}

pub(super) fn change(steps: &[Step], period: f64, now: f64) -> i32 {
    steps.iter().filter(|step| step.at > now - period).fold(0, |sum, step| sum.saturating_add(step.change))
}
