//! The task that keeps the lease: carries out what [`Election`] asks for, and hands leadership to those who write.

use std::sync::Arc;
use std::time::{Duration, Instant};

use floorkeeper_core::lease::{Answer, Ask, Claim, Election, Record, State, Timing, Uptime, Why};
use futures::TryStreamExt as _;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::clock::{instant, now};
use super::input::Input;
use crate::apply::{MANAGER, Tenure};
use crate::metrics::Metrics;

/// Which lease, and as whom.
#[derive(Clone, Debug)]
pub struct LeaseSettings {
    /// In floorkeeper's own namespace.
    pub name: String,
    /// How long a standby sees it unchanged before it takes over.
    pub duration: Duration,
}

/// Takes part in the election until it is over for this process.
pub(super) struct Elector {
    /// Not fenced: the lease is what the fence is made of.
    pub(super) client: Client,
    pub(super) namespace: String,
    pub(super) settings: LeaseSettings,
    /// Of this process: the pod's name is not enough, a restarted container has the same.
    pub(super) identity: String,
    pub(super) tenure: Tenure,
    pub(super) metrics: Arc<Metrics>,
    /// Where leadership is told.
    pub(super) inputs: mpsc::Sender<Input>,
}

impl Elector {
    /// Runs until the election is over. `warm`: everything that a leader needs is known. `resign`: give the lease back.
    pub(super) async fn run(self, mut warm: watch::Receiver<bool>, mut resign: watch::Receiver<bool>) -> Why {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), &self.namespace);
        let started = instant();
        let timing = Timing::new(self.settings.duration);
        let mut election = Election::new(self.identity.as_str().into(), timing, uptime(started));
        let (hints, mut hinted) = mpsc::channel(1);
        let watching = tokio::spawn(watch_lease(api.clone(), self.settings.name.clone(), timing.retry(), hints));
        let mut led = None;
        let why = loop {
            if *warm.borrow_and_update() {
                election.stand();
            }
            if *resign.borrow_and_update() {
                self.tenure.give_up();
                election.resign();
            }
            if let Some(ask) = election.poll(uptime(started)) {
                let answer = timeout(timing.attempt(), self.carry_out(&api, &ask)).await.unwrap_or(Answer::Failed);
                debug!(?ask, ?answer, "lease");
                election.answered(answer, uptime(started));
                self.hand_over(&election, started, timing, &mut led).await;
                continue;
            }
            let at = uptime(started);
            if let State::Ended(why) = election.state(at) {
                break why;
            }
            let pause = election.next_wake().since(at).max(SHORTEST_PAUSE);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                changed = warm.changed(), if !*warm.borrow() => if changed.is_err() { break Why::Resigned },
                changed = resign.changed(), if !*resign.borrow() => if changed.is_err() { break Why::Resigned },
                Some(()) = hinted.recv() => election.hint(uptime(started)),
            }
        };
        self.tenure.give_up();
        self.metrics.leading(false);
        watching.abort();
        info!(?why, "the election is over for this process");
        why
    }

    /// Tells those who write.
    async fn hand_over(&self, election: &Election, started: Instant, timing: Timing, led: &mut Option<u64>) {
        self.metrics.lease(election.transitions());
        match election.state(uptime(started)) {
            State::Leading { term, until } => {
                self.tenure.hold(started + Duration::from_millis(until.0), timing.landing());
                if led.replace(term) != Some(term) {
                    info!(term, identity = self.identity, lease = self.settings.name, "this process leads");
                    // The loop is gone: nobody is left to lead.
                    let _ = self.inputs.send(Input::Elected(term)).await;
                }
            }
            State::Standby => {}
            State::Ended(_) => self.tenure.give_up(),
        }
    }

    async fn carry_out(&self, api: &Api<Lease>, ask: &Ask) -> Answer {
        let name = &self.settings.name;
        let ended = match ask {
            Ask::Read => api.get_opt(name).await.map(|lease| Answer::Record(lease.as_ref().map(record))),
            Ask::Write(claim) => {
                let (lease, params) =
                    (lease(name, claim), PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() });
                let written = match &claim.against {
                    Some(_) => api.replace(name, &params, &lease).await,
                    None => api.create(&params, &lease).await,
                };
                written
                    .map(|lease| Answer::Written(lease.metadata.resource_version.unwrap_or_default().as_str().into()))
            }
        };
        match ended {
            Ok(answer) => answer,
            // Gone since it was read, made by somebody else, changed by somebody else.
            Err(kube::Error::Api(status))
                if status.is_conflict() || status.is_already_exists() || status.is_not_found() =>
            {
                Answer::Conflict
            }
            Err(error) => {
                warn!(lease = %name, namespace = %self.namespace, %error, "the lease can't be read or written");
                Answer::Failed
            }
        }
    }
}

