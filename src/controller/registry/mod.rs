//! What people have written, parsed: policies, sources and overrides, and the watches and questions that follow.
//!
//! A policy that can't be understood does not reach the engine: what was last understood stays in force, and its
//! status says what to write. Synchronous: [`Registry::take`] every change, then [`Registry::settle`], and carry the
//! [`Effects`] out.

mod border;
mod effects;
mod orders;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use floorkeeper_core::{Override, Policy, PolicyKey, Standing, TargetKey, Timestamp};

use self::wanted::Wanted;
use super::input::{Input, Store};
use super::kinds::{KindRef, Resolved, Unresolved};
use super::overrides::Order;
use super::watch::Id;
use crate::api::{FloorOverride, FloorOverrideStatus, MetricSource, ScalingPolicy};
use crate::observe::{SourceConfig, Subscription};

pub(super) use self::effects::{About, Effects};

/// Something changed in what people have written, or in what is known of kinds.
#[derive(Debug)]
pub(super) enum Change {
    Policy(Id, Option<Box<ScalingPolicy>>),
    Source(Arc<str>, Option<Box<MetricSource>>),
    Override(Id, Option<Box<FloorOverride>>),
    Table(Arc<str>, Vec<(TargetKey, Standing)>),
    Listed(List),
    Resolved(KindRef, Result<Resolved, Unresolved>),
    /// The label selector of a target's pods; `None`: not found.
    Pods(TargetKey, Option<Arc<str>>),
}

/// The lists that people and floorkeeper keep in `floorkeeper.dev`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum List {
    Policies,
    Sources,
    Overrides,
    Tables,
}

/// Everything that was written, as last understood.
#[derive(Debug, Default)]
pub(super) struct Registry {
    listed: BTreeSet<List>,
    begun: bool,
    policies: HashMap<PolicyKey, Entry>,
    sources: BTreeMap<Arc<str>, Source>,
    orders: HashMap<Id, OrderEntry>,
    wanted: Wanted,
    /// Label selectors of the pods of targets that are measured by their pods; `None`: not known yet.
    pods: HashMap<TargetKey, Option<Arc<str>>>,
    /// Policies to be parsed again.
    stale: HashSet<PolicyKey>,
    /// Namespaces whose overrides are to be matched again.
    unmatched: HashSet<Arc<str>>,
    sources_changed: bool,
    questions_changed: bool,
    effects: Effects,
}

#[derive(Debug)]
struct Entry {
    /// Without what only its status is compared with.
    object: Arc<ScalingPolicy>,
    /// As last understood.
    told: Option<Arc<Policy>>,
    subscription: Option<Arc<Subscription>>,
    /// Overrides as last told.
    overrides: Vec<Override>,
    /// Why the present spec is not understood.
    problem: Option<Arc<str>>,
}

#[derive(Debug)]
struct Source {
    object: Arc<MetricSource>,
    /// As last understood.
    config: Option<Arc<SourceConfig>>,
    /// Why the present spec is not understood, and what to write.
    problem: Option<Arc<str>>,
}

#[derive(Debug)]
struct OrderEntry {
    order: Order,
    seen: Option<FloorOverrideStatus>,
    /// The status last asked to be written, and when.
    asked: Option<(FloorOverrideStatus, Timestamp)>,
}

impl Entry {
    fn new(object: Arc<ScalingPolicy>) -> Self {
        Self { object, told: None, subscription: None, overrides: Vec::new(), problem: None }
    }

    fn labels(&self) -> &BTreeMap<String, String> {
        self.object.metadata.labels.as_ref().unwrap_or(&NO_LABELS)
    }
}

