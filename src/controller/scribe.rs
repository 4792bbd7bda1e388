//! Writes each policy's status and tells its events, behind everything else: a floor never waits for a view of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{Decision, Outcome, Policy, PolicyKey, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use tokio::task::JoinSet;
use tracing::warn;

use super::clock::now;
use super::registry::About;
use super::reports::{News, Reports, Told};
use crate::api::{LastAction, ScalingPolicyStatus};
use crate::apply::{self, Events, Writer};

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
}

impl Scribe {
    pub(super) fn new(writer: Writer, events: Events) -> Self {
        Self {
            writer,
            events,
            pages: HashMap::new(),
            open: BTreeSet::new(),
            later: BTreeMap::new(),
            writing: JoinSet::new(),
        }
    }

    /// Runs until the task is aborted.
    pub(super) async fn run(mut self, reports: Arc<Reports>) {
        loop {
            let again = self.later.keys().next().map_or(LONGEST_PAUSE, |at| at.since(now()));
            tokio::select! {
                news = reports.next() => self.take(news),
                Some(ended) = self.writing.join_next(), if !self.writing.is_empty() => self.ended(ended),
                () = tokio::time::sleep(again) => {}
            }
            self.retry();
            self.write();
        }
    }

    fn take(&mut self, news: News) {
        let News { decisions, notices, abouts, problems, lost } = news;
        if lost > 0 {
            warn!(lost, "notices were lost: more came than could be told");
        }
        for (policy, about) in abouts {
            match about {
                Some(about) => {
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
                    self.pages.remove(&policy);
                    self.open.remove(&policy);
                }
            }
        }
        for (policy, problem) in problems {
            self.open(policy).problem = problem;
        }
        for (policy, decided) in decisions {
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
            let Some((about, status)) = page.new_status() else { continue };
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

    fn ended(&mut self, ended: Result<(PolicyKey, Outcome), tokio::task::JoinError>) {
        // A panic in a write: the page stays marked as being written, and nothing but that status is late.
        let Ok((policy, outcome)) = ended else { return };
        let Some(page) = self.pages.get_mut(&policy) else { return };
        page.writing = false;
        match outcome {
            Outcome::Done => {
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
    /// The status to write, if it says something new.
    fn new_status(&mut self) -> Option<(About, Arc<ScalingPolicyStatus>)> {
        let about = self.about.clone()?;
        // Our own last word, until the watch brings it or something else.
        if self.written.is_some() && self.written == about.status {
            self.written = None;
        }
        let before = self.written.as_deref().or(about.status.as_deref());
        let status = match (&self.problem, &self.decision) {
            (Some(problem), _) => apply::refused(&about.object, before, problem, now())?,
            (None, Some((decision, spec))) => {
                let told = apply::Told { decision, spec: Some(spec), actions: &self.actions, now: now() };
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

/// Also how soon a clock that jumped is noticed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