/// Says when the lease was given back or deleted. It only saves time: nothing rests on it.
async fn watch_lease(api: Api<Lease>, name: String, pause: Duration, hints: mpsc::Sender<()>) {
    let params = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(WATCH_SECONDS);
    while !hints.is_closed() {
        let watching: Result<(), kube::Error> = async {
            let mut events = std::pin::pin!(api.watch(&params, "0").await?);
            while let Some(event) = events.try_next().await? {
                let free = match event {
                    WatchEvent::Added(lease) | WatchEvent::Modified(lease) => record(&lease).holder.is_none(),
                    WatchEvent::Deleted(_) => true,
                    WatchEvent::Bookmark(_) => false,
                    WatchEvent::Error(_) => return Ok(()),
                };
                if free {
                    // One hint that waits is as good as two.
                    let _ = hints.try_send(());
                }
            }
            Ok(())
        }
        .await;
        if let Err(error) = watching {
            debug!(%error, "the lease's watch failed; it is read all the same");
        }
        tokio::time::sleep(pause).await;
    }
}

fn record(lease: &Lease) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let renewals = lease.metadata.annotations.as_ref().and_then(|all| all.get(RENEWALS));
    let count = |number: Option<i32>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
    Record {
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()).map(|holder| holder.as_str().into()),
        transitions: count(spec.lease_transitions),
        renewals: renewals.and_then(|renewals| renewals.parse().ok()).unwrap_or(0),
        duration: Duration::from_secs(count(spec.lease_duration_seconds)),
        version: lease.metadata.resource_version.as_deref().unwrap_or_default().into(),
    }
}

fn lease(name: &str, claim: &Claim) -> Lease {
    let at = i64::try_from(now().0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).map(MicroTime);
    let whole = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
    Lease {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            annotations: Some([(RENEWALS.to_owned(), claim.renewals.to_string())].into()),
            resource_version: claim.against.as_deref().map(str::to_owned),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(claim.holder.as_deref().unwrap_or_default().to_owned()),
            lease_duration_seconds: Some(whole(claim.duration.as_secs().max(1))),
            lease_transitions: Some(whole(claim.transitions)),
            // For people: nobody's decision rests on anybody else's clock.
            renew_time: at,
            ..LeaseSpec::default()
        }),
    }
}

fn uptime(started: Instant) -> Uptime {
    Uptime(u64::try_from(instant().duration_since(started).as_millis()).unwrap_or(u64::MAX))
}

/// How often this holder has written the lease: a count that went back tells of a restored backup.
const RENEWALS: &str = "floorkeeper.dev/renewals";

/// As other watches: also how long a connection that died silently can go unnoticed.
const WATCH_SECONDS: u32 = 120;

/// An election that always wants to be polled again must not take the whole core.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut claim = Claim {
            holder: Some("a_1".into()),
            transitions: 7,
            renewals: 41,
            duration: Duration::from_secs(15),
            against: Some("99".into()),
        };
        let written = lease("floorkeeper", &claim);
        let expected = Record {
            holder: claim.holder.clone(),
            transitions: 7,
            renewals: 41,
            duration: claim.duration,
            version: "99".into(),
        };
        assert_eq!(record(&written), expected);
        (claim.holder, claim.against) = (None, None);
        assert_eq!(record(&lease("floorkeeper", &claim)), Record { holder: None, version: "".into(), ..expected });
    }

    #[test]
    fn what_others_write_is_no_panic() {
        let bare = Lease::default();
        let nothing = record(&bare);
        assert_eq!((nothing.holder, nothing.transitions, nothing.duration), (None, 0, Duration::ZERO));
        let spec = LeaseSpec {
            lease_transitions: Some(-3),
            lease_duration_seconds: Some(-1),
            holder_identity: Some(String::new()),
            ..LeaseSpec::default()
        };
        let odd = record(&Lease { spec: Some(spec), ..bare });
        assert_eq!((odd.holder, odd.transitions, odd.duration), (None, 0, Duration::ZERO));
    }
}
