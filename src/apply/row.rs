//! One floor as the engine knows it and as a `FloorTable` stores it.

use std::sync::Arc;

use floorkeeper_core::{Onset, Standing, Step, TargetKey};

use crate::api::{FloorRow, FloorTable, Moment, RowOnset, RowStep};

/// All floors of a table, for the engine. Rows whose key names no workload are left out.
#[must_use]
pub fn standings(table: &FloorTable) -> Vec<(TargetKey, Standing)> {
    let namespace = table.metadata.namespace.as_deref().unwrap_or_default();
    let rows = table.spec.floors.iter();
    rows.filter_map(|(key, row)| Some((target(namespace, key)?, standing(row)))).collect()
}

/// The target that a row's key names: the reverse of [`TargetKey::row`].
fn target(namespace: &str, key: &str) -> Option<TargetKey> {
    let (resource, name) = key.split_once('/')?;
    (!resource.is_empty() && !name.is_empty()).then(|| TargetKey::new(namespace, resource, name))
}

fn standing(row: &FloorRow) -> Standing {
    Standing {
        replicas: count(row.replicas),
        policy: Arc::from(row.policy.as_str()),
        uid: Arc::from(row.uid.as_str()),
        reason: Arc::from(row.reason.as_str()),
        epoch: u64::try_from(row.epoch).unwrap_or(0),
        seq: u64::try_from(row.seq).unwrap_or(0),
        observed_at: row.observed_at.0,
        doubt: row.doubt.map(onset),
        fall: row.fall.map(onset),
        fall_limit: row.fall_limit.map(count),
        step: row.step.map(step),
        not_before: row.not_before.map(|moment| moment.0),
        pause_ms: u64::try_from(row.pause_ms).unwrap_or(0),
        zero_since: row.zero_since.map(|moment| moment.0),
        run_down: row.run_down.map(onset),
        released: row.released,
    }
}

/// The row that stores a standing.
#[must_use]
pub fn row(standing: &Standing) -> FloorRow {
    FloorRow {
        replicas: number(standing.replicas),
        policy: standing.policy.to_string(),
        uid: standing.uid.to_string(),
        reason: standing.reason.to_string(),
        epoch: i64::try_from(standing.epoch).unwrap_or(i64::MAX),
        seq: i64::try_from(standing.seq).unwrap_or(i64::MAX),
        observed_at: Moment(standing.observed_at),
        doubt: standing.doubt.map(row_onset),
        fall: standing.fall.map(row_onset),
        fall_limit: standing.fall_limit.map(number),
        step: standing.step.map(row_step),
        not_before: standing.not_before.map(Moment),
        pause_ms: i64::try_from(standing.pause_ms).unwrap_or(i64::MAX),
        zero_since: standing.zero_since.map(Moment),
        run_down: standing.run_down.map(row_onset),
        released: standing.released,
    }
}

fn onset(row: RowOnset) -> Onset {
    Onset { since: row.since.0, replicas: count(row.replicas) }
}

fn row_onset(onset: Onset) -> RowOnset {
    RowOnset { since: Moment(onset.since), replicas: number(onset.replicas) }
}

fn step(row: RowStep) -> Step {
    Step {
        from: count(row.from),
        to: count(row.to),
        at: row.at.0,
        fell_at: row.fell_at.map(|moment| moment.0),
        errors_before: row.errors_before.map(count),
        unready_before: count(row.unready_before),
        strain_before: row.strain_before.map(count),
    }
}

fn row_step(step: Step) -> RowStep {
    RowStep {
        from: number(step.from),
        to: number(step.to),
        at: Moment(step.at),
        fell_at: step.fell_at.map(Moment),
        errors_before: step.errors_before.map(number),
        unready_before: number(step.unready_before),
        strain_before: step.strain_before.map(number),
    }
}

/// The schema has no negative numbers; one that got in all the same means nothing to hold.
fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use floorkeeper_core::Timestamp;
    use proptest::prelude::*;

    use super::*;

    /// What RFC 3339 can say.
    const LAST: Timestamp = Timestamp(253_402_207_200_000);

    fn moment() -> impl Strategy<Value = Timestamp> {
        (0..LAST.0).prop_map(Timestamp)
    }

    fn an_onset() -> impl Strategy<Value = Onset> {
        (moment(), 0..100_000_u32).prop_map(|(since, replicas)| Onset { since, replicas })
    }

    fn a_step() -> impl Strategy<Value = Step> {
        let counts = (0..100_000_u32, 0..100_000_u32, 0..100_000_u32);
        let maybe =
            (proptest::option::of(moment()), proptest::option::of(0..1000_u32), proptest::option::of(0..9000_u32));
        (counts, moment(), maybe).prop_map(
            |((from, to, unready_before), at, (fell_at, errors_before, strain_before))| Step {
                from,
                to,
                at,
                fell_at,
                errors_before,
                unready_before,
                strain_before,
            },
        )
    }

    fn a_standing() -> impl Strategy<Value = Standing> {
        let fixed = (0..100_000_u32, "[a-z]{1,9}", "[a-f0-9-]{0,36}", "[A-Z][A-Za-z]{0,20}");
        let counters = (0..i64::MAX as u64, 0..i64::MAX as u64, moment(), 0..i64::MAX as u64, any::<bool>());
        let onsets =
            (proptest::option::of(an_onset()), proptest::option::of(an_onset()), proptest::option::of(an_onset()));
        let limit = proptest::option::of(0..100_000_000_u32);
        let rest =
            (proptest::option::of(a_step()), proptest::option::of(moment()), proptest::option::of(moment()), limit);
        (fixed, counters, onsets, rest).prop_map(
            |(
                (replicas, policy, uid, reason),
                (epoch, seq, observed_at, pause_ms, released),
                (doubt, fall, run_down),
                (step, not_before, zero_since, fall_limit),
            )| Standing {
                replicas,
                policy: policy.into(),
                uid: uid.into(),
                reason: reason.into(),
                epoch,
                seq,
                observed_at,
                doubt,
                fall,
                fall_limit,
                step,
                not_before,
                pause_ms,
                zero_since,
                run_down,
                released,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_stored_is_read_back(standing in a_standing()) {
            let stored = serde_json::to_string(&row(&standing)).unwrap();
            let read: FloorRow = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(super::standing(&read), standing);
        }
    }

    #[test]
    fn a_row_s_key_names_its_target() {
        let web = TargetKey::new("shop", "deployments.apps", "web");
        assert_eq!(target("shop", &web.row()), Some(web));
        for nonsense in ["", "web", "/web", "deployments.apps/"] {
            assert_eq!(target("shop", nonsense), None, "{nonsense:?}");
        }
    }
}
