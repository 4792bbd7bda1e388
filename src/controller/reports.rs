//! What the loop has to say to people, handed over without waiting: the latest decision of each policy, and notices.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use floorkeeper_core::{Decision, Notice, Policy, PolicyKey, Timestamp};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use tokio::sync::Notify;

use super::registry::About;

/// Between the loop and the task that writes status and events.
#[derive(Debug, Default)]
pub(super) struct Reports {
    state: Mutex<News>,
    news: Notify,
    closed: AtomicBool,
}

/// What has come since the last look.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Only the latest decision of each policy: what lies between is of no interest to a status.
    pub(super) decisions: HashMap<PolicyKey, (Decision, Arc<Policy>)>,
    pub(super) notices: VecDeque<Told>,
    /// Policies as objects; `None`: gone.
    pub(super) abouts: HashMap<PolicyKey, Option<About>>,
    /// HPAs that floorkeeper created, by their policy; `None`: gone.
    pub(super) own_hpas: HashMap<PolicyKey, Option<Arc<HorizontalPodAutoscaler>>>,
    /// Why a policy is not understood; `None`: it is again.
    pub(super) problems: HashMap<PolicyKey, Option<Arc<str>>>,
    /// Notices that were dropped because nobody came to fetch them.
    pub(super) lost: usize,
}

/// A notice, and the policy as it was when it was told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) policy: PolicyKey,
    pub(super) spec: Option<Arc<Policy>>,
    pub(super) notice: Notice,
    pub(super) at: Timestamp,
}

impl Reports {
    /// A policy was decided.
    pub(super) fn decided(&self, policy: PolicyKey, decision: &Decision, spec: &Arc<Policy>) {
        self.lock().decisions.insert(policy, (decision.clone(), Arc::clone(spec)));
        self.news.notify_one();
    }

    /// A policy was seen as an object, or is gone.
    pub(super) fn object(&self, policy: PolicyKey, about: Option<About>) {
        self.lock().abouts.insert(policy, about);
        self.news.notify_one();
    }

    /// An HPA that floorkeeper created was seen, or is gone.
    pub(super) fn own_hpa(&self, policy: PolicyKey, hpa: Option<Arc<HorizontalPodAutoscaler>>) {
        self.lock().own_hpas.insert(policy, hpa);
        self.news.notify_one();
    }

    /// A policy is not understood, or is again.
    pub(super) fn problem(&self, policy: PolicyKey, problem: Option<Arc<str>>) {
        self.lock().problems.insert(policy, problem);
        self.news.notify_one();
    }

    /// The engine has something to tell.
    pub(super) fn tell(&self, told: Told) {
        let mut state = self.lock();
        if state.notices.len() >= NOTICES_KEPT {
            state.notices.pop_front();
            state.lost += 1;
        }
        state.notices.push_back(told);
        drop(state);
        self.news.notify_one();
    }

    /// Waits until there is something, or nothing more will come, and takes it all.
    pub(super) async fn next(&self) -> News {
        loop {
            let news = self.take();
            if !news.is_empty() || self.closed() {
                return news;
            }
            self.news.notified().await;
        }
    }

    /// Nothing more will come: [`Reports::closed`].
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.news.notify_one();
    }

    pub(super) fn closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Takes what is there.
    pub(super) fn take(&self) -> News {
        std::mem::take(&mut *self.lock())
    }

    /// A panic elsewhere leaves nothing half-written here: the lock is taken all the same.
    fn lock(&self) -> MutexGuard<'_, News> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News {
    fn is_empty(&self) -> bool {
        let Self { decisions, notices, abouts, own_hpas, problems, lost } = self;
        let objects = abouts.is_empty() && own_hpas.is_empty();
        objects && decisions.is_empty() && notices.is_empty() && problems.is_empty() && *lost == 0
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
            let notice = Notice::Contested { undos };
            reports.tell(Told { policy: policy.clone(), spec: None, notice, at: Timestamp(0) });
        }
        let news = reports.take();
        assert_eq!((news.notices.len(), news.lost), (NOTICES_KEPT, 3));
        assert_eq!(news.notices[0].notice, Notice::Contested { undos: 3 });
        assert_eq!(reports.take().lost, 0);
    }
}
