//! Real sources: Prometheus whose targets vanish and whose data is lost, the metrics APIs and Secrets of a real API server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use floorkeeper::observe::{
    self, Ask, Auth, Coverage, Demand, Feed, Inline, Kind, LookBacks, Metric, Namespaces, Object, Observer, Prometheus,
    Query, Question, Scope, SecretKey, SignalAsk, SourceConfig, Subscription, TargetLabels, Tls,
};
use floorkeeper_core::{Answer, Event, Evidence, Failure, Observation, PolicyKey, Sample, TargetKey};
use floorkeeper_rig::{
    Availability, Behaviour, Cluster, Data, Described, Exposition, MetricsApi, MetricsApis, Options, PrometheusOptions,
    Usage, eventually,
};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// Prometheus scrapes each second here: five seconds are what two minutes are to a scrape interval of half a minute.
const LOAD: &str = "sum by (namespace, app) (rate(edge_requests_total[5s]))";
const INTERVAL: Duration = Duration::from_millis(500);
const BOUND: Duration = Duration::from_secs(60);

struct Watching {
    observer: Observer,
    events: mpsc::Receiver<Event>,
    subscriptions: watch::Sender<Arc<[Arc<Subscription>]>>,
    _sources: watch::Sender<Arc<[Arc<SourceConfig>]>>,
}

impl Watching {
    fn start(client: kube::Client, source: SourceConfig, subscriptions: &[Subscription]) -> Self {
        let (sources, sources_seen) = watch::channel(Arc::from(vec![Arc::new(source)]));
        let (subscriptions, subscriptions_seen) = watch::channel(all(subscriptions));
        let (sender, events) = mpsc::channel(1000);
        let feed = Feed {
            sources: sources_seen,
            subscriptions: subscriptions_seen,
            events: sender,
            look_backs: watch::channel(LookBacks::new()).1,
            pasts: mpsc::channel(1).0,
        };
        Self { observer: observe::spawn(feed, client, "default"), events, subscriptions, _sources: sources }
    }

    async fn event(&mut self) -> Event {
        timeout(BOUND, self.events.recv()).await.expect("an event in time").expect("the observer lives")
    }

    /// The first answer to a policy's first signal that `wanted` accepts; what it was before stands in the failure.
    async fn answer(&mut self, what: &str, name: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let mut last = None;
        let found = timeout(BOUND, async {
            loop {
                let Event::Observed(policy, Observation { mut signals, .. }) = self.event().await else { continue };
                let answer = signals.swap_remove(0).load;
                if *policy.name == *name {
                    if wanted(&answer) {
                        return answer;
                    }
                    last = Some(answer);
                }
            }
        });
        found.await.unwrap_or_else(|_| panic!("waited in vain: {what}. Last: {last:?}"))
    }

    async fn sample(&mut self, what: &str, name: &str, wanted: impl Fn(&Sample) -> bool) -> Sample {
        match self.answer(what, name, |answer| matches!(answer, Answer::Value(sample) if wanted(sample))).await {
            Answer::Value(sample) => sample,
            other => panic!("{other:?}"),
        }
    }

    async fn history(&mut self, name: &str) -> Vec<Sample> {
        loop {
            match self.event().await {
                Event::History(policy, 0, samples) if *policy.name == *name => return samples,
                _ => {}
            }
        }
    }
}

fn all(subscriptions: &[Subscription]) -> Arc<[Arc<Subscription>]> {
    subscriptions.iter().cloned().map(Arc::new).collect()
}

/// A client for tests that need no cluster.
fn no_cluster() -> kube::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    kube::Client::try_from(kube::Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap()
}

fn server(url: &str, auth: Auth) -> Kind {
    let url = url.parse().unwrap();
    Kind::Prometheus(Prometheus { url, headers: Vec::new(), parameters: Vec::new(), auth, tls: Tls::default() })
}

fn source(kind: Kind) -> SourceConfig {
    SourceConfig {
        name: "default".into(),
        kind,
        interval: INTERVAL,
        timeout: Duration::from_secs(10),
        body_limit: 16 << 20,
        allowed: Namespaces::All,
        inline: Inline::Allowed { budget: 100, scope: Scope::Everything },
        demands: vec![Demand {
            name: "edge".into(),
            load: Question::PromQl(LOAD.into()),
            backlog: None,
            errors: None,
            labels: TargetLabels { namespace: "namespace".into(), target: "app".into() },
            coverage: Coverage::Evidence,
        }],
        default_demand: Some("edge".into()),
    }
}

