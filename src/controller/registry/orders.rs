//! Overrides matched with policies: who obeys what, and what each override's status says.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{Override, PolicyKey, Timestamp};

use super::{OrderEntry, Registry};
use crate::controller::input::Input;

impl Registry {
    /// Matches the overrides of every namespace in which something changed, or in which one has ended.
    pub(super) fn match_orders(&mut self, now: Timestamp) {
        let ended = self.orders.iter().filter(|(_, entry)| entry.unsaid(now)).map(|(id, _)| Arc::clone(&id.namespace));
        self.unmatched.extend(ended.collect::<Vec<_>>());
        if self.unmatched.is_empty() {
            return;
        }
        let unmatched = std::mem::take(&mut self.unmatched);
        let mut orders: HashMap<Arc<str>, Vec<_>> = HashMap::new();
        for (id, entry) in &mut self.orders {
            if unmatched.contains(&id.namespace) {
                orders.entry(Arc::clone(&id.namespace)).or_default().push((id, entry, Vec::new()));
            }
        }
        for (key, policy) in self.policies.iter_mut().filter(|(key, _)| unmatched.contains(&key.namespace)) {
            let mut applied: Vec<Override> = Vec::new();
            for (_, entry, names) in orders.get_mut(&key.namespace).into_iter().flatten() {
                if entry.order.applies_to(&key.name, policy.labels()) {
                    names.push(key.name.to_string());
                    if !entry.order.over(now) {
                        applied.push(entry.order.order.clone());
                    }
                }
            }
            // In one order, whatever the map's: telling the same again would be taken for news.
            applied.sort_by(|a, b| a.name.cmp(&b.name));
            if policy.told.is_some() && policy.overrides != applied {
                policy.overrides.clone_from(&applied);
                self.effects.inputs.push(Input::Overrides(PolicyKey::clone(key), applied));
            }
        }
        for (id, entry, names) in orders.into_values().flatten() {
            let status = entry.order.status(names, now);
            let asked = entry.asked.as_ref().is_some_and(|(asked, at)| *asked == status && now.since(*at) < ASK_AGAIN);
            if entry.seen.as_ref() != Some(&status) && !asked {
                entry.asked = Some((status.clone(), now));
                self.effects.orders.push((id.clone(), status));
            }
        }
    }
}

impl OrderEntry {
    /// Its end, or a status that did not get through, is still to be told.
    fn unsaid(&self, now: Timestamp) -> bool {
        let latest = self.asked.as_ref().map(|(status, _)| status).or(self.seen.as_ref());
        let expired = latest.and_then(|status| status.state) == Some(crate::api::OverrideState::Expired);
        let lost = self
            .asked
            .as_ref()
            .is_some_and(|(status, at)| self.seen.as_ref() != Some(status) && now.since(*at) >= ASK_AGAIN);
        (self.order.over(now) && !expired) || lost
    }
}

/// A status that was asked to be written and is not seen after this is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(30);
