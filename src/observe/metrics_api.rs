//! The metrics APIs of the cluster: `external.metrics.k8s.io`, `custom.metrics.k8s.io` and `metrics.k8s.io`.
//!
//! They are aggregated APIs without generated types, so the few fields that matter are read here, bounded like any other
//! answer. What they say of completeness is the adapter's promise: a single external or custom value is vouched for.

use core::time::Duration;

use axum::http;
use floorkeeper_core::{Answer, Evidence, Failure, Sample, Timestamp};
use jiff::Timestamp as Moment;
use kube::Client;
use kube::client::Body;
use reqwest::Url;
use serde::Deserialize;

use super::config::{Kind, Metric};
use super::subscription::Subscription;
use crate::api::Quantity;

/// One question to one of the APIs, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct MetricRequest {
    /// Path and query.
    path: String,
    form: Form,
}

/// The form of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Form {
    External,
    Object,
    /// Usage of pods; which resource.
    Usage(String),
}

impl MetricRequest {
    /// The request for a metric; `None` where the source's API can't be asked for it.
    pub(super) fn new(kind: &Kind, metric: &Metric, reader: &Subscription) -> Option<Self> {
        let namespace = &*reader.policy.namespace;
        let fill = |text: &str| text.replace("{namespace}", namespace).replace("{target}", &reader.target.name);
        let labels: Vec<String> =
            metric.match_labels.iter().map(|(key, value)| format!("{key}={}", fill(value))).collect();
        let labels = labels.join(",");
        let name = fill(&metric.name);
        let (path, form) = match kind {
            Kind::Prometheus(_) => return None,
            Kind::External => {
                let segments = ["apis", "external.metrics.k8s.io", "v1beta1", "namespaces", namespace, &name];
                (path(&segments, "labelSelector", &labels)?, Form::External)
            }
            Kind::Custom => {
                let object = metric.object.as_ref()?;
                let of = fill(&object.name);
                let root = ["apis", "custom.metrics.k8s.io", "v1beta2", "namespaces", namespace];
                let segments = [&root[..], &[&object.resource, &of, &name]].concat();
                (path(&segments, "metricLabelSelector", &labels)?, Form::Object)
            }
            Kind::Resource => {
                let pods = if labels.is_empty() { reader.pods.as_deref()? } else { &labels };
                // Without a selector it would be every pod of the namespace.
                if pods.is_empty() {
                    return None;
                }
                let segments = ["apis", "metrics.k8s.io", "v1beta1", "namespaces", namespace, "pods"];
                (path(&segments, "labelSelector", pods)?, Form::Usage(name))
            }
        };
        Some(Self { path, form })
    }

    /// Asks the API server. `now` is what the ages of pods' samples are measured against.
    pub(super) async fn ask(
        &self,
        client: &Client,
        timeout: Duration,
        limit: usize,
        now: Timestamp,
    ) -> Result<Answer, Failure> {
        let body =
            tokio::time::timeout(timeout, self.exchange(client, limit)).await.unwrap_or(Err(Failure::Timeout))?;
        self.read(&body, now)
    }

    async fn exchange(&self, client: &Client, limit: usize) -> Result<Vec<u8>, Failure> {
        let request = http::Request::get(&self.path).header(http::header::ACCEPT, "application/json");
        let request = request.body(Body::empty()).map_err(|_| Failure::Refused)?;
        let response = client.send(request).await.map_err(|_| Failure::Unreachable)?;
        match response.status() {
            status if status.is_success() => {}
            // The API is not served, or does not know the metric or object.
            http::StatusCode::NOT_FOUND | http::StatusCode::BAD_REQUEST => return Err(Failure::Refused),
            status => return Err(Failure::Status(status.as_u16())),
        }
        let told =
            response.headers().get(http::header::CONTENT_LENGTH).and_then(|told| told.to_str().ok()?.parse().ok());
        if told.is_some_and(|told: u64| told > limit as u64) {
            return Err(Failure::TooLarge);
        }
        match axum::body::to_bytes(axum::body::Body::new(response.into_body()), limit).await {
            Ok(body) => Ok(body.to_vec()),
            Err(error) if exceeds(&error) => Err(Failure::TooLarge),
            Err(_) => Err(Failure::Unreachable),
        }
    }

