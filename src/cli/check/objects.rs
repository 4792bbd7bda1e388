//! What is wrong with our own objects among the documents.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::document::{Document, Place, field};
use super::promql::{self, Asked, Role};
use super::schema;
use crate::api::parse::{self, Mistake, Surroundings};
use crate::api::{
    self, Coverage, FloorOverride, GROUP, MetricSource, ScalingPolicy, SharedDemand, SignalSpec, VERSION,
};
use crate::observe::TargetLabels;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    Error,
    Warning,
}

/// One thing to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) severity: Severity,
    pub(super) place: Place,
    pub(super) path: String,
    pub(super) message: String,
}

/// What the files say together: policies are read with the sources that are among them.
#[derive(Debug, Default)]
pub(super) struct Known {
    sources: BTreeMap<String, Arc<MetricSource>>,
    schemas: BTreeMap<String, Value>,
}

impl Known {
    pub(super) fn new<'a>(documents: impl Iterator<Item = &'a Document>) -> Self {
        let schemas = api::crds().into_iter().filter_map(|crd| {
            let version = crd.spec.versions.into_iter().next()?;
            let schema = serde_json::to_value(version.schema?.open_api_v3_schema?).ok()?;
            Some((crd.spec.names.kind, schema))
        });
        let sources = documents
            .filter(|document| kind(document) == Some("MetricSource"))
            .filter_map(|document| serde_json::from_value::<MetricSource>(document.value.clone()).ok())
            .filter_map(|source| Some((source.metadata.name.clone()?, Arc::new(source))));
        Self { sources: sources.collect(), schemas: schemas.collect() }
    }
}

impl Surroundings for Known {
    fn source(&self, name: &str) -> Option<Arc<MetricSource>> {
        self.sources.get(name).cloned()
    }

    fn resource(&self, _api_version: &str, kind: &str) -> Result<Arc<str>, String> {
        // Which kinds a cluster serves can't be known here; the key is not used.
        Ok(kind.to_ascii_lowercase().into())
    }
}

/// The kind of a document, if its group is ours.
pub(super) fn kind(document: &Document) -> Option<&str> {
    let group = document.value["apiVersion"].as_str()?.split('/').next()?;
    if group == GROUP { document.value["kind"].as_str() } else { None }
}

/// Everything that is wrong with one of our objects, in the order of the file.
pub(super) fn problems(document: &Document, known: &Known) -> Vec<Problem> {
    let mut found = Found { document, problems: Vec::new() };
    let kind = kind(document).unwrap_or_default();
    let version = format!("{GROUP}/{VERSION}");
    if document.value["apiVersion"] != *version {
        found.error("apiVersion", format!("{} is unknown: write {version}", document.value["apiVersion"]));
    }
    let Some(schema) = known.schemas.get(kind) else {
        let kinds: Vec<&str> = known.schemas.keys().map(String::as_str).collect();
        found.error("kind", format!("{kind:?} is unknown: write one of {}", kinds.join(", ")));
        return found.problems;
    };
    found.schema(schema);
    match kind {
        "ScalingPolicy" => {
            if let Ok(policy) = serde_json::from_value::<ScalingPolicy>(document.value.clone()) {
                let mistakes = parse::policy(&policy, known).err().unwrap_or_default();
                found.mistakes(mistakes);
                found.policy(&policy, known);
            }
        }
        "MetricSource" => {
            if let Ok(source) = serde_json::from_value::<MetricSource>(document.value.clone()) {
                found.mistakes(parse::mistakes_of_source(&source.spec));
                found.source(&source);
            }
        }
        "FloorOverride" => {
            if let Ok(order) = serde_json::from_value::<FloorOverride>(document.value.clone()) {
                found.mistakes(parse::mistakes_of_override(&order.spec));
            }
        }
        _ => found.warning("kind", "floorkeeper alone writes this kind: don't keep it in files".to_owned()),
    }
    found.problems.sort_by(|a, b| (a.place, a.severity, &a.path).cmp(&(b.place, b.severity, &b.path)));
    found.problems
}

