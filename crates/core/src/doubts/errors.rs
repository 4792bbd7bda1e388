//! Errors are load, never idleness: while much of the work fails, a small load is not believed.

use crate::decision::Doubt;
use crate::facts::Facts;
use crate::judge::ErrorShare;

pub(crate) fn doubt(facts: &Facts<'_>) -> Option<Doubt> {
    let above = facts.policy.errors?.above;
    match facts.errors {
        ErrorShare::Judged(share) if share > above => Some(Doubt::Errors { share, above }),
        ErrorShare::Judged(_) | ErrorShare::NotJudged | ErrorShare::Unknown(_) => None,
    }
}
