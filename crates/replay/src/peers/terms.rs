//! What every autoscaler is told about its target: the same capacity, headroom and bounds for all.

use floorkeeper_sim::ServiceSpec;

/// What an autoscaler's owner would have configured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Load a second that one pod carries safely.
    pub capacity: f64,
    /// Room asked for above the load, as a share: 0.25.
    pub headroom: f64,
    pub min: u32,
    pub max: u32,
    /// CPU of a pod at `capacity`, as a share of its request.
    pub cpu_at_capacity: f64,
    /// Seconds from the creation of a pod until it is ready.
    pub start_delay: f64,
    /// Which query the autoscalers on a load metric read.
    pub signal: Signal,
}

/// The query behind a load metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signal {
    /// Offered load, counted at the edge.
    #[default]
    Load,
    /// What the service itself counts, or its queue.
    App,
}

impl Terms {
    /// Load a second for which one replica is asked.
    pub(super) fn per_replica(&self) -> f64 {
        self.capacity / (1.0 + self.headroom)
    }

    /// `capacity / (1 + headroom)` in thousandths, as a quantity says it; at least one.
    pub(super) fn per_replica_milli(&self) -> i64 {
        super::go::int64((self.per_replica() * 1_000.0).round()).max(1)
    }

    /// CPU of a pod that carries [`Self::per_replica`], percent of its request; at least one.
    pub(super) fn cpu_percent(&self) -> i32 {
        super::go::int32((self.cpu_at_capacity / (1.0 + self.headroom) * 100.0).round()).max(1)
    }

    /// Replicas that carry `load` with the headroom, inside the bounds.
    pub(super) fn replicas(&self, load: f64) -> u32 {
        self.bounded((load / self.per_replica()).ceil())
    }

    /// Replicas that carry `load` with nothing to spare, inside the bounds.
    pub(super) fn bare_replicas(&self, load: f64) -> u32 {
        self.bounded((load / self.capacity).ceil())
    }

    fn bounded(&self, replicas: f64) -> u32 {
        let replicas = super::go::int32(replicas.min(f64::from(i32::MAX)));
        u32::try_from(replicas).unwrap_or(0).min(self.max).max(self.min)
    }
}

impl From<&ServiceSpec> for Terms {
    fn from(spec: &ServiceSpec) -> Self {
        Self {
            capacity: spec.capacity,
            headroom: f64::from(spec.headroom_percent) / 100.0,
            min: spec.min,
            max: spec.max,
            cpu_at_capacity: spec.cpu_at_capacity,
            start_delay: spec.start_delay * 60.0,
            signal: Signal::default(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// 100 requests a second a pod, a quarter of headroom, 2 to 50 replicas.
    pub(in crate::peers) fn terms() -> Terms {
        Terms {
            capacity: 100.0,
            headroom: 0.25,
            min: 2,
            max: 50,
            cpu_at_capacity: 0.7,
            start_delay: 60.0,
            signal: Signal::Load,
        }
    }

    #[test]
    fn one_headroom_for_cpu_and_for_load() {
        assert_eq!((terms().per_replica_milli(), terms().cpu_percent()), (80_000, 56));
        assert_eq!((terms().replicas(800.0), terms().bare_replicas(800.0)), (10, 8));
    }

    #[test]
    fn any_load_is_inside_the_bounds() {
        for load in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
            let replicas = terms().replicas(load);
            assert!((2..=50).contains(&replicas), "{load}: {replicas}");
        }
    }
}
