//! How many events may go out: a token bucket for each policy, and one for the whole fleet.
//!
//! A storm in which ten thousand policies have something to say at once must not become ten thousand writes. Warnings
//! may use the whole fleet's bucket, the rest only its upper half, so that news can't crowd out trouble.

use std::collections::HashMap;
use std::time::Duration;

use floorkeeper_core::{PolicyKey, Timestamp};

/// All buckets.
#[derive(Debug)]
pub(super) struct Rate {
    fleet: Bucket,
    policies: HashMap<PolicyKey, Bucket>,
}

impl Default for Rate {
    fn default() -> Self {
        Self { fleet: Bucket::full(&FLEET, Timestamp(0)), policies: HashMap::new() }
    }
}

impl Rate {
    /// Takes a token of the policy and one of the fleet, or none at all.
    pub(super) fn take(&mut self, policy: &PolicyKey, warning: bool, now: Timestamp) -> bool {
        self.fleet.refill(&FLEET, now);
        let spare = if warning { 0 } else { FLEET.burst / 2 };
        if self.fleet.tokens <= spare {
            return false;
        }
        if self.policies.len() >= REMEMBERED {
            // A full bucket remembers nothing.
            self.policies.retain(|_, bucket| {
                bucket.refill(&POLICY, now);
                bucket.tokens < POLICY.burst
            });
        }
        let bucket = self.policies.entry(policy.clone()).or_insert_with(|| Bucket::full(&POLICY, now));
        bucket.refill(&POLICY, now);
        if bucket.tokens == 0 {
            return false;
        }
        bucket.tokens -= 1;
        self.fleet.tokens -= 1;
        true
    }
}

/// How large a bucket is, and how long one token takes to come back.
struct Size {
    burst: u32,
    every: Duration,
}

#[derive(Debug)]
struct Bucket {
    tokens: u32,
    /// Up to when tokens were given.
    at: Timestamp,
}

impl Bucket {
    fn full(size: &Size, now: Timestamp) -> Self {
        Self { tokens: size.burst, at: now }
    }

    fn refill(&mut self, size: &Size, now: Timestamp) {
        let passed = now.since(self.at).as_millis() / size.every.as_millis().max(1);
        let gained = u32::try_from(passed).unwrap_or(u32::MAX);
        if gained == 0 {
            return;
        }
        self.tokens = self.tokens.saturating_add(gained).min(size.burst);
        self.at = if self.tokens == size.burst { now } else { self.at.plus(size.every.saturating_mul(gained)) };
    }
}

/// A policy that changes its floor every few minutes is told in full; one that flaps is cut to two a minute.
const POLICY: Size = Size { burst: 10, every: Duration::from_secs(30) };

/// What an API server carries beside its work without anybody noticing.
const FLEET: Size = Size { burst: 100, every: Duration::from_millis(50) };

/// Buckets kept before full ones are swept out: twice a fleet of 10,000.
const REMEMBERED: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(number: usize) -> PolicyKey {
        PolicyKey::new("shop", &format!("p{number}"))
    }

    #[test]
    fn one_policy_is_cut_to_its_own_rate() {
        let mut rate = Rate::default();
        let start = Timestamp(1_000_000);
        let sent = (0..50).filter(|_| rate.take(&policy(1), true, start)).count();
        assert_eq!(sent, 10);
        assert!(!rate.take(&policy(1), true, start.plus(Duration::from_secs(29))));
        assert!(rate.take(&policy(1), true, start.plus(Duration::from_secs(30))));
        assert!(rate.take(&policy(2), true, start), "another policy has its own bucket");
    }

    #[test]
    fn a_storm_is_cut_and_leaves_room_for_warnings() {
        let mut rate = Rate::default();
        let start = Timestamp(1_000_000);
        let sent = (0..10_000).filter(|number| rate.take(&policy(*number), false, start)).count();
        assert_eq!(sent, 50);
        let warned = (0..10_000).filter(|number| rate.take(&policy(*number), true, start)).count();
        assert_eq!(warned, 50);
        let second = start.plus(Duration::from_secs(1));
        assert_eq!((0..10_000).filter(|number| rate.take(&policy(*number), true, second)).count(), 20);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_and_breaks_nothing() {
        let mut rate = Rate::default();
        assert!(rate.take(&policy(1), true, Timestamp(1_000_000)));
        let earlier = Timestamp(5);
        let sent = (0..50).filter(|_| rate.take(&policy(1), true, earlier)).count();
        assert_eq!(sent, 9);
    }

    #[test]
    fn memory_is_bounded() {
        let mut rate = Rate::default();
        for number in 0..3 * REMEMBERED {
            let now = Timestamp(1_000_000 + u64::try_from(number).unwrap() * 100);
            rate.take(&policy(number), true, now);
        }
        assert!(rate.policies.len() <= REMEMBERED);
    }
}
