//! What is known of the cluster, and which of it the engine is told.
//!
//! Watches see every workload of a kind; the engine hears only of those that policies name, the moment that they are
//! named. "There is none" is told only where the store of that kind is filled, so that a slow start is never read as
//! an absence.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use floorkeeper_core::{Event, Override, Policy, PolicyKey, Scaler, ScalerKind, Standing, Target, TargetKey};

use super::input::{KindName, ScalerName, Store};

/// The stores, in memory.
#[derive(Debug, Default)]
pub(super) struct World {
    policies: HashMap<PolicyKey, Arc<Policy>>,
    /// How many policies name a target, as their own or as a dependency.
    named: HashMap<TargetKey, usize>,
    targets: HashMap<TargetKey, Target>,
    /// By what they scale, then by kind and name: of several scalers on one target the first counts.
    scalers: HashMap<Scaled, BTreeMap<(ScalerKind, Arc<str>), Scaler>>,
    kinds: HashMap<Arc<str>, KindName>,
    /// Tables that came before all of them were known.
    early: BTreeMap<Arc<str>, Vec<(TargetKey, Standing)>>,
    /// Targets with a row, of each namespace whose table was told.
    rows: HashMap<Arc<str>, HashSet<TargetKey>>,
    epoch: u64,
    awaited: BTreeSet<Store>,
    filled: BTreeSet<Store>,
    /// Kinds that can't be seen.
    refused: BTreeSet<Store>,
    /// Policies whose target's kind is not filled yet: told when it is, so that nothing is decided on a half-seen world.
    parked: BTreeMap<Arc<str>, BTreeMap<PolicyKey, Vec<Override>>>,
}

/// What a scaler scales: namespace, kind and name, as its reference says.
type Scaled = (Arc<str>, KindName, Arc<str>);

impl World {
    /// Nothing is known; policies, tables and scalers are awaited.
    #[must_use]
    pub(super) fn new() -> Self {
        let scalers = SCALERS.map(Store::Scalers);
        let awaited = [Store::Policies, Store::Tables].into_iter().chain(scalers).collect();
        Self { awaited, ..Self::default() }
    }

    /// Stores that are still being filled.
    pub(super) fn awaited(&self) -> impl Iterator<Item = &Store> {
        self.awaited.iter()
    }

    /// The highest epoch in any stored row.
    #[must_use]
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The present parse of a policy.
    #[must_use]
    pub(super) fn policy(&self, key: &PolicyKey) -> Option<&Arc<Policy>> {
        self.policies.get(key)
    }

    /// The policies that name a workload as their target.
    pub(super) fn policies_of(&self, target: &TargetKey) -> impl Iterator<Item = (&PolicyKey, &Arc<Policy>)> {
        self.policies.iter().filter(move |(_, policy)| policy.target == *target)
    }

    /// A policy is new or changed.
    pub(super) fn take_policy(&mut self, key: PolicyKey, policy: Arc<Policy>, events: &mut Vec<Event>) {
        let before = self.policies.insert(key.clone(), Arc::clone(&policy));
        if self.filled.contains(&Store::Tables) && !self.rows.contains_key(&key.namespace) {
            self.tell_table(Arc::clone(&key.namespace), Vec::new(), events);
        }
        for target in names(&policy) {
            let count = self.named.entry(target.clone()).or_default();
            *count += 1;
            if *count == 1 {
                self.tell_target(target, events);
            }
        }
        if let Some(before) = before {
            self.forget_names(&before);
        }
        let store = Store::Targets(Arc::clone(&policy.target.resource));
        if self.filled.contains(&store) || self.refused.contains(&store) {
            self.tell_scaler(&policy.target, events);
            events.push(Event::Policy(key, policy));
        } else {
            self.parked.entry(Arc::clone(&policy.target.resource)).or_default().entry(key).or_default();
        }
    }

    /// A policy is gone.
    pub(super) fn drop_policy(&mut self, key: PolicyKey, events: &mut Vec<Event>) {
        if let Some(before) = self.policies.remove(&key) {
            self.forget_names(&before);
            events.push(Event::PolicyGone(key));
        }
    }