impl Registry {
    /// Takes one change in.
    pub(super) fn take(&mut self, change: Change) {
        match change {
            Change::Policy(id, Some(object)) => self.take_policy(&id, *object),
            Change::Policy(id, None) => self.drop_policy(&id),
            Change::Source(name, object) => self.take_source(name, object),
            Change::Override(id, Some(object)) => {
                self.unmatched.insert(Arc::clone(&id.namespace));
                let order = Order::read(&object);
                self.orders.insert(id, OrderEntry { order, seen: object.status, asked: None });
            }
            Change::Override(id, None) => {
                self.orders.remove(&id);
                self.unmatched.insert(id.namespace);
            }
            Change::Table(namespace, rows) => {
                self.wanted.rows(&namespace, rows.iter().map(|(target, _)| &target.resource));
                self.effects.inputs.push(Input::Table { namespace, rows });
            }
            Change::Listed(list) => {
                self.listed.insert(list);
                if list == List::Tables {
                    self.effects.inputs.push(Input::Filled(Store::Tables));
                }
            }
            Change::Pods(target, selector) => {
                if selector.is_some() && self.pods.get(&target).is_some_and(|known| *known != selector) {
                    let named = self
                        .policies
                        .iter()
                        .filter(|(_, entry)| entry.told.as_ref().is_some_and(|policy| policy.target == target));
                    self.stale.extend(named.map(|(key, _)| key.clone()));
                    self.pods.insert(target, selector);
                }
            }
            Change::Resolved(kind, resolved) => {
                for policy in self.wanted.resolved(kind, resolved) {
                    self.stale.insert(policy);
                }
            }
        }
    }

    /// Works out what follows from everything taken since the last time.
    pub(super) fn settle(&mut self, now: Timestamp) -> Effects {
        if self.listed.contains(&List::Policies) && self.listed.contains(&List::Sources) {
            for key in std::mem::take(&mut self.stale) {
                self.parse(&key);
            }
            self.wanted.settle(&mut self.effects);
            self.publish();
        }
        if self.begun_or_ready() {
            self.match_orders(now);
        }
        if !self.begun && self.begun_or_ready() {
            self.begun = true;
            self.effects.inputs.push(Input::Filled(Store::Policies));
        }
        self.effects.sort();
        std::mem::take(&mut self.effects)
    }

    /// How many policies read a source.
    pub(super) fn readers(&self) -> HashMap<Arc<str>, usize> {
        let mut readers = HashMap::new();
        for subscription in self.policies.values().filter_map(|entry| entry.subscription.as_ref()) {
            let sources: BTreeSet<_> = subscription.asks().map(|ask| &ask.source).collect();
            for source in sources {
                *readers.entry(Arc::clone(source)).or_default() += 1;
            }
        }
        readers
    }

    /// Every source, and what is wrong with it.
    pub(super) fn sources(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<MetricSource>, Option<&Arc<str>>)> {
        self.sources.iter().map(|(name, source)| (name, &source.object, source.problem.as_ref()))
    }

    /// Kinds that could not be resolved, to be looked up again.
    pub(super) fn unresolved(&self) -> Vec<KindRef> {
        self.wanted.unresolved().cloned().collect()
    }

    /// Targets whose pods' selector is not known yet, to be asked for again.
    pub(super) fn podless(&self) -> Vec<TargetKey> {
        self.pods.iter().filter(|(_, known)| known.is_none()).map(|(target, _)| target.clone()).collect()
    }

    fn begun_or_ready(&self) -> bool {
        [List::Policies, List::Sources, List::Overrides].iter().all(|list| self.listed.contains(list))
    }

    fn take_policy(&mut self, id: &Id, mut object: ScalingPolicy) {
        let key = PolicyKey { namespace: Arc::clone(&id.namespace), name: Arc::clone(&id.name) };
        let status = object.status.take().map(Arc::new);
        object.metadata.managed_fields = None;
        object.metadata.annotations = None;
        let before = self.policies.get_mut(&key);
        let was = before.as_ref().map(|entry| &entry.object);
        if was.is_none_or(|was| was.metadata.labels != object.metadata.labels) {
            self.unmatched.insert(Arc::clone(&key.namespace));
        }
        let edited = was.is_none_or(|was| {
            (&was.metadata.uid, was.metadata.generation) != (&object.metadata.uid, object.metadata.generation)
        });
        let object = Arc::new(object);
        match before {
            // Of a re-created policy too: what was last understood stays in force until this one is.
            Some(entry) => entry.object = Arc::clone(&object),
            None => drop(self.policies.insert(key.clone(), Entry::new(Arc::clone(&object)))),
        }
        self.effects.abouts.push((key.clone(), Some(About { object, status })));
        if edited {
            self.stale.insert(key);
        }
    }

