//! Which requests one tick of a source makes, and who reads each answer.
//!
//! Equal questions are asked once: a shared demand is one request for every policy that reads it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use floorkeeper_core::{Answer, Failure};

use super::config::{Coverage, Demand, Inline, Kind, Metric, Question, Scope, SourceConfig, TargetLabels};
use super::evidence::{Composed, Key};
use super::fullness::Fullness;
use super::metrics_api::MetricRequest;
use super::promql::{Parsed, Unclear};
use super::reply::Reply;
use super::subscription::{Query, Subscription};

/// The requests of a tick.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) requests: Vec<Arc<Planned>>,
    /// Questions that are not asked, and why.
    pub(super) refused: Vec<(Reader, Failure)>,
}

/// One request and its readers.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) request: Arc<Request>,
    pub(super) readers: Vec<Reader>,
}

/// What is sent, and what is remembered of its answers.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "each is behind an Arc")]
pub(super) enum Request {
    PromQl { composed: Composed, fullness: Memory },
    Metric(MetricRequest),
}

/// The fullness of each workload in the answers of one query.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<HashMap<Workload, Fullness>>);

/// Namespace and name, as in [`Key`].
type Workload = (Box<str>, Box<str>);

/// Whose question it is.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) subscription: Arc<Subscription>,
    /// Place of the question in `Subscription::asks`.
    pub(super) place: usize,
    vouched: bool,
    /// The answer is one of many in a grouped one.
    grouped: bool,
}

/// What makes two questions equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Identity {
    PromQl { query: Arc<str>, by: Option<TargetLabels>, namespace: Option<Arc<str>> },
    Metric(MetricRequest),
}

/// Plans of one source, one after the other; what was read of a query is kept while it is used.
#[derive(Debug, Default)]
pub(super) struct Planner {
    known: HashMap<Identity, Result<Arc<Request>, Failure>>,
}

impl Planner {
    /// The plan for what `subscriptions` ask of the source.
    pub(super) fn plan(&mut self, config: &SourceConfig, subscriptions: &[Arc<Subscription>]) -> Plan {
        let mut plan = Plan::default();
        let mut readers: BTreeMap<Identity, Vec<Reader>> = BTreeMap::new();
        let mut inline: HashMap<Arc<str>, BTreeSet<Question>> = HashMap::new();
        let mut ordered: Vec<&Arc<Subscription>> = subscriptions.iter().collect();
        ordered.sort_by(|a, b| a.policy.cmp(&b.policy));
        for subscription in ordered {
            for (place, ask) in subscription.asks().enumerate().filter(|(_, ask)| ask.source == config.name) {
                let mut reader = Reader::at(subscription, place);
                reader.vouched = ask.coverage == Coverage::Vouched;
                let spent = inline.entry(Arc::clone(&subscription.policy.namespace)).or_default();
                match identify(config, &mut reader, &ask.query, spent) {
                    Some(identity) => readers.entry(identity).or_default().push(reader),
                    None => plan.refused.push((reader, Failure::NotAllowed)),
                }
            }
        }
        self.known.retain(|identity, _| readers.contains_key(identity));
        // Shared questions first: the more readers, the sooner.
        let mut readers: Vec<_> = readers.into_iter().collect();
        readers.sort_by_key(|(_, readers)| core::cmp::Reverse(readers.len()));
        for (identity, readers) in readers {
            let scope = match &config.inline {
                Inline::Allowed { scope: Scope::Namespace(label), .. } => Some(label),
                Inline::Allowed { scope: Scope::Everything, .. } | Inline::Forbidden => None,
            };
            let request = self.known.entry(identity).or_insert_with_key(|identity| prepare(identity, scope));
            match request {
                Ok(request) => plan.requests.push(Arc::new(Planned { request: Arc::clone(request), readers })),
                Err(failure) => plan.refused.extend(readers.into_iter().map(|reader| (reader, *failure))),
            }
        }
        plan
    }
}

impl Planned {
    /// The answer of each reader, in their order, from the answer to an instant query.
    pub(super) fn answers(&self, composed: &Composed, memory: &Memory, reply: &Reply<'_>) -> Vec<Answer> {
        let rows = composed.rows(reply);
        if !composed.needs_memory() {
            let answer = |reader: &Reader| {
                composed.answer(rows.get(&reader.key()), reply.partial, reader.vouched, &mut Fullness::default())
            };
            return self.readers.iter().map(answer).collect();
        }
        let mut memory = memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = reply.series.iter().flat_map(|series| &series.points).map(|point| point.at).max();
        memory.retain(|_, fullness| !fullness.is_idle(newest.unwrap_or_default()));
        let answer = |reader: &Reader| {
            let key = reader.key();
            let fullness = memory.entry((key.0.into(), key.1.into())).or_default();
            composed.answer(rows.get(&key), reply.partial, reader.vouched, fullness)
        };
        self.readers.iter().map(answer).collect()
    }
}

