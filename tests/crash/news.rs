//! What a watch tells on its way to the operator: at once, late, or not at all.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::{StreamExt as _, stream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// What becomes of news.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    /// Of these kinds nothing is heard, and then everything.
    pub(crate) stalled: Vec<&'static str>,
    /// Of these kinds what happens is never heard; then the watch ends as one whose past is compacted.
    pub(crate) lost: Vec<&'static str>,
    /// Everything is heard this late.
    pub(crate) late: Duration,
}

/// The answer to a watch of `path`, whose lines go through the weather.
pub(crate) fn relayed(answer: Response, path: &str, weather: watch::Receiver<Weather>) -> Response {
    let kind = path.rsplit('/').next().unwrap_or_default().to_owned();
    let (parts, body) = answer.into_parts();
    if !parts.status.is_success() {
        return Response::from_parts(parts, body);
    }
    let (arrives, arriving) = mpsc::channel(LINES_WAITING);
    tokio::spawn(arrive(body, arrives));
    let (tells, told) = mpsc::channel::<Bytes>(LINES_WAITING);
    tokio::spawn(tell(kind, arriving, tells, weather));
    let lines =
        stream::unfold(
            told,
            |mut told| async move { told.recv().await.map(|line| (Ok::<_, std::io::Error>(line), told)) },
        );
    Response::from_parts(parts, Body::from_stream(lines))
}

/// Whole lines, each with its time.
async fn arrive(body: Body, arrives: mpsc::Sender<(Instant, Bytes)>) {
    let mut pieces = body.into_data_stream();
    let mut waiting = Vec::new();
    loop {
        let piece = tokio::select! {
            piece = pieces.next() => piece,
            () = arrives.closed() => return,
        };
        let Some(Ok(piece)) = piece else { return };
        waiting.extend_from_slice(&piece);
        while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = waiting.drain(..=end).collect();
            if arrives.send((Instant::now(), line.into())).await.is_err() {
                return;
            }
        }
    }
}

async fn tell(
    kind: String,
    mut arriving: mpsc::Receiver<(Instant, Bytes)>,
    tells: mpsc::Sender<Bytes>,
    mut weather: watch::Receiver<Weather>,
) {
    let mut missed = false;
    loop {
        let now = weather.borrow_and_update().clone();
        let lost = now.lost.contains(&kind.as_str());
        if missed && !lost {
            let _ = tells.send(Bytes::from_static(EXPIRED.as_bytes())).await;
            return;
        }
        let stalled = now.stalled.contains(&kind.as_str());
        tokio::select! {
            () = tells.closed() => return,
            changed = weather.changed() => if changed.is_err() { return },
            line = arriving.recv(), if !stalled => {
                let Some((at, line)) = line else { return };
                if lost {
                    missed = true;
                    continue;
                }
                tokio::time::sleep_until(at + now.late).await;
                if tells.send(line).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// As the API server says it.
const EXPIRED: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#,
    r#""message":"too old resource version","reason":"Expired","code":410}}"#,
    "\n"
);

/// More than a life has changes.
const LINES_WAITING: usize = 1024;
