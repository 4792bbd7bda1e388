//! Writes each policy's status and tells its events, behind everything else: a floor never waits for a view of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{Bounds, Decision, Mode, Outcome, Policy, PolicyKey, Timestamp};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use tokio::task::JoinSet;
use tracing::warn;

use super::clock::now;
use super::enforcement::{Enforcements, Touched};
use super::histories::Histories;
use super::registry::About;
use super::reports::{News, Reports, Told};
use crate::api::{LastAction, ScalingPolicy, ScalingPolicyStatus};
use crate::apply::{self, Enforcement, Events, Learning, Writer};

/// The one task that writes statuses.
pub(super) struct Scribe {
    writer: Writer,
    events: Events,
    pages: HashMap<PolicyKey, Page>,
    /// Policies whose status may have something new to say.
    open: BTreeSet<PolicyKey>,
    /// Statuses that did not get through, by when to try again.
    later: BTreeMap<Timestamp, Vec<PolicyKey>>,
    writing: JoinSet<(PolicyKey, Outcome)>,
    /// HPAs of our own being created, brought in line or deleted.
    keeping: JoinSet<(PolicyKey, Outcome)>,
    enforcements: Enforcements,
    histories: Histories,
}

/// What there is to say about one policy.
#[derive(Default)]
struct Page {
    about: Option<About>,
    decision: Option<(Decision, Arc<Policy>)>,
    problem: Option<Arc<str>>,
    /// Done since the last status, the newest first.
    actions: Vec<LastAction>,
    /// Written, and perhaps not seen yet.
    written: Option<Arc<ScalingPolicyStatus>>,
    writing: bool,
    failures: u32,
    /// The HPA that floorkeeper created for it, as last seen.
    own_hpa: Option<Arc<HorizontalPodAutoscaler>>,
    /// When it was last asked to be created or changed, until it is seen again.
    own_hpa_asked: Option<Timestamp>,
}

impl Scribe {
    pub(super) fn new(writer: Writer, events: Events, enforcements: Enforcements, histories: Histories) -> Self {
        Self {
            writer,
            events,
            pages: HashMap::new(),
            open: BTreeSet::new(),
            later: BTreeMap::new(),
            writing: JoinSet::new(),
            keeping: JoinSet::new(),
            enforcements,
            histories,
        }
    }

    /// Runs until the reports are closed and everything is said.
    pub(super) async fn run(mut self, reports: Arc<Reports>) {
        while !(reports.closed() && self.open.is_empty() && self.writing.is_empty()) {
            let again = self.later.keys().next().map_or(LONGEST_PAUSE, |at| at.since(now()));
            tokio::select! {
                news = reports.next(), if !reports.closed() => self.take(news),
                Some(ended) = self.writing.join_next(), if !self.writing.is_empty() => self.ended(ended),
                Some(ended) = self.keeping.join_next(), if !self.keeping.is_empty() => self.kept(ended),
                touched = self.enforcements.next() => self.look_again(&touched),
                policy = self.histories.next() => if self.pages.contains_key(&policy) { self.open.insert(policy); },
                () = tokio::time::sleep(again) => {}
            }
            if reports.closed() {
                self.take(reports.take());
            }
            self.retry();
            self.write();
        }
    }

    fn take(&mut self, news: News) {
        let News { decisions, notices, abouts, own_hpas, problems, lost } = news;
        if lost > 0 {
            warn!(lost, "notices were lost: more came than could be told");
        }
        for (policy, about) in abouts {
            match about {
                Some(about) => {
                    self.histories.about(&policy, &about.object);
                    let page = self.open(policy);
                    // Of another object of that name nothing was written yet.
                    let uid = |about: &About| about.object.metadata.uid.clone();
                    if page.about.as_ref().is_some_and(|before| uid(before) != uid(&about)) {
                        page.written = None;
                        page.actions.clear();
                    }
                    page.about = Some(about);
                }
                None => {
                    self.histories.forget(&policy);
                    if let Some((_, spec)) = self.pages.remove(&policy).and_then(|page| page.decision) {
                        self.enforcements.forget(&spec.target);
                    }
                    self.open.remove(&policy);
                }
            }
        }
        for (policy, hpa) in own_hpas {
            if hpa.is_some() || self.pages.contains_key(&policy) {
                let page = self.open(policy);
                page.own_hpa = hpa;
                page.own_hpa_asked = None;
            }
        }
        for (policy, problem) in problems {
            self.open(policy).problem = problem;
        }
        for (policy, decided) in decisions {
            self.enforcements.consider(&decided.1, &decided.0);
            self.histories.consider(&policy, &decided.1);
            self.open(policy).decision = Some(decided);
        }
        for told in notices {
            self.tell(told);
        }
    }

