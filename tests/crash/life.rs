//! The life of a policy, told in phases. Each ends in a state, and the state is what is compared.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use floorkeeper_rig::{Availability, eventually};
use serde_json::{Value, json};

use crate::manner::{Crash, Keeper, LISTS, OLD_FOR, Written};
use crate::stage::proxy::{Fate, Proxy};
use crate::stage::shop::Shop;
use crate::state;
use crate::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Phase {
    /// The policy is created: the floor is what the load needs.
    Born,
    Rises,
    /// Somebody writes 1 to the replicas.
    Scaled,
    /// Somebody writes 3 to the HPA's minimum, and another goal to the one that is ours.
    Edited,
    Falls,
    /// The policy is deleted and made again at once.
    Adopted,
    /// The policy only observes: everything is its owner's again.
    GivenBack,
    /// It guards, or scales, once more.
    Returned,
    /// It is deleted and stays away: everything is its owner's again, once nobody would adopt it any more.
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// An HPA is guarded.
    Guard,
    /// floorkeeper scales.
    Alone,
    /// An HPA that floorkeeper makes is guarded.
    OwnHpa,
}

/// What goes wrong in a life.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    Nothing,
    Crashes(Vec<Crash>),
    /// After each phase it is killed, and sees these kinds as they were a phase before, for a while.
    OldLists {
        kinds: Vec<&'static str>,
        blind: bool,
    },
    /// What happens to this kind at the beginning of a phase is never told.
    Lost(&'static str),
    /// Everything that a watch tells is this late.
    Late(Duration),
    /// The first try of each write.
    Ill(Fate),
}

/// How a life went.
pub(crate) struct Lived {
    pub(crate) states: BTreeMap<Phase, Value>,
    pub(crate) writes: Vec<Written>,
    pub(crate) crashed: Vec<String>,
    pub(crate) took: Duration,
}

pub(crate) struct Life<'a> {
    pub(crate) world: &'a World,
    pub(crate) mode: Mode,
    pub(crate) namespace: String,
}