fn subscription(name: &str, query: Query) -> Subscription {
    let load = Ask { source: "default".into(), query, coverage: Coverage::Evidence };
    Subscription {
        policy: PolicyKey::new("default", name),
        target: TargetKey::new("default", "deployments.apps", name),
        pods: Some(format!("app={name}").into()),
        signals: vec![SignalAsk { load, backlog: None }],
        errors: None,
        history: Duration::ZERO,
    }
}

fn inline(query: &str) -> Query {
    Query::Inline(Question::PromQl(query.into()))
}

/// Edge proxies that carry `per_second` requests each, for as long as this lives.
struct Traffic {
    edges: Vec<Arc<Exposition>>,
    task: tokio::task::JoinHandle<()>,
}

impl Traffic {
    async fn start(edges: usize, per_second: f64) -> Self {
        let mut all = Vec::new();
        for _ in 0..edges {
            all.push(Arc::new(Exposition::start().await.unwrap()));
        }
        let carried = all.clone();
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            loop {
                ticks.tick().await;
                for edge in &carried {
                    edge.update(|metrics| {
                        let labels = [("namespace", "default"), ("app", "web")];
                        metrics.add("edge_requests_total", &labels, per_second / 10.0);
                        metrics.set("edge_connections", &labels, 7.0);
                    });
                }
            }
        });
        Self { edges: all, task }
    }

    async fn prometheus(&self) -> floorkeeper_rig::Prometheus {
        let edges: Vec<&Exposition> = self.edges.iter().map(|edge| &**edge).collect();
        floorkeeper_rig::Prometheus::start(PrometheusOptions::scraping("edge", &edges)).await.unwrap()
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn complete(sample: &Sample, series: u32) -> bool {
    let Evidence { oldest, series: seen, partial, vouched } = sample.evidence;
    seen == Some(series) && oldest.is_some_and(|age| age < Duration::from_secs(4)) && !partial && !vouched
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_series_show_in_the_evidence_and_not_only_in_the_number() {
    let traffic = Traffic::start(2, 50.0).await;
    let mut prometheus = traffic.prometheus().await;
    let web = subscription("web", Query::Demand(None));
    let mut watching = Watching::start(no_cluster(), source(server(&prometheus.url(), Auth::None)), &[web]);

    let whole = watching.sample("both edges count", "web", |sample| complete(sample, 2) && sample.value > 80.0).await;

    // A target vanishes: the count says so at once, before the sum shrinks with what the range of the rate forgets.
    traffic.edges[0].set_availability(Availability::Refusing);
    let gone = watching.sample("one edge is left", "web", |sample| complete(sample, 1)).await;
    assert!(gone.value > 0.0, "{gone:?} after {whole:?}");
    watching.sample("the sum shrinks", "web", |sample| complete(sample, 1) && sample.value < whole.value * 0.7).await;

    // It is back, and counts again only when it covers the range of the rate.
    traffic.edges[0].set_availability(Availability::Up);
    let back = watching.sample("both edges count again", "web", |sample| complete(sample, 2)).await;
    assert!(back.value > 60.0, "a rate that is not covered was called complete: {back:?}");

    // Prometheus dies, and finds no target when it comes back: old samples are still answered, with their age.
    prometheus.stop();
    watching.answer("nobody answers", "web", |answer| *answer == Answer::Failed(Failure::Unreachable)).await;
    for edge in &traffic.edges {
        edge.set_availability(Availability::Refusing);
    }
    prometheus.resume().await.unwrap();
    let connections = subscription("web", inline("sum(edge_connections)"));
    watching.subscriptions.send_replace(all(&[connections]));
    let aged = Duration::from_secs(6);
    let stale = watching
        .sample("the age grows", "web", |sample| sample.value == 14.0 && sample.evidence.oldest > Some(aged))
        .await;
    assert_eq!(stale.evidence.series, Some(2), "nothing is missing, it is old: {stale:?}");

    // With an empty TSDB there is no number at all, never a zero.
    prometheus.restart(Data::Lost).await.unwrap();
    watching.answer("nothing is known", "web", |answer| *answer == Answer::Empty).await;

    // And when the first samples come, the rate is too small for a while: no evidence until its range is covered.
    watching.subscriptions.send_replace(all(&[subscription("web", Query::Demand(None))]));
    for edge in &traffic.edges {
        edge.set_availability(Availability::Up);
    }
    let first = watching.sample("the first rate", "web", |_| true).await;
    assert_eq!(first.evidence.series, None, "{first:?}");
    let again = watching.sample("complete again", "web", |sample| complete(sample, 2)).await;
    assert!(again.value > 60.0, "{again:?} after {first:?}");
    assert!(watching.observer.health.of("default").unwrap().failures > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_comes_with_its_gaps() {
    let traffic = Traffic::start(1, 50.0).await;
    let prometheus = traffic.prometheus().await;
    let web =
        |history| Subscription { history: Duration::from_secs(history), ..subscription("web", Query::Demand(None)) };
    let mut watching = Watching::start(no_cluster(), source(server(&prometheus.url(), Auth::None)), &[web(0)]);
    watching.sample("the edge counts", "web", |sample| complete(sample, 1)).await;
    traffic.edges[0].set_availability(Availability::Refusing);
    watching.answer("the edge is gone", "web", |answer| *answer == Answer::Empty).await;
    traffic.edges[0].set_availability(Availability::Up);
    let back = watching.sample("the edge counts again", "web", |sample| complete(sample, 1)).await;

    // A policy that is seen for the first time now.
    watching.subscriptions.send_replace(all(&[]));
    let new = Subscription { policy: PolicyKey::new("default", "new"), ..web(120) };
    watching.subscriptions.send_replace(all(&[new]));
    let past = watching.history("new").await;
    assert!(past.is_sorted_by_key(|sample| sample.at));
    let gap = past.windows(2).map(|pair| pair[1].at.since(pair[0].at)).max().unwrap();
    assert!(gap > 3 * INTERVAL, "the outage is a gap: {gap:?}");
    assert!(past.iter().any(|sample| sample.evidence.series.is_none()), "a rate after the gap is not complete");
    assert!(past.iter().any(|sample| sample.at <= back.at && complete(sample, 1)), "what was complete is known to be");
}

/// Every form of query that is sent with evidence is one that Prometheus accepts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_understands_what_is_composed() {
    let traffic = Traffic::start(2, 50.0).await;
    let prometheus = traffic.prometheus().await;
    let queries = [
        ("a", "sum(edge_connections)", Some(2)),
        ("b", "sum(edge_connections) # of all edges", Some(2)),
        ("c", "scalar(sum(edge_connections))", Some(2)),
        ("d", "sum(rate(edge_requests_total[3s] offset 1s)) or vector(0)", Some(2)),
        ("e", "sum(max_over_time(edge_connections{app=~\"w.+\"}[2s])) / 2", Some(2)),
        ("f", "sum(edge_connections) + sum(rate(edge_requests_total[3s]))", Some(1000)),
        ("g", "sum(edge_connections * on (instance) group_left () up{job=\"edge\"})", Some(1000)),
        ("h", "sum(irate({__name__=\"edge_requests_total\"}[3s]))", Some(2)),
        ("i", "topk(1, edge_connections)", Some(2)),
        ("j", "sum(edge_connections) * (hour() >= bool 0)", None),
        ("k", "vector(3)", None),
        ("l", "avg_over_time(sum(edge_connections)[3s:1s])", None),
        ("m", "sum(edge_connections @ end())", None),
    ];
    let subscriptions: Vec<_> = queries.iter().map(|(name, query, _)| subscription(name, inline(query))).collect();
    let mut watching = Watching::start(no_cluster(), source(server(&prometheus.url(), Auth::None)), &subscriptions);
    let mut open: HashMap<&str, Option<u32>> = queries.iter().map(|(name, _, series)| (*name, *series)).collect();
    let mut last = BTreeMap::new();
    let all = timeout(BOUND, async {
        while !open.is_empty() {
            let Event::Observed(policy, observation) = watching.event().await else { continue };
            let answer = observation.signals[0].load.clone();
            assert_ne!(answer, Answer::Failed(Failure::Refused), "{policy}");
            if let Answer::Value(sample) = &answer
                && open.get(&*policy.name) == Some(&sample.evidence.series)
            {
                open.remove(&*policy.name);
            }
            last.insert(policy.name.to_string(), answer);
        }
    });
    assert!(all.await.is_ok(), "no such evidence for {open:?}: {last:?}");
    let health = watching.observer.health.of("default").unwrap();
    assert_eq!(health.failures, 0, "a composed query was refused: {health:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_apis_of_a_cluster() {
    let cluster = Cluster::start(Options::default()).await.unwrap();
    let apis = MetricsApis::start(&cluster).await.unwrap();
    let metric = |name: &str, object: Option<(&str, &str)>| Metric {
        name: name.into(),
        match_labels: BTreeMap::new(),
        object: object.map(|(resource, name)| Object { resource: resource.into(), name: name.into() }),
    };
    let ask = |metric: Metric| subscription("web", Query::Inline(Question::Metric(metric)));

    apis.set_external("default", "queue-web", &[("queue", "a")], 30.0);
    apis.set_external("default", "queue-web", &[("queue", "b")], 12.5);
    let external = ask(metric("queue-{target}", None));
    let mut watching = Watching::start(cluster.client(), source(Kind::External), &[external]);
    let sample = watching.sample("both series are added up", "web", |_| true).await;
    assert_eq!(sample.value, 42.5);
    assert!(sample.evidence.vouched);
    apis.remove_external("default", "queue-web");
    watching
        .answer("no series", "web", |answer| matches!(answer, Answer::Empty | Answer::Failed(Failure::Refused)))
        .await;
    apis.set_behaviour(MetricsApi::External, Behaviour::Failing(503));
    watching.answer("the adapter fails", "web", |answer| *answer == Answer::Failed(Failure::Status(503))).await;

    let service = Described { api_version: "v1", kind: "Service", resource: "services", name: "web" };
    apis.set_custom("default", service, "requests", 17.0);
    let custom = ask(metric("requests", Some(("services", "{target}"))));
    let mut watching = Watching::start(cluster.client(), source(Kind::Custom), &[custom]);
    assert_eq!(watching.sample("the object's value", "web", |_| true).await.value, 17.0);

    cluster.kubectl(["create", "deployment", "web", "--image=web", "--replicas=3"]).await.unwrap();
    apis.set_usage("default", &[("app", "web")], Usage { cpu: 0.25, memory: 1e6 });
    let mut watching = Watching::start(cluster.client(), source(Kind::Resource), &[ask(metric("cpu", None))]);
    let sample = watching.sample("three pods", "web", |sample| sample.evidence.series == Some(3)).await;
    assert_eq!(sample.value, 0.75);
    assert!(sample.evidence.oldest.unwrap() < BOUND && !sample.evidence.vouched);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_changes_is_used_at_once() {
    let cluster = Cluster::start(Options::api_only()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route(
        "/api/v1/query",
        post(|headers: HeaderMap| async move {
            match headers.get("authorization").and_then(|value| value.to_str().ok()) {
                Some("Bearer right") => {
                    r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#.into_response()
                }
                _ => StatusCode::UNAUTHORIZED.into_response(),
            }
        }),
    );
    tokio::spawn(async move { axum::serve(listener, router).await });
    let auth = Auth::Bearer(SecretKey { secret: "mimir".into(), key: "token".into() });
    let web = subscription("web", Query::Demand(None));
    let mut watching = Watching::start(cluster.client(), source(server(&url, auth)), &[web]);
    watching.answer("there is no Secret", "web", |answer| *answer == Answer::Failed(Failure::Unreachable)).await;
    let problem = watching.observer.health.of("default").unwrap().problem.unwrap();
    assert!(problem.contains("mimir") && problem.contains("token"), "{problem}");

    cluster.kubectl(["create", "secret", "generic", "mimir", "--from-literal=token=wrong"]).await.unwrap();
    watching.answer("the token is wrong", "web", |answer| *answer == Answer::Failed(Failure::Status(401))).await;
    let patch = r#"{"stringData":{"token":"right\n"}}"#;
    cluster.kubectl(["patch", "secret", "mimir", "-p", patch]).await.unwrap();
    watching.answer("the token is right", "web", |answer| *answer == Answer::Empty).await;
    assert_eq!(watching.observer.health.of("default").unwrap().problem, None);

    cluster.kubectl(["delete", "secret", "mimir"]).await.unwrap();
    watching.answer("the Secret is gone", "web", |answer| *answer == Answer::Failed(Failure::Unreachable)).await;
    let health = watching.observer.health.clone();
    eventually("the problem is told", BOUND, || {
        let problem = health.of("default").and_then(|health| health.problem);
        async move { problem.ok_or("no problem") }
    })
    .await
    .unwrap();
}

/// The API server is a TLS server with a certificate authority of its own: it turns us away, but over a trusted connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_authority_from_a_secret_is_the_only_one_that_counts() {
    let cluster = Cluster::start(Options::api_only()).await.unwrap();
    let web = subscription("web", Query::Demand(None));
    let unknown = source(server(cluster.server(), Auth::None));
    let mut watching = Watching::start(cluster.client(), unknown.clone(), std::slice::from_ref(&web));
    watching.answer("not trusted", "web", |answer| *answer == Answer::Failed(Failure::Unreachable)).await;
    drop(watching);

    let file = format!("--from-file=ca.crt={}", cluster.ca_file().display());
    cluster.kubectl(["create", "secret", "generic", "authority", &file]).await.unwrap();
    let mut trusted = unknown;
    if let Kind::Prometheus(server) = &mut trusted.kind {
        server.tls.ca = Some(SecretKey { secret: "authority".into(), key: "ca.crt".into() });
    }
    let mut watching = Watching::start(cluster.client(), trusted, &[web]);
    let refused = |answer: &Answer| matches!(answer, Answer::Failed(Failure::Status(401 | 403)));
    watching.answer("trusted", "web", refused).await;
}