    fn drop_policy(&mut self, id: &Id) {
        let key = PolicyKey { namespace: Arc::clone(&id.namespace), name: Arc::clone(&id.name) };
        self.stale.remove(&key);
        self.wanted.forget(&key);
        self.effects.abouts.push((key.clone(), None));
        self.unmatched.insert(Arc::clone(&key.namespace));
        if let Some(entry) = self.policies.remove(&key) {
            if let Some(policy) = &entry.told {
                self.pods.remove(&policy.target);
            }
            self.questions_changed |= entry.subscription.is_some();
            if entry.told.is_some() {
                self.effects.inputs.push(Input::PolicyGone(key));
            }
        }
    }

    fn take_source(&mut self, name: Arc<str>, object: Option<Box<MetricSource>>) {
        match object {
            Some(object) => {
                let before = self.sources.get(&name);
                if before.is_some_and(|source| {
                    source.object.spec == object.spec && source.object.metadata.uid == object.metadata.uid
                }) {
                    if let Some(source) = self.sources.get_mut(&name) {
                        source.object = Arc::from(object);
                    }
                    return;
                }
                let before = before.and_then(|source| source.config.clone());
                let (config, problem) = match border::source(&object) {
                    Ok(config) => (Some(Arc::new(config)), None),
                    Err(problem) => (before, Some(problem.into())),
                };
                self.sources.insert(name, Source { object: Arc::from(object), config, problem });
            }
            None => drop(self.sources.remove(&name)),
        }
        // Defaults come from sources: every policy may mean something else now.
        self.sources_changed = true;
        self.stale.extend(self.policies.keys().cloned());
    }

    fn parse(&mut self, key: &PolicyKey) {
        let Some(entry) = self.policies.get_mut(key) else { return };
        let kinds = border::kinds(&entry.object);
        self.wanted.names(key, &kinds);
        if kinds.iter().any(|kind| self.wanted.pending(kind)) {
            // Parsed when the answer is there.
            return;
        }
        match border::policy(key, &entry.object, &self.sources, &self.wanted) {
            Ok((policy, mut subscription)) => {
                if border::measures_pods(&subscription, &self.sources) {
                    subscription.pods = self
                        .pods
                        .entry(policy.target.clone())
                        .or_insert_with_key(|target| {
                            self.effects.pods.push(target.clone());
                            None
                        })
                        .clone();
                }
                if entry.told.as_deref() != Some(&policy) {
                    let policy = Arc::new(policy);
                    entry.told = Some(Arc::clone(&policy));
                    self.effects.inputs.push(Input::Policy(key.clone(), policy));
                    self.unmatched.insert(Arc::clone(&key.namespace));
                }
                if entry.subscription.as_deref() != Some(&subscription) {
                    entry.subscription = Some(Arc::new(subscription));
                    self.questions_changed = true;
                }
                if entry.problem.take().is_some() {
                    self.effects.problems.push((key.clone(), None));
                }
            }
            Err(problem) => {
                if entry.problem.as_deref() != Some(&*problem) {
                    let problem: Arc<str> = problem.into();
                    entry.problem = Some(Arc::clone(&problem));
                    self.effects.problems.push((key.clone(), Some(problem)));
                }
            }
        }
    }

    fn publish(&mut self) {
        if std::mem::take(&mut self.sources_changed) {
            let configs = self.sources.values().filter_map(|source| source.config.clone());
            self.effects.sources = Some(configs.collect());
        }
        if std::mem::take(&mut self.questions_changed) {
            let asked = self.policies.values().filter_map(|entry| entry.subscription.clone());
            self.effects.subscriptions = Some(asked.collect());
        }
    }
}

static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();
