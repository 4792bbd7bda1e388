//! Where the API server keeps the floors, found out by as few dry-run writes as will do: for each kind of workload in
//! each namespace that asks for it, once, and again when the namespace's label, an admission policy or the kind of the
//! tables has changed. Each finding is tried twice, because the API server takes a change up a while after it was made.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use floorkeeper_core::{Decision, Mode, Policy, TargetKey, Timestamp};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use super::clock::now;
use crate::apply::{Enforcement, Trial, Wish, Writer};

/// What may change the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A namespace's label `floorkeeper.dev/enforce`.
    Label(Arc<str>, Option<Arc<str>>),
    /// All namespaces that have the label were told.
    Labelled,
    /// A policy, a binding, or the kind of the tables.
    Policies,
}

/// Whose condition has to be looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    Everywhere,
    Namespace(Arc<str>),
}

/// One kind of workload in one namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    namespace: Arc<str>,
    resource: Arc<str>,
}

#[derive(Debug, Default)]
struct State {
    /// Workloads with a stored floor above zero, and a number of replicas below it and below what there is.
    subjects: BTreeMap<Arc<str>, u32>,
    found: Option<(Trial, Wish)>,
    /// Since the last change.
    tries: usize,
    due: Option<Timestamp>,
    trying: bool,
}

/// Tries, and keeps what was found.
pub(super) struct Enforcements {
    writer: Writer,
    changes: mpsc::Receiver<Change>,
    labels: HashMap<Arc<str>, Arc<str>>,
    labelled: bool,
    places: HashMap<Place, State>,
    agenda: BTreeMap<Timestamp, Vec<Place>>,
    trials: JoinSet<(Place, Wish, Trial)>,
}

impl Enforcements {
    /// `changes`: what [`super::permits::watch`] tells.
    pub(super) fn new(writer: Writer, changes: mpsc::Receiver<Change>) -> Self {
        Self {
            writer,
            changes,
            labels: HashMap::new(),
            labelled: false,
            places: HashMap::new(),
            agenda: BTreeMap::new(),
            trials: JoinSet::new(),
        }
    }

    /// What is known for a workload.
    pub(super) fn of(&self, target: &TargetKey) -> Enforcement {
        if !self.labelled {
            return Enforcement::Checking;
        }
        let Some(label) = self.labels.get(&target.namespace) else { return Enforcement::NotAsked };
        let Some(wish) = wish(label) else {
            return if **label == *WARN {
                Enforcement::WarnOnly
            } else {
                Enforcement::LabelNotUnderstood(label.to_string())
            };
        };
        match self.places.get(&Place::of(target)) {
            Some(State { found: Some((trial, of)), .. }) if *of == wish => Enforcement::Tried(trial.clone(), wish),
            Some(state) if !state.subjects.is_empty() => Enforcement::Checking,
            Some(_) | None => Enforcement::NothingToTry,
        }
    }

    /// A policy was decided: its target may be one to try it on.
    pub(super) fn consider(&mut self, policy: &Policy, decision: &Decision) {
        let writes = policy.mode != Mode::Observe && decision.problem.is_none() && decision.stored;
        let least = decision.replicas.unwrap_or(0).min(decision.floor);
        let place = Place::of(&policy.target);
        let state = self.places.entry(place.clone()).or_default();
        if !writes || least == 0 {
            state.subjects.remove(&policy.target.name);
            return;
        }
        state.subjects.insert(Arc::clone(&policy.target.name), least - 1);
        let asks = self.labels.get(&place.namespace).is_some_and(|label| wish(label).is_some());
        if asks && state.found.is_none() && state.due.is_none() && !state.trying && state.tries < WAITS.len() {
            self.plan(place, now());
        }
    }

    /// A policy is gone.
    pub(super) fn forget(&mut self, target: &TargetKey) {
        let place = Place::of(target);
        if let Some(state) = self.places.get_mut(&place) {
            state.subjects.remove(&target.name);
        }
    }

