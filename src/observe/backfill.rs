//! The past of a signal, asked for when its policy is first seen and when its source was away.
//!
//! The same composed query over a range: every point of the past comes with its count and age of series, so a gap is
//! known to be one. It runs beside the ticks, one request at a time; a range whose answer is too large is halved.

use core::time::Duration;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use floorkeeper_core::{Event, Failure, PolicyKey, Sample, Timestamp};
use tokio::sync::mpsc;

use super::evidence::Composed;
use super::plan::{Memory, Plan, Reader, Request};
use super::prometheus::Client;
use super::stretch::{self, Stretch};
use super::subscription::Subscription;

/// Whose past is known, and whose is still to be asked for.
#[derive(Debug, Default)]
pub(super) struct Backfill {
    known: HashMap<PolicyKey, Past>,
}

#[derive(Debug)]
struct Past {
    subscription: Arc<Subscription>,
    done: bool,
    attempts: u32,
    /// Ticks to wait before the next attempt.
    wait: u32,
}

/// One request for the past, for all of its readers.
#[derive(Debug)]
pub(super) struct Wanted {
    request: Arc<Request>,
    readers: Vec<Reader>,
    range: Duration,
}

/// How the request for a policy's past ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    policy: PolicyKey,
    answered: bool,
}

impl Backfill {
    /// What is asked from now on. Returns the policies that are new to this source or ask something else.
    pub(super) fn sync(&mut self, source: &str, subscriptions: &[Arc<Subscription>]) -> HashSet<PolicyKey> {
        let mut before = std::mem::take(&mut self.known);
        let mut new = HashSet::new();
        for subscription in subscriptions.iter().filter(|one| one.asks().any(|ask| *ask.source == *source)) {
            let known = before.remove(&subscription.policy).filter(|past| {
                past.subscription.target == subscription.target
                    && past.subscription.signals == subscription.signals
                    && past.subscription.errors == subscription.errors
            });
            if known.is_none() {
                new.insert(subscription.policy.clone());
            }
            let subscription = Arc::clone(subscription);
            let past = match known {
                Some(past) => Past { subscription, ..past },
                None => Past { done: subscription.history.is_zero(), subscription, attempts: 0, wait: 0 },
            };
            self.known.insert(past.subscription.policy.clone(), past);
        }
        new
    }

    /// The source was away from these readers: what it has of that time is asked for.
    pub(super) fn again(&mut self, readers: &[Reader]) {
        for reader in readers {
            if let Some(past) = self.known.get_mut(&reader.subscription.policy) {
                *past = Past {
                    done: past.subscription.history.is_zero(),
                    subscription: Arc::clone(&past.subscription),
                    attempts: 0,
                    wait: 0,
                };
            }
        }
    }

    /// What is to be asked now, one tick after the last time.
    pub(super) fn due(&mut self, plan: &Plan) -> Vec<Wanted> {
        let mut due = HashSet::new();
        for (policy, past) in self.known.iter_mut().filter(|(_, past)| !past.done) {
            if past.wait > 0 {
                past.wait -= 1;
            } else {
                due.insert(policy.clone());
            }
        }
        let mut wanted = Vec::new();
        let mut asked = HashSet::new();
        for planned in &plan.requests {
            let is_due = |reader: &&Reader| {
                due.contains(&reader.subscription.policy) && reader.subscription.signal_at(reader.place).is_some()
            };
            let readers: Vec<Reader> = planned.readers.iter().filter(is_due).cloned().collect();
            if readers.is_empty() || !matches!(&*planned.request, Request::PromQl { .. }) {
                continue;
            }
            asked.extend(readers.iter().map(|reader| reader.subscription.policy.clone()));
            let range = readers.iter().map(|reader| reader.subscription.history).max().unwrap_or_default();
            wanted.push(Wanted { request: Arc::clone(&planned.request), readers, range });
        }
        // The metrics APIs have no past.
        for policy in due.difference(&asked) {
            if let Some(past) = self.known.get_mut(policy) {
                past.done = true;
            }
        }
        wanted
    }

    /// How the last requests ended. What failed is tried again, ever more rarely, and given up in the end: the window
    /// then fills by itself.
    pub(super) fn finished(&mut self, outcomes: Vec<Outcome>) {
        let failed: HashSet<PolicyKey> =
            outcomes.iter().filter(|outcome| !outcome.answered).map(|outcome| outcome.policy.clone()).collect();
        for Outcome { policy, .. } in outcomes {
            let Some(past) = self.known.get_mut(&policy) else { continue };
            if failed.contains(&policy) {
                past.attempts += 1;
                past.wait = 1 << past.attempts.min(MAX_ATTEMPTS);
                past.done = past.attempts >= MAX_ATTEMPTS;
            } else {
                past.done = true;
            }
        }
    }
}

/// Asks for the past, one request after the other, and tells it.
pub(super) async fn run(
    wanted: Vec<Wanted>,
    client: Arc<Client>,
    step: Duration,
    now: Timestamp,
    events: mpsc::Sender<Event>,
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for Wanted { request, readers, range } in wanted {
        let Request::PromQl { composed, fullness } = &*request else { continue };
        let stretch = Stretch { from: now.minus(range), to: now, step, points: u64::MAX, rest: Duration::ZERO };
        let pasts = fetch(composed, fullness, &readers, &client, &stretch).await;
        let answered = pasts.is_ok();
        for (reader, samples) in readers.iter().zip(pasts.unwrap_or_default()) {
            let Some(signal) = reader.subscription.signal_at(reader.place) else { continue };
            let event = Event::History(reader.subscription.policy.clone(), signal, samples);
            if events.send(event).await.is_err() {
                return outcomes;
            }
        }
        let policies: BTreeSet<_> = readers.iter().map(|reader| reader.subscription.policy.clone()).collect();
        outcomes.extend(policies.into_iter().map(|policy| Outcome { policy, answered }));
    }
    outcomes
}

/// The samples of each reader, oldest first.
async fn fetch(
    composed: &Composed,
    memory: &Memory,
    readers: &[Reader],
    client: &Client,
    stretch: &Stretch,
) -> Result<Vec<Vec<Sample>>, Failure> {
    let namespaces: BTreeSet<&str> = readers.iter().map(|reader| &*reader.subscription.policy.namespace).collect();
    let narrowed = if namespaces.len() <= NARROWED {
        composed.narrowed(&namespaces.into_iter().collect::<Vec<_>>())
    } else {
        None
    };
    let told = stretch::fetch(narrowed.unwrap_or_else(|| composed.clone()), readers, client, stretch).await?;
    let mut pasts = Vec::with_capacity(told.len());
    for (reader, (samples, fullness)) in readers.iter().zip(told) {
        memory.learn(reader.key(), fullness);
        pasts.push(samples);
    }
    Ok(pasts)
}

/// Up to this many namespaces a shared question about the past is narrowed to them: a new policy then costs little.
const NARROWED: usize = 20;

/// Attempts for one past, each after twice the pause of the one before: five take half an hour at most.
const MAX_ATTEMPTS: u32 = 5;
