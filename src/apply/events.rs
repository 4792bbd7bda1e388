//! Kubernetes events: what the engine wants told, at a bounded rate, never in the way of a floor.
//!
//! [`Events::tell`] does not wait: it makes the event, asks the [`rate`](super::rate) and puts it in a queue that one
//! task empties. What the rate or a full queue refuses is dropped and counted; the same is on `/metrics` and in the
//! log, where nothing is dropped. kube's own recorder is not used: it merges repeats whose numbers differ, and locks
//! all of its memory for each event.

use std::sync::{Arc, Mutex, PoisonError};

use floorkeeper_core::{Notice, Policy, PolicyKey, Timestamp, Trust};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use kube::{Api, Client};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::call::call;
use super::rate::Rate;
use super::writer::MANAGER;
use crate::metrics::Metrics;
use crate::words;

/// Where notices go.
#[derive(Debug)]
pub struct Events {
    queue: mpsc::Sender<Event>,
    rate: Mutex<Rate>,
    instance: String,
    metrics: Arc<Metrics>,
}

impl Events {
    /// Starts the task that sends; it ends when this value is dropped. `instance`: the pod's name.
    #[must_use]
    pub fn start(client: Client, instance: String, metrics: Arc<Metrics>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(send(client, waiting, Arc::clone(&metrics)));
        Self { queue, rate: Mutex::new(Rate::default()), instance, metrics }
    }

    /// Tells a notice: one log line always, one event if the rate allows it. Never waits.
    pub fn tell(
        &self,
        policy: &PolicyKey,
        about: &ObjectReference,
        notice: &Notice,
        spec: Option<&Policy>,
        now: Timestamp,
    ) {
        let reason = words::notice_reason(notice);
        let note = words::notice(notice, spec);
        let warning = is_warning(notice);
        if warning {
            warn!(namespace = %policy.namespace, policy = %policy.name, reason, "{note}");
        } else {
            info!(namespace = %policy.namespace, policy = %policy.name, reason, "{note}");
        }
        // A panic elsewhere leaves whole numbers in the buckets: still good to count with.
        let allowed = self.rate.lock().unwrap_or_else(PoisonError::into_inner).take(policy, warning, now);
        let told = allowed && self.queue.try_send(self.event(about, notice, &note, now)).is_ok();
        if !told {
            self.metrics.event("Dropped");
        }
    }

    fn event(&self, about: &ObjectReference, notice: &Notice, note: &str, now: Timestamp) -> Event {
        let namespace = about.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let prefix = clip(about.name.as_deref().unwrap_or(MANAGER), NAME_LIMIT).trim_end_matches(['.', '-']);
        Event {
            metadata: ObjectMeta {
                generate_name: Some(format!("{prefix}-")),
                namespace: Some(namespace),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(time(now))),
            regarding: Some(about.clone()),
            type_: Some(if is_warning(notice) { "Warning" } else { "Normal" }.to_owned()),
            reason: Some(words::notice_reason(notice).to_owned()),
            action: Some(action(notice).to_owned()),
            note: Some(clip(note, NOTE_LIMIT).to_owned()),
            reporting_controller: Some(REPORTER.to_owned()),
            reporting_instance: Some(clip(&self.instance, INSTANCE_LIMIT).to_owned()),
            ..Event::default()
        }
    }
}

async fn send(client: Client, mut waiting: mpsc::Receiver<Event>, metrics: Arc<Metrics>) {
    while let Some(event) = waiting.recv().await {
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let api: Api<Event> = Api::namespaced(client.clone(), &namespace);
        match call(api.create(&PostParams::default(), &event)).await {
            Ok(_) => metrics.event("Sent"),
            Err(error) => {
                metrics.event("Failed");
                debug!(%error, reason = event.reason, "event was not accepted");
            }
        }
    }
}

/// What floorkeeper did, or does next: a word for machines.
fn action(notice: &Notice) -> &'static str {
    match notice {
        Notice::Raised { .. } => "RaiseFloor",
        Notice::Lowered { .. } => "LowerFloor",
        Notice::Held { .. } => "HoldFloor",
        Notice::HoldEnded { .. } => "EndHold",
        Notice::Overwritten { .. } => "RestoreFloor",
        Notice::Clamped { .. } => "ReportClamp",
        Notice::Contested { .. } => "ReportContest",
        Notice::StepUndone { .. } => "UndoStep",
        Notice::Limited { .. } => "LimitFloor",
        Notice::TrustChanged { .. } => "JudgeSignals",
        Notice::OverrideBegan(_) => "BeginOverride",
        Notice::OverrideEnded(_) => "EndOverride",
        Notice::BrakeBegan { .. } => "Brake",
        Notice::BrakeEnded { .. } => "EndBrake",
        Notice::SharedRise { .. } => "ReportSharedRise",
    }
}

/// Something that a person may have to look at.
fn is_warning(notice: &Notice) -> bool {
    match notice {
        Notice::Overwritten { .. }
        | Notice::Clamped { .. }
        | Notice::Contested { .. }
        | Notice::StepUndone { .. }
        | Notice::Limited { .. }
        | Notice::BrakeBegan { .. }
        | Notice::SharedRise { .. }
        | Notice::TrustChanged { to: Trust::Blind, .. } => true,
        Notice::Raised { .. }
        | Notice::Lowered { .. }
        | Notice::Held { .. }
        | Notice::HoldEnded { .. }
        | Notice::TrustChanged { to: Trust::Trusted | Trust::Doubtful, .. }
        | Notice::OverrideBegan(_)
        | Notice::OverrideEnded(_)
        | Notice::BrakeEnded { .. } => false,
    }
}

fn time(now: Timestamp) -> jiff::Timestamp {
    i64::try_from(now.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).unwrap_or_default()
}

/// At most `limit` bytes, cut between characters.
fn clip(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Waiting events. The rate lets through 20 a second, so this is more than a minute of an API server that is away.
const QUEUE: usize = 2000;

/// The name that events report as their controller.
const REPORTER: &str = "floorkeeper.dev/floorkeeper";

/// The API's limit on `note`, in bytes.
const NOTE_LIMIT: usize = 1024;

/// The API's limit on `reportingInstance`.
const INSTANCE_LIMIT: usize = 128;

/// Leaves room for the suffix that the API server generates below the limit of 253.
const NAME_LIMIT: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_cut_between_characters() {
        assert_eq!(clip("abc", 2), "ab");
        assert_eq!(clip("aé", 2), "a");
        assert_eq!(clip("é", 1), "");
        assert_eq!(clip("abc", 9), "abc");
    }
}