    fn read(&self, body: &[u8], now: Timestamp) -> Result<Answer, Failure> {
        match &self.form {
            Form::External => {
                let list: List<External> = parse(body)?;
                // The API answers with every series that matches, and its consumers add them up.
                sum(list.items.iter().map(|item| Some((item.value.parse().ok()?, moment(item.timestamp?)?))), |_, _| {
                    Evidence { vouched: true, ..Evidence::default() }
                })
            }
            Form::Object => {
                let list: List<Described> = parse(body)?;
                match list.items.as_slice() {
                    [] | [_] => {
                        let parts =
                            list.items.iter().map(|item| Some((item.value.parse().ok()?, moment(item.timestamp?)?)));
                        sum(parts, |_, _| Evidence { vouched: true, ..Evidence::default() })
                    }
                    several => Ok(Answer::Several(u32::try_from(several.len()).unwrap_or(u32::MAX))),
                }
            }
            Form::Usage(resource) => {
                let list: List<PodUsage> = parse(body)?;
                sum(
                    list.items.iter().map(|pod| Some((pod.usage(resource)?, moment(pod.timestamp?)?))),
                    |count, oldest| Evidence {
                        oldest: Some(now.since(oldest)),
                        series: Some(count),
                        ..Evidence::default()
                    },
                )
            }
        }
    }
}

/// Adds parts up; the sum speaks of the moment of the oldest. A part that can't be read spoils the whole.
fn sum(
    parts: impl Iterator<Item = Option<(f64, Timestamp)>>,
    evidence: impl Fn(u32, Timestamp) -> Evidence,
) -> Result<Answer, Failure> {
    let (mut value, mut count, mut oldest) = (0.0, 0_u32, Timestamp::NEVER);
    for part in parts {
        let (more, at) = part.ok_or(Failure::Garbage)?;
        value += more;
        count = count.saturating_add(1);
        oldest = oldest.min(at);
    }
    if count == 0 {
        return Ok(Answer::Empty);
    }
    Ok(Answer::Value(Sample { value, at: oldest, evidence: evidence(count, oldest) }))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|_| Failure::Garbage)
}

fn moment(at: Moment) -> Option<Timestamp> {
    u64::try_from(at.as_millisecond()).ok().map(Timestamp)
}

/// A path with its parts escaped, so that no name can reach another object.
fn path(segments: &[&str], parameter: &str, value: &str) -> Option<String> {
    if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
        return None;
    }
    let mut url = Url::parse("https://cluster").ok()?;
    url.path_segments_mut().ok()?.clear().extend(segments);
    if !value.is_empty() {
        url.query_pairs_mut().append_pair(parameter, value);
    }
    Some(url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path())))
}

fn exceeds(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn core::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit exceeded") {
            return true;
        }
        cause = error.source();
    }
    false
}

#[derive(Deserialize)]
struct List<T> {
    items: Vec<T>,
}

#[derive(Deserialize)]
struct External {
    timestamp: Option<Moment>,
    value: Quantity,
}

#[derive(Deserialize)]
struct Described {
    timestamp: Option<Moment>,
    value: Quantity,
}

#[derive(Deserialize)]
struct PodUsage {
    timestamp: Option<Moment>,
    #[serde(default)]
    containers: Vec<ContainerUsage>,
}

#[derive(Deserialize)]
struct ContainerUsage {
    usage: std::collections::BTreeMap<String, Quantity>,
}

impl PodUsage {
    fn usage(&self, resource: &str) -> Option<f64> {
        if self.containers.is_empty() {
            return None;
        }
        self.containers.iter().map(|container| container.usage.get(resource)?.parse().ok()).sum()
    }
}

#[cfg(test)]
mod tests {
    use floorkeeper_core::{PolicyKey, TargetKey};
    use proptest::prelude::*;

    use super::*;
    use crate::observe::config::Object;

    fn reader() -> Subscription {
        Subscription {
            policy: PolicyKey::new("shop", "web"),
            target: TargetKey::new("shop", "deployments.apps", "web"),
            pods: Some("app=web".into()),
            signals: Vec::new(),
            errors: None,
            history: Duration::ZERO,
        }
    }

    fn metric(name: &str, labels: &[(&str, &str)], object: Option<(&str, &str)>) -> Metric {
        Metric {
            name: name.into(),
            match_labels: labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            object: object.map(|(resource, name)| Object { resource: resource.into(), name: name.into() }),
        }
    }

    fn request(form: Form) -> MetricRequest {
        MetricRequest { path: String::new(), form }
    }

    #[test]
    fn paths_name_the_metric_in_the_policys_namespace() {
        let cases = [
            (
                Kind::External,
                metric("s0-{target}", &[("queue", "{namespace}/x y")], None),
                "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/s0-web?labelSelector=queue%3Dshop%2Fx+y",
            ),
            (
                Kind::Custom,
                metric("requests", &[], Some(("ingresses.networking.k8s.io", "{target}"))),
                "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/ingresses.networking.k8s.io/web/requests",
            ),
            (
                Kind::Resource,
                metric("cpu", &[], None),
                "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods?labelSelector=app%3Dweb",
            ),
            (
                Kind::External,
                metric("../secrets?x=/#", &[], None),
                "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/..%2Fsecrets%3Fx=%2F%23",
            ),
        ];
        for (kind, metric, path) in cases {
            assert_eq!(MetricRequest::new(&kind, &metric, &reader()).unwrap().path, path);
        }
    }

