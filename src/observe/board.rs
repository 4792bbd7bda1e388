//! The last answer to every question, gathered policy by policy until an observation is whole.
//!
//! A policy may ask several sources. The one of its first question sets the pace: when its tick is answered, the policy
//! is told, with the last answers of the others; how old those are they say themselves. A question that is slow delays
//! its own policy only, and that only until the grace is over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use floorkeeper_core::{Answer, ErrorAnswer, Event, Observation, PolicyKey, SignalAnswer};

use super::plan::Reader;
use super::subscription::{Ask, Subscription};

/// Shared by all sources.
#[derive(Clone, Debug, Default)]
pub(super) struct Board(Arc<Mutex<HashMap<PolicyKey, Cell>>>);

#[derive(Debug)]
struct Cell {
    subscription: Arc<Subscription>,
    answers: Vec<Option<Answer>>,
    /// Questions of this tick of the pace's source that have no answer yet.
    waiting: usize,
    /// Some of this tick's answers are there and were not told.
    fresh: bool,
    /// A tick is over, but another source has never answered yet.
    owed: bool,
}

impl Board {
    /// What is asked from now on. Answers to questions that stay are kept.
    pub(super) fn sync(&self, subscriptions: &[Arc<Subscription>]) {
        let mut cells = self.lock();
        let mut before = std::mem::take(&mut *cells);
        for subscription in subscriptions {
            let known = before.remove(&subscription.policy).filter(|cell| cell.asks_same(subscription));
            let cell = match known {
                Some(cell) => Cell { subscription: Arc::clone(subscription), ..cell },
                None => Cell {
                    subscription: Arc::clone(subscription),
                    answers: vec![None; subscription.asks().count()],
                    waiting: 0,
                    fresh: false,
                    owed: false,
                },
            };
            cells.insert(subscription.policy.clone(), cell);
        }
    }

    /// A tick of `source` begins that will bring answers to these readers.
    pub(super) fn begin<'a>(&self, source: &str, readers: impl Iterator<Item = &'a Reader>) {
        let mut cells = self.lock();
        let mut begun: HashMap<&PolicyKey, usize> = HashMap::new();
        for reader in readers.filter(|reader| is_pace(&reader.subscription, source)) {
            *begun.entry(&reader.subscription.policy).or_default() += 1;
        }
        for (policy, waiting) in begun {
            if let Some(cell) = cells.get_mut(policy) {
                cell.waiting = waiting;
                cell.fresh = false;
            }
        }
    }

    /// Answers came. The observations that became whole by them are told.
    pub(super) fn put(&self, source: &str, answers: impl Iterator<Item = (Reader, Answer)>) -> Vec<Event> {
        let mut cells = self.lock();
        let mut whole = Vec::new();
        for (reader, answer) in answers {
            let Some(cell) = cells.get_mut(&reader.subscription.policy) else { continue };
            // The policy was edited since it was asked: this answers a question of before.
            if !cell.asks_same(&reader.subscription) {
                continue;
            }
            let Some(place) = cell.answers.get_mut(reader.place) else { continue };
            *place = Some(answer);
            if is_pace(&cell.subscription, source) {
                cell.waiting = cell.waiting.saturating_sub(1);
                cell.fresh = true;
                cell.owed |= cell.waiting == 0;
            }
            if cell.owed {
                whole.extend(cell.tell());
            }
        }
        whole
    }

    /// The grace is over: policies that have some fresh answers of `source` are told, with the old ones for the rest.
    pub(super) fn hurry(&self, source: &str) -> Vec<Event> {
        let mut cells = self.lock();
        let slow = |cell: &&mut Cell| cell.fresh && cell.waiting > 0 && is_pace(&cell.subscription, source);
        cells.values_mut().filter(slow).filter_map(Cell::tell).collect()
    }

    /// A panic elsewhere leaves answers, each whole: the lock is taken all the same.
    fn lock(&self) -> MutexGuard<'_, HashMap<PolicyKey, Cell>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cell {
    fn asks_same(&self, subscription: &Arc<Subscription>) -> bool {
        let same = |a: &Subscription, b: &Subscription| {
            a.target == b.target && a.pods == b.pods && a.signals == b.signals && a.errors == b.errors
        };
        Arc::ptr_eq(&self.subscription, subscription) || same(&self.subscription, subscription)
    }

    /// The observation, if every question was answered once.
    fn tell(&mut self) -> Option<Event> {
        let mut answers = self.answers.iter().cloned().collect::<Option<Vec<_>>>()?.into_iter();
        let mut next = |_: &Ask| answers.next();
        let mut signals = Vec::with_capacity(self.subscription.signals.len());
        for signal in &self.subscription.signals {
            let load = next(&signal.load)?;
            let backlog = match &signal.backlog {
                Some(backlog) => Some(next(backlog)?),
                None => None,
            };
            signals.push(SignalAnswer { load, backlog });
        }
        let errors = match &self.subscription.errors {
            Some(errors) => Some(ErrorAnswer { failed: next(&errors.failed)?, total: next(&errors.total)? }),
            None => None,
        };
        self.fresh = false;
        self.owed = false;
        Some(Event::Observed(self.subscription.policy.clone(), Observation { signals, errors }))
    }
}

