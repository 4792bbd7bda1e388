//! What workloads' own pasts teach, kept over restarts: read when this process begins to lead, asked of the source as far
//! as it is missing, and stored once a day, each policy at a moment of its own.
//!
//! Nothing waits for it: without a history the engine decides by its constant rule. A standby keeps none; what it would
//! have read at its start is old when it begins to lead. Nothing is stored at a stop: what was learned since the last write
//! the source can tell.

mod book;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use floorkeeper_core::{Learned, Outcome, Policy, PolicyKey, Timestamp, Usual};
use kube::core::DeserializeGuard;
use kube::{Api, Client};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tracing::{info, warn};

use self::book::{Book, Stored, soon};
use super::clock::now;
use super::input::Input;
use super::vitals::Vitals;
use super::watch::{Id, Seen, watch as watch_kind};
use crate::api::{DemandHistory, ScalingPolicy};
use crate::apply::{BackFill, Learning, Writer, history_spec};
use crate::observe::{LookBacks, LookedBack, NoPast};

/// What the engine has learned of one policy.
#[derive(Clone, Debug)]
pub(super) struct Recalled {
    pub(super) learned: Learned,
    pub(super) usual: Option<Usual>,
}

/// The ends of all that histories need.
pub(super) struct Ends {
    pub(super) client: Client,
    pub(super) vitals: Arc<Vitals>,
    pub(super) inputs: mpsc::Sender<Input>,
    /// For whom sources are asked to look back.
    pub(super) look_backs: watch::Sender<LookBacks>,
    /// What they tell.
    pub(super) pasts: mpsc::Receiver<LookedBack>,
}

/// All histories.
pub(super) struct Histories {
    ends: Ends,
    writer: Writer,
    books: HashMap<PolicyKey, Book>,
    /// What is told, in this order.
    outbox: VecDeque<Out>,
    seen: Option<mpsc::Receiver<Found>>,
    /// All that is stored was seen, or can't be.
    listed: bool,
    agenda: BTreeMap<Timestamp, Vec<PolicyKey>>,
    watching: JoinSet<()>,
    writing: JoinSet<(PolicyKey, Option<String>)>,
}

/// What the watch says.
enum Found {
    There(PolicyKey, Box<Stored>),
    Gone(PolicyKey),
    Listed,
}

enum Out {
    Input(Box<Input>),
    LookBack(PolicyKey, Timestamp),
}

impl Histories {
    pub(super) fn new(writer: Writer, ends: Ends) -> Self {
        Self {
            ends,
            writer,
            books: HashMap::new(),
            outbox: VecDeque::new(),
            seen: None,
            listed: false,
            agenda: BTreeMap::new(),
            watching: JoinSet::new(),
            writing: JoinSet::new(),
        }
    }

    /// A policy was seen as an object.
    pub(super) fn about(&mut self, policy: &PolicyKey, object: &Arc<ScalingPolicy>) {
        let soon = soon(policy, self.books.len(), now());
        self.books.entry(policy.clone()).or_default().is(Arc::clone(object), soon);
        self.begin(policy, false);
        self.plan(policy);
    }

    /// A policy was decided: the engine knows it.
    pub(super) fn consider(&mut self, policy: &PolicyKey, spec: &Arc<Policy>) {
        let edited = self.books.entry(policy.clone()).or_default().decided(spec);
        self.begin(policy, edited);
    }

    /// A policy is gone.
    pub(super) fn forget(&mut self, policy: &PolicyKey) {
        if self.books.remove(policy).is_some() {
            self.ends.look_backs.send_if_modified(|wanted| wanted.remove(policy).is_some());
        }
    }

    /// What its status says of it.
    pub(super) fn of(&self, policy: &PolicyKey) -> Learning {
        self.books.get(policy).map(Book::learning).unwrap_or_default()
    }

