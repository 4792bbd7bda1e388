//! Rises that many policies of one source share: one word for all of them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::decision::Notice;
use crate::fleet::Fleet;
use crate::key::PolicyKey;

/// A rise of more than x2 that many policies of one source share is announced once, not a thousand times.
pub(crate) fn announce_shared_rises(fleet: &Fleet, notices: &mut Vec<(PolicyKey, Notice)>) {
    let steep = |notice: &Notice| matches!(notice, Notice::Raised { from, to, .. } if *to > from.saturating_mul(2));
    let mut shared: HashMap<Arc<str>, u32> = HashMap::new();
    for (key, _) in notices.iter().filter(|(_, notice)| steep(notice)) {
        if let Some(workload) = fleet.policy(key) {
            *shared.entry(Arc::clone(&workload.policy.source)).or_default() += 1;
        }
    }
    shared.retain(|_, policies| *policies >= SHARED_FROM);
    if shared.is_empty() {
        return;
    }
    let source_of = |key: &PolicyKey| fleet.policy(key).map(|workload| Arc::clone(&workload.policy.source));
    let mut told: HashMap<Arc<str>, PolicyKey> = HashMap::new();
    notices.retain(|(key, notice)| {
        let source = source_of(key).filter(|source| steep(notice) && shared.contains_key(source));
        source.is_none_or(|source| {
            told.entry(source).or_insert_with(|| key.clone());
            false
        })
    });
    for (source, key) in told {
        let policies = shared.get(&source).copied().unwrap_or_default();
        notices.push((key, Notice::SharedRise { source, policies }));
    }
}

/// Fewer rises are told one by one.
const SHARED_FROM: u32 = 10;
