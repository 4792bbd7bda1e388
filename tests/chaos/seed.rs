//! Chance that can be played again: the seed is printed, and `FLOORKEEPER_SEED` sets it.

use std::ops::Range;
use std::time::Duration;

/// SplitMix64: a few lines, and good enough to choose moments.
#[derive(Debug, Clone)]
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) fn take() -> Self {
        let chosen = std::env::var("FLOORKEEPER_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = chosen.unwrap_or_else(|| {
            std::time::UNIX_EPOCH.elapsed().map_or(1, |now| u64::from(now.subsec_nanos()) ^ now.as_secs())
        });
        println!("seed {seed}: FLOORKEEPER_SEED={seed} plays it again");
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(range.start + self.below(range.end - range.start))
    }
}

/// The long rounds, on request only: `FLOORKEEPER_SOAK=1 cargo test --test chaos`.
pub(crate) fn soaking() -> bool {
    std::env::var_os("FLOORKEEPER_SOAK").is_some_and(|value| value != "0")
}
