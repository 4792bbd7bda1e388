//! Status and events.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use floorkeeper::api::{ScalingPolicy, ScalingPolicyStatus};
use floorkeeper::apply::{Enforcement, Events, Learning, Told, action, status};
use floorkeeper_core::{
    Decision, Guard, Hold, Notice, Outcome, Overwritten, PolicyKey, Reading, SignalView, Timestamp, Trust, Unknown,
    Verdict,
};
use floorkeeper_rig::{Cluster, eventually};
use k8s_openapi::api::events::v1::Event;
use kube::Resource;
use kube::api::{Api, ListParams, PostParams};
use serde_json::json;

use super::Story;

pub(super) async fn a_status_is_written_once(cluster: &Cluster) -> Result<()> {
    let story = Story::begin(cluster, "status").await?;
    let policy = create(&story).await?;
    let put_back = Notice::Overwritten { what: Overwritten::Replicas, found: 1, floor: 6 };
    let actions = [action(&put_back, NOW).context("action")?];
    let blind = decision(Trust::Blind);
    let told = Told {
        decision: &blind,
        spec: None,
        actions: &actions,
        enforcement: &Enforcement::NotAsked,
        learning: &Learning::default(),
        now: NOW,
    };

    let next = status(&policy, None, &told).context("the first status is news")?;
    assert_eq!(story.writer.write_status(&policy, &next).await, Outcome::Done);
    let stored = stored(&story).await?;
    assert_eq!(stored, next, "what is stored is what was said");

    // Later, the same: nothing to write, whatever the clock says.
    let later = Told { actions: &[], now: Timestamp(NOW.0 + 3_600_000), ..told };
    assert_eq!(status(&policy, Some(&stored), &later), None);

    // The source is back: what no longer is so vanishes from the store.
    let trusted = decision(Trust::Trusted);
    let told = Told { decision: &trusted, ..later };
    let next = status(&policy, Some(&stored), &told).context("news")?;
    assert_eq!(story.writer.write_status(&policy, &next).await, Outcome::Done);
    let stored = self::stored(&story).await?;
    assert_eq!(stored, next);
    let demand = stored.demand.context("demand")?;
    assert!(demand.signals.iter().all(|signal| signal.why.is_none()), "{demand:?}");

    // kubectl finds what it looks for.
    let printed = cluster.kubectl(["get", "scp", "-n", "status", "web"]).await?;
    assert!(printed.contains("Trusted"), "{printed}");
    cluster.kubectl(["wait", "-n", "status", "scp/web", "--for=condition=Ready", "--timeout=5s"]).await?;
    Ok(())
}

pub(super) async fn notices_become_events(cluster: &Cluster) -> Result<()> {
    let story = Story::begin(cluster, "events").await?;
    let policy = create(&story).await?;
    let events = Events::start(story.client.clone(), "floorkeeper-0".to_owned(), Arc::clone(&story.metrics));
    let key = PolicyKey::new("events", "web");
    let about = policy.object_ref(&());
    let notices = [
        Notice::Raised { from: 4, to: 6, guard: Guard::LiveDemand },
        Notice::Overwritten { what: Overwritten::Replicas, found: 0, floor: 6 },
    ];
    for notice in &notices {
        events.tell(&key, &about, notice, None, NOW);
    }
    let api: Api<Event> = Api::namespaced(story.client.clone(), "events");
    let found = eventually("both events are there", Duration::from_secs(10), || async {
        let found = api.list(&ListParams::default()).await?.items;
        anyhow::ensure!(found.len() == 2, "{} events", found.len());
        Ok(found)
    })
    .await?;
    let undone = found.iter().find(|event| event.reason.as_deref() == Some("FloorOverwritten")).context("undo")?;
    assert_eq!(undone.type_.as_deref(), Some("Warning"));
    assert_eq!(undone.note.as_deref(), Some("Somebody set replicas to 0, below the floor of 6; put back"));
    assert_eq!(undone.regarding.as_ref().and_then(|about| about.uid.clone()), policy.metadata.uid);
    let described = cluster.kubectl(["describe", "scp", "-n", "events", "web"]).await?;
    assert!(described.contains("FloorRaised"), "{described}");
    Ok(())
}

async fn create(story: &Story) -> Result<ScalingPolicy> {
    let api: Api<ScalingPolicy> = Api::namespaced(story.client.clone(), &story.namespace);
    let policy = serde_json::from_value(json!({
        "apiVersion": "floorkeeper.dev/v1alpha1",
        "kind": "ScalingPolicy",
        "metadata": {"name": "web"},
        "spec": {"targetRef": {"kind": "Deployment", "name": "web"}, "mode": "Guard", "demand": {"capacity": "120"}},
    }))?;
    Ok(api.create(&PostParams::default(), &policy).await?)
}

async fn stored(story: &Story) -> Result<ScalingPolicyStatus> {
    let api: Api<ScalingPolicy> = Api::namespaced(story.client.clone(), &story.namespace);
    api.get_status("web").await?.status.context("status")
}

fn decision(trust: Trust) -> Decision {
    let why = Unknown::Stale { age: Duration::from_secs(240) };
    let blind = trust == Trust::Blind;
    let reading = if blind { Reading::Unknown { why, at_least: 0.0 } } else { Reading::Present(481.5) };
    Decision {
        floor: 6,
        guard: Guard::Held,
        since: NOW,
        verdict: Verdict::Held,
        bids: Vec::new(),
        doubts: Vec::new(),
        hold: blind.then_some(Hold::Unknown { signal: Some(0), why }),
        trust,
        signals: vec![SignalView { reading, need: (!blind).then_some(6), per_replica: Some(80.2), at: Some(NOW) }],
        need: (!blind).then_some(6),
        load: (!blind).then_some(481.5),
        observed_at: Some(NOW),
        min: 2,
        max: 10,
        limited: None,
        price: 0,
        price_since: None,
        zero_in: Duration::from_secs(5400),
        in_force: None,
        contested: None,
        usual: None,
        problem: None,
        replicas: Some(6),
        ready: Some(6),
        stored: true,
    }
}

const NOW: Timestamp = Timestamp(1_709_602_560_123);
