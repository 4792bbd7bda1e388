//! The loop of one source: ask, hand on, wait; never later than the next tick.
//!
//! Requests of a tick run side by side, a few at a time, each with its own timeout; what is not answered when the next
//! tick is due counts as a timeout, and a tick that comes too late is left out. No slow question delays another policy.

use core::time::Duration;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::SystemTime;

use floorkeeper_core::{Answer, Event, Failure, PolicyKey, Timestamp};
use futures::{StreamExt, stream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::backfill::{self, Backfill, Outcome};
use super::board::Board;
use super::config::{Kind, SourceConfig};
use super::credentials::{self, Secrets};
use super::evidence::Composed;
use super::health::HealthBoard;
use super::lookback::{LookBack, LookBacks, LookedBack, Parts};
use super::plan::{Memory, Plan, Planned, Planner, Reader, Request};
use super::prometheus::Client;
use super::reply;
use super::subscription::Subscription;

/// Everything that a source's loop lives on.
pub(super) struct Source {
    pub(super) config: Arc<SourceConfig>,
    pub(super) cluster: kube::Client,
    pub(super) board: Board,
    pub(super) health: HealthBoard,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) look_backs: watch::Receiver<LookBacks>,
    pub(super) pasts: mpsc::Sender<LookedBack>,
    pub(super) parts: Parts,
    pub(super) subscriptions: watch::Receiver<Arc<[Arc<Subscription>]>>,
    pub(super) secrets: watch::Receiver<Secrets>,
}

/// What changes from tick to tick.
#[derive(Default)]
struct State {
    planner: Planner,
    plan: Plan,
    /// `None`: it can't be built, the health says why. Without use for the metrics APIs.
    client: Option<Arc<Client>>,
    backfill: Backfill,
    look_back: LookBack,
    /// Ticks in a row that a request got no answer.
    away: HashMap<usize, u32>,
    /// Where the last tick was cut off: the next one begins there.
    first: usize,
}

/// What came of one request.
struct Exchange {
    planned: Arc<Planned>,
    answers: Result<Vec<Answer>, Failure>,
}