    /// Waits until something is found out or changes. Dropping it loses nothing.
    pub(super) async fn next(&mut self) -> Touched {
        loop {
            self.try_what_is_due(now());
            let pause = self.agenda.keys().next().map_or(IDLE, |at| at.since(now()));
            let busy = self.trials.len() >= AT_ONCE;
            tokio::select! {
                Some(change) = self.changes.recv() => if let Some(touched) = self.take(change, now()) { return touched },
                Some(ended) = self.trials.join_next(), if !self.trials.is_empty() => {
                    if let Some(touched) = self.ended(ended, now()) { return touched }
                }
                () = tokio::time::sleep(pause), if !busy => {}
            }
        }
    }

    fn take(&mut self, change: Change, now: Timestamp) -> Option<Touched> {
        match change {
            Change::Label(namespace, label) => {
                let before = match &label {
                    Some(label) => self.labels.insert(Arc::clone(&namespace), Arc::clone(label)),
                    None => self.labels.remove(&namespace),
                };
                if before == label {
                    return None;
                }
                let places: Vec<_> = self.places.keys().filter(|place| place.namespace == namespace).cloned().collect();
                for place in places {
                    if let Some(state) = self.places.get_mut(&place) {
                        state.found = None;
                    }
                    self.begin(place, now);
                }
                // Before all labels are known nothing is said anyhow.
                self.labelled.then_some(Touched::Namespace(namespace))
            }
            Change::Labelled => (!std::mem::replace(&mut self.labelled, true)).then_some(Touched::Everywhere),
            Change::Policies => {
                for place in self.places.keys().cloned().collect::<Vec<_>>() {
                    self.begin(place, now);
                }
                None
            }
        }
    }

    /// What was found may no longer be true.
    fn begin(&mut self, place: Place, now: Timestamp) {
        if let Some(state) = self.places.get_mut(&place) {
            state.tries = 0;
            self.plan(place, now);
        }
    }

    fn plan(&mut self, place: Place, now: Timestamp) {
        let Some(state) = self.places.get_mut(&place) else { return };
        let Some(wait) = WAITS.get(state.tries) else { return };
        let at = now.plus(*wait);
        state.due = Some(at);
        self.agenda.entry(at).or_default().push(place);
    }

    fn try_what_is_due(&mut self, now: Timestamp) {
        while self.trials.len() < AT_ONCE
            && let Some(mut due) = self.agenda.first_entry()
            && *due.key() <= now
        {
            let at = *due.key();
            let Some(place) = due.get_mut().pop() else {
                due.remove();
                continue;
            };
            let Some(state) = self.places.get_mut(&place).filter(|state| state.due == Some(at)) else { continue };
            state.due = None;
            let wish = self.labels.get(&place.namespace).and_then(|label| wish(label));
            let (Some(wish), Some((name, below)), false) = (wish, state.subjects.first_key_value(), state.trying)
            else {
                continue;
            };
            state.trying = true;
            let target = TargetKey {
                namespace: Arc::clone(&place.namespace),
                resource: Arc::clone(&place.resource),
                name: Arc::clone(name),
            };
            let (writer, below) = (self.writer.clone(), *below);
            self.trials.spawn(async move {
                let trial = writer.try_below(&target, below, wish).await;
                (place, wish, trial)
            });
        }
    }

    fn ended(&mut self, ended: Result<(Place, Wish, Trial), JoinError>, now: Timestamp) -> Option<Touched> {
        // A panic in a trial: that place keeps what was found before.
        let (place, wish, trial) = ended.ok()?;
        let state = self.places.get_mut(&place)?;
        state.trying = false;
        state.tries += 1;
        let found = Enforcement::Tried(trial.clone(), wish);
        // The table may be younger than the API server's sight of it: what was let in once is tried again first.
        let believed = state.tries >= SURE || !matches!(trial, Trial::LetIn { .. });
        let again = state.tries < SURE || !found.is_as_wished();
        let news = believed && state.found.as_ref() != Some(&(trial.clone(), wish));
        if news {
            state.found = Some((trial, wish));
        }
        if again && state.due.is_none() {
            self.plan(place.clone(), now);
        }
        news.then_some(Touched::Namespace(place.namespace))
    }
}

impl Place {
    fn of(target: &TargetKey) -> Self {
        Self { namespace: Arc::clone(&target.namespace), resource: Arc::clone(&target.resource) }
    }
}

