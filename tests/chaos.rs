//! Faults of the operator, of the API server and of the sources, played on a real control plane under a load that rises
//! and falls: floors stand (law L5), nothing panics, and the steady state comes back by itself.
//!
//! The two that matter most run always; the others, and more rounds of these, with `FLOORKEEPER_SOAK=1`.

#[path = "chaos/load.rs"]
mod load;
#[path = "chaos/proxy.rs"]
mod proxy;
#[path = "chaos/record.rs"]
mod record;
#[path = "chaos/scene.rs"]
mod scene;
#[path = "chaos/seed.rs"]
mod seed;
#[path = "chaos/source.rs"]
mod source;
mod stage;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use floorkeeper_rig::{Data, Signal, eventually};

use crate::load::{ALONE, GUARDED, HIGH, LOW, WINDOW, need};
use crate::proxy::Proxy;
use crate::scene::Scene;
use crate::seed::{Seed, soaking};
use crate::source::{Mood, Source};
use crate::stage::operator::Operator;

/// kill -9 at moments that nobody chose, in the middle of raises and lowerings, and while it starts.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment() -> Result<()> {
    let mut seed = Seed::take();
    let scene = Scene::open().await?;
    let mut operator = Operator::start(&scene.cluster, "whole")?;
    operator.ready().await?;
    scene.settles(need(HIGH)).await?;
    let playing = scene.load.play(seed.clone());
    for round in 0..if soaking() { 40 } else { 4 } {
        tokio::time::sleep(seed.millis(300..6000)).await;
        operator.lines()?;
        operator.kill();
        tokio::time::sleep(seed.millis(0..1500)).await;
        operator = Operator::start(&scene.cluster, &format!("round-{round}"))?;
    }
    playing.abort();
    scene.load.set(LOW);
    scene.settles(need(LOW)).await?;
    let lowerings = scene.record.kept_to_the_window(&scene.load)?;
    ensure!(lowerings > 0, "nothing ever came down: the play shows nothing");
    println!("{lowerings} lowerings, none below what the window needed");
    scene.undoes(need(LOW)).await?;
    operator.lines().map(drop)
}

/// A source that lies, talks without end or says nothing: the floor is held, the reason is told, memory stays bounded, and
/// trust comes back with the source.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_gone_mad() -> Result<()> {
    let scene = Scene::open().await?;
    let source = Source::start(&scene.prometheus.url()).await?;
    scene.reads(&source.url).await?;
    let mut operator = Operator::start(&scene.cluster, "whole")?;
    operator.ready().await?;
    scene.settles(need(HIGH)).await?;
    let always = [
        (Mood::Gigabyte, "FailedGetMetrics", "passed the size limit"),
        (Mood::Bomb, "FailedGetMetrics", "passed the size limit"),
    ];
    let others = [
        (Mood::Garbage, "FailedGetMetrics", ""),
        (Mood::NaN, "SignalNotANumber", ""),
        (Mood::Several, "SignalAmbiguous", ""),
        (Mood::Warning, "SignalPartial", ""),
        (Mood::Drip, "FailedGetMetrics", ""),
        (Mood::Nothing, "FailedGetMetrics", ""),
        (Mood::ServerError, "FailedGetMetrics", ""),
    ];
    let moods = always.iter().chain(others.iter().filter(|_| soaking()));
    let began = Instant::now();
    for (mood, reason, words) in moods {
        source.set(*mood);
        // Nobody could tell whether this is true.
        scene.load.set(LOW);
        let message = scene.shop(GUARDED).says("Trusted", "False", reason).await?;
        ensure!(message.contains(words), "{mood:?}: {message}");
        println!("{mood:?}: {message}");
    }
    tokio::time::sleep(WINDOW * 2).await;
    ensure!(scene.record.lowered(began, Instant::now()).is_empty(), "lowered while blind");
    let peak = operator.peak_memory()?;
    println!("peak memory {} MB", peak >> 20);
    ensure!(peak < MEMORY, "{} MB resident at the peak", peak >> 20);
    source.set(Mood::Well);
    scene.settles(need(LOW)).await?;
    scene.undoes(need(LOW)).await?;
    operator.lines().map(drop)
}

