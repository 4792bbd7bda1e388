//! Pods that were ready and are not: the service may be failing, not idling.

use crate::decision::Doubt;
use crate::facts::Facts;

pub(super) fn doubt(facts: &Facts<'_>) -> Option<Doubt> {
    let (unready, of) = facts.failing?;
    Some(Doubt::Unready { unready, of })
}
