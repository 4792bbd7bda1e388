use floorkeeper_core::{Mode, Policy, Rollout, ScalerKind, Signal, Target, UnusualFall, ZeroMeans};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::controller::input::{KindName, Store};

const OBJECTS: Store = Store::Scalers(ScalerKind::ScaledObject);

const HPAS: Store = Store::Scalers(ScalerKind::HorizontalPodAutoscaler);

/// A running driver whose writes end up here.
struct Rig {
    inputs: mpsc::Sender<Input>,
    writes: mpsc::UnboundedReceiver<Arc<Write>>,
    /// Each write takes one before it ends.
    permits: Arc<Semaphore>,
    stop: oneshot::Sender<()>,
    run: JoinHandle<Ended>,
    warm: watch::Receiver<bool>,
    vitals: Arc<Vitals>,
}

impl Rig {
    fn start() -> Self {
        Self::start_in(Some(0))
    }

    fn start_in(term: Option<u64>) -> Self {
        let (inputs, received) = mpsc::channel(64);
        let (written, writes) = mpsc::unbounded_channel();
        let permits = Arc::new(Semaphore::new(1000));
        let gate = Arc::clone(&permits);
        let write = move |write| {
            written.send(write).unwrap();
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                Outcome::Done
            }
        };
        let vitals = Arc::new(Vitals::default());
        let (reports, metrics) = (Arc::new(Reports::default()), Arc::new(Metrics::new()));
        let driver = Driver::new(Engine::standby(), write, inputs.clone(), term, reports, Arc::clone(&vitals), metrics);
        let warm = driver.warm();
        let (stop, stopped) = oneshot::channel::<()>();
        let run = tokio::spawn(driver.run(received, async { drop(stopped.await) }));
        Self { inputs, writes, permits, stop, run, warm, vitals }
    }

    async fn tell(&self, input: Input) {
        self.inputs.send(input).await.unwrap();
    }

    /// The next write; a loaded machine may take its time.
    async fn written(&mut self) -> Write {
        let write = timeout(Duration::from_secs(10), self.writes.recv()).await.expect("a write in time").unwrap();
        (*write).clone()
    }

    async fn fill(&self) {
        for store in [Store::Policies, Store::Tables, OBJECTS, HPAS] {
            self.tell(Input::Filled(store)).await;
        }
    }

    async fn see(&self, replicas: u32) {
        let target = Target {
            uid: "u".into(),
            version: replicas.to_string().as_str().into(),
            replicas,
            ready: Some(replicas),
            rollout: Rollout::Done,
            template: 0,
        };
        self.tell(Input::Target(web(), Some(target), instant())).await;
    }
}

fn web() -> TargetKey {
    TargetKey::new("shop", "deployments.apps", "web")
}

fn policy() -> Input {
    let minute = Duration::from_secs(60);
    let signal = Signal {
        name: "edge".into(),
        capacity: Some(120.0),
        max_age: minute,
        zero: ZeroMeans::Evidence,
        drain_within: None,
    };
    let policy = Policy {
        target: web(),
        mode: Mode::Autoscale,
        min_replicas: Some(1),
        max_replicas: Some(20),
        signals: vec![signal],
        headroom_percent: 25,
        errors: None,
        unready_percent: 25,
        depends_on: Vec::new(),
        fall: UnusualFall {
            hold_for: minute,
            keep_percent: 80,
            keep_for: minute,
            until_learned_percent: 50,
            usual_days: UnusualFall::USUAL_DAYS,
        },
        hold_at_most: minute,
        window: minute,
        half_life: minute,
        verify_for: minute,
        resolution: Duration::from_secs(15),
        source: "default".into(),
        created: Timestamp(0),
    };
    Input::Policy(PolicyKey::new("shop", "web"), Arc::new(policy))
}

/// Everything that a policy needs to be decided, but for the stores that are to be filled.
async fn scene(rig: &Rig) {
    rig.tell(Input::Kind(KindName::new("apps/v1", "Deployment"), "deployments.apps".into())).await;
    rig.tell(Input::Awaited(Store::Targets("deployments.apps".into()))).await;
    rig.see(10).await;
    rig.tell(Input::Filled(Store::Targets("deployments.apps".into()))).await;
    rig.tell(policy()).await;
}