/// The API server killed and started again, frozen, and its store started again.
#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_comes_and_goes() -> Result<()> {
    if !soaking() {
        return Ok(());
    }
    let seed = Seed::take();
    let mut scene = Scene::open().await?;
    let mut operator = Operator::start(&scene.cluster, "whole")?;
    operator.ready().await?;
    scene.settles(need(HIGH)).await?;
    let playing = scene.load.play(seed);
    for fault in ["killed", "frozen", "store"] {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let before = operator.lines()?;
        match fault {
            "killed" => {
                scene.cluster.kill_api_server();
                tokio::time::sleep(AWAY).await;
                scene.cluster.start_api_server().await?;
            }
            "frozen" => {
                scene.cluster.signal_api_server(Signal::Freeze)?;
                tokio::time::sleep(AWAY).await;
                scene.cluster.signal_api_server(Signal::Thaw)?;
            }
            _ => scene.cluster.restart_etcd().await?,
        }
        let lines = operator.lines()? - before;
        println!("{fault}: {lines} lines of log meanwhile");
        ensure!(lines < 40 * AWAY.as_secs() as usize, "a hot loop: {lines} lines\n{}", operator.log());
        eventually("it is ready again", Duration::from_secs(60), || async {
            let (status, body) = operator.get("/readyz").await?;
            ensure!(status == 200, "{body}");
            Ok(())
        })
        .await?;
        tokio::time::sleep(WINDOW).await;
    }
    playing.abort();
    scene.load.set(LOW);
    scene.settles(need(LOW)).await?;
    println!("{} lowerings", scene.record.kept_to_the_window(&scene.load)?);
    scene.undoes(need(LOW)).await?;
    operator.lines().map(drop)
}

/// Prometheus started again with its data; then without it, and the operator with it: nobody remembers the last peak.
#[tokio::test(flavor = "multi_thread")]
async fn prometheus_comes_and_goes() -> Result<()> {
    if !soaking() {
        return Ok(());
    }
    let mut scene = Scene::open().await?;
    let mut operator = Operator::start(&scene.cluster, "whole")?;
    operator.ready().await?;
    for (data, killed) in [(Data::Kept, false), (Data::Lost, false), (Data::Kept, true), (Data::Lost, true)] {
        scene.load.set(HIGH);
        scene.settles(need(HIGH)).await?;
        let back = if killed {
            operator.lines()?;
            operator.kill();
            scene.load.set(LOW);
            scene.prometheus.restart(data).await?;
            operator = Operator::start(&scene.cluster, &format!("after-{data:?}"))?;
            Instant::now()
        } else {
            scene.load.set(LOW);
            scene.prometheus.restart(data).await?;
            Instant::now()
        };
        scene.settles(need(LOW)).await?;
        // What a full window is: nine tenths of its samples.
        let window = WINDOW.mul_f64(0.9) - Duration::from_secs(1);
        let early = if data == Data::Lost { scene.record.lowered(back, back + window) } else { Vec::new() };
        ensure!(early.is_empty(), "{data:?}, killed {killed}: lowered before a window was full: {early:?}");
        println!("{data:?}, operator killed: {killed}: settled after {:?}", back.elapsed());
    }
    println!("{} lowerings", scene.record.kept_to_the_window(&scene.load)?);
    scene.undoes(need(LOW)).await?;
    operator.lines().map(drop)
}

/// A share of all requests is refused, throttled, late, cut off, or carried out and denied.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_way_to_the_api_server() -> Result<()> {
    if !soaking() {
        return Ok(());
    }
    let seed = Seed::take();
    let scene = Scene::open().await?;
    let proxy = Proxy::start(&scene.cluster, seed.clone()).await?;
    let mut operator = Operator::start_with(proxy.kubeconfig(), &scene.cluster, "whole")?;
    operator.ready().await?;
    scene.settles(need(HIGH)).await?;
    let playing = scene.load.play(seed);
    proxy.fail(40);
    eventually("the way is bad for long enough", Duration::from_secs(300), || async {
        let (_, ill, _) = proxy.tally();
        if ill > 60 { Ok(()) } else { Err(format!("{ill} requests fared ill")) }
    })
    .await?;
    // Every raise lands, if late: the floor of the last peak is stored though two in five requests fare ill.
    playing.abort();
    scene.load.set(HIGH);
    scene.settles(need(HIGH)).await?;
    for namespace in [GUARDED, ALONE] {
        let floor = scene.shop(namespace).get("floortable/floors").await?;
        let floor = floor["spec"]["floors"]["deployments.apps/web"]["replicas"].clone();
        ensure!(floor == need(HIGH), "{namespace}: {floor}");
    }
    let (asked, ill, busiest) = proxy.tally();
    println!("{asked} requests, {ill} of them fared ill, {busiest} in the busiest second");
    ensure!(busiest < 60, "a storm: {busiest} requests in one second");
    proxy.fail(0);
    scene.load.set(LOW);
    scene.settles(need(LOW)).await?;
    println!("{} lowerings", scene.record.kept_to_the_window(&scene.load)?);
    scene.undoes(need(LOW)).await?;
    operator.lines().map(drop)
}

/// Design's bound for ten thousand policies holds for two, whatever a source sends.
const MEMORY: u64 = 150 << 20;

/// Longer than a write waits for its answer.
const AWAY: Duration = Duration::from_secs(12);
