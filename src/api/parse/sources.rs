//! What a `MetricSource` must say.

use super::{Mistake, Reader};
use crate::api::{Auth, DemandErrors, MetricSourceSpec, Prometheus, SecretKey, SharedDemand, limits, text};

/// Every mistake in a source, as the API server finds them.
#[must_use]
pub fn mistakes_of_source(spec: &MetricSourceSpec) -> Vec<Mistake> {
    let mut reader = Reader::default();
    if spec.prometheus.is_some() == spec.metrics_api.is_some() {
        let message =
            "write prometheus (with its url) or metricsApi (External, Custom or Resource), exactly one of them";
        reader.mistake("spec", message);
    }
    if let Some(prometheus) = &spec.prometheus {
        reader.prometheus(prometheus);
    }
    reader.span("spec.interval", spec.interval.as_ref(), limits::INTERVAL);
    reader.span("spec.timeout", spec.timeout.as_ref(), limits::TIMEOUT);
    reader.quantity("spec.bodyLimit", spec.body_limit.as_ref(), limits::BODY_LIMIT);
    reader.span("spec.maxAge", spec.max_age.as_ref(), limits::MAX_AGE);
    if spec.demands.iter().filter(|demand| demand.default).count() > 1 {
        reader.mistake("spec", "only one of the demands can have default: true");
    }
    let fits = |demand: &SharedDemand| {
        if spec.prometheus.is_some() { demand.query.is_some() } else { demand.metric.is_some() }
    };
    if !spec.demands.iter().all(fits) {
        reader
            .mistake("spec", "with prometheus every demand needs a query, with metricsApi every demand needs a metric");
    }
    for (i, demand) in spec.demands.iter().enumerate() {
        reader.demand(&format!("spec.demands[{i}]"), demand);
    }
    reader.text("spec.inlineNamespaceLabel", spec.inline_namespace_label.as_deref(), text::LABEL_NAME);
    let allowed = |name: &String| {
        let name = name.as_str();
        let prefix = name.strip_suffix('*');
        name == "*" || text::NAMESPACE.check(prefix.map_or(name, |prefix| prefix.trim_end_matches('-'))).is_ok()
    };
    if !spec.allowed_namespaces.iter().flatten().all(allowed) {
        reader.mistake(
            "spec.allowedNamespaces",
            "write names of namespaces, or prefixes that end with '*' such as \"team-*\"",
        );
    }
    reader.mistakes
}

impl Reader {
    fn prometheus(&mut self, prometheus: &Prometheus) {
        if !is_plain_url(&prometheus.url) {
            self.mistake(
                "spec.prometheus.url",
                "write an http or https URL without user, query and fragment, such as \
                 \"http://prometheus.monitoring:9090\"; passwords go to auth, parameters to queryParameters",
            );
        }
        let plain = |name: &str| {
            !name.is_empty() && name.len() <= 128 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !prometheus.headers.keys().all(|name| plain(name) && !OUR_HEADERS.contains(&&*name.to_ascii_lowercase())) {
            self.mistake(
                "spec.prometheus.headers",
                "a header's name has letters, digits and '-'; Authorization goes to auth, and those of the connection are \
                 floorkeeper's own",
            );
        }
        if prometheus.query_parameters.keys().any(|name| OUR_PARAMETERS.contains(&name.as_str())) {
            self.mistake(
                "spec.prometheus.queryParameters",
                "query, time, timeout, start, end and step are floorkeeper's own parameters: leave them out",
            );
        }
        if let Some(auth) = &prometheus.auth {
            self.auth(auth);
        }
        let Some(tls) = &prometheus.tls else { return };
        if tls.ca_secret.is_some() && tls.insecure_skip_verify {
            self.mistake(
                "spec.prometheus.tls",
                "insecureSkipVerify checks nothing, caSecret would have no effect: leave one of them out",
            );
        }
        self.secret("spec.prometheus.tls.caSecret", tls.ca_secret.as_ref());
    }

    fn auth(&mut self, auth: &Auth) {
        let path = "spec.prometheus.auth";
        if auth.bearer.is_none() && auth.basic.is_none() && auth.tls.is_none() {
            self.mistake(path, "write bearer, basic or tls, or leave auth out");
        }
        if auth.bearer.is_some() && auth.basic.is_some() {
            self.mistake(path, "write bearer or basic, not both: they share one header");
        }
        self.secret("spec.prometheus.auth.bearer", auth.bearer.as_ref());
        let basic = auth.basic.as_ref().map(|basic| basic.secret.as_str());
        self.text("spec.prometheus.auth.basic.secret", basic, text::OBJECT_NAME);
        let tls = auth.tls.as_ref().map(|tls| tls.secret.as_str());
        self.text("spec.prometheus.auth.tls.secret", tls, text::OBJECT_NAME);
    }

    fn secret(&mut self, path: &str, secret: Option<&SecretKey>) {
        self.text(format_args!("{path}.name"), secret.map(|secret| secret.name.as_str()), text::OBJECT_NAME);
    }

    fn demand(&mut self, path: &str, demand: &SharedDemand) {
        self.text(format_args!("{path}.name"), Some(&demand.name), text::SHORT_NAME);
        if demand.query.is_some() == demand.metric.is_some() {
            self.mistake(path, ONE_OF);
        }
        if demand.query.is_some() && demand.labels.is_none() {
            self.mistake(
                path,
                "a shared query needs labels: say which labels of its answer name the namespace and the workload, such as \
                 labels: {namespace: namespace, target: deployment}",
            );
        }
        if let Some(labels) = &demand.labels {
            self.text(format_args!("{path}.labels.namespace"), Some(&labels.namespace), text::LABEL_NAME);
            self.text(format_args!("{path}.labels.target"), Some(&labels.target), text::LABEL_NAME);
        }
        if demand.backlog.as_ref().is_some_and(|backlog| backlog.query.is_some() == backlog.metric.is_some()) {
            self.mistake(format_args!("{path}.backlog"), ONE_OF);
        }
        self.span(format_args!("{path}.maxAge"), demand.max_age.as_ref(), limits::MAX_AGE);
        let Some(errors) = &demand.errors else { return };
        let DemandErrors { failed, total, failed_metric, total_metric, above, min_rate } = errors;
        let given = [failed.is_some(), total.is_some(), failed_metric.is_some(), total_metric.is_some()];
        if !matches!(given, [true, true, false, false] | [false, false, true, true]) {
            self.mistake(
                format_args!("{path}.errors"),
                "write failed and total (PromQL), or failedMetric and totalMetric (Kubernetes metrics APIs): two of one kind",
            );
        }
        self.quantity(format_args!("{path}.errors.above"), above.as_ref(), limits::ERRORS_ABOVE);
        self.quantity(format_args!("{path}.errors.minRate"), min_rate.as_ref(), limits::MIN_RATE);
    }
}

fn is_plain_url(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else { return false };
    let host = rest.split('/').next().unwrap_or_default();
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.ends_with(']') || !port.contains(']') => (name, Some(port)),
        Some(_) | None => (host, None),
    };
    let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    !name.is_empty() && port.is_none_or(digits) && !url.contains(['@', '?', '#', ' ']) && url.is_ascii()
}

const ONE_OF: &str = "write query (PromQL) or metric (a Kubernetes metrics API), exactly one of them";

/// Headers that the connection or `auth` decides.
const OUR_HEADERS: [&str; 7] =
    ["authorization", "host", "content-length", "content-type", "transfer-encoding", "connection", "cookie"];

/// Parameters of the queries themselves.
const OUR_PARAMETERS: [&str; 6] = ["query", "time", "timeout", "start", "end", "step"];
