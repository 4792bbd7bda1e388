//! Two weeks of a policy's demand, asked for once: what its guards learn from.
//!
//! Beside the ticks, one request at a time a source with a rest after each, a few policies together where they read the
//! same question. What a source can't say now is asked for again, ever more rarely. A policy's signals may live at several
//! sources: its past is told when all of them are known.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use floorkeeper_core::{Failure, PolicyKey, Sample, Timestamp};
use tokio::sync::mpsc;

use super::evidence::Composed;
use super::plan::{Plan, Reader, Request};
use super::prometheus::Client;
use super::stretch::{self, Stretch};
use super::subscription::Subscription;

/// Whose past is wanted, and from when on.
pub type LookBacks = HashMap<PolicyKey, Timestamp>;

/// How looking back ended for one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct LookedBack {
    pub policy: PolicyKey,
    pub from: Timestamp,
    /// The past of each signal in their order, in steps of five minutes, oldest first.
    pub past: Result<Vec<Vec<Sample>>, NoPast>,
}

/// Why there is no past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPast {
    /// The signal of this place comes from a source that keeps none: it is not asked again.
    NotKept { signal: usize },
    /// Asked again later.
    Failed { signal: usize, why: Failure },
}

/// What one source has been asked.
#[derive(Debug, Default)]
pub(super) struct LookBack {
    tries: HashMap<PolicyKey, Try>,
}

#[derive(Debug)]
struct Try {
    from: Timestamp,
    subscription: Arc<Subscription>,
    told: bool,
    attempts: u32,
    not_before: Timestamp,
}

/// Policies whose past is asked for together.
#[derive(Debug)]
pub(super) struct Party {
    from: Timestamp,
    policies: Vec<Arc<Subscription>>,
    requests: Vec<(Arc<Request>, Vec<Reader>)>,
}

/// The pasts of policies that live at several sources, until they are whole. Shared by all sources.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts(Arc<Mutex<HashMap<PolicyKey, Part>>>);

#[derive(Debug)]
struct Part {
    from: Timestamp,
    subscription: Arc<Subscription>,
    signals: Vec<Option<Vec<Sample>>>,
}

/// Who is asked next, and what can't be asked at all.
#[derive(Debug, Default)]
pub(super) struct Next {
    pub(super) party: Option<Party>,
    pub(super) without: Vec<LookedBack>,
}

impl LookBack {
    /// Whose past is asked for next. It counts as a failed try until [`LookBack::told`].
    pub(super) fn next(&mut self, plan: &Plan, wanted: &LookBacks, now: Timestamp) -> Next {
        self.tries.retain(|policy, _| wanted.contains_key(policy));
        let mut next = Next::default();
        let mut refused: Vec<(Arc<Subscription>, Timestamp)> = Vec::new();
        let due = |tries: &HashMap<PolicyKey, Try>, subscription: &Arc<Subscription>| {
            let from = *wanted.get(&subscription.policy)?;
            let tried = tries.get(&subscription.policy).filter(|tried| tried.is_of(subscription, from));
            tried.is_none_or(|tried| !tried.told && tried.not_before <= now).then_some(from)
        };
        // By policy: the requests that its signals need.
        let mut asks: BTreeMap<&PolicyKey, (Timestamp, &Arc<Subscription>, BTreeSet<usize>)> = BTreeMap::new();
        for (place, planned) in plan.requests.iter().enumerate() {
            for reader in &planned.readers {
                let subscription = &reader.subscription;
                let Some(signal) = subscription.signal_at(reader.place) else { continue };
                let Some(from) = due(&self.tries, subscription) else { continue };
                if matches!(&*planned.request, Request::Metric(_)) {
                    let past = Err(NoPast::NotKept { signal });
                    next.without.push(LookedBack { policy: subscription.policy.clone(), from, past });
                    refused.push((Arc::clone(subscription), from));
                } else {
                    asks.entry(&subscription.policy).or_insert((from, subscription, BTreeSet::new())).2.insert(place);
                }
            }
        }
        for (reader, why) in &plan.refused {
            let subscription = &reader.subscription;
            let Some(signal) = subscription.signal_at(reader.place) else { continue };
            let Some(from) = due(&self.tries, subscription) else { continue };
            let past = Err(NoPast::Failed { signal, why: *why });
            next.without.push(LookedBack { policy: subscription.policy.clone(), from, past });
            refused.push((Arc::clone(subscription), from));
        }
        for without in &next.without {
            asks.remove(&without.policy);
        }
        if let Some((_, _, first)) = asks.values().next() {
            let first = first.clone();
            let alike = asks.values().filter(|(_, _, places)| *places == first).take(TOGETHER);
            let chosen: Vec<_> = alike.map(|(from, subscription, _)| (*from, Arc::clone(subscription))).collect();
            next.party = Some(Party::of(plan, &first, &chosen));
        }
        for (subscription, from) in refused {
            self.tried(&subscription, from, now);
        }
        for subscription in next.party.iter().flat_map(|party| &party.policies) {
            if let Some(from) = wanted.get(&subscription.policy) {
                self.tried(subscription, *from, now);
            }
        }
        next
    }