impl Life<'_> {
    /// Lives it to its end. `undisturbed`: the states that it has to come to; without, those that it comes to.
    pub(crate) async fn live(&self, trouble: &Trouble, undisturbed: Option<&Lived>) -> Result<Lived> {
        let crashes = if let Trouble::Crashes(crashes) = trouble { crashes.clone() } else { Vec::new() };
        let fate = if let Trouble::Ill(fate) = trouble { *fate } else { Fate::Forwarded };
        let keeper = Keeper::new(self.world, crashes, fate);
        let proxy = Proxy::start(&self.world.cluster, keeper.clone()).await?;
        if let Trouble::Late(late) = trouble {
            keeper.weather(|weather| weather.late = *late);
        }
        self.open().await?;
        keeper.start(proxy.kubeconfig().to_owned()).await?;
        keeper.ready().await?;
        let lived = self.phases(&keeper, trouble, undisturbed).await;
        let lived = match lived {
            Ok(lived) => lived,
            Err(error) => bail!("{trouble:?}: {error:#}\nkilled at {:?}\n{}", keeper.crashed(), keeper.log().await),
        };
        keeper.end().await?;
        self.close().await?;
        Ok(lived)
    }

    async fn phases(&self, keeper: &Keeper, trouble: &Trouble, undisturbed: Option<&Lived>) -> Result<Lived> {
        let began = Instant::now();
        let mut states = BTreeMap::new();
        if let Trouble::OldLists { kinds, .. } = trouble {
            keeper.remember(self.world, kinds).await?;
        }
        for phase in self.mode.phases() {
            keeper.begin(phase);
            if phase == Phase::Gone {
                self.hurry(keeper).await?;
            }
            let since = Instant::now();
            if let Trouble::Lost(kind) = trouble {
                keeper.weather(|weather| weather.lost = vec![kind]);
            }
            self.act(phase).await.with_context(|| format!("{phase:?}"))?;
            if let Trouble::Lost(_) = trouble {
                tokio::time::sleep(OLD_FOR).await;
                keeper.weather(|weather| weather.lost.clear());
            }
            let reached = self.comes_to(phase, undisturbed).await?;
            if let Trouble::OldLists { kinds, blind } = trouble {
                // Whoever is shown an order that was taken back obeys it.
                let ordered = phase == Phase::Returned && kinds.contains(&"scalingpolicies");
                if !ordered {
                    self.looks_back(keeper, kinds, *blind).await?;
                    self.comes_to(phase, undisturbed).await.context("after it saw an old world")?;
                }
                keeper.remember(self.world, kinds).await?;
            }
            self.nothing_fell(phase, since)?;
            states.insert(phase, reached);
        }
        Ok(Lived { states, writes: keeper.writes(), crashed: keeper.crashed(), took: began.elapsed() })
    }

    /// Killed, started, and shown what was true a phase before.
    async fn looks_back(&self, keeper: &Keeper, kinds: &[&'static str], blind: bool) -> Result<()> {
        if blind {
            self.world.edge.set_availability(Availability::Refusing);
        }
        // Who sees an old minimum would fight with the HPA, and say so for ten minutes.
        let idle = self.world.idle.send_replace(false);
        keeper.show_old_lists(true);
        keeper.weather(|weather| weather.stalled = kinds.to_vec());
        keeper.crash().await?;
        keeper.ready().await?;
        tokio::time::sleep(OLD_FOR).await;
        keeper.show_old_lists(false);
        keeper.weather(|weather| weather.stalled.clear());
        self.world.edge.set_availability(Availability::Up);
        self.world.idle.send_replace(idle);
        Ok(())
    }

    /// From now on a floor outlives its policy for some seconds: another start, that has claimed the floor.
    async fn hurry(&self, keeper: &Keeper) -> Result<()> {
        let before = self.epoch().await?;
        keeper.adopts_for(ADOPTION);
        keeper.crash().await?;
        keeper.ready().await?;
        eventually("the floor is claimed", WITHIN, || async {
            let epoch = self.epoch().await?;
            ensure!(epoch > before, "still of epoch {epoch}");
            Ok(())
        })
        .await
    }

    pub(crate) async fn open(&self) -> Result<()> {
        self.world.idle.send_replace(false);
        self.world.load(&self.namespace, BASE);
        let shop = Shop::open_bare(&self.world.cluster, &self.namespace).await?;
        if self.mode == Mode::Guard {
            shop.hpa().await?;
        }
        eventually("the pods are ready", WITHIN, || async {
            let ready = shop.get("deployment/web").await?["status"]["readyReplicas"].clone();
            ensure!(ready == 10, "{ready} ready");
            Ok(())
        })
        .await
    }

    /// What the world does in a phase.
    pub(crate) async fn act(&self, phase: Phase) -> Result<()> {
        let shop = self.shop();
        match phase {
            Phase::Born => shop.policy(self.policy()).await,
            Phase::Rises => {
                self.world.load(&self.namespace, PEAK);
                Ok(())
            }
            Phase::Scaled => shop.kubectl(&["scale", "deployment/web", "--replicas", "1"]).await.map(drop),
            Phase::Falls => {
                self.world.idle.send_replace(true);
                self.world.load(&self.namespace, BASE);
                Ok(())
            }
            Phase::Edited => {
                let mut three = json!({"spec": {"minReplicas": 3}});
                if self.mode == Mode::OwnHpa {
                    let goal = json!({"type": "Utilization", "averageUtilization": 90});
                    three["spec"]["metrics"] =
                        json!([{"type": "Resource", "resource": {"name": "cpu", "target": goal}}]);
                }
                let hpa = format!("hpa/{}", self.mode.hpa());
                shop.kubectl(&["patch", &hpa, "--type=merge", "-p", &three.to_string()]).await.map(drop)
            }
            Phase::Adopted => {
                self.world.idle.send_replace(false);
                self.delete_the_policy().await?;
                shop.policy(self.policy()).await
            }
            Phase::GivenBack => {
                let observe = r#"{"spec":{"mode":"Observe","utilization":null}}"#;
                shop.kubectl(&["patch", "scalingpolicy/web", "--type=merge", "-p", observe]).await.map(drop)
            }
            Phase::Returned => {
                let policy = self.policy();
                let again = json!({"spec": {"mode": policy["mode"], "utilization": policy["utilization"]}});
                shop.kubectl(&["patch", "scalingpolicy/web", "--type=merge", "-p", &again.to_string()]).await.map(drop)
            }
            Phase::Gone => self.delete_the_policy().await,
        }
    }

    async fn delete_the_policy(&self) -> Result<()> {
        let shop = self.shop();
        shop.kubectl(&["delete", "scalingpolicy/web"]).await?;
        // What it owned goes with it: here nobody else collects it.
        let owned = ["hpa/floorkeeper-web", "demandhistory/web"];
        shop.kubectl(&[&["delete", "--ignore-not-found"], &owned[..]].concat()).await.map(drop)
    }

    pub(crate) async fn comes_to(&self, phase: Phase, undisturbed: Option<&Lived>) -> Result<Value> {
        let client = self.world.cluster.client();
        let read = || state::read(&client, &self.namespace);
        if let Some(undisturbed) = undisturbed {
            let wanted = &undisturbed.states[&phase];
            let ends = async || {
                eventually(&format!("{phase:?} ends as it does undisturbed"), WITHIN, || async {
                    let found = read().await?;
                    state::difference(wanted, &found).map_or(Ok(found), |difference| bail!("{difference}"))
                })
                .await
            };
            let found = ends().await?;
            if phase != Phase::Falls {
                return Ok(found);
            }
            // The last step is still to be verified; until then whatever happens to the pods is its harm.
            tokio::time::sleep(WINDOW).await;
            return ends().await;
        }
        eventually(&format!("{phase:?} ends"), WITHIN, || async {
            let before = read().await?;
            self.is_done(phase, &before)?;
            // What is only passed through is not its end.
            tokio::time::sleep(WINDOW).await;
            let after = read().await?;
            state::difference(&before, &after).map_or(Ok(after), |difference| bail!("it goes on: {difference}"))
        })
        .await
    }

    /// What has to be true of the undisturbed life too.
    fn is_done(&self, phase: Phase, state: &Value) -> Result<()> {
        let row = &state["floortables/floors"]["spec"]["floors"]["deployments.apps/web"];
        let hpa = &state[format!("horizontalpodautoscalers/{}", self.mode.hpa())];
        let (hpa, annotations) = (&hpa["spec"]["minReplicas"], &hpa["metadata"]["annotations"]);
        let replicas = &state["deployments/web"]["spec"]["replicas"];
        let status = &state["scalingpolicies/web"]["status"];
        let floor = if (Phase::Rises..Phase::Falls).contains(&phase) { 16 } else { 10 };
        ensure!(*replicas == floor, "{replicas} replicas");
        if let Phase::GivenBack | Phase::Gone = phase {
            ensure!(row.is_null(), "the row is there: {row}");
            let owners = if self.mode == Mode::Guard { json!(3) } else { Value::Null };
            ensure!(
                *hpa == owners && annotations["floorkeeper.dev/kept"].is_null(),
                "the HPA has {hpa}, {annotations}"
            );
            return Ok(());
        }
        ensure!(row["replicas"] == floor && status["floor"]["replicas"] == floor, "row {row}, status {status}");
        ensure!(status["trust"] == "Trusted", "{status}");
        ensure!(self.mode == Mode::Alone || *hpa == floor, "the HPA has {hpa}");
        Ok(())
    }

    /// Nothing of this life fell since then that was not to fall.
    pub(crate) fn nothing_fell(&self, phase: Phase, since: Instant) -> Result<()> {
        for (whose, at, from, to) in self.world.record.lowerings() {
            if whose.namespace != self.namespace {
                continue;
            }
            let due = match (phase, whose.plural) {
                // By a quarter at most, and not below the need.
                (Phase::Falls, "floortables") => to >= 10 && from - to <= from.div_ceil(4),
                (Phase::Falls, _) => to >= 10,
                (Phase::Scaled, "deployments") => to == 1,
                (Phase::Edited | Phase::GivenBack, "horizontalpodautoscalers") => to == 3,
                // Not before nobody would adopt it any more.
                (Phase::Gone, "horizontalpodautoscalers") => to == 3 && at >= since + ADOPTION,
                _ => false,
            };
            let told = || self.world.record.told(Some(&self.namespace), at);
            ensure!(at < since || due, "{phase:?}: {whose} from {from} to {to}\n{:#?}", told());
        }
        Ok(())
    }

    /// Nothing of it is left for the next life to see.
    pub(crate) async fn close(&self) -> Result<()> {
        let shop = self.shop();
        let kinds = "scalingpolicies,floortables,demandhistories,hpa,deployments";
        shop.kubectl(&["delete", kinds, "--all"]).await.map(drop)
    }

    /// The leadership that wrote the floor.
    pub(crate) async fn epoch(&self) -> Result<u64> {
        let table = self.shop().get("floortable/floors").await?;
        let epoch = table["spec"]["floors"]["deployments.apps/web"]["epoch"].as_u64();
        epoch.with_context(|| table["spec"].to_string())
    }

    fn shop(&self) -> Shop<'_> {
        Shop { cluster: &self.world.cluster, namespace: &self.namespace }
    }

    fn policy(&self) -> Value {
        let mut spec = json!({"targetRef": {"kind": "Deployment", "name": "web"},
            "demand": {"capacity": "120", "resolution": "1s"},
            "scaleDown": {"window": format!("{}s", WINDOW.as_secs()), "halfLife": "1s", "verifyFor": "500ms"}});
        spec["mode"] = json!(if self.mode == Mode::Guard { "Guard" } else { "Autoscale" });
        if self.mode != Mode::Guard {
            spec["minReplicas"] = json!(2);
            spec["maxReplicas"] = json!(20);
        }
        if self.mode == Mode::OwnHpa {
            spec["utilization"] = json!([{"resource": "cpu", "targetPercent": 70}]);
        }
        spec
    }
}

