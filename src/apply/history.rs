//! What was learned of a workload, as the engine knows it and as a `DemandHistory` stores it; and its write.
//!
//! Shares are rounded up: a fall that is remembered as less deep than it was lets no floor fall deeper. Needs keep four
//! digits. What was stored and is stored again stays the same.

use std::time::Instant;

use floorkeeper_core::{Learned, LearnedDay, Outcome, Timestamp};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use kube::{Api, Resource};
use tracing::{info, warn};

use super::call::call;
use super::writer::{MANAGER, Writer};
use crate::api::{DemandHistory, DemandHistorySpec, HistoryDay, Known, Moment, Reckoning, ScalingPolicy};
use crate::metrics::What;

/// Why a stored history can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryDamage {
    #[error("spec.reckonedBy: {0:?} is no load above zero")]
    Reckoning(String),
    #[error("spec.days: {0:?} is no day before spec.until")]
    Date(String),
    #[error("spec.until lies in the future")]
    Future,
    #[error("spec.days of {date}: {field} has {found} places where {expected} are expected")]
    Places { date: String, field: &'static str, found: usize, expected: usize },
    #[error("spec.days of {date}: {field} has {text:?} where a number is expected")]
    Number { date: String, field: &'static str, text: String },
}

/// What was learned, to be stored. `signals`: the names behind `learned.reckoned_by`, in their order.
#[must_use]
pub fn history_spec(
    learned: &Learned,
    signals: &[&str],
    within_an_hour: Option<f64>,
    from: Option<Timestamp>,
    until: Timestamp,
) -> DemandHistorySpec {
    let reckoned_by = signals.iter().zip(&learned.reckoned_by);
    let last = learned.days.iter().map(|day| day.day).max();
    let counts = |day: &&LearnedDay| Some(day.day) < last && day.minutes >= HALF_A_DAY;
    DemandHistorySpec {
        reckoned_by: reckoned_by
            .map(|(signal, carries)| Reckoning { signal: (*signal).to_owned(), carries: exact(*carries) })
            .collect(),
        from: from.map(Moment),
        until: Moment(until),
        known: Known {
            days: i32::try_from(learned.days.iter().filter(counts).count()).unwrap_or(i32::MAX),
            within_hour_percent: within_an_hour.map(|share| (share.clamp(0.0, 1.0) * 100.0).round() as i32),
        },
        spans: LearnedDay::SPANS.join(" "),
        days: learned.days.iter().map(stored).collect(),
    }
}

/// What is stored, for the engine, and the names of the signals that it was reckoned by.
///
/// # Errors
/// What can't be used, and where it stands.
pub fn learned(spec: &DemandHistorySpec, now: Timestamp) -> Result<(Vec<&str>, Learned), HistoryDamage> {
    if spec.until.0.since(now) > CLOCKS_APART {
        return Err(HistoryDamage::Future);
    }
    let carries = |one: &Reckoning| {
        let carries = one.carries.parse().ok().filter(|carries: &f64| carries.is_finite() && *carries > 0.0);
        carries.ok_or_else(|| HistoryDamage::Reckoning(one.carries.clone()))
    };
    let reckoned_by = spec.reckoned_by.iter().map(carries).collect::<Result<_, _>>()?;
    let spans: Vec<&str> = spec.spans.split_whitespace().collect();
    let days = spec.days.iter().map(|day| read(day, &spans, spec.until.0)).collect::<Result<_, _>>()?;
    Ok((spec.reckoned_by.iter().map(|one| one.signal.as_str()).collect(), Learned { reckoned_by, days }))
}

impl Writer {
    /// Stores a history: a new one, or over the one of this version. Also gives the version that stands there then.
    pub async fn write_history(
        &self,
        policy: &ScalingPolicy,
        spec: DemandHistorySpec,
        over: Option<&str>,
    ) -> (Outcome, Option<String>) {
        let started = Instant::now();
        let namespace = policy.metadata.namespace.as_deref().unwrap_or_default();
        let name = policy.metadata.name.as_deref().unwrap_or_default();
        let api: Api<DemandHistory> = Api::namespaced(self.client(), namespace);
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            resource_version: over.map(ToOwned::to_owned),
            owner_references: Some(vec![owned_by(policy)]),
            ..ObjectMeta::default()
        };
        let history = DemandHistory { metadata, spec };
        let ended = match over {
            None => {
                let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
                call(api.create(&params, &history)).await
            }
            Some(_) => call(api.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&history))).await,
        };
        self.ended(What::History, started, &ended);
        match ended {
            Ok(stored) => {
                let days = stored.spec.known.days;
                info!(%namespace, policy = %name, days, "history stored");
                (Outcome::Done, stored.metadata.resource_version)
            }
            Err(trouble) => {
                warn!(%namespace, policy = %name, error = %trouble, "history was not stored; tried again later");
                (trouble.outcome(), None)
            }
        }
    }
}

/// UID of the policy that a history belongs to: one of the same name may have come after it.
#[must_use]
pub fn history_owner(metadata: &ObjectMeta) -> Option<&str> {
    let mut owners = metadata.owner_references.iter().flatten();
    let owner = owners.find(|owner| owner.kind == ScalingPolicy::kind(&()) && owner.controller == Some(true));
    owner.map(|owner| owner.uid.as_str())
}

