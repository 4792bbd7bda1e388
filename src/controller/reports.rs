//! What the loop has to say to people, handed over without waiting: the latest decision of each policy, and notices.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use floorkeeper_core::{Decision, Notice, PolicyKey, Timestamp};
use tokio::sync::Notify;

/// Between the loop and the task that writes status and events.
#[derive(Debug, Default)]
pub struct Reports {
    state: Mutex<News>,
    news: Notify,
}

/// What has come since the last look.
#[derive(Debug, Default)]
pub struct News {
    /// Only the latest decision of each policy: what lies between is of no interest to a status.
    pub decisions: HashMap<PolicyKey, Decision>,
    pub notices: VecDeque<(PolicyKey, Notice, Timestamp)>,
    /// Notices that were dropped because nobody came to fetch them.
    pub lost: usize,
}

impl Reports {
    /// A policy was decided.
    pub fn decided(&self, policy: PolicyKey, decision: &Decision) {
        self.lock().decisions.insert(policy, decision.clone());
        self.news.notify_one();
    }

    /// The engine has something to tell.
    pub fn tell(&self, policy: PolicyKey, notice: Notice, now: Timestamp) {
        let mut state = self.lock();
        if state.notices.len() >= NOTICES_KEPT {
            state.notices.pop_front();
            state.lost += 1;
        }
        state.notices.push_back((policy, notice, now));
        drop(state);
        self.news.notify_one();
    }

    /// Waits until there is something, and takes it all.
    pub async fn next(&self) -> News {
        loop {
            let news = self.take();
            if !news.decisions.is_empty() || !news.notices.is_empty() {
                return news;
            }
            self.news.notified().await;
        }
    }

    /// Takes what is there.
    pub fn take(&self) -> News {
        std::mem::take(&mut *self.lock())
    }

    /// A panic elsewhere leaves nothing half-written here: the lock is taken all the same.
    fn lock(&self) -> MutexGuard<'_, News> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fleet of 10,000 that changes as one, twice over: more than that can't be told in time anyhow.
const NOTICES_KEPT: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_bounded_and_the_loss_is_counted() {
        let reports = Reports::default();
        let policy = PolicyKey::new("shop", "web");
        for undos in 0..u32::try_from(NOTICES_KEPT).unwrap() + 3 {
            reports.tell(policy.clone(), Notice::Contested { undos }, Timestamp(0));
        }
        let news = reports.take();
        assert_eq!((news.notices.len(), news.lost), (NOTICES_KEPT, 3));
        assert_eq!(news.notices[0].1, Notice::Contested { undos: 3 });
        assert_eq!(reports.take().lost, 0);
    }
}
