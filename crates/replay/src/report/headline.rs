//! What all runs of one scaler come to: the two numbers that count, and what is behind them.

use floorkeeper_sim::scenario::Class;

use crate::record::Run;

/// One scaler over all runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Headline {
    pub scaler: String,
    /// Minutes with too few replicas, of all runs in which the signal lies.
    pub lying_minutes: f64,
    pub lying_runs: u32,
    /// The same of those in which the load itself falls and comes back.
    pub dip_minutes: f64,
    pub dip_runs: u32,
    /// The least share of the need that was kept for a return.
    pub least_kept_percent: Option<f64>,
    /// Minutes with too few replicas where nothing is wrong, or nobody knows what is.
    pub free_minutes: f64,
    pub free_runs: u32,
    /// Replica-hours above the oracle's where nothing is wrong. `None`: nothing of that kind was played.
    pub extra_percent: Option<f64>,
    /// Runs whose pass condition was not kept.
    pub failed: u32,
}

impl Headline {
    /// Minutes with too few replicas under faults of both classes.
    #[must_use]
    pub fn unsafe_minutes(&self) -> f64 {
        self.lying_minutes + self.dip_minutes
    }
}

/// One for each scaler, in the order in which they first appear.
#[must_use]
pub fn headlines(runs: &[Run]) -> Vec<Headline> {
    let mut names: Vec<&str> = Vec::new();
    for run in runs {
        if !names.contains(&run.scaler.as_str()) {
            names.push(&run.scaler);
        }
    }
    names.into_iter().map(|name| headline(name, runs)).collect()
}

fn headline(name: &str, runs: &[Run]) -> Headline {
    let mut sum = Headline {
        scaler: name.to_owned(),
        lying_minutes: 0.0,
        lying_runs: 0,
        dip_minutes: 0.0,
        dip_runs: 0,
        least_kept_percent: None,
        free_minutes: 0.0,
        free_runs: 0,
        extra_percent: None,
        failed: 0,
    };
    let (mut hours, mut oracle) = (0.0, 0.0);
    for run in runs.iter().filter(|run| run.scaler == name) {
        sum.failed += u32::from(!run.passed);
        match run.class {
            Class::Lying => {
                sum.lying_minutes += run.unsafe_minutes;
                sum.lying_runs += 1;
            }
            Class::Dip => {
                sum.dip_minutes += run.unsafe_minutes;
                sum.dip_runs += 1;
                if let Some(kept) = run.kept_at_return_percent {
                    sum.least_kept_percent = Some(sum.least_kept_percent.map_or(kept, |least: f64| least.min(kept)));
                }
            }
            Class::FaultFree => {
                sum.free_minutes += run.unsafe_minutes;
                sum.free_runs += 1;
                hours += run.replica_hours;
                oracle += run.replica_hours / (1.0 + run.extra_over_oracle_percent / 100.0).max(f64::MIN_POSITIVE);
            }
        }
    }
    sum.extra_percent = (oracle > 0.0).then(|| 100.0 * (hours / oracle - 1.0));
    sum
}
