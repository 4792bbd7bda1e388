//! Many workloads of one source fell at once: the source is doubted before the world is.

use crate::decision::Doubt;
use crate::facts::Facts;

pub(super) fn doubt(facts: &Facts<'_>) -> Option<Doubt> {
    // Only a brake that is on is among the facts.
    facts.brake.map(|brake| Doubt::Brake { namespaces: brake.namespaces, of: brake.of, until: brake.until })
}