    /// Carries out what is due, and waits until a status has something new to say. Dropping it loses nothing.
    pub(super) async fn next(&mut self) -> PolicyKey {
        loop {
            self.tell().await;
            let seen = self.seen.get_or_insert_with(|| watch(&self.ends, &mut self.watching));
            let pause = self.agenda.keys().next().map_or(IDLE, |at| at.since(now()));
            let busy = self.writing.len() >= AT_ONCE;
            tokio::select! {
                Some(found) = seen.recv() => if let Some(policy) = self.take(found) { return policy },
                Some(told) = self.ends.pasts.recv() => if let Some(policy) = self.looked_back(told) { return policy },
                Some(ended) = self.writing.join_next(), if !self.writing.is_empty() => self.written(ended),
                () = tokio::time::sleep(pause), if !busy => self.write_what_is_due(now()),
            }
        }
    }

    async fn tell(&mut self) {
        while !self.outbox.is_empty() {
            // First the room, then what goes into it: nothing is lost where this is dropped.
            match (self.ends.inputs.reserve().await, self.outbox.pop_front()) {
                (Ok(room), Some(Out::Input(input))) => room.send(*input),
                (Ok(_), Some(Out::LookBack(policy, from))) => {
                    self.ends.look_backs.send_if_modified(|wanted| wanted.insert(policy, from) != Some(from));
                }
                (Ok(_), None) => {}
                // The loop has ended: nobody is left to tell.
                (Err(_), _) => self.outbox.clear(),
            }
        }
    }

    fn take(&mut self, found: Found) -> Option<PolicyKey> {
        match found {
            Found::There(policy, stored) => {
                let book = self.books.entry(policy.clone()).or_default();
                // Our own write comes back, or somebody has been at it: what the engine knows is newer.
                let known = book.stored.as_ref().is_some_and(|known| known.version == stored.version);
                if !known {
                    book.found(*stored);
                    self.begin(&policy, false);
                }
                (!known).then_some(policy)
            }
            Found::Gone(policy) => {
                let book = self.books.get_mut(&policy)?;
                book.stored = None;
                if book.object.is_none() {
                    self.books.remove(&policy);
                }
                Some(policy)
            }
            Found::Listed => {
                if !std::mem::replace(&mut self.listed, true) {
                    for policy in self.books.keys().cloned().collect::<Vec<_>>() {
                        self.begin(&policy, false);
                    }
                }
                None
            }
        }
    }

    /// Tells what is stored, and has the source asked for the rest, once.
    fn begin(&mut self, policy: &PolicyKey, edited: bool) {
        if !self.listed {
            return;
        }
        let now = now();
        let Some(book) = self.books.get_mut(policy) else { return };
        let Some(beginning) = book.begin(policy, edited, now) else { return };
        if let Some(note) = book.learning().note {
            warn!(%policy, note, "history is not used");
        }
        if let Some(learned) = beginning.learned {
            self.outbox.push_back(Out::Input(Box::new(Input::Learned(policy.clone(), learned))));
        }
        if let Some(from) = beginning.look_back {
            self.outbox.push_back(Out::LookBack(policy.clone(), from));
        }
        self.plan(policy);
    }

    fn looked_back(&mut self, told: LookedBack) -> Option<PolicyKey> {
        let LookedBack { policy, from, past } = told;
        let wanted = self.ends.look_backs.borrow().get(&policy) == Some(&from);
        let policies = self.books.len();
        // Of an edit before, or of a policy that is gone.
        let book = self.books.get_mut(&policy).filter(|_| wanted)?;
        let name = |signal: usize| {
            let signal = book.spec.as_ref().and_then(|spec| spec.signals.get(signal));
            signal.map(|signal| signal.name.to_string()).unwrap_or_default()
        };
        let done = match past {
            Ok(past) => {
                info!(%policy, points = past.iter().map(Vec::len).sum::<usize>(), "the source has told the past");
                book.looked_back(from, soon(&policy, policies, now()));
                self.outbox.push_back(Out::Input(Box::new(Input::Past(policy.clone(), past))));
                true
            }
            Err(NoPast::NotKept { signal }) => {
                book.past = BackFill::NotKept(name(signal));
                true
            }
            Err(NoPast::Failed { signal, why }) => {
                book.past = BackFill::Failing(name(signal), why);
                false
            }
        };
        if done {
            self.ends.look_backs.send_if_modified(|wanted| wanted.remove(&policy).is_some());
        }
        self.plan(&policy);
        Some(policy)
    }

