//! What was written for one workload, what is under way, and how often it had to be undone.

use core::time::Duration;
use std::collections::VecDeque;

use crate::standing::Standing;
use crate::time::Timestamp;
use crate::write::Outcome;

/// The three writes that a workload may have under way, each at most once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) row: Lane,
    pub(crate) replicas: Lane,
    pub(crate) bounds: Lane,
    /// The row as it is stored: acknowledged, or seen.
    stored: Option<Standing>,
    /// The count in the last row that was sent: whatever became of it, the next one has a higher.
    sent: u64,
    /// A row of our own epoch was stored.
    claimed: bool,
    /// An older row that was told last, and since when only older ones are: an echo, or what really stands there.
    behind: Option<Box<(Timestamp, Standing)>>,
    /// What the target had last satisfied: below it, somebody else wrote.
    satisfied: u32,
    /// Somebody else wrote below what stood, and it does not stand again yet.
    overwritten: bool,
    /// The target was seen since the last write of its replicas began: what was seen may be newer than that write.
    pub(crate) seen_since: bool,
    /// The scaler's minimum that the last write of its bounds found.
    pub(crate) minimum_found: u32,
    undos: VecDeque<Timestamp>,
    /// When replicas were last lowered.
    pub(crate) lowered_at: Option<Timestamp>,
}

/// One kind of write: under way or not, and when to try again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lane {
    under_way: bool,
    failures: u32,
    not_before: Timestamp,
    /// The last one lowered something: what it waits for is nothing to a raise.
    lowers: bool,
}

impl Lane {
    pub(crate) fn is_free(&self, now: Timestamp) -> bool {
        !self.under_way && now >= self.not_before
    }

    /// A raise never waits because a lowering before it was refused.
    pub(crate) fn is_free_for(&self, lowers: bool, now: Timestamp) -> bool {
        self.is_free(now) || (!self.under_way && self.lowers && !lowers)
    }

    pub(crate) fn start(&mut self, lowers: bool) {
        (self.under_way, self.lowers) = (true, lowers);
    }

    /// A conflict is news, not a failure: the truth is on its way, and the next try comes soon.
    pub(crate) fn ended(&mut self, outcome: Outcome, now: Timestamp) {
        self.under_way = false;
        match outcome {
            Outcome::Done | Outcome::Unneeded => {
                self.failures = 0;
                self.not_before = now;
            }
            Outcome::Conflict => self.not_before = now.plus(FIRST_RETRY),
            Outcome::Failed => {
                let doublings = self.failures.min(16);
                self.failures += 1;
                self.not_before = now.plus(FIRST_RETRY.saturating_mul(1 << doublings).min(LONGEST_RETRY));
            }
        }
    }

    /// When a refused write is tried again; `None` if nothing waits.
    pub(crate) fn retry_at(&self, now: Timestamp) -> Option<Timestamp> {
        (!self.under_way && self.not_before > now).then_some(self.not_before)
    }
}

impl Delivery {
    pub(crate) fn stored(&self) -> Option<&Standing> {
        self.stored.as_ref()
    }

    /// There may be a row: one is stored, or was sent, whatever became of it.
    pub(crate) fn ever_wrote(&self) -> bool {
        self.stored.is_some() || self.sent > 0
    }

    /// The table holds this floor or more.
    pub(crate) fn has(&self, floor: u32) -> bool {
        self.stored.as_ref().is_some_and(|row| row.replicas >= floor && !row.released)
    }

    /// The stored floor where it is above `floor`.
    pub(crate) fn above(&self, floor: u32) -> Option<u32> {
        self.stored.as_ref().filter(|row| row.replicas > floor && !row.released).map(|row| row.replicas)
    }

    /// A row that is newer than what is known to be stored.
    pub(crate) fn is_news(&self, row: &Standing) -> bool {
        self.stored.as_ref().is_none_or(|known| (row.epoch, row.seq) > (known.epoch, known.seq))
    }

    /// The table was seen. An echo of an older state says nothing.
    pub(crate) fn seen(&mut self, row: Option<&Standing>) {
        match row {
            Some(row) if self.is_news(row) => self.stored = Some(row.clone()),
            Some(_) => {}
            None => self.stored = None,
        }
    }

    /// The count of the next row in `epoch`.
    ///
    /// Until a row of that epoch is known to be stored, what is known of the leader before may be old (a watch that hangs).
    /// So each try counts from what is known: one that lowers what really stands is refused however often it is tried.
    pub(crate) fn next_seq(&mut self, epoch: u64) -> u64 {
        let stored = self.stored.as_ref().map_or(0, |row| row.seq);
        self.claimed |= self.stored.as_ref().is_some_and(|row| row.epoch >= epoch);
        let last = if self.claimed { self.sent.max(stored) } else { stored };
        self.sent = last.saturating_add(1);
        self.sent
    }

