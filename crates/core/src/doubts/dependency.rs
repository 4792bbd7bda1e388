//! Another workload whose failure makes our load a lie.

use crate::decision::Doubt;
use crate::facts::Facts;

pub(super) fn doubt(facts: &Facts<'_>) -> Option<Doubt> {
    facts.dependency.map(|place| Doubt::Dependency { place })
}
