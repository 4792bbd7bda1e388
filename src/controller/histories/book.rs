//! What is known of the history of one policy, and what is to be done about it. Pure: time is an argument.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{Learned, Policy, PolicyKey, Timestamp};
use kube::core::ObjectMeta;

use crate::api::{DemandHistory, DemandHistorySpec, ScalingPolicy};
use crate::apply::{self, BackFill, Learning};

/// One policy's history.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// The policy as an object, and as the engine knows it.
    pub(super) object: Option<Arc<ScalingPolicy>>,
    pub(super) spec: Option<Arc<Policy>>,
    /// What stands in the API server.
    pub(super) stored: Option<Stored>,
    /// It is told to the engine, and the source is asked for what it lacks.
    begun: bool,
    pub(super) past: BackFill,
    /// The source was asked for the past from then on.
    pub(super) from: Option<Timestamp>,
    /// When it is written next.
    pub(super) due: Option<Timestamp>,
    /// The entry in the agenda that says so.
    pub(super) planned: Option<Timestamp>,
    pub(super) writing: bool,
    failures: u32,
}

/// A stored history.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) version: String,
    /// UID of the policy that owns it.
    owner: Option<String>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Untold(Box<DemandHistorySpec>),
    /// Its days are in the engine, or of no use.
    Told,
    /// Why nothing of it can be used.
    Damaged(String),
}

/// What a book begins with.
#[derive(Debug, PartialEq)]
pub(super) struct Beginning {
    pub(super) learned: Option<Learned>,
    /// The source is asked for what was before now and after this.
    pub(super) look_back: Option<Timestamp>,
}

impl Stored {
    pub(super) fn readable(history: DemandHistory) -> Self {
        Self { content: Content::Untold(Box::new(history.spec)), ..Self::unreadable(&history.metadata, String::new()) }
    }

    pub(super) fn unreadable(metadata: &ObjectMeta, why: String) -> Self {
        Self {
            version: metadata.resource_version.clone().unwrap_or_default(),
            owner: apply::history_owner(metadata).map(ToOwned::to_owned),
            content: Content::Damaged(why),
        }
    }
}

impl Book {
    /// The policy as an object. One of the same name that was created anew has no history yet.
    pub(super) fn is(&mut self, object: Arc<ScalingPolicy>, soon: Timestamp) {
        let uid = |object: &Arc<ScalingPolicy>| object.metadata.uid.clone();
        let another = self.object.as_ref().is_some_and(|before| uid(before) != uid(&object));
        self.object = Some(object);
        if another && self.begun {
            self.due = Some(soon);
        }
    }

    /// The engine has decided by this spec. True: it may have forgotten what it had learned.
    pub(super) fn decided(&mut self, spec: &Arc<Policy>) -> bool {
        let edited = self
            .spec
            .as_ref()
            .is_some_and(|before| before.signals != spec.signals || before.headroom_percent != spec.headroom_percent);
        self.spec = Some(Arc::clone(spec));
        if edited {
            (self.begun, self.from, self.past) = (false, None, BackFill::Asked);
        }
        edited
    }

    /// What was stored is told, and the source is asked, once both policy and spec are known.
    pub(super) fn begin(&mut self, key: &PolicyKey, edited: bool, now: Timestamp) -> Option<Beginning> {
        let spec = Arc::clone(self.spec.as_ref()?);
        if self.begun || self.object.is_none() {
            return None;
        }
        self.begun = true;
        let whole = now.minus(TWO_WEEKS);
        let usable = if edited { None } else { self.read(&spec, now) };
        let (learned, since) = match usable {
            Some((learned, from, until)) => {
                self.from = from;
                // The peaks that a fall is measured from are those of the day before, and are not stored.
                let missing = until.minus(DAY + spec.memory() + HOUR);
                (Some(learned), from.map_or(whole, |_| missing.max(whole).min(now)))
            }
            None => (None, whole),
        };
        self.forget_days();
        let can_be_reckoned = !spec.signals.is_empty() && spec.signals.iter().all(|signal| signal.capacity.is_some());
        self.past = if can_be_reckoned { BackFill::Asked } else { BackFill::NoCapacity };
        self.due = Some(daily(key, now));
        Some(Beginning { learned, look_back: can_be_reckoned.then_some(since) })
    }

