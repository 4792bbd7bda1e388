//! The API server's `FloorTable`s: rows, and the fencing rules that it enforces on them.

use std::collections::BTreeMap;

use floorkeeper_core::{Standing, TargetKey};

/// Every stored row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    rows: BTreeMap<TargetKey, Standing>,
}

impl Store {
    /// One write of a table: all of it, or nothing where a rule refuses it.
    pub(crate) fn write(&mut self, rows: &[(TargetKey, Standing)], vanish: &[TargetKey]) -> bool {
        let allowed = rows.iter().all(|(target, new)| self.rows.get(target).is_none_or(|old| follows(old, new)))
            && vanish.iter().all(|target| self.rows.get(target).is_none_or(|row| row.released));
        if allowed {
            self.rows.extend(rows.iter().cloned());
            vanish.iter().for_each(|target| drop(self.rows.remove(target)));
        }
        allowed
    }

    /// The floor that admission enforces.
    pub(crate) fn floor(&self, target: &TargetKey) -> Option<u32> {
        self.rows.get(target).filter(|row| !row.released).map(|row| row.replicas)
    }

    /// The rows of a namespace, as a watch tells them.
    pub(crate) fn table(&self, namespace: &str) -> Vec<(TargetKey, Standing)> {
        let own = self.rows.iter().filter(|(target, _)| &*target.namespace == namespace);
        own.map(|(target, row)| (target.clone(), row.clone())).collect()
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.rows.values().map(|row| row.epoch).max().unwrap_or(0)
    }
}

fn follows(old: &Standing, new: &Standing) -> bool {
    new.epoch >= old.epoch && (new.replicas >= old.replicas || new.seq > old.seq)
}
