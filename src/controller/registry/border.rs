//! From objects to what the engine and the observer take: each policy as core's `Policy` and as its questions, each
//! source as its configuration.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{Policy, PolicyKey};
use reqwest::Url;

use super::Source;
use super::wanted::Wanted;
use crate::api::parse::{Surroundings, policy as parse_policy};
use crate::api::{
    Coverage, Demand, MetricRef, MetricSource, MetricsApi, ScalingPolicy, SharedDemand, SignalSpec, Span,
};
use crate::controller::kinds::{KindRef, Unresolved};
use crate::observe::{
    self, Ask, Auth, ClientCertificate, DemandErrors, ErrorAsk, Inline, Kind, Metric, Namespaces, Object, Prometheus,
    Query, Question, Scope, SecretKey, SignalAsk, SourceConfig, Subscription, TargetLabels, Tls,
};

/// A source as the observer takes it. `Err`: what is wrong and what to write.
pub(super) fn source(object: &MetricSource) -> Result<SourceConfig, String> {
    let spec = &object.spec;
    let interval = span("spec.interval", spec.interval.as_ref())?.unwrap_or(INTERVAL);
    let body_limit = match &spec.body_limit {
        Some(limit) => limit.parse().map_err(|error| format!("spec.bodyLimit: {error}"))?.clamp(1.0, BODY_MOST),
        None => BODY_LIMIT,
    };
    let label = || spec.inline_namespace_label.as_deref().unwrap_or("namespace").into();
    let budget = spec.inline_budget.and_then(|budget| usize::try_from(budget).ok()).unwrap_or(INLINE_BUDGET);
    let inline = match (spec.inline_queries, spec.inline_unscoped) {
        (false, _) => Inline::Forbidden,
        (true, false) => Inline::Allowed { budget, scope: Scope::Namespace(label()) },
        (true, true) => Inline::Allowed { budget, scope: Scope::Everything },
    };
    let kind = match (&spec.prometheus, spec.metrics_api) {
        (Some(server), None) => Kind::Prometheus(prometheus(server)?),
        (None, Some(MetricsApi::External)) => Kind::External,
        (None, Some(MetricsApi::Custom)) => Kind::Custom,
        (None, Some(MetricsApi::Resource)) => Kind::Resource,
        (Some(_), Some(_)) | (None, None) => {
            return Err("spec: write prometheus (with its url) or metricsApi, exactly one of them".to_owned());
        }
    };
    Ok(SourceConfig {
        name: object.metadata.name.as_deref().unwrap_or_default().into(),
        kind,
        interval,
        timeout: span("spec.timeout", spec.timeout.as_ref())?.unwrap_or_else(|| TIMEOUT.min(interval)),
        // At most 2^30, see above.
        body_limit: body_limit as usize,
        allowed: match &spec.allowed_namespaces {
            None => Namespaces::All,
            Some(names) => Namespaces::Only(names.iter().map(|name| name.as_str().into()).collect()),
        },
        inline,
        demands: spec.demands.iter().enumerate().map(|(i, one)| demand(i, one)).collect::<Result<_, _>>()?,
        default_demand: spec.default_demand().map(|demand| demand.name.as_str().into()),
    })
}

/// The kinds that a policy names: its target's and those that it depends on.
pub(super) fn kinds(policy: &ScalingPolicy) -> Vec<KindRef> {
    let depends_on = policy.spec.distrust.iter().flat_map(|distrust| &distrust.depends_on);
    let all = std::iter::once(&policy.spec.target_ref).chain(depends_on);
    all.map(|workload| KindRef::new(&workload.api_version, &workload.kind)).collect()
}

/// What policies refer to, as far as it is known.
pub(super) struct Around<'a> {
    pub(super) sources: &'a BTreeMap<Arc<str>, Source>,
    pub(super) wanted: &'a Wanted,
    /// The kind that the policy targets: what it only depends on needs no scale.
    pub(super) target: KindRef,
}

impl Surroundings for Around<'_> {
    fn source(&self, name: &str) -> Option<Arc<MetricSource>> {
        self.sources.get(name).map(|source| Arc::clone(&source.object))
    }

    fn resource(&self, api_version: &str, kind: &str) -> Result<Arc<str>, String> {
        let kind = KindRef::new(api_version, kind);
        let resolved = self.wanted.resource(&kind).map_err(|unresolved| unresolved.to_string())?;
        if kind == self.target && !resolved.scalable {
            return Err(Unresolved::NotScalable(kind).to_string());
        }
        Ok(Arc::clone(&resolved.resource))
    }
}

