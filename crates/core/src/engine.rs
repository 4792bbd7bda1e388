//! The engine: every policy's machine, the fleet's brake, and the writes that follow.

mod told;

use core::time::Duration;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;

use crate::brake::{Brakes, Trip};
use crate::decision::{Notice, Overwritten};
use crate::event::Event;
use crate::facts::BrakeHold;
use crate::fleet::Fleet;
use crate::key::{PolicyKey, TargetKey};
use crate::plan;
use crate::rises::announce_shared_rises;
use crate::standing::Standing;
use crate::time::Timestamp;
use crate::workload::Workload;
use crate::write::{Outcome, Write};

/// The whole decision, sans I/O.
///
/// Drive it so: `observe` everything that happens, then `poll`; carry the writes out in their order and tell each
/// outcome with `acknowledged`; poll again at `next_wake` at the latest. Nothing is written for a policy before its
/// namespace's table was told (`Event::Table`) and its target was seen.
///
/// One that does not lead ([`Engine::standby`]) is driven in the same way: it keeps all that it is told, decides nothing,
/// and begins with warm windows when it is told to [`Engine::lead`].
#[derive(Clone, Debug)]
pub struct Engine {
    epoch: u64,
    leading: bool,
    /// How long a floor outlives its policy.
    adoption: Duration,
    fleet: Fleet,
    brakes: Brakes,
    /// Stored rows by namespace: a namespace is in here once it was told.
    tables: HashMap<Arc<str>, HashMap<TargetKey, Standing>>,
    /// Places of workloads that something happened to.
    dirty: Vec<usize>,
    wakes: BinaryHeap<Reverse<(Timestamp, usize)>>,
    changed: Vec<PolicyKey>,
    notices: Vec<(PolicyKey, Notice)>,
}

impl Engine {
    /// Leads from the start. `epoch`: of this leadership; above every epoch stored before it.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        Self {
            epoch,
            leading: true,
            adoption: plan::ADOPTION,
            fleet: Fleet::default(),
            brakes: Brakes::default(),
            tables: HashMap::new(),
            dirty: Vec::new(),
            wakes: BinaryHeap::new(),
            changed: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// Leads when it is told to.
    #[must_use]
    pub fn standby() -> Self {
        Self { leading: false, ..Self::new(0) }
    }

    /// Keeps the floor of a policy that is gone for so long, where ten minutes are too long to wait for.
    #[must_use]
    pub fn adopting_for(self, adoption: Duration) -> Self {
        Self { adoption, ..self }
    }

    /// Leadership begins; what is stored by then is taken over. `epoch`: above every epoch stored before it.
    pub fn lead(&mut self, epoch: u64) {
        (self.epoch, self.leading) = (epoch, true);
        for place in self.fleet.everywhere() {
            // What is gone and has no row was given back by the leader before.
            if self.fleet.get(place).is_some_and(Workload::is_given_back) {
                self.fleet.remove(place);
            } else {
                self.dirty.push(place);
            }
        }
    }

