use super::super::config::{
    Coverage, Demand, Inline, Kind, Metric, Namespaces, Prometheus, Question, Scope, SourceConfig, TargetLabels,
};
use super::super::plan::Planner;
use super::super::subscription::{Ask, Query, SignalAsk};
use super::*;

const NOON: Timestamp = Timestamp(1_709_640_000_000);
const FROM: Timestamp = Timestamp(1_708_430_400_000);

fn source(kind: Kind) -> SourceConfig {
    let labels = TargetLabels { namespace: "namespace".into(), target: "app".into() };
    let load = match kind {
        Kind::Prometheus(_) => Question::PromQl("sum by (namespace, app) (load)".into()),
        Kind::External | Kind::Custom | Kind::Resource => {
            Question::Metric(Metric { name: "load".into(), match_labels: BTreeMap::new(), object: None })
        }
    };
    SourceConfig {
        name: "default".into(),
        kind,
        interval: Duration::from_secs(15),
        timeout: Duration::from_secs(10),
        body_limit: 1 << 20,
        allowed: Namespaces::All,
        inline: Inline::Allowed { budget: 100, scope: Scope::Everything },
        demands: vec![Demand {
            name: "edge".into(),
            load,
            backlog: None,
            errors: None,
            labels,
            coverage: Coverage::Evidence,
        }],
        default_demand: Some("edge".into()),
    }
}

fn prometheus() -> Kind {
    Kind::Prometheus(Prometheus {
        url: "http://localhost:9090".parse().unwrap(),
        headers: Vec::new(),
        parameters: Vec::new(),
        auth: Default::default(),
        tls: Default::default(),
    })
}

fn asking(name: &str, signals: &[(&str, Query)]) -> Arc<Subscription> {
    let ask = |(source, query): &(&str, Query)| SignalAsk {
        load: Ask { source: (*source).into(), query: query.clone(), coverage: Coverage::Evidence },
        backlog: None,
    };
    Arc::new(Subscription {
        policy: PolicyKey::new("shop", name),
        target: floorkeeper_core::TargetKey::new("shop", "deployments.apps", name),
        pods: None,
        signals: signals.iter().map(ask).collect(),
        errors: None,
        history: Duration::from_secs(3600),
    })
}

fn edge() -> (&'static str, Query) {
    ("default", Query::Demand(None))
}

fn all(policies: &[Arc<Subscription>]) -> LookBacks {
    policies.iter().map(|one| (one.policy.clone(), FROM)).collect()
}

fn names(next: &Next) -> Vec<String> {
    let policies = next.party.iter().flat_map(|party| &party.policies);
    policies.map(|one| one.policy.name.to_string()).collect()
}

#[test]
fn a_few_at_a_time_that_read_the_same_and_each_once() {
    let own = ("default", Query::Inline(Question::PromQl("sum(orders)".into())));
    let mut policies: Vec<_> = (0..20).map(|i| asking(&format!("p{i:02}"), &[edge()])).collect();
    policies.push(asking("p05-orders", &[edge(), own]));
    let plan = Planner::default().plan(&source(prometheus()), &policies);
    let (mut looks, wanted) = (LookBack::default(), all(&policies));
    let first = looks.next(&plan, &wanted, NOON);
    assert_eq!(names(&first), (0..16).map(|i| format!("p{i:02}")).collect::<Vec<_>>());
    let second = looks.next(&plan, &wanted, NOON);
    assert_eq!(names(&second), ["p05-orders"], "the next by name; nobody else asks these two questions");
    assert_eq!(second.party.as_ref().unwrap().requests.len(), 2);
    assert_eq!(names(&looks.next(&plan, &wanted, NOON)), ["p16", "p17", "p18", "p19"]);
    assert!(looks.next(&plan, &wanted, NOON).party.is_none());

    looks.told(&first.party.unwrap().policies.iter().map(|one| one.policy.clone()).collect::<Vec<_>>());
    let later = NOON.plus(FIRST_PAUSE);
    assert_eq!(names(&looks.next(&plan, &wanted, later)), ["p05-orders"], "what failed is asked again after a pause");
    assert_eq!(names(&looks.next(&plan, &wanted, later)).len(), 4);
    assert!(looks.next(&plan, &wanted, later.plus(FIRST_PAUSE)).party.is_none(), "and then after a longer one");
    let mut anew = wanted.clone();
    anew.insert(policies[0].policy.clone(), NOON);
    assert_eq!(names(&looks.next(&plan, &anew, later)), ["p00"], "another past is wanted");
}

#[test]
fn what_a_metrics_api_tells_has_no_past() {
    let policies = [asking("web", &[edge()])];
    let plan = Planner::default().plan(&source(Kind::External), &policies);
    let next = LookBack::default().next(&plan, &all(&policies), NOON);
    assert!(next.party.is_none());
    let past = Err(NoPast::NotKept { signal: 0 });
    assert_eq!(next.without, [LookedBack { policy: policies[0].policy.clone(), from: FROM, past }]);
}

#[test]
fn a_past_of_several_sources_is_told_when_it_is_whole() {
    let policy = asking("web", &[edge(), ("other", Query::Demand(None))]);
    let parts = Parts::default();
    let sample = |value| Sample { value, at: NOON, evidence: Default::default() };
    assert_eq!(parts.put(&policy, FROM, vec![(1, vec![sample(2.0)])]), None);
    assert_eq!(parts.put(&policy, NOON, vec![(0, vec![sample(1.0)])]), None, "of another time");
    assert_eq!(parts.put(&policy, NOON, vec![(1, Vec::new())]), Some(vec![vec![sample(1.0)], Vec::new()]));
    parts.put(&policy, FROM, vec![(1, vec![sample(2.0)])]);
    parts.retain(&LookBacks::new());
    assert_eq!(parts.put(&policy, FROM, vec![(0, vec![sample(1.0)])]), None, "what nobody wants is dropped");
}
