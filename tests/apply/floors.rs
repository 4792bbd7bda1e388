//! Rows of the `FloorTable`.

use anyhow::Result;
use floorkeeper::api::{FloorTable, TABLE_NAME};
use floorkeeper::apply::standings;
use floorkeeper_core::{Onset, Outcome, Standing, TargetKey, Timestamp, Write, fence};
use floorkeeper_rig::Cluster;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::Story;

pub(super) async fn rows_change_alone_and_stale_writers_are_refused(cluster: &Cluster) -> Result<()> {
    let story = Story::begin(cluster, "floors").await?;
    let (web, api) = (target("web"), target("api"));

    // The table is made with the first floor.
    let doubtful = Standing { doubt: Some(Onset { since: AT, replicas: 7 }), ..standing(6, 2, 1) };
    assert_eq!(write(&story, &[(&web, &doubtful)], &[]).await, Outcome::Done);
    assert_eq!(stored(&story, &web).await?, Some(doubtful));

    // Another row, and the first one stays.
    assert_eq!(write(&story, &[(&api, &standing(3, 2, 1))], &[]).await, Outcome::Done);
    assert_eq!(stored(&story, &web).await?.map(|row| row.replicas), Some(6));

    // A lowering on newer data; what the row no longer has is gone from the store too.
    assert_eq!(write(&story, &[(&web, &standing(5, 2, 2))], &[]).await, Outcome::Done);
    assert_eq!(stored(&story, &web).await?, Some(standing(5, 2, 2)));

    // A leader of yesterday lowers nothing. What it raises is raised, in the epoch that stands there.
    assert_eq!(write(&story, &[(&web, &standing(1, 1, 9))], &[]).await, Outcome::Conflict);
    assert_eq!(write(&story, &[(&web, &standing(7, 1, 9))], &[]).await, Outcome::Done);
    assert_eq!(stored(&story, &web).await?, Some(standing(7, 2, 3)));
    // The same leader on old data: a lowering is refused, a raise is not.
    assert_eq!(write(&story, &[(&web, &standing(4, 2, 2))], &[]).await, Outcome::Conflict);
    assert_eq!(stored(&story, &web).await?, Some(standing(7, 2, 3)));
    assert_eq!(write(&story, &[(&web, &standing(9, 2, 2))], &[]).await, Outcome::Done);
    // A new leader that knows what stands there, after one that does not.
    assert_eq!(write(&story, &[(&web, &standing(2, 3, 2))], &[]).await, Outcome::Conflict);
    assert_eq!(write(&story, &[(&web, &standing(2, 3, 3))], &[]).await, Outcome::Done);

    // One stale row spoils the write, but not the raises in it.
    let both = [(&web, &standing(8, 3, 1)), (&api, &standing(1, 1, 5))];
    assert_eq!(write(&story, &both, &[]).await, Outcome::Conflict);
    assert_eq!(stored(&story, &web).await?, Some(standing(8, 3, 4)));
    assert_eq!(stored(&story, &api).await?, Some(standing(3, 2, 1)));

    // A row goes only after it was released.
    assert_eq!(write(&story, &[], &[&web]).await, Outcome::Conflict);
    let released = Standing { released: true, ..standing(8, 3, 5) };
    assert_eq!(write(&story, &[(&web, &released)], &[]).await, Outcome::Done);
    assert_eq!(write(&story, &[], &[&web]).await, Outcome::Done);
    assert_eq!(stored(&story, &web).await?, None);
    assert_eq!(stored(&story, &api).await?, Some(standing(3, 2, 1)));

    // What the schema does not take is a failure, not a conflict: reading again would not help.
    let endless = Standing { reason: "R".repeat(65).into(), ..standing(9, 9, 9) };
    assert_eq!(write(&story, &[(&api, &endless)], &[]).await, Outcome::Failed);

    the_api_server_and_the_core_agree(&story).await?;

    let text = story.metrics.text();
    assert!(text.contains(r#"floorkeeper_writes_total{kind="Floors",outcome="Conflict"} 5"#), "{text}");
    Ok(())
}

/// The rules of the schema, and the same in the core, on each row that could take the place of one.
async fn the_api_server_and_the_core_agree(story: &Story) -> Result<()> {
    let (web, old) = (target("fenced"), standing(5, 2, 2));
    assert_eq!(write(story, &[(&web, &old)], &[]).await, Outcome::Done);
    let api: Api<FloorTable> = Api::namespaced(story.client.clone(), &story.namespace);
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    for (replicas, epoch, seq) in (4..7).flat_map(|a| (1..4).flat_map(move |b| (1..4).map(move |c| (a, b, c)))) {
        let new = standing(replicas, epoch, seq);
        let patch = json!({"spec": {"floors": {web.row(): {"replicas": replicas, "epoch": epoch, "seq": seq}}}});
        let answered = api.patch(TABLE_NAME, &params, &Patch::Merge(patch)).await;
        let refused = matches!(&answered, Err(kube::Error::Api(status)) if status.is_invalid());
        assert!(refused || answered.is_ok(), "{answered:?}");
        assert_eq!(refused, fence(&old, &new).is_err(), "{replicas} replicas, epoch {epoch}, seq {seq}");
    }
    Ok(())
}

async fn write(story: &Story, rows: &[(&TargetKey, &Standing)], vanish: &[&TargetKey]) -> Outcome {
    let rows = rows.iter().map(|(target, standing)| ((*target).clone(), (*standing).clone())).collect();
    let vanish = vanish.iter().map(|target| (*target).clone()).collect();
    story.writer.carry_out(&Write::Floors { namespace: "floors".into(), rows, vanish }).await
}

async fn stored(story: &Story, target: &TargetKey) -> Result<Option<Standing>> {
    let api: Api<FloorTable> = Api::namespaced(story.client.clone(), &story.namespace);
    let rows = standings(&api.get(TABLE_NAME).await?);
    Ok(rows.into_iter().find(|(key, _)| key == target).map(|(_, standing)| standing))
}

fn target(name: &str) -> TargetKey {
    TargetKey::new("floors", "deployments.apps", name)
}

fn standing(replicas: u32, epoch: u64, seq: u64) -> Standing {
    Standing {
        policy: "web".into(),
        uid: "2f6b1c9e".into(),
        reason: "LiveDemand".into(),
        epoch,
        seq,
        ..Standing::at(replicas, AT)
    }
}

const AT: Timestamp = Timestamp(1_709_602_560_123);
