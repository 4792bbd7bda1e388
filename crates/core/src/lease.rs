//! Who may write: leader election on one `Lease`, pure.
//!
//! A `Lease` is a record in the API server that names its holder. Nobody's clock is compared with anybody else's: a
//! standby counts, on its own clock, how long it has seen the record *unchanged*, and a holder counts from the moment at
//! which it *sent* the renewal that was accepted. So the holder stops before the standby begins, as long as no clock runs
//! faster or slower than the real time by more than [`CLOCK_RATE_ERROR_PERCENT`]:
//!
//! ```text
//!   holder     renewal sent ──── fence ────┤ no write begins ──── landing ────┤ no write is under way
//!   standby        └─ renewal seen ──────────────── duration ────────────────────────────┤ takes over
//! ```
//!
//! What a clock can't promise (a process that is stopped between looking at its lease and sending, a request that the
//! network keeps) is caught behind it: by the epoch in each stored floor, which the API server compares.

mod answers;
mod timing;

use core::time::Duration;
use std::sync::Arc;

pub use self::timing::{CLOCK_RATE_ERROR_PERCENT, Timing, Uptime};

/// The record as read from the API server. `None` in its place: there is none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// `None`: given back.
    pub holder: Option<Arc<str>>,
    /// How often the holder has changed.
    pub transitions: u64,
    /// How often this holder has written it: tells a renewal from a past that came back.
    pub renewals: u64,
    /// How long its holder asks others to wait.
    pub duration: Duration,
    /// `resourceVersion`: whatever it is, it changes with each write.
    pub version: Arc<str>,
}

/// What to do next; one at a time. Give up on it after [`Timing::attempt`], and tell how it ended by [`Election::answered`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Read the record: from the store, not from a cache.
    Read,
    Write(Claim),
}

/// A write of the whole record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// `None`: give it back.
    pub holder: Option<Arc<str>>,
    pub transitions: u64,
    pub renewals: u64,
    pub duration: Duration,
    /// Only if this version stands there; `None`: create it, only if there is none.
    pub against: Option<Arc<str>>,
}

impl Claim {
    /// What a store holds once this stands as `version`.
    #[must_use]
    pub fn accepted(&self, version: Arc<str>) -> Record {
        let Self { holder, transitions, renewals, duration, against: _ } = self.clone();
        Record { holder, transitions, renewals, duration, version }
    }
}

/// How an [`Ask`] ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Record(Option<Record>),
    /// The claim stands, as this version.
    Written(Arc<str>),
    /// Something else stands there, or nothing.
    Conflict,
    /// No answer, or an error: a write may have landed, or may land yet.
    Failed,
}

/// Where this process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Standby,
    /// Writes may begin before `until`.
    Leading {
        term: u64,
        until: Uptime,
    },
    /// For good: end the process.
    Ended(Why),
}

/// Why an election is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// No renewal was accepted in time.
    Expired,
    /// Somebody else holds it.
    Taken,
    /// The record is older than one that was seen before: a backup was restored, and what the caches hold is no longer
    /// what is stored.
    PastCameBack,
    /// By our own wish.
    Resigned,
}