    /// The overrides that apply to a policy now.
    pub(super) fn take_overrides(&mut self, key: PolicyKey, overrides: Vec<Override>, events: &mut Vec<Event>) {
        match self.parked.values_mut().find_map(|parked| parked.get_mut(&key)) {
            Some(parked) => *parked = overrides,
            None => events.push(Event::Overrides(key, overrides)),
        }
    }

    /// A workload was seen, or is gone.
    ///
    /// The engine is told of every target with a row too: its policy may be gone, its floor is still to be released.
    pub(super) fn take_target(&mut self, key: TargetKey, target: Option<Target>, events: &mut Vec<Event>) {
        match &target {
            Some(seen) => drop(self.targets.insert(key.clone(), seen.clone())),
            None => drop(self.targets.remove(&key)),
        }
        if self.concerns(&key) {
            events.push(Event::Target(key, target));
        }
    }

    /// A scaler was seen, or is gone.
    pub(super) fn take_scaler(&mut self, name: ScalerName, scaler: Option<Scaler>, events: &mut Vec<Event>) {
        let ScalerName { namespace, kind, name, scales, target } = name;
        let name = (kind, name);
        let place = (namespace, scales, target);
        let of_target = self.scalers.entry(place.clone()).or_default();
        match scaler {
            Some(scaler) => drop(of_target.insert(name, scaler)),
            None => drop(of_target.remove(&name)),
        }
        if of_target.is_empty() {
            self.scalers.remove(&place);
        }
        let (namespace, scales, target) = place;
        let resources = self.kinds.iter().filter(|(_, kind)| **kind == scales).map(|(resource, _)| resource);
        for resource in resources.cloned().collect::<Vec<_>>() {
            self.tell_scaler(
                &TargetKey { namespace: Arc::clone(&namespace), resource, name: Arc::clone(&target) },
                events,
            );
        }
    }

    /// A namespace's table as stored; without rows where there is none.
    pub(super) fn take_table(
        &mut self,
        namespace: Arc<str>,
        rows: Vec<(TargetKey, Standing)>,
        events: &mut Vec<Event>,
    ) {
        self.epoch = rows.iter().map(|(_, row)| row.epoch).fold(self.epoch, u64::max);
        // Before all tables are known none is told: our epoch has to be above every stored one.
        if self.filled.contains(&Store::Tables) {
            self.tell_table(namespace, rows, events);
        } else {
            self.early.insert(namespace, rows);
        }
    }

    /// A kind is known: scalers that refer to it can be matched with targets.
    pub(super) fn take_kind(&mut self, kind: KindName, resource: Arc<str>, events: &mut Vec<Event>) {
        self.kinds.insert(Arc::clone(&resource), kind);
        for target in self.concerned().into_iter().filter(|target| target.resource == resource) {
            self.tell_scaler(&target, events);
        }
    }

    /// A store is going to be filled.
    pub(super) fn await_store(&mut self, store: Store) {
        if !self.filled.contains(&store) {
            self.awaited.insert(store);
        }
    }

    /// A store is filled: what is absent from it is told as absent.
    pub(super) fn fill(&mut self, store: Store, events: &mut Vec<Event>) {
        self.awaited.remove(&store);
        self.refused.remove(&store);
        if !self.filled.insert(store.clone()) {
            return;
        }
        match store {
            Store::Policies => {}
            Store::Tables => {
                for (namespace, rows) in std::mem::take(&mut self.early) {
                    self.tell_table(namespace, rows, events);
                }
                let namespaces: BTreeSet<_> = self.policies.keys().map(|key| Arc::clone(&key.namespace)).collect();
                for namespace in namespaces {
                    if !self.rows.contains_key(&namespace) {
                        self.tell_table(namespace, Vec::new(), events);
                    }
                }
            }
            Store::Scalers(_) => self.tell_scalers(events),
            Store::Targets(resource) => {
                for target in self.concerned() {
                    if target.resource == resource && !self.targets.contains_key(&target) {
                        events.push(Event::Target(target, None));
                    }
                }
                self.tell_parked(&resource, events);
            }
        }
    }

    /// A kind can't be seen: its policies are told all the same, without targets. A cluster without KEDA has no
    /// ScaledObjects: then the HPAs are all scalers that there are.
    pub(super) fn give_up(&mut self, store: Store, events: &mut Vec<Event>) {
        self.awaited.remove(&store);
        let first = self.refused.insert(store.clone());
        match &store {
            Store::Targets(resource) => self.tell_parked(resource, events),
            Store::Scalers(_) if first => self.tell_scalers(events),
            Store::Policies | Store::Tables | Store::Scalers(_) => {}
        }
    }

