//! floorkeeper: an internal error can't scale your service below what its traffic needs.

pub mod apply;
pub mod metrics;
pub mod observe;
pub mod words;