    /// Something happened. Nothing is decided before the next [`Engine::poll`].
    pub fn observe(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::Policy(key, policy) => {
                if let Some((_, workload)) = self.fleet.policy_mut(&key)
                    && workload.policy.source != policy.source
                {
                    workload.voted = false;
                    let old = Arc::clone(&workload.policy.source);
                    self.brakes.leaves(&old, &key.namespace, &key.name);
                }
                self.brakes.joins(&policy.source, &key.namespace, &key.name);
                let place = self.fleet.add(key, policy, now);
                self.dirty.push(place);
            }
            Event::PolicyGone(key) => self.gone(&key, now),
            Event::Target(key, target) => self.fleet.target(&key, target, now, &mut self.dirty),
            Event::Scaler(key, scaler) => {
                for place in self.fleet.places(&key) {
                    if let Some(workload) = self.fleet.get_mut(place) {
                        workload.scaler = Some(scaler.clone());
                        self.dirty.push(place);
                    }
                }
                self.fleet.remember_scaler(key, scaler);
            }
            Event::Observed(key, observation) => {
                if let Some((place, workload)) = self.fleet.policy_mut(&key) {
                    workload.observe(&observation, now);
                    self.dirty.push(place);
                }
            }
            Event::History(key, signal, samples) => {
                if let Some((place, workload)) = self.fleet.policy_mut(&key) {
                    workload.back_fill(signal, &samples, now);
                    self.dirty.push(place);
                }
            }
            Event::Learned(key, learned) => {
                // Whatever it says, it says it from the next tick on.
                if let Some((_, workload)) = self.fleet.policy_mut(&key) {
                    workload.restore(&learned);
                }
            }
            Event::Past(key, signal, samples) => {
                if let Some((_, workload)) = self.fleet.policy_mut(&key) {
                    workload.look_back(signal, &samples, now);
                }
            }
            Event::Overrides(key, overrides) => {
                if let Some((place, workload)) = self.fleet.policy_mut(&key) {
                    workload.overrides = overrides;
                    self.dirty.push(place);
                }
            }
            Event::Table { namespace, rows } => self.table(&namespace, rows, now),
        }
    }

    /// Decides every policy that an event or the time concerns, and returns the writes that follow, in order.
    pub fn poll(&mut self, now: Timestamp) -> Vec<Write> {
        let mut due = core::mem::take(&mut self.dirty);
        if !self.leading {
            due.clear();
            self.dirty = due;
            return Vec::new();
        }
        while let Some(&Reverse((at, place))) = self.wakes.peek()
            && at <= now
        {
            self.wakes.pop();
            // An entry that an earlier wake-up took the place of is no wake-up any more.
            if let Some(workload) = self.fleet.get_mut(place).filter(|workload| workload.scheduled == Some(at)) {
                workload.scheduled = None;
                due.push(place);
            }
        }
        if due.is_empty() {
            self.dirty = due;
            return Vec::new();
        }
        due.sort_unstable();
        due.dedup();

        for &place in &due {
            self.assess(place, now);
        }
        for &place in &due {
            self.decide(place, now);
        }
        // The larger floor of two policies on one target holds: the owner looks at its peers once more.
        let owners = self.fleet.settle_peers(&due);
        for &place in &owners {
            self.decide(place, now);
        }
        due.extend(owners);
        due.sort_unstable();
        due.dedup();
        let writes = self.plan(&due, now);
        self.collect_news(&due, now);
        due.clear();
        // Keep the allocation, and what became dirty meanwhile.
        due.append(&mut self.dirty);
        self.dirty = due;
        writes
    }

    /// Tells how a write ended.
    pub fn acknowledged(&mut self, write: &Write, outcome: Outcome, now: Timestamp) {
        match write {
            Write::Floors { namespace, rows, vanish } => {
                for (target, row) in rows {
                    self.row_ended(namespace, target, Some(row), outcome, now);
                }
                for target in vanish {
                    self.row_ended(namespace, target, None, outcome, now);
                }
            }
            Write::Replicas(write) => {
                for place in self.fleet.places(&write.target) {
                    let Some(workload) = self.fleet.get_mut(place) else { continue };
                    workload.delivery.replicas.ended(outcome, now);
                    if matches!(outcome, Outcome::Done | Outcome::Unneeded) {
                        workload.delivery.stands(write.to);
                        let seen_since = workload.delivery.seen_since;
                        if let Some(Some(target)) = &mut workload.target
                            && !seen_since
                        {
                            // The watch will say so; until then this is the best knowledge.
                            target.replicas = write.to;
                        }
                    }
                    if outcome == Outcome::Done && write.undo {
                        plan::undone(workload, Overwritten::Replicas, write.from, write.to, now);
                    }
                    self.dirty.push(place);
                }
            }
            Write::Bounds(write) => {
                for place in self.fleet.places(&write.target) {
                    let Some(workload) = self.fleet.get_mut(place) else { continue };
                    workload.delivery.bounds.ended(outcome, now);
                    if outcome == Outcome::Done && write.undo {
                        let found = workload.delivery.minimum_found;
                        plan::undone(workload, Overwritten::ScalerMinimum, found, write.bounds.min, now);
                    }
                    if outcome == Outcome::Done
                        && let Some(Some(scaler)) = &mut workload.scaler
                        && scaler.name == write.scaler
                    {
                        scaler.wrote(write.bounds, write.kept);
                    }
                    self.dirty.push(place);
                }
            }
        }
    }

    /// When to poll again if nothing happens before; [`Timestamp::NEVER`] if never.
    #[must_use]
    pub fn next_wake(&self) -> Timestamp {
        if self.dirty.is_empty() || !self.leading {
            self.wakes.peek().map_or(Timestamp::NEVER, |&Reverse((at, _))| at)
        } else {
            Timestamp(0)
        }
    }
}

