//! Step and verify: a floor comes down by at most a quarter, the pods that are left are watched, and harm takes the
//! step back.

use core::time::Duration;

use crate::facts::Facts;
use crate::judge::ErrorShare;
use crate::standing::Step;
use crate::time::Timestamp;

/// What became of the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Nothing is under verification.
    Clear,
    Watching,
    Verified,
    Harmful,
}

/// How the pods are now, to compare with before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    /// Failed share in permille; `None` where not judged.
    pub(crate) errors: Option<u32>,
    /// Pods that were ready and are not.
    pub(crate) unready: u32,
    /// Need against ready pods in permille; `None` where not known.
    pub(crate) strain: Option<u32>,
    pub(crate) ready: Option<u32>,
    pub(crate) replicas: u32,
}

impl Health {
    /// `unready`: pods that were ready and are not.
    pub(crate) fn of(facts: &Facts<'_>, unready: u32, ready: Option<u32>) -> Self {
        let errors = match facts.errors {
            ErrorShare::Judged(share) => Some((share * 1000.0) as u32),
            ErrorShare::NotJudged | ErrorShare::Unknown(_) => None,
        };
        // Headroom is not strain: the bare need against the pods that can serve it.
        let bare = facts.level / (1.0 + f64::from(facts.policy.headroom_percent) / 100.0);
        let strain = match ready {
            Some(ready) if facts.unknown.is_none() => Some((bare / f64::from(ready.max(1)) * 1000.0).min(1e9) as u32),
            Some(_) | None => None,
        };
        Self { errors, unready, strain, ready, replicas: facts.replicas }
    }

    fn serving(&self) -> u32 {
        self.ready.unwrap_or(self.replicas)
    }

    /// Errors, unready pods or need against ready pods are worse than just before `step`.
    fn worse_than_before(&self, step: &Step) -> bool {
        let errors = match (self.errors, step.errors_before) {
            (Some(now), before) => now > before.unwrap_or(0).saturating_add(ERRORS_WORSE),
            (None, _) => false,
        };
        let unready = self.unready > step.unready_before.saturating_add(1);
        let strain = match (self.strain, step.strain_before) {
            (Some(now), before) => now > 1000 && now > before.unwrap_or(0).saturating_add(STRAIN_WORSE),
            (None, _) => false,
        };
        errors || unready || strain
    }
}

/// The largest step down from `floor`: a quarter, and one at least.
pub(crate) fn largest(floor: u32) -> u32 {
    (floor / 4).max(1)
}

/// A step from `from` to `to`, with how things are before it.
pub(crate) fn begin(from: u32, to: u32, now: Timestamp, health: &Health) -> Step {
    Step {
        from,
        to,
        at: now,
        fell_at: None,
        errors_before: health.errors,
        unready_before: health.unready,
        strain_before: health.strain,
    }
}

/// Watches the last step. The clock of `verifyFor` starts when ready pods really fell: under Guard the HPA does that
/// later, or never if more is wanted than the floor.
pub(crate) fn watch(step: Option<&mut Step>, health: &Health, verify_for: Duration, now: Timestamp) -> Watch {
    let Some(step) = step else { return Watch::Clear };
    if step.fell_at.is_none() && health.serving() < step.from {
        step.fell_at = Some(now);
    }
    match step.fell_at {
        Some(_) if health.worse_than_before(step) => Watch::Harmful,
        Some(fell_at) if now.since(fell_at) >= verify_for => Watch::Verified,
        Some(_) => Watch::Watching,
        // The floor did not bind: more replicas stand than it asked for, before and after.
        None if health.replicas > step.from && now.since(step.at) >= verify_for => Watch::Verified,
        None if now.since(step.at) >= verify_for.saturating_add(SETTLE_AT_MOST) => Watch::Verified,
        None => Watch::Watching,
    }
}

/// The pause after a harmful step: twice the last one.
pub(crate) fn pause(last: Duration) -> Duration {
    last.saturating_mul(2).clamp(FIRST_PAUSE, LONGEST_PAUSE)
}