    fn plan(&mut self, policy: &PolicyKey) {
        let Some(book) = self.books.get_mut(policy).filter(|book| book.planned != book.due) else { return };
        book.planned = book.due;
        if let Some(due) = book.due {
            self.agenda.entry(due).or_default().push(policy.clone());
        }
    }

    fn write_what_is_due(&mut self, now: Timestamp) {
        while self.writing.len() < AT_ONCE
            && let Some(entry) = self.agenda.first_entry().filter(|entry| *entry.key() <= now)
        {
            let at = *entry.key();
            let mut policies = entry.remove();
            let Some(policy) = policies.pop() else { continue };
            if !policies.is_empty() {
                self.agenda.insert(at, policies);
            }
            // An entry whose time was changed is none any more.
            let Some(book) = self.books.get_mut(&policy).filter(|book| book.due == Some(at) && !book.writing) else {
                continue;
            };
            let (Some(object), Some(spec)) = (book.object.clone(), book.spec.clone()) else { continue };
            let Ok(over) = book.over().map(|over| over.map(ToOwned::to_owned)) else {
                book.written(&policy, None, now);
                self.plan(&policy);
                continue;
            };
            book.writing = true;
            let (writer, inputs, from) = (self.writer.clone(), self.ends.inputs.clone(), book.from);
            self.writing.spawn(async move {
                let version = write(&writer, &inputs, &policy, &object, &spec, from, over.as_deref()).await;
                (policy, version)
            });
        }
    }

    fn written(&mut self, ended: Result<(PolicyKey, Option<String>), JoinError>) {
        // A panic in a write: that history stays marked as being written, and is not stored any more.
        let Ok((policy, version)) = ended else { return };
        if let Some(book) = self.books.get_mut(&policy) {
            book.written(&policy, version, now());
        }
        self.plan(&policy);
    }
}

/// Asks the loop for what was learned, and stores it. The version that stands there then.
async fn write(
    writer: &Writer,
    inputs: &mpsc::Sender<Input>,
    policy: &PolicyKey,
    object: &ScalingPolicy,
    spec: &Policy,
    from: Option<Timestamp>,
    over: Option<&str>,
) -> Option<String> {
    let (reply, mut recalled) = mpsc::channel(1);
    inputs.send(Input::Recall(policy.clone(), reply)).await.ok()?;
    let Recalled { learned, usual } = recalled.recv().await?;
    let names: Vec<&str> = spec.signals.iter().map(|signal| &*signal.name).collect();
    // Edited meanwhile: what was learned is reckoned by other signals.
    if names.len() != learned.reckoned_by.len() {
        return None;
    }
    let stored = history_spec(&learned, &names, usual.and_then(|usual| usual.within_an_hour), from, now());
    let (outcome, version) = writer.write_history(object, stored, over).await;
    match outcome {
        Outcome::Done => version,
        Outcome::Unneeded | Outcome::Conflict | Outcome::Failed => None,
    }
}

fn watch(ends: &Ends, watching: &mut JoinSet<()>) -> mpsc::Receiver<Found> {
    let (found, seen) = mpsc::channel(FOUND_WAITING);
    let (api, vitals) = (Api::<DeserializeGuard<DemandHistory>>::all(ends.client.clone()), Arc::clone(&ends.vitals));
    let key = |Id { namespace, name }| PolicyKey { namespace, name };
    watching.spawn(async move {
        watch_kind(api, "demandhistories.floorkeeper.dev", &vitals, found, |seen, out| {
            out.push(match seen {
                Seen::There(id, object) => {
                    let stored = match object.0 {
                        Ok(history) => Stored::readable(history),
                        Err(broken) => Stored::unreadable(&broken.metadata, broken.error),
                    };
                    Found::There(key(id), Box::new(stored))
                }
                Seen::Gone(id) => Found::Gone(key(id)),
                // What can't be seen is not waited for: the source is asked for all of it.
                Seen::Listed | Seen::Refused => Found::Listed,
            });
        })
        .await;
    });
    seen
}

/// Histories are in no hurry, and never crowd out a floor.
const AT_ONCE: usize = 2;

/// A list of histories is read on while these wait.
const FOUND_WAITING: usize = 64;

/// Also how soon a clock that jumped is noticed.
const IDLE: std::time::Duration = std::time::Duration::from_secs(60);
