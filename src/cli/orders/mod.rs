//! `floorkeeper override`: a person's order, given, listed and ended; and whether it was obeyed.

mod answer;
mod list;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::core::{ObjectMeta, Request};
use kube::{Resource as _, ResourceExt as _};
use serde_json::Value;

use self::answer::{Answer, Way};
use super::explain::missing;
use super::heartbeat::Heart;
use super::reach::{Cluster, Reach, about};
use super::scalers;
use super::terminal::Terminal;
use crate::api::{FloorOverride, FloorOverrideSpec, Mode, OverrideAction, OverrideState, ScalingPolicy, Span, limits};

/// Orders a floor for a while: freeze it, release it, or pin it.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Orders a floor for a while, by a FloorOverride that everybody sees and that ends by itself. --freeze: \
nothing is lowered. --release: down to the static minimum, at once. --pin N: exactly N replicas, floor and ceiling.\n\n\
Waits until floorkeeper obeys, and says what stands then. Where floorkeeper is dead it says what holds and what the way out \
is. You need the role floorkeeper-override in the namespace.\n\n\
Exit code: 0 obeyed (or listed, or ended), 1 not obeyed in time, or refused.",
    after_help = "Examples:
  floorkeeper override web -n shop --release --for 30m --reason \"traffic moved to the other region on purpose\"
  floorkeeper override web -n shop --pin 40 --reason \"load test\"
  floorkeeper override --whole-namespace -n shop --freeze --for 8h --reason \"sale tonight\"
  floorkeeper override --list -n shop
  floorkeeper override --end web-x7k2p -n shop"
)]
pub(super) struct Args {
    /// Name of the policy.
    #[arg(value_name = "POLICY", required_unless_present_any = ["selector", "whole_namespace", "list", "end"])]
    name: Option<String>,

    /// Policies by their labels, as `tier=edge,team=a`.
    #[arg(long, short = 'l', value_name = "LABELS", conflicts_with_all = ["name", "whole_namespace"])]
    selector: Option<String>,

    /// Every policy of the namespace.
    #[arg(long, conflicts_with = "name")]
    whole_namespace: bool,

    #[command(flatten)]
    action: Action,

    /// How long: `30m`, `2h`; 7 days at most.
    #[arg(long = "for", value_name = "DURATION", default_value = "30m", conflicts_with = "until")]
    lasts: String,

    /// Until when: `2026-11-24T06:00:00Z`.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,

    /// Why: for those who find the order at night.
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["list", "end"])]
    reason: Option<String>,

    /// Wait this long for floorkeeper to obey; 0s: don't.
    #[arg(long, value_name = "DURATION", default_value = "15s")]
    wait: String,

    /// Let the API server check the order, and give none.
    #[arg(long)]
    dry_run: bool,

    /// List the orders of the namespace instead.
    #[arg(long, conflicts_with_all = ["name", "selector", "whole_namespace", "freeze", "release", "pin", "end", "until", "dry_run"])]
    list: bool,

    /// End this order instead: the name of a FloorOverride.
    #[arg(long, value_name = "OVERRIDE", conflicts_with_all = ["name", "selector", "whole_namespace", "freeze", "release", "pin", "until"])]
    end: Option<String>,

    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, clap::Args)]
#[group(required = false, multiple = false)]
struct Action {
    /// Nothing is lowered; raising goes on.
    #[arg(long)]
    freeze: bool,

    /// The static minimum and nothing else.
    #[arg(long)]
    release: bool,

    /// Exactly so many replicas.
    #[arg(long, value_name = "REPLICAS", value_parser = clap::value_parser!(i32).range(0..=100_000))]
    pin: Option<i32>,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let wait = Span(self.wait.clone()).parse().context("--wait")?.min(LONGEST_WAIT);
        if self.list {
            return self.reach.run(|cluster| async move { list::show(&cluster).await });
        }
        if let Some(name) = self.end {
            let dry_run = self.dry_run;
            return self.reach.run(|cluster| async move { end(&cluster, &name, dry_run).await });
        }
        let Self { name, selector, whole_namespace, action, lasts, until, reason, wait: _, dry_run, reach, .. } = self;
        let (action, replicas) = match action {
            Action { freeze: true, .. } => (OverrideAction::Freeze, None),
            Action { release: true, .. } => (OverrideAction::Release, None),
            Action { pin: Some(replicas), .. } => (OverrideAction::Pin, Some(replicas)),
            Action { .. } => bail!("say what to do: --freeze, --release or --pin REPLICAS"),
        };
        let lasts = Span(lasts);
        limits::OVERRIDE_LASTS.parse(&lasts).map_err(|message| anyhow::anyhow!("--for {message}"))?;
        let spec = FloorOverrideSpec {
            policy: name,
            selector: selector.map(|labels| list::selector(&labels)).transpose()?,
            whole_namespace,
            action,
            replicas,
            lasts: until.is_none().then_some(lasts),
            until: until.map(Time),
            reason: reason.unwrap_or_default(),
        };
        reach.run(|cluster| async move { give(&cluster, spec, wait, dry_run).await })
    }
}

