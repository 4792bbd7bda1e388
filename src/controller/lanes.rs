//! The order of writes: what concerns one target goes one after another, and so do writes of one table; everything
//! else goes side by side.
//!
//! A write that rests on a stored row is decided only when the row is acknowledged (the engine sees to that), so
//! tables and targets need not wait for each other. Tables go first, there are few of them; then raises, because they
//! are what keeps traffic served.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use floorkeeper_core::{TargetKey, Write};

/// One write on its way, named for the time that it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// All writes that are waiting or under way.
#[derive(Debug)]
pub(super) struct Lanes {
    next: u64,
    limit: usize,
    running: usize,
    writes: HashMap<Ticket, Arc<Write>>,
    /// The first of each lane may start, or is under way.
    lanes: HashMap<Lane, VecDeque<Ticket>>,
    ready: [VecDeque<Ticket>; RANKS],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Lane {
    Table(Arc<str>),
    Target(TargetKey),
}

impl Lanes {
    /// `limit`: how many writes may be under way at once.
    #[must_use]
    pub(super) fn new(limit: usize) -> Self {
        Self { next: 0, limit, running: 0, writes: HashMap::new(), lanes: HashMap::new(), ready: Default::default() }
    }

    /// Queues one write behind those of its lane.
    pub(super) fn push(&mut self, write: Write) {
        let ticket = Ticket(self.next);
        self.next += 1;
        let lane = self.lanes.entry(Lane::of(&write)).or_default();
        lane.push_back(ticket);
        if lane.len() == 1 {
            self.ready[rank(&write)].push_back(ticket);
        }
        self.writes.insert(ticket, Arc::new(write));
    }

    /// The next write that may start now: carry it out, then tell [`Lanes::ended`]. `None` while the limit is reached or
    /// nothing is ready.
    pub(super) fn next(&mut self) -> Option<(Ticket, Arc<Write>)> {
        if self.running >= self.limit {
            return None;
        }
        let ticket = self.ready.iter_mut().find_map(VecDeque::pop_front)?;
        let write = Arc::clone(self.writes.get(&ticket)?);
        self.running += 1;
        Some((ticket, write))
    }

    /// A started write has ended; what stood behind it moves up. Returns the write.
    pub(super) fn ended(&mut self, ticket: Ticket) -> Option<Arc<Write>> {
        let write = self.writes.remove(&ticket)?;
        self.running = self.running.saturating_sub(1);
        let lane = Lane::of(&write);
        if let Some(queue) = self.lanes.get_mut(&lane) {
            queue.pop_front();
            match queue.front().and_then(|first| Some((*first, self.writes.get(first)?))) {
                Some((first, write)) => self.ready[rank(write)].push_back(first),
                None => drop(self.lanes.remove(&lane)),
            }
        }
        Some(write)
    }

    /// How many writes are under way.
    #[must_use]
    pub(super) fn running(&self) -> usize {
        self.running
    }
}

impl Lane {
    fn of(write: &Write) -> Self {
        match write {
            Write::Floors { namespace, .. } => Self::Table(Arc::clone(namespace)),
            Write::Replicas(write) => Self::Target(write.target.clone()),
            Write::Bounds(write) => Self::Target(write.target.clone()),
        }
    }
}

/// What is ready starts in this order.
fn rank(write: &Write) -> usize {
    match write {
        Write::Floors { .. } => 0,
        Write::Replicas(write) if write.to > write.from => 1,
        Write::Bounds(write) if !write.lowers => 2,
        Write::Replicas(_) | Write::Bounds(_) => 3,
    }
}

const RANKS: usize = 4;

#[cfg(test)]
mod tests {
    use floorkeeper_core::{Bounds, Replicas, ScalerBounds, ScalerKind, Standing, Timestamp};

    use super::*;

    fn target(name: &str) -> TargetKey {
        TargetKey::new("shop", "deployments.apps", name)
    }

    fn floors(names: &[&str]) -> Write {
        let standing = Standing {
            policy: "p".into(),
            uid: "u".into(),
            reason: "LiveDemand".into(),
            epoch: 1,
            seq: 1,
            ..Standing::at(5, Timestamp(0))
        };
        let rows = names.iter().map(|name| (target(name), standing.clone())).collect();
        Write::Floors { namespace: "shop".into(), rows, vanish: Vec::new() }
    }

    fn replicas(name: &str, from: u32, to: u32) -> Write {
        Write::Replicas(Replicas { target: target(name), version: "1".into(), from, to, undo: false })
    }

    fn bounds(name: &str, lowers: bool) -> Write {
        Write::Bounds(ScalerBounds {
            target: target(name),
            kind: ScalerKind::HorizontalPodAutoscaler,
            scaler: "hpa".into(),
            version: "1".into(),
            bounds: Bounds { min: 2, max: 9 },
            kept: None,
            lowers,
            unpins: false,
            undo: false,
        })
    }

    fn start(lanes: &mut Lanes) -> (Ticket, Write) {
        let (ticket, write) = lanes.next().expect("a write that may start");
        (ticket, (*write).clone())
    }

    #[test]
    fn writes_of_one_target_go_one_after_another() {
        let mut lanes = Lanes::new(8);
        for write in [replicas("a", 2, 5), bounds("a", false)] {
            lanes.push(write);
        }
        for expected in [replicas("a", 2, 5), bounds("a", false)] {
            let (ticket, write) = start(&mut lanes);
            assert_eq!(write, expected);
            assert_eq!(lanes.next(), None);
            lanes.ended(ticket);
        }
        assert!(lanes.writes.is_empty() && lanes.lanes.is_empty());
    }

    #[test]
    fn tables_and_targets_do_not_wait_for_each_other() {
        let mut lanes = Lanes::new(8);
        for write in [replicas("a", 2, 5), floors(&["a"]), replicas("b", 2, 5)] {
            lanes.push(write);
        }
        assert_eq!(start(&mut lanes).1, floors(&["a"]));
        assert_eq!(start(&mut lanes).1, replicas("a", 2, 5));
        assert_eq!(start(&mut lanes).1, replicas("b", 2, 5));
    }

    #[test]
    fn two_writes_of_one_table_do_not_overlap() {
        let mut lanes = Lanes::new(8);
        lanes.push(floors(&["a"]));
        lanes.push(floors(&["b"]));
        let (first, _) = start(&mut lanes);
        assert_eq!(lanes.next(), None);
        lanes.ended(first);
        assert_eq!(start(&mut lanes).1, floors(&["b"]));
    }

    #[test]
    fn the_limit_holds_and_raises_come_first() {
        let mut lanes = Lanes::new(1);
        for write in [bounds("a", true), bounds("b", false), replicas("c", 5, 4), replicas("d", 1, 4)] {
            lanes.push(write);
        }
        let mut order = Vec::new();
        while let Some((ticket, write)) = lanes.next() {
            assert_eq!(lanes.next(), None);
            order.push((*write).clone());
            lanes.ended(ticket);
        }
        assert_eq!(order, [replicas("d", 1, 4), bounds("b", false), bounds("a", true), replicas("c", 5, 4)]);
        assert_eq!(lanes.running(), 0);
    }
}
