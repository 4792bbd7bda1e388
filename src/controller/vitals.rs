//! Signs of life: whether the loop turns, and what is still waited for.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::clock::instant;

/// Shared between the loop, the watches and `/healthz`, `/readyz`.
#[derive(Debug)]
pub(super) struct Vitals(Mutex<State>);

#[derive(Debug)]
struct State {
    turned: Instant,
    /// Stores that the loop waits for before it decides; `None` until it has said so once.
    stores: Option<BTreeSet<String>>,
    /// Kinds of `floorkeeper.dev` that the API server does not know.
    missing: BTreeSet<String>,
}

impl Default for Vitals {
    fn default() -> Self {
        Self(Mutex::new(State { turned: instant(), stores: None, missing: BTreeSet::new() }))
    }
}

impl Vitals {
    /// The loop has turned.
    pub(super) fn turned(&self) {
        self.lock().turned = instant();
    }

    /// The stores that are not filled yet; none: decisions are made.
    pub(super) fn waits_for(&self, stores: BTreeSet<String>) {
        self.lock().stores = Some(stores);
    }

    /// The API server does not know this kind.
    pub(super) fn missing(&self, kind: &str) {
        self.lock().missing.insert(kind.to_owned());
    }

    /// The API server knows this kind.
    pub(super) fn found(&self, kind: &str) {
        self.lock().missing.remove(kind);
    }

    /// The loop has turned lately.
    #[must_use]
    pub(super) fn alive(&self) -> bool {
        self.lock().turned.elapsed() < STUCK_AFTER
    }

    /// What is waited for, by name; empty: ready.
    #[must_use]
    pub(super) fn waiting(&self) -> Vec<String> {
        let state = self.lock();
        let missing = state.missing.iter().map(|kind| format!("{kind}: its CustomResourceDefinition is not installed"));
        let stores = match &state.stores {
            None => vec!["the first look at the cluster".to_owned()],
            Some(stores) => {
                let present = stores.iter().filter(|store| !state.missing.contains(*store));
                present.map(|store| format!("{store}: being listed")).collect()
            }
        };
        missing.chain(stores).collect()
    }

    /// A panic elsewhere leaves nothing half-written here: the lock is taken all the same.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fifteen times the loop's longest pause: a machine under load is late, it is not dead.
const STUCK_AFTER: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_after_the_first_look_with_nothing_missing() {
        let vitals = Vitals::default();
        assert!(vitals.alive());
        assert_eq!(vitals.waiting(), ["the first look at the cluster"]);
        vitals.missing("floortables.floorkeeper.dev");
        vitals.waits_for(["floortables.floorkeeper.dev".to_owned(), "deployments.apps".to_owned()].into());
        assert_eq!(
            vitals.waiting(),
            [
                "floortables.floorkeeper.dev: its CustomResourceDefinition is not installed",
                "deployments.apps: being listed"
            ]
        );
        vitals.found("floortables.floorkeeper.dev");
        vitals.waits_for(BTreeSet::new());
        assert_eq!(vitals.waiting(), [""; 0]);
    }
}