    /// The table as a watch tells it. What stays older than what is known to be stored is the truth: a write that the
    /// network kept has landed late, or a backup was restored.
    pub(crate) fn told(&mut self, row: Option<&Standing>, now: Timestamp) {
        let age = |row: &Standing| (row.epoch, row.seq);
        self.behind = match (row, &self.stored, self.behind.take()) {
            (Some(row), Some(known), before) if age(row) <= age(known) && row != known => {
                Some(Box::new((before.map_or(now, |before| before.0), row.clone())))
            }
            _ => None,
        };
        self.seen(row);
    }

    /// Takes what was told for longer than any echo lasts for what is stored. True if it did.
    pub(crate) fn catch_up(&mut self, now: Timestamp) -> bool {
        let due = self.behind_until().is_some_and(|until| now >= until) && self.row.is_free(now);
        if due && let Some(behind) = self.behind.take() {
            self.stored = Some(behind.1);
        }
        due
    }

    /// When an older row is no echo any more.
    pub(crate) fn behind_until(&self) -> Option<Timestamp> {
        self.behind.as_ref().map(|behind| behind.0.plus(ECHO_AT_MOST))
    }

    pub(crate) fn written(&mut self, row: &Standing) {
        self.behind = None;
        self.stored = Some(row.clone());
    }

    /// Looks at the target's replicas against what must stand; true from when somebody else wrote below what already
    /// stood until it stands again. A late event of an older state looks the same: only the write tells them apart.
    pub(crate) fn look(&mut self, replicas: u32, enforced: u32) -> bool {
        self.overwritten = replicas < enforced && (self.overwritten || replicas < self.satisfied);
        self.satisfied = replicas.min(enforced);
        self.overwritten
    }

    /// Our own write of the replicas has landed, or stood already.
    pub(crate) fn stands(&mut self, replicas: u32) {
        self.satisfied = replicas;
        self.overwritten = false;
    }

    /// Remembers an undo; the number in the last ten minutes if it passed the limit just now.
    pub(crate) fn undone(&mut self, now: Timestamp) -> Option<u32> {
        let before = self.contested(now);
        if self.undos.len() == UNDOS_KEPT {
            self.undos.pop_front();
        }
        self.undos.push_back(now);
        if before.is_none() { self.contested(now) } else { None }
    }

    /// How many undos the last ten minutes saw, if they are too many.
    pub(crate) fn contested(&self, now: Timestamp) -> Option<u32> {
        let recent = self.undos.iter().filter(|&&at| now.since(at) < CONTESTED_WITHIN).count();
        (recent >= CONTESTED_FROM).then_some(recent as u32)
    }
}

/// A watch is behind by milliseconds; one that is behind by this much says what stands there.
const ECHO_AT_MOST: Duration = Duration::from_secs(10);

const FIRST_RETRY: Duration = Duration::from_secs(1);

/// An API server that is back after an outage should not wait longer for a floor.
const LONGEST_RETRY: Duration = Duration::from_secs(15);

