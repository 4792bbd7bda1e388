//! An independent eye: every number of replicas that was written to a Deployment.

use std::time::{Duration, Instant};

use kube::Client;

use crate::numbers::{Number, Numbers};

/// The Deployments of a namespace, from its opening on.
pub struct Eye(Numbers);

impl Eye {
    /// Looks from now on.
    pub fn open(client: Client, namespace: &str) -> Self {
        Self(Numbers::watch(&client, Some(namespace), &[Number::REPLICAS]))
    }

    /// What was written last; 0 if nothing was seen.
    pub fn now(&self, name: &str) -> u32 {
        self.all(name).last().map_or(0, |(_, replicas)| *replicas)
    }

    /// The fewest since a moment, what stood at that moment included; and for how long there were fewer than `floor`.
    pub fn since(&self, name: &str, moment: Instant, floor: u32) -> (u32, Duration) {
        let all = self.all(name);
        let ends = all.iter().skip(1).map(|(at, _)| *at).chain([Instant::now()]);
        let spans = all.iter().zip(ends).filter(|(_, end)| *end > moment);
        let mut fewest = u32::MAX;
        let mut below = Duration::ZERO;
        for ((at, replicas), end) in spans {
            fewest = fewest.min(*replicas);
            if *replicas < floor {
                below += end.duration_since((*at).max(moment));
            }
        }
        (fewest, below)
    }

    fn all(&self, name: &str) -> Vec<(Instant, u32)> {
        let seen = self.0.seen();
        seen.iter().find(|(whose, _)| whose.name == name).map(|(_, values)| values.clone()).unwrap_or_default()
    }
}
