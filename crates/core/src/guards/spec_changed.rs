//! After first sight, any edit or an override's end the floor comes down at `halfLife` from where it stood: a typing
//! error in a capacity does not cut a service in one step.

use crate::facts::Facts;
use crate::policy::Policy;
use crate::signal::whole;
use crate::standing::{Onset, Standing};
use crate::time::Timestamp;

pub(super) fn bid(facts: &Facts<'_>) -> Option<u32> {
    level(facts.standing, facts.policy, facts.now)
}

/// What the run-down allows at `now`; `None` once it is through.
pub(crate) fn level(standing: &Standing, policy: &Policy, now: Timestamp) -> Option<u32> {
    let Onset { since, replicas } = standing.run_down?;
    let halvings = now.since(since).as_secs_f64() / policy.half_life.as_secs_f64().max(1.0);
    let level = f64::from(replicas) * (-halvings).exp2();
    (level >= 0.5).then(|| whole(level))
}
