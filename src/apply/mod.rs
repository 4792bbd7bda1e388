//! I/O out: carries out each write of the plan, publishes status and events. No choices are made here.
//!
//! Every API call runs under a timeout, on a client whose own retries are off: a write that could land minutes after it
//! was decided is worse than one that failed and is decided again. What ended how is counted and logged.

mod bounds;
mod call;
mod enforcement;
mod events;
mod floors;
mod history;
mod kept;
mod kinds;
mod own_hpa;
mod rate;
mod replicas;
mod row;
mod status;
mod tenure;
mod writer;

pub use self::bounds::{give_hpa_back, give_scaled_object_back, owner_bounds, owner_bounds_of_scaled_object};
pub use self::enforcement::{Enforcement, Trial, Wish};
pub use self::events::Events;
pub use self::history::{HistoryDamage, history_owner, history_spec, learned};
pub use self::kept::{KEPT, kept};
pub use self::kinds::Kinds;
pub use self::own_hpa::{is_own_hpa, own_hpa, own_hpa_in_line, own_hpa_name};
pub use self::row::{row, standings};
pub use self::status::{BackFill, Learning, Told, action, refused, status};
pub use self::tenure::Tenure;
pub use self::writer::{MANAGER, Writer};
