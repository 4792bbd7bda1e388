//! Pods that were ready and are not. Pods that never were ready yet are a start, not a failure.

use crate::target::Target;

/// Follows one workload's ready pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// How many of the wanted pods have been ready at once.
    reached: u32,
}

impl Readiness {
    pub(crate) fn observe(&mut self, target: &Target) {
        self.reached = self.reached.max(target.ready.unwrap_or(0)).min(target.replicas);
    }

    /// After a restart nobody remembers who was ready: what the stored floor asked for is taken to have been.
    pub(crate) fn assume(self, floor: u32, target: &Target) -> Self {
        Self { reached: self.reached.max(floor).min(target.replicas) }
    }

    /// Pods that were ready and are not, and how many were.
    pub(crate) fn lost(self, target: &Target) -> (u32, u32) {
        let Some(ready) = target.ready else { return (0, 0) };
        let were = self.reached.min(target.replicas);
        (were.saturating_sub(ready), were)
    }

    /// At least `percent` of the pods that were ready are not: two at least, or all.
    pub(crate) fn failing(self, target: &Target, percent: u32) -> Option<(u32, u32)> {
        let (unready, were) = self.lost(target);
        let share = u64::from(unready) * 100 >= u64::from(were) * u64::from(percent);
        (unready > 0 && share && (unready >= 2 || unready == were)).then_some((unready, were))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Rollout;

    fn target(replicas: u32, ready: u32) -> Target {
        Target {
            uid: "u".into(),
            version: "1".into(),
            replicas,
            ready: Some(ready),
            rollout: Rollout::Done,
            template: 0,
        }
    }

    fn after(history: &[(u32, u32)]) -> Option<(u32, u32)> {
        let mut readiness = Readiness::default();
        let mut last = target(0, 0);
        for &(replicas, ready) in history {
            last = target(replicas, ready);
            readiness.observe(&last);
        }
        readiness.failing(&last, 25)
    }

    #[test]
    fn only_pods_that_were_ready_count() {
        assert_eq!(after(&[(10, 10), (10, 8)]), None, "20 %");
        assert_eq!(after(&[(10, 10), (10, 7)]), Some((3, 10)));
        assert_eq!(after(&[(10, 10), (20, 10)]), None, "ten are starting");
        assert_eq!(after(&[(10, 0)]), None, "none was ready yet");
        assert_eq!(after(&[(10, 10), (4, 4)]), None, "a scale-down is no failure");
        assert_eq!(after(&[(10, 10), (4, 2)]), Some((2, 4)));
    }

    #[test]
    fn one_pod_counts_only_if_it_is_all() {
        assert_eq!(after(&[(3, 3), (3, 2)]), None);
        assert_eq!(after(&[(1, 1), (1, 0)]), Some((1, 1)));
    }
}