    fn tell(&mut self, told: Told) {
        let Told { policy, spec, notice, at } = told;
        let about = self.pages.get(&policy).and_then(|page| page.about.as_ref());
        let about = about.map_or_else(|| reference(&policy), |about| about.object.object_ref(&()));
        self.events.tell(&policy, &about, &notice, spec.as_deref(), at);
        if let Some(action) = apply::action(&notice, at)
            && self.pages.contains_key(&policy)
        {
            let page = self.open(policy);
            page.actions.insert(0, action);
            page.actions.truncate(ACTIONS_KEPT);
        }
    }

    fn open(&mut self, policy: PolicyKey) -> &mut Page {
        self.open.insert(policy.clone());
        self.pages.entry(policy).or_default()
    }

    /// Whether the API server keeps their floors is known otherwise now.
    fn look_again(&mut self, touched: &Touched) {
        let concerned = self.pages.keys().filter(|policy| match touched {
            Touched::Everywhere => true,
            Touched::Namespace(namespace) => policy.namespace == *namespace,
        });
        self.open.extend(concerned.cloned());
    }

    fn retry(&mut self) {
        let waiting = self.later.split_off(&now());
        let due = std::mem::replace(&mut self.later, waiting);
        self.open.extend(due.into_values().flatten());
    }

    /// Starts as many writes as may go at once.
    fn write(&mut self) {
        while self.writing.len() < AT_ONCE
            && let Some(policy) = self.open.pop_first()
        {
            let Some(page) = self.pages.get_mut(&policy) else { continue };
            if page.writing {
                // Looked at again when the one under way has ended.
                continue;
            }
            if let Some(work) = page.own_hpa_work(now()) {
                self.keeping.spawn(work.carry_out(self.writer.clone(), policy.clone()));
            }
            let enforcement = page.decision.as_ref().map(|(_, spec)| self.enforcements.of(&spec.target));
            let learning = self.histories.of(&policy);
            let Some((about, status)) = page.new_status(&enforcement.unwrap_or_default(), &learning) else { continue };
            page.writing = true;
            page.actions.clear();
            page.written = Some(Arc::clone(&status));
            let writer = self.writer.clone();
            self.writing.spawn(async move {
                let outcome = writer.write_status(&about.object, &status).await;
                (policy, outcome)
            });
        }
    }

    /// What is not seen after a while is asked for again, whatever this says; a refusal is logged by the writer.
    fn kept(&mut self, ended: Result<(PolicyKey, Outcome), tokio::task::JoinError>) {
        if let Ok((policy, Outcome::Conflict | Outcome::Failed)) = ended {
            self.later.entry(now().plus(ASK_AGAIN)).or_default().push(policy);
        }
    }

    fn ended(&mut self, ended: Result<(PolicyKey, Outcome), tokio::task::JoinError>) {
        // A panic in a write: the page stays marked as being written, and nothing but that status is late.
        let Ok((policy, outcome)) = ended else { return };
        let Some(page) = self.pages.get_mut(&policy) else { return };
        page.writing = false;
        match outcome {
            Outcome::Done | Outcome::Unneeded => {
                page.failures = 0;
                self.open.insert(policy);
            }
            Outcome::Conflict | Outcome::Failed => {
                // What was not written is to be compared with what stands there.
                if let Some(unwritten) = page.written.take() {
                    page.actions.splice(0..0, unwritten.last_actions.iter().cloned());
                    page.forget_known_actions();
                }
                let pause = FIRST_PAUSE * 2_u32.saturating_pow(page.failures.min(6));
                page.failures += 1;
                self.later.entry(now().plus(pause)).or_default().push(policy);
            }
        }
    }
}