    /// A kind is no longer watched: its workloads are forgotten, not told as gone.
    pub(super) fn drop_store(&mut self, store: &Store) {
        self.awaited.remove(store);
        self.filled.remove(store);
        self.refused.remove(store);
        if let Store::Targets(resource) = store {
            self.targets.retain(|target, _| target.resource != *resource);
            self.kinds.remove(resource);
        }
    }

    /// All targets that the engine hears of: those that a policy names, and those with a row, whose policy may be gone.
    fn concerned(&self) -> BTreeSet<TargetKey> {
        self.named.keys().chain(self.rows.values().flatten()).cloned().collect()
    }

    fn concerns(&self, target: &TargetKey) -> bool {
        self.named.contains_key(target) || self.rows.get(&target.namespace).is_some_and(|rows| rows.contains(target))
    }

    /// Tells a table, and the targets of new rows that no policy names: they have to be seen to be released.
    fn tell_table(&mut self, namespace: Arc<str>, rows: Vec<(TargetKey, Standing)>, events: &mut Vec<Event>) {
        let keys: HashSet<_> = rows.iter().map(|(target, _)| target.clone()).collect();
        let before = self.rows.insert(Arc::clone(&namespace), keys).unwrap_or_default();
        for (target, _) in &rows {
            if !self.named.contains_key(target) && !before.contains(target) {
                self.tell_target(target, events);
                self.tell_scaler(target, events);
            }
        }
        events.push(Event::Table { namespace, rows });
    }

    fn tell_parked(&mut self, resource: &Arc<str>, events: &mut Vec<Event>) {
        for (key, overrides) in self.parked.remove(resource).into_iter().flatten() {
            // Gone meanwhile, or another object of that name with another kind of target.
            let Some(policy) = self.policies.get(&key).filter(|policy| policy.target.resource == *resource) else {
                continue;
            };
            self.tell_scaler(&policy.target, events);
            events.push(Event::Policy(key.clone(), Arc::clone(policy)));
            if !overrides.is_empty() {
                events.push(Event::Overrides(key, overrides));
            }
        }
    }

    fn tell_target(&self, key: &TargetKey, events: &mut Vec<Event>) {
        let seen = self.targets.get(key);
        if seen.is_some() || self.filled.contains(&Store::Targets(Arc::clone(&key.resource))) {
            events.push(Event::Target(key.clone(), seen.cloned()));
        }
    }

    fn tell_scaler(&self, target: &TargetKey, events: &mut Vec<Event>) {
        let Some(kind) = self.kinds.get(&target.resource) else { return };
        let known = |kind| {
            let store = Store::Scalers(kind);
            self.filled.contains(&store) || (kind == ScalerKind::ScaledObject && self.refused.contains(&store))
        };
        if !SCALERS.into_iter().all(known) || !self.concerns(target) {
            return;
        }
        let place = (Arc::clone(&target.namespace), kind.clone(), Arc::clone(&target.name));
        let scaler = self.scalers.get(&place).and_then(|scalers| scalers.values().next());
        events.push(Event::Scaler(target.clone(), scaler.cloned()));
    }

    fn tell_scalers(&self, events: &mut Vec<Event>) {
        let mut targets: BTreeSet<_> = self.policies.values().map(|policy| policy.target.clone()).collect();
        targets.extend(self.rows.values().flatten().cloned());
        for target in targets {
            self.tell_scaler(&target, events);
        }
    }

    fn forget_names(&mut self, policy: &Policy) {
        for target in names(policy) {
            if let Some(count) = self.named.get_mut(target) {
                *count -= 1;
                if *count == 0 {
                    self.named.remove(target);
                }
            }
        }
    }
}

const SCALERS: [ScalerKind; 2] = [ScalerKind::ScaledObject, ScalerKind::HorizontalPodAutoscaler];

fn names(policy: &Policy) -> impl Iterator<Item = &TargetKey> {
    std::iter::once(&policy.target).chain(&policy.depends_on)
}

#[cfg(test)]
mod tests;