impl Memory {
    /// Puts what the past of a workload told under what the present does.
    pub(super) fn learn(&self, key: Key<'_>, fullness: Fullness) {
        if fullness != Fullness::default() {
            let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            memory.insert((key.0.into(), key.1.into()), fullness);
        }
    }
}

impl Reader {
    /// Of a question that is asked for its reader alone.
    pub(super) fn at(subscription: &Arc<Subscription>, place: usize) -> Self {
        Self { subscription: Arc::clone(subscription), place, vouched: false, grouped: false }
    }

    /// Where this reader's number stands in an answer.
    pub(super) fn key(&self) -> Key<'_> {
        if self.grouped { (&self.subscription.policy.namespace, &self.subscription.target.name) } else { ("", "") }
    }

    /// Whether somebody vouches for completeness.
    pub(super) fn vouched(&self) -> bool {
        self.vouched
    }
}

/// What is asked in the end; `None` where it may not be.
fn identify(
    config: &SourceConfig,
    reader: &mut Reader,
    query: &Query,
    spent: &mut BTreeSet<Question>,
) -> Option<Identity> {
    let namespace = &reader.subscription.policy.namespace;
    if !config.allowed.allow(namespace) {
        return None;
    }
    let shared = |name: &Option<Arc<str>>, choose: fn(&Demand) -> Option<&Question>| {
        let demand = config.demand(name.as_deref())?;
        Some((demand, choose(demand)?))
    };
    let (demand, question) = match query {
        Query::Demand(name) => shared(name, |demand| Some(&demand.load))?,
        Query::DemandBacklog(name) => shared(name, |demand| demand.backlog.as_ref())?,
        Query::DemandFailed(name) => shared(name, |demand| demand.errors.as_ref().map(|errors| &errors.failed))?,
        Query::DemandTotal(name) => shared(name, |demand| demand.errors.as_ref().map(|errors| &errors.total))?,
        Query::Inline(question) => {
            let Inline::Allowed { budget, scope } = &config.inline else { return None };
            if !spent.contains(question) && spent.len() >= *budget {
                return None;
            }
            spent.insert(question.clone());
            return match (&config.kind, question) {
                (Kind::Prometheus(_), Question::PromQl(query)) => Some(Identity::PromQl {
                    query: Arc::clone(query),
                    by: None,
                    namespace: match scope {
                        Scope::Namespace(_) => Some(Arc::clone(namespace)),
                        Scope::Everything => None,
                    },
                }),
                (_, Question::Metric(metric)) => asked(config, metric, reader),
                (Kind::External | Kind::Custom | Kind::Resource, Question::PromQl(_)) => None,
            };
        }
    };
    reader.vouched |= demand.coverage == Coverage::Vouched;
    match (&config.kind, question) {
        (Kind::Prometheus(_), Question::PromQl(query)) => {
            reader.grouped = true;
            Some(Identity::PromQl { query: Arc::clone(query), by: Some(demand.labels.clone()), namespace: None })
        }
        (_, Question::Metric(metric)) => asked(config, metric, reader),
        (Kind::External | Kind::Custom | Kind::Resource, Question::PromQl(_)) => None,
    }
}

fn asked(config: &SourceConfig, metric: &Metric, reader: &Reader) -> Option<Identity> {
    MetricRequest::new(&config.kind, metric, &reader.subscription).map(Identity::Metric)
}

fn prepare(identity: &Identity, scope: Option<&Arc<str>>) -> Result<Arc<Request>, Failure> {
    let refused = |_: Unclear| Failure::Refused;
    let composed = match identity {
        Identity::Metric(request) => return Ok(Arc::new(Request::Metric(request.clone()))),
        Identity::PromQl { query, by, namespace: None } => Composed::new(query, by.as_ref()).map_err(refused)?,
        Identity::PromQl { query, by, namespace: Some(namespace) } => {
            let label = scope.ok_or(Failure::NotAllowed)?;
            let confined =
                Parsed::new(query).and_then(|parsed| parsed.confined(label, &[namespace])).map_err(refused)?;
            Composed::of(&confined.to_string(), confined, by.as_ref())
        }
    };
    Ok(Arc::new(Request::PromQl { composed, fullness: Memory::default() }))
}
