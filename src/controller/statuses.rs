//! Statuses of overrides and sources: small, rare, compared before they are written.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{Timestamp, Unknown};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, warn};

use super::registry::Registry;
use super::watch::Id;
use crate::api::conditions::{READY, ready};
use crate::api::{FloorOverride, FloorOverrideStatus, MetricSource, MetricSourceStatus};
use crate::apply::MANAGER;
use crate::observe::{Condition as Doing, Health, HealthBoard};
use crate::words;

/// Writes an override's status. One that does not get through is asked for again by the registry.
pub(super) async fn write_override(client: Client, id: Id, status: FloorOverrideStatus) {
    let api: Api<FloorOverride> = Api::namespaced(client, &id.namespace);
    let body = json!({ "status": status });
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    match timeout(WITHIN, api.patch_status(&id.name, &params, &Patch::Merge(&body))).await {
        Ok(Ok(_)) => {
            info!(namespace = %id.namespace, name = %id.name, state = ?status.state, "override's status written")
        }
        Ok(Err(kube::Error::Api(answer))) if answer.is_not_found() => {}
        Ok(Err(error)) => warn!(namespace = %id.namespace, name = %id.name, %error, "override's status not written"),
        Err(_) => warn!(namespace = %id.namespace, name = %id.name, "override's status not written: no answer"),
    }
}

/// What was last written for each source, and when.
#[derive(Default)]
pub(super) struct SourceStatuses(HashMap<Arc<str>, (MetricSourceStatus, Timestamp)>);

impl SourceStatuses {
    /// Compares every source's state with what its status says, and writes what is new.
    pub(super) fn tell(
        &mut self,
        client: &Client,
        registry: &Registry,
        health: &HealthBoard,
        now: Timestamp,
        tasks: &mut JoinSet<()>,
    ) {
        let readers = registry.readers();
        let mut left = std::mem::take(&mut self.0);
        for (name, object, problem) in registry.sources() {
            let readers = readers.get(name).copied().unwrap_or(0);
            let next = source_status(object, problem.map(|problem| &**problem), health.of(name).as_ref(), readers, now);
            let before = left.remove(name);
            let known = before.as_ref().is_some_and(|(written, at)| {
                gist(written) == gist(&next) && (now.since(*at) < ASK_AGAIN || stands(object, &next))
            });
            if known || stands(object, &next) {
                self.0.extend(before.map(|before| (Arc::clone(name), before)));
                continue;
            }
            self.0.insert(Arc::clone(name), (next.clone(), now));
            tasks.spawn(write_source(client.clone(), Arc::clone(name), next));
        }
    }
}

async fn write_source(client: Client, name: Arc<str>, status: MetricSourceStatus) {
    let api: Api<MetricSource> = Api::all(client);
    let body = json!({ "status": status });
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    match timeout(WITHIN, api.patch_status(&name, &params, &Patch::Merge(&body))).await {
        Ok(Ok(_)) => {
            let ready = status.conditions.first();
            let reason = ready.map(|ready| ready.reason.as_str());
            info!(source = %name, ready = ready.map(|ready| ready.status.as_str()), reason, "source's status written");
        }
        Ok(Err(kube::Error::Api(answer))) if answer.is_not_found() => {}
        Ok(Err(error)) => warn!(source = %name, %error, "source's status not written"),
        Err(_) => warn!(source = %name, "source's status not written: no answer"),
    }
}