/// One process's part in the election.
///
/// Drive it so: `poll`, carry out what it asks for, `answered`; poll again at `next_wake`. Before each write of anything
/// else look at [`Election::state`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Election {
    identity: Arc<str>,
    timing: Timing,
    /// Caches are warm: it may take the lease.
    candidate: bool,
    role: Role,
    /// The record as last read, and since when it has been so.
    seen: Option<Seen>,
    /// Transitions and renewals of the newest record ever read: it may be gone by now.
    highest: (u64, u64),
    /// A write may have landed or not, or met something else: read before the next.
    doubtful: bool,
    asked: Option<(Asked, Uptime)>,
    /// The next read (standby), the next write (leader).
    next: Uptime,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Seen {
    record: Option<Record>,
    since: Uptime,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Role {
    Standby,
    Leading(Tenure),
    Ended(Why),
}

/// What a leader knows of its own lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Tenure {
    term: u64,
    until: Uptime,
    /// `None`: it was deleted.
    version: Option<Arc<str>>,
    /// The count in the last write that was accepted, and in the last that was sent.
    accepted: u64,
    sent: u64,
    resigning: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Asked {
    Read,
    Hold {
        transitions: u64,
        renewals: u64,
    },
    /// Made for nobody, or given back.
    Free,
}

impl Election {
    /// `identity`: of this process and no other, ever: a restarted container is another one.
    #[must_use]
    pub fn new(identity: Arc<str>, timing: Timing, now: Uptime) -> Self {
        Self {
            identity,
            timing,
            candidate: false,
            role: Role::Standby,
            seen: None,
            highest: (0, 0),
            doubtful: false,
            asked: None,
            next: now,
        }
    }

    /// It may take the lease from now on: everything that a leader needs is known.
    pub fn stand(&mut self) {
        self.candidate = true;
    }

    /// A watch says that the lease was given back or deleted: look at once.
    pub fn hint(&mut self, now: Uptime) {
        if self.role == Role::Standby {
            self.next = self.next.min(now);
        }
    }

    /// Give the lease back: no write begins from now on, the standby takes over at once.
    pub fn resign(&mut self) {
        match &mut self.role {
            Role::Standby => self.role = Role::Ended(Why::Resigned),
            Role::Leading(tenure) => tenure.resigning = true,
            Role::Ended(_) => {}
        }
    }

    /// How often the lease has changed hands, as far as is known.
    #[must_use]
    pub fn transitions(&self) -> u64 {
        match &self.role {
            Role::Leading(tenure) => tenure.term,
            Role::Standby | Role::Ended(_) => self.highest.0,
        }
    }

    /// Where this process stands at `now`.
    #[must_use]
    pub fn state(&self, now: Uptime) -> State {
        match &self.role {
            Role::Standby => State::Standby,
            Role::Leading(tenure) if now >= tenure.until => State::Ended(Why::Expired),
            Role::Leading(tenure) if tenure.resigning => State::Standby,
            Role::Leading(tenure) => State::Leading { term: tenure.term, until: tenure.until },
            Role::Ended(why) => State::Ended(*why),
        }
    }

    /// What to do now, if anything.
    pub fn poll(&mut self, now: Uptime) -> Option<Ask> {
        if let Role::Leading(tenure) = &self.role
            && now >= tenure.until
        {
            // Even if nobody else has taken it: what is decided from now on could meet another leader's decisions.
            self.role = Role::Ended(Why::Expired);
        }
        if self.asked.is_some() {
            return None;
        }
        let due = now >= self.next;
        let ask = match &mut self.role {
            Role::Ended(_) => return None,
            Role::Standby => {
                if self.is_missing() && !self.doubtful {
                    Ask::Write(self.make())
                } else if self.candidate && !self.doubtful && self.free_at().is_some_and(|at| now >= at) {
                    Ask::Write(self.take())
                } else {
                    due.then_some(Ask::Read)?
                }
            }
            Role::Leading(tenure) if !due && !tenure.resigning => return None,
            Role::Leading(_) if self.doubtful => Ask::Read,
            Role::Leading(tenure) => {
                tenure.sent += 1;
                Ask::Write(Claim {
                    holder: (!tenure.resigning).then(|| Arc::clone(&self.identity)),
                    transitions: tenure.term,
                    renewals: tenure.sent,
                    duration: self.timing.duration(),
                    against: tenure.version.clone(),
                })
            }
        };
        let asked = match &ask {
            Ask::Read => Asked::Read,
            Ask::Write(Claim { holder: Some(_), transitions, renewals, .. }) => {
                Asked::Hold { transitions: *transitions, renewals: *renewals }
            }
            Ask::Write(Claim { holder: None, .. }) => Asked::Free,
        };
        self.asked = Some((asked, now));
        Some(ask)
    }

    /// When to poll again if nothing happens before.
    #[must_use]
    pub fn next_wake(&self) -> Uptime {
        match &self.role {
            Role::Ended(_) => Uptime(u64::MAX),
            Role::Leading(tenure) if self.asked.is_some() => tenure.until,
            Role::Leading(tenure) if tenure.resigning => Uptime(0),
            Role::Leading(tenure) => self.next.min(tenure.until),
            Role::Standby if self.asked.is_some() => Uptime(u64::MAX),
            Role::Standby if self.doubtful => self.next,
            Role::Standby if self.is_missing() => Uptime(0),
            Role::Standby if !self.candidate => self.next,
            Role::Standby => self.free_at().map_or(self.next, |free| free.min(self.next)),
        }
    }

    fn is_missing(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.record.is_none())
    }

    /// A record for nobody. Only what has a version can be seen to stay as it is: of a record that is missing nobody knows
    /// whether there was one meanwhile.
    fn make(&self) -> Claim {
        Claim {
            holder: None,
            transitions: self.highest.0,
            renewals: 0,
            duration: self.timing.duration(),
            against: None,
        }
    }

    fn take(&self) -> Claim {
        let record = self.seen.as_ref().and_then(|seen| seen.record.as_ref());
        let transitions = record.map_or(0, |record| record.transitions).max(self.highest.0);
        Claim {
            holder: Some(Arc::clone(&self.identity)),
            transitions: transitions.saturating_add(1),
            renewals: 0,
            duration: self.timing.duration(),
            against: record.map(|record| Arc::clone(&record.version)),
        }
    }

    /// From when the lease may be taken if it does not change.
    fn free_at(&self) -> Option<Uptime> {
        let Seen { record, since } = self.seen.as_ref()?;
        let record = record.as_ref()?;
        let patience = self.timing.duration();
        Some(match record.holder {
            // Even if the holder is this process: its claim that was thought to have failed can have landed when the lease
            // was deleted under somebody else.
            Some(_) => since.plus(patience.max(record.duration.min(timing::LONGEST))),
            // In place of one that was held, perhaps, by a leader who does not know yet.
            None if record.is_blank() => since.plus(patience),
            None => *since,
        })
    }
}

impl Record {
    /// Nobody has held this one: made by a standby, or by hand. One that was given back was written by its holder.
    fn is_blank(&self) -> bool {
        self.holder.is_none() && self.renewals == 0
    }
}

#[cfg(test)]
mod tests;