impl Page {
    /// What is to be done about an HPA of our own.
    fn own_hpa_work(&mut self, now: Timestamp) -> Option<OwnHpa> {
        let (decision, spec) = self.decision.as_ref()?;
        let policy = &self.about.as_ref()?.object;
        let wanted = spec.mode == Mode::AutoscaleUtilization;
        if self.own_hpa_asked.is_some_and(|asked| now.since(asked) < ASK_AGAIN) {
            return None;
        }
        let bounds = match (wanted, &self.own_hpa) {
            (false, None) => return None,
            // Deleted only where the policy itself says so: what it was last understood to say is not enough.
            (false, Some(_)) if policy.spec.utilization.is_empty() => None,
            (false, Some(_)) => return None,
            // The floor is stored first, and the target is ours.
            (true, _) if decision.problem.is_some() || !decision.stored || decision.replicas.is_none() => return None,
            (true, present) => {
                let bounds = Bounds { min: decision.floor, max: decision.max };
                if present.as_ref().is_some_and(|present| apply::own_hpa_in_line(policy, bounds, present)) {
                    return None;
                }
                Some(bounds)
            }
        };
        self.own_hpa_asked = Some(now);
        Some(OwnHpa { policy: Arc::clone(policy), bounds, present: self.own_hpa.clone() })
    }

    /// The status to write, if it says something new.
    fn new_status(
        &mut self,
        enforcement: &Enforcement,
        learning: &Learning,
    ) -> Option<(About, Arc<ScalingPolicyStatus>)> {
        let about = self.about.clone()?;
        // Our own last word, until the watch brings it or something else.
        if self.written.is_some() && self.written == about.status {
            self.written = None;
        }
        let before = self.written.as_deref().or(about.status.as_deref());
        let status = match (&self.problem, &self.decision) {
            (Some(problem), _) => apply::refused(&about.object, before, problem, now())?,
            (None, Some((decision, spec))) => {
                let actions = &self.actions;
                let told = apply::Told { decision, spec: Some(spec), actions, enforcement, learning, now: now() };
                apply::status(&about.object, before, &told)?
            }
            (None, None) => return None,
        };
        Some((about, Arc::new(status)))
    }

    /// Actions that the stored status has already need not be told again.
    fn forget_known_actions(&mut self) {
        if let Some(stored) = self.about.as_ref().and_then(|about| about.status.as_ref()) {
            self.actions.retain(|action| !stored.last_actions.contains(action));
        }
    }
}

/// An HPA of our own to be kept (with bounds), or to go.
struct OwnHpa {
    policy: Arc<ScalingPolicy>,
    bounds: Option<Bounds>,
    present: Option<Arc<HorizontalPodAutoscaler>>,
}

impl OwnHpa {
    async fn carry_out(self, writer: Writer, key: PolicyKey) -> (PolicyKey, Outcome) {
        let Self { policy, bounds, present } = self;
        let outcome = match (bounds, present) {
            (Some(bounds), present) => writer.keep_own_hpa(&policy, bounds, present.as_deref()).await,
            (None, Some(present)) => writer.drop_own_hpa(&policy, &present).await,
            (None, None) => Outcome::Done,
        };
        (key, outcome)
    }
}

/// A policy that was not seen as an object, or is gone.
fn reference(policy: &PolicyKey) -> ObjectReference {
    ObjectReference {
        api_version: Some(format!("{}/{}", crate::api::GROUP, crate::api::VERSION)),
        kind: Some("ScalingPolicy".to_owned()),
        name: Some(policy.name.to_string()),
        namespace: Some(policy.namespace.to_string()),
        ..ObjectReference::default()
    }
}

/// Far fewer than floors may have: statuses never crowd them out.
const AT_ONCE: usize = 4;

/// As many as a status shows.
const ACTIONS_KEPT: usize = 10;

const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A watch that has not brought what was written by then may never do: it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// Also how soon a clock that jumped is noticed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
