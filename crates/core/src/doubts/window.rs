//! Too few samples to speak for the window: after a start, after a gap.

use crate::decision::Doubt;
use crate::facts::Facts;

pub(super) fn doubt(facts: &Facts<'_>) -> Option<Doubt> {
    (!facts.full).then_some(Doubt::WindowNotFull { have: facts.have, want: facts.want })
}