/// A policy as the engine takes it, and what is asked for it. `Err`: what is wrong and what to write.
pub(super) fn policy(
    key: &PolicyKey,
    object: &ScalingPolicy,
    sources: &BTreeMap<Arc<str>, Source>,
    wanted: &Wanted,
) -> Result<(Policy, Subscription), String> {
    let target = &object.spec.target_ref;
    let around = Around { sources, wanted, target: KindRef::new(&target.api_version, &target.kind) };
    let parsed = parse_policy(object, &around)
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let subscription = subscription(key, object, &parsed, &around);
    Ok((parsed, subscription))
}

fn subscription(key: &PolicyKey, object: &ScalingPolicy, parsed: &Policy, around: &Around<'_>) -> Subscription {
    let nothing = Demand::default();
    let demand = object.spec.demand.as_ref().unwrap_or(&nothing);
    let default_signal = [SignalSpec::default()];
    let signals = if demand.signals.is_empty() { &default_signal[..] } else { &demand.signals[..] };
    Subscription {
        policy: key.clone(),
        target: parsed.target.clone(),
        pods: None,
        signals: signals.iter().map(|signal| signal_ask(signal, demand)).collect(),
        errors: parsed.errors.is_some().then(|| error_ask(object, demand, signals, around)).flatten(),
        history: parsed.memory(),
    }
}

/// One of the sources measures the workload's own pods.
pub(super) fn measures_pods(subscription: &Subscription, sources: &BTreeMap<Arc<str>, Source>) -> bool {
    let config = |ask: &Ask| sources.get(&ask.source).and_then(|source| source.config.as_ref());
    subscription.asks().any(|ask| config(ask).is_some_and(|config| config.kind == Kind::Resource))
}

fn signal_ask(signal: &SignalSpec, demand: &Demand) -> SignalAsk {
    let shared = signal.demand.as_deref().map(Arc::from);
    let coverage = match signal.coverage.unwrap_or_default() {
        Coverage::Evidence => observe::Coverage::Evidence,
        Coverage::Complete => observe::Coverage::Vouched,
    };
    let ask = |query| Ask { source: source_of(signal, demand), query, coverage };
    let own = question(signal.query.as_deref(), signal.metric.as_ref());
    let backlog = signal.backlog.as_ref().map(|backlog| {
        let own = question(backlog.query.as_deref(), backlog.metric.as_ref());
        ask(own.map_or_else(|| Query::DemandBacklog(shared.clone()), Query::Inline))
    });
    SignalAsk { load: ask(own.map_or_else(|| Query::Demand(shared.clone()), Query::Inline)), backlog }
}

/// The policy's own queries, else those that a source keeps with the first shared demand that the policy reads.
fn error_ask(object: &ScalingPolicy, demand: &Demand, signals: &[SignalSpec], around: &Around<'_>) -> Option<ErrorAsk> {
    let ask =
        |source: &Arc<str>, query| Ask { source: Arc::clone(source), query, coverage: observe::Coverage::Evidence };
    let errors = object.spec.distrust.as_ref().and_then(|distrust| distrust.errors.as_ref());
    if let Some(errors) = errors
        && let (Some(failed), Some(total)) = (&errors.failed, &errors.total)
    {
        let source: Arc<str> = errors.source.as_deref().or(demand.source.as_deref()).unwrap_or(DEFAULT_SOURCE).into();
        let own = |query: &str| ask(&source, Query::Inline(Question::PromQl(query.into())));
        return Some(ErrorAsk { failed: own(failed), total: own(total) });
    }
    signals.iter().filter(|signal| signal.query.is_none() && signal.metric.is_none()).find_map(|signal| {
        let name = source_of(signal, demand);
        let object = around.source(&name)?;
        let shared = match &signal.demand {
            Some(name) => object.spec.demands.iter().find(|demand| demand.name == *name),
            None => object.spec.default_demand(),
        };
        shared?.errors.as_ref()?;
        let demand: Option<Arc<str>> = signal.demand.as_deref().map(Arc::from);
        let failed = ask(&name, Query::DemandFailed(demand.clone()));
        Some(ErrorAsk { failed, total: ask(&name, Query::DemandTotal(demand)) })
    })
}

fn source_of(signal: &SignalSpec, demand: &Demand) -> Arc<str> {
    signal.source.as_deref().or(demand.source.as_deref()).unwrap_or(DEFAULT_SOURCE).into()
}

