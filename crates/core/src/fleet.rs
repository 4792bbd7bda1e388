//! All workloads, and who is concerned by what.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::key::{PolicyKey, TargetKey};
use crate::plan::ADOPTION;
use crate::policy::{Mode, Policy, UnusualFall};
use crate::readiness::Readiness;
use crate::standing::Standing;
use crate::target::{Scaler, Target};
use crate::time::Timestamp;
use crate::workload::Workload;

/// Workloads in stable places, with indexes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fleet {
    workloads: Vec<Option<Workload>>,
    free: Vec<usize>,
    by_policy: HashMap<PolicyKey, usize>,
    by_target: HashMap<TargetKey, Vec<usize>>,
    /// Who depends on a target.
    dependants: HashMap<TargetKey, Vec<usize>>,
    by_namespace: HashMap<Arc<str>, HashSet<usize>>,
    seen: HashMap<TargetKey, Seen>,
    scalers: HashMap<TargetKey, Option<Scaler>>,
}

/// A target as last told, for policies that come later and for those that depend on it.
#[derive(Clone, Debug)]
struct Seen {
    target: Option<Target>,
    readiness: Readiness,
}

impl Fleet {
    pub(crate) fn add(&mut self, key: PolicyKey, policy: Arc<Policy>, now: Timestamp) -> usize {
        if let Some(&place) = self.by_policy.get(&key)
            && let Some(known) = self.get_mut(place)
        {
            if known.policy.target == policy.target && !known.orphan {
                self.change(place, policy, now);
                return place;
            }
            // The name now stands for another target: the floor of the old one is kept until it is given back.
            known.gone_since.get_or_insert(now);
            self.by_policy.remove(&key);
        }
        // A policy that takes the place of one that is gone takes its floor over from the table.
        let heirs: Vec<usize> = self
            .places(&policy.target)
            .into_iter()
            .filter(|&place| self.get(place).is_some_and(|old| old.gone_since.is_some()))
            .collect();
        // The new one first: what was told of a target is forgotten with the last that names it.
        let place = self.insert(Workload::new(key, policy, now));
        for heir in heirs {
            self.remove(heir);
        }
        place
    }

    /// A stored floor without a policy: kept for a while as if its policy had gone just now.
    pub(crate) fn add_orphan(&mut self, target: &TargetKey, row: &Standing, now: Timestamp) -> usize {
        let key = PolicyKey { namespace: Arc::clone(&target.namespace), name: Arc::clone(&row.policy) };
        let mut workload = Workload::new(key, Arc::new(unguided(target.clone())), now);
        workload.orphan = true;
        // What was released already only has to vanish.
        workload.gone_since = Some(if row.released { Timestamp(0) } else { now });
        workload.found(Some(row), now);
        workload.delivery.seen(Some(row));
        self.insert(workload)
    }

    /// A policy went away. Its floor is kept for a while, by another policy on the same target if there is one.
    pub(crate) fn gone(&mut self, place: usize, now: Timestamp, dirty: &mut Vec<usize>) {
        let Some(own) = self.get_mut(place) else { return };
        own.gone_since = Some(now);
        own.voted = false;
        let (target, floor, writes, wrote) = (
            own.policy.target.clone(),
            own.floor_replicas(),
            own.policy.mode != Mode::Observe && own.has_floor(),
            own.delivery.ever_wrote(),
        );
        let mut kept = false;
        for other in self.places(&target) {
            let Some(heir) = self.get_mut(other).filter(|_| other != place) else { continue };
            if heir.policy.mode != Mode::Observe {
                if writes {
                    heir.inherit(floor, now);
                }
                dirty.push(other);
                kept = true;
            }
        }
        // What never wrote has nothing to give back.
        if kept || !writes || !wrote {
            self.remove(place);
        } else {
            dirty.push(place);
        }
    }

    pub(crate) fn remove(&mut self, place: usize) {
        let Some(workload) = self.workloads.get_mut(place).and_then(Option::take) else { return };
        if self.by_policy.get(&workload.key) == Some(&place) {
            self.by_policy.remove(&workload.key);
        }
        self.unlink(place, &workload.policy);
        self.forget_unnamed(&workload.policy);
        self.free.push(place);
    }