fn source_status(
    object: &MetricSource,
    problem: Option<&str>,
    health: Option<&Health>,
    readers: usize,
    now: Timestamp,
) -> MetricSourceStatus {
    let (status, reason, message) = match (problem, health) {
        (Some(problem), _) => (FALSE, ready::INVALID_SPEC, problem.to_owned()),
        (None, None) => (UNKNOWN, ready::PENDING, "nothing was asked yet".to_owned()),
        (None, Some(health)) => match health.condition() {
            Doing::Idle => (UNKNOWN, ready::PENDING, "nothing was asked yet: no policy reads this source".to_owned()),
            Doing::Answering => (TRUE, ready::ANSWERING, "the last question was answered".to_owned()),
            Doing::Failing => {
                let why = health.last_failure.map(|(_, why)| words::unknown(&Unknown::Failed(why)));
                let why = why.map_or_else(String::new, |why| format!(": it {why}"));
                (FALSE, ready::UNREACHABLE, format!("the last question got no answer{why}"))
            }
            Doing::Broken => (FALSE, ready::SECRET_NOT_FOUND, health.problem.clone().unwrap_or_default()),
        },
    };
    let before = object.status.iter().flat_map(|status| &status.conditions).find(|before| before.type_ == READY);
    let unchanged = before.filter(|before| before.status == status).map(|before| before.last_transition_time.clone());
    let millis = i64::try_from(now.0 / 1000).unwrap_or(i64::MAX);
    let ready = Condition {
        type_: READY.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: object.metadata.generation,
        last_transition_time: unchanged
            .unwrap_or_else(|| Time(jiff::Timestamp::from_second(millis).unwrap_or(jiff::Timestamp::MAX))),
    };
    MetricSourceStatus {
        observed_generation: object.metadata.generation,
        policies: Some(i32::try_from(readers).unwrap_or(i32::MAX)),
        conditions: vec![ready],
    }
}

/// What makes a status new: not its times, nor its words.
fn gist(status: &MetricSourceStatus) -> (Option<i64>, Option<i32>, Option<(&str, &str)>) {
    let ready = status.conditions.iter().find(|condition| condition.type_ == READY);
    (status.observed_generation, status.policies, ready.map(|ready| (ready.status.as_str(), ready.reason.as_str())))
}

fn stands(object: &MetricSource, next: &MetricSourceStatus) -> bool {
    object.status.as_ref().is_some_and(|stands| gist(stands) == gist(next))
}

const TRUE: &str = "True";

const FALSE: &str = "False";

const UNKNOWN: &str = "Unknown";

/// A small write; what depends on it is a view for people.
const WITHIN: Duration = Duration::from_secs(5);

/// A status that was written and is not seen after this is written again.
const ASK_AGAIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use floorkeeper_core::Failure;

    use super::*;

    fn source() -> MetricSource {
        let object = json!({
            "apiVersion": "floorkeeper.dev/v1alpha1", "kind": "MetricSource", "metadata": {"name": "default", "generation": 3},
            "spec": {"prometheus": {"url": "http://prometheus:9090"}}
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_source_in_one_condition() {
        let at = Timestamp(1_709_600_400_000);
        let answering = Health { last_success: Some(at), ..Health::default() };
        let failing = Health { last_failure: Some((at, Failure::Timeout)), ..Health::default() };
        let broken = Health { problem: Some("Secret a lacks the key b".to_owned()), ..Health::default() };
        let cases = [
            (None, None, UNKNOWN, ready::PENDING),
            (None, Some(&answering), TRUE, ready::ANSWERING),
            (None, Some(&failing), FALSE, ready::UNREACHABLE),
            (None, Some(&broken), FALSE, ready::SECRET_NOT_FOUND),
            (Some("spec.timeout: no"), Some(&answering), FALSE, ready::INVALID_SPEC),
        ];
        for (problem, health, status, reason) in cases {
            let written = source_status(&source(), problem, health, 2, at);
            assert_eq!(gist(&written), (Some(3), Some(2), Some((status, reason))));
            assert!(!stands(&source(), &written));
            let seen = MetricSource { status: Some(written.clone()), ..source() };
            let later = source_status(&seen, problem, health, 2, at.plus(Duration::from_secs(60)));
            assert_eq!(later, written, "the time of the transition stays");
            assert!(stands(&seen, &later));
        }
    }
}