fn demand(place: usize, shared: &SharedDemand) -> Result<observe::Demand, String> {
    let path = format!("spec.demands[{place}]");
    let asked = |what: &str, query: Option<&str>, metric: Option<&MetricRef>| {
        question(query, metric).ok_or_else(|| format!("{path}{what}: write query or metric"))
    };
    let errors = shared.errors.as_ref().map(|errors| -> Result<_, String> {
        Ok(DemandErrors {
            failed: asked(".errors", errors.failed.as_deref(), errors.failed_metric.as_ref())?,
            total: asked(".errors", errors.total.as_deref(), errors.total_metric.as_ref())?,
        })
    });
    let backlog = shared.backlog.as_ref();
    let labels = shared.labels.as_ref();
    if shared.query.is_some() && labels.is_none() {
        return Err(format!("{path}.labels: say which labels name the namespace and the workload"));
    }
    Ok(observe::Demand {
        name: shared.name.as_str().into(),
        load: asked("", shared.query.as_deref(), shared.metric.as_ref())?,
        backlog: backlog
            .map(|backlog| asked(".backlog", backlog.query.as_deref(), backlog.metric.as_ref()))
            .transpose()?,
        errors: errors.transpose()?,
        labels: TargetLabels {
            // Metrics of the Kubernetes APIs are asked once a policy: no label of an answer is looked at.
            namespace: labels.map_or("namespace", |labels| &labels.namespace).into(),
            target: labels.map_or("target", |labels| &labels.target).into(),
        },
        coverage: match shared.coverage.unwrap_or_default() {
            Coverage::Evidence => observe::Coverage::Evidence,
            Coverage::Complete => observe::Coverage::Vouched,
        },
    })
}

fn question(query: Option<&str>, metric: Option<&MetricRef>) -> Option<Question> {
    if let Some(query) = query {
        return Some(Question::PromQl(query.into()));
    }
    let MetricRef { name, match_labels, object } = metric?;
    let match_labels = match_labels.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
    let object = object
        .as_ref()
        .map(|object| Object { resource: object.resource.as_str().into(), name: object.name.as_str().into() });
    Some(Question::Metric(Metric { name: name.as_str().into(), match_labels: match_labels.collect(), object }))
}

fn prometheus(server: &crate::api::Prometheus) -> Result<Prometheus, String> {
    let url = Url::parse(&server.url).map_err(|error| {
        format!("spec.prometheus.url: {error}; write a URL such as \"http://prometheus.monitoring:9090\"")
    })?;
    let pairs = |map: &BTreeMap<String, String>| map.clone().into_iter().collect();
    let key = |secret: &str, key: &str| SecretKey { secret: secret.into(), key: key.into() };
    let of_key = |one: &crate::api::SecretKey| key(&one.name, &one.key);
    let auth = server.auth.as_ref();
    let bearer = auth.and_then(|auth| auth.bearer.as_ref()).map(|one| Auth::Bearer(of_key(one)));
    let basic = auth.and_then(|auth| auth.basic.as_ref()).map(|basic| Auth::Basic {
        username: key(&basic.secret, "username"),
        password: key(&basic.secret, "password"),
    });
    let client = auth
        .and_then(|auth| auth.tls.as_ref())
        .map(|tls| ClientCertificate { certificate: key(&tls.secret, "tls.crt"), key: key(&tls.secret, "tls.key") });
    let tls = server.tls.as_ref();
    Ok(Prometheus {
        url,
        headers: pairs(&server.headers),
        parameters: pairs(&server.query_parameters),
        auth: bearer.or(basic).unwrap_or_default(),
        tls: Tls {
            ca: tls.and_then(|tls| tls.ca_secret.as_ref()).map(of_key),
            client,
            insecure_skip_verify: tls.is_some_and(|tls| tls.insecure_skip_verify),
        },
    })
}

fn span(path: &str, span: Option<&Span>) -> Result<Option<Duration>, String> {
    span.map(|span| span.parse().map_err(|error| format!("{path}: {error}"))).transpose()
}

/// What a policy reads that names no source.
const DEFAULT_SOURCE: &str = "default";

/// The defaults that the fields' descriptions promise.
const INTERVAL: Duration = Duration::from_secs(15);
const TIMEOUT: Duration = Duration::from_secs(10);
const BODY_LIMIT: f64 = 16.0 * 1024.0 * 1024.0;
const INLINE_BUDGET: usize = 20;

/// A gibibyte, the schema's limit.
const BODY_MOST: f64 = 1024.0 * 1024.0 * 1024.0;
