//! The one place where the controller reads clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use floorkeeper_core::Timestamp;

/// The wall clock: samples and stored rows carry its time. A jump backwards makes spans zero, see [`Timestamp`].
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The clock that only runs forward: for how long something took.
pub(super) fn instant() -> Instant {
    Instant::now()
}