impl Engine {
    fn table(&mut self, namespace: &Arc<str>, rows: Vec<(TargetKey, Standing)>, now: Timestamp) {
        let rows: HashMap<_, _> = rows.into_iter().collect();
        for place in self.fleet.in_namespace(namespace) {
            let Some(workload) = self.fleet.get_mut(place) else { continue };
            let row = rows.get(&workload.policy.target);
            if workload.has_floor() {
                workload.found(row, now);
            }
            workload.delivery.told(row, now);
            if !self.leading && workload.gone_since.is_some() && row.is_some_and(|row| row.released) {
                // The leader waited for its policy already.
                workload.gone_since = Some(Timestamp(0));
            }
            self.dirty.push(place);
        }
        for (target, row) in &rows {
            if self.fleet.places(target).is_empty() {
                // A floor whose policy went away while nobody looked.
                let place = self.fleet.add_orphan(target, row, now);
                self.dirty.push(place);
            }
        }
        self.tables.insert(Arc::clone(namespace), rows);
    }

    fn gone(&mut self, key: &PolicyKey, now: Timestamp) {
        let Some((place, workload)) = self.fleet.policy_mut(key) else { return };
        let (source, target) = (Arc::clone(&workload.policy.source), workload.policy.target.clone());
        let took_over = workload.has_floor();
        self.brakes.leaves(&source, &key.namespace, &key.name);
        // Gone before it took its stored floor over: the floor is kept without it.
        let row = self.tables.get(&target.namespace).and_then(|rows| rows.get(&target));
        if let Some(row) = row.filter(|_| !took_over && self.fleet.places(&target).len() == 1) {
            let orphan = self.fleet.add_orphan(&target, row, now);
            self.dirty.push(orphan);
        }
        self.fleet.gone(place, now, &mut self.dirty);
    }

    fn assess(&mut self, place: usize, now: Timestamp) {
        let Some(workload) = self.fleet.get_mut(place) else { return };
        let table = self.tables.get(&workload.policy.target.namespace);
        if !workload.has_floor() && workload.seen().is_some() {
            match table {
                Some(rows) => {
                    let row = rows.get(&workload.policy.target);
                    workload.found(row, now);
                    workload.delivery.seen(row);
                }
                None if workload.policy.mode == crate::policy::Mode::Observe => workload.found(None, now),
                None => {}
            }
        }
        workload.delivery.catch_up(now);
        let stored = workload.delivery.stored().map_or(0, |row| row.epoch);
        workload.fenced = (stored > self.epoch).then_some((stored, self.epoch));
        workload.assess(now);
        if workload.gone_since.is_some() {
            return;
        }
        let (key, policy) = (&workload.key, &workload.policy);
        let falling = workload.falling(now);
        if falling != workload.voted {
            self.brakes.vote(&policy.source, &key.namespace, &key.name, falling);
        }
        let source = || Arc::clone(&policy.source);
        match self.brakes.look(&policy.source, policy.fall.hold_for, now) {
            Trip::Unchanged => {}
            Trip::Began(BrakeHold { namespaces, of, .. }) => {
                self.notices.push((key.clone(), Notice::BrakeBegan { source: source(), namespaces, of }));
            }
            Trip::Ended => self.notices.push((key.clone(), Notice::BrakeEnded { source: source() })),
        }
        workload.voted = falling;
    }

