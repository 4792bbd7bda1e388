//! A history from a server: piece by piece, each kept before the next is asked for.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use floorkeeper_replay::backtest::{History, Point};

use super::ask::{Range, Server};
use super::cache::Cache;
use super::input::Input;
use super::progress::Progress;
use crate::observe::{Moment, Past, PastError};

/// Asks for load and replicas. `now`: seconds since 1970.
pub(super) fn history(server: &Server, input: &Input, out: Option<&Path>, now: u64) -> anyhow::Result<History> {
    let (range, described) = (server.range(now)?, server.described()?);
    let (load, replicas) = (server.load(input)?, server.replicas(input)?);
    let credentials: Vec<(&str, &str, &[u8])> =
        described.credentials.iter().map(|(secret, key, value)| (*secret, *key, value.as_slice())).collect();
    let past = Past::open(&described.server, &credentials, server.timeout).context("--prometheus")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime can't be started")?;
    runtime.block_on(async {
        let about = |query: &str| format!("{} {:?} {query}", described.server.url, described.server.headers);
        let mut kept = Cache::open(out, &format!("{} {}", about(&load), range.step))?;
        eprintln!("answers are kept in {}: after Ctrl-C the same command goes on from there", kept.path().display());
        let loads = series(&past, &load, range, &mut kept, "load").await.with_context(|| format!("the load: {load}"))?;
        if loads.is_empty() {
            bail!(
                "the server knows no load between these times\n  query: {load}\nIs it the right server, and are namespace and \
                 name as in the policy? --query asks something else"
            );
        }
        let counts = match &replicas {
            Some(query) => {
                let mut kept = Cache::open(out, &format!("{} {}", about(query), range.step))?;
                let counts = series(&past, query, range, &mut kept, "replicas").await;
                counts.with_context(|| format!("the replicas: {query}"))?
            }
            None => Vec::new(),
        };
        if counts.is_empty() {
            eprintln!("the server does not know what replicas really were (--replicas-query asks for something else)");
        }
        History::new(&joined(&loads, &counts, range)).context("fewer than two samples of load between these times")
    })
}

/// One query over the range.
async fn series(
    past: &Past,
    query: &str,
    range: Range,
    kept: &mut Cache,
    what: &'static str,
) -> Result<Vec<Moment>, anyhow::Error> {
    let wide = range.step * PIECE;
    let first = range.from / wide;
    let last = range.to / wide;
    let progress = Progress::new(what, last - first + 1);
    let mut all = Vec::new();
    for place in first..=last {
        let (from, end) = (place * wide, (place + 1) * wide - range.step);
        let piece = match kept.get(from) {
            Some(piece) => piece.to_vec(),
            None => {
                let piece = ask(past, query, from, end.min(range.to), range.step).await?;
                // The piece that is not over yet will be longer another time.
                if end <= range.to {
                    kept.keep(from, &piece)?;
                }
                piece
            }
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
        let inside = |(at, _): &Moment| *at >= range.from as f64 && *at <= range.to as f64;
        all.extend(piece.into_iter().filter(inside));
        progress.at(place - first + 1);
    }
    progress.done();
    Ok(all)
}

/// A server that is away for a moment is asked again: hours of asking should not end by a hiccup.
async fn ask(past: &Past, query: &str, from: u64, to: u64, step: u64) -> Result<Vec<Moment>, PastError> {
    let mut tries = 0;
    loop {
        match past.range(query, from, to, step).await {
            Err(error) if tries < TRIES && error.may_pass() => tries += 1,
            result => return result,
        }
        tokio::time::sleep(std::time::Duration::from_secs(tries)).await;
    }
}

/// One point a step, with whatever is known of it.
fn joined(loads: &[Moment], counts: &[Moment], range: Range) -> Vec<Point> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "moments that were asked for")]
    let keyed =
        |series: &[Moment]| series.iter().map(|(at, value)| (at.round() as u64, *value)).collect::<BTreeMap<_, _>>();
    let (loads, counts) = (keyed(loads), keyed(counts));
    let steps = (range.from..=range.to).step_by(usize::try_from(range.step).unwrap_or(1).max(1));
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
    let points =
        steps.map(|at| Point { at: at as f64, load: loads.get(&at).copied(), replicas: counts.get(&at).copied() });
    points.collect()
}

/// Samples of a piece: a day of minutes.
const PIECE: u64 = 1_440;

/// Times that a piece is asked for again.
const TRIES: u64 = 3;

#[test]
fn what_is_not_answered_is_a_gap() {
    let range = Range { from: 60, to: 240, step: 60 };
    let points = joined(&[(60.0, 5.0), (240.0, 6.0)], &[(120.0, 2.0)], range);
    let known: Vec<_> = points.iter().map(|point| (point.load, point.replicas)).collect();
    assert_eq!(known, [(Some(5.0), None), (None, Some(2.0)), (None, None), (Some(6.0), None)]);
}
