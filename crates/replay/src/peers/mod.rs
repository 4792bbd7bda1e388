//! Other autoscalers, as their upstream decides: what floorkeeper is compared with.
//!
//! Every peer sees the same [`Sight`] and says what `spec.replicas` should be. A rule of theirs carries the place that
//! it comes from, and rows of their own test tables.

mod estafette;
mod go;
pub mod hpa;
pub mod keda;
mod oracle;
mod static_peak;
mod terms;
pub mod tortoise;

pub use estafette::{Annotations, Estafette};
pub use hpa::Hpa;
pub use keda::Keda;
pub use oracle::Oracle;
pub use static_peak::StaticPeak;
pub use terms::{Signal, Terms};
pub use tortoise::Tortoise;

/// Every peer, in the order of tables.
pub const NAMES: [&str; 10] = [
    "hpa-cpu",
    "hpa-load",
    "keda",
    "keda-null-error",
    "keda-fallback",
    "keda-fallback-current-if-higher",
    "tortoise",
    "estafette",
    "static-peak",
    "oracle",
];

/// The peer of this name, one of [`NAMES`].
#[must_use]
pub fn peer(name: &str, terms: &Terms) -> Option<Box<dyn Peer>> {
    Some(match name {
        "hpa-cpu" => Box::new(Hpa::on_cpu(terms)),
        "hpa-load" => Box::new(Hpa::on_load(terms)),
        "keda" => Box::new(Keda::new(terms)),
        "keda-null-error" => Box::new(Keda::null_is_an_error(terms)),
        "keda-fallback" => Box::new(Keda::falls_back(terms)),
        "keda-fallback-current-if-higher" => Box::new(Keda::falls_back_to_the_higher(terms)),
        "tortoise" => Box::new(Tortoise::new(terms)),
        "estafette" => Box::new(Estafette::new(terms)),
        "static-peak" => Box::new(StaticPeak::new(terms)),
        "oracle" => Box::new(Oracle::new(terms)),
        _ => return None,
    })
}

/// One autoscaler in virtual time.
pub trait Peer {
    /// As in tables and JSON: `hpa-cpu`, `hpa-load`, `keda`, ...
    fn name(&self) -> &'static str;

    /// Seconds between two syncs.
    fn period(&self) -> f64;

    /// Before minute 0, at this second since 1970, so many replicas ran: for those who learn. In order of time, every hour of
    /// at least the week before, where there was one.
    fn remember(&mut self, _unix: f64, _replicas: u32) {}

    /// What `spec.replicas` should be from now on; `None`: it leaves the target alone.
    fn sync(&mut self, sight: &Sight<'_>) -> Option<u32>;
}

/// What an autoscaler can see at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// Seconds from minute 0; never falls.
    pub now: f64,
    /// Seconds since 1970 at minute 0, Monday-based schedules need it.
    pub epoch: f64,
    /// `spec.replicas`.
    pub wanted: u32,
    pub pods: &'a [Pod],
    /// Offered load a second, as the edge's query answers.
    pub load: Answer,
    /// What the service itself counts (or its queue), as that query answers.
    pub app: Answer,
    /// The offered load as it truly is, and will be: for the oracle only.
    pub truth: Truth<'a>,
}

/// One pod that exists.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pod {
    /// Seconds from minute 0; may be negative.
    pub created: f64,
    /// Is it ready now?
    pub ready: bool,
    /// When `ready` last changed.
    pub changed: f64,
    /// CPU as a share of its request, as the resource metrics API tells; `None`: no metric for this pod.
    pub cpu: Option<CpuSample>,
}

/// One sample of the resource metrics API.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CpuSample {
    /// Used CPU as a share of the pod's request.
    pub share: f64,
    /// Seconds from minute 0.
    pub at: f64,
    /// Seconds over which it was averaged.
    pub window: f64,
}

/// How a query ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// One number; it may be NaN or infinite.
    Value(f64),
    /// A valid answer without any series.
    Empty,
    /// No answer, or several series where one is expected.
    Error,
}

/// The future, for the one who may know it.
#[derive(Clone, Copy, Debug)]
pub struct Truth<'a> {
    /// Offered load a second at each tick.
    pub offered: &'a [f64],
    /// Seconds of one tick.
    pub tick: f64,
    /// The present one.
    pub at: usize,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answers() -> impl Strategy<Value = Answer> {
        prop_oneof![
            any::<f64>().prop_map(Answer::Value),
            (0.0..1e4).prop_map(Answer::Value),
            Just(Answer::Empty),
            Just(Answer::Error)
        ]
    }

    fn pods() -> impl Strategy<Value = Vec<Pod>> {
        let sample =
            (any::<f64>(), any::<f64>(), any::<f64>()).prop_map(|(share, at, window)| CpuSample { share, at, window });
        let pod = (any::<f64>(), any::<bool>(), any::<f64>(), proptest::option::of(sample));
        let pod = pod.prop_map(|(created, ready, changed, cpu)| Pod { created, ready, changed, cpu });
        proptest::collection::vec(pod, 0..6)
    }

    #[test]
    fn every_name_has_a_peer_of_that_name() {
        for name in NAMES {
            assert_eq!(peer(name, &terms::tests::terms()).map(|peer| peer.name()), Some(name));
        }
        assert!(peer("nobody", &terms::tests::terms()).is_none());
    }

    proptest! {
        #[test]
        fn any_sight_is_answered_inside_the_bounds(
            numbers: [f64; 4], min in 0_u32..20, more in 0_u32..100,
            looks in proptest::collection::vec((answers(), answers(), pods(), any::<u32>(), 0_u32..300, any::<f64>()), 1..20),
            offered in proptest::collection::vec(any::<f64>(), 0..10),
        ) {
            let [capacity, headroom, cpu_at_capacity, start_delay] = numbers;
            let max = min + more;
            let terms = Terms { capacity, headroom, min, max, cpu_at_capacity, start_delay, signal: Signal::Load };
            for name in NAMES {
                let mut peer = peer(name, &terms).unwrap();
                prop_assert!(peer.period() > 0.0);
                let mut now = 0.0;
                for (load, app, pods, wanted, later, epoch) in &looks {
                    now += f64::from(*later);
                    let truth = Truth { offered: &offered, tick: 60.0, at: *later as usize };
                    let sight = Sight { now, epoch: *epoch, wanted: *wanted, pods, load: *load, app: *app, truth };
                    let desired = peer.sync(&sight);
                    // estafette raises the maximum itself.
                    let most = if name == "estafette" { u32::MAX } else { max.max(1) };
                    prop_assert!(desired.is_none_or(|desired| desired <= most), "{name}: {desired:?}");
                }
            }
        }
    }
}