impl Trouble {
    /// Crashes are told by what they met.
    pub(crate) fn name(&self) -> String {
        if let Self::Crashes(_) = self { "Crashes".to_owned() } else { format!("{self:?}") }
    }
}

impl Mode {
    fn phases(self) -> impl Iterator<Item = Phase> {
        use Phase::{Adopted, Born, Edited, Falls, GivenBack, Gone, Returned, Rises, Scaled};
        let all = [Born, Rises, Scaled, Edited, Falls, Adopted, GivenBack, Returned, Gone];
        all.into_iter().filter(move |phase| self != Self::Alone || *phase != Edited)
    }

    /// The HPA that scales the workload, if any does.
    fn hpa(self) -> &'static str {
        if self == Self::OwnHpa { "floorkeeper-web" } else { "web" }
    }

    /// The name of its namespaces.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Alone => "alone",
            Self::OwnHpa => "own-hpa",
        }
    }
}

/// Every kind of which an old list can be shown.
pub(crate) fn kinds() -> Vec<&'static str> {
    LISTS.iter().map(|(plural, _)| *plural).collect()
}

/// With a quarter of headroom and 120 for each replica: 10 replicas, and 16. Less than half would be an unusual fall.
const BASE: u32 = 960;
const PEAK: u32 = 1536;

/// The policies' `scaleDown.window`.
const WINDOW: Duration = Duration::from_secs(2);

/// How long a floor outlives its policy, instead of ten minutes.
const ADOPTION: Duration = Duration::from_secs(2);

/// A window and a few steps, or the two minutes' pause after a step that looked harmful, on a loaded machine.
const WITHIN: Duration = Duration::from_secs(180);
