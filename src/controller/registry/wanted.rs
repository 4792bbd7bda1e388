//! The kinds that policies and stored floors name: looked up once, watched while they are named.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use floorkeeper_core::PolicyKey;

use super::effects::Effects;
use crate::controller::input::{Input, Store};
use crate::controller::kinds::{KindRef, Resolved, Unresolved};

/// Kinds by who names them.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// `None`: being looked up.
    kinds: BTreeMap<KindRef, Option<Result<Resolved, Unresolved>>>,
    by_policy: HashMap<PolicyKey, Vec<KindRef>>,
    /// Resources of the rows of each namespace's table.
    by_table: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    watched: BTreeSet<Arc<str>>,
    lookups: BTreeSet<KindRef>,
}

impl Wanted {
    /// A policy names these kinds, and no others any more.
    pub(super) fn names(&mut self, policy: &PolicyKey, kinds: &[KindRef]) {
        for kind in kinds {
            if !self.kinds.contains_key(kind) {
                let built_in = kind.built_in().map(Ok);
                if built_in.is_none() {
                    self.lookups.insert(kind.clone());
                }
                self.kinds.insert(kind.clone(), built_in);
            }
        }
        if self.by_policy.get(policy).is_none_or(|before| before != kinds) {
            self.by_policy.insert(policy.clone(), kinds.to_vec());
        }
    }

    pub(super) fn forget(&mut self, policy: &PolicyKey) {
        self.by_policy.remove(policy);
    }

    /// A namespace's table has rows of these resources.
    pub(super) fn rows<'a>(&mut self, namespace: &Arc<str>, resources: impl Iterator<Item = &'a Arc<str>>) {
        let resources: BTreeSet<_> = resources.cloned().collect();
        if resources.is_empty() {
            self.by_table.remove(namespace);
        } else {
            self.by_table.insert(Arc::clone(namespace), resources);
        }
    }

    /// What is known of a kind.
    pub(super) fn resource(&self, kind: &KindRef) -> Result<&Resolved, Unresolved> {
        match self.kinds.get(kind) {
            Some(Some(Ok(resolved))) => Ok(resolved),
            Some(Some(Err(unresolved))) => Err(unresolved.clone()),
            Some(None) | None => Err(Unresolved::Pending(kind.clone())),
        }
    }

    /// Its lookup has not ended.
    pub(super) fn pending(&self, kind: &KindRef) -> bool {
        matches!(self.kinds.get(kind), Some(None) | None)
    }

    /// A lookup has ended. Returns the policies that waited for it, if it says anything new.
    pub(super) fn resolved(&mut self, kind: KindRef, resolved: Result<Resolved, Unresolved>) -> Vec<PolicyKey> {
        let Some(known) = self.kinds.get_mut(&kind) else { return Vec::new() };
        if known.as_ref() == Some(&resolved) {
            return Vec::new();
        }
        *known = Some(resolved);
        let named = self.by_policy.iter().filter(|(_, kinds)| kinds.contains(&kind));
        named.map(|(policy, _)| policy.clone()).collect()
    }

    /// Kinds that could not be resolved: to be looked up again after a while.
    pub(super) fn unresolved(&self) -> impl Iterator<Item = &KindRef> {
        self.kinds.iter().filter(|(_, known)| matches!(known, Some(Err(_)))).map(|(kind, _)| kind)
    }

    /// Works out what to look up, and which watches to start and stop.
    pub(super) fn settle(&mut self, effects: &mut Effects) {
        effects.lookups.extend(std::mem::take(&mut self.lookups));
        let named: BTreeSet<_> = self.by_policy.values().flatten().collect();
        let mut wanted: BTreeMap<Arc<str>, (&KindRef, &Resolved)> = BTreeMap::new();
        for (kind, known) in &self.kinds {
            if let Some(Ok(resolved)) = known
                && (named.contains(kind) || self.by_table.values().any(|rows| rows.contains(&resolved.resource)))
            {
                wanted.entry(Arc::clone(&resolved.resource)).or_insert((kind, resolved));
            }
        }
        // Rows outlive their policies: after a restart nobody else may name their kind.
        let built_in = ["Deployment", "StatefulSet"].map(|kind| KindRef::new("apps/v1", kind));
        let built_in: Vec<_> = built_in.iter().filter_map(|kind| Some((kind, kind.built_in()?))).collect();
        for (kind, resolved) in &built_in {
            if self.by_table.values().any(|rows| rows.contains(&resolved.resource)) {
                wanted.entry(Arc::clone(&resolved.resource)).or_insert((kind, resolved));
            }
        }
        for (resource, (kind, resolved)) in &wanted {
            if self.watched.insert(Arc::clone(resource)) {
                effects.inputs.push(Input::Kind(kind.name(), Arc::clone(resource)));
                effects.inputs.push(Input::Awaited(Store::Targets(Arc::clone(resource))));
                effects.starts.push((*resolved).clone());
            }
        }
        let stops: Vec<_> = self.watched.iter().filter(|resource| !wanted.contains_key(*resource)).cloned().collect();
        for resource in stops {
            self.watched.remove(&resource);
            effects.inputs.push(Input::Dropped(Store::Targets(Arc::clone(&resource))));
            effects.stops.insert(resource);
        }
        // Kinds that nobody names are forgotten, so that one that fails to resolve is not looked up for ever.
        self.kinds.retain(|kind, _| named.contains(kind));
    }
}