async fn give(cluster: &Cluster, spec: FloorOverrideSpec, wait: Duration, dry_run: bool) -> anyhow::Result<ExitCode> {
    let namespace = cluster.namespace.clone();
    let before = match &spec.policy {
        None => None,
        Some(name) => match cluster.find::<ScalingPolicy>(name, Some(&namespace)).await? {
            None => bail!("{}", missing(cluster, name).await),
            policy => policy,
        },
    };
    let prefix =
        before.as_ref().map_or_else(|| "night".to_owned(), |policy| policy.name_any().chars().take(200).collect());
    let wanted = FloorOverride {
        metadata: ObjectMeta { generate_name: Some(format!("{prefix}-")), ..ObjectMeta::default() },
        spec,
        status: None,
    };
    let path = FloorOverride::url_path(&(), Some(&namespace));
    let params = PostParams { dry_run, field_manager: Some(MANAGER.to_owned()) };
    let body = serde_json::to_vec(&wanted).context("the order can't be written as JSON")?;
    let what = about("create", "flooroverrides", Some(&namespace));
    let order: FloorOverride = cluster.send(Request::new(path).create(&params, body), &what).await?;
    let name = order.name_any();
    if dry_run {
        super::print(
            format!("the API server would accept this order ({:?}); nothing was ordered\n", order.spec.action)
                .as_bytes(),
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    super::print(format!("FloorOverride {name} is ordered in namespace {namespace}\n").as_bytes())?;
    let (obeyed, policy) = obeyed(cluster, &name, before.as_ref(), wait).await;
    let order = cluster.find::<FloorOverride>(&name, Some(&namespace)).await?.unwrap_or(order);
    let heart = Heart::listen(cluster).await;
    let way = match &policy {
        Some(policy) => Some(way(cluster, policy).await),
        None => None,
    };
    let answer = Answer {
        order: &order,
        before: before.as_ref(),
        policy: policy.as_ref(),
        obeyed,
        waited: wait,
        heart: &heart,
        way: way.as_ref(),
        now: cluster.now(),
        terminal: Terminal::here(),
        program: super::program(),
    };
    super::print(answer.text().as_bytes())?;
    Ok(if obeyed || wait.is_zero() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits until the order is in force and the policy that it names says so; gives the policy as it is then.
async fn obeyed(
    cluster: &Cluster,
    name: &str,
    before: Option<&ScalingPolicy>,
    wait: Duration,
) -> (bool, Option<ScalingPolicy>) {
    let namespace = Some(cluster.namespace.as_str());
    let mut left = wait;
    let mut policy = before.cloned();
    loop {
        let order = cluster.find::<FloorOverride>(name, namespace).await.ok().flatten();
        let state = order.and_then(|order| order.status).and_then(|status| status.state);
        if let Some(seen) = &before
            && let Ok(Some(now)) = cluster.find::<ScalingPolicy>(&seen.name_any(), namespace).await
        {
            policy = Some(now);
        }
        let told = policy.as_ref().and_then(|policy| policy.status.as_ref()).and_then(|it| it.in_force.as_ref());
        // One of another kind may come first: then this one is in force, and the policy names the other.
        let told = before.is_none() || told.is_some();
        if state == Some(OverrideState::InForce) && told {
            return (true, policy);
        }
        if left.is_zero() {
            return (false, policy);
        }
        tokio::time::sleep(PAUSE.min(left)).await;
        left = left.saturating_sub(PAUSE);
    }
}

/// What stands, and whom it would take to change it by hand.
async fn way(cluster: &Cluster, policy: &ScalingPolicy) -> Way {
    let namespace = cluster.namespace.as_str();
    let scaler = if policy.spec.mode == Mode::Observe { None } else { scalers::of(cluster, policy).await };
    let labels = cluster.find::<k8s_openapi::api::core::v1::Namespace>(namespace, None).await.ok().flatten();
    let enforced = labels.and_then(|namespace| namespace.labels().get(ENFORCE).cloned());
    let enforced = enforced.is_some_and(|how| how == "clamp" || how == "deny");
    Way { scaler, enforced }
}

async fn end(cluster: &Cluster, name: &str, dry_run: bool) -> anyhow::Result<ExitCode> {
    let namespace = cluster.namespace.as_str();
    let order = cluster.find::<FloorOverride>(name, Some(namespace)).await?;
    let Some(order) = order else {
        bail!(
            "there is no FloorOverride {name} in namespace {namespace}: `{} override --list` shows what there is",
            super::program()
        );
    };
    let preconditions = Preconditions { uid: order.uid(), ..Preconditions::default() };
    let params = DeleteParams { preconditions: Some(preconditions), dry_run, ..DeleteParams::default() };
    let path = FloorOverride::url_path(&(), Some(namespace));
    let what = about("delete", "flooroverrides", Some(namespace));
    let gone: Value = cluster.send(Request::new(path).delete(name, &params), &what).await?;
    ensure!(gone.is_object(), "the API server did not say what it did");
    let said = if dry_run {
        format!("FloorOverride {name} would be ended; nothing was changed\n")
    } else {
        format!("FloorOverride {name} is over: floors go by the load again, and come down at halfLife\n")
    };
    super::print(said.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The namespace's label that lets the API server itself keep floors.
pub(super) const ENFORCE: &str = "floorkeeper.dev/enforce";

/// Under whose name orders are written.
const MANAGER: &str = "floorkeeper-override";

/// floorkeeper obeys within a second; asking more often tells nothing sooner.
const PAUSE: Duration = Duration::from_millis(250);

/// Who waits longer is better served by `status`.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests;
