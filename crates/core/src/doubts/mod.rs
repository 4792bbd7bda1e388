//! Reasons not to lower. Each looks at the facts alone and says its numbers.
//!
//! Order is gravity: the first is the one that people are told first.

mod brake;
mod dependency;
mod errors;
mod fall;
mod rollout;
mod step;
mod unready;
mod window;

use crate::decision::Doubt;
use crate::facts::Facts;

pub(crate) use errors::doubt as errors;
pub(crate) use fall::{
    FallEnd, again as fall_again, began as fall_began, ends_at as fall_ends_at, holds as fall_holds,
    limit as fall_limit, over as fall_over,
};

/// Every doubt of this moment, into `found`.
pub(crate) fn collect(facts: &Facts<'_>, found: &mut Vec<Doubt>) {
    found.clear();
    found.extend(errors::doubt(facts));
    found.extend(unready::doubt(facts));
    found.extend(dependency::doubt(facts));
    found.extend(fall::doubt(facts));
    found.extend(brake::doubt(facts));
    found.extend(step::doubt(facts));
    found.extend(rollout::doubt(facts));
    found.extend(window::doubt(facts));
}

impl Doubt {
    /// The pods or what they depend on say that something is wrong: from its onset floor and replicas are held.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        match self {
            Self::Errors { .. } | Self::Unready { .. } | Self::Dependency { .. } => true,
            Self::UnusualFall { .. }
            | Self::Brake { .. }
            | Self::Rollout { .. }
            | Self::WindowNotFull { .. }
            | Self::StepHarmful { .. }
            | Self::Overdue { .. }
            | Self::Settling { .. } => false,
        }
    }

    /// Ordinary business: it holds, but says nothing against the readings.
    #[must_use]
    pub fn is_ordinary(&self) -> bool {
        matches!(self, Self::Rollout { .. })
    }
}