/// More failed work than before by this share, in permille, is harm; less is noise.
const ERRORS_WORSE: u32 = 20;

/// Need against ready pods, in permille: more than full, and by a tenth more than before, is harm.
const STRAIN_WORSE: u32 = 100;

/// An HPA's own stabilisation is 5 minutes by default; pods that have not fallen after twice that will not.
const SETTLE_AT_MOST: Duration = Duration::from_secs(600);

const FIRST_PAUSE: Duration = Duration::from_secs(120);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFY: Duration = Duration::from_secs(120);
    const FINE: Health = Health { errors: Some(1), unready: 0, strain: Some(800), ready: Some(10), replicas: 10 };

    fn second(n: u64) -> Timestamp {
        Timestamp(n * 1000)
    }

    fn step() -> Step {
        begin(10, 8, second(0), &FINE)
    }

    #[test]
    fn the_clock_starts_when_ready_pods_fell() {
        let mut step = step();
        assert_eq!(watch(Some(&mut step), &FINE, VERIFY, second(300)), Watch::Watching);
        let fewer = Health { ready: Some(9), replicas: 8, ..FINE };
        assert_eq!(watch(Some(&mut step), &fewer, VERIFY, second(310)), Watch::Watching);
        assert_eq!(watch(Some(&mut step), &fewer, VERIFY, second(429)), Watch::Watching);
        assert_eq!(watch(Some(&mut step), &fewer, VERIFY, second(430)), Watch::Verified);
    }

    #[test]
    fn a_floor_that_does_not_bind_is_verified_by_time() {
        let many = Health { ready: Some(20), replicas: 20, ..FINE };
        assert_eq!(watch(Some(&mut step()), &many, VERIFY, second(119)), Watch::Watching);
        assert_eq!(watch(Some(&mut step()), &many, VERIFY, second(120)), Watch::Verified);
        assert_eq!(watch(Some(&mut step()), &FINE, VERIFY, second(719)), Watch::Watching);
        assert_eq!(watch(Some(&mut step()), &FINE, VERIFY, second(720)), Watch::Verified);
    }

    #[test]
    fn harm_is_errors_unready_pods_or_strain_worse_than_before() {
        let fell = Health { ready: Some(8), replicas: 8, ..FINE };
        let after = |health: Health| watch(Some(&mut step()), &health, VERIFY, second(1));
        assert_eq!(after(fell), Watch::Watching);
        assert_eq!(after(Health { errors: Some(21), ..fell }), Watch::Watching);
        assert_eq!(after(Health { errors: Some(22), ..fell }), Watch::Harmful);
        assert_eq!(after(Health { unready: 1, ..fell }), Watch::Watching, "one pod is noise");
        assert_eq!(after(Health { unready: 2, ..fell }), Watch::Harmful);
        assert_eq!(after(Health { strain: Some(1000), ..fell }), Watch::Watching);
        assert_eq!(after(Health { strain: Some(1001), ..fell }), Watch::Harmful);
        let strained = |strain| Health { strain: Some(strain), ..fell };
        let after_strain =
            |now| watch(Some(&mut begin(10, 8, second(0), &strained(950))), &strained(now), VERIFY, second(1));
        assert_eq!(
            (after_strain(1050), after_strain(1051)),
            (Watch::Watching, Watch::Harmful),
            "a tenth more than before"
        );
        assert_eq!(after(Health { errors: Some(999), ..FINE }), Watch::Watching, "nothing fell yet: not our doing");
    }

    #[test]
    fn steps_and_pauses_are_bounded() {
        assert_eq!((largest(0), largest(1), largest(7), largest(100)), (1, 1, 1, 25));
        let first = pause(Duration::ZERO);
        assert_eq!(first, Duration::from_secs(120));
        assert_eq!(pause(first), Duration::from_secs(240));
        assert_eq!(pause(Duration::from_secs(3000)), Duration::from_secs(3600));
    }
}
