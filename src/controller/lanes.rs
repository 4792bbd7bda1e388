//! The order of writes: what concerns one target goes one after another, everything else side by side.
//!
//! A write to a `FloorTable` stands in the lane of its namespace and of every target whose row it carries; a write to
//! a target or its scaler in that target's lane. A write may start when it is first in all of its lanes. Raises pass
//! everything else that is ready, because they are what keeps traffic served.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use floorkeeper_core::{Outcome, TargetKey, Write};

/// One write on its way, named for the time that it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// All writes that are waiting or under way.
#[derive(Debug)]
pub(super) struct Lanes {
    next: u64,
    limit: usize,
    running: usize,
    waiting: HashMap<Ticket, Waiting>,
    lanes: HashMap<Lane, VecDeque<Ticket>>,
    raises: VecDeque<Ticket>,
    others: VecDeque<Ticket>,
    /// Targets whose row could not be stored: no lowering behind it may go out.
    unstored: HashSet<TargetKey>,
}

/// What became ready.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// Carry it out, then tell [`Lanes::ended`].
    Start(Ticket, Arc<Write>),
    /// Do not carry it out: the row that it rests on was not stored.
    Drop(Arc<Write>),
}

#[derive(Debug)]
struct Waiting {
    write: Arc<Write>,
    lanes: Vec<Lane>,
    /// Lanes in which it is not yet first.
    blocked: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Lane {
    Namespace(Arc<str>),
    Target(TargetKey),
}

impl Lanes {
    /// `limit`: how many writes may be under way at once.
    #[must_use]
    pub(super) fn new(limit: usize) -> Self {
        Self {
            next: 0,
            limit,
            running: 0,
            waiting: HashMap::new(),
            lanes: HashMap::new(),
            raises: VecDeque::new(),
            others: VecDeque::new(),
            unstored: HashSet::new(),
        }
    }

    /// Queues one write behind those of its lanes.
    pub(super) fn push(&mut self, write: Write) {
        let ticket = Ticket(self.next);
        self.next += 1;
        let lanes = lanes_of(&write);
        let mut blocked = 0;
        for lane in &lanes {
            let queue = self.lanes.entry(lane.clone()).or_default();
            blocked += usize::from(!queue.is_empty());
            queue.push_back(ticket);
        }
        let waiting = Waiting { write: Arc::new(write), lanes, blocked };
        if blocked == 0 {
            self.ready(ticket, &waiting.write);
        }
        self.waiting.insert(ticket, waiting);
    }

    /// The next write that may start now; `None` while the limit is reached or nothing is ready.
    pub(super) fn next(&mut self) -> Option<Next> {
        if self.running >= self.limit {
            return None;
        }
        let ticket = self.raises.pop_front().or_else(|| self.others.pop_front())?;
        let write = Arc::clone(&self.waiting.get(&ticket)?.write);
        if lowers(&write).is_some_and(|target| self.unstored.contains(target)) {
            self.leave(ticket);
            return Some(Next::Drop(write));
        }
        self.running += 1;
        Some(Next::Start(ticket, write))
    }

    /// A started write has ended; what stood behind it moves up. Returns the write.
    pub(super) fn ended(&mut self, ticket: Ticket, outcome: Outcome) -> Option<Arc<Write>> {
        let write = self.leave(ticket)?;
        self.running = self.running.saturating_sub(1);
        if let Write::Floors { rows, .. } = &*write {
            for (target, _) in rows {
                match outcome {
                    // Only what waits behind this very row is concerned; without anything there, nothing to remember.
                    Outcome::Conflict | Outcome::Failed if self.lanes.contains_key(&Lane::Target(target.clone())) => {
                        self.unstored.insert(target.clone());
                    }
                    Outcome::Done | Outcome::Unneeded | Outcome::Conflict | Outcome::Failed => {
                        self.unstored.remove(target);
                    }
                }
            }
        }
        Some(write)
    }

    /// How many writes are under way.
    #[must_use]
    pub(super) fn running(&self) -> usize {
        self.running
    }

    fn leave(&mut self, ticket: Ticket) -> Option<Arc<Write>> {
        let Waiting { write, lanes, .. } = self.waiting.remove(&ticket)?;
        for lane in lanes {
            let Some(queue) = self.lanes.get_mut(&lane) else { continue };
            queue.pop_front();
            let Some(&first) = queue.front() else {
                self.lanes.remove(&lane);
                if let Lane::Target(target) = &lane {
                    self.unstored.remove(target);
                }
                continue;
            };
            let Some(waiting) = self.waiting.get_mut(&first) else { continue };
            waiting.blocked = waiting.blocked.saturating_sub(1);
            if waiting.blocked == 0 {
                let write = Arc::clone(&waiting.write);
                self.ready(first, &write);
            }
        }
        Some(write)
    }

