//! The loop of a source against a server that counts, stalls and recovers on order.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "observe/past.rs"]
mod past;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use floorkeeper::observe::{
    self, Ask, Auth, Coverage, Demand, DemandErrors, ErrorAsk, Feed, Inline, Kind, LookBacks, LookedBack, Namespaces,
    Observer, Prometheus, Query, Question, Scope, SignalAsk, SourceConfig, Subscription, TargetLabels, Tls,
};
use floorkeeper_core::{Answer, Event, Failure, Observation, PolicyKey, TargetKey, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

const LOAD: &str = "sum by (namespace, app) (rate(edge_requests_total[2m]))";
const BOUND: Duration = Duration::from_secs(60);

/// A stand-in for Prometheus: knows which workloads have a load, and does as it is told.
#[derive(Default)]
struct Server {
    instant: AtomicUsize,
    range: AtomicUsize,
    queries: Mutex<BTreeMap<String, usize>>,
    /// Namespace and name of each workload in the answer of a shared demand.
    workloads: Vec<(String, String)>,
    /// A query that contains this never gets an answer.
    stall: Mutex<Option<String>>,
    /// The load that is answered, where it is not 12.5.
    load: Mutex<Option<&'static str>>,
    /// What everything else gets.
    refuse: Mutex<Option<StatusCode>>,
}

async fn serve(server: Arc<Server>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/api/v1/{kind}", post(answer)).with_state(server);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn answer(State(server): State<Arc<Server>>, Path(kind): Path<String>, body: Bytes) -> Response {
    let form: HashMap<String, String> = reqwest::Url::parse(&format!("http://x/?{}", String::from_utf8_lossy(&body)))
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect();
    let query = form["query"].clone();
    let range = kind == "query_range";
    if range { &server.range } else { &server.instant }.fetch_add(1, Ordering::SeqCst);
    *server.queries.lock().unwrap().entry(query.clone()).or_default() += 1;
    let stall = server.stall.lock().unwrap().clone();
    if stall.is_some_and(|stall| query.contains(&stall)) {
        std::future::pending::<()>().await;
    }
    if let Some(status) = *server.refuse.lock().unwrap() {
        return status.into_response();
    }
    let mut series = Vec::new();
    let grouped = query.contains("by (namespace, app)");
    let one = [(String::new(), String::new())];
    for (namespace, app) in if grouped { server.workloads.iter() } else { one.iter() } {
        let labels = if grouped { format!(r#""namespace":"{namespace}","app":"{app}","#) } else { String::new() };
        let load = server.load.lock().unwrap().unwrap_or("12.5");
        for (part, value) in [("value", load), ("count0", "3"), ("age0", "1.5")] {
            let points = match range {
                true => format!(r#""values":[[{0},"{value}"],[{1},"{value}"]]"#, form["start"], form["end"]),
                false => format!(r#""value":[1700000000,"{value}"]"#),
            };
            series.push(format!(r#"{{"metric":{{{labels}"floorkeeper_part":"{part}"}},{points}}}"#));
        }
    }
    let kind = if range { "matrix" } else { "vector" };
    let result = series.join(",");
    format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":[{result}]}}}}"#).into_response()
}

struct Rig {
    observer: Observer,
    events: mpsc::Receiver<Event>,
    sources: watch::Sender<Arc<[Arc<SourceConfig>]>>,
    subscriptions: watch::Sender<Arc<[Arc<Subscription>]>>,
    look_backs: watch::Sender<LookBacks>,
    pasts: mpsc::Receiver<LookedBack>,
}

fn start(sources: &[SourceConfig], subscriptions: Vec<Arc<Subscription>>) -> Rig {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = kube::Client::try_from(kube::Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
    let sources: Arc<[_]> = sources.iter().cloned().map(Arc::new).collect();
    let (sources, sources_seen) = watch::channel(sources);
    let (subscriptions, subscriptions_seen) = watch::channel(Arc::from(subscriptions));
    let (sender, events) = mpsc::channel(1000);
    let (look_backs, look_backs_seen) = watch::channel(LookBacks::new());
    let (told, pasts) = mpsc::channel(4);
    let feed = Feed {
        sources: sources_seen,
        subscriptions: subscriptions_seen,
        events: sender,
        look_backs: look_backs_seen,
        pasts: told,
    };
    let observer = observe::spawn(feed, client, "floorkeeper-system");
    Rig { observer, events, sources, subscriptions, look_backs, pasts }
}

fn source(name: &str, url: &str, interval: Duration) -> SourceConfig {
    let promql = |query: &str| Question::PromQl(query.into());
    SourceConfig {
        name: name.into(),
        kind: Kind::Prometheus(Prometheus {
            url: url.parse().unwrap(),
            headers: Vec::new(),
            parameters: Vec::new(),
            auth: Auth::None,
            tls: Tls::default(),
        }),
        interval,
        timeout: interval,
        body_limit: 64 << 20,
        allowed: Namespaces::All,
        inline: Inline::Allowed { budget: 2, scope: Scope::Namespace("namespace".into()) },
        demands: vec![Demand {
            name: "edge".into(),
            load: promql(LOAD),
            backlog: None,
            errors: Some(DemandErrors { failed: promql("sum by (namespace, app) (failed)"), total: promql(LOAD) }),
            labels: TargetLabels { namespace: "namespace".into(), target: "app".into() },
            coverage: Coverage::Evidence,
        }],
        default_demand: Some("edge".into()),
    }
}

fn ask(source: &str, query: Query) -> Ask {
    Ask { source: source.into(), query, coverage: Coverage::Evidence }
}

fn subscription(namespace: &str, name: &str, signals: &[Query]) -> Subscription {
    let signal = |query: &Query| SignalAsk { load: ask("default", query.clone()), backlog: None };
    Subscription {
        policy: PolicyKey::new(namespace, name),
        target: TargetKey::new(namespace, "deployments.apps", name),
        pods: None,
        signals: signals.iter().map(signal).collect(),
        errors: None,
        history: Duration::ZERO,
    }
}

fn inline(query: &str) -> Query {
    Query::Inline(Question::PromQl(query.into()))
}

impl Rig {
    async fn next(&mut self) -> Event {
        timeout(BOUND, self.events.recv()).await.expect("an event in time").expect("the observer lives")
    }

    /// The next observation of a policy that `wanted` accepts.
    async fn observed(&mut self, name: &str, wanted: impl Fn(&Observation) -> bool) -> Observation {
        loop {
            match self.next().await {
                Event::Observed(policy, observation) if *policy.name == *name && wanted(&observation) => {
                    return observation;
                }
                _ => {}
            }
        }
    }
}

fn load(observation: &Observation, signal: usize) -> &Answer {
    &observation.signals[signal].load
}

fn is_value(answer: &Answer) -> bool {
    matches!(answer, Answer::Value(sample) if sample.value == 12.5
        && sample.evidence.series == Some(3)
        && sample.evidence.oldest == Some(Duration::from_millis(1500)))
}

/// However many policies read a shared demand: one request for each of its questions a tick.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_policies_cost_two_requests_a_tick() {
    const POLICIES: usize = 10_000;
    let name = |number: usize| (format!("team-{}", number % 100), format!("app-{number}"));
    let server = Arc::new(Server { workloads: (0..POLICIES).map(name).collect(), ..Server::default() });
    let url = serve(Arc::clone(&server)).await;
    let subscriptions = (0..POLICIES).map(|number| {
        let (namespace, name) = name(number);
        let mut policy = subscription(&namespace, &name, &[Query::Demand(None)]);
        let errors = |query| ask("default", query);
        policy.errors =
            Some(ErrorAsk { failed: errors(Query::DemandFailed(None)), total: errors(Query::DemandTotal(None)) });
        policy.history = Duration::from_secs(60);
        Arc::new(policy)
    });
    let mut rig = start(&[source("default", &url, Duration::from_secs(300))], subscriptions.collect());
    let mut seen = std::collections::HashSet::new();
    let mut pasts = std::collections::HashSet::new();
    while seen.len() < POLICIES || pasts.len() < POLICIES {
        match rig.next().await {
            Event::Observed(policy, observation) => {
                assert!(is_value(load(&observation, 0)), "{observation:?}");
                let errors = observation.errors.unwrap();
                assert!(is_value(&errors.failed) && is_value(&errors.total));
                seen.insert(policy);
            }
            Event::History(policy, 0, samples) => {
                assert_eq!(samples.len(), 2);
                pasts.insert(policy);
            }
            other => panic!("{other:?}"),
        }
    }
    // The total is the load: the same question is asked once.
    assert_eq!(server.instant.load(Ordering::SeqCst), 2, "{:?}", server.queries.lock().unwrap());
    assert_eq!(server.range.load(Ordering::SeqCst), 1);
    let health = rig.observer.health.of("default").unwrap();
    assert_eq!((health.queries, health.policies, health.failures), (2, POLICIES, 0));
}

#[tokio::test]
async fn a_slow_question_delays_nobody_else() {
    let server = Arc::new(Server { workloads: vec![("shop".to_owned(), "web".to_owned())], ..Server::default() });
    *server.stall.lock().unwrap() = Some("slow_metric".to_owned());
    let url = serve(server).await;
    let subscriptions = vec![
        Arc::new(subscription("shop", "web", &[Query::Demand(None)])),
        Arc::new(subscription("shop", "stuck", &[inline("slow_metric")])),
    ];
    let mut rig = start(&[source("default", &url, Duration::from_millis(1500))], subscriptions);
    // Two rounds of the fast one before the slow one is given up: it never waits for the timeout.
    let mut order = Vec::new();
    while order.iter().filter(|name| *name == "stuck").count() < 1 {
        let Event::Observed(policy, observation) = rig.next().await else { panic!("an observation") };
        let slow = *policy.name == *"stuck";
        match load(&observation, 0) {
            Answer::Failed(failure) => assert!(slow && *failure == Failure::Timeout),
            answer => assert!(!slow && is_value(answer)),
        }
        order.push(policy.name.to_string());
    }
    assert_eq!(order[0], "web");
}

#[tokio::test]
async fn a_policys_fast_signal_is_told_with_the_last_answer_of_the_slow_one() {
    let server = Arc::new(Server { workloads: vec![("shop".to_owned(), "web".to_owned())], ..Server::default() });
    let url = serve(Arc::clone(&server)).await;
    let policy = subscription("shop", "web", &[Query::Demand(None), inline("slow_metric")]);
    let mut rig = start(&[source("default", &url, Duration::from_secs(2))], vec![Arc::new(policy)]);
    rig.observed("web", |seen| is_value(load(seen, 1))).await;
    *server.stall.lock().unwrap() = Some("slow_metric".to_owned());
    *server.load.lock().unwrap() = Some("99");
    // The grace is half a second here, the timeout two: first the old answer of the slow one, then its failure.
    let rises = |seen: &Observation| matches!(load(seen, 0), Answer::Value(sample) if sample.value == 99.0);
    let risen = rig.observed("web", rises).await;
    assert!(is_value(load(&risen, 1)), "{risen:?}");
    let late = rig.observed("web", |seen| !is_value(load(seen, 1))).await;
    assert_eq!(*load(&late, 1), Answer::Failed(Failure::Timeout));
}

#[tokio::test]
async fn inline_queries_are_confined_and_budgeted() {
    let server = Arc::new(Server::default());
    let url = serve(Arc::clone(&server)).await;
    let subscriptions = vec![
        Arc::new(subscription("shop", "a", &[inline("sum(x)")])),
        Arc::new(subscription("shop", "b", &[inline("sum(y)")])),
        Arc::new(subscription("shop", "c", &[inline("sum(x)")])),
        Arc::new(subscription("shop", "d", &[inline("sum(z)")])),
        Arc::new(subscription("bank", "e", &[inline("sum(z)")])),
        Arc::new(subscription("bank", "f", &[inline("info(z)")])),
        Arc::new(subscription("other", "g", &[inline("sum(z)")])),
    ];
    let mut config = source("default", &url, Duration::from_secs(300));
    config.allowed = Namespaces::Only(["shop".into(), "ba*".into()].into());
    let mut rig = start(&[config], subscriptions);
    let mut answers = BTreeMap::new();
    while answers.len() < 7 {
        let Event::Observed(policy, observation) = rig.next().await else { panic!("an observation") };
        answers.insert(policy.name.to_string(), load(&observation, 0).clone());
    }
    for name in ["a", "b", "c", "e"] {
        assert!(is_value(&answers[name]), "{name}: {:?}", answers[name]);
    }
    assert_eq!(answers["d"], Answer::Failed(Failure::NotAllowed), "over the budget");
    assert_eq!(answers["f"], Answer::Failed(Failure::Refused), "can't be confined");
    assert_eq!(answers["g"], Answer::Failed(Failure::NotAllowed), "not an allowed namespace");
    let queries = server.queries.lock().unwrap();
    assert_eq!(queries.values().sum::<usize>(), 3, "{queries:?}");
    for query in queries.keys() {
        assert!(query.contains(r#"{namespace="shop"}"#) || query.contains(r#"{namespace="bank"}"#), "{query}");
    }
}

#[tokio::test]
async fn a_source_or_demand_that_does_not_exist_answers_too() {
    let server = Arc::new(Server::default());
    let url = serve(server).await;
    let mut nowhere = subscription("shop", "nowhere", &[Query::Demand(None)]);
    nowhere.signals[0].load.source = "typo".into();
    let subscriptions = vec![
        Arc::new(nowhere),
        Arc::new(subscription("shop", "nothing", &[Query::Demand(Some("typo".into()))])),
        Arc::new(subscription("shop", "unseen", &[Query::Demand(None)])),
    ];
    let mut rig = start(&[source("default", &url, Duration::from_secs(300))], subscriptions);
    let mut answers = BTreeMap::new();
    while answers.len() < 3 {
        let Event::Observed(policy, observation) = rig.next().await else { panic!("an observation") };
        answers.insert(policy.name.to_string(), load(&observation, 0).clone());
    }
    assert_eq!(answers["nowhere"], Answer::Failed(Failure::NotAllowed));
    assert_eq!(answers["nothing"], Answer::Failed(Failure::NotAllowed));
    assert_eq!(answers["unseen"], Answer::Empty);
}

#[tokio::test]
async fn a_new_policy_is_heard_before_the_next_tick_and_an_edit_too() {
    let workloads = ["web", "api"].map(|name| ("shop".to_owned(), name.to_owned())).to_vec();
    let server = Arc::new(Server { workloads, ..Server::default() });
    let url = serve(server).await;
    let web = Arc::new(subscription("shop", "web", &[Query::Demand(None)]));
    let mut rig = start(&[source("default", &url, Duration::from_secs(3600))], vec![Arc::clone(&web)]);
    rig.observed("web", |seen| is_value(load(seen, 0))).await;
    let api = Arc::new(subscription("shop", "api", &[Query::Demand(None)]));
    rig.subscriptions.send_replace(Arc::from(vec![Arc::clone(&web), Arc::clone(&api)]));
    rig.observed("api", |seen| is_value(load(seen, 0))).await;
    let edited = Arc::new(subscription("shop", "web", &[Query::Demand(None), inline("queue_depth")]));
    rig.subscriptions.send_replace(Arc::from(vec![edited, api]));
    rig.observed("web", |seen| seen.signals.len() == 2 && is_value(load(seen, 1))).await;
}

#[tokio::test]
async fn the_past_is_asked_for_at_first_sight_and_when_the_source_is_back() {
    let server = Arc::new(Server { workloads: vec![("shop".to_owned(), "web".to_owned())], ..Server::default() });
    let url = serve(Arc::clone(&server)).await;
    let mut policy = subscription("shop", "web", &[Query::Demand(None)]);
    policy.history = Duration::from_secs(600);
    let mut rig = start(&[source("default", &url, Duration::from_millis(200))], vec![Arc::new(policy)]);
    let history = |event: Event| match event {
        Event::History(_, signal, samples) => Some((signal, samples)),
        _ => None,
    };
    let (signal, samples) = loop {
        if let Some(history) = history(rig.next().await) {
            break history;
        }
    };
    assert_eq!((signal, samples.len()), (0, 2));
    assert!(is_value(&Answer::Value(samples[0])));
    assert_eq!(samples[1].at.since(samples[0].at), Duration::from_secs(600));
    *server.refuse.lock().unwrap() = Some(StatusCode::SERVICE_UNAVAILABLE);
    let failed = Answer::Failed(Failure::Status(503));
    for _ in 0..3 {
        rig.observed("web", |seen| *load(seen, 0) == failed).await;
    }
    let asked = server.range.load(Ordering::SeqCst);
    assert_eq!(asked, 1, "the past is not asked for again while nothing is new");
    *server.refuse.lock().unwrap() = None;
    while history(rig.next().await).is_none() {}
    assert_eq!(server.range.load(Ordering::SeqCst), asked + 1);
    let health = rig.observer.health.of("default").unwrap();
    assert!(health.failures >= 3 && health.last_success > health.last_failure.map(|(at, _)| at));
}

#[tokio::test]
async fn a_source_that_refuses_the_evidence_still_gives_its_number() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let bare = |body: String| async move {
        if body.contains("floorkeeper_part") {
            let error = r#"{"status":"error","errorType":"execution","error":"too many chunks"}"#;
            return (StatusCode::UNPROCESSABLE_ENTITY, error).into_response();
        }
        let series = r#"{"metric":{"namespace":"shop","app":"web"},"value":[1700000000,"7"]}"#;
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}"#).into_response()
    };
    let router = Router::new().route("/api/v1/query", post(bare));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let policy = subscription("shop", "web", &[Query::Demand(None)]);
    let mut rig = start(&[source("default", &url, Duration::from_secs(300))], vec![Arc::new(policy)]);
    let seen = rig.observed("web", |_| true).await;
    let Answer::Value(sample) = load(&seen, 0) else { panic!("{seen:?}") };
    assert_eq!((sample.value, sample.evidence), (7.0, floorkeeper_core::Evidence::default()));
}

#[tokio::test]
async fn a_source_that_changes_is_asked_where_it_is_now() {
    let workloads = vec![("shop".to_owned(), "web".to_owned())];
    let server = Arc::new(Server { workloads, ..Server::default() });
    let url = serve(server).await;
    let policy = Arc::new(subscription("shop", "web", &[Query::Demand(None)]));
    let interval = Duration::from_millis(300);
    let mut rig = start(&[source("default", "http://127.0.0.1:1", interval)], vec![policy]);
    rig.observed("web", |seen| *load(seen, 0) == Answer::Failed(Failure::Unreachable)).await;
    rig.sources.send_replace(Arc::from(vec![Arc::new(source("default", &url, interval))]));
    rig.observed("web", |seen| is_value(load(seen, 0))).await;
    rig.sources.send_replace(Arc::from(Vec::new()));
    rig.observed("web", |seen| *load(seen, 0) == Answer::Failed(Failure::NotAllowed)).await;
    assert_eq!(rig.observer.health.of("default"), None);
}