impl Source {
    /// Runs until nobody listens any more.
    pub(super) async fn run(mut self) {
        self.await_secrets().await;
        let mut state = State { client: self.connect(), ..State::default() };
        self.replan(&mut state);
        tokio::time::sleep(phase(&self.config)).await;
        let mut ticks = tokio::time::interval(self.config.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut last: Option<Instant> = None;
        let mut followed = true;
        let mut past: tokio::task::JoinSet<Vec<Outcome>> = tokio::task::JoinSet::new();
        let mut far: tokio::task::JoinSet<Vec<PolicyKey>> = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                due = ticks.tick() => {
                    self.count_skipped(last.replace(due), due);
                    if self.subscriptions.has_changed().unwrap_or(false) {
                        self.replan(&mut state);
                    }
                    self.round(&mut state, None).await;
                    if past.is_empty() {
                        self.look_back(&mut state, &mut past);
                    }
                    // The window first: the next decisions need it.
                    if past.is_empty() && far.is_empty() {
                        self.look_far_back(&mut state, &mut far);
                    }
                }
                changed = self.subscriptions.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // Changes come in bursts: one round for all of them.
                    tokio::time::sleep(SETTLE.min(self.config.interval)).await;
                    let new = self.replan(&mut state);
                    if !new.is_empty() {
                        self.round(&mut state, Some(&new)).await;
                    }
                }
                changed = self.secrets.changed(), if followed => match changed {
                    Ok(()) => state.client = self.connect(),
                    // There is nothing to watch, the sender is gone for good.
                    Err(_) => followed = false,
                },
                Some(outcomes) = past.join_next() => state.backfill.finished(outcomes.unwrap_or_default()),
                Some(told) = far.join_next() => {
                    state.look_back.told(&told.unwrap_or_default());
                    self.look_far_back(&mut state, &mut far);
                }
                () = self.events.closed() => return,
            }
        }
    }

    /// A first tick without credentials would fail for nothing: their watch needs a moment.
    async fn await_secrets(&mut self) {
        let names = credentials::named(&self.config);
        let complete = self.secrets.wait_for(|secrets| names.iter().all(|name| secrets.has(name)));
        let _ = tokio::time::timeout(SECRETS_WITHIN, complete).await;
    }

    fn connect(&mut self) -> Option<Arc<Client>> {
        let Kind::Prometheus(server) = &self.config.kind else { return None };
        let built = Client::new(server, &self.secrets.borrow_and_update(), self.config.timeout, self.config.body_limit);
        let problem = built.as_ref().err().map(ToString::to_string);
        if let Some(problem) = &problem {
            tracing::warn!(source = &*self.config.name, problem, "MetricSource can't be asked");
        }
        self.health.update(&self.config.name, |health| health.problem = problem);
        built.ok().map(Arc::new)
    }

    /// Plans for what is asked now. Returns the policies that ask for the first time, or something else.
    fn replan(&mut self, state: &mut State) -> HashSet<PolicyKey> {
        let subscriptions = Arc::clone(&self.subscriptions.borrow_and_update());
        state.plan = state.planner.plan(&self.config, &subscriptions);
        let live: HashSet<usize> = state.plan.requests.iter().map(|planned| identity(planned)).collect();
        state.away.retain(|request, _| live.contains(request));
        let name = &self.config.name;
        let reading = subscriptions.iter().filter(|one| one.asks().any(|ask| ask.source == *name)).count();
        self.health.update(name, |health| {
            health.queries = state.plan.requests.len();
            health.policies = reading;
        });
        state.backfill.sync(name, &subscriptions)
    }

    /// Asks everything once, or only what these policies ask.
    async fn round(&self, state: &mut State, only: Option<&HashSet<PolicyKey>>) {
        let (started, now) = (Instant::now(), clock());
        let (requests, refused) = choose(&state.plan, only, state.first);
        let readers = requests.iter().flat_map(|planned| &planned.readers);
        self.board.begin(&self.config.name, readers.chain(refused.iter().map(|(reader, _)| reader)));
        let denied = refused.into_iter().map(|(reader, failure)| (reader, Answer::Failed(failure)));
        self.tell(self.board.put(&self.config.name, denied)).await;

        let mut open: Vec<Option<Arc<Planned>>> = requests.iter().cloned().map(Some).collect();
        let client = state.client.clone();
        let asked = requests.into_iter().enumerate().map(|(place, planned)| {
            let client = client.clone();
            async move { (place, self.ask(client, planned, now).await) }
        });
        let mut asked = stream::iter(asked).buffer_unordered(CONCURRENCY);
        let grace = tokio::time::sleep(GRACE.min(self.config.interval / 4));
        let deadline = tokio::time::sleep_until(started + self.config.interval.max(self.config.timeout));
        tokio::pin!(grace, deadline);
        let mut hurried = false;
        loop {
            tokio::select! {
                next = asked.next() => match next {
                    Some((place, exchange)) => {
                        if let Some(answered) = open.get_mut(place) {
                            *answered = None;
                        }
                        self.deliver(exchange, state).await;
                    }
                    None => break,
                },
                () = &mut grace, if !hurried => {
                    hurried = true;
                    self.tell(self.board.hurry(&self.config.name)).await;
                }
                () = &mut deadline => break,
            }
        }
        drop(asked);
        state.first = open.iter().position(Option::is_some).unwrap_or(0);
        for planned in open.into_iter().flatten() {
            self.deliver(Exchange { planned, answers: Err(Failure::Timeout) }, state).await;
        }
        let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.health.update(&self.config.name, |health| health.tick_ms = took);
    }

    async fn deliver(&self, exchange: Exchange, state: &mut State) {
        let Exchange { planned, answers } = exchange;
        let away = state.away.entry(identity(&planned)).or_default();
        let answers = match answers {
            Ok(answers) => {
                // What was missed meanwhile may be known to the source.
                if std::mem::take(away) >= AWAY {
                    state.backfill.again(&planned.readers);
                }
                answers
            }
            Err(failure) => {
                *away = away.saturating_add(1);
                vec![Answer::Failed(failure); planned.readers.len()]
            }
        };
        let answers = planned.readers.iter().cloned().zip(answers);
        self.tell(self.board.put(&self.config.name, answers)).await;
    }

    async fn tell(&self, events: Vec<Event>) {
        for event in events {
            // Nobody listens any more: the loop ends at its next turn.
            if self.events.send(event).await.is_err() {
                return;
            }
        }
    }

    async fn ask(&self, client: Option<Arc<Client>>, planned: Arc<Planned>, now: Timestamp) -> Exchange {
        let answers = match (&*planned.request, client) {
            (Request::PromQl { composed, fullness }, Some(client)) => {
                match self.question(&client, &planned, composed, fullness).await {
                    // The source may be too small or too old for the evidence: its bare number can still raise.
                    Err(Failure::Refused) if composed.plain.is_some() => {
                        self.question(&client, &planned, &composed.alone(), fullness).await
                    }
                    answers => answers,
                }
            }
            (Request::PromQl { .. }, None) => Err(Failure::Unreachable),
            (Request::Metric(request), _) => {
                let answer = request.ask(&self.cluster, self.config.timeout, self.config.body_limit, now).await;
                self.note(answer.as_ref().err().copied());
                answer.map(|answer| vec![answer; planned.readers.len()])
            }
        };
        Exchange { planned, answers }
    }

    async fn question(
        &self,
        client: &Client,
        planned: &Planned,
        composed: &Composed,
        memory: &Memory,
    ) -> Result<Vec<Answer>, Failure> {
        let body = client.instant(&composed.text).await;
        let reply = match &body {
            Ok(body) => reply::parse(body),
            Err(failure) => Err(*failure),
        };
        self.note(reply.as_ref().err().copied());
        Ok(planned.answers(composed, memory, &reply?))
    }

    fn note(&self, failure: Option<Failure>) {
        let now = clock();
        self.health.update(&self.config.name, |health| {
            health.requests += 1;
            match failure {
                None => health.last_success = Some(now),
                Some(failure) => {
                    health.failures += 1;
                    health.last_failure = Some((now, failure));
                }
            }
        });
    }

    fn look_back(&self, state: &mut State, running: &mut tokio::task::JoinSet<Vec<Outcome>>) {
        let Some(client) = state.client.clone() else { return };
        let due = state.backfill.due(&state.plan);
        if !due.is_empty() {
            running.spawn(backfill::run(due, client, self.config.interval, clock(), self.events.clone()));
        }
    }

    /// One party at a time: its task rests between its requests.
    fn look_far_back(&self, state: &mut State, running: &mut tokio::task::JoinSet<Vec<PolicyKey>>) {
        let wanted = self.look_backs.borrow().clone();
        self.parts.retain(&wanted);
        if wanted.is_empty() {
            return;
        }
        let next = state.look_back.next(&state.plan, &wanted, clock());
        if next.party.is_none() && next.without.is_empty() {
            return;
        }
        let (client, pasts, parts) = (state.client.clone(), self.pasts.clone(), self.parts.clone());
        running.spawn(async move {
            for without in next.without {
                // Nobody listens any more: the loop ends as well.
                let _ = pasts.send(without).await;
            }
            match (next.party, client) {
                (Some(party), Some(client)) => party.look_back(client, clock(), wanted, parts, pasts).await,
                (Some(_), None) | (None, _) => Vec::new(),
            }
        });
    }

    fn count_skipped(&self, last: Option<Instant>, due: Instant) {
        let Some(last) = last else { return };
        let interval = self.config.interval.as_nanos().max(1);
        let skipped = (due.saturating_duration_since(last).as_nanos() + interval / 2) / interval;
        let skipped = u64::try_from(skipped.saturating_sub(1)).unwrap_or(u64::MAX);
        if skipped > 0 {
            self.health.update(&self.config.name, |health| health.skipped = health.skipped.saturating_add(skipped));
        }
    }
}

