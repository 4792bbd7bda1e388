//! The policies that everything is played with: real documents, read as the operator reads them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use floorkeeper_core::Policy;

use crate::api::parse::{self, Surroundings};
use crate::api::{MetricSource, ScalingPolicy};

/// A policy by its name.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: String,
    pub policy: Policy,
}

/// The three that come with floorkeeper.
pub fn committed() -> anyhow::Result<Vec<Named>> {
    COMMITTED.iter().map(|(name, text)| read(name, text)).collect()
}

/// `minimal`, `recommended`, `queue`, or a file.
pub fn named(name: &str) -> anyhow::Result<Named> {
    if let Some((name, text)) = COMMITTED.iter().find(|(known, _)| *known == name) {
        return read(name, text);
    }
    let names: Vec<&str> = COMMITTED.iter().map(|(name, _)| *name).collect();
    let text = std::fs::read_to_string(name)
        .with_context(|| format!("{name} is neither a file that can be read nor one of {}", names.join(", ")))?;
    let short = Path::new(name).file_stem().map_or_else(|| name.to_owned(), |stem| stem.to_string_lossy().into_owned());
    read(&short, &text)
}

/// One ScalingPolicy, with the MetricSources that stand in the same text or in the embedded example.
fn read(name: &str, text: &str) -> anyhow::Result<Named> {
    let mut sources = Vec::new();
    let mut policies = Vec::new();
    for part in [text, SOURCE].into_iter().flat_map(|text| text.split("\n---\n")) {
        let document: serde_json::Value = serde_saphyr::from_str(part).with_context(|| format!("policy {name}"))?;
        match document["kind"].as_str() {
            Some("MetricSource") => {
                let source: MetricSource = serde_saphyr::from_str(part).with_context(|| format!("policy {name}"))?;
                sources.push(Arc::new(source));
            }
            Some("ScalingPolicy") => {
                let policy: ScalingPolicy = serde_saphyr::from_str(part).with_context(|| format!("policy {name}"))?;
                policies.push(policy);
            }
            Some(kind) => bail!("policy {name}: there is a {kind}; only ScalingPolicy and MetricSource are read"),
            None => bail!("policy {name}: a document without `kind`"),
        }
    }
    let [policy] = policies.as_slice() else {
        bail!("policy {name}: one ScalingPolicy is wanted, there are {}", policies.len());
    };
    match parse::policy(policy, &Around(sources)) {
        Ok(policy) => Ok(Named { name: name.to_owned(), policy }),
        Err(mistakes) => {
            let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            bail!("policy {name}: {}", mistakes.join("; "))
        }
    }
}

/// The sources that policies refer to; resources are what their kinds usually are.
pub(in crate::cli) struct Around(pub(in crate::cli) Vec<Arc<MetricSource>>);

impl Surroundings for Around {
    fn source(&self, name: &str) -> Option<Arc<MetricSource>> {
        self.0.iter().find(|source| source.metadata.name.as_deref() == Some(name)).cloned()
    }

    fn resource(&self, api_version: &str, kind: &str) -> Result<Arc<str>, String> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let plural = format!("{}s", kind.to_lowercase());
        Ok(if group.is_empty() { plural.into() } else { format!("{plural}.{group}").into() })
    }
}

const COMMITTED: &[(&str, &str)] = &[
    ("minimal", include_str!("../../../docs/examples/replay/minimal.yaml")),
    ("recommended", include_str!("../../../docs/examples/replay/recommended.yaml")),
    ("queue", include_str!("../../../docs/examples/replay/queue.yaml")),
];

const SOURCE: &str = include_str!("../../../docs/examples/source.yaml");
