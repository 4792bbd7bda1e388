//! The policy that is tested, read as the operator reads it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use floorkeeper_core::Policy;

use crate::api::parse;
use crate::api::{MetricSource, ScalingPolicy};
use crate::cli::check;
use crate::cli::replay::policies::Around;

/// One ScalingPolicy with what stands beside it.
pub(super) struct Input {
    /// The file, as it was named.
    pub(super) file: String,
    /// `namespace/name`.
    pub(super) name: String,
    pub(super) object: ScalingPolicy,
    pub(super) policy: Policy,
    /// Of the first signal.
    pub(super) capacity: Option<f64>,
    pub(super) sources: Vec<Arc<MetricSource>>,
}

/// Why a file can't be used.
pub(super) enum Refused {
    /// As `floorkeeper check` prints it.
    Checked(String),
    Other(anyhow::Error),
}

impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl Input {
    pub(super) fn read(path: &Path) -> Result<Self, Refused> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(|| format!("can't read {file}"))?;
        Self::parse(file, &text)
    }

    pub(super) fn parse(file: String, text: &str) -> Result<Self, Refused> {
        if let Some(report) = check::errors(&file, text) {
            return Err(Refused::Checked(report));
        }
        let documents: Vec<serde_json::Value> =
            serde_saphyr::from_multiple(text).map_err(|error| anyhow!("{file}: {error}"))?;
        let (mut objects, mut sources) = (Vec::new(), Vec::new());
        for document in documents {
            match document["kind"].as_str() {
                Some("ScalingPolicy") => {
                    let object: ScalingPolicy = serde_json::from_value(document).with_context(|| file.clone())?;
                    objects.push(object);
                }
                Some("MetricSource") => {
                    let source: MetricSource = serde_json::from_value(document).with_context(|| file.clone())?;
                    sources.push(Arc::new(source));
                }
                Some(_) | None => {}
            }
        }
        let count = objects.len();
        let Ok([object]) = <[ScalingPolicy; 1]>::try_from(objects) else {
            return Err(anyhow!("{file}: one ScalingPolicy is tested at a time, there are {count}").into());
        };
        let policy = parse::policy(&object, &Around(sources.clone())).map_err(|mistakes| {
            let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            anyhow!("{file}: {}", mistakes.join("; "))
        })?;
        let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
        let name = format!("{namespace}/{}", object.metadata.name.as_deref().unwrap_or("policy"));
        let capacity = policy.signals.first().and_then(|signal| signal.capacity);
        Ok(Self { file, name, object, policy, capacity, sources })
    }
}