fn is_pace(subscription: &Subscription, source: &str) -> bool {
    subscription.pace().is_some_and(|pace| **pace == *source)
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use floorkeeper_core::{Failure, TargetKey};

    use super::*;
    use crate::observe::config::Coverage;
    use crate::observe::subscription::{ErrorAsk, Query, SignalAsk};

    fn ask(source: &str) -> Ask {
        Ask { source: source.into(), query: Query::Demand(None), coverage: Coverage::Evidence }
    }

    fn subscription(name: &str, sources: &[&str]) -> Arc<Subscription> {
        Arc::new(Subscription {
            policy: PolicyKey::new("shop", name),
            target: TargetKey::new("shop", "deployments.apps", name),
            pods: None,
            signals: sources.iter().map(|source| SignalAsk { load: ask(source), backlog: None }).collect(),
            errors: None,
            history: Duration::ZERO,
        })
    }

    fn several(events: &[Event]) -> Vec<Vec<Answer>> {
        let answers = |event: &Event| match event {
            Event::Observed(_, observation) => observation.signals.iter().map(|signal| signal.load.clone()).collect(),
            _ => panic!("an observation"),
        };
        events.iter().map(answers).collect()
    }

    #[test]
    fn a_policy_is_told_when_all_questions_of_the_tick_are_answered() {
        let board = Board::default();
        let policy = subscription("web", &["a", "a"]);
        board.sync(&[Arc::clone(&policy)]);
        let readers = [Reader::at(&policy, 0), Reader::at(&policy, 1)];
        board.begin("a", readers.iter());
        assert_eq!(board.put("a", [(readers[1].clone(), Answer::Empty)].into_iter()), []);
        let told = board.put("a", [(readers[0].clone(), Answer::Several(2))].into_iter());
        assert_eq!(several(&told), [[Answer::Several(2), Answer::Empty]]);
    }

    #[test]
    fn other_sources_give_their_last_answer_and_do_not_set_the_pace() {
        let board = Board::default();
        let policy = subscription("web", &["a", "b"]);
        board.sync(&[Arc::clone(&policy)]);
        let (a, b) = (Reader::at(&policy, 0), Reader::at(&policy, 1));
        board.begin("a", [&a].into_iter());
        assert_eq!(board.put("a", [(a.clone(), Answer::Empty)].into_iter()), [], "b has never answered");
        let told = board.put("b", [(b.clone(), Answer::Several(3))].into_iter());
        assert_eq!(several(&told), [[Answer::Empty, Answer::Several(3)]]);
        assert_eq!(board.put("b", [(b, Answer::Several(4))].into_iter()), []);
        board.begin("a", [&a].into_iter());
        let told = board.put("a", [(a, Answer::Empty)].into_iter());
        assert_eq!(several(&told), [[Answer::Empty, Answer::Several(4)]]);
    }

    #[test]
    fn after_the_grace_a_slow_question_keeps_its_last_answer() {
        let board = Board::default();
        let policy = subscription("web", &["a", "a"]);
        board.sync(&[Arc::clone(&policy)]);
        let readers = [Reader::at(&policy, 0), Reader::at(&policy, 1)];
        board.begin("a", readers.iter());
        board.put("a", [(readers[0].clone(), Answer::Several(2))].into_iter());
        assert_eq!(board.hurry("a"), [], "the other was never answered");
        board.put("a", [(readers[1].clone(), Answer::Several(9))].into_iter());
        board.begin("a", readers.iter());
        assert_eq!(board.hurry("a"), [], "nothing is new");
        board.put("a", [(readers[0].clone(), Answer::Several(3))].into_iter());
        assert_eq!(several(&board.hurry("a")), [[Answer::Several(3), Answer::Several(9)]]);
        assert_eq!(board.hurry("a"), []);
        let late = board.put("a", [(readers[1].clone(), Answer::Failed(Failure::Timeout))].into_iter());
        assert_eq!(several(&late), [[Answer::Several(3), Answer::Failed(Failure::Timeout)]]);
    }

    #[test]
    fn an_edit_forgets_answers_to_old_questions_only() {
        let board = Board::default();
        let (web, jobs) = (subscription("web", &["a"]), subscription("jobs", &["a"]));
        board.sync(&[Arc::clone(&web), jobs]);
        let (old, edited) = (Reader::at(&web, 0), subscription("web", &["b"]));
        board.begin("a", [&old].into_iter());
        board.sync(&[Arc::clone(&edited)]);
        assert_eq!(board.put("a", [(old, Answer::Empty)].into_iter()), []);
        let new = Reader::at(&edited, 0);
        board.begin("b", [&new].into_iter());
        assert_eq!(board.put("b", [(new, Answer::Empty)].into_iter()).len(), 1);
    }

    #[test]
    fn errors_and_backlog_come_in_their_places() {
        let board = Board::default();
        let mut policy = (*subscription("web", &["a"])).clone();
        policy.signals[0].backlog = Some(ask("a"));
        policy.errors = Some(ErrorAsk { failed: ask("a"), total: ask("a") });
        let policy = Arc::new(policy);
        board.sync(&[Arc::clone(&policy)]);
        let readers: Vec<_> = (0..4).map(|place| Reader::at(&policy, place)).collect();
        board.begin("a", readers.iter());
        let answers = readers.into_iter().zip((1..).map(Answer::Several));
        let told = board.put("a", answers);
        let observation = Observation {
            signals: vec![SignalAnswer { load: Answer::Several(1), backlog: Some(Answer::Several(2)) }],
            errors: Some(ErrorAnswer { failed: Answer::Several(3), total: Answer::Several(4) }),
        };
        assert_eq!(told, [Event::Observed(policy.policy.clone(), observation)]);
    }
}
