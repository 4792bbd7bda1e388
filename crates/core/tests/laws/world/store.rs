//! The API server's `FloorTable`s: rows, and the fencing rules that it enforces on them.

use std::collections::BTreeMap;

use floorkeeper_core::{Standing, TargetKey};

/// Every stored row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    rows: BTreeMap<TargetKey, Standing>,
}

/// Which rule a write broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    EpochFell,
    FloorFell,
    NotReleased,
}

impl Store {
    /// One write of a table: all of it or nothing.
    pub(crate) fn write(&mut self, rows: &[(TargetKey, Standing)], vanish: &[TargetKey]) -> Result<(), Refused> {
        for (target, new) in rows {
            let Some(old) = self.rows.get(target) else { continue };
            if new.epoch < old.epoch {
                return Err(Refused::EpochFell);
            }
            if new.replicas < old.replicas && new.seq <= old.seq {
                return Err(Refused::FloorFell);
            }
        }
        for target in vanish {
            if self.rows.get(target).is_some_and(|row| !row.released) {
                return Err(Refused::NotReleased);
            }
        }
        for (target, row) in rows {
            self.rows.insert(target.clone(), row.clone());
        }
        for target in vanish {
            self.rows.remove(target);
        }
        Ok(())
    }

    pub(crate) fn row(&self, target: &TargetKey) -> Option<&Standing> {
        self.rows.get(target)
    }

    /// The floor that the API server enforces.
    pub(crate) fn floor(&self, target: &TargetKey) -> Option<u32> {
        self.row(target).filter(|row| !row.released).map(|row| row.replicas)
    }

    /// The rows of a namespace, as a watch tells them.
    pub(crate) fn table(&self, namespace: &str) -> Vec<(TargetKey, Standing)> {
        let own = self.rows.iter().filter(|(target, _)| &*target.namespace == namespace);
        own.map(|(target, row)| (target.clone(), row.clone())).collect()
    }

    /// The highest epoch stored.
    pub(crate) fn epoch(&self) -> u64 {
        self.rows.values().map(|row| row.epoch).max().unwrap_or(0)
    }
}
