//! The writer: carries out one write of the plan and tells how it ended.

use std::sync::Arc;
use std::time::Instant;

use floorkeeper_core::{Outcome, TargetKey, Write};
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client, Resource};
use serde_json::json;
use tracing::{info, warn};

use super::call::{Trouble, call};
use super::kinds::Kinds;
use super::{bounds, floors, replicas};
use crate::api::{ScalingPolicy, ScalingPolicyStatus};
use crate::metrics::{Metrics, What, WriteOutcome};

/// Carries out writes. Clone it freely: it is a handle.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    kinds: Arc<Kinds>,
    metrics: Arc<Metrics>,
}

impl Writer {
    /// `client` must be built with `default_retry = false`.
    #[must_use]
    pub fn new(client: Client, kinds: Arc<Kinds>, metrics: Arc<Metrics>) -> Self {
        Self { client, kinds, metrics }
    }

    /// Carries out one write. Never panics, never takes longer than a few call timeouts.
    pub async fn carry_out(&self, write: &Write) -> Outcome {
        let started = Instant::now();
        let ended = match write {
            Write::Floors { namespace, rows, vanish } => {
                floors::write(self, namespace, rows, vanish).await.map(|()| Outcome::Done)
            }
            Write::Replicas(write) => replicas::write(self, write).await,
            Write::Bounds(write) => bounds::write(self, write).await.map(|()| Outcome::Done),
        };
        let counted = ended.as_ref().map_or_else(Trouble::counted, |outcome| (*outcome).into());
        self.metrics.wrote(What::of(write), counted, started.elapsed());
        match ended {
            Ok(outcome) => {
                if outcome == Outcome::Done {
                    audit(write);
                }
                outcome
            }
            Err(trouble) => {
                let (write, subject) = (What::of(write), subject(write));
                let outcome = trouble.outcome();
                match outcome {
                    // Part of the work: the engine decides again on what stands there.
                    Outcome::Conflict => info!(?write, %subject, reason = %trouble, "write met something newer"),
                    Outcome::Done | Outcome::Unneeded | Outcome::Failed => {
                        warn!(?write, %subject, error = %trouble, "write did not land")
                    }
                }
                outcome
            }
        }
    }

    /// Writes the whole status of a policy: fields that it lacks vanish.
    pub async fn write_status(&self, policy: &ScalingPolicy, status: &ScalingPolicyStatus) -> Outcome {
        let started = Instant::now();
        let namespace = policy.metadata.namespace.as_deref().unwrap_or_default();
        let name = policy.metadata.name.as_deref().unwrap_or_default();
        let api: Api<ScalingPolicy> = Api::namespaced(self.client(), namespace);
        let body = json!({
            "apiVersion": ScalingPolicy::api_version(&()),
            "kind": ScalingPolicy::kind(&()),
            "metadata": {"name": name},
            "status": status,
        });
        let ended = call(api.patch_status(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(body))).await;
        self.ended(What::Status, started, &ended);
        match ended {
            Ok(_) => Outcome::Done,
            Err(trouble) => {
                warn!(%namespace, policy = %name, error = %trouble, "status was not written");
                trouble.outcome()
            }
        }
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The API of a target's kind in its namespace.
    pub(super) fn target(&self, target: &TargetKey) -> Result<Api<DynamicObject>, Trouble> {
        let Some(kind) = self.kinds.get(&target.resource) else {
            return Err(Trouble::NotFound(format!("no kind is known for {}", target.resource)));
        };
        Ok(self.of_kind(&target.namespace, &kind))
    }

    pub(super) fn of_kind(&self, namespace: &str, kind: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client(), namespace, kind)
    }

    /// Counts how a write ended.
    pub(super) fn ended<T>(&self, what: What, started: Instant, ended: &Result<T, Trouble>) {
        let outcome = ended.as_ref().map_or_else(Trouble::counted, |_| WriteOutcome::Done);
        self.metrics.wrote(what, outcome, started.elapsed());
    }
}

/// The audit trail: one line for each thing that changed in the cluster.
fn audit(write: &Write) {
    match write {
        Write::Floors { namespace, rows, vanish } => {
            for (target, standing) in rows {
                info!(
                    target: AUDIT, %namespace, workload = %target.row(), policy = %standing.policy,
                    floor = standing.replicas, reason = %standing.reason, epoch = standing.epoch, seq = standing.seq,
                    "floor stored"
                );
            }
            for target in vanish {
                info!(target: AUDIT, %namespace, workload = %target.row(), "floor removed");
            }
        }
        Write::Replicas(write) => info!(
            target: AUDIT, namespace = %write.target.namespace, workload = %write.target.row(),
            from = write.from, to = write.to, undo = write.undo, "replicas written"
        ),
        Write::Bounds(write) => info!(
            target: AUDIT, namespace = %write.target.namespace, workload = %write.target.row(), scaler = %write.scaler,
            min = write.bounds.min, max = write.bounds.max, undo = write.undo, given_back = write.kept.is_none(),
            "scaler's bounds written"
        ),
    }
}

fn subject(write: &Write) -> String {
    match write {
        Write::Floors { namespace, .. } => namespace.to_string(),
        Write::Replicas(write) => write.target.to_string(),
        Write::Bounds(write) => format!("{}/{}", write.target.namespace, write.scaler),
    }
}

/// The field manager under which floorkeeper writes, and the name that its events report.
pub const MANAGER: &str = "floorkeeper";

/// The log target of the audit trail, to be kept or routed apart.
const AUDIT: &str = "floorkeeper::audit";
