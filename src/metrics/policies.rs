//! The live numbers of every policy: one map, read at each scrape.
//!
//! One map instead of a dozen families: a deleted policy leaves nothing behind, a scrape sees each policy's numbers of
//! one decision, and ten thousand policies cost little.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use floorkeeper_core::{Decision, PolicyKey, Trust};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use crate::words;

/// Every policy's live numbers.
#[derive(Debug, Default)]
pub(super) struct Policies(Mutex<BTreeMap<PolicyKey, Live>>);

/// What `/metrics` shows of one decision.
#[derive(Clone, Copy, Debug)]
struct Live {
    floor: u32,
    need: Option<u32>,
    load: Option<f64>,
    replicas: Option<u32>,
    ready: Option<u32>,
    price: u32,
    max: u32,
    trust: Trust,
    hold: Option<&'static str>,
    /// The gravest doubt.
    doubt: Option<&'static str>,
    problem: Option<&'static str>,
    limited: Option<u32>,
    contested: Option<u32>,
    observed_ms: Option<u64>,
    learned_days: Option<u32>,
    unusual_below: Option<f64>,
    zero_in_seconds: f64,
}

impl Policies {
    pub(super) fn set(&self, policy: &PolicyKey, decision: &Decision) {
        let live = Live {
            floor: decision.floor,
            need: decision.need,
            load: decision.load,
            replicas: decision.replicas,
            ready: decision.ready,
            price: decision.price,
            max: decision.max,
            trust: decision.trust,
            hold: decision.hold.as_ref().map(words::hold_reason),
            doubt: decision.doubts.first().map(words::doubt_reason),
            problem: decision.problem.map(words::problem_reason),
            limited: decision.limited,
            contested: decision.contested,
            observed_ms: decision.observed_at.map(|at| at.0),
            learned_days: decision.usual.map(|usual| usual.days),
            unusual_below: decision.usual.filter(|usual| !usual.quiet).map(|usual| usual.limit),
            zero_in_seconds: decision.zero_in.as_secs_f64(),
        };
        self.lock().insert(policy.clone(), live);
    }

    pub(super) fn remove(&self, policy: &PolicyKey) {
        self.lock().remove(policy);
    }

    /// A panic while the lock was held leaves plain numbers behind: they are still good to read.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PolicyKey, Live>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Policies {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let policies = self.lock();
        for (name, help, number) in NUMBERS {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (key, live) in policies.iter() {
                let Some(value) = number(live) else { continue };
                let labels = [("namespace", key.namespace.as_ref()), ("policy", key.name.as_ref())];
                metric.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        let mut doubts =
            encoder.encode_descriptor("doubt", "1 for the gravest doubt of a policy", None, MetricType::Gauge)?;
        for (key, live) in policies.iter() {
            let Some(reason) = live.doubt else { continue };
            let labels = [("namespace", key.namespace.as_ref()), ("policy", key.name.as_ref()), ("reason", reason)];
            doubts.encode_family(&labels)?.encode_gauge(&1_u64)?;
        }
        by_reason(
            &mut encoder,
            "holds",
            "Policies whose floor is held, by reason",
            policies.values().filter_map(|live| live.hold),
        )?;
        by_reason(
            &mut encoder,
            "problems",
            "Policies that can't do their work, by reason",
            policies.values().filter_map(|live| live.problem),
        )?;
        let count = u64::try_from(policies.len()).unwrap_or(u64::MAX);
        encoder
            .encode_descriptor("policies", "Policies that are looked after", None, MetricType::Gauge)?
            .encode_gauge(&count)
    }
}

fn by_reason(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    reasons: impl Iterator<Item = &'static str>,
) -> Result<(), fmt::Error> {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason).or_default() += 1;
    }
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (reason, count) in counts {
        metric.encode_family(&[("reason", reason)])?.encode_gauge(&count)?;
    }
    Ok(())
}

type Number = fn(&Live) -> Option<f64>;

/// Name, help and value of every number a policy has. A number that is not known has no series: absent is not zero.
const NUMBERS: [(&str, &str, Number); 14] = [
    ("floor_replicas", "The smallest replica count that is let stand", |live| Some(f64::from(live.floor))),
    ("need_replicas", "Replicas that the present load needs, headroom included", |live| live.need.map(f64::from)),
    ("load", "Offered load of the signal that needs most, in its unit a second", |live| live.load),
    ("replicas", "spec.replicas of the target", |live| live.replicas.map(f64::from)),
    ("ready_replicas", "Ready pods of the target", |live| live.ready.map(f64::from)),
    ("price_replicas", "Replicas held above what the load alone would ask for", |live| Some(f64::from(live.price))),
    ("max_replicas", "The most that the floor may ask for", |live| Some(f64::from(live.max))),
    ("trust", "How far the readings are believed: 2 Trusted, 1 Doubtful, 0 Blind", |live| Some(trust(live.trust))),
    ("limited_replicas", "Replicas needed while that is above the maximum, else 0", |live| {
        Some(f64::from(live.limited.unwrap_or(0)))
    }),
    ("contested_undos", "Undos in the last ten minutes while contested, else 0", |live| {
        Some(f64::from(live.contested.unwrap_or(0)))
    }),
    ("observed_timestamp_seconds", "When the newest sample behind the need was taken (Unix time)", |live| {
        live.observed_ms.map(seconds)
    }),
    ("learned_days", "Days that the policy's own past is known of", |live| live.learned_days.map(f64::from)),
    ("unusual_below_replicas", "A need below this is an unusual fall", |live| live.unusual_below),
    ("zero_in_seconds", "The longest that the floor can stay above the minimum under confirmed zero", |live| {
        Some(live.zero_in_seconds)
    }),
];

fn trust(trust: Trust) -> f64 {
    match trust {
        Trust::Trusted => 2.0,
        Trust::Doubtful => 1.0,
        Trust::Blind => 0.0,
    }
}

/// Exact for any date before the year 287,000.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of today are far below 2^53")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