    /// The places of all workloads.
    pub(crate) fn everywhere(&self) -> Vec<usize> {
        let taken = self.workloads.iter().enumerate().filter(|(_, workload)| workload.is_some());
        taken.map(|(place, _)| place).collect()
    }

    pub(crate) fn get(&self, place: usize) -> Option<&Workload> {
        self.workloads.get(place)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut Workload> {
        self.workloads.get_mut(place)?.as_mut()
    }

    pub(crate) fn policy(&self, key: &PolicyKey) -> Option<&Workload> {
        self.get(*self.by_policy.get(key)?)
    }

    pub(crate) fn policy_mut(&mut self, key: &PolicyKey) -> Option<(usize, &mut Workload)> {
        let place = *self.by_policy.get(key)?;
        Some((place, self.get_mut(place)?))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Workload> {
        self.workloads.iter().flatten()
    }

    pub(crate) fn targets(&self) -> impl Iterator<Item = &TargetKey> {
        self.by_target.keys().chain(self.dependants.keys())
    }

    /// Workloads on a target.
    pub(crate) fn places(&self, target: &TargetKey) -> Vec<usize> {
        self.by_target.get(target).cloned().unwrap_or_default()
    }

    pub(crate) fn in_namespace(&self, namespace: &Arc<str>) -> Vec<usize> {
        self.by_namespace.get(namespace).map(|places| places.iter().copied().collect()).unwrap_or_default()
    }

    /// A target was seen, by policies on it and by those that depend on it.
    pub(crate) fn target(&mut self, key: &TargetKey, target: Option<Target>, now: Timestamp, dirty: &mut Vec<usize>) {
        let seen =
            self.seen.entry(key.clone()).or_insert_with(|| Seen { target: None, readiness: Readiness::default() });
        match &target {
            Some(target) => seen.readiness.observe(target),
            None => seen.readiness = Readiness::default(),
        }
        let readiness = seen.readiness;
        seen.target.clone_from(&target);
        for place in self.places(key) {
            if let Some(workload) = self.get_mut(place) {
                workload.target_seen(target.clone(), readiness, now);
                dirty.push(place);
            }
        }
        dirty.extend(self.dependants.get(key).into_iter().flatten());
    }

    pub(crate) fn remember_scaler(&mut self, target: TargetKey, scaler: Option<Scaler>) {
        self.scalers.insert(target, scaler);
    }

    /// The first dependency that is failing: gone, without a ready pod, or with many pods that were ready and are not.
    pub(crate) fn failing_dependency(&self, place: usize) -> Option<usize> {
        let policy = &self.get(place)?.policy;
        policy.depends_on.iter().position(|dependency| {
            // What was never told of is not known to fail: a restart is no outage.
            let Some(Seen { target, readiness }) = self.seen.get(dependency) else { return false };
            let Some(target) = target else { return true };
            target.replicas == 0
                || target.ready == Some(0)
                || readiness.failing(target, policy.unready_percent).is_some()
        })
    }

    /// The largest floor of the younger policies on the same target, and whether an older one owns it.
    pub(crate) fn peers(&self, place: usize) -> (u32, bool) {
        let Some(own) = self.get(place).filter(|own| own.shares_target) else { return (0, false) };
        let places = self.by_target.get(&own.policy.target).map(Vec::as_slice).unwrap_or_default();
        let others = places.iter().filter(|&&other| other != place).filter_map(|&other| self.get(other));
        let (mut peer, mut owned) = (0, false);
        for other in others.filter(|other| other.gone_since.is_none() && other.policy.mode != Mode::Observe) {
            if (other.policy.created, &other.key) < (own.policy.created, &own.key) {
                owned = true;
            } else {
                peer = peer.max(other.floor_replicas());
            }
        }
        (peer, owned)
    }

    /// Owners whose peers' floors are not what they last looked at.
    pub(crate) fn settle_peers(&self, due: &[usize]) -> Vec<usize> {
        let mut owners = Vec::new();
        for &place in due {
            let Some(workload) = self.get(place).filter(|workload| workload.shares_target) else { continue };
            let places = self.by_target.get(&workload.policy.target).map(Vec::as_slice).unwrap_or_default();
            owners.extend(places.iter().copied().filter(|&other| {
                self.get(other).is_some_and(|owner| (owner.peer, owner.owned_by_older) != self.peers(other))
            }));
        }
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    fn insert(&mut self, mut workload: Workload) -> usize {
        let target = &workload.policy.target;
        let seen = self.seen.get(target).map(|seen| (seen.target.clone(), seen.readiness));
        let scaler = self.scalers.get(target).cloned();
        if let Some((target, readiness)) = seen {
            let now = workload.wake;
            workload.target_seen(target, readiness, now);
        }
        workload.scaler = scaler;
        let (key, policy, orphan) = (workload.key.clone(), Arc::clone(&workload.policy), workload.orphan);
        let place = match self.free.pop() {
            Some(place) => {
                self.workloads[place] = Some(workload);
                place
            }
            None => {
                self.workloads.push(Some(workload));
                self.workloads.len() - 1
            }
        };
        if orphan {
            // A policy of that name may stand on another target by now.
            self.by_policy.entry(key).or_insert(place);
        } else {
            self.by_policy.insert(key, place);
        }
        self.link(place, &policy);
        place
    }

    fn change(&mut self, place: usize, policy: Arc<Policy>, now: Timestamp) {
        let Some(old) = self.get(place).map(|workload| Arc::clone(&workload.policy)) else { return };
        self.unlink(place, &old);
        self.link(place, &policy);
        self.forget_unnamed(&old);
        let Some(workload) = self.get_mut(place) else { return };
        workload.gone_since = None;
        if old != policy {
            workload.edit(policy, now);
        }
    }

    fn link(&mut self, place: usize, policy: &Policy) {
        self.by_target.entry(policy.target.clone()).or_default().push(place);
        self.by_namespace.entry(Arc::clone(&policy.target.namespace)).or_default().insert(place);
        for dependency in &policy.depends_on {
            self.dependants.entry(dependency.clone()).or_default().push(place);
        }
        self.mark_shared(&policy.target);
    }

    fn mark_shared(&mut self, target: &TargetKey) {
        let places = self.places(target);
        for &place in &places {
            if let Some(workload) = self.get_mut(place) {
                workload.shares_target = places.len() > 1;
            }
        }
    }

    fn unlink(&mut self, place: usize, policy: &Policy) {
        forget(&mut self.by_target, &policy.target, place);
        self.mark_shared(&policy.target);
        for dependency in &policy.depends_on {
            forget(&mut self.dependants, dependency, place);
        }
        if let Some(places) = self.by_namespace.get_mut(&policy.target.namespace) {
            places.remove(&place);
            if places.is_empty() {
                self.by_namespace.remove(&policy.target.namespace);
            }
        }
    }

    /// What was told of a target that nobody names any more.
    fn forget_unnamed(&mut self, policy: &Policy) {
        for target in policy.depends_on.iter().chain([&policy.target]) {
            if !self.by_target.contains_key(target) && !self.dependants.contains_key(target) {
                self.seen.remove(target);
                self.scalers.remove(target);
            }
        }
    }
}

fn forget(index: &mut HashMap<TargetKey, Vec<usize>>, target: &TargetKey, place: usize) {
    if let Some(places) = index.get_mut(target) {
        places.retain(|&other| other != place);
        if places.is_empty() {
            index.remove(target);
        }
    }
}

/// A policy that knows nothing: it keeps a floor, and lowers none.
fn unguided(target: TargetKey) -> Policy {
    Policy {
        target,
        mode: Mode::Guard,
        min_replicas: Some(0),
        max_replicas: None,
        signals: Vec::new(),
        headroom_percent: 0,
        errors: None,
        unready_percent: 100,
        depends_on: Vec::new(),
        fall: UnusualFall {
            hold_for: ADOPTION,
            keep_percent: 100,
            keep_for: ADOPTION,
            until_learned_percent: 1,
            usual_days: UnusualFall::USUAL_DAYS,
        },
        hold_at_most: ADOPTION,
        window: ADOPTION,
        half_life: ADOPTION,
        verify_for: ADOPTION,
        resolution: ADOPTION,
        source: "".into(),
        created: Timestamp::NEVER,
    }
}