fn owned_by(policy: &ScalingPolicy) -> OwnerReference {
    OwnerReference {
        api_version: ScalingPolicy::api_version(&()).into_owned(),
        kind: ScalingPolicy::kind(&()).into_owned(),
        name: policy.metadata.name.clone().unwrap_or_default(),
        uid: policy.metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

fn stored(day: &LearnedDay) -> HistoryDay {
    let hours = day.hours.iter().enumerate().map(|(hour, need)| {
        let doubtful = if day.doubtful & 1 << hour == 0 { "" } else { "?" };
        format!("{}{doubtful}", need.map_or_else(|| NOTHING.to_owned(), short))
    });
    HistoryDay {
        date: date(day.day).map_or_else(String::new, |date| date.to_string()),
        minutes: i32::try_from(day.minutes).unwrap_or(i32::MAX).min(1440),
        lows: percents(&day.lows),
        suspects: day.suspects.iter().any(Option::is_some).then(|| percents(&day.suspects)),
        hours: hours.collect::<Vec<_>>().join(" "),
    }
}

fn percents(shares: &[Option<f64>]) -> String {
    let percent = |share: &Option<f64>| {
        // (A zero must not become minus zero.)
        let hundredths = |share: f64| (share * 1e4 - 1e-3).ceil().clamp(0.0, 1e4) / 100.0 + 0.0;
        share.map_or_else(|| NOTHING.to_owned(), |share| format!("{}", hundredths(share)))
    };
    shares.iter().map(percent).collect::<Vec<_>>().join(" ")
}

fn read(day: &HistoryDay, spans: &[&str], until: Timestamp) -> Result<LearnedDay, HistoryDamage> {
    let number = number_of(&day.date).filter(|number| u64::from(*number) <= until.0 / DAY_MS);
    let mut learned = LearnedDay {
        day: number.ok_or_else(|| HistoryDamage::Date(day.date.clone()))?,
        minutes: u32::try_from(day.minutes).unwrap_or(0).min(1440),
        lows: Default::default(),
        suspects: Default::default(),
        hours: [None; 24],
        doubtful: 0,
    };
    let lows = numbers(day, "lows", &day.lows, spans.len(), 100.0)?;
    let suspects = match &day.suspects {
        Some(suspects) => numbers(day, "suspects", suspects, spans.len(), 100.0)?,
        None => vec![None; spans.len()],
    };
    // A span that another version measured and this one does not is left out, and the other way round.
    for (place, name) in LearnedDay::SPANS.iter().enumerate() {
        if let Some(at) = spans.iter().position(|span| span == name) {
            learned.lows[place] = lows[at].map(|percent| percent / 100.0);
            learned.suspects[place] = suspects[at].map(|percent| percent / 100.0);
        }
    }
    for (hour, text) in day.hours.split_whitespace().enumerate().take(24) {
        learned.doubtful |= u32::from(text.ends_with('?')) << hour;
    }
    let hours = numbers(day, "hours", &day.hours.replace('?', ""), 24, f64::MAX)?;
    learned.hours.copy_from_slice(&hours);
    Ok(learned)
}

fn numbers(
    day: &HistoryDay,
    field: &'static str,
    text: &str,
    expected: usize,
    most: f64,
) -> Result<Vec<Option<f64>>, HistoryDamage> {
    let number = |text: &str| {
        if text == NOTHING {
            return Ok(None);
        }
        let number = text.parse().ok().filter(|number| (0.0..=most).contains(number));
        number.map(Some).ok_or_else(|| HistoryDamage::Number {
            date: day.date.clone(),
            field,
            text: text.chars().take(20).collect(),
        })
    };
    let numbers = text.split_whitespace().map(number).collect::<Result<Vec<_>, _>>()?;
    if numbers.len() == expected {
        Ok(numbers)
    } else {
        Err(HistoryDamage::Places { date: day.date.clone(), field, found: numbers.len(), expected })
    }
}

fn date(number: u32) -> Option<Date> {
    let at = jiff::Timestamp::from_second(i64::from(number) * 86_400).ok()?;
    Some(at.to_zoned(TimeZone::UTC).date())
}

fn number_of(date: &str) -> Option<u32> {
    let date: Date = date.parse().ok()?;
    let at = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
    u32::try_from(at.as_second() / 86_400).ok().filter(|number| *number > 0)
}

/// Four digits.
fn short(need: f64) -> String {
    let digits = if need > 0.0 { 3.0 - need.log10().floor() } else { 0.0 };
    let text = format!("{need:.0$}", digits.clamp(0.0, 6.0) as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Nine digits: as exactly as it is compared, and no tail of a binary fraction.
fn exact(value: f64) -> String {
    let rounded: f64 = format!("{value:.8e}").parse().unwrap_or(value);
    if (1e-6..1e15).contains(&rounded) { rounded.to_string() } else { format!("{rounded:e}") }
}

const NOTHING: &str = "-";

/// As core counts a day.
const HALF_A_DAY: u32 = 720;

const DAY_MS: u64 = 86_400_000;

/// Clocks of two machines may differ by so much, and a leader on each.
const CLOCKS_APART: std::time::Duration = std::time::Duration::from_secs(3600);

#[cfg(test)]
mod tests;
