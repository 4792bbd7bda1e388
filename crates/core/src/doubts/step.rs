//! The last step down did harm: it was taken back, and the next one waits.

use crate::decision::Doubt;
use crate::facts::Facts;

pub(super) fn doubt(facts: &Facts<'_>) -> Option<Doubt> {
    let until = facts.standing.not_before?;
    // After a restart the step itself is forgotten; the pause is not.
    let (from, to) = facts.undone.unwrap_or((facts.standing.replicas, facts.standing.replicas));
    (facts.now < until).then_some(Doubt::StepHarmful { from, to, until })
}