    #[test]
    fn what_can_not_be_asked_is_not_asked() {
        assert_eq!(MetricRequest::new(&Kind::Custom, &metric("requests", &[], None), &reader()), None);
        assert_eq!(MetricRequest::new(&Kind::External, &metric("..", &[], None), &reader()), None);
        let without = Subscription { pods: None, ..reader() };
        assert_eq!(MetricRequest::new(&Kind::Resource, &metric("cpu", &[], None), &without), None);
    }

    #[test]
    fn external_series_are_added_up_and_speak_of_the_oldest_moment() {
        let body = br#"{"kind":"ExternalMetricValueList","items":[
            {"metricName":"q","timestamp":"2024-03-05T01:36:00Z","value":"1500m"},
            {"metricName":"q","timestamp":"2024-03-05T01:35:30Z","value":"2k"}]}"#;
        let evidence = Evidence { vouched: true, ..Evidence::default() };
        let at = Timestamp(1_709_602_530_000);
        let sample = Sample { value: 2001.5, at, evidence };
        assert_eq!(request(Form::External).read(body, Timestamp(0)), Ok(Answer::Value(sample)));
        assert_eq!(request(Form::External).read(br#"{"items":[]}"#, Timestamp(0)), Ok(Answer::Empty));
    }

    #[test]
    fn an_object_has_one_value() {
        let item = r#"{"describedObject":{},"metric":{"name":"x"},"timestamp":"2024-03-05T01:36:00Z","value":"7"}"#;
        let one = request(Form::Object).read(format!("{{\"items\":[{item}]}}").as_bytes(), Timestamp(0)).unwrap();
        assert!(matches!(one, Answer::Value(sample) if sample.value == 7.0));
        let two = request(Form::Object).read(format!("{{\"items\":[{item},{item}]}}").as_bytes(), Timestamp(0));
        assert_eq!(two, Ok(Answer::Several(2)));
    }

    #[test]
    fn usage_is_that_of_all_containers_with_its_age() {
        let body = br#"{"items":[{"timestamp":"1970-01-01T00:01:40Z","window":"15s","containers":[
            {"name":"a","usage":{"cpu":"250m","memory":"1Ki"}},{"name":"b","usage":{"cpu":"750000000n","memory":"1"}}]},
            {"timestamp":"1970-01-01T00:01:50Z","containers":[{"name":"a","usage":{"cpu":"1","memory":"1"}}]}]}"#;
        let form = request(Form::Usage("cpu".to_owned()));
        let Ok(Answer::Value(sample)) = form.read(body, Timestamp(120_000)) else { panic!("a value") };
        assert_eq!((sample.value, sample.at), (2.0, Timestamp(100_000)));
        assert_eq!((sample.evidence.oldest, sample.evidence.series), (Some(Duration::from_secs(20)), Some(2)));
        assert_eq!(request(Form::Usage("gpu".to_owned())).read(body, Timestamp(0)), Err(Failure::Garbage));
    }

    #[test]
    fn what_is_not_the_format_is_garbage() {
        for body in [
            "",
            "{}",
            r#"{"items":{}}"#,
            r#"{"items":[{"value":"1"}]}"#,
            r#"{"items":[{"timestamp":null,"value":"1"}]}"#,
            r#"{"items":[{"timestamp":"2024-03-05T01:36:00Z","value":"many"}]}"#,
            r#"{"items":[{"timestamp":"1924-03-05T01:36:00Z","value":"1"}]}"#,
            r#"{"items":[{"timestamp":"2024-03-05T01:36:00Z","value":1}]}"#,
        ] {
            assert_eq!(request(Form::External).read(body.as_bytes(), Timestamp(0)), Err(Failure::Garbage), "{body}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            for form in [Form::External, Form::Object, Form::Usage("cpu".to_owned())] {
                let _ = request(form).read(&body, Timestamp(0));
            }
        }

        #[test]
        fn no_name_leaves_its_place_in_the_path(name in "\\PC{1,30}", label in "\\PC{0,30}") {
            if let Some(request) = MetricRequest::new(&Kind::External, &metric(&name, &[("a", &label)], None), &reader()) {
                let path = request.path.split('?').next().unwrap_or_default();
                prop_assert!(path.starts_with("/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/"));
                prop_assert_eq!(path.split('/').count(), 7);
            }
        }
    }
}
