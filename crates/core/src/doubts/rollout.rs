//! New pods are replacing old ones: nothing measured now speaks for the pods that stay. A paused rollout is none.

use crate::decision::Doubt;
use crate::facts::Facts;
use crate::target::Rollout;

pub(super) fn doubt(facts: &Facts<'_>) -> Option<Doubt> {
    match facts.rollout {
        Rollout::Progressing { deadline } => {
            let until = facts.rollout_since.plus(deadline);
            (facts.now < until).then_some(Doubt::Rollout { until })
        }
        Rollout::Done | Rollout::Paused => None,
    }
}