struct Found<'a> {
    document: &'a Document,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn error(&mut self, path: impl Into<String>, message: String) {
        self.push(Severity::Error, path.into(), message);
    }

    fn warning(&mut self, path: impl Into<String>, message: String) {
        self.push(Severity::Warning, path.into(), message);
    }

    fn push(&mut self, severity: Severity, path: String, message: String) {
        let place = self.document.place(&path);
        self.problems.push(Problem { severity, place, path, message });
    }

    /// Metadata and status are the cluster's; a name is ours to ask for.
    fn schema(&mut self, schema: &Value) {
        let value = &self.document.value;
        let mut mistakes = Vec::new();
        for (name, content) in value.as_object().into_iter().flatten() {
            match name.as_str() {
                "apiVersion" | "kind" | "metadata" | "status" => {}
                "spec" => schema::mistakes(&schema["properties"]["spec"], content, "spec", &mut mistakes),
                other => mistakes.push(Mistake {
                    path: field("", other),
                    message: "there is no field of this name: apiVersion, kind, metadata and spec are".to_owned(),
                }),
            }
        }
        if value["spec"].is_null() {
            mistakes.push(Mistake { path: "spec".to_owned(), message: "it is missing: it must be there".to_owned() });
        }
        let metadata = &value["metadata"];
        if metadata["name"].as_str().or_else(|| metadata["generateName"].as_str()).is_none_or(str::is_empty) {
            let message = "it is missing: an object needs a name".to_owned();
            mistakes.push(Mistake { path: "metadata.name".to_owned(), message });
        }
        self.mistakes(mistakes);
    }

    /// The first mistake at a path counts: the schema's, then the parse's.
    fn mistakes(&mut self, mistakes: Vec<Mistake>) {
        for Mistake { path, message } in mistakes {
            if path == "spec" || !self.problems.iter().any(|problem| problem.path == path) {
                self.error(path, message);
            }
        }
    }

    fn policy(&mut self, policy: &ScalingPolicy, known: &Known) {
        let demand = policy.spec.demand.as_ref();
        let signals = demand.map_or(&[][..], |demand| &demand.signals);
        let default = [SignalSpec::default()];
        let own = !signals.is_empty();
        for (i, signal) in (if own { signals } else { &default[..] }).iter().enumerate() {
            let path = if own { format!("spec.demand.signals[{i}]") } else { "spec.demand".to_owned() };
            let name = signal.source.as_deref().or_else(|| demand.and_then(|demand| demand.source.as_deref()));
            let name = name.unwrap_or("default");
            if let Some(source) = known.source(name) {
                self.against_source(&path, signal, &source, policy);
            }
            let vouched = signal.coverage == Some(Coverage::Complete);
            self.query(&format!("{path}.query"), signal.query.as_deref(), Role::Demand, policy, vouched);
            let backlog = signal.backlog.as_ref().and_then(|backlog| backlog.query.as_deref());
            self.query(&format!("{path}.backlog.query"), backlog, Role::Backlog, policy, vouched);
        }
        let errors = policy.spec.distrust.as_ref().and_then(|distrust| distrust.errors.as_ref());
        let failed = errors.and_then(|errors| errors.failed.as_deref());
        self.query("spec.distrust.errors.failed", failed, Role::Failed, policy, true);
        let total = errors.and_then(|errors| errors.total.as_deref());
        self.query("spec.distrust.errors.total", total, Role::Total, policy, true);
        if failed.is_none() && parse::policy(policy, known).is_ok_and(|policy| policy.errors.is_none()) {
            let off = errors.and_then(|errors| errors.above.as_ref()).is_some();
            if !off {
                self.warning(
                    "spec.distrust.errors",
                    "nothing tells of failed work: an error that drives clients away looks like idleness; write failed and \
                     total here, or errors with the demand of the MetricSource (which is not among these files, or has none)"
                        .to_owned(),
                );
            }
        }
    }

    /// What the source says to a signal: only of sources that are among the files.
    fn against_source(&mut self, path: &str, signal: &SignalSpec, source: &MetricSource, policy: &ScalingPolicy) {
        let name = source.metadata.name.as_deref().unwrap_or_default();
        let inline = [("query", signal.query.is_some()), ("metric", signal.metric.is_some())];
        let inline = inline.into_iter().find(|(_, given)| *given).map(|(field, _)| field);
        if let Some(field) = inline.filter(|_| !source.spec.inline_queries) {
            self.error(
                format!("{path}.{field}"),
                format!("MetricSource {name} has inlineQueries: false: name one of its demands ({})", names(source)),
            );
        }
        if inline.is_none() {
            let found = match &signal.demand {
                Some(demand) => source.spec.demands.iter().any(|shared| shared.name == *demand),
                None => source.spec.default_demand().is_some(),
            };
            if !found {
                let what = signal
                    .demand
                    .as_deref()
                    .map_or_else(|| "default demand".to_owned(), |name| format!("demand {name:?}"));
                let path = if signal.demand.is_some() { format!("{path}.demand") } else { path.to_owned() };
                self.error(path, format!("MetricSource {name} has no {what}: it has {}", names(source)));
            }
        }
        let namespace = policy.metadata.namespace.as_deref();
        let allowed = source.spec.allowed_namespaces.as_ref().zip(namespace).is_none_or(|(allowed, namespace)| {
            allowed.iter().any(|name| match name.strip_suffix('*') {
                Some(prefix) => namespace.starts_with(prefix),
                None => name == namespace,
            })
        });
        if !allowed {
            self.error(
                path,
                format!("MetricSource {name} does not allow policies of this namespace (allowedNamespaces)"),
            );
        }
    }

    fn query(&mut self, path: &str, query: Option<&str>, role: Role, policy: &ScalingPolicy, vouched: bool) {
        let target = Some(policy.spec.target_ref.name.as_str());
        if let Some(query) = query {
            self.findings(path, &Asked { query, role, target, by: None, vouched });
        }
    }

    fn source(&mut self, source: &MetricSource) {
        for (i, demand) in source.spec.demands.iter().enumerate() {
            let path = format!("spec.demands[{i}]");
            let Some(labels) = &demand.labels else { continue };
            let by =
                TargetLabels { namespace: labels.namespace.as_str().into(), target: labels.target.as_str().into() };
            for (place, role, query) in queries(demand) {
                let vouched = demand.coverage == Some(Coverage::Complete) || role != Role::Demand;
                let asked = Asked { query, role, target: None, by: Some(by.clone()), vouched };
                self.findings(&format!("{path}.{place}"), &asked);
            }
            if demand.errors.is_none() {
                self.warning(
                    path,
                    "nothing tells of failed work: an error that drives clients away looks like idleness; write errors with \
                     failed and total"
                        .to_owned(),
                );
            }
        }
    }

    fn findings(&mut self, path: &str, asked: &Asked<'_>) {
        for finding in promql::findings(asked) {
            let severity = if finding.fatal { Severity::Error } else { Severity::Warning };
            self.push(severity, path.to_owned(), finding.message);
        }
    }
}

fn queries(demand: &SharedDemand) -> impl Iterator<Item = (&'static str, Role, &str)> {
    let errors = demand.errors.as_ref();
    let all = [
        ("query", Role::Demand, demand.query.as_deref()),
        ("backlog.query", Role::Backlog, demand.backlog.as_ref().and_then(|backlog| backlog.query.as_deref())),
        ("errors.failed", Role::Failed, errors.and_then(|errors| errors.failed.as_deref())),
        ("errors.total", Role::Total, errors.and_then(|errors| errors.total.as_deref())),
    ];
    all.into_iter().filter_map(|(place, role, query)| Some((place, role, query?)))
}

fn names(source: &MetricSource) -> String {
    let names: Vec<&str> = source.spec.demands.iter().map(|demand| demand.name.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