fn wish(label: &str) -> Option<Wish> {
    match label {
        "clamp" => Some(Wish::Clamp),
        "deny" => Some(Wish::Deny),
        _ => None,
    }
}

const WARN: &str = "warn";

/// A finding that was made this often is believed.
const SURE: usize = 2;

/// From a change, and from each try, to the next. The API server takes a policy up within two seconds, and a kind that was
/// created again within half a minute; after that only a change is worth another try.
const WAITS: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(300),
];

/// Far fewer than floors may have.
const AT_ONCE: usize = 2;

/// There is nothing to wait for but a change.
const IDLE: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use kube::Client;

    use super::*;
    use crate::apply::Kinds;
    use crate::metrics::Metrics;

    fn enforcements() -> Enforcements {
        // Already installed is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let nobody = Client::try_from(kube::Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
        let writer = Writer::new(nobody, Arc::new(Kinds::default()), Arc::new(Metrics::new()));
        Enforcements::new(writer, mpsc::channel(1).1)
    }

    const WEB: (&str, &str) = ("shop", "deployments.apps");
    const AT: Timestamp = Timestamp(1_709_602_560_000);

    fn web() -> TargetKey {
        TargetKey::new(WEB.0, WEB.1, "web")
    }

    fn label(value: Option<&str>) -> Change {
        Change::Label(WEB.0.into(), value.map(Into::into))
    }

    fn found(enforcements: &mut Enforcements, trial: Trial, wish: Wish) -> Option<Touched> {
        let place = Place::of(&web());
        enforcements.places.get_mut(&place)?.due = None;
        enforcements.ended(Ok((place, wish, trial)), AT)
    }

    #[tokio::test]
    async fn nothing_is_said_before_all_labels_are_known_and_the_label_decides() {
        let mut all = enforcements();
        assert_eq!(all.of(&web()), Enforcement::Checking);
        assert_eq!(all.take(label(Some("warn")), AT), None);
        assert_eq!(all.take(Change::Labelled, AT), Some(Touched::Everywhere));
        assert_eq!(all.of(&web()), Enforcement::WarnOnly);
        assert_eq!(all.take(label(Some("warn")), AT), None, "the same again is no news");
        for (value, says) in [
            (Some("Clamp"), Enforcement::LabelNotUnderstood("Clamp".to_owned())),
            (Some("clamp"), Enforcement::NothingToTry),
            (None, Enforcement::NotAsked),
        ] {
            assert_eq!(all.take(label(value), AT), Some(Touched::Namespace("shop".into())));
            assert_eq!(all.of(&web()), says);
        }
    }

    #[tokio::test]
    async fn a_hole_is_believed_when_it_is_found_twice_and_looked_at_until_it_is_closed() {
        let mut all = enforcements();
        all.take(Change::Labelled, AT);
        all.take(label(Some("clamp")), AT);
        all.places.entry(Place::of(&web())).or_default().subjects.insert("web".into(), 5);
        let (hole, whole) = (Trial::LetIn { covered: true }, Trial::Refused { clamps: true });
        assert_eq!(found(&mut all, hole.clone(), Wish::Clamp), None);
        assert_eq!(all.of(&web()), Enforcement::Checking);
        assert!(found(&mut all, hole.clone(), Wish::Clamp).is_some());
        assert_eq!(all.of(&web()), Enforcement::Tried(hole, Wish::Clamp));
        assert_eq!(all.agenda.len(), 2, "and tried again");
        assert!(found(&mut all, whole.clone(), Wish::Clamp).is_some());
        assert_eq!(all.of(&web()), Enforcement::Tried(whole.clone(), Wish::Clamp));
        let planned = all.agenda.len();
        assert_eq!(found(&mut all, whole.clone(), Wish::Clamp), None);
        assert_eq!(all.agenda.len(), planned, "all is well: nothing more is tried");

        // Until something changes.
        all.agenda.clear();
        assert_eq!(all.take(Change::Policies, AT), None);
        assert_eq!(all.agenda.keys().copied().collect::<Vec<_>>(), [AT.plus(WAITS[0])]);
        assert_eq!(all.of(&web()), Enforcement::Tried(whole, Wish::Clamp), "the old finding stays meanwhile");
    }
}
