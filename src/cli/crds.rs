//! `floorkeeper crds`: the CustomResourceDefinitions as YAML.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::api;

/// Prints the CustomResourceDefinitions of floorkeeper.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  floorkeeper crds | kubectl apply --server-side -f -    install or upgrade them
  floorkeeper crds --dir crds                            write one file for each kind")]
pub struct Args {
    /// Write one file for each kind into this directory instead of printing them.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { dir } = self;
        let files = files()?;
        match dir {
            None => {
                let documents: Vec<String> = files.into_iter().map(|(_, yaml)| format!("---\n{yaml}")).collect();
                super::print(documents.concat().as_bytes())?;
            }
            Some(dir) => {
                std::fs::create_dir_all(&dir).with_context(|| format!("can't create {}", dir.display()))?;
                for (name, yaml) in files {
                    let path = dir.join(name);
                    std::fs::write(&path, yaml).with_context(|| format!("can't write {}", path.display()))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Name and content of the file of each kind.
pub fn files() -> anyhow::Result<Vec<(String, String)>> {
    api::crds().iter().map(|crd| Ok((format!("{}.yaml", crd.spec.names.plural), yaml(crd)?))).collect()
}

fn yaml(crd: &CustomResourceDefinition) -> anyhow::Result<String> {
    // By way of a JSON value: its keys are sorted, so the text depends on nothing but the content.
    let value = serde_json::to_value(crd).context("the definition can't be written as JSON")?;
    let mut text = serde_saphyr::to_string(&value).context("the definition can't be written as YAML")?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}