    fn ready(&mut self, ticket: Ticket, write: &Write) {
        if raises(write) {
            self.raises.push_back(ticket);
        } else {
            self.others.push_back(ticket);
        }
    }
}

fn lanes_of(write: &Write) -> Vec<Lane> {
    match write {
        Write::Floors { namespace, rows, vanish } => {
            let mut seen = HashSet::new();
            let targets = rows.iter().map(|(target, _)| target).chain(vanish).filter(|target| seen.insert(*target));
            let mut lanes = vec![Lane::Namespace(Arc::clone(namespace))];
            lanes.extend(targets.cloned().map(Lane::Target));
            lanes
        }
        Write::Replicas(write) => vec![Lane::Target(write.target.clone())],
        Write::Bounds(write) => vec![Lane::Target(write.target.clone())],
    }
}

fn raises(write: &Write) -> bool {
    match write {
        Write::Floors { .. } => false,
        Write::Replicas(write) => write.to > write.from,
        Write::Bounds(write) => !write.lowers,
    }
}

fn lowers(write: &Write) -> Option<&TargetKey> {
    match write {
        Write::Floors { .. } => None,
        Write::Replicas(write) => (write.to < write.from).then_some(&write.target),
        Write::Bounds(write) => write.lowers.then_some(&write.target),
    }
}

#[cfg(test)]
mod tests {
    use floorkeeper_core::{Bounds, Replicas, ScalerBounds, Standing, Timestamp};

    use super::*;

    fn target(name: &str) -> TargetKey {
        TargetKey::new("shop", "deployments.apps", name)
    }

    fn floors(names: &[&str]) -> Write {
        let standing = Standing {
            replicas: 5,
            policy: "p".into(),
            uid: "u".into(),
            reason: "LiveDemand".into(),
            epoch: 1,
            seq: 1,
            observed_at: Timestamp(0),
            doubt: None,
            fall: None,
            step: None,
            not_before: None,
            pause_ms: 0,
            zero_since: None,
            run_down: None,
            released: false,
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
            scaler: "hpa".into(),
            version: "1".into(),
            bounds: Bounds { min: 2, max: 9 },
            kept: None,
            lowers,
            undo: false,
        })
    }

    fn start(lanes: &mut Lanes) -> (Ticket, Write) {
        match lanes.next() {
            Some(Next::Start(ticket, write)) => (ticket, (*write).clone()),
            other => panic!("expected a start, got {other:?}"),
        }
    }

    #[test]
    fn writes_of_one_target_go_one_after_another() {
        let mut lanes = Lanes::new(8);
        for write in [floors(&["a"]), replicas("a", 2, 5), bounds("a", false)] {
            lanes.push(write);
        }
        for expected in [floors(&["a"]), replicas("a", 2, 5), bounds("a", false)] {
            let (ticket, write) = start(&mut lanes);
            assert_eq!(write, expected);
            assert_eq!(lanes.next(), None);
            lanes.ended(ticket, Outcome::Done);
        }
        assert!(lanes.waiting.is_empty());
        assert!(lanes.lanes.is_empty() && lanes.unstored.is_empty());
    }

    #[test]
    fn another_target_does_not_wait() {
        let mut lanes = Lanes::new(8);
        lanes.push(floors(&["a"]));
        lanes.push(replicas("b", 2, 5));
        assert_eq!(start(&mut lanes).1, replicas("b", 2, 5));
        assert_eq!(start(&mut lanes).1, floors(&["a"]));
    }

    #[test]
    fn two_tables_writes_of_one_namespace_do_not_overlap() {
        let mut lanes = Lanes::new(8);
        lanes.push(floors(&["a"]));
        lanes.push(floors(&["b"]));
        let (first, _) = start(&mut lanes);
        assert_eq!(lanes.next(), None);
        lanes.ended(first, Outcome::Done);
        assert_eq!(start(&mut lanes).1, floors(&["b"]));
    }

    #[test]
    fn a_row_that_is_not_stored_stops_lowerings_and_lets_raises_pass() {
        for outcome in [Outcome::Conflict, Outcome::Failed] {
            let mut lanes = Lanes::new(8);
            for write in [floors(&["a"]), replicas("a", 9, 5), replicas("a", 2, 5), bounds("a", true)] {
                lanes.push(write);
            }
            let (ticket, _) = start(&mut lanes);
            lanes.ended(ticket, outcome);
            assert_eq!(lanes.next(), Some(Next::Drop(Arc::new(replicas("a", 9, 5)))));
            let (raise, write) = start(&mut lanes);
            assert_eq!(write, replicas("a", 2, 5));
            lanes.ended(raise, Outcome::Done);
            assert_eq!(lanes.next(), Some(Next::Drop(Arc::new(bounds("a", true)))));
            assert!(lanes.waiting.is_empty() && lanes.unstored.is_empty());

            // Nothing waits behind it any more: a later lowering is a new decision.
            lanes.push(replicas("a", 9, 5));
            assert_eq!(start(&mut lanes).1, replicas("a", 9, 5));
        }
    }

    #[test]
    fn the_limit_holds_and_raises_come_first() {
        let mut lanes = Lanes::new(1);
        for write in [bounds("a", true), bounds("b", true), replicas("c", 1, 4)] {
            lanes.push(write);
        }
        let (first, write) = start(&mut lanes);
        assert_eq!(write, replicas("c", 1, 4));
        assert_eq!(lanes.next(), None);
        lanes.ended(first, Outcome::Done);
        assert_eq!(start(&mut lanes).1, bounds("a", true));
        assert_eq!(lanes.waiting.len(), 2);
    }

    #[test]
    fn a_row_named_twice_takes_one_place() {
        let mut lanes = Lanes::new(8);
        lanes.push(floors(&["a", "a"]));
        let (ticket, _) = start(&mut lanes);
        lanes.ended(ticket, Outcome::Done);
        assert!(lanes.lanes.is_empty());
    }
}