/// Three undos in ten minutes are no accident: another writer fights.
const CONTESTED_FROM: usize = 3;
const CONTESTED_WITHIN: Duration = Duration::from_secs(600);
const UNDOS_KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: u64) -> Timestamp {
        Timestamp(n * 1000)
    }

    fn row(replicas: u32, epoch: u64, seq: u64) -> Standing {
        Standing { epoch, seq, ..Standing::at(replicas, second(0)) }
    }

    #[test]
    fn a_failed_write_waits_longer_each_time_and_a_done_one_forgets() {
        let mut lane = Lane::default();
        lane.start(false);
        assert!(!lane.is_free(second(100)));
        let mut waits = Vec::new();
        for _ in 0..6 {
            lane.start(false);
            lane.ended(Outcome::Failed, second(0));
            waits.push(lane.retry_at(second(0)).map(|at| at.0 / 1000));
        }
        assert_eq!(waits, [Some(1), Some(2), Some(4), Some(8), Some(15), Some(15)]);
        lane.ended(Outcome::Done, second(20));
        assert!(lane.is_free(second(20)));
        lane.ended(Outcome::Conflict, second(20));
        assert_eq!(lane.retry_at(second(20)), Some(second(21)));
        assert!(lane.is_free(second(21)));
    }

    #[test]
    fn a_raise_does_not_wait_for_a_lowering_that_was_refused() {
        for outcome in [Outcome::Conflict, Outcome::Failed] {
            let mut lane = Lane::default();
            lane.start(true);
            assert!(!lane.is_free_for(false, second(0)), "one at a time");
            lane.ended(outcome, second(0));
            assert!(lane.is_free_for(false, second(0)) && !lane.is_free_for(true, second(0)));
            lane.start(false);
            lane.ended(outcome, second(0));
            assert!(!lane.is_free_for(false, second(0)), "a raise that was refused itself waits");
        }
    }

    #[test]
    fn three_undos_in_ten_minutes_are_contested() {
        let mut delivery = Delivery::default();
        assert_eq!(delivery.undone(second(0)), None);
        assert_eq!(delivery.undone(second(10)), None);
        assert_eq!(delivery.undone(second(599)), Some(3));
        assert_eq!(delivery.undone(second(599)), None, "told once");
        assert_eq!(delivery.contested(second(599)), Some(4));
        assert_eq!(delivery.undone(second(599)), None);
        assert_eq!(delivery.contested(second(1198)), Some(3));
        assert_eq!(delivery.contested(second(1199)), None, "ten minutes later");
    }

    #[test]
    fn only_what_stood_can_be_overwritten() {
        let mut delivery = Delivery::default();
        assert!(!delivery.look(2, 6), "it never stood");
        assert!(!delivery.look(6, 6));
        assert!(delivery.look(2, 6));
        assert!(delivery.look(2, 6), "the same write, seen again: not undone yet");
        assert!(delivery.look(4, 6), "nor by half");
        delivery.stands(6);
        assert!(delivery.look(2, 6), "written again, or an event that is late");
        assert!(!delivery.look(8, 6));
        assert!(!delivery.look(7, 6), "above the floor anybody may write");
        assert!(!delivery.look(7, 9), "the floor rose");
    }

    #[test]
    fn what_stands_again_is_no_overwrite_any_more() {
        let mut delivery = Delivery::default();
        delivery.look(6, 6);
        assert!(delivery.look(2, 6));
        assert!(!delivery.look(6, 6), "somebody put it back");
        assert!(!delivery.look(6, 9), "the floor rose past what stood");
        delivery.stands(9);
        assert!(delivery.look(2, 9));
        delivery.stands(9);
        assert!(!delivery.look(9, 12), "our own write put it back, then the floor rose");
    }

    #[test]
    fn what_stays_older_is_what_is_stored() {
        let mut delivery = Delivery::default();
        delivery.written(&row(6, 2, 5));
        delivery.told(Some(&row(9, 2, 4)), second(1));
        delivery.told(Some(&row(8, 2, 3)), second(2));
        assert!(!delivery.catch_up(second(10)));
        assert_eq!(delivery.behind_until(), Some(second(11)));
        assert!(delivery.catch_up(second(11)));
        assert_eq!((delivery.stored().map(|row| row.replicas), delivery.behind_until()), (Some(8), None));
        // An echo: our own row comes behind it.
        delivery.written(&row(6, 2, 6));
        delivery.told(Some(&row(9, 2, 5)), second(20));
        delivery.told(Some(&row(6, 2, 6)), second(21));
        assert!(!delivery.catch_up(second(99)));
        assert!(delivery.has(6) && !delivery.has(7));
    }

    #[test]
    fn a_row_may_be_there_once_one_was_sent_or_seen() {
        let (mut sent, mut seen) = (Delivery::default(), Delivery::default());
        assert!(!sent.ever_wrote());
        sent.next_seq(1);
        seen.seen(Some(&row(8, 2, 5)));
        assert!(sent.ever_wrote() && seen.ever_wrote());
    }

    #[test]
    fn what_is_not_claimed_yet_is_counted_from_what_is_known() {
        let mut delivery = Delivery::default();
        assert_eq!([delivery.next_seq(3), delivery.next_seq(3)], [1, 1]);
        delivery.seen(Some(&row(9, 2, 5)));
        assert_eq!([delivery.next_seq(3), delivery.next_seq(3)], [6, 6], "refused or lost: the same again");
        delivery.written(&row(9, 3, 6));
        assert_eq!([delivery.next_seq(3), delivery.next_seq(3)], [7, 8], "ours: each higher than the last");
        delivery.seen(None);
        assert_eq!(delivery.next_seq(3), 9, "what was sent may land yet, in a table that is made again");
    }

    #[test]
    fn echoes_of_older_rows_say_nothing() {
        let mut delivery = Delivery::default();
        assert!(!delivery.has(1));
        delivery.written(&row(8, 2, 5));
        for seq in [4, 5] {
            delivery.seen(Some(&row(10, 2, seq)));
            assert!(delivery.has(8) && !delivery.has(9), "seq {seq}");
        }
        delivery.seen(Some(&row(10, 2, 6)));
        assert!(delivery.has(10));
        delivery.seen(None);
        assert!(!delivery.has(1));
    }
}
