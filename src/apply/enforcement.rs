//! Whether the API server itself keeps writes above the floor: found out by trying, as a dry run.
//!
//! A policy that is installed is not a policy that is in force: its binding may be gone, its kind may have come after it,
//! the label may be missing. So the truth is asked for: a dry-run scale-down below the floor has to be refused, and where
//! the namespace asks for a clamp, the same under the name that the clamp lets in has to be raised to the floor. Nothing
//! is written.

use floorkeeper_core::TargetKey;
use k8s_openapi::api::autoscaling::v1::Scale;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::json;

use super::call::{Trouble, call, refused_by_our_floor};
use super::writer::Writer;

/// What is known of it for one kind of workload in one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Enforcement {
    /// Not tried yet, or the first try is not believed yet.
    #[default]
    Checking,
    /// There is no floor above zero to try it on.
    NothingToTry,
    /// The namespace has no label.
    NotAsked,
    /// The namespace's label has a value that means nothing.
    LabelNotUnderstood(String),
    WarnOnly,
    Tried(Trial, Wish),
}

/// What the namespace's label asks for, where it asks for more than a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Clamp,
    Deny,
}

/// What a trial came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    /// A write below the floor would have landed. `covered`: the policies that come with floorkeeper cover this kind.
    LetIn { covered: bool },
    /// It is refused. `clamps`: what scalers and deploys bring is raised.
    Refused { clamps: bool },
    /// Neither is known.
    Failed(String),
}

impl Enforcement {
    /// It is as the namespace asks: nothing to look after.
    #[must_use]
    pub fn is_as_wished(&self) -> bool {
        match self {
            Self::Tried(Trial::Refused { clamps }, wish) => *clamps || *wish == Wish::Deny,
            Self::Tried(Trial::LetIn { .. } | Trial::Failed(_), _) | Self::Checking | Self::NothingToTry => false,
            Self::NotAsked | Self::LabelNotUnderstood(_) | Self::WarnOnly => true,
        }
    }
}

impl Writer {
    /// Tries to write `below` its floor and its replicas, as a dry run.
    pub async fn try_below(&self, target: &TargetKey, below: u32, wish: Wish) -> Trial {
        let api = match self.target(target) {
            Ok(api) => api,
            Err(trouble) => return Trial::Failed(trouble.to_string()),
        };
        match dry_run(&api, target, below, PROBE).await {
            Ok(_) => return Trial::LetIn { covered: COVERED.contains(&&*target.resource) },
            Err(trouble) if !refused_by_our_floor(&trouble) => return Trial::Failed(trouble.to_string()),
            Err(_) => {}
        }
        if wish == Wish::Deny {
            return Trial::Refused { clamps: false };
        }
        match dry_run(&api, target, below, CLAMP_PROBE).await {
            Ok(scale) => {
                let kept = scale.spec.and_then(|spec| spec.replicas).unwrap_or_default();
                Trial::Refused { clamps: i64::from(kept) > i64::from(below) }
            }
            Err(trouble) if refused_by_our_floor(&trouble) => Trial::Refused { clamps: false },
            Err(trouble) => Trial::Failed(trouble.to_string()),
        }
    }
}

async fn dry_run(api: &Api<DynamicObject>, target: &TargetKey, below: u32, name: &str) -> Result<Scale, Trouble> {
    let params = PatchParams { dry_run: true, field_manager: Some(name.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"spec": {"replicas": below}}));
    call(api.patch_scale(&target.name, &params, &patch)).await
}

/// Who reads the audit log sees that it is only a question.
const PROBE: &str = "floorkeeper-probe";

/// The one name under which the clamp takes floorkeeper for a scaler; deploy/admission/clamp.yaml has it too.
const CLAMP_PROBE: &str = "floorkeeper-clamp-probe";

/// The kinds that deploy/admission covers. Any other can be added to it.
const COVERED: [&str; 2] = ["deployments.apps", "statefulsets.apps"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deny_is_content_without_a_clamp() {
        let tried = |trial: &Trial, wish| Enforcement::Tried(trial.clone(), wish).is_as_wished();
        let cases = [
            (Trial::Refused { clamps: true }, true, true),
            (Trial::Refused { clamps: false }, false, true),
            (Trial::LetIn { covered: true }, false, false),
            (Trial::Failed("no answer".to_owned()), false, false),
        ];
        for (trial, clamp, deny) in cases {
            assert_eq!((tried(&trial, Wish::Clamp), tried(&trial, Wish::Deny)), (clamp, deny), "{trial:?}");
        }
    }
}