#[tokio::test]
async fn a_floor_is_stored_first_and_a_write_below_it_is_undone() {
    let mut rig = Rig::start();
    scene(&rig).await;
    rig.fill().await;
    let Write::Floors { rows, .. } = rig.written().await else { panic!("the floor is stored first") };
    assert_eq!((&rows[0].0, rows[0].1.replicas), (&web(), 10));
    rig.see(3).await;
    let Write::Replicas(undo) = rig.written().await else { panic!("it is put back") };
    assert_eq!((undo.from, undo.to, undo.undo), (3, 10, true));
    assert!(rig.vitals.waiting().is_empty() && rig.vitals.alive());
}

#[tokio::test]
async fn nothing_is_written_before_every_store_is_filled() {
    let mut rig = Rig::start();
    scene(&rig).await;
    for input in [Input::Filled(Store::Policies), Input::Filled(Store::Tables), Input::Refused(OBJECTS)] {
        rig.tell(input).await;
    }
    timeout(Duration::from_secs(10), async {
        while rig.vitals.waiting() != ["horizontalpodautoscalers.autoscaling: being listed"] {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it says what it waits for");
    assert!(rig.writes.try_recv().is_err());
    rig.tell(Input::Filled(HPAS)).await;
    assert!(matches!(rig.written().await, Write::Floors { .. }));
}

#[tokio::test]
async fn a_stop_finishes_what_is_under_way_and_begins_nothing() {
    let mut rig = Rig::start();
    rig.permits.forget_permits(1000);
    scene(&rig).await;
    rig.fill().await;
    assert!(matches!(rig.written().await, Write::Floors { .. }));
    // Waits behind its row, which is being stored.
    rig.see(3).await;
    rig.stop.send(()).unwrap();
    tokio::task::yield_now().await;
    assert!(!rig.run.is_finished());
    rig.permits.add_permits(1);
    timeout(Duration::from_secs(5), rig.run).await.expect("it ends with the write").unwrap();
    assert!(rig.writes.try_recv().is_err());
}

#[tokio::test]
async fn a_standby_knows_everything_and_writes_nothing_until_it_is_elected() {
    let mut rig = Rig::start_in(None);
    scene(&rig).await;
    rig.fill().await;
    timeout(Duration::from_secs(10), rig.warm.wait_for(|warm| *warm)).await.expect("it gets warm").unwrap();
    rig.see(8).await;
    // Everything told so far was taken in when this one was.
    rig.tell(Input::Awaited(Store::Targets("late.example.dev".into()))).await;
    timeout(Duration::from_secs(10), async {
        while rig.vitals.waiting().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it turns");
    assert!(rig.writes.try_recv().is_err());
    rig.tell(Input::Filled(Store::Targets("late.example.dev".into()))).await;
    rig.tell(Input::Elected(4)).await;
    let Write::Floors { rows, .. } = rig.written().await else { panic!("the floor is stored first") };
    assert_eq!((rows[0].1.replicas, rows[0].1.epoch), (8, 5));
}

#[tokio::test]
async fn its_epoch_is_above_the_stored_ones_and_a_later_one_ends_it() {
    let mut rig = Rig::start_in(None);
    scene(&rig).await;
    let row = |epoch| {
        (web(), floorkeeper_core::Standing { epoch, seq: 3, ..floorkeeper_core::Standing::at(9, Timestamp(0)) })
    };
    rig.tell(Input::Table { namespace: "shop".into(), rows: vec![row(7)] }).await;
    rig.fill().await;
    rig.tell(Input::Elected(2)).await;
    let Write::Floors { rows, .. } = rig.written().await else { panic!("each floor is claimed") };
    assert_eq!((rows[0].1.replicas, rows[0].1.epoch), (9, 8));
    rig.tell(Input::Table { namespace: "shop".into(), rows: vec![row(9)] }).await;
    let ended = timeout(Duration::from_secs(10), rig.run).await.expect("it ends").unwrap();
    assert_eq!(ended, Ended::Superseded);
}