    /// The source has told its part of this policy's past.
    pub(super) fn told(&mut self, policies: &[PolicyKey]) {
        for policy in policies {
            if let Some(tried) = self.tries.get_mut(policy) {
                tried.told = true;
            }
        }
    }

    fn tried(&mut self, subscription: &Arc<Subscription>, from: Timestamp, now: Timestamp) {
        let before = self.tries.remove(&subscription.policy).filter(|tried| tried.is_of(subscription, from));
        let attempts = before.map_or(0, |tried| tried.attempts).saturating_add(1);
        let pause = FIRST_PAUSE.saturating_mul(1 << (attempts - 1).min(16)).min(LONGEST_PAUSE);
        let tried =
            Try { from, subscription: Arc::clone(subscription), told: false, attempts, not_before: now.plus(pause) };
        self.tries.insert(subscription.policy.clone(), tried);
    }
}

impl Try {
    fn is_of(&self, subscription: &Arc<Subscription>, from: Timestamp) -> bool {
        self.from == from && asks_same(&self.subscription, subscription)
    }
}

impl Party {
    fn of(plan: &Plan, places: &BTreeSet<usize>, chosen: &[(Timestamp, Arc<Subscription>)]) -> Self {
        let is_chosen = |reader: &&Reader| {
            let subscription = &reader.subscription;
            subscription.signal_at(reader.place).is_some()
                && chosen.iter().any(|(_, one)| one.policy == subscription.policy)
        };
        let requests = places
            .iter()
            .filter_map(|place| plan.requests.get(*place))
            .map(|planned| (Arc::clone(&planned.request), planned.readers.iter().filter(is_chosen).cloned().collect()));
        Self {
            from: chosen.iter().map(|(from, _)| *from).min().unwrap_or_default(),
            policies: chosen.iter().map(|(_, subscription)| Arc::clone(subscription)).collect(),
            requests: requests.collect(),
        }
    }

    /// Asks for all of it, and tells what became whole. The policies whose part is known now.
    pub(super) async fn look_back(
        self,
        client: Arc<Client>,
        now: Timestamp,
        wanted: LookBacks,
        parts: Parts,
        pasts: mpsc::Sender<LookedBack>,
    ) -> Vec<PolicyKey> {
        let mut known: HashMap<PolicyKey, Vec<(usize, Vec<Sample>)>> = HashMap::new();
        for (request, readers) in &self.requests {
            let Request::PromQl { composed, .. } = &**request else { continue };
            let points = (POINTS_TOGETHER / readers.len().max(1) as u64).max(1);
            let stretch = Stretch { from: self.from, to: now, step: STEP, points, rest: REST };
            match fetch(composed, readers, &client, &stretch).await {
                Ok(told) => {
                    for (reader, (samples, _)) in readers.iter().zip(told) {
                        let Some(signal) = reader.subscription.signal_at(reader.place) else { continue };
                        known.entry(reader.subscription.policy.clone()).or_default().push((signal, samples));
                    }
                }
                Err(why) => {
                    self.failed(readers, why, &wanted, &pasts).await;
                    tokio::time::sleep(REST).await;
                    return Vec::new();
                }
            }
            tokio::time::sleep(REST).await;
        }
        let mut told = Vec::new();
        for subscription in &self.policies {
            let (Some(signals), Some(from)) = (known.remove(&subscription.policy), wanted.get(&subscription.policy))
            else {
                continue;
            };
            told.push(subscription.policy.clone());
            if let Some(past) = parts.put(subscription, *from, signals) {
                let looked_back = LookedBack { policy: subscription.policy.clone(), from: *from, past: Ok(past) };
                // Nobody listens any more: the loop ends as well.
                if pasts.send(looked_back).await.is_err() {
                    break;
                }
            }
        }
        told
    }

