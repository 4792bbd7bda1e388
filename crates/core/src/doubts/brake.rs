//! Many workloads of one source fell at once: the source is doubted before the world is.

use crate::decision::Doubt;
use crate::facts::Facts;

pub(super) fn doubt(facts: &Facts<'_>) -> Option<Doubt> {
    let brake = facts.brake?;
    (facts.now < brake.until).then_some(Doubt::Brake { namespaces: brake.namespaces, of: brake.of, until: brake.until })
}