    fn read(&mut self, spec: &Policy, now: Timestamp) -> Option<(Learned, Option<Timestamp>, Timestamp)> {
        if !self.is_ours() {
            return None;
        }
        let Some(Stored { content, .. }) = &mut self.stored else { return None };
        let Content::Untold(stored) = &*content else { return None };
        match apply::learned(stored, now) {
            Ok((names, learned)) => {
                let same = names.iter().copied().eq(spec.signals.iter().map(|signal| &*signal.name));
                same.then(|| (learned, stored.from.map(|from| from.0), stored.until.0))
            }
            Err(damage) => {
                *content = Content::Damaged(damage.to_string());
                None
            }
        }
    }

    /// What stands in the API server. What the engine knows already is newer.
    pub(super) fn found(&mut self, stored: Stored) {
        self.stored = Some(stored);
        if self.begun {
            self.forget_days();
        }
    }

    fn forget_days(&mut self) {
        if let Some(Stored { content: content @ Content::Untold(_), .. }) = &mut self.stored {
            *content = Content::Told;
        }
    }

    /// The past is in the engine.
    pub(super) fn looked_back(&mut self, from: Timestamp, soon: Timestamp) {
        self.past = BackFill::Known;
        if self.from.is_none() {
            self.from = Some(from);
            self.due = Some(soon);
        }
    }

    /// A write of it ended; `version`: what stands there now.
    pub(super) fn written(&mut self, key: &PolicyKey, version: Option<String>, now: Timestamp) {
        self.writing = false;
        match version {
            Some(version) => {
                self.failures = 0;
                self.due = Some(daily(key, now.plus(APART)));
                let owner = self.object.as_ref().and_then(|object| object.metadata.uid.clone());
                self.stored = Some(Stored { version, owner, content: Content::Told });
            }
            None => {
                let pause = FIRST_PAUSE * 2_u32.saturating_pow(self.failures.min(6));
                self.failures += 1;
                self.due = Some(now.plus(pause));
            }
        }
    }

    /// The object that stands there is this very policy's.
    fn is_ours(&self) -> bool {
        let uid = self.object.as_ref().and_then(|object| object.metadata.uid.as_deref());
        let owner = self.stored.as_ref().and_then(|stored| stored.owner.as_deref());
        uid.is_some() && owner == uid
    }

    /// Over which version it may be written; `Err`: somebody else's stands there.
    pub(super) fn over(&self) -> Result<Option<&str>, ()> {
        match &self.stored {
            None => Ok(None),
            Some(stored) if self.is_ours() => Ok(Some(&stored.version)),
            Some(_) => Err(()),
        }
    }

    /// For the status.
    pub(super) fn learning(&self) -> Learning {
        let note = match &self.stored {
            Some(_) if !self.is_ours() => Some(FOREIGN.to_owned()),
            Some(Stored { content: Content::Damaged(damage), .. }) => {
                Some(format!("the stored DemandHistory can't be used and will be written anew: {damage}"))
            }
            Some(_) | None => None,
        };
        Learning { past: self.past.clone(), note }
    }
}

/// The next moment of a policy's own in the day.
fn daily(key: &PolicyKey, after: Timestamp) -> Timestamp {
    let phase = Duration::from_millis(chance(key) % millis(DAY));
    let today = Timestamp(after.0 - after.0 % millis(DAY)).plus(phase);
    if today > after { today } else { today.plus(DAY) }
}

/// When a history that was never stored is: soon, and not all at once.
pub(super) fn soon(key: &PolicyKey, policies: usize, now: Timestamp) -> Timestamp {
    let spread = (policies.max(1) as u64).saturating_mul(millis(EACH));
    now.plus(SETTLED + Duration::from_millis(chance(key) % spread))
}

/// A number of the policy's own, always the same.
fn chance(key: &PolicyKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

const fn millis(span: Duration) -> u64 {
    span.as_millis() as u64
}

const FOREIGN: &str = "a DemandHistory of this name stands there that is not this policy's: it is neither read nor \
                       written; delete it";

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// As much as core keeps.
const TWO_WEEKS: Duration = Duration::from_secs(14 * 86_400);

/// At most so often a history is written, except for the first time: then the moment of its own in the day is near.
const APART: Duration = Duration::from_secs(12 * 3600);

/// The first is written when the past has settled in.
const SETTLED: Duration = Duration::from_secs(10);

/// Ten policies a second: as many first histories the API server does not notice.
const EACH: Duration = Duration::from_millis(100);

const FIRST_PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