/// The requests of a round, shared ones first, the others from where the last round was cut off.
fn choose(plan: &Plan, only: Option<&HashSet<PolicyKey>>, first: usize) -> (Vec<Arc<Planned>>, Vec<(Reader, Failure)>) {
    let Some(only) = only else {
        let mut requests = plan.requests.clone();
        let shared = requests.iter().take_while(|planned| planned.readers.len() > 1).count();
        let alone = &mut requests[shared..];
        if first > shared && first - shared < alone.len() {
            alone.rotate_left(first - shared);
        }
        return (requests, plan.refused.clone());
    };
    let concerns = |reader: &&Reader| only.contains(&reader.subscription.policy);
    let narrowed = plan.requests.iter().filter_map(|planned| {
        let readers: Vec<Reader> = planned.readers.iter().filter(concerns).cloned().collect();
        (!readers.is_empty()).then(|| Arc::new(Planned { request: Arc::clone(&planned.request), readers }))
    });
    let refused = plan.refused.iter().filter(|(reader, _)| concerns(&reader)).cloned();
    (narrowed.collect(), refused.collect())
}

/// A request is the same one as long as its query is.
fn identity(planned: &Planned) -> usize {
    Arc::as_ptr(&planned.request).addr()
}

/// When in its interval a source is asked: another moment for each, so that they don't all ask at once.
fn phase(config: &SourceConfig) -> Duration {
    let mut hasher = DefaultHasher::new();
    config.name.hash(&mut hasher);
    let longest = PHASE.min(config.interval / 10);
    longest.mul_f64(f64::from(u16::try_from(hasher.finish() % 1000).unwrap_or(0)) / 1000.0)
}

/// The one clock of this room, read at its edge.
fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Requests under way at a source at once: as many as Prometheus evaluates at once by default is 20; others ask too.
const CONCURRENCY: usize = 16;

/// How long a policy waits for its slow questions before it is told what is known.
const GRACE: Duration = Duration::from_secs(2);

/// How long a burst of changes is gathered.
const SETTLE: Duration = Duration::from_millis(200);

/// The latest that a source is first asked after the start.
const PHASE: Duration = Duration::from_secs(1);

/// The longest that the first tick waits for credentials.
const SECRETS_WITHIN: Duration = Duration::from_secs(3);

/// Ticks without an answer after which the past is asked for again: one is no gap in a window.
const AWAY: u32 = 2;
