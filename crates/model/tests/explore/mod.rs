//! Explores a model to its last state, and says how much that was.

use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker as _, DiscoveryClassification, Model};

/// Every state of `model` keeps every promise, and each of these things is possible.
pub(crate) fn explore<M>(model: M, possible: &[&'static str])
where
    M: Model + Debug + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let named = format!("{model:?}");
    let name = named.split([',', '{']).next().unwrap_or_default().to_owned();
    let checker = model.checker().threads(threads()).spawn_bfs().join();
    println!(
        "{name}: {} states, {} of them different, depth {}",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth()
    );
    assert!(checker.is_done());
    for (promise, path) in checker.discoveries() {
        if matches!(checker.discovery_classification(promise), DiscoveryClassification::Counterexample) {
            panic!("{promise}: {:?}\nends in {:#?}", path.clone().into_actions(), path.last_state());
        }
    }
    for thing in possible {
        checker.assert_any_discovery(thing);
    }
}

/// `model` lacks something: the promise named so is broken somewhere.
pub(crate) fn counter_example<M>(model: M, promise: &'static str)
where
    M: Model + Debug + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let checker = model.checker().threads(threads()).spawn_bfs().join();
    let path = checker.assert_any_discovery(promise);
    let acts = path.into_actions();
    println!("after {} of {} states: {acts:?}", checker.unique_state_count(), checker.state_count());
    assert!(!acts.is_empty(), "it was broken from the start");
}

/// The long bounds too.
pub(crate) fn soak() -> bool {
    std::env::var_os("FLOORKEEPER_SOAK").is_some()
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4))
}