    async fn failed(&self, readers: &[Reader], why: Failure, wanted: &LookBacks, pasts: &mpsc::Sender<LookedBack>) {
        for reader in readers {
            let policy = reader.subscription.policy.clone();
            let (Some(signal), Some(from)) = (reader.subscription.signal_at(reader.place), wanted.get(&policy)) else {
                continue;
            };
            let past = Err(NoPast::Failed { signal, why });
            // Nobody listens any more: the loop ends as well.
            let _ = pasts.send(LookedBack { policy, from: *from, past }).await;
        }
    }
}

impl Parts {
    /// What no one wants any more is dropped.
    pub(super) fn retain(&self, wanted: &LookBacks) {
        self.lock().retain(|policy, part| wanted.get(policy) == Some(&part.from));
    }

    /// One source's part. The whole, once all signals are known.
    fn put(
        &self,
        subscription: &Arc<Subscription>,
        from: Timestamp,
        signals: Vec<(usize, Vec<Sample>)>,
    ) -> Option<Vec<Vec<Sample>>> {
        let mut parts = self.lock();
        let count = subscription.signals.len();
        let before = parts
            .remove(&subscription.policy)
            .filter(|part| part.from == from && asks_same(&part.subscription, subscription));
        let mut part =
            before.unwrap_or_else(|| Part { from, subscription: Arc::clone(subscription), signals: vec![None; count] });
        for (signal, samples) in signals {
            if let Some(place) = part.signals.get_mut(signal) {
                *place = Some(samples);
            }
        }
        if part.signals.iter().all(Option::is_some) {
            return part.signals.into_iter().collect();
        }
        parts.insert(subscription.policy.clone(), part);
        None
    }

    /// A panic elsewhere leaves nothing half-written here: the lock is taken all the same.
    fn lock(&self) -> MutexGuard<'_, HashMap<PolicyKey, Part>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of these workloads only, where the question can be narrowed to them: then it costs the source little.
async fn fetch(
    composed: &Composed,
    readers: &[Reader],
    client: &Client,
    stretch: &Stretch,
) -> Result<Vec<stretch::Told>, Failure> {
    let namespaces: BTreeSet<&str> = readers.iter().map(|reader| &*reader.subscription.policy.namespace).collect();
    let targets: BTreeSet<&str> = readers.iter().map(|reader| &*reader.subscription.target.name).collect();
    let (namespaces, targets): (Vec<&str>, Vec<&str>) =
        (namespaces.into_iter().collect(), targets.into_iter().collect());
    let of_namespaces = || composed.narrowed(&namespaces).unwrap_or_else(|| composed.clone());
    let Some(question) = composed.narrowed_to(&namespaces, &targets) else {
        return stretch::fetch(of_namespaces(), readers, client, stretch).await;
    };
    let told = stretch::fetch(question, readers, client, stretch).await?;
    if told.iter().any(|(samples, _)| !samples.is_empty()) {
        return Ok(told);
    }
    // The workload's name may come from another series than the load.
    stretch::fetch(of_namespaces(), readers, client, stretch).await
}

fn asks_same(a: &Arc<Subscription>, b: &Arc<Subscription>) -> bool {
    Arc::ptr_eq(a, b) || (a.target == b.target && a.signals == b.signals)
}

/// As finely as core learns from it.
const STEP: Duration = Duration::from_secs(300);

/// Policies that are asked for together: what is held of their past stays a few megabytes.
const TOGETHER: usize = 16;

/// Points of all workloads together that one request asks for: with what backs them an answer of a megabyte.
const POINTS_TOGETHER: u64 = 10_000;

/// A source that answers in a tenth of a second is busy with this for a sixth of the time.
const REST: Duration = Duration::from_millis(500);

const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// A source that can't tell its past may learn to.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests;
