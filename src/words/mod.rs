//! What floorkeeper says: every guard, hold, doubt and problem as one stable CamelCase word and one plain sentence.
//!
//! Pure, and the only place where such texts are made: status, events, logs, metrics and `floorkeeper explain` say the
//! same thing in the same words. The words are API: people write alerts and scripts on them.

mod sentence;
mod word;

pub use self::sentence::{
    doubt, duration, falls, guard, hold, moment, notice, number, problem, signal, trust, unknown,
};
pub use self::word::{
    doubt_reason, failure_reason, guard_named, guard_reason, hold_reason, notice_reason, problem_reason, trust_word,
    unknown_reason,
};

#[cfg(test)]
mod tests;