    fn decide(&mut self, place: usize, now: Timestamp) {
        let dependency = self.fleet.failing_dependency(place);
        let (peer, owned_by_older) = self.fleet.peers(place);
        let Some(workload) = self.fleet.get_mut(place) else { return };
        (workload.peer, workload.owned_by_older) = (peer, owned_by_older);
        workload.dependency = dependency;
        workload.brake = self.brakes.on(&workload.policy.source, now);
        if workload.decide(now) {
            self.changed.push(workload.key.clone());
        }
    }

    /// The writes of all `due`: the tables' rows first, one write a namespace; then the raises, then what only follows.
    fn plan(&mut self, due: &[usize], now: Timestamp) -> Vec<Write> {
        let mut tables: BTreeMap<Arc<str>, Table> = BTreeMap::new();
        let (mut replicas, mut bounds) = (Vec::new(), Vec::new());
        for &place in due {
            let Some(workload) = self.fleet.get_mut(place) else { continue };
            let planned = plan::plan(workload, self.epoch, self.adoption, now);
            if let Some(row) = planned.row {
                tables.entry(Arc::clone(&row.0.namespace)).or_default().rows.push(row);
            }
            if let Some(target) = planned.vanish {
                tables.entry(Arc::clone(&target.namespace)).or_default().vanish.push(target);
            }
            replicas.extend(planned.replicas.map(Write::Replicas));
            bounds.extend(planned.bounds.map(Write::Bounds));
            let key = &workload.key;
            self.notices.extend(workload.notices.drain(..).map(|notice| (key.clone(), notice)));
        }
        let tables =
            tables.into_iter().map(|(namespace, Table { rows, vanish })| Write::Floors { namespace, rows, vanish });
        tables.chain(replicas).chain(bounds).collect()
    }

    fn collect_news(&mut self, due: &[usize], now: Timestamp) {
        announce_shared_rises(&self.fleet, &mut self.notices);
        for &place in due {
            let Some(workload) = self.fleet.get_mut(place) else { continue };
            let wake = workload.next_wake(self.adoption, now);
            if workload.scheduled.is_none_or(|scheduled| wake < scheduled) {
                workload.scheduled = Some(wake);
                self.wakes.push(Reverse((wake, place)));
            }
        }
    }

    fn row_ended(
        &mut self,
        namespace: &Arc<str>,
        target: &TargetKey,
        row: Option<&Standing>,
        outcome: Outcome,
        now: Timestamp,
    ) {
        for place in self.fleet.places(target) {
            let Some(workload) = self.fleet.get_mut(place) else { continue };
            workload.delivery.row.ended(outcome, now);
            match (outcome, row) {
                (Outcome::Done, Some(row)) => workload.delivery.written(row),
                (Outcome::Done, None) => {
                    workload.delivery.seen(None);
                    if workload.gone_since.is_some() {
                        self.fleet.remove(place);
                        continue;
                    }
                }
                (Outcome::Unneeded | Outcome::Conflict | Outcome::Failed, _) => {}
            }
            self.dirty.push(place);
        }
        if outcome == Outcome::Done
            && let Some(rows) = self.tables.get_mut(namespace)
        {
            match row {
                Some(row) => rows.insert(target.clone(), row.clone()),
                None => rows.remove(target),
            };
        }
    }
}

/// What changes in one namespace's table.
#[derive(Debug, Default)]
struct Table {
    rows: Vec<(TargetKey, Standing)>,
    vanish: Vec<TargetKey>,
}
